//! Elements dropped at random while training.

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::layer::{Build, Built, Layer};

/// While training, each element is 0 with probability `rate`, else x / (1 - rate); when predicting, x.
///
/// Shape: unchanged. Srivastava et al., Journal of Machine Learning Research 15, 2014.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropout {
    rate: f64,
}

impl Dropout {
    /// With this share of the elements dropped.
    pub fn new(rate: f64) -> Self {
        Dropout { rate }
    }
}

impl Layer for Dropout {
    const KIND: &'static str = "Dropout";
    crate::layer::compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let keep = 1.0 - check_rate(self.rate, build)?;
        Ok(Built::new(build.input()?, move |context, x| match context.training() {
            Some(generator) if keep < 1.0 => {
                let kept = generator.bernoulli(x.shape(), keep);
                x * &(kept.to::<T>() * T::of(1.0 / keep))
            }
            _ => x.clone(),
        }))
    }
}

/// The rate, if it is a share that leaves something.
pub(super) fn check_rate<T: Float>(rate: f64, build: &Build<'_, T>) -> Result<f64> {
    if (0.0..1.0).contains(&rate) {
        return Ok(rate);
    }
    let problem = format!("the rate must be at least 0 and less than 1, found {rate}");
    Err(build.error(problem, "give the share to drop: 0.5 is half"))
}
