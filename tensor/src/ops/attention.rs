//! Scaled dot-product attention.

use super::elements;
use crate::attention::Attention;
use crate::element::Float;
use crate::kernels::attention::{self as kernels, Results, RowSums, WeightDropout};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// The sums of the softmax of each row of attention weights, which the gradient needs.
///
/// ```
/// use gradus_tensor::{Attention, Tensor};
/// // Two positions of one head, whose scores are all 0: each weight is 1 over the number of keys that are seen.
/// let (q, v) = (Tensor::zeros([1, 2, 1, 4]), Tensor::zeros([1, 2, 1, 3]));
/// let (_, sums) = q.attention(&q, &v, &Attention::new().causal(true));
/// assert_eq!(sums.inverse, Tensor::new([[[1.0, 0.5]]]));
/// ```
#[derive(Clone, Debug)]
pub struct AttentionSums<T: Float> {
    /// The largest score of each query times log2 e, `[n, heads, tq]`; 0 for a query that sees no key.
    pub largest: Tensor<T>,
    /// 1 over the sum of 2^(score log2 e - largest), `[n, heads, tq]`; 0 for a query that sees no key.
    pub inverse: Tensor<T>,
}

/// The operands of an attention, checked, with contiguous rows.
struct Checked<T: Float> {
    query: Tensor<T>,
    key: Tensor<T>,
    value: Tensor<T>,
    key_mask: Option<Tensor<bool>>,
    mask: Option<Tensor<bool>>,
    how: Attention,
}

impl<T: Float> Checked<T> {
    #[track_caller]
    fn new(op: &str, query: &Tensor<T>, key: &Tensor<T>, value: &Tensor<T>, how: &Attention) -> Self {
        let shapes = [query.shape(), key.shape(), value.shape()];
        if shapes.iter().any(|shape| shape.len() != 4) {
            panic_shapes(op, "queries, keys and values need four axes [n, t, heads, d]", shapes);
        }
        let [q, k, v] = shapes;
        if q[0] != k[0] || k[..3] != v[..3] || q[3] != k[3] {
            let problem = "samples and lengths of queries and keys, and keys and values, must fit each other";
            panic_shapes(op, problem, shapes);
        }
        if k[2] == 0 || !q[2].is_multiple_of(k[2]) {
            panic_shapes(op, "the number of heads must be a multiple of that of keys", shapes);
        }
        if let Some(mask) = &how.key_mask
            && *mask.shape() != [k[0], k[1]]
        {
            panic_mask(op, "key mask", mask.shape(), &[k[0], k[1]].into());
        }
        let all: Shape = [q[0], q[2], q[1], k[1]].into();
        // (A closure would take the caller's line away.)
        let mask = match &how.mask {
            None => None,
            Some(mask) => match mask.try_broadcast_to(all.clone()) {
                Ok(mask) => Some(mask),
                Err(_) => panic_mask(op, "mask", mask.shape(), &all),
            },
        };
        Checked {
            query: with_rows(query),
            key: with_near_rows(key, q[1]),
            value: with_near_rows(value, q[1]),
            key_mask: how.key_mask.clone(),
            mask,
            how: how.clone(),
        }
    }

    fn scale(&self) -> f64 {
        self.how.scale.unwrap_or_else(|| 1.0 / (self.query.shape()[3].max(1) as f64).sqrt())
    }

    fn kernel(&self) -> kernels::Attention<'_, T> {
        let dropout = self.how.dropout.map(|(rate, seed)| {
            let keep = 1.0 - rate;
            let factor = T::of(keep.recip());
            WeightDropout { seed, keep: (keep * (1_u64 << 32) as f64).round() as u64, factor }
        });
        kernels::Attention {
            query: self.query.view(),
            key: self.key.view(),
            value: self.value.view(),
            key_mask: self.key_mask.as_ref().map(Tensor::view),
            mask: self.mask.as_ref().map(Tensor::view),
            causal: self.how.causal,
            scale: T::of(self.scale()),
            dropout,
        }
    }

    /// `[n, tq, heads, dv]`
    fn output_shape(&self) -> Shape {
        let q = self.query.shape();
        [q[0], q[1], q[2], self.value.shape()[3]].into()
    }

    /// `[n, heads, tq]`
    fn row_shape(&self) -> Shape {
        let q = self.query.shape();
        [q[0], q[2], q[1]].into()
    }
}

