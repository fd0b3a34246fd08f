//! The vector operations that the kernels need, for every set of instructions.

use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
use std::ops::AddAssign;

mod avx2;
mod avx512;

pub(crate) use avx2::Avx2;
pub(crate) use avx512::Avx512;

/// Vectors of one element type in one set of instructions.
///
/// # Safety
///
/// The methods may be called only where the instructions are available. They are fast only if they are inlined into the
/// closure that [`with`](Lanes::with) calls. Pointers need no alignment; they are used for as many elements as a vector has, or
/// for the lanes of a mask or a count.
pub trait Lanes: 'static {
    /// The element type.
    type Element: Copy + AddAssign + Send + Sync + 'static;
    /// Vectors of the same elements for copies and other work that memory limits, which gains nothing by longer ones.
    type Short: Shuffle<Element = Self::Element>;
    /// The vector type.
    type Vector: Copy;
    /// A choice of lanes.
    type Mask: Copy;
    /// The elements of a vector.
    const LANES: usize;
    /// The vectors in a row of a micro-tile of many rows (NR is `VECTORS * LANES`): their sums, a row of B and an element of A fit
    /// into the registers.
    const VECTORS: usize;
    /// The most elements along k at a time (KC): a panel of B of this depth stays in the first-level cache.
    const DEPTH: usize;

    /// Whether loads and stores by a mask take no longer than others.
    const FREE_MASKS: bool;

    /// Calls `body`, compiled for the instructions. Functions that it calls must inline into it (`#[inline(always)]`).
    unsafe fn with<R>(body: impl FnOnce() -> R) -> R;
    /// All zeros.
    unsafe fn zero() -> Self::Vector;
    /// `*source` in every lane.
    unsafe fn splat(source: *const Self::Element) -> Self::Vector;
    /// The vector at `source`.
    unsafe fn load(source: *const Self::Element) -> Self::Vector;
    /// Writes the vector to `target`.
    unsafe fn store(target: *mut Self::Element, vector: Self::Vector);
    /// The mask of the first `count` lanes.
    unsafe fn mask(count: usize) -> Self::Mask;
    /// The lanes of `mask` at `source`, zeros elsewhere.
    unsafe fn load_masked(source: *const Self::Element, mask: Self::Mask) -> Self::Vector;
    /// Writes the first `count` lanes to `target`, `count` less than `LANES` unless [masks are free](Lanes::FREE_MASKS).
    unsafe fn store_first(target: *mut Self::Element, vector: Self::Vector, count: usize);
    /// x + y
    unsafe fn add(x: Self::Vector, y: Self::Vector) -> Self::Vector;
    /// x - y
    unsafe fn subtract(x: Self::Vector, y: Self::Vector) -> Self::Vector;
    /// x · y + sum
    unsafe fn multiply_add(x: Self::Vector, y: Self::Vector, sum: Self::Vector) -> Self::Vector;
    /// max(x, 0), lane by lane; NaN stays.
    unsafe fn relu(x: Self::Vector) -> Self::Vector;
    /// Prefetches the cache line of `target`, which may be any address, for writing.
    #[inline(always)]
    fn prefetch_to_write(target: *mut Self::Element) {
        // SAFETY: a prefetch is a hint, valid for any address.
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(target.cast_const().cast()) }
    }
    /// A short vector with the same sum of lanes: halves are added up until one is left.
    unsafe fn shortened(vector: Self::Vector) -> <Self::Short as Lanes>::Vector;
}

/// Vectors whose elements can be rearranged.
///
/// # Safety
///
/// As for [`Lanes`].
pub trait Shuffle: Lanes {
    /// The sum of the lanes, added up by halves.
    unsafe fn sum(vector: Self::Vector) -> Self::Element;
    /// Writes the sum of the lanes of `vectors(i)` to `target + i`, for as many vectors as a vector has lanes.
    unsafe fn store_sums(vectors: impl Fn(usize) -> Self::Vector, target: *mut Self::Element);
    /// Writes the transpose of the square whose row i is `rows(i)`; row i of the transpose begins at `target + i * stride`.
    unsafe fn store_transposed(rows: impl Fn(usize) -> Self::Vector, target: *mut Self::Element, stride: usize);
}
