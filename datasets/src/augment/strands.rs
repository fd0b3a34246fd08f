//! DNA from either strand.

use gradus_tensor::{Shape, Tensor};

use super::pictures::generator;
use crate::biology::reverse_complement_one_hot;
use crate::error::{DatasetError, Result};

/// Checks that the shape is one of one-hot DNA.
pub(super) fn check(shape: &Shape) -> Result<()> {
    if matches!(shape[..], [_, _, 4]) {
        return Ok(());
    }
    let hint = "encode the sequences by `OneHot::dna`";
    let found = format!("reverse_complement of inputs of shape {shape}");
    Err(DatasetError::new(found, "one-hot DNA, [n, length, 4]", hint))
}

/// The sequences, half of them as their other strands, by the generator of each row.
pub(super) fn changed(sequences: &Tensor<f32>, seed: u64, row: impl Fn(usize) -> usize) -> Tensor<f32> {
    let strands = reverse_complement_one_hot(sequences);
    let is_other = |index: usize| generator(seed, row(index) as u64).next_f64() < 0.5;
    let samples: Vec<Tensor<f32>> = (0..sequences.shape()[0])
        .map(|index| if is_other(index) { &strands } else { sequences }.select(0, index as isize))
        .collect();
    if samples.is_empty() { sequences.clone() } else { Tensor::stack(&samples, 0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Augment, Dataset, biology::OneHot};

    #[test]
    fn about_half_come_from_the_other_strand_whatever_the_batches() {
        let (strand, other) = ("AACAGATA", "TATCTGTT");
        let dna = OneHot::dna();
        let [strand, other] = [strand, other].map(|letters| dna.encode(letters).unwrap());
        let inputs = Tensor::stack(&vec![strand.clone(); 400], 0);
        let data = Dataset::new(inputs, Tensor::<f32>::zeros([400])).unwrap();
        let data = data.augment(Augment::new().reverse_complement()).unwrap();
        let samples = |size: usize, seed: u64| {
            let batches = data.batches(size).augmented(seed).unwrap();
            let is_other = |batch: &Tensor, row| match batch.select(0, row) {
                sample if sample == other => true,
                sample => {
                    assert_eq!(sample, strand);
                    false
                }
            };
            batches
                .flat_map(|batch| (0..batch.len()).map(|row| is_other(&batch.inputs, row as isize)).collect::<Vec<_>>())
                .collect::<Vec<bool>>()
        };
        let first = samples(400, 1);
        // Five standard errors around 200.
        assert!((150..=250).contains(&first.iter().filter(|&&is_other| is_other).count()));
        assert_eq!(samples(7, 1), first);
        assert_ne!(samples(400, 2), first);
    }

    #[test]
    fn what_is_no_dna_is_refused() {
        let error = |augment: Augment, shape: &[usize]| {
            let data = Dataset::new(Tensor::<f32>::ones(shape.to_vec()), Tensor::<f32>::ones([shape[0]])).unwrap();
            data.augment(augment).unwrap_err().to_string()
        };
        assert_eq!(
            error(Augment::new().reverse_complement(), &[2, 8, 20]),
            "found reverse_complement of inputs of shape [2, 8, 20], expected one-hot DNA, [n, length, 4]; encode the sequences by \
             `OneHot::dna`"
        );
        assert!(error(Augment::new().reverse_complement().noise(0.1), &[2, 8, 4]).contains("changes of pictures"));
        let written = serde_json::to_string(&Augment::new().reverse_complement()).unwrap();
        assert_eq!(serde_json::from_str::<Augment>(&written).unwrap(), Augment::new().reverse_complement());
    }
}
