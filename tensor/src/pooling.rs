//! The windows of a pooling: size, strides and padding.

use smallvec::SmallVec;

use crate::convolution::Convolution;
use crate::shape::{Shape, ShapeError};
use crate::tensor::expect_shape;
use crate::windows::Windows;

/// The options of a pooling: the size of its windows, their strides and their padding along each spatial axis. Padded places
/// are never the largest and do not count for the mean.
///
/// ```
/// use gradus_tensor::{Pooling, Tensor};
/// let x = Tensor::new([[[1.0], [2.0], [7.0], [4.0]]]);
/// assert_eq!(x.max_pool(&Pooling::new(&[2])), Tensor::new([[[2.0], [7.0]]]));
/// assert_eq!(x.average_pool(&Pooling::new(&[2]).strides(&[1])), Tensor::new([[[1.5], [4.5], [5.5]]]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pooling {
    pub(crate) size: SmallVec<[usize; 3]>,
    pub(crate) windows: Convolution,
}

impl Pooling {
    /// Windows of this size with strides as long, without padding.
    ///
    /// # Panics
    /// If there is not a size of 1 or more for each of one to three axes.
    #[track_caller]
    pub fn new(size: &[usize]) -> Self {
        assert!(
            (1..=3).contains(&size.len()) && !size.contains(&0),
            "pooling: one to three axes need a size of 1 or more each, found {size:?}"
        );
        Pooling { size: size.into(), windows: Convolution::new(size.len()).strides(size) }
    }

    /// Sets the strides: the steps from window to window.
    ///
    /// # Panics
    /// If there is not a stride of 1 or more for each axis.
    #[track_caller]
    pub fn strides(self, strides: &[usize]) -> Self {
        Pooling { windows: self.windows.strides(strides), ..self }
    }

    /// Sets the padding: how many places windows may reach beyond the beginning and the end of each axis.
    ///
    /// # Panics
    /// If there is not a pair for each axis, or a window could lie wholly beyond an end.
    #[track_caller]
    pub fn padding(self, padding: &[(usize, usize)]) -> Self {
        let beyond = |(&(before, after), &size): (&(usize, usize), &usize)| before.max(after) >= size;
        if padding.iter().zip(&self.size).any(beyond) {
            panic!("padding: windows of {:?} must reach into their input, found {padding:?}", &self.size[..]);
        }
        Pooling { windows: self.windows.padding(padding), ..self }
    }

    /// The spatial lengths of the output for those of the input:
    /// `(input + padding - size) / stride + 1`, rounded down.
    ///
    /// # Errors
    /// If the number of axes differs, a window is larger than its padded input, or the input has no elements.
    pub fn output_lengths(&self, input: &[usize]) -> Result<Shape, ShapeError> {
        let (size, padding) = (&self.size[..], &self.windows.padding[..]);
        if input.len() != size.len() {
            let problem = format!("{} spatial axes are needed: input {input:?}, windows of {size:?}", size.len());
            return Err(ShapeError::new(problem));
        }
        // Padded places do not count, so a window would have no elements.
        if input.contains(&0) {
            return Err(ShapeError::new(format!("the input {input:?} has no elements for windows of {size:?}")));
        }
        self.windows.counts(input, size)?.ok_or_else(|| {
            ShapeError::new(format!("windows of {size:?} do not fit the input {input:?} (padding {padding:?})"))
        })
    }

    /// The shape of the output for an input `[n, spatial.., c]`: other spatial lengths, else the same.
    ///
    /// # Errors
    /// If the number of axes differs, a window is larger than its padded input, or the input has no elements.
    pub fn output_shape(&self, input: &Shape) -> Result<Shape, ShapeError> {
        let rank = self.size.len();
        if input.len() != rank + 2 {
            return Err(ShapeError::new(format!("{} axes are needed, found {input}", rank + 2)));
        }
        let lengths = self.output_lengths(&input[1..=rank])?;
        Shape::from(input[0]).join(&lengths).join(&input[rank + 1..]).checked()
    }

    /// The part of an input `[n, spatial.., c]` that the windows cover, from the beginning to the end of the last window along
    /// each axis.
    ///
    /// # Panics
    /// If the number of axes differs.
    #[track_caller]
    pub fn covered_shape(&self, input: &Shape) -> Shape {
        let output = expect_shape("covered_shape", self.output_shape(input));
        let windows = self.windows(input, &output);
        let axes = &windows.axes[windows.axes.len() - self.size.len()..];
        let lengths: Shape = axes.iter().map(|axis| axis.places_reached_by(0..axis.windows).end).collect();
        Shape::from(input[0]).join(&lengths).join(&input[input.len() - 1..])
    }

    /// Whether a byte can number the elements of a window: there are at most 256.
    pub fn fits_a_byte(&self) -> bool {
        self.size.iter().fold(1, |product: usize, &size| product.saturating_mul(size)) <= 256
    }

    /// The windows over an input of this shape, one for each place of the output.
    pub(crate) fn windows(&self, input: &Shape, output: &Shape) -> Windows {
        self.windows.windows(input, output, &self.size)
    }
}
