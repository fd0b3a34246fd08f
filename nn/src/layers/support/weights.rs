//! Weights as layers declare them.

use gradus_autograd::Constraint;
use gradus_tensor::{Float, Shape};

use crate::error::Result;
use crate::initializers::Initializer;
use crate::layer::{Build, ParamId};
use crate::regularizers::Regularizer;

/// The options that layers have for a weight: the distribution of its first values, the penalty on it, and the constraint.
pub(in crate::layers) type WeightOptions = (Initializer, Option<Regularizer>, Option<Constraint>);

/// Registers a weight with these options.
pub(in crate::layers) fn weight_with_options<T: Float>(
    build: &mut Build<'_, T>,
    name: &str,
    shape: impl Into<Shape>,
    (initializer, regularizer, constraint): WeightOptions,
) -> Result<ParamId> {
    let weight = build.weight(name, shape, initializer)?;
    build.penalty(weight, regularizer);
    build.constraint(weight, constraint)?;
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
