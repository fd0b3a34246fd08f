//! A layer that does nothing.

use serde::{Deserialize, Serialize};

use super::support::prelude::*;

/// The input as it is, of any shape: the place of a layer that is left out, or a name for a value.
///
/// ```
/// use gradus_nn::{Dense, Identity, Model, Sequential};
/// let network = Sequential::new().add_named("features", Identity).add(Dense::new(2));
/// assert_eq!(Model::build(network, [3], 0)?.output_shape(), &[2]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Identity;

impl Layer for Identity {
    const KIND: &'static str = "Identity";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        Ok(Built::new(build.input()?, |_, x| x.clone()).mask_rule(MaskRule::Kept))
    }

    fn output_activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        inputs.to_vec()
    }
}
