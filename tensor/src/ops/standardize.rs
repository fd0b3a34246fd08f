//! Standardisation with scale and shift, and scale and shift alone, each in as few passes over memory as possible.

use super::elements;
use super::in_units::InUnits;
use crate::buffer::Buffer;
use crate::element::Float;
use crate::kernels::standardize::{self as kernels, Factors, StandardizeOptions};
use crate::shape::Shape;
use crate::standardization::Standardization;
use crate::tensor::{Tensor, expect_shape};

/// The mean and the variance of each group of elements that were standardised together.
///
/// ```
/// use gradus_tensor::{Standardization, Tensor};
/// let (gamma, beta) = (Tensor::new([1.0, 1.0]), Tensor::new([0.0, 0.0]));
/// let (_, moments) = Tensor::new([[1.0, 5.0]]).standardize(&gamma, &beta, &Standardization::of_rows());
/// assert_eq!((moments.mean, moments.variance), (Tensor::new([3.0]), Tensor::new([4.0])));
/// ```
#[derive(Clone, Debug)]
pub struct Moments<T: Float> {
    /// The mean.
    pub mean: Tensor<T>,
    /// The variance: the mean squared distance from the mean.
    pub variance: Tensor<T>,
}

/// Panics unless both tensors have one number for each channel; `what` names one of them.
#[track_caller]
pub(super) fn check_channels<T: Float>(op: &str, what: &str, x: &Shape, both: [&Tensor<T>; 2]) {
    let channels = x.last().copied();
    if both.iter().any(|one| one.ndim() != 1 || one.shape().last().copied() != channels) {
        panic_channels(op, what, x, both.map(Tensor::shape));
    }
}

#[cold]
#[track_caller]
fn panic_channels(op: &str, what: &str, x: &Shape, [a, b]: [&Shape; 2]) -> ! {
    panic!("{op}: each {what} must have one number for each channel: {x}, {a} and {b}")
}

#[track_caller]
pub(super) fn check_gradient(op: &str, x: &Shape, g: &Shape) {
    assert!(x == g, "{op}: the gradient must have the result's shape: {g} and {x}");
}

impl<T: Float> Tensor<T> {
    /// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, and the mean and the variance of each group of elements that
    /// `how` puts together.
    ///
    /// Shapes: `[.., channels]`, unchanged; gamma and beta `[channels]`. [`Standardization`] has an example. The moments of no
    /// elements are NaN.
    ///
    /// # Panics
    /// If the shapes do not fit each other, or the groups not the channels.
    #[track_caller]
    pub fn standardize(&self, gamma: &Tensor<T>, beta: &Tensor<T>, how: &Standardization) -> (Tensor<T>, Moments<T>) {
        let (grouping, shape) = expect_shape("standardize", how.grouping(self.shape()));
        check_channels("standardize", "weight", self.shape(), [gamma, beta]);
        let nothing = Tensor::full(shape, T::nan());
        let (mut mean, mut variance) = (nothing.clone(), nothing);
        if self.is_empty() {
            return (self.clone(), Moments { mean, variance });
        }
        let (x, gamma, beta) = (self.contiguous(), gamma.contiguous(), beta.contiguous());
        let options = options(&gamma, &beta, how);
        let y = Tensor::written(self.shape().clone(), |out| {
            let moments = [mean.as_mut_slice(), variance.as_mut_slice()];
            kernels::standardize(
                elements(&x),
                grouping,
                options,
                moments,
                &mut Buffer::unspecified(grouping.scratch()),
                out,
            );
        });
        let moments = Moments { mean, variance };
        match InUnits::of(self, &moments.variance, how, false) {
            None => (y, moments),
            Some(rows) => rows.standardize(&gamma, &beta),
        }
    }

