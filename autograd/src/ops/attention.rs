//! Scaled dot-product attention: one op.

use gradus_tensor::{Attention, Float};

use crate::op::Op;
use crate::var::Var;

impl<T: Float> Var<T> {
    /// Scaled dot-product attention of this var (the queries) to keys and values; [`Tensor::attention`] describes it.
    ///
    /// Shapes: queries `[n, tq, heads, d]`, keys `[n, tk, kv_heads, d]`, values `[n, tk, kv_heads, dv]`, result
    /// `[n, tq, heads, dv]`. The backward pass computes the weights again, so memory grows with the number of positions only.
    ///
    /// ```
    /// use gradus_autograd::Var;
    /// use gradus_tensor::{Attention, Tensor};
    /// let x = Var::from(Tensor::new([[[[1.0]], [[3.0]]]]));
    /// let zeros = Var::from(Tensor::zeros([1, 2, 1, 1]));
    /// assert_eq!(zeros.attention(&x, &x, &Attention::new()).value().flatten(), Tensor::new([2.0, 2.0]));
    /// ```
    ///
    /// [`Tensor::attention`]: gradus_tensor::Tensor::attention
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn attention(&self, key: &Var<T>, value: &Var<T>, how: &Attention) -> Var<T> {
        let (y, sums) = self.value().attention(key.value(), value.value(), how);
        let (q, k, v) = (self.value().clone(), key.value().clone(), value.value().clone());
        let (output, how) = (y.clone(), how.clone());
        let derivative = move |g, _| q.attention_gradient(&g, &k, &v, &how, &output, &sums);
        Op::new("attention", y).joint([self, key, value], derivative).finish()
    }
}
