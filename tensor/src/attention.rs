//! The options of scaled dot-product attention.

use crate::tensor::Tensor;

/// How queries attend to keys: the scale of the scores, which keys each query sees, and dropout of the weights.
/// [`Tensor::attention`] applies it.
///
/// A query sees a key if all of `causal`, `key_mask` and `mask` admit it. A query that sees no key gets zeros.
///
/// ```
/// use gradus_tensor::{Attention, Tensor};
/// // One sample, two positions, one head of one number. The second key is padding.
/// let x = Tensor::new([[[[1.0]], [[2.0]]]]);
/// let there = Tensor::from([true, false]).reshape([1, 2]);
/// let (y, _) = x.attention(&x, &x, &Attention::new().key_mask(there));
/// assert_eq!(y.flatten(), Tensor::new([1.0, 1.0]));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Attention {
    pub(crate) scale: Option<f64>,
    pub(crate) causal: bool,
    pub(crate) key_mask: Option<Tensor<bool>>,
    pub(crate) mask: Option<Tensor<bool>>,
    pub(crate) dropout: Option<(f64, u64)>,
}

impl Attention {
    /// Every query sees every key. The scale is 1 / sqrt(d), where d is the length of a query.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the factor of the products of queries and keys.
    pub fn scale(self, scale: f64) -> Self {
        Attention { scale: Some(scale), ..self }
    }

    /// A query sees no later key. The last query stands at the place of the last key: query i of `tq` sees the first
    /// `i + 1 + tk - tq` of `tk` keys. So new queries behind a cache of keys see all of the cache.
    pub fn causal(self, causal: bool) -> Self {
        Attention { causal, ..self }
    }

    /// The keys that are there, `[n, tk]`. The others are not seen.
    pub fn key_mask(self, mask: Tensor<bool>) -> Self {
        Attention { key_mask: Some(mask), ..self }
    }

    /// The keys that each query sees, in a shape that broadcasts to `[n, heads, tq, tk]`.
    pub fn mask(self, mask: Tensor<bool>) -> Self {
        Attention { mask: Some(mask), ..self }
    }

    /// Each weight becomes 0 with probability `rate`, else is divided by 1 - `rate`. The draws are those of
    /// [`Tensor::dropout`] with this seed for the weights `[n, heads, tq, tk]`.
    ///
    /// # Panics
    /// Unless 0 <= `rate` < 1.
    #[track_caller]
    pub fn dropout(self, rate: f64, seed: u64) -> Self {
        assert!((0.0..1.0).contains(&rate), "attention: the dropout rate must be at least 0 and less than 1: {rate}");
        Attention { dropout: (rate > 0.0).then_some((rate, seed)), ..self }
    }
}
