//! Where a convolution's channels speak for a class.

use gradus_nn::{Error, Model, Result};
use gradus_tensor::{Columns, Float, Interpolation, Tensor};

use crate::target::Target;

/// Where in pictures the channels of a layer speak for a target; see [`grad_cam`].
///
/// ```
/// use gradus_explain::{Target, grad_cam};
/// use gradus_nn::{Conv2D, Dense, GlobalAveragePooling2D, Model, Sequential};
/// use gradus_tensor::Tensor;
/// let network = Sequential::new().add_named("conv", Conv2D::new(4, 3)).add(GlobalAveragePooling2D::new()).add(Dense::new(3));
/// let model = Model::build(network, [8, 8, 1], 42)?;
/// let seen = grad_cam(&model, "conv", Tensor::<f32>::ones([1, 8, 8, 1]), &Target::predicted())?;
/// // What speaks against a class is left out.
/// assert!(seen.maps.min(..).item() >= 0.0);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClassActivation<T: Float = f32> {
    /// What is explained, of each sample.
    pub explained: Vec<String>,
    /// The numbers that are explained, `[n]`.
    pub numbers: Tensor<T>,
    /// The maps as large as the picture, by linear interpolation: `[n, height, width]`.
    pub maps: Tensor<T>,
    /// The maps as large as the layer's output: `[n, height, width]`.
    pub coarse: Tensor<T>,
}

/// Grad-CAM: max(sum_k a_k A_k, 0), where A_k is channel k of the output of the layer at `path`, and a_k the mean of the gradient of the
/// target's number over that channel. Selvaraju et al. 2017, "Grad-CAM", arXiv:1610.02391.
///
/// The layer's output is `[n, height, width, channels]`, or has one or three such axes. It is usually the last convolution: what it
/// finds says most of the class, and it still knows where. The maps have the size of the model's input, if that has as many axes; else
/// that of the layer. The model may have other inputs besides.
///
/// ```
/// use gradus_explain::{Target, grad_cam};
/// use gradus_nn::{Conv2D, Dense, GlobalAveragePooling2D, MaxPooling2D, Model, Sequential};
/// use gradus_tensor::Tensor;
/// let network = Sequential::new()
///     .add_named("conv", Conv2D::new(4, 3))
///     .add(MaxPooling2D::new(2))
///     .add(GlobalAveragePooling2D::new())
///     .add(Dense::new(3));
/// let model = Model::build(network, [8, 8, 1], 42)?;
/// let seen = grad_cam(&model, "conv", Tensor::<f32>::ones([2, 8, 8, 1]), &Target::predicted())?;
/// assert_eq!((seen.maps.shape(), seen.coarse.shape()), (&[2, 8, 8].into(), &[2, 6, 6].into()));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// If there is no such layer, its output has other axes, the inputs are none of the model's, or the target is none of its outputs.
pub fn grad_cam<T: Float>(
    model: &Model<T>,
    path: &str,
    inputs: impl Into<Columns>,
    target: &Target<T>,
) -> Result<ClassActivation<T>> {
    const OP: &str = "grad_cam";
    let inputs = inputs.into();
    let settled = target.settle(OP, model, &inputs)?;
    let (numbers, seen) = settled.differentiate(&model.observer().of([path]), &inputs)?;
    let layer = &seen[path];
    let shape = layer.value.shape();
    if !(3..=5).contains(&shape.len()) {
        let problem =
            format!("the output of the layer {path:?} has the shape {shape}, pictures of channels are needed");
        return Err(Error::new(OP, problem, "name a convolution, or a layer right behind one"));
    }
    let spatial: Vec<isize> = (1..shape.len() as isize - 1).collect();
    let coarse = match &layer.gradient {
        Some(gradient) => {
            let weights = gradient.mean(gradus_tensor::keepdims(spatial.as_slice()));
            (&layer.value * weights).sum(-1).maximum(T::ZERO)
        }
        None => layer.value.sum(-1).zeros_like(),
    };
    let axes = shape.len() - 2;
    let like = |input: &[usize]| (input.len() == axes + 1 || input.len() == axes).then(|| input[..axes].to_vec());
    let size = inputs.iter().filter(|column| column.shape().len() > 1).find_map(|column| like(&column.shape()[1..]));
    let is_empty = |lengths: &[usize]| lengths.contains(&0);
    let maps = match size {
        Some(size) if size[..] != coarse.shape()[1..] && !is_empty(&size) && !is_empty(&coarse.shape()[1..]) => {
            coarse.unsqueeze(-1).resize(&size, Interpolation::Linear).squeeze(-1)
        }
        _ => coarse.clone(),
    };
    Ok(ClassActivation { explained: settled.names, numbers, maps, coarse })
}
