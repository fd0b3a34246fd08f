//! The end of a layer that convolves or multiplies: a bias, an activation, and what may follow in the same pass.

use gradus_autograd::Var;
use gradus_tensor::{Convolution, Float, Shape};

use crate::activation::Activation;
use crate::error::Result;
use crate::fusion::Takes;
use crate::initializers::Initializer;
use crate::layer::{Build, Built, Context, ParamId};
use crate::regularizers::Regularizer;

/// What a layer does with its product: it adds a bias, and applies a function.
#[derive(Clone, Copy)]
pub(super) struct Finish {
    bias: Option<ParamId>,
    activation: Activation,
}

impl Finish {
    /// With a bias for each of `filters` outputs, drawn by the initialiser if there is one.
    pub fn new<T: Float>(
        filters: usize,
        bias: Option<Initializer>,
        regularizer: Option<Regularizer>,
        activation: Activation,
        build: &mut Build<'_, T>,
    ) -> Result<Self> {
        let bias = bias.map(|initializer| build.weight("bias", filters, initializer)).transpose()?;
        if let Some(bias) = bias {
            build.penalty(bias, regularizer);
        }
        Ok(Finish { bias, activation })
    }

    /// The layer that convolves what `operands` makes of its input with the kernel that it gives, finished in the
    /// convolution's own pass over the output as far as that goes; so may be what follows the layer.
    pub fn convolution<T: Float>(
        self,
        output: Shape,
        convolution: Convolution,
        operands: impl Fn(&Context<'_, T>, &Var<T>) -> (Var<T>, Var<T>) + Clone + Send + Sync + 'static,
    ) -> Built<T> {
        let (twin, same, size) = (operands.clone(), convolution.clone(), output.size());
        let built = Built::new(output, move |context, x| {
            let (x, kernel) = operands(context, x);
            match self.bias.map(|bias| context.weight(bias)) {
                Some(bias) if self.activation == Activation::Relu => {
                    x.convolve_biased(&kernel, bias, true, &convolution)
                }
                Some(bias) => self.activation.apply(&x.convolve_biased(&kernel, bias, false, &convolution)),
                None => self.activation.apply(&x.convolve(&kernel, &convolution)),
            }
        });
        if !matches!(self.activation, Activation::Linear | Activation::Relu) {
            return built;
        }
        let takes = Takes { relu: self.activation == Activation::Relu, pooling: true };
        built.absorbing(takes, move |context, x, then| {
            let ((x, kernel), bias) = (twin(context, x), self.bias.map(|bias| context.weight(bias)));
            // A kernel larger than the output costs more to scale than the output.
            if then.affine.is_some() && then.pooling.is_none() && kernel.value().size() > x.shape()[0] * size {
                return then.of_sum(x.convolve(&kernel, &same), bias);
            }
            // scale (x * kernel + bias) + shift = x * (scale kernel) + (scale bias + shift)
            let (kernel, bias) = match (&then.affine, bias) {
                (Some((scale, shift)), Some(bias)) => (kernel * scale, Some(bias * scale + shift)),
                (Some((scale, shift)), None) => (kernel * scale, Some(shift.clone())),
                (None, bias) => (kernel, bias.cloned()),
            };
            match (&then.pooling, bias) {
                (Some(pooling), bias) => x.convolve_pooled(&kernel, bias.as_ref(), then.relu, &same, pooling),
                (None, Some(bias)) => x.convolve_biased(&kernel, &bias, then.relu, &same),
                (None, None) if then.relu => x.convolve(&kernel, &same).relu(),
                (None, None) => x.convolve(&kernel, &same),
            }
        })
    }

    /// The layer that adds the bias to what `compute` makes of its input, in the same pass as what may follow.
    pub fn computed<T: Float>(
        self,
        output: Shape,
        compute: impl Fn(&Context<'_, T>, &Var<T>) -> Var<T> + Clone + Send + Sync + 'static,
    ) -> Built<T> {
        let twin = compute.clone();
        let built = Built::new(output, move |context, x| {
            let y = compute(context, x);
            self.activation.apply(&match self.bias {
                Some(bias) => y + context.weight(bias),
                None => y,
            })
        });
        if self.activation != Activation::Linear {
            return built;
        }
        built.absorbing(Takes::ELEMENTWISE, move |context, x, then| {
            then.of_sum(twin(context, x), self.bias.map(|bias| context.weight(bias)))
        })
    }
}
