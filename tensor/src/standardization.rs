//! The options of a standardisation: which elements share a mean and a variance, epsilon and ReLU.

use crate::kernels::standardize::Grouping;
use crate::shape::{Axes, Shape, ShapeError};

/// The elements of a tensor, channels last, that are brought to mean 0 and variance 1 together: the core of batch, group,
/// instance, layer and RMS normalisation. [`Tensor::standardize`](crate::Tensor::standardize) applies it.
///
/// ```
/// use gradus_tensor::{Standardization, Tensor};
/// let x = Tensor::new([[1.0, 5.0], [3.0, 5.0]]);
/// let (gamma, beta) = (Tensor::new([1.0, 1.0]), Tensor::new([0.0, 7.0]));
/// let (y, moments) = x.standardize(&gamma, &beta, &Standardization::of_channels().epsilon(1e-12));
/// assert_eq!(y, Tensor::new([[-1.0, 7.0], [1.0, 7.0]]));
/// assert_eq!(moments.mean, Tensor::new([2.0, 5.0]));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Standardization {
    together: Together,
    pub(crate) epsilon: f64,
    pub(crate) relu: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Together {
    Channels,
    Groups(usize),
    Rows { centered: bool },
}

impl Standardization {
    fn new(together: Together) -> Self {
        Standardization { together, epsilon: 1e-3, relu: false }
    }

    /// Each channel over all samples and places, with epsilon 0.001: batch normalisation. The moments have the shape `[channels]`.
    pub fn of_channels() -> Self {
        Self::new(Together::Channels)
    }

    /// Groups of neighbouring channels, each over the places of one sample: group normalisation, and instance normalisation with
    /// a group for each channel. The moments have the shape `[n, groups]`.
    pub fn of_groups(groups: usize) -> Self {
        Self::new(Together::Groups(groups))
    }

    /// Each row of channels: layer normalisation. The moments have the shape `[n, ..]` without the channels.
    pub fn of_rows() -> Self {
        Self::new(Together::Rows { centered: true })
    }

    /// Each row of channels, brought to a mean square of 1 without subtracting the mean: RMS normalisation. The moments are 0 and
    /// the mean square.
    pub fn of_rows_by_square() -> Self {
        Self::new(Together::Rows { centered: false })
    }

    /// Sets epsilon, which is added to the variance.
    pub fn epsilon(self, epsilon: f64) -> Self {
        Standardization { epsilon, ..self }
    }

    /// Sets whether max(y, 0) takes the place of each result y, in the same pass.
    pub fn relu(self, relu: bool) -> Self {
        Standardization { relu, ..self }
    }

    /// Whether each channel is standardised over all samples and places.
    pub(crate) fn is_of_channels(&self) -> bool {
        self.together == Together::Channels
    }

    /// Whether the mean is subtracted.
    pub(crate) fn is_centered(&self) -> bool {
        self.together != Together::Rows { centered: false }
    }

    /// The shape in which the axes of elements that belong together stand apart from the others, and these axes; the tensor has a
    /// grouping.
    pub(crate) fn apart(&self, shape: &Shape) -> (Shape, Axes) {
        let last = shape.len() - 1;
        match self.together {
            Together::Channels => (shape.clone(), (0..last as isize).collect()),
            Together::Rows { .. } => (shape.clone(), Axes::from(last)),
            Together::Groups(groups) => {
                let apart = Shape::from(&shape[..last]).join(&[groups, shape[last] / groups]);
                (apart, (1..=last as isize + 1).filter(|&axis| axis != last as isize).collect())
            }
        }
    }

    /// The grouping of a tensor of this shape, and the shape of the moments.
    pub(crate) fn grouping(&self, shape: &Shape) -> Result<(Grouping, Shape), ShapeError> {
        let Some((&channels, places)) = shape.split_last() else {
            return Err(ShapeError::new("channels are needed, found a single number".to_owned()));
        };
        let rows = places.iter().product();
        match self.together {
            Together::Channels => {
                Ok((Grouping { slots: 1, length: rows, channels, groups: channels }, [channels].into()))
            }
            Together::Rows { .. } => Ok((Grouping { slots: rows, length: 1, channels, groups: 1 }, places.into())),
            Together::Groups(groups) => {
                let Some((&samples, places)) = places.split_first() else {
                    return Err(ShapeError::new(format!("samples and channels are needed: {shape}")));
                };
                if groups == 0 || !channels.is_multiple_of(groups) {
                    return Err(ShapeError::new(format!("the channels are no {groups} groups of one size: {shape}")));
                }
                let grouping = Grouping { slots: samples, length: places.iter().product(), channels, groups };
                Ok((grouping, [samples, groups].into()))
            }
        }
    }
}
