//! Sequences brought to one length.

use gradus_tensor::{AnyTensor, Element, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::{DatasetError, Result};
use crate::source::check_memory;

/// How sequences are brought to one length: the options of Keras's `pad_sequences`, with its defaults.
///
/// The same value pads the batches of [`IndexedDataset::from_sequences`](crate::IndexedDataset::from_sequences).
///
/// ```
/// use gradus_datasets::{PadSequences, Side};
/// use gradus_tensor::Tensor;
/// let sequences = [vec![1_i64], vec![2, 3], vec![4, 5, 6]];
/// assert_eq!(PadSequences::default().pad(&sequences)?, Tensor::from([[0_i64, 0, 1], [0, 2, 3], [4, 5, 6]]));
/// let short = PadSequences::post().maxlen(2).value(-1.0);
/// assert_eq!(short.pad(&sequences)?, Tensor::from([[1_i64, -1], [2, 3], [5, 6]]));
/// assert_eq!(short.truncating(Side::Post).pad(&sequences)?, Tensor::from([[1_i64, -1], [2, 3], [4, 5]]));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PadSequences {
    maxlen: Option<usize>,
    padding: Side,
    truncating: Side,
    value: f64,
}

/// The side of a sequence.
///
/// ```
/// use gradus_datasets::{PadSequences, Side};
/// use gradus_tensor::Tensor;
/// let post = PadSequences::default().padding(Side::Post);
/// assert_eq!(post.pad(&[vec![1_i64], vec![2, 3]])?, Tensor::from([[1_i64, 0], [2, 3]]));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Before the first element.
    #[default]
    Pre,
    /// Behind the last element.
    Post,
}

/// The sequences `[sequences, length]`, padded with zeros before their first elements to the longest of them: Keras's
/// `pad_sequences` with its defaults. [`PadSequences`] has the options.
///
/// ```
/// use gradus_datasets::pad_sequences;
/// use gradus_tensor::Tensor;
/// assert_eq!(pad_sequences(&[vec![7_i64], vec![2, 3, 5]])?, Tensor::from([[0_i64, 0, 7], [2, 3, 5]]));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If there is no memory for the result.
pub fn pad_sequences<T: Element>(sequences: &[impl AsRef<[T]>]) -> Result<Tensor<T>> {
    PadSequences::default().pad(sequences)
}

impl PadSequences {
    /// Zeros behind the last element, as masks and recurrent layers want them.
    pub fn post() -> Self {
        PadSequences { padding: Side::Post, ..PadSequences::default() }
    }

    /// The length of all sequences, unless that of the longest one.
    pub fn maxlen(self, length: usize) -> Self {
        PadSequences { maxlen: Some(length), ..self }
    }

    /// The side on which shorter sequences are padded.
    pub fn padding(self, side: Side) -> Self {
        PadSequences { padding: side, ..self }
    }

    /// The side on which longer sequences are cut off.
    pub fn truncating(self, side: Side) -> Self {
        PadSequences { truncating: side, ..self }
    }

    /// The value of padding, 0 by default.
    pub fn value(self, value: f64) -> Self {
        PadSequences { value, ..self }
    }

    /// The sequences, `[sequences, length]`.
    ///
    /// # Errors
    /// If the value is none of the element type, or there is no memory for the result.
    pub fn pad<T: Element>(&self, sequences: &[impl AsRef<[T]>]) -> Result<Tensor<T>> {
        self.check(std::any::type_name::<T>())?;
        let length = self.length(sequences.iter().map(|sequence| sequence.as_ref().len()));
        check_memory(sequences.len().checked_mul(length).and_then(|size| size.checked_mul(size_of::<T>())))?;
        let mut rows = vec![self.value_as::<T>(); sequences.len() * length];
        // `chunks_exact_mut` takes no chunks of length 0, for which there is nothing to do.
        for (row, sequence) in rows.chunks_exact_mut(length.max(1)).zip(sequences) {
            self.write(sequence.as_ref(), 1, row);
        }
        Ok(Tensor::from(rows).reshape([sequences.len(), length]))
    }

    /// Whether the length does not depend on the sequences.
    pub(crate) fn is_fixed(&self) -> bool {
        self.maxlen.is_some()
    }

    /// The length to which sequences of these lengths are brought.
    pub(crate) fn length(&self, lengths: impl Iterator<Item = usize>) -> usize {
        self.maxlen.unwrap_or_else(|| lengths.max().unwrap_or(0))
    }

    /// A tensor whose first axis is brought to this length.
    pub(crate) fn resized(&self, sequence: &AnyTensor, length: usize) -> AnyTensor {
        macro_rules! resize_any {
            ($($Kind:ident),*) => {
                match sequence {
                    $(AnyTensor::$Kind(sequence) => self.resize(sequence, length).into(),)*
                }
            };
        }
        resize_any!(F32, F64, I8, I16, I32, I64, U8, Bool)
    }

    fn resize<T: Element>(&self, sequence: &Tensor<T>, length: usize) -> Tensor<T> {
        let Some(&own) = sequence.shape().first() else { return sequence.clone() };
        if own == length {
            return sequence.clone();
        }
        let step: usize = sequence.shape()[1..].iter().product();
        let mut shape = sequence.shape().to_vec();
        shape[0] = length;
        let mut row = vec![self.value_as::<T>(); length * step];
        let source = sequence.contiguous();
        self.write(source.as_slice().unwrap_or_default(), step, &mut row);
        Tensor::from(row).reshape(shape)
    }

    /// Writes a sequence of steps of `step` numbers each into a row of padding.
    fn write<T: Element>(&self, sequence: &[T], step: usize, row: &mut [T]) {
        let kept = sequence.len().min(row.len());
        let (cut, free) = (sequence.len() - kept, row.len() - kept);
        debug_assert!(step == 0 || (cut % step == 0 && free % step == 0), "whole steps are cut off");
        let from = if self.truncating == Side::Pre { cut } else { 0 };
        let to = if self.padding == Side::Pre { free } else { 0 };
        row[to..to + kept].copy_from_slice(&sequence[from..from + kept]);
    }

    fn value_as<T: Element>(&self) -> T {
        self.value.cast()
    }

    /// Checks that the value is one of the element type, as whole numbers and truth values are not all.
    pub(crate) fn check(&self, element: &str) -> Result<()> {
        let (least, most) = match element {
            "bool" => (0.0, 1.0),
            "u8" => (0.0, f64::from(u8::MAX)),
            "i8" => (f64::from(i8::MIN), f64::from(i8::MAX)),
            "i16" => (f64::from(i16::MIN), f64::from(i16::MAX)),
            "i32" => (f64::from(i32::MIN), f64::from(i32::MAX)),
            // Whole numbers up to 2^53 are exact in f64.
            "i64" => (-9_007_199_254_740_992.0, 9_007_199_254_740_992.0),
            _ => return Ok(()),
        };
        if (least..=most).contains(&self.value) && self.value.fract() == 0.0 {
            return Ok(());
        }
        let expected = format!("a whole number from {least} to {most}, which {element} has");
        Err(DatasetError::new(format!("padding of {}", self.value), expected, "choose another value"))
    }
}
