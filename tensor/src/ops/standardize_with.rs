//! Batch normalisation of a batch that lies in several tensors, its parts: the moments are those of all of them together.
//!
//! Each part gives its own moments and its own sums of gradients. Who has the parts merges them; they may lie on several machines.

use super::elements;
use super::standardize::{Moments, check_channels, check_gradient, factors};
use crate::buffer::Buffer;
use crate::element::Float;
use crate::kernels::standardize as kernels;
use crate::shape::Shape;
use crate::standardization::Standardization;
use crate::tensor::{Tensor, expect_shape};

impl<T: Float> Tensor<T> {
    /// The mean and the variance of each channel over all other axes: `[.., channels]` to `[channels]`. Those of no elements are NaN.
    ///
    /// The variance is computed in the type itself. It is infinite where the sum of the squared distances from the mean overflows, which
    /// [`standardize`](Tensor::standardize) avoids.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let moments = Tensor::new([[1.0, 5.0], [3.0, 5.0]]).channel_moments();
    /// assert_eq!((moments.mean, moments.variance), (Tensor::new([2.0, 5.0]), Tensor::new([1.0, 0.0])));
    /// ```
    ///
    /// # Panics
    /// If there is no axis.
    #[track_caller]
    pub fn channel_moments(&self) -> Moments<T> {
        let (grouping, shape) = expect_shape("channel_moments", Standardization::of_channels().grouping(self.shape()));
        if self.is_empty() {
            let nothing = Tensor::full(shape, T::nan());
            return Moments { mean: nothing.clone(), variance: nothing };
        }
        let scratch = &mut Buffer::unspecified(grouping.scratch_of_channels());
        kernels::channel_moments(elements(&self.contiguous()), grouping, scratch);
        let (mean, squares) = scratch[..2 * grouping.channels].split_at(grouping.channels);
        let count = grouping.length as f64;
        let variance = squares.iter().map(|square| T::of(square.as_f64() / count));
        Moments { mean: mean.iter().copied().collect(), variance: variance.collect() }
    }

    /// y = gamma (x - mean) / sqrt(variance + epsilon) + beta with given moments of the channels: those of a batch of which this tensor
    /// is a part. Epsilon and ReLU are those of `how`.
    ///
    /// Shapes: `[.., channels]`, unchanged; all others `[channels]`. A variance that is infinite makes y beta.
    ///
    /// ```
    /// use gradus_tensor::{Moments, Standardization, Tensor};
    /// let (gamma, beta) = (Tensor::new([3.0]), Tensor::new([1.0]));
    /// let moments = Moments { mean: Tensor::new([2.0]), variance: Tensor::new([4.0]) };
    /// let how = Standardization::of_channels().epsilon(0.0);
    /// assert_eq!(Tensor::new([[6.0]]).standardize_with(&gamma, &beta, &moments, &how), Tensor::new([[7.0]]));
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit each other, or `how` is not of channels.
    #[track_caller]
    pub fn standardize_with(
        &self,
        gamma: &Tensor<T>,
        beta: &Tensor<T>,
        moments: &Moments<T>,
        how: &Standardization,
    ) -> Tensor<T> {
        check("standardize_with", self.shape(), [gamma, beta], moments, how);
        if self.is_empty() {
            return self.clone();
        }
        let (x, channels) = (self.contiguous(), Channels::new(gamma, beta, moments, how));
        Tensor::written(self.shape().clone(), |out| {
            kernels::affine(elements(&x), channels.factors(), how.relu, out);
        })
    }

