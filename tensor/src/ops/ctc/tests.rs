use super::*;
use crate::ops::testing::{WAYS, choices, lying};
use crate::random::Generator;

/// What an alignment spells.
fn spelled(path: &[usize], blank: usize) -> Vec<usize> {
    let mut string: Vec<usize> = path.to_vec();
    string.dedup();
    string.retain(|&class| class != blank);
    string
}

/// Every alignment of the frames, with its probability.
fn alignments(logits: &Tensor<f64>) -> Vec<(Vec<usize>, f64)> {
    let &[frames, classes] = &logits.shape()[..] else { panic!() };
    let p = logits.softmax(-1);
    let probability = |path: &[usize]| path.iter().enumerate().map(|(t, &k)| p.get([t, k])).product();
    let paths = choices(&vec![(0..classes).collect(); frames]);
    paths.into_iter().map(|path| (path.clone(), probability(&path))).collect()
}

/// The loss of a sample and its gradient, by the definition.
fn by_definition(logits: &Tensor<f64>, target: &[usize], blank: usize) -> (f64, Tensor<f64>) {
    let mut posterior = Tensor::zeros(logits.shape().clone());
    let mut whole = 0.0;
    let width = logits.shape()[1];
    for (path, p) in alignments(logits).into_iter().filter(|(path, _)| spelled(path, blank) == target) {
        whole += p;
        path.iter().enumerate().for_each(|(t, class)| posterior.as_mut_slice()[t * width + class] += p);
    }
    if whole == 0.0 { (f64::INFINITY, posterior) } else { (-whole.ln(), logits.softmax(-1) - posterior / whole) }
}

fn close<T: Float>(found: &Tensor<T>, expected: &Tensor<f64>, tolerance: f64, what: &str) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    for (found, expected) in found.iter().zip(expected.iter()) {
        let near = (found.as_f64() - expected).abs() <= tolerance * (1.0 + expected.abs());
        assert!(near || found.as_f64() == expected, "{what}: {found} for {expected}");
    }
}

/// Every string of up to `length` labels other than the blank.
fn strings(classes: usize, blank: usize, length: usize) -> Vec<Vec<usize>> {
    let labels: Vec<usize> = (0..classes).filter(|&class| class != blank).collect();
    (0..=length).flat_map(|length| choices(&vec![labels.clone(); length])).collect()
}

#[test]
fn the_loss_is_the_sum_over_all_alignments() {
    for (frames, classes, blank) in
        [(1, 3, 0), (2, 2, 1), (3, 3, 2), (4, 3, 0), (5, 3, 1), (6, 2, 0), (1, 1, 0), (0, 2, 0)]
    {
        let targets = strings(classes, blank, frames + 1);
        let shape = [targets.len(), frames, classes];
        let logits: Tensor<f64> = Generator::new(frames as u64).uniform(shape, -3.0..3.0).to();
        let (losses, gradient) = logits.ctc_loss_and_gradient(None, &targets, blank);
        assert_eq!(losses, logits.ctc_loss(None, &targets, blank));
        let (losses32, gradient32) = logits.to::<f32>().ctc_loss_and_gradient(None, &targets, blank);
        for (sample, target) in targets.iter().enumerate() {
            let what = format!("{target:?} in {frames} frames of {classes} with the blank {blank}");
            let (loss, slope) = by_definition(&logits.select(0, sample as isize), target, blank);
            close(&losses.select(0, sample as isize), &Tensor::scalar(loss), 1e-12, &what);
            close(&losses32.select(0, sample as isize), &Tensor::scalar(loss), 1e-5, &what);
            close(&gradient.select(0, sample as isize), &slope, 1e-12, &what);
            close(&gradient32.select(0, sample as isize), &slope, 1e-5, &what);
        }
    }
}

#[test]
fn frames_that_are_not_there_do_not_count() {
    let logits: Tensor<f64> = Generator::new(1).uniform([4, 5, 3], -2.0..2.0).to();
    let mask = Tensor::from([
        [true, true, true, true, true],
        [true, true, true, false, false],
        [false, true, false, true, true],
        [false, false, false, false, false],
    ]);
    let targets = [vec![1, 2], vec![2, 2], vec![1], vec![]];
    // What is not there may be anything.
    let padded = mask.unsqueeze(2).where_(&logits, f64::NAN);
    let (losses, gradient) = padded.ctc_loss_and_gradient(Some(&mask), &targets, 0);
    for (sample, target) in targets.iter().enumerate() {
        let there: Vec<usize> = (0..5).filter(|&frame| mask.get([sample, frame])).collect();
        let sample = sample as isize;
        let (loss, slope) = by_definition(&logits.select(0, sample).take_rows(&there), target, 0);
        close(&losses.select(0, sample), &Tensor::scalar(loss), 1e-12, "loss");
        close(&gradient.select(0, sample).take_rows(&there), &slope, 1e-12, "gradient");
        let elsewhere: Vec<usize> = (0..5).filter(|frame| !there.contains(frame)).collect();
        assert!(gradient.select(0, sample).take_rows(&elsewhere).iter().all(|g| g == 0.0));
    }
}

