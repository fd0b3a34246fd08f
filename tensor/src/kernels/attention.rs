//! Scaled dot-product attention: softmax(scale q k') v for each head, and its derivative.
//!
//! On x86-64, blocks of queries meet blocks of keys (`forward`, `backward`), and the softmax is corrected as blocks pass: the
//! matrix of all weights is never in memory (Dao et al., "FlashAttention", arXiv:2205.14135). Elsewhere, for a few
//! queries, and where numbers that are not finite meet masks, rows are computed one by one (`rows`).
//!
//! `tensor/KERNELS.md` describes the blocks.

use std::ops::Range;

use super::{Shared, View};
use crate::element::Float;

#[cfg(target_arch = "x86_64")]
mod backward;
#[cfg(target_arch = "x86_64")]
mod block;
#[cfg(target_arch = "x86_64")]
mod forward;
mod operand;
mod rows;

/// Queries up to which a head's rows are computed one by one: blocks would be mostly empty.
const FEW_QUERIES: usize = 4;
/// Multiply-adds that are worth a task of their own.
const GRAIN: usize = 1 << 19;

/// Attention of some queries to some keys and values.
///
/// Shapes: query `[n, tq, heads, d]`, key `[n, tk, kv_heads, d]`, value `[n, tk, kv_heads, dv]`, each with contiguous rows;
/// result `[n, tq, heads, dv]`. Neighbouring heads share a key and value.
pub(crate) struct Attention<'a, T> {
    pub query: View<'a, T>,
    pub key: View<'a, T>,
    pub value: View<'a, T>,
    /// Which keys are there, `[n, tk]`.
    pub key_mask: Option<View<'a, bool>>,
    /// Which keys each query sees, `[n, heads, tq, tk]`.
    pub mask: Option<View<'a, bool>>,
    pub causal: bool,
    pub scale: T,
    pub dropout: Option<WeightDropout<T>>,
}

/// Dropout of weights: a weight is kept, times `factor`, where the high half of its draw is below `keep`.
#[derive(Clone, Copy)]
pub(crate) struct WeightDropout<T> {
    pub seed: u64,
    pub keep: u64,
    pub factor: T,
}

/// What the backward pass needs of the softmax of each row, `[n, heads, tq]`: the largest score times log2 e, and 1 over the sum
/// of 2^(score log2 e - largest). Both are 0 for a query that sees no key.
pub(crate) struct RowSums<'a, T> {
    pub largest: &'a mut [T],
    pub inverse: &'a mut [T],
}

/// The gradient of the result, the result, and the sums of its rows.
pub(crate) struct Results<'a, T> {
    pub gradient: View<'a, T>,
    pub output: View<'a, T>,
    pub largest: &'a [T],
    pub inverse: &'a [T],
}

impl<T: Float> Attention<'_, T> {
    fn samples(&self) -> usize {
        self.query.layout.shape[0]
    }

    fn queries(&self) -> usize {
        self.query.layout.shape[1]
    }

    fn heads(&self) -> usize {
        self.query.layout.shape[2]
    }

    /// The length of a query and of a key.
    fn depth(&self) -> usize {
        self.query.layout.shape[3]
    }

    fn keys(&self) -> usize {
        self.key.layout.shape[1]
    }

    fn kv_heads(&self) -> usize {
        self.key.layout.shape[2]
    }

    /// The length of a value.
    fn width(&self) -> usize {
        self.value.layout.shape[3]
    }

    /// The heads that share a key and value.
    fn group(&self) -> usize {
        self.heads() / self.kv_heads()
    }

    /// The factor that makes a product of query and key a power of two.
    fn scale2(&self) -> T {
        self.scale * T::of(std::f64::consts::LOG2_E)
    }

    fn is_masked(&self) -> bool {
        self.causal || self.key_mask.is_some() || self.mask.is_some()
    }

    /// The number of keys that a query may see by its place.
    fn end(&self, query: usize) -> usize {
        if self.causal { (query + 1 + self.keys()).saturating_sub(self.queries()) } else { self.keys() }
    }

    /// The keys from the first to the last that are there in a sample.
    fn keys_there(&self, sample: usize) -> Range<usize> {
        let is_there = |&key: &usize| self.is_there(sample, key);
        let start = (0..self.keys()).find(is_there).unwrap_or(self.keys());
        start..(start..self.keys()).rfind(is_there).map_or(start, |last| last + 1)
    }

    fn is_there(&self, sample: usize, key: usize) -> bool {
        self.key_mask.is_none_or(|mask| mask.data[place(mask, [sample, key])])
    }

    fn is_visible(&self, [sample, head, query, key]: [usize; 4]) -> bool {
        let by_mask = || self.mask.is_none_or(|mask| mask.data[place(mask, [sample, head, query, key])]);
        key < self.end(query) && self.is_there(sample, key) && by_mask()
    }

    /// The factor of a weight by dropout.
    fn dropped(&self, [sample, head, query, key]: [usize; 4]) -> T {
        let index = ((sample * self.heads() + head) * self.queries() + query) * self.keys() + key;
        self.dropout.map_or(T::ONE, |dropout| dropout.factor_of(index as u64))
    }

    /// Writes the result, and the sums of its rows.
    pub fn forward(&self, sums: RowSums<'_, T>, out: &mut [T]) {
        #[cfg(target_arch = "x86_64")]
        if self.queries() > FEW_QUERIES {
            let is_done = forward::forward(self, [&mut *sums.largest, &mut *sums.inverse], out);
            if is_done {
                return;
            }
        }
        rows::forward(self, sums, out);
    }

    /// Writes the gradients by query, key and value.
    pub fn backward(&self, results: &Results<'_, T>, gradients: [&mut [T]; 3]) {
        let [by_query, by_key, by_value] = gradients;
        #[cfg(target_arch = "x86_64")]
        if backward::backward(self, results, [&mut *by_query, &mut *by_key, &mut *by_value]) {
            return;
        }
        rows::backward(self, results, [by_query, by_key, by_value]);
    }
}

impl<T: Float> WeightDropout<T> {
    #[inline(always)]
    fn factor_of(self, index: u64) -> T {
        if super::dropout::draw(self.seed, index) >> 32 < self.keep { self.factor } else { T::ZERO }
    }
}

/// The place of an element in a view's data.
fn place<T, const N: usize>(view: View<'_, T>, index: [usize; N]) -> usize {
    let steps = index.iter().zip(&view.layout.strides).map(|(&i, &stride)| i as isize * stride);
    view.layout.offset.wrapping_add_signed(steps.sum())
}
