//! Samples one by one, put together into a batch.

use gradus_tensor::{AnyTensor, Columns, Element, Tensor};

use crate::batch::Batch;
use crate::columns::Role;
use crate::error::{DatasetError, Place, Result};

/// The input and the target of one sample, without the axis that counts samples.
pub(crate) struct Sample {
    pub inputs: Columns,
    pub targets: Columns,
}

/// The samples as one batch; `index` says which samples of the data they are.
///
/// # Errors
/// If a sample has other columns than the first, or one of another element type or shape.
pub(crate) fn stacked(samples: &[Sample], index: impl Fn(usize) -> usize) -> Result<Batch<Columns>> {
    let column = |role: Role, of: fn(&Sample) -> &Columns| -> Result<Columns> {
        let columns: Vec<&Columns> = samples.iter().map(of).collect();
        role.stacked(&columns, &index)
    };
    let inputs = column(Role::Inputs, |sample| &sample.inputs)?;
    let targets = column(Role::Targets, |sample| &sample.targets)?;
    Ok(Batch { inputs, targets, weights: None })
}

impl Role {
    fn stacked(self, samples: &[&Columns], index: impl Fn(usize) -> usize) -> Result<Columns> {
        let first = samples[0];
        for (row, sample) in samples.iter().enumerate() {
            let like = |(a, b): (&AnyTensor, &AnyTensor)| a.element() == b.element() && a.shape() == b.shape();
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
        let stacked =
            |columns: Columns, place| columns.map_at(place, |_| stack(samples.iter().map(|sample| &sample[place])));
        Ok((0..first.len()).fold(first.clone(), stacked))
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
}
