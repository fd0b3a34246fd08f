//! Bias and activation: the last steps of a layer that convolves or multiplies, in one pass with its epilogue.

use gradus_autograd::Var;
use gradus_tensor::{Convolution, Float, Shape};

use super::weights::{WeightOptions, weight_with_options};
use crate::activation::Activation;
use crate::epilogue::Supports;
use crate::error::Result;
use crate::layer::{Build, Built, Context, ParamId};

/// Input and kernel of a convolution, from the layer's input.
type Operands<T> = dyn Fn(&Context<'_, T>, &Var<T>) -> (Var<T>, Var<T>) + Send + Sync;

/// y = activation(x + bias), behind the product or convolution x of a layer.
#[derive(Clone, Copy)]
pub(in crate::layers) struct BiasActivation {
    bias: Option<ParamId>,
    activation: Activation,
}

impl BiasActivation {
    /// Registers the weight `bias` `[units]`, if options are given for it.
    pub fn new<T: Float>(
        build: &mut Build<'_, T>,
        units: usize,
        bias: Option<WeightOptions>,
        activation: Activation,
    ) -> Result<Self> {
        activation.check().map_err(|(problem, hint)| build.error(problem, hint))?;
        let sum_to_one = match activation {
            Activation::Softmax => Some("softmax"),
            Activation::Sparsemax => Some("sparsemax"),
            _ => None,
        };
        if let (Some(name), 1) = (sum_to_one, units) {
            let hint = "use Activation::Sigmoid for a yes or no, or one unit for each class";
            return Err(build.error(format!("{name} of a single unit is always 1"), hint));
        }
        let bias = bias.map(|options| weight_with_options(build, "bias", units, options));
        Ok(BiasActivation { bias: bias.transpose()?, activation })
    }

    /// The layer that convolves the input with the kernel, both given by `operands`. Bias, ReLU and epilogue are computed
    /// in the convolution's own pass over the output.
    pub fn convolution<T: Float>(
        self,
        output: Shape,
        convolution: Convolution,
        operands: impl Fn(&Context<'_, T>, &Var<T>) -> (Var<T>, Var<T>) + Send + Sync + 'static,
    ) -> Built<T> {
        self.convolution_of(output, convolution, Box::new(operands))
    }

    // Apart from the above, so that it is compiled once for each float type and not for each layer.
    fn convolution_of<T: Float>(self, output: Shape, convolution: Convolution, operands: Box<Operands<T>>) -> Built<T> {
        let (size, relu) = (output.size(), self.activation == Activation::Relu);
        let is_last = !relu && self.activation != Activation::Linear;
        // A scale and a shift cannot follow the layer's own ReLU, and nothing another activation.
        let supports = Supports { affine: !relu && !is_last, relu: !is_last, pooling: !is_last };
        Built::with_epilogue(output, supports, move |context, x, epilogue| {
            let ((x, kernel), bias) = (operands(context, x), self.bias.map(|bias| context.weight(bias)));
            // A kernel larger than the output costs more to scale than the output.
            let scaled = epilogue.affine.is_some() && epilogue.pooling.is_none();
            if scaled && kernel.value().size() > x.shape()[0] * size {
                return epilogue.of_sum(x.convolve(&kernel, &convolution), bias);
            }
            // scale (x * kernel + bias) + shift = x * (scale kernel) + (scale bias + shift)
            let (kernel, bias) = match (&epilogue.affine, bias) {
                (Some((scale, shift)), Some(bias)) => (kernel * scale, Some(bias * scale + shift)),
                (Some((scale, shift)), None) => (kernel * scale, Some(shift.clone())),
                (None, bias) => (kernel, bias.cloned()),
            };
            let relu = relu || epilogue.relu;
            let y = match (&epilogue.pooling, bias) {
                (Some(pooling), bias) => x.convolve_pooled(&kernel, bias.as_ref(), relu, &convolution, pooling),
                (None, Some(bias)) => x.convolve_biased(&kernel, &bias, relu, &convolution),
                (None, None) if relu => x.convolve(&kernel, &convolution).relu(),
                (None, None) => x.convolve(&kernel, &convolution),
            };
            if is_last { self.activation.apply(&y) } else { y }
        })
    }

    /// The layer that multiplies the input by the kernel. Bias, ReLU and epilogue are one pass over the product.
    pub fn product<T: Float>(self, output: Shape, kernel: ParamId) -> Built<T> {
        let relu = self.activation == Activation::Relu;
        let is_last = !relu && self.activation != Activation::Linear;
        let supports = Supports { affine: !relu && !is_last, relu: !is_last, pooling: false };
        Built::with_epilogue(output, supports, move |context, x, epilogue| {
            let (kernel, bias) = (context.weight(kernel), self.bias.map(|bias| context.weight(bias)));
            let relu = relu || epilogue.relu;
            let y = match (&epilogue.affine, bias) {
                (None, Some(bias)) => x.matmul_biased(kernel, bias, relu),
                (None, None) if relu => x.matmul(kernel).relu(),
                (_, bias) => epilogue.of_sum(x.matmul(kernel), bias),
            };
            if is_last { self.activation.apply(&y) } else { y }
        })
    }

    /// The layer that adds the bias to the result of `compute`, in one pass with the epilogue.
    pub fn computed<T: Float>(
        self,
        output: Shape,
        compute: impl Fn(&Context<'_, T>, &Var<T>) -> Var<T> + Send + Sync + 'static,
    ) -> Built<T> {
        let is_linear = self.activation == Activation::Linear;
        let supports = if is_linear { Supports::ELEMENTWISE } else { Supports::NOTHING };
        Built::with_epilogue(output, supports, move |context, x, epilogue| {
            let y = epilogue.of_sum(compute(context, x), self.bias.map(|bias| context.weight(bias)));
            if is_linear { y } else { self.activation.apply(&y) }
        })
    }
}