#[test]
fn impossible_strings_are_infinite_and_have_no_gradient() {
    let infinite = f64::NEG_INFINITY;
    let logits = Tensor::from([
        [[0.0, 1.0, 2.0], [0.5, 0.5, 0.5]],
        // The label 1 cannot be anywhere.
        [[0.0, infinite, 2.0], [0.5, infinite, 0.5]],
        // Nothing can be at the second frame.
        [[0.0, 1.0, 2.0], [infinite, infinite, infinite]],
        // A class that the string does not need.
        [[0.0, 1.0, infinite], [0.5, 0.5, infinite]],
    ]);
    let (losses, gradient) = logits.ctc_loss_and_gradient(None, &[vec![1, 1], vec![1], vec![], vec![1]], 0);
    assert_eq!(losses.to_vec()[..3], [f64::INFINITY; 3]);
    assert!(gradient.slice(0, ..3).iter().all(|g| g == 0.0));
    let (loss, slope) = by_definition(&logits.select(0, 3), &[1], 0);
    close(&losses.select(0, 3), &Tensor::scalar(loss), 1e-12, "loss");
    close(&gradient.select(0, 3), &slope, 1e-12, "gradient");
    assert_eq!(gradient.get([3, 0, 2]), 0.0);
}

#[test]
fn a_nan_is_seen_in_its_sample_alone() {
    for (sample, value) in [(0, f32::NAN), (1, f32::INFINITY)] {
        let mut logits = Tensor::<f32>::zeros([3, 4, 3]);
        logits.as_mut_slice()[sample * 12 + 5] = value;
        let (losses, gradient) = logits.ctc_loss_and_gradient(None, &[vec![1], vec![1, 2], vec![2]], 0);
        for other in 0..3 {
            assert_eq!(losses.get([other]).is_nan(), other == sample);
            assert_eq!(gradient.select(0, other as isize).iter().any(f32::is_nan), other == sample);
        }
    }
}

#[test]
fn long_and_sure_sequences_stay_exact() {
    // By hand: the blank at every frame with probability p of 1 / (1 + 2 e^-x), and the label at one of n frames.
    let (frames, x) = (3000, 20.0_f64);
    let logits = Tensor::from([x, 0.0, 0.0]).broadcast_to([2, frames, 3]).contiguous();
    let ln_p = -(2.0 * (-x).exp()).ln_1p();
    let one_label = frames as f64 * ln_p - x + (frames as f64).ln();
    // Alignments with the label at two frames or more that follow each other are e^-x as likely.
    let expected = Tensor::from([-(frames as f64) * ln_p, -one_label]);
    let losses = logits.ctc_loss(None, &[vec![], vec![1]], 0);
    close(&losses, &expected, 1e-7, "f64");
    close(&logits.to::<f32>().ctc_loss(None, &[vec![], vec![1]], 0), &expected, 1e-4, "f32");
    // Each label of 300 costs a logit of 200, and nothing else is possible: e^-60000 is far below every float.
    let labels: Vec<usize> = (0..300).map(|i| 1 + i % 2).collect();
    let sure = Tensor::new([200.0, 0.0, 0.0]).broadcast_to([1, 300, 3]).contiguous();
    let (loss, gradient) = sure.ctc_loss_and_gradient(None, &[labels], 0);
    assert_eq!(loss.item(), 60_000.0);
    let frame = gradient.select(0, 0).select(0, 0).to_vec();
    assert!((frame[0] - 1.0).abs() < 1e-6 && (frame[1] + 1.0).abs() < 1e-4 && frame[2].abs() < 1e-6, "{frame:?}");
}

