//! Each channel of a sample brought to mean 0 and variance 1.

use gradus_tensor::{Float, Standardization};
use serde::{Deserialize, Serialize};

use super::normalize::{Affine, Features, Standardizing, check_epsilon};
use super::options::options;
use crate::error::Result;
use crate::layer::{Build, Built, Layer};

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, with mean and variance of each channel of a sample over its
/// places.
///
/// Shape: unchanged, `[n, spatial.., channels]`. Weights: `gamma`, ones, and `beta`, zeros, both `[channels]`. What
/// [`GroupNorm`](crate::GroupNorm) does with a group for each channel. Ulyanov et al., arXiv:1607.08022.
///
/// ```
/// use gradus_nn::{Activation, Conv2D, InstanceNorm, Sequential};
/// let block = Sequential::new()
///     .add(Conv2D::new(64, [3, 3]).use_bias(false))
///     .add(InstanceNorm::new())
///     .add(Activation::Relu);
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceNorm {
    epsilon: f64,
    center: bool,
    scale: bool,
}

impl InstanceNorm {
    /// With epsilon 0.001, gamma and beta.
    pub fn new() -> Self {
        InstanceNorm { epsilon: 1e-3, center: true, scale: true }
    }
}

options! { InstanceNorm:
    /// With this added to the variance.
    epsilon: f64;
    /// With or without beta.
    center: bool;
    /// With or without gamma.
    scale: bool;
}

impl Default for InstanceNorm {
    fn default() -> Self {
        InstanceNorm::new()
    }
}

impl Layer for InstanceNorm {
    const KIND: &'static str = "InstanceNormalization";
    crate::layer::compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let input = build.input()?;
        let (Some(&channels), true) = (input.last(), input.len() > 1) else {
            let problem = format!("needs an axis besides the channels, found samples of shape {input}");
            return Err(build.error(problem, "take LayerNorm for vectors"));
        };
        if channels == 0 {
            let problem = format!("needs at least one channel, found samples of shape {input}");
            return Err(build.error(problem, "give it samples that hold some"));
        }
        let features = Features::new(&[-1], build)?;
        let how = Standardization::of_groups(channels).epsilon(check_epsilon(self.epsilon, 1e-3, build)?);
        let affine = Affine::new(self.scale, self.center, &features, build)?;
        Standardizing { features, affine, how }.layer(build)
    }
}