    /// The gradients of [`standardize_with`](Tensor::standardize_with) with respect to this tensor (its input), gamma and beta, from the
    /// gradient `g` of its result. The first is written to the memory of `g` if no other tensor shares it.
    ///
    /// The moments depend on all parts of the batch, and so does the gradient with respect to this one. `means` is called once, with
    /// the sums over this part, `[channels]` each: of g, and of g (x - mean), where g counts as 0 wherever the ReLU cuts. It adds the sums
    /// of the other parts, and divides by the number of elements that a channel has in the whole batch. The gradients with respect to gamma
    /// and beta are those of this part alone: added up over the parts, they are the batch's.
    ///
    /// With r = 1 / sqrt(variance + epsilon), the first gradient is gamma r (g - mean(g) - (x - mean) r^2 mean(g (x - mean))). Ioffe and
    /// Szegedy, arXiv:1502.03167, section 3.
    ///
    /// ```
    /// use gradus_tensor::{Standardization, Tensor};
    /// let (x, g) = (Tensor::new([[1.0], [2.0], [6.0]]), Tensor::new([[1.0], [0.0], [2.0]]));
    /// let (gamma, beta, how) = (Tensor::new([2.0]), Tensor::new([0.0]), Standardization::of_channels());
    /// let moments = x.channel_moments();
    /// let whole = x.standardize_gradient(g.clone(), &gamma, &beta, &moments, &how);
    /// // The batch has a single part.
    /// let part = x.standardize_gradient_with(g, &gamma, &beta, &moments, &how, |sums| sums.map(|sum| sum / 3.0));
    /// assert!(part.iter().zip(&whole).all(|(part, whole)| part.allclose(whole, 1e-5, 1e-5)));
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit each other, or `how` is not of channels.
    #[track_caller]
    pub fn standardize_gradient_with(
        &self,
        mut g: Tensor<T>,
        gamma: &Tensor<T>,
        beta: &Tensor<T>,
        moments: &Moments<T>,
        how: &Standardization,
        means: impl FnOnce([Tensor<T>; 2]) -> [Tensor<T>; 2],
    ) -> [Tensor<T>; 3] {
        const OP: &str = "standardize_gradient_with";
        check(OP, self.shape(), [gamma, beta], moments, how);
        let (grouping, shape) = expect_shape(OP, how.grouping(self.shape()));
        check_gradient(OP, self.shape(), g.shape());
        let (x, channels) = (self.contiguous(), Channels::new(gamma, beta, moments, how));
        let mut sums = [Tensor::zeros(shape.clone()), Tensor::zeros(shape)];
        if !self.is_empty() {
            let (x, g) = (elements(&x), g.contiguous());
            let scratch = &mut Buffer::unspecified(grouping.scratch_of_channels());
            kernels::affine_sums(x, elements(&g), grouping, channels.factors(), how.relu, scratch);
            for (sums, found) in sums.iter_mut().zip(scratch.chunks_exact(grouping.channels)) {
                sums.as_mut_slice().copy_from_slice(found);
            }
        }
        let by_beta = sums[0].clone();
        // The moments of a batch without elements are NaN.
        let by_gamma = if self.is_empty() { sums[1].clone() } else { &sums[1] * &channels.normal };
        // The other parts wait for the sums of this one, even if it has no elements.
        let [by_mean, by_variance] = means(sums);
        check_channels(OP, "mean", self.shape(), [&by_mean, &by_variance]);
        if !self.is_empty() {
            let a = &channels.scale * by_mean;
            let b = &channels.scale * by_variance * &channels.normal * &channels.normal;
            let along = [elements(&a), elements(&b)];
            kernels::affine_back(elements(&x), channels.factors(), along, how.relu, g.as_mut_slice());
        }
        [g, by_gamma, by_beta]
    }
}

#[track_caller]
fn check<T: Float>(op: &str, x: &Shape, weights: [&Tensor<T>; 2], moments: &Moments<T>, how: &Standardization) {
    assert!(how.is_of_channels(), "{op}: a batch in parts needs Standardization::of_channels");
    check_channels(op, "weight", x, weights);
    check_channels(op, "moment", x, [&moments.mean, &moments.variance]);
}

/// y = scale (x - mean) + shift for each channel.
struct Channels<T: Float> {
    mean: Tensor<T>,
    scale: Tensor<T>,
    shift: Tensor<T>,
    /// 1 / sqrt(variance + epsilon): the scale without gamma.
    normal: Tensor<T>,
}

impl<T: Float> Channels<T> {
    fn new(gamma: &Tensor<T>, beta: &Tensor<T>, moments: &Moments<T>, how: &Standardization) -> Self {
        let normal = (&moments.variance + T::of(how.epsilon)).rsqrt();
        let scale = (gamma * &normal).contiguous();
        Channels { mean: moments.mean.contiguous(), scale, shift: beta.contiguous(), normal }
    }