    /// The gradients of [`standardize`](Tensor::standardize) with respect to this tensor (its input), gamma and beta, from the
    /// gradient `g` of its result. The first is written to the memory of `g` if no other tensor shares it.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn standardize_gradient(
        &self,
        mut g: Tensor<T>,
        gamma: &Tensor<T>,
        beta: &Tensor<T>,
        moments: &Moments<T>,
        how: &Standardization,
    ) -> [Tensor<T>; 3] {
        let (grouping, shape) = expect_shape("standardize_gradient", how.grouping(self.shape()));
        check_channels("standardize_gradient", "weight", self.shape(), [gamma, beta]);
        check_gradient("standardize_gradient", self.shape(), g.shape());
        let fits = *moments.mean.shape() == shape && *moments.variance.shape() == shape;
        assert!(fits, "standardize_gradient: the moments must have the shape {shape}: {}", moments.mean.shape());
        if let Some(rows) = InUnits::of(self, &moments.variance, how, true) {
            return rows.gradient(g, gamma, beta);
        }
        let (mut by_gamma, mut by_beta) = (gamma.zeros_like(), beta.zeros_like());
        if !self.is_empty() {
            let (x, gamma, beta) = (self.contiguous(), gamma.contiguous(), beta.contiguous());
            let (mean, variance) = (moments.mean.contiguous(), moments.variance.contiguous());
            let (options, moments) = (options(&gamma, &beta, how), [elements(&mean), elements(&variance)]);
            let weights = [by_gamma.as_mut_slice(), by_beta.as_mut_slice()];
            let scratch = &mut Buffer::unspecified(grouping.scratch_of_gradient());
            kernels::standardize_gradient(elements(&x), grouping, options, moments, scratch, weights, g.as_mut_slice());
        }
        [g, by_gamma, by_beta]
    }

    /// y = scale x + shift for each channel, and max(y, 0) in its place if `relu`, in one pass.
    ///
    /// Shapes: `[.., channels]`, unchanged; scale and shift `[channels]`.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let y = Tensor::new([[1.0, 2.0]]).affine(&Tensor::new([3.0, -1.0]), &Tensor::new([0.5, 1.0]), true);
    /// assert_eq!(y, Tensor::new([[3.5, 0.0]]));
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn affine(&self, scale: &Tensor<T>, shift: &Tensor<T>, relu: bool) -> Tensor<T> {
        check_channels("affine", "weight", self.shape(), [scale, shift]);
        if self.is_empty() {
            return self.clone();
        }
        let (x, scale, shift) = (self.contiguous(), scale.contiguous(), shift.contiguous());
        let zeros = scale.zeros_like();
        Tensor::written(self.shape().clone(), |out| {
            kernels::affine(elements(&x), factors([&zeros, &scale, &shift]), relu, out);
        })
    }

    /// The gradients of [`affine`](Tensor::affine) with respect to this tensor (its input), scale and shift, from the gradient
    /// `g` of its result. The first is written to the memory of `g` if no other tensor shares it.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn affine_gradient(
        &self,
        mut g: Tensor<T>,
        scale: &Tensor<T>,
        shift: &Tensor<T>,
        relu: bool,
    ) -> [Tensor<T>; 3] {
        check_channels("affine_gradient", "weight", self.shape(), [scale, shift]);
        check_gradient("affine_gradient", self.shape(), g.shape());
        let (mut by_scale, mut by_shift) = (scale.zeros_like(), shift.zeros_like());
        if !self.is_empty() {
            let (x, scale, shift) = (self.contiguous(), scale.contiguous(), shift.contiguous());
            let (grouping, _) = expect_shape("affine_gradient", Standardization::of_channels().grouping(self.shape()));
            let zeros = scale.zeros_like();
            let factors = factors([&zeros, &scale, &shift]);
            let scratch = &mut Buffer::unspecified(grouping.scratch_of_channels());
            let g = g.as_mut_slice();
            kernels::affine_sums(elements(&x), g, grouping, factors, relu, scratch);
            by_shift.as_mut_slice().copy_from_slice(&scratch[..grouping.channels]);
            by_scale.as_mut_slice().copy_from_slice(&scratch[grouping.channels..][..grouping.channels]);
            kernels::affine_back(elements(&x), factors, [elements(&zeros); 2], relu, g);
        }
        [g, by_scale, by_shift]
    }
}

