//! The windows of a convolution: strides, dilation, padding and groups.

use smallvec::SmallVec;

use crate::shape::{Shape, ShapeError};
use crate::windows::{Spacing, WindowAxis, Windows};

/// The options of a convolution: stride, dilation and zero padding for each spatial axis, and the number of channel groups.
///
/// ```
/// use gradus_tensor::Convolution;
/// let convolution = Convolution::new(2).strides(&[2, 1]).padding(&[(0, 1), (1, 1)]);
/// assert_eq!(convolution.output_lengths(&[28, 28], &[3, 3]).unwrap()[..], [14, 28]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Convolution {
    pub(crate) strides: Lengths,
    pub(crate) dilation: Lengths,
    pub(crate) padding: SmallVec<[(usize, usize); 3]>,
    pub(crate) groups: usize,
}

/// A length for each spatial axis.
pub(crate) type Lengths = SmallVec<[usize; 3]>;

impl Convolution {
    /// A convolution over `rank` spatial axes with strides and dilation 1, no padding and one group.
    ///
    /// # Panics
    /// If the rank is not 1, 2 or 3.
    #[track_caller]
    pub fn new(rank: usize) -> Self {
        assert!((1..=3).contains(&rank), "convolution: one to three spatial axes are needed, found {rank}");
        Convolution {
            strides: SmallVec::from_elem(1, rank),
            dilation: SmallVec::from_elem(1, rank),
            padding: SmallVec::from_elem((0, 0), rank),
            groups: 1,
        }
    }

    /// Sets the strides: the steps from window to window.
    ///
    /// # Panics
    /// If there is not a stride of 1 or more for each axis.
    #[track_caller]
    pub fn strides(self, strides: &[usize]) -> Self {
        self.expect("strides", strides);
        Convolution { strides: strides.into(), ..self }
    }

    /// Sets the dilation: the steps from kernel position to kernel position.
    ///
    /// # Panics
    /// If there is not a dilation of 1 or more for each axis.
    #[track_caller]
    pub fn dilation(self, dilation: &[usize]) -> Self {
        self.expect("dilation", dilation);
        Convolution { dilation: dilation.into(), ..self }
    }

    /// Sets the padding: the zeros before and after each axis.
    ///
    /// # Panics
    /// If there is not a pair for each axis.
    #[track_caller]
    pub fn padding(self, padding: &[(usize, usize)]) -> Self {
        assert!(
            padding.len() == self.rank(),
            "padding: {} axes need a pair (before, after) each, found {padding:?}",
            self.rank()
        );
        Convolution { padding: padding.into(), ..self }
    }

    /// Sets the number of groups: group i of the filters reads group i of the channels alone.
    ///
    /// # Panics
    /// If `groups` is 0.
    #[track_caller]
    pub fn groups(self, groups: usize) -> Self {
        assert!(groups > 0, "groups: at least one is needed, found 0");
        Convolution { groups, ..self }
    }

    #[track_caller]
    fn expect(&self, what: &str, values: &[usize]) {
        assert!(
            values.len() == self.rank() && !values.contains(&0),
            "{what}: {} axes need a number of 1 or more each, found {values:?}",
            self.rank()
        );
    }

    /// The number of spatial axes.
    pub fn rank(&self) -> usize {
        self.strides.len()
    }

    /// The spatial lengths of the output for those of the input and the kernel:
    /// `(input + padding - dilation (kernel - 1) - 1) / stride + 1`, rounded down.
    ///
    /// # Errors
    /// If the number of axes differs, or a kernel is larger than its padded input.
    pub fn output_lengths(&self, input: &[usize], kernel: &[usize]) -> Result<Shape, ShapeError> {
        if input.len() != self.rank() || kernel.len() != self.rank() {
            let problem = format!("{} spatial axes are needed: input {input:?}, kernel {kernel:?}", self.rank());
            return Err(ShapeError::new(problem));
        }
        self.counts(input, kernel)?.ok_or_else(|| {
            ShapeError::new(format!(
                "a kernel of {kernel:?} (dilation {:?}) does not fit the input {input:?} (padding {:?})",
                &self.dilation[..],
                &self.padding[..],
            ))
        })
    }

