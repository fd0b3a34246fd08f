//! What an optimiser has been told, to be written down.

use gradus_tensor::Float;

use crate::optimizer::Optimizer;
use crate::rule::Rule;
use crate::transform::Clip;

/// The options of an [`Optimizer`] besides its rule and its schedule, each under the name of the method that sets it.
///
/// ```
/// use gradus_optim::{Adam, IntoOptimizer, Optimizer};
/// let optimizer: Optimizer<Adam> = Adam::default().clip_norm(1.0).weight_decay(0.01);
/// let settings = optimizer.settings();
/// assert_eq!((settings.clip_norm, settings.clip_value, settings.weight_decay), (Some(1.0), None, 0.01));
/// assert_eq!(settings.gradient_accumulation_steps, 1);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Settings {
    /// The limit of [`Optimizer::clip_value`].
    pub clip_value: Option<f64>,
    /// The limit of [`Optimizer::clip_norm`].
    pub clip_norm: Option<f64>,
    /// The limit of [`Optimizer::clip_global_norm`].
    pub clip_global_norm: Option<f64>,
    /// The factor of [`Optimizer::l2`]; 0 for none.
    pub l2: f64,
    /// The decay of [`Optimizer::weight_decay`]; 0 for none.
    pub weight_decay: f64,
    /// The names of [`Optimizer::exclude_from_weight_decay`].
    pub exclude_from_weight_decay: Vec<String>,
    /// The number of [`Optimizer::gradient_accumulation_steps`].
    pub gradient_accumulation_steps: u64,
    /// The momentum of [`Optimizer::use_ema`].
    pub use_ema: Option<f64>,
    /// The number of [`Optimizer::ema_overwrite_frequency`].
    pub ema_overwrite_frequency: Option<u64>,
}

impl<R: Rule, T: Float> Optimizer<R, T> {
    /// The options besides the rule and the schedule.
    pub fn settings(&self) -> Settings {
        let transforms = &self.transforms;
        let limit = |of: fn(Clip) -> Option<f64>| transforms.clip.and_then(of);
        Settings {
            clip_value: limit(|clip| if let Clip::Value(limit) = clip { Some(limit) } else { None }),
            clip_norm: limit(|clip| if let Clip::Norm(limit) = clip { Some(limit) } else { None }),
            clip_global_norm: limit(|clip| if let Clip::GlobalNorm(limit) = clip { Some(limit) } else { None }),
            l2: transforms.l2,
            weight_decay: transforms.weight_decay,
            exclude_from_weight_decay: transforms.excluded.clone(),
            gradient_accumulation_steps: self.batches_per_step,
            use_ema: self.ema.map(|ema| ema.momentum),
            ema_overwrite_frequency: self.ema.and_then(|ema| ema.overwrite_frequency),
        }
    }
}
