//! CTC against PyTorch's losses and gradients and Keras's decoding (`reference/ctc.py` writes them and names the versions).

use gradus_tensor::Tensor;

const SAMPLES: usize = 5;
const FRAMES: usize = 9;
const CLASSES: usize = 4;

/// A section of the reference: the blank, and its lines by name.
struct Case {
    blank: usize,
    lines: Vec<(String, Vec<f64>)>,
}

impl Case {
    fn all(&self, name: &str) -> Vec<&[f64]> {
        self.lines.iter().filter(|line| line.0 == name).map(|line| &line.1[..]).collect()
    }

    fn one(&self, name: &str) -> Vec<f64> {
        self.all(name)[0].to_vec()
    }

    fn strings(&self, name: &str) -> Vec<Vec<usize>> {
        self.all(name).into_iter().map(|string| string.iter().map(|&label| label as usize).collect()).collect()
    }

    fn logits(&self) -> Tensor<f64> {
        Tensor::from_vec(self.one("logits"), [SAMPLES, FRAMES, CLASSES]).unwrap()
    }

    fn mask(&self) -> Tensor<bool> {
        let frames: Tensor<f64> = Tensor::from((0..FRAMES).map(|frame| frame as f64).collect::<Vec<_>>());
        frames.unsqueeze(0).less(Tensor::from(self.one("lengths")).unsqueeze(1))
    }
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in include_str!("../reference/ctc.txt").lines() {
        if let Some(blank) = line.strip_prefix("## blank ") {
            cases.push(Case { blank: blank.parse().unwrap(), lines: Vec::new() });
        } else if let Some((name, numbers)) = line.split_once(':').filter(|_| !line.starts_with('#')) {
            let numbers = numbers.split_whitespace().map(|number| number.parse().unwrap()).collect();
            cases.last_mut().unwrap().lines.push((name.to_owned(), numbers));
        }
    }
    assert_eq!(cases.len(), 2);
    cases
}

fn close(found: impl Iterator<Item = f64>, expected: &[f64], tolerance: f64, what: &str) {
    let found: Vec<f64> = found.collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        let near = (found - expected).abs() <= tolerance * (1.0 + expected.abs());
        assert!(near || found == expected, "{what}, {place}: {found} for {expected}");
    }
}

#[test]
fn losses_and_gradients_are_those_of_pytorch() {
    for case in cases() {
        let targets = case.strings("target");
        let (losses, gradient) = case.logits().ctc_loss_and_gradient(Some(&case.mask()), &targets, case.blank);
        close(losses.iter(), &case.one("losses"), 1e-12, "losses");
        // PyTorch's gradient of an infinite loss is NaN, ours 0.
        let gradient32 = case.logits().to::<f32>().ctc_loss_and_gradient(Some(&case.mask()), &targets, case.blank).1;
        for sample in 0..SAMPLES {
            let part = |gradient: Tensor<f64>| gradient.select(0, sample as isize);
            let (found, found32) = (part(gradient.clone()), part(gradient32.to()));
            let size = FRAMES * CLASSES;
            let expected = &case.one("gradient")[sample * size..][..size];
            if case.one("losses")[sample] == f64::INFINITY {
                assert!(found.iter().all(|g| g == 0.0));
            } else {
                close(found.iter(), expected, 1e-12, "gradient");
                close(found32.iter(), expected, 1e-5, "gradient in f32");
            }
        }
    }
}

#[test]
fn strings_are_those_of_keras() {
    for case in cases() {
        let (logits, mask) = (case.logits().to::<f32>(), case.mask());
        let greedy = logits.ctc_greedy_decode(Some(&mask), case.blank);
        assert_eq!(greedy.into_iter().map(|string| string.labels).collect::<Vec<_>>(), case.strings("greedy"));
        let best = logits.ctc_beam_search_decode(Some(&mask), case.blank, 500, 3).concat();
        close(best.iter().map(|string| string.log_probability), &case.one("beam scores"), 1e-5, "scores");
        assert_eq!(best.into_iter().map(|string| string.labels).collect::<Vec<_>>(), case.strings("beam"));
    }
}

#[test]
fn the_largest_logits_have_finite_losses_and_gradients() {
    for large in [1e4, 1e10, 1e30, 1e37] {
        // Each of three frames is sure of the blank. By hand: a label costs `large` once, a second one twice as much.
        let sure = Tensor::from([large, 0.0, -large]).broadcast_to([2, 3, 3]).contiguous();
        let check = |losses: Tensor<f64>, gradient: Tensor<f64>, what: &str| {
            close(losses.iter(), &[large, 3.0 * large], 1e-3, what);
            // (Beyond some 1e7 alignments are all alike to an f32, so that shares may add up to more than 1.)
            assert!(gradient.iter().all(|g| g.abs() <= 4.0), "{what} of {large}: {gradient:?}");
        };
        let strings = [vec![1], vec![2, 1]];
        let (losses, gradient) = sure.to::<f32>().ctc_loss_and_gradient(None, &strings, 0);
        check(losses.to(), gradient.to(), "f32");
        let (losses, gradient) = sure.ctc_loss_and_gradient(None, &strings, 0);
        if large < 1e5 {
            close(gradient.select(0, 0).sum(0).iter(), &[1.0, -1.0, 0.0], 1e-9, "gradient");
        }
        check(losses, gradient, "f64");
    }
}