    /// The number of windows of this size along each axis, or `None` if one does not fit the padded input.
    ///
    /// # Errors
    /// If a padded length, a stride or a dilation is more than `isize::MAX`: places of windows are computed as `isize`.
    pub(crate) fn counts(&self, input: &[usize], size: &[usize]) -> Result<Option<Shape>, ShapeError> {
        let padded = |(&length, &(before, after)): (&usize, &(usize, usize))| {
            let padded = length.saturating_add(before).saturating_add(after);
            isize::try_from(padded).map(|_| padded).map_err(|_| ShapeError::overflow([before, length, after]))
        };
        let steps = || self.strides.iter().chain(&self.dilation);
        if steps().any(|&step| isize::try_from(step).is_err()) {
            return Err(ShapeError::overflow(steps().collect::<Vec<_>>()));
        }
        let padded: Shape = input.iter().zip(&self.padding).map(padded).collect::<Result<_, _>>()?;
        let count = |axis: usize| {
            let reach = size[axis].checked_sub(1)?.checked_mul(self.dilation[axis])?;
            (reach < padded[axis]).then(|| (padded[axis] - reach - 1) / self.strides[axis] + 1)
        };
        Ok((0..self.rank()).map(count).collect())
    }

    /// The shape of the output for an input `[n, spatial.., c]` and a kernel `[spatial.., c / groups, filters]`.
    ///
    /// # Errors
    /// If they do not fit each other, or memory cannot hold the output or the padded input.
    pub fn output_shape(&self, input: &Shape, kernel: &Shape) -> Result<Shape, ShapeError> {
        let (rank, groups) = (self.rank(), self.groups);
        if input.len() != rank + 2 || kernel.len() != rank + 2 {
            let problem = format!("input and kernel must have {} axes: {input} and {kernel}", rank + 2);
            return Err(ShapeError::new(problem));
        }
        let (channels, filters) = (input[rank + 1], kernel[rank + 1]);
        if !channels.is_multiple_of(groups) || !filters.is_multiple_of(groups) || kernel[rank] != channels / groups {
            return Err(ShapeError::new(format!(
                "{groups} groups must divide {channels} channels and {filters} filters, and the kernel must have \
                 channels / groups = {} on its last but one axis: {input} and {kernel}",
                channels / groups
            )));
        }
        let lengths = self.output_lengths(&input[1..=rank], &kernel[..rank])?;
        // Offsets are computed within the padded input and within the output.
        let padded = input[1..=rank].iter().zip(&self.padding).map(|(length, (before, after))| before + length + after);
        Shape::from(input[0]).join(&padded.collect::<Shape>()).join(&[channels]).checked()?;
        Shape::from(input[0]).join(&lengths).join(&[filters]).checked()
    }
}

impl Convolution {
    /// The windows of `size` over an input `[n, spatial.., c]`, one for each place of the output.
    pub(crate) fn windows(&self, input: &Shape, output: &Shape, size: &[usize]) -> Windows {
        let axis = |axis: usize| {
            let (stride, dilation, before) = (self.strides[axis], self.dilation[axis], self.padding[axis].0);
            let spacing = Spacing::Strided { size: size[axis], stride, dilation, before };
            WindowAxis { length: input[axis + 1], windows: output[axis + 1], spacing }
        };
        Windows::new((0..self.rank()).map(axis), input[input.len() - 1])
    }

    /// The step between the kernel positions at which one element of the input is read, and the step between the windows that
    /// read it so.
    pub(crate) fn meeting_steps(&self, axis: usize) -> (usize, usize) {
        let (stride, dilation) = (self.strides[axis], self.dilation[axis]);
        // Euclid's algorithm for the greatest common divisor.
        let (mut shared, mut rest) = (stride, dilation);
        while rest > 0 {
            (shared, rest) = (rest, shared % rest);
        }
        (stride / shared, dilation / shared)
    }
}

/// The strides of axes with these lengths in row-major order, in elements.
pub(crate) fn steps(lengths: &[usize]) -> Lengths {
    (0..lengths.len()).map(|axis| lengths[axis + 1..].iter().product()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_overflow_do_not_fit() {
        let fits = |convolution: Convolution, kernel| convolution.output_lengths(&[5], &[kernel]).is_ok();
        let plain = || Convolution::new(1);
        assert!(fits(plain().dilation(&[4]), 2) && !fits(plain().dilation(&[5]), 2) && !fits(plain(), 0));
        // Multiplied without care, these would be reaches of 0 and less.
        assert!(!fits(plain().dilation(&[usize::MAX]), 2));
        assert!(!fits(plain().dilation(&[usize::MAX / 2 + 1]), 3));
        let error = plain().padding(&[(usize::MAX, 1)]).output_lengths(&[5], &[2]).unwrap_err();
        assert_eq!(error.to_string(), "tensor size overflows: [18446744073709551615, 5, 1]");
    }
}
