//! SpecAugment: frames and bands of spectra set to 0.

use gradus_tensor::{Generator, Shape, Tensor};

use super::pictures::generator;
use crate::error::{DatasetError, Result};

/// The most masks of a kind, so that plain data from outside cannot ask for endless work.
const MOST: usize = 1000;

/// Checks that the shape is one of spectra.
pub(super) fn check(shape: &Shape, masks: [[usize; 2]; 2]) -> Result<()> {
    if !matches!(shape[..], [_, _, _]) {
        let found = format!("masks of frames or features of inputs of shape {shape}");
        return Err(DatasetError::new(
            found,
            "spectra, [n, frames, features]",
            "give each sample its axes of time and features",
        ));
    }
    match masks.iter().find(|[count, _]| *count > MOST) {
        Some([count, _]) => Err(DatasetError::new(format!("{count} masks"), format!("{MOST} at most"), "choose fewer")),
        None => Ok(()),
    }
}

/// The spectra, with masks along time and features by the generator of each row.
pub(super) fn changed(
    spectra: &Tensor<f32>,
    [along_time, along_features]: [[usize; 2]; 2],
    seed: u64,
    row: impl Fn(usize) -> usize,
) -> Tensor<f32> {
    let mut out = spectra.clone();
    let &[_, frames, features] = &spectra.shape()[..] else { unreachable!("the shape was checked") };
    if out.is_empty() {
        return out;
    }
    for (index, sample) in out.as_mut_slice().chunks_exact_mut(frames * features).enumerate() {
        let mut generator = generator(seed, row(index) as u64);
        for _ in 0..along_time[0] {
            let (start, width) = place(frames, along_time[1], &mut generator);
            sample[start * features..][..width * features].fill(0.0);
        }
        for _ in 0..along_features[0] {
            let (start, width) = place(features, along_features[1], &mut generator);
            sample.chunks_exact_mut(features).for_each(|frame| frame[start..][..width].fill(0.0));
        }
    }
    out
}

/// Where a mask begins along an axis of this length, and its width.
fn place(length: usize, most: usize, generator: &mut Generator) -> (usize, usize) {
    let width = generator.next_below(most.min(length) as u64 + 1) as usize;
    (generator.next_below((length - width) as u64 + 1) as usize, width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Augment, Dataset};

    fn data(shape: [usize; 3]) -> Dataset<f32, f32> {
        Dataset::new(Tensor::ones(shape), Tensor::zeros([shape[0]])).unwrap()
    }

    #[test]
    fn masks_are_stripes_of_every_width_whatever_the_batches() {
        let augment = Augment::new().time_masks(1, 3).frequency_masks(1, 2);
        let data = data([300, 10, 4]).augment(augment).unwrap();
        let samples = |size: usize, seed: u64| {
            let batches = data.batches(size).augmented(seed).unwrap().map(|batch| batch.inputs).collect::<Vec<_>>();
            Tensor::concat(&batches, 0)
        };
        let first = samples(300, 1);
        let mut seen = [[0; 4]; 2];
        for sample in 0..300 {
            let sample = first.select(0, sample);
            let gone = |axis: isize| sample.max(axis).equal(0.0).to_vec();
            // A frame that is gone is 0 in all features.
            for (kind, gone) in [gone(1), gone(0)].into_iter().enumerate() {
                let width = gone.iter().filter(|&&gone| gone).count();
                let first = gone.iter().position(|&gone| gone).unwrap_or(0);
                assert!(gone[first..][..width].iter().all(|&gone| gone));
                seen[kind][width] += 1;
            }
            let [frames, features] = [gone(1), gone(0)].map(|gone| gone.iter().filter(|&&gone| gone).count());
            let left = sample.sum(..).item();
            assert_eq!(left, ((10 - frames) * (4 - features)) as f32);
        }
        // Widths are drawn evenly: five standard deviations of 300 draws.
        assert!(seen[0].iter().all(|count| (38..=113).contains(count)), "{seen:?}");
        assert!(seen[1][..3].iter().all(|count| (59..=141).contains(count)) && seen[1][3] == 0, "{seen:?}");
        assert_eq!(samples(7, 1), first);
        assert_ne!(samples(300, 2), first);
    }

    #[test]
    fn wide_masks_and_empty_spectra_are_no_trouble() {
        let all = Augment::new().time_masks(3, usize::MAX).frequency_masks(2, 9);
        assert_eq!(all.apply(&Tensor::ones([2, 5, 0]), 1).unwrap().shape(), &[2, 5, 0]);
        assert_eq!(all.apply(&Tensor::ones([2, 1, 1]), 1).unwrap().shape(), &[2, 1, 1]);
        let untouched = Augment::new().time_masks(3, 0).apply(&Tensor::ones([1, 3, 2]), 1).unwrap();
        assert_eq!(untouched, Tensor::ones([1, 3, 2]));
        let view = Tensor::ones([2, 4, 6]).swap_axes(1, 2);
        assert_eq!(all.apply(&view, 3).unwrap(), all.apply(&view.contiguous(), 3).unwrap());
    }

    #[test]
    fn what_is_no_spectrum_is_refused() {
        let error = |augment: Augment| data([2, 8, 4]).augment(augment).unwrap_err().to_string();
        assert!(error(Augment::new().time_masks(1, 2).noise(0.1)).contains("with changes of pictures"));
        assert!(error(Augment::new().time_masks(1001, 2)).contains("found 1001 masks, expected 1000 at most"));
        let flat = Dataset::new(Tensor::<f32>::ones([2, 8]), Tensor::<f32>::ones([2])).unwrap();
        let error = flat.augment(Augment::new().frequency_masks(1, 2)).unwrap_err().to_string();
        assert_eq!(
            error,
            "found masks of frames or features of inputs of shape [2, 8], expected spectra, [n, frames, features]; give each sample \
             its axes of time and features"
        );
        let masks = Augment::new().frequency_masks(1, 2);
        assert_eq!(serde_json::from_str::<Augment>(&serde_json::to_string(&masks).unwrap()).unwrap(), masks);
    }
}
