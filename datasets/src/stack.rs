//! Samples one by one, put together into a batch.

use gradus_tensor::{AnyTensor, Columns, Element, Tensor};

use crate::batch::Batch;
use crate::columns::Role;
use crate::error::{DatasetError, Place, Result};
use crate::source::check_memory;
use crate::text::PadSequences;

/// The input and the target of one sample, without the axis that counts samples.
pub(crate) struct Sample {
    pub inputs: Columns,
    pub targets: Columns,
}

/// How the first axes of inputs and of targets are brought to one length; without padding they have it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Stacking {
    pub inputs: Option<PadSequences>,
    pub targets: Option<PadSequences>,
}

impl Stacking {
    /// Whether a sample has the same form in each batch: no length is that of the longest one.
    pub fn is_fixed(&self) -> bool {
        [&self.inputs, &self.targets].into_iter().flatten().all(PadSequences::is_fixed)
    }

    /// Some rows of the batch of these samples; `index` says which samples of the data are in the batch.
    ///
    /// # Errors
    /// If a sample has other columns than the first, or one of another element type or shape.
    pub fn stacked(
        &self,
        samples: &[Sample],
        rows: &[usize],
        index: impl Fn(usize) -> usize,
    ) -> Result<Batch<Columns>> {
        let column = |role: Role, of: fn(&Sample) -> &Columns, padding: &Option<PadSequences>| -> Result<Columns> {
            let columns: Vec<&Columns> = samples.iter().map(of).collect();
            role.stacked(&columns, rows, &index, padding.as_ref())
        };
        let inputs = column(Role::Inputs, |sample| &sample.inputs, &self.inputs)?;
        let targets = column(Role::Targets, |sample| &sample.targets, &self.targets)?;
        Ok(Batch { inputs, targets, weights: None })
    }
}

impl Role {
    fn stacked(
        self,
        samples: &[&Columns],
        rows: &[usize],
        index: impl Fn(usize) -> usize,
        padding: Option<&PadSequences>,
    ) -> Result<Columns> {
        let first = samples[0];
        // Of sequences the first axis may differ.
        let fixed = usize::from(padding.is_some());
        for (row, sample) in samples.iter().enumerate() {
            let like = |(a, b): (&AnyTensor, &AnyTensor)| {
                let (a_shape, b_shape) = (a.shape(), b.shape());
                let ends = |shape: &[usize]| shape.iter().skip(fixed).copied().collect::<Vec<_>>();
                a.element() == b.element() && a_shape.len() == b_shape.len() && ends(a_shape) == ends(b_shape)
            };
            if sample.len() != first.len()
                || !sample.names().eq(first.names())
                || !sample.iter().zip(first.iter()).all(like)
            {
                let (found, expected) = (self.described(sample), self.described(first));
                let hint = "bring all samples to one form, as by padding or resizing them";
                let error = DatasetError::new(found, format!("{expected}, as of sample {}", index(0)), hint);
                return Err(error.at(Place::Sample(index(row))));
            }
        }
        (0..first.len()).try_fold(first.clone(), |columns, place| {
            let tensors = rows.iter().map(|&row| &samples[row][place]);
            let stacked = match padding.filter(|_| !first[place].shape().is_empty()) {
                None => stack(tensors),
                Some(padding) => {
                    // The whole batch says how long its rows are.
                    let length = padding.length(samples.iter().map(|sample| sample[place].shape()[0]));
                    stack(padded(padding, tensors, length)?.iter())
                }
            };
            Ok(columns.map_at(place, |_| stacked))
        })
    }

    /// The columns of a sample as messages list them: `inputs of type f32 and shape [2]`.
    fn described(self, sample: &Columns) -> String {
        let one = |(place, tensor): (usize, &AnyTensor)| {
            format!("{} of type {} and shape {}", self.describe(sample, place), tensor.element(), tensor.shape())
        };
        let list: Vec<String> = sample.iter().enumerate().map(one).collect();
        if list.is_empty() { "no column".to_owned() } else { list.join(", ") }
    }
}

/// Sequences of one element type, brought to this length.
fn padded<'a>(
    padding: &PadSequences,
    sequences: impl Iterator<Item = &'a AnyTensor> + Clone,
    length: usize,
) -> Result<Vec<AnyTensor>> {
    if let Some(first) = sequences.clone().next() {
        padding.check(first.element())?;
        let steps = sequences.clone().count().checked_mul(length);
        let numbers = steps.and_then(|steps| steps.checked_mul(first.shape()[1..].iter().product()));
        check_memory(numbers.and_then(|numbers| numbers.checked_mul(size_of::<f64>())))?;
    }
    Ok(sequences.map(|sequence| padding.resized(sequence, length)).collect())
}

