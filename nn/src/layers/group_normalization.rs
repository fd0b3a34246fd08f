//! Groups of a sample's channels normalised to mean 0 and variance 1.

use gradus_tensor::Standardization;

use super::support::prelude::*;
use super::support::{FeatureAxes, GammaBeta, Normalizer};

options! {
    /// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, with mean and variance of each sample over all its places and a
    /// group of neighbouring channels.
    ///
    /// Shape: unchanged. Weights: `gamma`, ones, and `beta`, zeros, both `[channels]`. Wu and He,
    /// arXiv:1803.08494.
    ///
    /// ```
    /// use gradus_nn::{GroupNormalization, Model, Sequential};
    /// let model = Model::build(Sequential::new().add(GroupNormalization::new().groups(8)), [28, 28, 64], 42)?;
    /// assert_eq!(model.output_shape(), &[28, 28, 64]);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct GroupNormalization {
        /// A layer of 32 groups along the last axis, with epsilon 0.001, gamma and beta.
        pub fn new();
        /// The number of groups, or -1 for a group of each channel (instance normalisation); 32 by default.
        groups: isize = 32,
        /// The axis of the channels: counted from 1, since axis 0 is the batch, or from -1, the last, down.
        axis: isize = -1,
        /// The number added to the variance; 0.001 by default.
        #[check(checks::epsilon("Keras's is 0.001"))]
        epsilon: f64 = 1e-3,
        /// Whether beta is added, as by default.
        center: bool = true,
        /// Whether gamma multiplies, as by default.
        scale: bool = true,
        /// The constraint on beta; none by default.
        beta_constraint: Option<Constraint> = None,
        /// The constraint on gamma; none by default.
        gamma_constraint: Option<Constraint> = None,
    }
}

/// The short form of [`GroupNormalization`].
pub type GroupNorm = GroupNormalization;

impl Layer for GroupNormalization {
    const KIND: &'static str = "GroupNormalization";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let features = FeatureAxes::new(&[self.axis], build)?;
        let channels = features.shape[0];
        let groups = match self.groups {
            -1 => channels,
            groups => usize::try_from(groups).unwrap_or(0),
        };
        if groups == 0 || !channels.is_multiple_of(groups) {
            let problem = format!("{} groups must divide the {channels} channels", self.groups);
            return Err(build.error(problem, "choose a number of groups that does, or -1 for a group of each channel"));
        }
        self.check(build)?;
        let how = Standardization::of_groups(groups).epsilon(self.epsilon);
        let gamma = (self.scale, self.gamma_constraint.as_ref());
        let beta = (self.center, self.beta_constraint.as_ref());
        let weights = GammaBeta::new(gamma, beta, &features, build)?;
        Normalizer { features, weights, how }.layer(build)
    }

    fn output_activations(&self, _inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        vec![Some(Activation::Linear)]
    }
}