/// The mean, the scale and the shift of channels, from contiguous tensors.
pub(super) fn factors<T: Float>([mean, scale, shift]: [&Tensor<T>; 3]) -> Factors<'_, T> {
    Factors { mean: elements(mean), scale: elements(scale), shift: elements(shift) }
}

/// The options of the kernels, from contiguous weights.
fn options<'a, T: Float>(
    gamma: &'a Tensor<T>,
    beta: &'a Tensor<T>,
    how: &Standardization,
) -> StandardizeOptions<'a, T> {
    StandardizeOptions {
        gamma: elements(gamma),
        beta: elements(beta),
        epsilon: T::of(how.epsilon),
        centered: how.is_centered(),
        relu: how.relu,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::keepdims;
    use crate::{Axes, Generator};

    /// Every kind of standardisation, the shape in which the axes that are standardised together stand alone, and these axes.
    fn forms(shape: &[usize]) -> Vec<(Standardization, Vec<usize>, Axes)> {
        let last = shape.len() - 1;
        let mut forms = vec![
            (Standardization::of_channels(), shape.to_vec(), (0..last as isize).collect()),
            (Standardization::of_rows(), shape.to_vec(), [-1].into()),
            (Standardization::of_rows_by_square(), shape.to_vec(), [-1].into()),
        ];
        for groups in [1, 2, 3, shape[last]] {
            if last > 0 && groups > 0 && shape[last].is_multiple_of(groups) {
                let apart = [&shape[..last], &[groups, shape[last] / groups]].concat();
                let axes = (1..=last as isize + 1).filter(|&axis| axis != last as isize).collect();
                forms.push((Standardization::of_groups(groups), apart, axes));
            }
        }
        forms
    }

    #[test]
    fn a_constant_is_its_own_mean() {
        // Enough rows for several chunks, whose number divides nothing.
        for shape in [[3001, 6], [1, 40_000]] {
            for (how, ..) in forms(&shape).into_iter().filter(|(how, ..)| how.is_centered()) {
                let weights = Tensor::ones([shape[1]]);
                for constant in [14.62, 1e18, -1e25] {
                    let (y, moments) = Tensor::full(shape, constant).standardize(&weights, &weights.zeros_like(), &how);
                    assert_eq!(y, Tensor::zeros(shape), "{constant}, {how:?}");
                    assert_eq!(moments.variance.max(..).item(), 0.0);
                    let (weights, x) = (weights.to::<f32>(), Tensor::full(shape, constant as f32));
                    assert_eq!(x.standardize(&weights, &weights.zeros_like(), &how).0, Tensor::zeros(shape));
                }
            }
        }
    }

    struct Naive {
        y: Tensor<f64>,
        mean: Tensor<f64>,
        variance: Tensor<f64>,
        gradients: [Tensor<f64>; 3],
    }

    /// By the formulas, one tensor after another.
    fn naive([x, g, gamma, beta]: [&Tensor<f64>; 4], how: &Standardization, apart: &[usize], axes: &Axes) -> Naive {
        let shape = x.shape();
        let leading = (0..shape.len() as isize - 1).collect::<Axes>();
        let seen = |x: &Tensor<f64>| x.reshape(apart);
        let over = |x: &Tensor<f64>| x.mean(keepdims(axes.clone()));
        let mean = if how.is_centered() { over(&seen(x)) } else { over(&seen(x)) * 0.0 };
        let variance = over(&(seen(x) - &mean).square());
        let scale = (&variance + how.epsilon).rsqrt();
        let normal = (seen(x) - &mean) * &scale;
        let y = normal.reshape(shape) * gamma + beta;
        let g = if how.relu { y.greater(0.0).where_(g, 0.0) } else { g.clone() };
        let weighed = seen(&(&g * gamma));
        let along = over(&(&weighed * &normal));
        let through = if how.is_centered() { over(&weighed) } else { over(&weighed) * 0.0 };
        let by_x = ((&weighed - through) - &normal * along) * scale;
        let by_gamma = (&g * normal.reshape(shape)).sum(leading.clone());
        let gradients = [by_x.reshape(shape), by_gamma, g.sum(leading)];
        let y = if how.relu { y.relu() } else { y };
        Naive { y, mean, variance, gradients }
    }

    #[track_caller]
    fn near(what: &str, found: &Tensor<f64>, exact: &Tensor<f64>, tolerance: f64) {
        let exact = exact.reshape(found.shape());
        assert!(found.allclose(&exact, tolerance, tolerance), "{what}: {found:?}\n{exact:?}");
    }

    #[test]
    fn all_forms_of_all_shapes_are_as_defined() {
        let mut generator = Generator::new(1);
        for shape in [
            &[1][..],
            &[5],
            &[4, 1],
            &[3, 0],
            &[7, 6],
            &[70, 3],
            &[1, 1, 6],
            &[2, 9, 12],
            &[9, 41, 6],
            &[3, 2000, 18],
            &[2, 40, 1026],
            &[60, 4, 5, 8],
            &[2, 33_000],
            &[0, 3, 4],
        ] {
            let mut draw = |shape: &[usize], mean: f64| -> Tensor<f64> { generator.normal(shape, mean, 1.5) };
            let (x, g) = (draw(shape, 0.5), draw(shape, 0.0));
            let weights = [draw(&shape[shape.len() - 1..], 1.0), draw(&shape[shape.len() - 1..], 0.0)];
            let [gamma, beta] = &weights;
            for (how, apart, axes) in forms(shape) {
                for relu in [false, true] {
                    let how = how.epsilon(0.01).relu(relu);
                    let exact = naive([&x, &g, gamma, beta], &how, &apart, &axes);
                    let what = format!("{how:?} of {shape:?}");
                    let (y, moments) = x.standardize(gamma, beta, &how);
                    let gradients = x.standardize_gradient(g.clone(), gamma, beta, &moments, &how);
                    near(&what, &y, &exact.y, 1e-12);
                    if x.is_empty() {
                        assert!(moments.mean.is_nan().all(..).item());
                        continue;
                    }
                    near(&what, &moments.mean, &exact.mean, 1e-12);
                    near(&what, &moments.variance, &exact.variance, 1e-12);
                    for (found, exact) in gradients.iter().zip(&exact.gradients) {
                        near(&what, found, exact, 1e-11);
                    }
                    // In f32, except where a result is so near 0 that its sign is not certain.
                    let single = |x: &Tensor<f64>| x.to::<f32>();
                    let (y, _) = single(&x).standardize(&single(gamma), &single(beta), &how);
                    near(&what, &y.to(), &exact.y, 1e-4);
                }
            }
        }
    }

    #[test]
    fn views_are_standardised_as_their_copies() {
        let x: Tensor = Generator::new(2).normal([6, 5, 8], 0.0, 1.0);
        let weights: Tensor = Generator::new(3).normal([2, 8], 1.0, 1.0);
        let (gamma, beta) = (weights.select(0, 0).flip(0), weights.select(0, 1));
        for view in [x.permute([1, 0, 2]), x.flip(1), x.slice(0, crate::step(.., 2)), x.select(1, 2).unsqueeze(1)] {
            for how in [Standardization::of_channels(), Standardization::of_groups(2), Standardization::of_rows()] {
                let copy = |x: &Tensor| Tensor::from_vec(x.to_vec(), x.shape().clone()).unwrap();
                let (y, moments) = view.standardize(&gamma, &beta, &how);
                let (expected, _) = copy(&view).standardize(&copy(&gamma), &copy(&beta), &how);
                assert_eq!(y, expected);
                let g = view.flip(0);
                let found = view.standardize_gradient(g.clone(), &gamma, &beta, &moments, &how);
                let expected = copy(&view).standardize_gradient(copy(&g), &copy(&gamma), &copy(&beta), &moments, &how);
                assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn a_mean_far_from_zero_costs_no_digits() {
        // By hand: of 1e4 + (0, 1, 0, 1, ..) the variance is 1/4, the squares of the elements hold no trace of it in f32.
        for (rows, channels, how) in [
            (1000, 3, Standardization::of_channels()),
            (200_000, 3, Standardization::of_channels()),
            (2, 200_000, Standardization::of_rows()),
        ] {
            let x: Tensor = (0..rows * channels).map(|i| 1e4 + ((i % channels + i / channels) % 2) as f32).collect();
            let x = x.reshape([rows, channels]);
            let (y, moments) = x.standardize(&Tensor::ones([channels]), &Tensor::zeros([channels]), &how);
            assert!((&moments.variance - 0.25).abs().max(..).item() < 1e-5, "{:?}", moments.variance);
            assert!((y.abs() - 0.5 / 0.251_f32.sqrt()).abs().max(..).item() < 2e-3);
        }
    }

    #[test]
    fn scale_and_shift_of_channels() {
        let mut generator = Generator::new(4);
        for shape in [&[5][..], &[0, 3], &[3, 0], &[7, 3], &[40, 50, 17], &[30, 1100]] {
            let (x, g): (Tensor<f64>, Tensor<f64>) =
                (generator.normal(shape, 0.0, 1.0), generator.normal(shape, 0.0, 1.0));
            let channels = &shape[shape.len() - 1..];
            let (scale, shift) = (generator.normal(channels, 0.0, 1.0), generator.normal(channels, 0.0, 1.0));
            let leading = (0..shape.len() as isize - 1).collect::<Axes>();
            for relu in [false, true] {
                let exact = &x * &scale + &shift;
                let masked = if relu { exact.greater(0.0).where_(&g, 0.0) } else { g.clone() };
                let exact = if relu { exact.relu() } else { exact };
                near("affine", &x.affine(&scale, &shift, relu), &exact, 1e-14);
                let [by_x, by_scale, by_shift] = x.affine_gradient(g.clone(), &scale, &shift, relu);
                near("by x", &by_x, &(&masked * &scale), 1e-14);
                near("by scale", &by_scale, &(&masked * &x).sum(leading.clone()), 1e-12);
                near("by shift", &by_shift, &masked.sum(leading.clone()), 1e-12);
            }
        }
    }

    #[cfg(feature = "parallel")]
    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let (x, g): (Tensor, Tensor) =
            (Generator::new(5).normal([3, 9000, 24], 3.0, 1.0), Generator::new(6).normal([3, 9000, 24], 0.0, 1.0));
        let (gamma, beta) = (Tensor::linspace(0.5, 2.0, 24), Tensor::linspace(-1.0, 1.0, 24));
        for how in [Standardization::of_channels(), Standardization::of_groups(4), Standardization::of_rows()] {
            let compute = || {
                let (y, moments) = x.standardize(&gamma, &beta, &how.relu(true));
                let gradients = x.standardize_gradient(g.clone(), &gamma, &beta, &moments, &how.relu(true));
                (y, moments.mean, moments.variance, gradients)
            };
            let on =
                |threads| rayon_core::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(compute);
            let one = on(1);
            assert!(on(2) == one && on(3) == one);
        }
    }

    /// By hand: -1 and 1 times any factor have mean 0 and deviation 1 in units of it; y is -1 and 1, the gradient by x of any g is
    /// 0, as there are two elements, and that by gamma is g_2 - g_1. Beside them stands a group of an ordinary size.
    fn check_size<T: Float>(factor: f64) {
        let x = Tensor::from([-factor, factor, 2.0, 4.0].map(T::of).to_vec()).reshape([2, 2]);
        let g = Tensor::from([T::of(3.0), T::of(5.0), T::of(0.5), T::of(1.0)].to_vec()).reshape([2, 2]);
        let (ones, zeros) = (Tensor::<T>::ones([2]), Tensor::<T>::zeros([2]));
        let epsilon = |how: Standardization| how.epsilon(if factor < 1.0 { 0.0 } else { 1e-3 });
        let near = |what: &str, found: &Tensor<T>, expected: &[f64]| {
            let (found, expected) = (found.to::<f64>(), Tensor::from(expected.to_vec()));
            assert!(
                found.flatten().allclose(&expected, 1e-3, 1e-3),
                "{what} of {factor:e}: {found:?}, not {expected:?}"
            );
        };
        let variance = if factor * factor < T::max_value().as_f64() { factor * factor } else { f64::INFINITY };
        for (how, turned) in [
            (Standardization::of_rows(), false),
            (Standardization::of_groups(1), false),
            (Standardization::of_channels(), true),
        ] {
            let how = epsilon(how);
            let turn = |x: &Tensor<T>| if turned { x.t().contiguous() } else { x.clone() };
            let (y, moments) = turn(&x).standardize(&ones, &zeros, &how);
            near("y", &turn(&y), &[-1.0, 1.0, -1.0, 1.0]);
            near("mean", &(moments.mean.clone() / T::of(factor.max(1.0))), &[0.0, 3.0 / factor.max(1.0)]);
            assert!(
                (moments.variance.flatten().get([0]).as_f64() / variance - 1.0).abs() < 1e-3
                    || variance < 1e-30
                    || variance == f64::INFINITY
            );
            let [by_x, by_gamma, by_beta] = turn(&x).standardize_gradient(turn(&g), &ones, &zeros, &moments, &how);
            near("by x", &(turn(&by_x).slice(0, ..1) * T::of(factor.min(1e30))), &[0.0, 0.0]);
            let (expected_gamma, expected_beta) =
                if turned { ([2.0, 0.5], [8.0, 1.5]) } else { ([-3.5, 6.0], [3.5, 6.0]) };
            near("by gamma", &by_gamma, &expected_gamma);
            near("by beta", &by_beta, &expected_beta);
        }
        // By their mean square 5 of 3 and -1 in units of the factor: y is 3 / sqrt 5 and -1 / sqrt 5.
        let x = Tensor::from([3.0 * factor, -factor].map(T::of).to_vec()).reshape([1, 2]);
        let how = epsilon(Standardization::of_rows_by_square());
        let (y, moments) = x.standardize(&ones, &zeros, &how);
        near("rms", &y, &[1.341_640_8, -0.447_213_6]);
        // The gradient of y_1 by x: (1 - y_1 y_1 / 2) r = 0.1 r and -y_1 y_2 r / 2 = 0.3 r, with r = 1 / sqrt 5 in units of 1 / factor.
        let g = Tensor::from([T::ONE, T::ZERO].to_vec()).reshape([1, 2]);
        let [by_x, ..] = x.standardize_gradient(g, &ones, &zeros, &moments, &how);
        near("rms back", &(by_x * T::of(factor)), &[0.044_721_36, 0.134_164_08]);
    }

    #[test]
    fn numbers_of_any_size_are_standardised() {
        [1e38, 3e25, 1e19, 2e12, 1e-17, 1e-25, 1e-30].into_iter().for_each(check_size::<f32>);
        [1e307, 1e160, 1e-160, 1e-300].into_iter().for_each(check_size::<f64>);
        // The sum of squares overflows, the variance does not.
        let x: Tensor = (0..1000).map(|i| if i % 2 == 0 { 1e19 } else { -1e19 }).collect();
        let (y, moments) =
            x.unsqueeze(1).standardize(&Tensor::ones([1]), &Tensor::zeros([1]), &Standardization::of_channels());
        assert!((moments.variance.item() / 1e38 - 1.0).abs() < 1e-6 && (y.abs() - 1.0).abs().max(..).item() < 1e-6);
    }

    #[test]
    fn nan_stays_nan_behind_the_relu() {
        let x = Tensor::new([[1.0, f32::NAN], [2.0, 3.0]]);
        let (y, _) = x.standardize(&Tensor::ones([2]), &Tensor::zeros([2]), &Standardization::of_channels().relu(true));
        assert!(y.select(1, 1).is_nan().all(..).item() && !y.select(1, 0).is_nan().any(..).item());
    }
}
