//! The fully connected layer.

use super::support::BiasActivation;
use super::support::prelude::*;

options! {
    /// y = activation(x . kernel + bias)
    ///
    /// Shapes: `[n, .., features]` to `[n, .., units]`. Weights: `kernel` `[features, units]`, Glorot uniform, and `bias`
    /// `[units]`, zeros.
    ///
    /// ```
    /// use gradus_nn::{Activation, Dense};
    /// let hidden = Dense::new(128).activation(Activation::Relu);
    /// ```
    #[doc(alias = "Linear")]
    pub struct Dense {
        /// A layer with this number of units (outputs), linear, with a bias.
        pub fn new(#[check(checks::at_least_one("unit", "give the number of outputs"))] units: usize);
        /// The activation; linear by default.
        activation: Activation = Activation::Linear,
        /// Whether a bias is added, as by default.
        use_bias: bool = true,
        /// The distribution of the kernel's first values; Glorot uniform by default.
        kernel_initializer: Initializer = Initializer::GlorotUniform,
        /// The distribution of the bias's first values; zeros by default.
        bias_initializer: Initializer = Initializer::Zeros,
        /// The penalty on the kernel; none by default.
        kernel_regularizer: Option<Regularizer> = None,
        /// The penalty on the bias; none by default.
        bias_regularizer: Option<Regularizer> = None,
        /// The constraint on the kernel; none by default.
        kernel_constraint: Option<Constraint> = None,
        /// The constraint on the bias; none by default.
        bias_constraint: Option<Constraint> = None,
    }
}

impl Layer for Dense {
    const KIND: &'static str = "Dense";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let (features, units) = (build.features()?, self.units);
        self.check(build)?;
        let mut output = build.input()?.clone();
        *output.last_mut().expect("features() found a last axis") = units;
        let options = (self.kernel_initializer, self.kernel_regularizer, self.kernel_constraint.clone());
        let kernel = weight_with_options(build, "kernel", [features, units], options)?;
        let bias = self.use_bias.then(|| (self.bias_initializer, self.bias_regularizer, self.bias_constraint.clone()));
        let ending = BiasActivation::new(build, units, bias, self.activation)?;
        let rule = MaskRule::kept_if(output.len() > 1);
        Ok(ending.product(output, kernel).mask_rule(rule))
    }

    fn output_activations(&self, _inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        vec![Some(self.activation)]
    }
}
