//! The fully connected layer.

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use super::finish::Finish;
use crate::activation::Activation;
use crate::error::Result;
use crate::initializers::Initializer;
use crate::layer::{Build, Built, Layer};
use crate::regularizers::Regularizer;

/// y = activation(x . kernel + bias)
///
/// Shapes: `[n, .., features]` to `[n, .., units]`. Weights: `kernel` `[features, units]`, Glorot uniform, and `bias`
/// `[units]`, zeros.
///
/// ```
/// use gradus_nn::{Activation, Dense};
/// let hidden = Dense::new(128).activation(Activation::Relu);
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dense {
    units: usize,
    activation: Activation,
    use_bias: bool,
    kernel_initializer: Initializer,
    bias_initializer: Initializer,
    kernel_regularizer: Option<Regularizer>,
    bias_regularizer: Option<Regularizer>,
}

impl Dense {
    /// A layer of `units` outputs, linear, with a bias.
    pub fn new(units: usize) -> Self {
        Dense {
            units,
            activation: Activation::Linear,
            use_bias: true,
            kernel_initializer: Initializer::GlorotUniform,
            bias_initializer: Initializer::Zeros,
            kernel_regularizer: None,
            bias_regularizer: None,
        }
    }

    /// With this activation.
    pub fn activation(self, activation: Activation) -> Self {
        Dense { activation, ..self }
    }

    /// With or without a bias.
    pub fn use_bias(self, use_bias: bool) -> Self {
        Dense { use_bias, ..self }
    }

    /// With the kernel drawn from this distribution.
    pub fn kernel_initializer(self, kernel_initializer: Initializer) -> Self {
        Dense { kernel_initializer, ..self }
    }

    /// With the bias drawn from this distribution.
    pub fn bias_initializer(self, bias_initializer: Initializer) -> Self {
        Dense { bias_initializer, ..self }
    }

    /// With this penalty on the kernel.
    pub fn kernel_regularizer(self, regularizer: Regularizer) -> Self {
        Dense { kernel_regularizer: Some(regularizer), ..self }
    }

    /// With this penalty on the bias.
    pub fn bias_regularizer(self, regularizer: Regularizer) -> Self {
        Dense { bias_regularizer: Some(regularizer), ..self }
    }
}

impl Layer for Dense {
    const KIND: &'static str = "Dense";
    crate::layer::compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let features = build.features()?;
        if self.units == 0 {
            return Err(build.error("needs at least one unit, found 0", "give the number of outputs"));
        }
        if self.units == 1 && self.activation == Activation::Softmax {
            let hint = "use Activation::Sigmoid for a yes or no, or one unit for each class";
            return Err(build.error("softmax of a single unit is always 1", hint));
        }
        let mut output = build.input()?.clone();
        *output.last_mut().expect("features() found a last axis") = self.units;

        let kernel = build.weight("kernel", [features, self.units], self.kernel_initializer)?;
        build.penalty(kernel, self.kernel_regularizer);
        let bias = self.use_bias.then_some(self.bias_initializer);
        let finish = Finish::new(self.units, bias, self.bias_regularizer, self.activation, build)?;
        Ok(finish.computed(output, move |context, x| x.matmul(context.weight(kernel))))
    }
}
