//! A vector repeated.

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::layer::{Build, Built, Layer};

/// Each sample, a vector, repeated: `[n, features]` to `[n, repeats, features]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepeatVector {
    n: usize,
}

impl RepeatVector {
    /// `n` times.
    pub fn new(n: usize) -> Self {
        RepeatVector { n }
    }
}

impl Layer for RepeatVector {
    const KIND: &'static str = "RepeatVector";
    crate::layer::compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let [features] = build.input()?[..] else {
            let problem = format!("takes vectors, samples of one axis, found samples of shape {}", build.input()?);
            return Err(build.error(problem, "put a Flatten before it"));
        };
        let n = self.n;
        Ok(Built::new([n, features], move |_, x| x.unsqueeze(1).broadcast_to([x.shape()[0], n, features])))
    }
}