/// Tensors of one element type and shape, along a new first axis.
fn stack<'a>(tensors: impl Iterator<Item = &'a AnyTensor> + Clone) -> AnyTensor {
    fn stack_as<'a, T: Element>(tensors: impl Iterator<Item = &'a AnyTensor>) -> AnyTensor {
        let tensors: Vec<Tensor<T>> = tensors.map(AnyTensor::to).collect();
        Tensor::stack(&tensors, 0).into()
    }
    let element = tensors.clone().next().map(AnyTensor::element);
    macro_rules! stack_any {
        ($($type:ident),*) => {
            match element {
                $(Some(stringify!($type)) => stack_as::<$type>(tensors),)*
                _ => unreachable!("there are samples of one of the element types"),
            }
        };
    }
    stack_any!(f32, f64, i8, i16, i32, i64, u8, bool)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stacked(samples: &[Sample], index: impl Fn(usize) -> usize) -> Result<Batch<Columns>> {
        Stacking::default().stacked(samples, &all(samples), index)
    }

    fn all(samples: &[Sample]) -> Vec<usize> {
        (0..samples.len()).collect()
    }

    fn sample(inputs: impl Into<Columns>) -> Sample {
        Sample { inputs: inputs.into(), targets: Tensor::scalar(1_u8).into() }
    }

    #[test]
    fn columns_of_every_type_are_stacked_under_their_names() {
        let one = |i: i8| {
            sample(Columns::new().with("a", Tensor::from([i, 2]).to::<i16>()).and(Tensor::from([i]).to::<bool>()))
        };
        let batch = stacked(&[one(0), one(1), one(3)], |row| row).unwrap();
        let expected = Columns::new().with("a", Tensor::from([[0_i16, 2], [1, 2], [3, 2]])).and(Tensor::from([
            [false],
            [true],
            [true],
        ]));
        assert_eq!(batch.inputs, expected);
        assert_eq!(batch.targets[0].get::<u8>(), Some(&Tensor::from([1_u8, 1, 1])));
    }

    #[test]
    fn a_sample_of_another_form_is_named() {
        let error =
            |other: Sample| stacked(&[sample(Tensor::new([1.0])), other], |row| 7 + row).unwrap_err().to_string();
        let hint = "bring all samples to one form, as by padding or resizing them";
        assert_eq!(
            error(sample(Tensor::new([1.0, 2.0]))),
            format!(
                "sample 8: found inputs of type f32 and shape [2], expected inputs of type f32 and shape [1], as of sample \
                 7; {hint}"
            )
        );
        assert!(error(sample(Tensor::from([1_u8]))).contains("found inputs of type u8 and shape [1], expected"));
        assert!(error(sample(Columns::new().with("a", Tensor::new([1.0])))).contains("found input \"a\" of type f32"));
        assert!(error(sample(Columns::new())).contains("found no column, expected"));
    }

    #[test]
    fn sequences_are_padded_to_the_longest() {
        let padding = Some(PadSequences::post());
        let stacking = Stacking { inputs: padding, targets: Some(PadSequences::default().value(-1.0)) };
        let sample = |inputs: Columns, targets: Tensor<i8>| Sample { inputs, targets: targets.into() };
        let frames = |steps: usize| Tensor::<f32>::ones([2, steps]).t();
        let inputs = |ids: &[i64], steps| Columns::new().with("ids", Tensor::from(ids)).with("frames", frames(steps));
        let samples =
            [sample(inputs(&[4, 5], 1), Tensor::from([7_i8])), sample(inputs(&[6], 2), Tensor::from([8_i8, 9]))];
        let batch = stacking.stacked(&samples, &[0, 1], |row| row).unwrap();
        assert_eq!(batch.inputs[0].get::<i64>(), Some(&Tensor::from([[4_i64, 5], [6, 0]])));
        assert_eq!(batch.inputs[1].to::<f32>(), Tensor::new([[[1.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]]]));
        assert_eq!(batch.targets[0].get::<i8>(), Some(&Tensor::from([[-1_i8, 7], [8, 9]])));
        // A part of the rows is as long as all are.
        let last = stacking.stacked(&samples, &[1], |row| row).unwrap();
        assert_eq!(last.inputs[0].get::<i64>(), Some(&Tensor::from([[6_i64, 0]])));
        let first = stacking.stacked(&samples, &[0], |row| row).unwrap();
        assert_eq!(first.targets[0].get::<i8>(), Some(&Tensor::from([[-1_i8, 7]])));
        // All else must be alike, and scalars have no length.
        let other = sample(inputs(&[6], 2).map_at(1, |_| Tensor::<f32>::ones([2, 3])), Tensor::from([8_i8]));
        let [first, _] = samples;
        let error = stacking.stacked(&[first, other], &[0, 1], |row| row).unwrap_err().to_string();
        assert!(error.contains("input \"frames\" of type f32 and shape [2, 3]"), "{error}");
        let scalars =
            [5, 6].map(|id| Sample { inputs: Tensor::scalar(id).into(), targets: Tensor::scalar(1_u8).into() });
        assert_eq!(stacking.stacked(&scalars, &[0, 1], |row| row).unwrap().inputs[0].shape(), &[2]);
        let bytes = Stacking { inputs: Some(PadSequences::default().value(-1.0)), targets: None };
        let byte = Sample { inputs: Tensor::from([1_u8]).into(), targets: Tensor::scalar(1_u8).into() };
        let bytes = bytes.stacked(&[byte], &[0], |row| row);
        assert_eq!(bytes.unwrap_err().expected(), "a whole number from 0 to 255, which u8 has");
        let long = Stacking { inputs: Some(PadSequences::post().maxlen(usize::MAX / 16)), targets: None };
        assert!(long.stacked(&scalars_of(1), &[0], |row| row).is_err());
    }

    fn scalars_of(length: usize) -> [Sample; 1] {
        [Sample { inputs: Tensor::<f32>::ones([length]).into(), targets: Tensor::scalar(1_u8).into() }]
    }
}
