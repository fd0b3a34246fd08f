//! What the layers that convolve have in common.

use gradus_autograd::Var;
use gradus_tensor::{Convolution, Float, Shape};

use super::windows::{Padding, check_full};
use crate::activation::Activation;
use crate::error::Result;
use crate::fusion::Takes;
use crate::initializers::Initializer;
use crate::layer::{Build, Built, Context, ParamId};
use crate::regularizers::Regularizer;

/// How the windows of a layer lie.
pub(super) struct Geometry<'a> {
    pub kernel_size: &'a [usize],
    pub strides: &'a [usize],
    pub padding: &'a Padding,
    pub dilation_rate: &'a [usize],
}

impl Geometry<'_> {
    /// The input's shape, once that and the layer's numbers are found to make sense.
    pub fn check<T: Float>(&self, build: &Build<'_, T>) -> Result<Shape> {
        let rank = self.kernel_size.len();
        let input = check_full(build, rank)?;
        let sizes =
            [("kernel_size", self.kernel_size), ("strides", self.strides), ("dilation_rate", self.dilation_rate)];
        for (name, numbers) in sizes {
            if numbers.contains(&0) {
                let problem = format!("{name} must be 1 or more along each axis, found {numbers:?}");
                return Err(build.error(problem, "1 is the least"));
            }
        }
        self.padding.check(rank, build)?;
        Ok(input)
    }

    /// The convolution of an input of this shape, and the spatial lengths of its output.
    pub fn convolution<T: Float>(
        &self,
        input: &Shape,
        groups: usize,
        build: &Build<'_, T>,
    ) -> Result<(Convolution, Shape)> {
        let rank = self.kernel_size.len();
        let padding = self.padding.widths(&input[..rank], self.kernel_size, self.strides, self.dilation_rate);
        let convolution =
            Convolution::new(rank).strides(self.strides).dilation(self.dilation_rate).padding(&padding).groups(groups);
        let lengths = convolution.output_lengths(&input[..rank], self.kernel_size).map_err(|error| {
            build.error(error.to_string(), "make the kernel or the dilation smaller, or pad with Padding::Same")
        })?;
        Ok((convolution, lengths))
    }
}

/// Refuses a layer without outputs.
pub(super) fn check_filters<T: Float>(filters: usize, build: &Build<'_, T>) -> Result<()> {
    if filters == 0 {
        return Err(build.error("needs at least one filter, found 0", "give the number of output channels"));
    }
    Ok(())
}

/// Refuses samples without channels, of which each would be a group.
pub(super) fn check_channels<T: Float>(channels: usize, build: &Build<'_, T>) -> Result<()> {
    if channels == 0 {
        return Err(build.error("needs at least one input channel, found 0", "give it samples that hold some"));
    }
    Ok(())
}

/// What a layer does with the result of its convolution: it adds a bias, and applies a function.
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

/// Methods that set an option of a layer each.
macro_rules! options {
    ($Name:ident: $($(#[$doc:meta])+ $option:ident: $Type:ty;)*) => {
        impl $Name {
            $(
                $(#[$doc])+
                pub fn $option(self, $option: $Type) -> Self {
                    $Name { $option: $option.into(), ..self }
                }
            )*
        }
    };
}
pub(super) use options;

/// The options of every layer that convolves over so many axes.
macro_rules! shared_options {
    ($Name:ident, $rank:literal) => {
        crate::layers::convolving::options! { $Name:
            /// With windows so far apart.
            strides: [usize; $rank];
            /// With this padding.
            padding: Padding;
            /// With the elements of a window so far apart.
            dilation_rate: [usize; $rank];
            /// With this activation.
            activation: Activation;
            /// With or without a bias.
            use_bias: bool;
            /// With the bias drawn from this distribution.
            bias_initializer: Initializer;
            /// With this penalty on the bias.
            bias_regularizer: Regularizer;
        }
    };
}
pub(super) use shared_options;
