//! Random tensors from a seeded generator whose stream is fixed: the same seed gives the same numbers on every machine, for any
//! number of threads, in every version unless the change log says otherwise.
//!
//! # The stream
//!
//! A draw is one 64-bit number of xoshiro256++ (Blackman and Vigna, arXiv:1805.01407); a seed becomes its state by four
//! steps of SplitMix64. Elements are drawn in row-major order, and f32 and f64 tensors use the same draws:
//!
//! | method | draws | number |
//! |---|---|---|
//! | `next_f64` | 1 | u = (draw >> 11) / 2^53, in [0, 1) |
//! | `uniform` | 1 an element | low + u (high - low), in f64, then rounded to the element type; low where that is high |
//! | `normal` | 2 a pair of elements | Box and Muller: r = sqrt(-2 ln(1 - u1)), then r cos(2 pi u2), r sin(2 pi u2) |
//! | `truncated_normal` | as `normal` | the next of those numbers that is within two standard deviations |
//! | `bernoulli` | 1 an element | u < p |
//! | `integers` | 1 an element, rarely more | the high word of draw x (high - low), redrawn where that is uneven (Lemire, arXiv:1805.10941) |
//! | `shuffle`, `permutation` | as `integers`, one fewer than there are elements | Fisher and Yates: from the last place down, swap with a place not above it |
//! | `fork` | 4 | the state of the child |

use std::ops::Range;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::element::Float;
use crate::kernels::gauss::box_muller;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// A generator of random tensors. Its stream is fixed: the same seed gives the same numbers on every machine, for any number of
/// threads.
///
/// ```
/// use gradus_tensor::{Generator, Tensor};
/// let mut generator = Generator::new(42);
/// let weights: Tensor = generator.normal([784, 128], 0.0, 0.05);
/// assert_eq!(weights.shape(), &[784, 128]);
/// assert_eq!(Generator::new(42).normal([784, 128], 0.0, 0.05), weights);
/// ```
///
/// A generator is a value: it can be cloned, compared, and saved with serde to go on from the same place later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Xoshiro256PlusPlus", try_from = "Xoshiro256PlusPlus")]
pub struct Generator {
    state: Xoshiro256PlusPlus,
}

impl From<Generator> for Xoshiro256PlusPlus {
    fn from(generator: Generator) -> Self {
        generator.state
    }
}

impl TryFrom<Xoshiro256PlusPlus> for Generator {
    type Error = &'static str;

    fn try_from(state: Xoshiro256PlusPlus) -> Result<Self, Self::Error> {
        // A state of zeros is the only one that is its own successor.
        let mut next = state.clone();
        next.next_u64();
        if next == state {
            return Err("a generator's state must not be all zeros: seed a new one");
        }
        Ok(Generator { state })
    }
}

impl Generator {
    /// The generator of a seed. All seeds are equally good.
    pub fn new(seed: u64) -> Self {
        Generator { state: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }

    /// The next draw: 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state.next_u64()
    }

