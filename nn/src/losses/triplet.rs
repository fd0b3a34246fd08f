//! Distances between the vectors of three samples.

use gradus_autograd::Var;
use gradus_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};

use super::{Loss, options};
use crate::error::{Error, Result};

/// max(|a - p| - |a - n| + margin, 0): a vector a, the anchor, should be nearer to p, which belongs with it, than to n, which does
/// not, by a margin of 1. Schroff et al., arXiv:1503.03832; PyTorch's `triplet_margin_loss`.
///
/// Outputs have the shape `[n, 3, features]`: anchor, positive and negative, as one network gives them for three inputs. The targets
/// `[n]` are not read; zeros will do. As in PyTorch, 1e-6 is added to each difference. Where two vectors are the same up to
/// that, no gradient flows through their distance.
///
/// ```
/// use gradus_autograd::Var;
/// use gradus_nn::losses::{Loss, TripletMargin};
/// use gradus_tensor::Tensor;
/// // The negative is 5 away, the positive 1.
/// let vectors = Var::from(Tensor::new([[[0.0, 0.0], [1.0, 0.0], [3.0, 4.0]]]));
/// let nothing = Tensor::new([0.0]);
/// assert_eq!(TripletMargin::default().mean(&nothing, &vectors, None)?.value().item(), 0.0);
/// let wide = TripletMargin::default().margin(6.0).mean(&nothing, &vectors, None)?;
/// assert!((wide.value().item() - 2.0).abs() < 1e-5);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[doc(alias = "TripletMarginLoss")]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TripletMargin {
    #[serde(deserialize_with = "options::read_margin")]
    margin: f64,
    swap: bool,
}

impl Default for TripletMargin {
    fn default() -> Self {
        TripletMargin { margin: 1.0, swap: false }
    }
}

impl TripletMargin {
    /// How much nearer the positive should be; 1 by default.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    pub fn margin(self, margin: f64) -> Self {
        TripletMargin { margin: options::MARGIN.given(margin), ..self }
    }

    /// Whether the distance of positive and negative counts where it is less than that of anchor and negative; false by default.
    /// Balntas et al. 2016, "Learning local feature descriptors with triplets and shallow convolutional neural networks".
    pub fn swap(self, swap: bool) -> Self {
        TripletMargin { swap, ..self }
    }
}

impl Loss for TripletMargin {
    fn name(&self) -> &'static str {
        "triplet_margin"
    }

    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
        let &[n, 3, _] = &outputs.shape()[..] else {
            let problem = format!("outputs of shape [n, 3, features] are needed, found {}", outputs.shape());
            return Err(Error::new(self.name(), problem, "stack the vectors of anchor, positive and negative"));
        };
        if *targets.shape() != [n] {
            let problem = format!("a target for each triplet is needed, [{n}], found {}", targets.shape());
            return Err(Error::new(self.name(), problem, "give zeros; they are not read"));
        }
        let [anchor, positive, negative] = [0, 1, 2].map(|index| outputs.select(1, index));
        let distance = |a: &Var<T>, b: &Var<T>| (a - b + T::of(1e-6)).norm(-1);
        let mut away = distance(&anchor, &negative);
        if self.swap {
            away = away.minimum(distance(&positive, &negative));
        }
        Ok((distance(&anchor, &positive) - away + T::of(self.margin)).relu())
    }
}
