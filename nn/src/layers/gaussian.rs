//! Normal noise while training.

use super::support::after_affine;
use super::support::prelude::*;

options! {
    /// While training, x plus normal noise of mean 0; when predicting, x. Shape: unchanged.
    ///
    /// ```
    /// use gradus_nn::{Dense, GaussianNoise, Model, Sequential};
    /// let network = Sequential::new().add(GaussianNoise::new(0.1)).add(Dense::new(1));
    /// assert_eq!(Model::build(network, [4], 42)?.summary().total_params, 5); // Those of the dense layer.
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct GaussianNoise {
        /// A layer with noise of this standard deviation.
        pub fn new(stddev: f64);
    }
}

impl Layer for GaussianNoise {
    const KIND: &'static str = "GaussianNoise";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let stddev = T::of(self.stddev);
        if !(stddev >= T::ZERO && stddev < T::HIGHEST) {
            let problem = format!("the standard deviation must be finite and not negative, found {}", self.stddev);
            return Err(build.error(problem, "give it in the units of the input"));
        }
        let built = Built::new(build.input()?, move |context, x| match context.training() {
            Some(generator) => x + &generator.normal(x.shape(), T::ZERO, stddev),
            None => x.clone(),
        });
        Ok(built.mask_rule(MaskRule::Kept))
    }

    fn output_activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        after_affine(inputs)
    }
}

options! {
    /// While training, x times normal noise of mean 1 and variance rate / (1 - rate), that of [`Dropout`](super::Dropout);
    /// when predicting, x. Shape: unchanged.
    ///
    /// ```
    /// use gradus_nn::{GaussianDropout, Model, Sequential};
    /// assert!(Model::build(Sequential::new().add(GaussianDropout::new(0.2)), [4], 42).is_ok());
    /// // The rate is a share below 1.
    /// assert!(Model::build(Sequential::new().add(GaussianDropout::new(1.0)), [4], 42).is_err());
    /// ```
    pub struct GaussianDropout {
        /// A layer with the noise of a dropout of this rate.
        pub fn new(#[check(checks::rate)] rate: f64);
    }
}

impl Layer for GaussianDropout {
    const KIND: &'static str = "GaussianDropout";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        self.check(build)?;
        let stddev = T::of((self.rate / (1.0 - self.rate)).sqrt());
        let built = Built::new(build.input()?, move |context, x| match context.training() {
            Some(generator) => x * &generator.normal(x.shape(), T::ONE, stddev),
            None => x.clone(),
        });
        Ok(built.mask_rule(MaskRule::Kept))
    }

    fn output_activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        inputs.to_vec()
    }
}