#[test]
fn the_gradient_of_f32_is_that_of_f64() {
    let (samples, frames, classes) = (3, 150, 20);
    let logits = Generator::new(3).normal([samples, frames, classes], 0.0, 3.0);
    let targets: Vec<Vec<usize>> =
        (0..samples).map(|n| (0..40).map(|i| 1 + (i * 7 + n) * 5 / 3 % 19).collect()).collect();
    let (losses, gradient) = logits.ctc_loss_and_gradient(None, &targets, 0);
    let (losses64, gradient64) = logits.to::<f64>().ctc_loss_and_gradient(None, &targets, 0);
    close(&losses, &losses64, 1e-6, "loss");
    close(&gradient, &gradient64, 2e-5, "gradient");
}

#[test]
fn views_are_read_as_they_are() {
    let logits: Tensor = Generator::new(4).uniform([2, 4, 3], -2.0..2.0);
    let mask = Tensor::from([[true, true, true, true], [true, true, true, false]]);
    let targets = [[1, 2], [2, 1]];
    let expected = logits.ctc_loss_and_gradient(Some(&mask), &targets, 0);
    for way in 0..WAYS {
        let mask = mask.t().contiguous().t();
        assert_eq!(lying(&logits, way).ctc_loss_and_gradient(Some(&mask), &targets, 0), expected, "{way}");
    }
}

#[test]
fn nothing_has_no_loss() {
    let none: [[usize; 0]; 0] = [];
    let (losses, gradient) = Tensor::<f32>::zeros([0, 4, 3]).ctc_loss_and_gradient(None, &none, 0);
    assert_eq!((losses.shape(), gradient.shape()), (&Shape::from([0]), &Shape::from([0, 4, 3])));
}

#[cfg(feature = "parallel")]
#[test]
fn threads_change_nothing() {
    let logits = Generator::new(5).normal([7, 60, 11], 0.0, 2.0);
    let targets: Vec<Vec<usize>> = (0..7).map(|n| (0..3 * n).map(|i| 1 + i * i % 10).collect()).collect();
    crate::ops::testing::assert_same_on_threads(|| {
        let (losses, gradient) = logits.ctc_loss_and_gradient(None, &targets, 0);
        vec![losses, gradient]
    });
}

#[test]
fn the_best_alignment_is_the_most_probable() {
    for (frames, classes, blank) in [(4, 3, 0), (5, 2, 1), (3, 4, 2), (0, 2, 0)] {
        let targets = strings(classes, blank, frames + 1);
        let logits: Tensor<f64> = Generator::new(6).uniform([targets.len(), frames, classes], -3.0..3.0).to();
        let paths = logits.ctc_align(None, &targets, blank);
        for ((target, path), sample) in targets.iter().zip(paths).zip(0..) {
            let all = alignments(&logits.select(0, sample)).into_iter();
            let best = all.filter(|(path, _)| spelled(path, blank) == *target).max_by(|a, b| a.1.total_cmp(&b.1));
            assert_eq!(path, best.map(|(path, _)| path), "{target:?}");
        }
    }
    let impossible = Tensor::new([[[0.0, f32::NEG_INFINITY]; 3]]);
    assert_eq!(impossible.ctc_align(None, &[[1]], 0), [None]);
    let mask = Tensor::from([[false, true, true]]);
    assert_eq!(
        Tensor::new([[[0.0, 9.0], [0.0, 5.0], [1.0, 0.0]]]).ctc_align(Some(&mask), &[[1]], 0),
        [Some(vec![1, 0])]
    );
}

#[test]
#[should_panic(expected = "ctc_loss: label 1 of string 0 is the blank: 0 of 3 classes with the blank 0")]
fn the_blank_is_no_label() {
    Tensor::<f32>::zeros([1, 4, 3]).ctc_loss(None, &[[1, 0]], 0);
}

#[test]
#[should_panic(expected = "ctc_loss: label 0 of string 1 is no class: 3 of 3 classes with the blank 0")]
fn labels_are_classes() {
    Tensor::<f32>::zeros([2, 4, 3]).ctc_loss(None, &[[1], [3]], 0);
}

#[test]
#[should_panic(expected = "ctc_loss: 1 strings for 2 samples: [2, 4, 3]")]
fn each_sample_has_a_string() {
    Tensor::<f32>::zeros([2, 4, 3]).ctc_loss(None, &[[1]], 0);
}

#[test]
#[should_panic(expected = "ctc_align: the mask must have the shape [2, 4], found [2, 3]")]
fn the_mask_fits_the_frames() {
    Tensor::<f32>::zeros([2, 4, 3]).ctc_align(Some(&Tensor::full([2, 3], true)), &[[1], [1]], 0);
}