/// The tensor, copied unless its last axis is contiguous.
fn with_rows<T: Float>(x: &Tensor<T>) -> Tensor<T> {
    if x.layout.strides[3] == 1 || x.shape()[3] == 1 { x.clone() } else { x.contiguous() }
}

/// As [`with_rows`], for rows that each of some queries reads: if the rows of a head lie far apart, they share few sets of a cache,
/// so they are brought together.
fn with_near_rows<T: Float>(x: &Tensor<T>, queries: usize) -> Tensor<T> {
    const FAR: usize = 1024;
    let is_far = x.layout.strides[1].unsigned_abs() * size_of::<T>() >= FAR;
    if is_far && queries > 16 { x.swap_axes(1, 2).contiguous().swap_axes(1, 2) } else { with_rows(x) }
}

impl<T: Float> Tensor<T> {
    /// Scaled dot-product attention of this tensor (the queries): softmax over the keys of scale q k', times the values, for
    /// each head (Vaswani et al., arXiv:1706.03762). Also returns the sums that
    /// [`attention_gradient`](Tensor::attention_gradient) needs.
    ///
    /// Shapes: queries `[n, tq, heads, d]`, keys `[n, tk, kv_heads, d]`, values `[n, tk, kv_heads, dv]`, result
    /// `[n, tq, heads, dv]`; `heads` is a multiple of `kv_heads`, and head h has the keys of head h kv_heads / heads (grouped
    /// queries, Ainslie et al., arXiv:2305.13245). The memory needed grows with the number of positions, not with its
    /// square.
    ///
    /// A query that sees no key, or only scores of minus infinity, gets zeros. What it does not see does not reach its
    /// result, not even NaN.
    ///
    /// ```
    /// use gradus_tensor::{Attention, Tensor};
    /// // Three positions, one head. All scores are 0, so each result is the mean of the values that its query sees.
    /// let q = Tensor::zeros([1, 3, 1, 2]);
    /// let v = Tensor::new([[[[1.0]], [[3.0]], [[5.0]]]]);
    /// let (y, _) = q.attention(&q, &v, &Attention::new().causal(true));
    /// assert_eq!(y.flatten(), Tensor::new([1.0, 2.0, 3.0]));
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[doc(alias = "scaled_dot_product_attention")]
    #[track_caller]
    pub fn attention(&self, key: &Tensor<T>, value: &Tensor<T>, how: &Attention) -> (Tensor<T>, AttentionSums<T>) {
        let checked = Checked::new("attention", self, key, value, how);
        let (mut largest, mut inverse) = (Tensor::zeros(checked.row_shape()), Tensor::zeros(checked.row_shape()));
        let output = Tensor::written(checked.output_shape(), |out| {
            if !out.is_empty() {
                let sums = RowSums { largest: largest.as_mut_slice(), inverse: inverse.as_mut_slice() };
                checked.kernel().forward(sums, out);
            }
        });
        (output, AttentionSums { largest, inverse })
    }

