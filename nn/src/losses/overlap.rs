//! Losses of overlap, for pictures divided into what belongs and what does not.

use gradus_autograd::Var;
use gradus_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};

use super::probabilities::check_probabilities;
use super::{ALIKE, Expects, Loss, options, same_shape};
use crate::error::{Error, Result};

/// Keeps the division away from 0, as in Keras.
const EPSILON: f64 = 1e-7;
const HINT: &str = "end the network in Activation::Sigmoid, or for several classes in Activation::Softmax";

/// Of each sample: what targets and outputs have in common, what the outputs have besides, and what they lack.
struct Overlap<T: Float> {
    common: Var<T>,
    besides: Var<T>,
    lacking: Var<T>,
}

impl<T: Float> Overlap<T> {
    fn new(name: &str, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Self> {
        same_shape(name, targets, outputs, ALIKE)?;
        check_probabilities(name, outputs.value(), HINT)?;
        if let Some((place, value)) = targets.iter().enumerate().find(|(_, t)| !(T::ZERO..=T::ONE).contains(t)) {
            let problem = format!("targets must be in 0 to 1, found {value} at element {place} of {}", targets.shape());
            return Err(Error::new(name, problem, "divide masks of 0 and 255 by 255, and make classes one-hot"));
        }
        let axes: Vec<isize> = (1..targets.ndim() as isize).collect();
        let sum = |x: Var<T>| if axes.is_empty() { x } else { x.sum(&axes[..]) };
        let common = sum(outputs * targets);
        let (besides, lacking) = (sum(outputs.clone()) - &common, sum(Var::from(targets)) - &common);
        Ok(Overlap { common, besides, lacking })
    }
}

/// 1 - 2 common / (size of the targets + size of the outputs): how little the two overlap, sample by sample.
///
/// Targets of 0 and 1 and probabilities have the same shape `[n, ..]`, as of the places of a picture; the common part is the sum of
/// their products. Targets outside 0 to 1, as masks of 255, are an error. How much background there is does not matter, as it does
/// for a cross-entropy: in a picture with one small spot the spot counts. Keras's `Dice` with all axes but the batch's. Milletari et
/// al., arXiv:1606.04797.
///
/// ```
/// use gradus_autograd::Var;
/// use gradus_nn::losses::{Dice, Loss};
/// use gradus_tensor::Tensor;
/// let (targets, outputs) = (Tensor::new([[1.0, 1.0, 0.0, 0.0]]), Tensor::new([[1.0, 0.0, 1.0, 0.0]]));
/// let loss = Dice.mean(&targets, &Var::from(outputs), None)?;
/// assert!((loss.value().item() - 0.5).abs() < 1e-6);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[doc(alias = "DiceLoss")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Dice;

impl Loss for Dice {
    fn name(&self) -> &'static str {
        "dice"
    }

    fn expects(&self) -> Expects {
        Expects::Distribution
    }

    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
        let Overlap { common, besides, lacking } = Overlap::new(self.name(), targets, outputs)?;
        let twice = common * T::of(2.0) + T::of(EPSILON);
        Ok(-(&twice / (&twice + besides + lacking)) + T::ONE)
    }
}

/// 1 - common / (common + alpha besides + beta lacking): how little targets and outputs overlap, where what the outputs have besides
/// and what they lack count differently.
///
/// Shapes are those of [`Dice`], which it is for alpha and beta of 0.5, as by default. A beta above alpha finds more, at the price of
/// false alarms. Salehi et al., arXiv:1706.05721. (Keras's `Tversky` takes its alpha for what is lacking, and its beta for what there is
/// besides.)
///
/// ```
/// use gradus_autograd::Var;
/// use gradus_nn::losses::{Loss, Tversky};
/// use gradus_tensor::Tensor;
/// // One place in common, one besides, two lacking: 1 - 1 / (1 + 0.3 x 1 + 0.7 x 2).
/// let (targets, outputs) = (Tensor::new([[1.0, 1.0, 1.0, 0.0]]), Var::from(Tensor::new([[1.0, 0.0, 0.0, 1.0]])));
/// let loss = Tversky::default().alpha(0.3).beta(0.7).mean(&targets, &outputs, None)?.value().item();
/// assert!((loss - (1.0 - 1.0 / 2.7)).abs() < 1e-6);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tversky {
    #[serde(deserialize_with = "options::read_alpha")]
    alpha: f64,
    #[serde(deserialize_with = "options::read_beta")]
    beta: f64,
}

impl Default for Tversky {
    fn default() -> Self {
        Tversky { alpha: 0.5, beta: 0.5 }
    }
}

impl Tversky {
    /// How much counts what the outputs have besides, false positives; 0.5 by default.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    pub fn alpha(self, alpha: f64) -> Self {
        Tversky { alpha: options::ALPHA.given(alpha), ..self }
    }

    /// How much counts what the outputs lack, false negatives; 0.5 by default.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    pub fn beta(self, beta: f64) -> Self {
        Tversky { beta: options::BETA.given(beta), ..self }
    }
}

impl Loss for Tversky {
    fn name(&self) -> &'static str {
        "tversky"
    }

    fn expects(&self) -> Expects {
        Expects::Distribution
    }

    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
        let Overlap { common, besides, lacking } = Overlap::new(self.name(), targets, outputs)?;
        let common = common + T::of(EPSILON);
        let all = &common + besides * T::of(self.alpha) + lacking * T::of(self.beta);
        Ok(-(&common / all) + T::ONE)
    }
}
