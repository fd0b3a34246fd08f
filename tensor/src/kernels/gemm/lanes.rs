//! What the kernels ask of a processor's vectors.

use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};

mod avx2;
mod avx512;

pub(crate) use avx2::Avx2;
pub(crate) use avx512::Avx512;

/// Vectors of one type of elements, by one set of instructions.
///
/// # Safety
///
/// The methods may be called only where the instructions are available. They are fast only where they are inlined into
/// what [`with`](Lanes::with) calls. Pointers are used for as many elements as a vector has, or for the lanes that a mask
/// or a count names, and need no alignment.
pub(crate) trait Lanes: 'static {
    /// An element.
    type Element: Copy + Send + Sync + 'static;
    /// Vectors of the same elements for what gains nothing by longer ones: copies, and what memory limits.
    type Short: Shuffle<Element = Self::Element>;
    /// A vector.
    type Vector: Copy;
    /// Which lanes to load.
    type Mask: Copy;
    /// Elements in a vector.
    const LANES: usize;
    /// The most vectors in a row of a tile of many rows, such that their sums, a row of B and an element of A fit into
    /// the registers.
    const VECTORS: usize;
    /// The most elements along k at a time, such that as many rows of that many vectors stay in the first-level cache.
    const DEPTH: usize;

    /// Calls `body`, compiled for the instructions. What it calls must inline into it (`#[inline(always)]`).
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
    /// Writes the first `count` lanes to `target`, `count` less than `LANES`.
    unsafe fn store_first(target: *mut Self::Element, vector: Self::Vector, count: usize);
    /// x · y + sum
    unsafe fn multiply_add(x: Self::Vector, y: Self::Vector, sum: Self::Vector) -> Self::Vector;
    /// max(x, 0), lane by lane; NaN stays.
    unsafe fn relu(x: Self::Vector) -> Self::Vector;
    /// Says that the line of `target`, which may be any address, will be written.
    #[inline(always)]
    fn prefetch_to_write(target: *mut Self::Element) {
        // SAFETY: a hint, which every x86-64 processor takes or ignores.
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(target.cast_const().cast()) }
    }
    /// A short vector with the same sum: halves added up until one fits.
    unsafe fn shortened(vector: Self::Vector) -> <Self::Short as Lanes>::Vector;
}

/// Vectors whose elements can be rearranged.
///
/// # Safety
///
/// As for [`Lanes`].
pub(crate) trait Shuffle: Lanes {
    /// The sum of the lanes, by halves.
    unsafe fn sum(vector: Self::Vector) -> Self::Element;
    /// Writes the sums of as many vectors as a vector has lanes: of `vectors(i)` to `target + i`.
    unsafe fn store_sums(vectors: impl Fn(usize) -> Self::Vector, target: *mut Self::Element);
    /// Writes the transpose of the square whose row i is `rows(i)`: row i of it at `target + i * stride`.
    unsafe fn store_transposed(rows: impl Fn(usize) -> Self::Vector, target: *mut Self::Element, stride: usize);
}
