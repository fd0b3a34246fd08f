//! All axes of a sample merged into one.

use serde::{Deserialize, Serialize};

use super::support::prelude::*;

/// The elements of each sample in one axis: `[n, a, b, ..]` to `[n, a b ..]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Flatten;

impl Layer for Flatten {
    const KIND: &'static str = "Flatten";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let size = build.input()?.size();
        Ok(Built::new([size], move |_, x| x.reshape([x.shape()[0], size])))
    }

    fn output_activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        inputs.to_vec()
    }
}
