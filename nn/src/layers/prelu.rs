//! The rectified linear unit with learned slopes below 0.

use super::support::prelude::*;
use super::support::shared_along;

options! {
    /// x where positive, else alpha x, with one learned alpha for each element of a sample. He et al., arXiv:1502.01852.
    ///
    /// Shape: unchanged. Weight: `alpha`, of the input's shape without the batch axis, with length 1 along shared axes;
    /// zeros.
    ///
    /// ```
    /// use gradus_nn::{Conv2D, Model, PReLU, Sequential};
    /// // One alpha for each channel of a picture: all places share it.
    /// let network = Sequential::new().add(Conv2D::new(8, 3)).add(PReLU::new().shared_axes([1, 2]));
    /// let model = Model::build(network, [28, 28, 1], 42)?;
    /// assert_eq!(model.params().get("1/alpha").unwrap().value.shape(), &[1, 1, 8]);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct PReLU {
        /// A layer with one alpha for each element of a sample.
        pub fn new();
        /// The distribution of alpha's first values; zeros by default.
        alpha_initializer: Initializer = Initializer::Zeros,
        /// The penalty on alpha; none by default.
        alpha_regularizer: Option<Regularizer> = None,
        /// The constraint on alpha; none by default.
        alpha_constraint: Option<Constraint> = None,
        /// The axes along which all elements share one alpha, counted from 1, since axis 0 is the batch; none by default.
        shared_axes: Vec<usize> = Vec::new(),
    }
}

impl Layer for PReLU {
    const KIND: &'static str = "PReLU";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let shape = shared_along(&self.shared_axes, build)?;
        let options = (self.alpha_initializer, self.alpha_regularizer, self.alpha_constraint.clone());
        let alpha = weight_with_options(build, "alpha", shape, options)?;
        let built = Built::new(build.input()?, move |context, x| x.relu() - (-x).relu() * context.weight(alpha));
        Ok(built.mask_rule(MaskRule::Kept))
    }
}
