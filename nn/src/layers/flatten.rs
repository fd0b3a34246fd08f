//! All axes of a sample made one.

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::layer::{Build, Built, Layer};

/// The elements of each sample in one axis: `[n, a, b, ..]` to `[n, a b ..]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Flatten;

impl Layer for Flatten {
    const KIND: &'static str = "Flatten";
    crate::layer::compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let size = build.input()?.size();
        Ok(Built::new([size], move |_, x| x.reshape([x.shape()[0], size])))
    }
}