    fn factors(&self) -> kernels::Factors<'_, T> {
        factors([&self.mean, &self.scale, &self.shift])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Generator, step};

    /// A batch `[rows, places, channels]` with gradients, gamma and beta.
    struct Batch {
        x: Tensor<f64>,
        g: Tensor<f64>,
        gamma: Tensor<f64>,
        beta: Tensor<f64>,
    }

    impl Batch {
        fn new(shape: [usize; 3], mean: f64) -> Self {
            let mut generator = Generator::new(shape.iter().sum::<usize>() as u64);
            let mut draw = |shape: &[usize], mean: f64| -> Tensor<f64> { generator.normal(shape, mean, 1.5) };
            let (x, g) = (draw(&shape, mean), draw(&shape, 0.2));
            Batch { x, g, gamma: draw(&shape[2..], 1.0), beta: draw(&shape[2..], 0.3) }
        }

        /// The forward and the backward pass over parts of so many rows, of which the results are joined.
        fn in_parts(&self, rows: &[usize], how: &Standardization) -> Results {
            let Batch { x, g, gamma, beta } = self;
            let starts = rows.iter().scan(0, |start, &rows| Some(std::mem::replace(start, *start + rows)));
            let cut = |x: &Tensor<f64>| -> Vec<Tensor<f64>> {
                starts.clone().zip(rows).map(|(start, &rows)| x.slice(0, start..start + rows)).collect()
            };
            let (xs, gs) = (cut(x), cut(g));
            let count = (x.size() / gamma.size()) as f64;
            let moments = merged(&xs);
            let y: Vec<_> = xs.iter().map(|x| x.standardize_with(gamma, beta, &moments, how)).collect();
            // First all parts say their sums, then each gets the means: by a pass that goes no further than the sums.
            let mut total = [gamma.zeros_like(), gamma.zeros_like()];
            for (x, g) in xs.iter().zip(&gs) {
                x.standardize_gradient_with(g.clone(), gamma, beta, &moments, how, |sums| {
                    total = [&total[0] + &sums[0], &total[1] + &sums[1]];
                    sums
                });
            }
            let means = total.map(|sum| sum / count);
            let gradients: Vec<_> = xs
                .iter()
                .zip(gs)
                .map(|(x, g)| x.standardize_gradient_with(g, gamma, beta, &moments, how, |_| means.clone()))
                .collect();
            let sum = |place: usize| gradients.iter().fold(gamma.zeros_like(), |sum, found| sum + &found[place]);
            let by_x: Vec<_> = gradients.iter().map(|found| found[0].clone()).collect();
            let y = Tensor::concat(&y, 0);
            Results { y, moments, gradients: [Tensor::concat(&by_x, 0), sum(1), sum(2)] }
        }

        fn whole(&self, how: &Standardization) -> Results {
            let Batch { x, g, gamma, beta } = self;
            let (y, moments) = x.standardize(gamma, beta, how);
            let gradients = x.standardize_gradient(g.clone(), gamma, beta, &moments, how);
            Results { y, moments, gradients }
        }
    }

    struct Results {
        y: Tensor<f64>,
        moments: Moments<f64>,
        gradients: [Tensor<f64>; 3],
    }

    impl Results {
        #[track_caller]
        fn expect(&self, other: &Results, tolerance: f64, what: &str) {
            let list = |results: &Results| {
                let Results { y, moments, gradients: [x, gamma, beta] } = results;
                [y, &moments.mean, &moments.variance, x, gamma, beta].map(Tensor::clone)
            };
            for (place, (found, expected)) in list(self).iter().zip(list(other)).enumerate() {
                let is_near = found.allclose(&expected, tolerance, tolerance);
                assert!(is_near, "{what}, {place}: {found:?}\n{expected:?}");
            }
        }
    }

    /// The moments of all parts together, with weights by their numbers of elements.
    fn merged(parts: &[Tensor<f64>]) -> Moments<f64> {
        let counts = parts.iter().map(|x| (x.size() / x.shape()[2]) as f64);
        let count: f64 = counts.clone().sum();
        let moments: Vec<_> =
            counts.zip(parts).filter(|(n, _)| *n > 0.0).map(|(n, x)| (n, x.channel_moments())).collect();
        let add = |list: &mut dyn Iterator<Item = Tensor<f64>>| list.reduce(|a, b| a + b).unwrap() / count;
        let mean = add(&mut moments.iter().map(|(n, found)| &found.mean * *n));
        let around = |(n, found): &(f64, Moments<f64>)| (&found.variance + (&found.mean - &mean).square()) * *n;
        Moments { variance: add(&mut moments.iter().map(around)), mean }
    }

    #[test]
    fn parts_are_standardised_as_the_whole_batch() {
        let how = Standardization::of_channels().epsilon(0.01);
        for (shape, cuts) in [
            ([1, 1, 1], &[&[1][..], &[0, 1, 0]][..]),
            ([5, 1, 1], &[&[5], &[1, 4], &[0, 2, 0, 3]]),
            ([7, 2, 3], &[&[7], &[3, 4], &[1, 1, 5], &[0, 7]]),
            ([6, 1, 513], &[&[6], &[2, 0, 4]]),
            // Several chunks, whose rows divide nothing.
            ([30, 1001, 3], &[&[30], &[1, 29], &[13, 17]]),
            ([20, 40, 513], &[&[20], &[7, 13]]),
        ] {
            let batch = Batch::new(shape, 0.5);
            for how in [how, how.relu(true)] {
                let whole = batch.whole(&how);
                for rows in cuts {
                    batch.in_parts(rows, &how).expect(&whole, 1e-12, &format!("{rows:?} of {shape:?}, {how:?}"));
                }
            }
        }
    }

    #[test]
    fn moments_are_those_of_standardize_to_the_bit() {
        for shape in [[1, 1, 1], [4, 1, 3], [9, 700, 5], [3, 11, 513], [2, 3, 20_000]] {
            let Batch { x, gamma, beta, .. } = Batch::new(shape, 3.0);
            let (_, expected) = x.standardize(&gamma, &beta, &Standardization::of_channels());
            let found = x.channel_moments();
            assert_eq!((found.mean, found.variance), (expected.mean, expected.variance), "{shape:?}");
        }
    }

    #[test]
    fn a_large_mean_costs_no_digits() {
        // By hand: 1e8 + (0, 1, 0, 1, ..) has the mean 1e8 + 1/2 and the variance 1/4, in every part.
        let x: Tensor<f64> = (0..60_000).map(|i| 1e8 + (i % 2) as f64).collect();
        for rows in [2, 60_000] {
            let moments = x.slice(0, ..rows).reshape([rows, 1]).channel_moments();
            assert_eq!((moments.mean.item(), moments.variance.item()), (1e8 + 0.5, 0.25));
        }
        let single: Tensor = (0..3000).map(|i| 1e4 + (i % 2) as f32).collect();
        let found = single.reshape([1000, 3]).channel_moments().variance;
        assert!((found - 0.25).abs().max(..).item() < 1e-6);
        let batch = Batch::new([11, 4, 3], 1e6);
        let how = Standardization::of_channels();
        // x itself has lost six digits.
        batch.in_parts(&[4, 7], &how).expect(&batch.whole(&how), 1e-8, "mean of a million");
    }

    #[test]
    fn views_are_taken_as_their_copies() {
        let x: Tensor = Generator::new(2).normal([6, 5, 8], 0.0, 1.0);
        let weights: Tensor = Generator::new(3).normal([5, 17], 1.0, 0.3);
        let weight = |row: isize, channels: usize| weights.select(0, row).flip(0).slice(0, 1..1 + channels);
        let copy = |x: &Tensor| Tensor::from_vec(x.to_vec(), x.shape().clone()).unwrap();
        let how = Standardization::of_channels().relu(true);
        for view in [
            x.permute([1, 0, 2]),
            x.permute([2, 0, 1]),
            x.flip(1),
            x.flip(2),
            x.slice(0, step(.., 2)),
            x.slice(1, 2..),
            x.slice(2, 3..7),
        ] {
            let channels = view.shape()[2];
            let [gamma, beta, mean, variance, a] = [0, 1, 2, 3, 4].map(|row| weight(row, channels));
            let variance = variance.abs();
            let compute = |x: &Tensor, g: &Tensor, of: &dyn Fn(&Tensor) -> Tensor| {
                let own = x.channel_moments();
                let moments = Moments { mean: of(&mean), variance: of(&variance) };
                let (gamma, beta) = (of(&gamma), of(&beta));
                let y = x.standardize_with(&gamma, &beta, &moments, &how);
                let means = |_| [of(&a), of(&a)];
                let gradients = x.standardize_gradient_with(g.clone(), &gamma, &beta, &moments, &how, means);
                (own.mean, own.variance, y, gradients)
            };
            let g = view.flip(0);
            let found = compute(&view, &g, &Tensor::clone);
            assert_eq!(found, compute(&copy(&view), &copy(&g), &copy));
            // The gradient that was given is shared, and stays.
            assert_eq!(g, view.flip(0));
        }
    }

    #[test]
    fn nan_and_infinities_stay_in_their_channel() {
        let x = Tensor::new([[1.0, f32::NAN, f32::INFINITY, 1.0], [2.0, 3.0, 1.0, 2.0], [4.0, 1.0, 0.0, 4.0]]);
        let (ones, zeros) = (Tensor::ones([4]), Tensor::zeros([4]));
        let is_nan = |x: &Tensor| x.is_nan().to_vec();
        let moments = x.channel_moments();
        assert_eq!(is_nan(&moments.variance), [false, true, true, false]);
        let how = Standardization::of_channels().relu(true);
        let y = x.standardize_with(&ones, &zeros, &moments, &how);
        let rows = |channels: [bool; 4]| [channels; 3].concat();
        assert_eq!(is_nan(&y), rows([false, true, true, false]));
        // The gradient of a finite channel is spoilt by a gradient that is NaN, and that of no other.
        let g = Tensor::new([[1.0; 4], [1.0, 1.0, 1.0, f32::NAN], [1.0; 4]]);
        let finite = Moments { mean: zeros.clone(), variance: ones.clone() };
        let x = Tensor::ones([3, 4]);
        let gradients = x.standardize_gradient_with(g, &ones, &zeros, &finite, &how, |sums| sums.map(|sum| sum / 3.0));
        assert_eq!(is_nan(&gradients[0]), rows([false, false, false, true]));
        assert_eq!(is_nan(&gradients[1]), [false, false, false, true]);
        assert_eq!(is_nan(&gradients[2]), [false, false, false, true]);
    }

    #[test]
    fn a_part_without_elements_takes_part_in_the_merge() {
        let (x, weights) = (Tensor::<f64>::zeros([0, 2, 3]), Tensor::ones([3]));
        let moments = x.channel_moments();
        assert!(moments.mean.is_nan().all(..).item() && moments.variance.is_nan().all(..).item());
        let moments = Moments { mean: weights.clone(), variance: weights.clone() };
        let how = Standardization::of_channels();
        assert_eq!(x.standardize_with(&weights, &weights, &moments, &how), x);
        let mut given = None;
        let gradients = x.standardize_gradient_with(x.clone(), &weights, &weights, &moments, &how, |sums| {
            given = Some(sums.clone());
            sums
        });
        let zeros = Tensor::zeros([3]);
        assert_eq!(given, Some([zeros.clone(), zeros.clone()]));
        assert_eq!(gradients, [x.clone(), zeros.clone(), zeros.clone()]);
        // The batch has no elements at all.
        let nothing = x.channel_moments();
        let gradients = x.standardize_gradient_with(x.clone(), &weights, &weights, &nothing, &how, |sums| sums);
        assert_eq!(gradients, [x, zeros.clone(), zeros]);
        // No channels at all.
        let (x, none) = (Tensor::<f64>::zeros([4, 0]), Tensor::zeros([0]));
        let moments = x.channel_moments();
        assert_eq!(moments.mean, none);
        let [by_x, ..] = x.standardize_gradient_with(x.clone(), &none, &none, &moments, &how, |sums| sums);
        assert_eq!(by_x, x);
    }

    #[cfg(feature = "parallel")]
    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let Batch { x, g, gamma, beta } = Batch::new([3, 9000, 24], 3.0);
        let how = Standardization::of_channels().relu(true);
        let compute = || {
            let moments = x.channel_moments();
            let y = x.standardize_with(&gamma, &beta, &moments, &how);
            let means = |sums: [Tensor<f64>; 2]| sums.map(|sum| sum / 27_000.0);
            let gradients = x.standardize_gradient_with(g.clone(), &gamma, &beta, &moments, &how, means);
            (moments.mean, moments.variance, y, gradients)
        };
        let on = |threads| rayon_core::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(compute);
        let one = on(1);
        assert!(on(2) == one && on(3) == one);
    }
}