    /// A number in [0, 1): a multiple of 2^-53.
    pub fn next_f64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// A whole number below `bound`; all are equally likely.
    ///
    /// # Panics
    /// If `bound` is 0.
    #[track_caller]
    pub fn next_below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "next_below: no whole number is below 0");
        // The high word of the product is uniform below `bound` unless the low word is below 2^64 mod `bound`.
        let mut product = u128::from(self.next_u64()) * u128::from(bound);
        if (product as u64) < bound {
            let uneven = bound.wrapping_neg() % bound;
            while (product as u64) < uneven {
                product = u128::from(self.next_u64()) * u128::from(bound);
            }
        }
        (product >> 64) as u64
    }

    /// An independent generator, for a part of the program that draws in its own order (a layer, a worker, an epoch).
    ///
    /// The child's state is this generator's next four draws, so children of children are independent as well.
    pub fn fork(&mut self) -> Generator {
        let mut seed = [0; 32];
        for word in seed.as_chunks_mut().0 {
            *word = self.next_u64().to_le_bytes();
        }
        Generator { state: Xoshiro256PlusPlus::from_seed(seed) }
    }

    /// Numbers of the uniform distribution over a range, which excludes its end.
    ///
    /// ```
    /// use gradus_tensor::{Generator, Tensor};
    /// let x: Tensor = Generator::new(42).uniform([2, 3], -1.0..1.0);
    /// assert!(x.iter().all(|x| (-1.0..1.0).contains(&x)));
    /// // The same seed gives the same numbers.
    /// assert_eq!(x, Generator::new(42).uniform([2, 3], -1.0..1.0));
    /// ```
    ///
    /// # Panics
    /// If the range is empty or not finite.
    #[track_caller]
    pub fn uniform<T: Float>(&mut self, shape: impl Into<Shape>, range: Range<T>) -> Tensor<T> {
        let (low, high) = (range.start.as_f64(), range.end.as_f64());
        let width = high - low;
        if !(low < high && width.is_finite()) {
            panic!("uniform: the range must be finite and not empty: {} .. {}", range.start, range.end);
        }
        self.fill(shape, |draws| {
            let x = T::of(low + draws.next_f64() * width);
            // Rounding may reach the end, which is excluded; the start takes its place.
            if x < range.end { x } else { range.start }
        })
    }

    /// Numbers of the normal (Gaussian) distribution.
    ///
    /// # Panics
    /// If `std` is negative or a parameter is not finite.
    #[track_caller]
    pub fn normal<T: Float>(&mut self, shape: impl Into<Shape>, mean: T, std: T) -> Tensor<T> {
        check_moments("normal", mean, std);
        self.fill_normal(shape, mean, std, |_| true)
    }

    /// Numbers of the normal distribution, drawn again where they are more than two standard deviations from the mean.
    /// Their own standard deviation is 0.8796 `std`, as with Keras's initialiser of that name.
    ///
    /// # Panics
    /// If `std` is negative or a parameter is not finite.
    #[track_caller]
    pub fn truncated_normal<T: Float>(&mut self, shape: impl Into<Shape>, mean: T, std: T) -> Tensor<T> {
        check_moments("truncated_normal", mean, std);
        self.fill_normal(shape, mean, std, |z| z.abs() <= 2.0)
    }

    /// `true` with probability `p`, elementwise.
    ///
    /// # Panics
    /// If `p` is not in 0..=1.
    #[track_caller]
    pub fn bernoulli(&mut self, shape: impl Into<Shape>, p: f64) -> Tensor<bool> {
        assert!((0.0..=1.0).contains(&p), "bernoulli: the probability must be in 0..=1: {p}");
        self.fill(shape, |draws| draws.next_f64() < p)
    }

    /// Whole numbers of a range; all are equally likely.
    ///
    /// # Panics
    /// If the range is empty.
    #[track_caller]
    pub fn integers(&mut self, shape: impl Into<Shape>, range: Range<i64>) -> Tensor<i64> {
        assert!(range.start < range.end, "integers: the range is empty: {} .. {}", range.start, range.end);
        // The width may exceed i64, never u64.
        let width = range.end.wrapping_sub(range.start) as u64;
        self.fill(shape, |draws| range.start.wrapping_add(draws.next_below(width) as i64))
    }

    /// The numbers `0..n` in random order, shape `[n]`.
    ///
    /// ```
    /// use gradus_tensor::{Generator, Tensor};
    /// let order = Generator::new(42).permutation(5);
    /// assert_eq!(order.sort(0), Tensor::from([0_i64, 1, 2, 3, 4]));
    /// ```
    pub fn permutation(&mut self, n: usize) -> Tensor<i64> {
        let mut order: Tensor<i64> = (0..n as i64).collect();
        self.shuffle(order.as_mut_slice());
        order
    }

    /// Shuffles the items; all orders are equally likely.
    ///
    /// ```
    /// use gradus_tensor::Generator;
    /// let mut order: Vec<usize> = (0..60_000).collect();
    /// Generator::new(1).shuffle(&mut order);
    /// ```
    pub fn shuffle<E>(&mut self, items: &mut [E]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.next_below(last as u64 + 1) as usize);
        }
    }

    /// A tensor whose elements `next` draws one by one.
    fn fill<T: crate::Element>(&mut self, shape: impl Into<Shape>, mut next: impl FnMut(&mut Self) -> T) -> Tensor<T> {
        Tensor::written(shape.into(), |out| out.fill_with(|| next(self)))
    }

    /// A tensor of the standard normal numbers that `accept` admits, scaled. They are made in blocks that draw no number beyond
    /// those needed, except the second of the last pair.
    fn fill_normal<T: Float>(
        &mut self,
        shape: impl Into<Shape>,
        mean: T,
        std: T,
        accept: impl Fn(f64) -> bool,
    ) -> Tensor<T> {
        const PAIRS: usize = 256;
        let (mut first, mut second) = ([0.0; PAIRS], [0.0; PAIRS]);
        Tensor::written(shape.into(), |out| {
            let mut filled = 0;
            while filled < out.len() {
                let pairs = (out.len() - filled).div_ceil(2).min(PAIRS);
                let (first, second) = (&mut first[..pairs], &mut second[..pairs]);
                for (u1, u2) in first.iter_mut().zip(&mut *second) {
                    (*u1, *u2) = (self.next_f64(), self.next_f64());
                }
                box_muller(first, second);
                for z in first.iter().zip(&*second).flat_map(|(&x, &y)| [x, y]).filter(|&z| accept(z)) {
                    if let Some(out) = out.get_mut(filled) {
                        *out = scaled(z, mean, std);
                        filled += 1;
                    }
                }
            }
        })
    }
}

