//! Weights as layers declare them.

use gradus_tensor::{Float, Shape};

use crate::error::Result;
use crate::initializers::Initializer;
use crate::layer::{Build, ParamId};
use crate::regularizers::Regularizer;

/// Registers a weight, drawn by the initialiser, and the penalty on it.
pub(in crate::layers) fn weight_with_penalty<T: Float>(
    build: &mut Build<'_, T>,
    name: &str,
    shape: impl Into<Shape>,
    initializer: Initializer,
    regularizer: Option<Regularizer>,
) -> Result<ParamId> {
    let weight = build.weight(name, shape, initializer)?;
    build.penalty(weight, regularizer);
    Ok(weight)
}

/// The shape of a weight with an entry for each element of a sample, shared along these axes: there its length is 1.
pub(in crate::layers) fn shared_along<T: Float>(axes: &[usize], build: &Build<'_, T>) -> Result<Shape> {
    let input = build.input()?;
    let mut shape = input.clone();
    for &axis in axes {
        if axis < 1 || axis > shape.len() {
            let problem = format!("axis {axis} cannot be shared, found samples of shape {input}");
            return Err(build.error(problem, "count axes from 1, the first after the batch"));
        }
        shape[axis - 1] = 1;
    }
    Ok(shape)
}