    /// The gradients of [`attention`](Tensor::attention) with respect to this tensor (the queries), the keys and the values, from
    /// the gradient `g` of its result, the result and its sums. The weights are computed again.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn attention_gradient(
        &self,
        g: &Tensor<T>,
        key: &Tensor<T>,
        value: &Tensor<T>,
        how: &Attention,
        output: &Tensor<T>,
        sums: &AttentionSums<T>,
    ) -> [Tensor<T>; 3] {
        const OP: &str = "attention_gradient";
        let checked = Checked::new(OP, self, key, value, how);
        super::expect_output_shape(OP, "the gradient", g.shape(), &checked.output_shape());
        super::expect_output_shape(OP, "the result", output.shape(), &checked.output_shape());
        for of_rows in [&sums.largest, &sums.inverse] {
            super::expect_output_shape(OP, "each sum", of_rows.shape(), &checked.row_shape());
        }
        let (g, output) = (with_rows(g), with_rows(output));
        let (largest, inverse) = (sums.largest.contiguous(), sums.inverse.contiguous());
        let mut by_query = Tensor::zeros(self.shape().clone());
        let (mut by_key, mut by_value) = (Tensor::zeros(key.shape().clone()), Tensor::zeros(value.shape().clone()));
        if !(self.shape()[..3].contains(&0) || key.shape()[..3].contains(&0)) {
            let results = Results {
                gradient: g.view(),
                output: output.view(),
                largest: elements(&largest),
                inverse: elements(&inverse),
            };
            let gradients = [by_query.as_mut_slice(), by_key.as_mut_slice(), by_value.as_mut_slice()];
            checked.kernel().backward(&results, gradients);
        }
        [by_query, by_key, by_value]
    }

    /// The weights of [`attention`](Tensor::attention), `[n, heads, tq, tk]`: for a picture of what attends to what. With
    /// dropout, some are 0. A query that sees no key has weights of 0.
    ///
    /// ```
    /// use gradus_tensor::{Attention, Tensor};
    /// let q = Tensor::zeros([1, 2, 1, 4]);
    /// let weights = q.attention_weights(&q, &Attention::new().causal(true));
    /// assert_eq!(weights.reshape([2, 2]), Tensor::new([[1.0, 0.0], [0.5, 0.5]]));
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn attention_weights(&self, key: &Tensor<T>, how: &Attention) -> Tensor<T> {
        let checked = Checked::new("attention_weights", self, key, key, how);
        let (q, k) = (self.shape(), key.shape());
        let (tq, tk, group) = (q[1], k[1], q[2] / k[2]);
        let keys = key.permute([0, 2, 3, 1]).unsqueeze(2).broadcast_to([k[0], k[2], group, k[3], tk]);
        let scores = self.permute([0, 2, 1, 3]).matmul(&keys.reshape([k[0], q[2], k[3], tk])) * T::of(checked.scale());
        let mut visible = Tensor::full([q[0], q[2], tq, tk], true);
        if how.causal {
            let last = Tensor::<i64>::arange(0, tq as i64, 1) + (tk as i64 - tq as i64);
            visible = visible.logical_and(Tensor::<i64>::arange(0, tk as i64, 1).less_equal(last.unsqueeze(1)));
        }
        if let Some(mask) = &how.key_mask {
            visible = visible.logical_and(mask.reshape([k[0], 1, 1, tk]));
        }
        if let Some(mask) = &checked.mask {
            visible = visible.logical_and(mask);
        }
        if tk == 0 {
            return scores;
        }
        let scores = visible.where_(&scores, T::neg_infinity());
        let largest = scores.max(crate::shape::keepdims(-1));
        let is_there = largest.greater(T::neg_infinity()).logical_or(largest.is_nan());
        let terms = (scores - is_there.where_(&largest, T::ZERO)).exp();
        let sum = terms.sum(crate::shape::keepdims(-1));
        let weights = visible.where_(&(terms / is_there.where_(&sum, T::ONE)), T::ZERO);
        match how.dropout {
            Some((rate, seed)) => weights.dropout(rate, seed),
            None => weights,
        }
    }
}

#[cold]
#[track_caller]
fn panic_shapes(op: &str, problem: &str, [q, k, v]: [&Shape; 3]) -> ! {
    panic!("{op}: {problem}: queries {q}, keys {k} and values {v}")
}

#[cold]
#[track_caller]
fn panic_mask(op: &str, what: &str, found: &Shape, expected: &Shape) -> ! {
    panic!("{op}: the {what} must have a shape that fits {expected}, found {found}")
}

#[cfg(test)]
mod tests;
