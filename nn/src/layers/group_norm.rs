//! Groups of a sample's channels brought to mean 0 and variance 1.

use gradus_tensor::{Float, Standardization};
use serde::{Deserialize, Serialize};

use super::normalize::{Affine, Features, Standardizing, check_epsilon};
use super::options::options;
use crate::error::Result;
use crate::layer::{Build, Built, Layer};

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, with mean and variance of each sample over all its places and a
/// group of neighbouring channels.
///
/// Shape: unchanged. Weights: `gamma`, ones, and `beta`, zeros, both `[channels]`. Keras's `GroupNormalization`. Wu and He,
/// arXiv:1803.08494.
///
/// ```
/// use gradus_nn::{GroupNorm, Model, Sequential};
/// let model = Model::build(Sequential::new().add(GroupNorm::new().groups(8)), [28, 28, 64], 42)?;
/// assert_eq!(model.output_shape(), &[28, 28, 64]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupNorm {
    groups: isize,
    axis: isize,
    epsilon: f64,
    center: bool,
    scale: bool,
}

impl GroupNorm {
    /// Of 32 groups along the last axis, with epsilon 0.001, gamma and beta.
    pub fn new() -> Self {
        GroupNorm { groups: 32, axis: -1, epsilon: 1e-3, center: true, scale: true }
    }
}

options! { GroupNorm:
    /// With so many groups, or with each channel by itself if -1: instance normalisation.
    groups: isize;
    /// Of the channels along this axis: from 1, for axis 0 is the batch, or from -1, the last, down.
    axis: isize;
    /// With this added to the variance.
    epsilon: f64;
    /// With or without beta.
    center: bool;
    /// With or without gamma.
    scale: bool;
}

impl Default for GroupNorm {
    fn default() -> Self {
        GroupNorm::new()
    }
}

impl Layer for GroupNorm {
    const KIND: &'static str = "GroupNormalization";
    crate::layer::compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let features = Features::new(&[self.axis], build)?;
        let channels = features.shape[0];
        let groups = match self.groups {
            -1 => channels,
            groups => usize::try_from(groups).unwrap_or(0),
        };
        if groups == 0 || !channels.is_multiple_of(groups) {
            let problem = format!("{} groups must divide the {channels} channels", self.groups);
            return Err(build.error(problem, "choose a number of groups that does, or -1 for a group of each channel"));
        }
        let how = Standardization::of_groups(groups).epsilon(check_epsilon(self.epsilon, 1e-3, build)?);
        let affine = Affine::new(self.scale, self.center, &features, build)?;
        Standardizing { features, affine, how }.layer(build)
    }
}
