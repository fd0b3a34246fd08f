//! Attributions by one gradient.

use gradus_nn::{Model, Observed, Result};
use gradus_tensor::{Columns, Float, Tensor};

use crate::attributions::{Attribution, Attributions};
use crate::sources::sources;
use crate::target::Target;

/// The gradient of the target's number with respect to each number of the inputs: how fast it rises where that rises. Simonyan et al.
/// 2013, arXiv:1312.6034 (they draw its absolute value).
///
/// Of ids it is the gradient with respect to the vectors that an `Embedding` makes of them.
///
/// ```
/// use gradus_explain::{Target, gradients};
/// use gradus_nn::{Dense, Model, Sequential};
/// use gradus_tensor::Tensor;
/// let model = Model::build(Sequential::new().add(Dense::new(1)), [2], 42)?;
/// let explained = gradients(&model, Tensor::new([[2.0, -1.0]]), &Target::predicted())?;
/// let kernel = model.params().get("0/kernel").unwrap().value.flatten();
/// assert_eq!(explained.values(), &kernel.unsqueeze(0));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// If the inputs are none of the model's, or the target is none of its outputs.
pub fn gradients<T: Float>(
    model: &Model<T>,
    inputs: impl Into<Columns>,
    target: &Target<T>,
) -> Result<Attributions<T>> {
    attributed("gradients", model, &inputs.into(), target, |_, gradient| gradient)
}

/// Gradient times input: x_i df/dx_i, the contribution of each number if f went on as steeply down to 0. Shrikumar et al. 2016,
/// arXiv:1605.01713.
///
/// Of ids it is the gradient times the vector that an `Embedding` makes of a word; [`Attributions::per_position`] sums over the
/// vector. A linear model's attributions are w_i x_i, exactly.
///
/// ```
/// use gradus_explain::{Target, gradient_times_input};
/// use gradus_nn::{Dense, Model, Sequential};
/// use gradus_tensor::Tensor;
/// let model = Model::build(Sequential::new().add(Dense::new(1)), [2], 42)?;
/// let x = Tensor::new([[3.0, -1.0]]);
/// let explained = gradient_times_input(&model, &x, &Target::predicted())?;
/// let kernel = model.params().get("0/kernel").unwrap().value.flatten();
/// assert_eq!(explained.values(), &(x * kernel));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// If the inputs are none of the model's, or the target is none of its outputs.
pub fn gradient_times_input<T: Float>(
    model: &Model<T>,
    inputs: impl Into<Columns>,
    target: &Target<T>,
) -> Result<Attributions<T>> {
    attributed("gradient_times_input", model, &inputs.into(), target, |value, gradient| value * gradient)
}

fn attributed<T: Float>(
    op: &str,
    model: &Model<T>,
    inputs: &Columns,
    target: &Target<T>,
    attribution: impl Fn(&Tensor<T>, Tensor<T>) -> Tensor<T>,
) -> Result<Attributions<T>> {
    let settled = target.settle(op, model, inputs)?;
    let paths = sources(op, model, inputs)?;
    let observer = model.observer().of(paths.iter().map(String::as_str));
    let (numbers, seen) = settled.differentiate(&observer, inputs)?;
    let of_source = |observed: Observed<T>| {
        let Observed { path, value, mask, gradient, .. } = observed;
        let gradient = gradient.unwrap_or_else(|| value.zeros_like());
        Attribution { path, values: attribution(&value, gradient), mask }
    };
    let list = seen.into_iter().filter(|observed| observed.output == 0).map(of_source).collect();
    Ok(Attributions { explained: settled.names, numbers, list })
}
