//! How the windows of a pooling lie.

use smallvec::SmallVec;

use crate::convolution::Convolution;
use crate::kernels::windows::Windows;
use crate::shape::{Shape, ShapeError};
use crate::tensor::expect_shape;

/// The size of the windows of a pooling along each spatial axis, how far apart they lie, and how far they may reach
/// beyond the ends, where there is nothing: what is padded is never the largest and does not count for the mean.
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
    /// Windows of this size side by side, none beyond the ends.
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

    /// With windows so far apart.
    ///
    /// # Panics
    /// If there is not a stride of 1 or more for each axis.
    #[track_caller]
    pub fn strides(self, strides: &[usize]) -> Self {
        Pooling { windows: self.windows.strides(strides), ..self }
    }

    /// With windows that reach so far beyond the beginning and the end of each axis.
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
    /// If the number of axes differs, a window is larger than its padded input, or there is nothing in the input.
    pub fn output_lengths(&self, input: &[usize]) -> Result<Shape, ShapeError> {
        let (size, padding) = (&self.size[..], &self.windows.padding[..]);
        if input.len() != size.len() {
            let problem = format!("{} spatial axes are needed: input {input:?}, windows of {size:?}", size.len());
            return Err(ShapeError::new(problem));
        }
        // What is padded does not count: there would be nothing at all in a window.
        if input.contains(&0) {
            return Err(ShapeError::new(format!("there is nothing for windows of {size:?} in the input {input:?}")));
        }
        let counts = self.windows.counts(input, size);
        counts.ok_or_else(|| {
            ShapeError::new(format!("windows of {size:?} do not fit the input {input:?} (padding {padding:?})"))
        })
    }

    /// The shape of the output for an input `[n, spatial.., c]`: the same but for the spatial lengths.
    ///
    /// # Errors
    /// If the number of axes differs, a window is larger than its padded input, or there is nothing in the input.
    pub fn output_shape(&self, input: &Shape) -> Result<Shape, ShapeError> {
        let rank = self.size.len();
        if input.len() != rank + 2 {
            return Err(ShapeError::new(format!("{} axes are needed, found {input}", rank + 2)));
        }
        let lengths = self.output_lengths(&input[1..=rank])?;
        Ok(Shape::from(input[0]).join(&lengths).join(&input[rank + 1..]))
    }

    /// The part of an input `[n, spatial.., c]` that windows see: as far as the last of them reaches along each axis.
    ///
    /// # Panics
    /// If the number of axes differs.
    #[track_caller]
    pub fn seen(&self, input: &Shape) -> Shape {
        let output = expect_shape("seen", self.output_shape(input));
        let windows = self.windows(input, &output);
        let axes = &windows.axes[windows.axes.len() - self.size.len()..];
        let lengths: Shape = axes.iter().map(|axis| axis.reach_of(0..axis.windows).end).collect();
        Shape::from(input[0]).join(&lengths).join(&input[input.len() - 1..])
    }

    /// Whether a byte tells where in a window an element is: there are at most 256.
    pub fn fits_a_byte(&self) -> bool {
        self.size.iter().fold(1, |product: usize, &size| product.saturating_mul(size)) <= 256
    }

    /// The windows over an input of this shape that an output of that shape belongs to.
    pub(crate) fn windows(&self, input: &Shape, output: &Shape) -> Windows {
        self.windows.windows(input, output, &self.size)
    }
}
