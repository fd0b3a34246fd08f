//! The axes of samples in another order.

use gradus_tensor::{Float, Shape};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::layer::{Build, Built, Layer};

/// The axes of each sample in another order: `Permute::new([2, 1])` makes `[n, a, b]` to `[n, b, a]`.
///
/// As in Keras, axes count from 1, for axis 0 is the batch, which stays where it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permute {
    dims: Vec<usize>,
}

impl Permute {
    /// Axis `i` of the output is axis `dims[i - 1]` of the input.
    pub fn new(dims: impl AsRef<[usize]>) -> Self {
        Permute { dims: dims.as_ref().to_vec() }
    }
}

impl Layer for Permute {
    const KIND: &'static str = "Permute";
    crate::layer::compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let (dims, input) = (&self.dims, build.input()?);
        let each_once = dims.len() == input.len() && (1..=input.len()).all(|axis| dims.contains(&axis));
        if !each_once {
            let problem = format!("the axes {dims:?} are no order of those of samples of shape {input}");
            return Err(build.error(problem, "name each axis once, counted from 1"));
        }
        let output: Shape = dims.iter().map(|&axis| input[axis - 1]).collect();
        let order: Vec<isize> = std::iter::once(0).chain(dims.iter().map(|&axis| axis as isize)).collect();
        Ok(Built::new(output, move |_, x| x.permute(&order)))
    }
}
