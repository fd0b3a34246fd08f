//! Normal noise while training.

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use super::dropout::check_rate;
use crate::error::Result;
use crate::layer::{Build, Built, Layer};

/// While training, x plus normal noise of mean 0; when predicting, x. Shape: unchanged.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussianNoise {
    stddev: f64,
}

impl GaussianNoise {
    /// With noise of this standard deviation.
    pub fn new(stddev: f64) -> Self {
        GaussianNoise { stddev }
    }
}

impl Layer for GaussianNoise {
    const KIND: &'static str = "GaussianNoise";
    crate::layer::compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let stddev = T::of(self.stddev);
        if !(stddev >= T::ZERO && stddev < T::HIGHEST) {
            let problem = format!("the standard deviation must be finite and not negative, found {}", self.stddev);
            return Err(build.error(problem, "give it in the units of the input"));
        }
        Ok(Built::new(build.input()?, move |context, x| match context.training() {
            Some(generator) => x + &generator.normal(x.shape(), T::ZERO, stddev),
            None => x.clone(),
        }))
    }
}

/// While training, x times normal noise of mean 1 and variance rate / (1 - rate), that of [`Dropout`](super::Dropout);
/// when predicting, x. Shape: unchanged.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussianDropout {
    rate: f64,
}

impl GaussianDropout {
    /// With the noise of a dropout of this rate.
    pub fn new(rate: f64) -> Self {
        GaussianDropout { rate }
    }
}

impl Layer for GaussianDropout {
    const KIND: &'static str = "GaussianDropout";
    crate::layer::compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let rate = check_rate(self.rate, build)?;
        let stddev = T::of((rate / (1.0 - rate)).sqrt());
        Ok(Built::new(build.input()?, move |context, x| match context.training() {
            Some(generator) => x * &generator.normal(x.shape(), T::ONE, stddev),
            None => x.clone(),
        }))
    }
}