fn scaled<T: Float>(z: f64, mean: T, std: T) -> T {
    T::of(mean.as_f64() + z * std.as_f64())
}

#[track_caller]
fn check_moments<T: Float>(op: &str, mean: T, std: T) {
    if !(num_traits::Float::is_finite(mean) && num_traits::Float::is_finite(std) && std >= T::ZERO) {
        panic!("{op}: the mean must be finite, the standard deviation too and not negative: {mean} and {std}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_that_of_the_reference() {
        // The state 1, 2, 3, 4 in the authors' C program, prng.di.unimi.it/xoshiro256plusplus.c.
        let mut seed = [0; 32];
        for i in 0..4 {
            seed[8 * i] = i as u8 + 1;
        }
        let mut generator = Generator { state: Xoshiro256PlusPlus::from_seed(seed) };
        let draws: Vec<u64> = (0..6).map(|_| generator.next_u64()).collect();
        let expected = [
            41_943_041,
            58_720_359,
            3_588_806_011_781_223,
            3_591_011_842_654_386,
            9_228_616_714_210_784_205,
            9_973_669_472_204_895_162,
        ];
        assert_eq!(draws, expected);
    }

    // The numbers of the following test come from a transcription of the table above into Python.
    #[test]
    fn draws_become_numbers_as_documented() {
        assert_eq!(Generator::new(0).next_u64(), 5_987_356_902_031_041_503);
        assert_eq!(Generator::new(42).next_u64(), 15_021_278_609_987_233_951);
        let uniform = Generator::new(42).uniform([3], 0.0..1.0_f64);
        assert_eq!(uniform.to_vec(), [0.814_305_145_122_909_9, 0.318_821_040_061_661_1, 0.983_894_168_177_488_8]);
        let normal: Tensor<f64> = Generator::new(42).normal([2, 2], 0.0, 1.0);
        let expected =
            [[-0.768_993_053_821_006_1, 1.666_118_458_714_2], [-0.868_446_107_470_245_4, -2.739_151_155_664_304_7]];
        assert!(normal.allclose(&Tensor::from(expected), 0.0, 1e-14));
        // The fourth number is beyond two standard deviations.
        let truncated: Tensor<f64> = Generator::new(42).truncated_normal([4], 0.0, 1.0);
        assert_eq!(truncated.slice(0, ..3), normal.flatten().slice(0, ..3));
        assert_ne!(truncated.get([3]), normal.get([1, 1]));
        assert_eq!(Generator::new(42).permutation(8).to_vec(), [7, 0, 1, 4, 3, 5, 2, 6]);
        assert_eq!(Generator::new(42).integers([10], 1..7).to_vec(), [5, 2, 6, 5, 5, 4, 1, 4, 2, 6]);
    }

    #[test]
    fn both_float_types_take_the_same_draws() {
        let single: Tensor<f32> = Generator::new(7).normal([101], 3.0, 2.0);
        let double: Tensor<f64> = Generator::new(7).normal([101], 3.0, 2.0);
        assert_eq!(single, double.to::<f32>());
        let single = Generator::new(7).uniform([101], -1.0..2.0_f32);
        assert_eq!(single, Generator::new(7).uniform([101], -1.0..2.0_f64).to::<f32>());
    }

    /// The mean, the standard deviation, the skewness and the kurtosis.
    fn moments(x: &Tensor<f64>) -> [f64; 4] {
        let (mean, std) = (x.mean(..).item(), x.std(..).item());
        let z = (x - mean) / std;
        [mean, std, (&z * &z * &z).mean(..).item(), (z.square().square()).mean(..).item()]
    }

    /// Within five standard errors of a mean over 200,000 numbers, where the number's own deviation is at most 10.
    fn assert_moments(x: &Tensor<f64>, expected: [f64; 4]) {
        for (found, expected) in moments(x).into_iter().zip(expected) {
            assert!((found - expected).abs() < 0.06, "{:?} for {expected:?}", moments(x));
        }
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut generator = Generator::new(3);
        let n = 200_000;
        // Uniform: variance width^2 / 12, kurtosis 9/5.
        assert_moments(&generator.uniform([n], -1.0..3.0), [1.0, 4.0 / 12_f64.sqrt(), 0.0, 1.8]);
        assert_moments(&generator.normal([n], -2.0, 3.0), [-2.0, 3.0, 0.0, 3.0]);
        // Cut at two: variance 1 - 4 phi(2) / (2 Phi(2) - 1) = 0.8796^2; kurtosis by scipy 1.17, truncnorm(-2, 2).
        let cut: Tensor<f64> = generator.truncated_normal([n], 1.0, 2.0);
        assert_moments(&cut, [1.0, 2.0 * 0.879_625_661_034_239_8, 0.0, 2.365_536_7]);
        assert!((cut - 1.0).abs().max(..).item() <= 4.0);
        assert!((generator.bernoulli([n], 0.3).to::<f64>().mean(..).item() - 0.3).abs() < 0.006);
        // A die: mean 7/2, variance 35/12, kurtosis 303/175.
        assert_moments(&generator.integers([n], 1..7).to(), [3.5, (35.0_f64 / 12.0).sqrt(), 0.0, 303.0 / 175.0]);
    }

    #[test]
    fn every_order_is_equally_likely() {
        let mut generator = Generator::new(5);
        let mut counts = std::collections::HashMap::new();
        for _ in 0..24_000 {
            *counts.entry(generator.permutation(4).to_vec()).or_insert(0) += 1;
        }
        // 1000 each; five standard deviations are 155.
        assert!(counts.len() == 24 && counts.values().all(|count| (845..1155).contains(count)), "{counts:?}");
    }

    #[test]
    fn the_ends_of_ranges() {
        let mut generator = Generator::new(1);
        let all = generator.integers([1000], i64::MIN..i64::MAX);
        assert!(all.min(..).item() < i64::MIN / 2 && all.max(..).item() > i64::MAX / 2);
        // So narrow that rounding reaches the end half the time.
        let narrow = generator.uniform([1000], 1.0..1.0 + f32::EPSILON);
        assert_eq!(narrow, Tensor::ones([1000]));
        assert!(generator.bernoulli([100], 1.0).all(..).item());
        assert!(!generator.bernoulli([100], 0.0).any(..).item());
        assert_eq!(generator.permutation(0).shape(), &[0]);
    }

    #[test]
    fn children_are_independent() {
        let mut parent = Generator::new(9);
        let mut child = parent.fork();
        let mut grandchild = child.fork();
        let draws = [parent.next_u64(), child.next_u64(), grandchild.next_u64(), Generator::new(9).next_u64()];
        assert!((0..4).all(|i| (0..i).all(|j| draws[i] != draws[j])));
    }

    #[test]
    fn the_state_that_only_yields_zeros_is_refused() {
        let zeros = serde_json::from_str::<Generator>(r#"{"s":[0,0,0,0]}"#).unwrap_err();
        assert!(zeros.to_string().contains("must not be all zeros"), "{zeros}");
        let mut generator = Generator::new(11);
        generator.next_u64();
        let mut later: Generator = serde_json::from_str(&serde_json::to_string(&generator).unwrap()).unwrap();
        assert_eq!(later.next_u64(), generator.next_u64());
    }
}
