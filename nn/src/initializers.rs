//! How weights begin.

use gradus_tensor::{Float, Generator, Shape, Tensor};
use serde::{Deserialize, Serialize};

/// The distribution that a weight's first values are drawn from. Names and formulas are Keras's.
///
/// The last eight keep the variance of the signal from layer to layer: they scale with the weight's fans. Of a matrix,
/// fan_in is the number of rows and fan_out that of columns; of a weight of more axes, both are times the lengths of
/// the axes before the last two; of a vector, both are its length.
///
/// ```
/// use gradus_nn::{Dense, Initializer};
/// let layer = Dense::new(64).kernel_initializer(Initializer::HeNormal).bias_initializer(Initializer::Constant(0.1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Initializer {
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
    /// All this value.
    Constant(#[serde(serialize_with = "crate::finite::serialize")] f64),
    /// Evenly spread over `minval..maxval`.
    RandomUniform {
        /// The smallest value.
        #[serde(serialize_with = "crate::finite::serialize")]
        minval: f64,
        /// The end of the range, itself excluded.
        #[serde(serialize_with = "crate::finite::serialize")]
        maxval: f64,
    },
    /// Of the normal distribution.
    RandomNormal {
        /// The mean.
        #[serde(serialize_with = "crate::finite::serialize")]
        mean: f64,
        /// The standard deviation.
        #[serde(serialize_with = "crate::finite::serialize")]
        stddev: f64,
    },
    /// Of the normal distribution, drawn again where more than two standard deviations from the mean.
    TruncatedNormal {
        /// The mean.
        #[serde(serialize_with = "crate::finite::serialize")]
        mean: f64,
        /// The standard deviation before the tails are cut off.
        #[serde(serialize_with = "crate::finite::serialize")]
        stddev: f64,
    },
    /// Uniform in -limit..limit, limit = sqrt(6 / (fan_in + fan_out)). Glorot and Bengio, 2010.
    GlorotUniform,
    /// Truncated normal of variance 2 / (fan_in + fan_out).
    GlorotNormal,
    /// Uniform in -limit..limit, limit = sqrt(6 / fan_in): for relu. He et al., arXiv:1502.01852.
    HeUniform,
    /// Truncated normal of variance 2 / fan_in: for relu.
    HeNormal,
    /// Uniform in -limit..limit, limit = sqrt(3 / fan_in): for selu. LeCun et al., Efficient BackProp, 1998.
    LecunUniform,
    /// Truncated normal of variance 1 / fan_in: for selu.
    LecunNormal,
    /// A matrix whose columns (or rows, if there are fewer) are `gain` long and at right angles, each direction equally
    /// likely. The axes before the last count as rows. Saxe et al., arXiv:1312.6120.
    Orthogonal {
        /// The length of each vector.
        #[serde(serialize_with = "crate::finite::serialize")]
        gain: f64,
    },
}

impl Initializer {
    /// A tensor of this distribution.
    ///
    /// # Panics
    /// If a range is empty, a parameter is not finite, or an orthogonal weight has fewer than two axes.
    #[track_caller]
    pub fn draw<T: Float>(self, shape: &Shape, generator: &mut Generator) -> Tensor<T> {
        if let Err((problem, hint)) = self.check::<T>(shape) {
            panic!("draw: {problem}; {hint}: {shape}");
        }
        let (fan_in, fan_out) = fans(shape);
        let mean_fan = (fan_in + fan_out) / 2.0;
        match self {
            Initializer::Zeros => Tensor::zeros(shape),
            Initializer::Ones => Tensor::ones(shape),
            Initializer::Constant(value) => Tensor::full(shape, T::of(value)),
            Initializer::RandomUniform { minval, maxval } => generator.uniform(shape, T::of(minval)..T::of(maxval)),
            Initializer::RandomNormal { mean, stddev } => generator.normal(shape, T::of(mean), T::of(stddev)),
            Initializer::TruncatedNormal { mean, stddev } => {
                generator.truncated_normal(shape, T::of(mean), T::of(stddev))
            }
            Initializer::GlorotUniform => uniform_of_variance(1.0 / mean_fan.max(1.0), shape, generator),
            Initializer::GlorotNormal => normal_of_variance(1.0 / mean_fan.max(1.0), shape, generator),
            Initializer::HeUniform => uniform_of_variance(2.0 / fan_in.max(1.0), shape, generator),
            Initializer::HeNormal => normal_of_variance(2.0 / fan_in.max(1.0), shape, generator),
            Initializer::LecunUniform => uniform_of_variance(1.0 / fan_in.max(1.0), shape, generator),
            Initializer::LecunNormal => normal_of_variance(1.0 / fan_in.max(1.0), shape, generator),
            Initializer::Orthogonal { gain } => orthogonal(gain, shape, generator),
        }
    }

    /// What is wrong with drawing a weight of this shape, and what to do about it.
    pub(crate) fn check<T: Float>(self, shape: &Shape) -> Result<(), (String, &'static str)> {
        let finite = match self {
            Initializer::Constant(value) | Initializer::Orthogonal { gain: value } => T::of(value).as_f64().is_finite(),
            Initializer::RandomUniform { minval, maxval } => {
                let (low, high) = (T::of(minval).as_f64(), T::of(maxval).as_f64());
                low < high && (high - low).is_finite()
            }
            Initializer::RandomNormal { mean, stddev } | Initializer::TruncatedNormal { mean, stddev } => {
                let (mean, stddev) = (T::of(mean).as_f64(), T::of(stddev).as_f64());
                mean.is_finite() && stddev.is_finite() && stddev >= 0.0
            }
            _ => true,
        };
        if !finite {
            return Err((
                format!("nothing can be drawn from {self:?}"),
                "give finite numbers, minval below maxval, stddev not below 0",
            ));
        }
        if matches!(self, Initializer::Orthogonal { .. }) && shape.len() < 2 {
            return Err((
                format!("Orthogonal needs a weight of two axes or more, found {shape}"),
                "use it for kernels, and Zeros for biases",
            ));
        }
        Ok(())
    }
}

/// The numbers of inputs and outputs that one element of the output and of the input is connected to.
fn fans(shape: &[usize]) -> (f64, f64) {
    let (fan_in, fan_out, field) = match *shape {
        [] => (1, 1, 1),
        [length] => (length, length, 1),
        [ref field @ .., fan_in, fan_out] => (fan_in, fan_out, field.iter().product()),
    };
    ((fan_in * field) as f64, (fan_out * field) as f64)
}

fn uniform_of_variance<T: Float>(variance: f64, shape: &Shape, generator: &mut Generator) -> Tensor<T> {
    let limit = T::of((3.0 * variance).sqrt());
    generator.uniform(shape, -limit..limit)
}

fn normal_of_variance<T: Float>(variance: f64, shape: &Shape, generator: &mut Generator) -> Tensor<T> {
    // The standard deviation that is left of 1 when the tails beyond 2 are cut off.
    const TRUNCATED: f64 = 0.879_625_661_034_239_8;
    generator.truncated_normal(shape, T::ZERO, T::of(variance.sqrt() / TRUNCATED))
}

/// The orthogonal factor of a normal matrix's QR decomposition, with R's diagonal positive, which makes it unique and
/// its distribution even (Mezzadri, arXiv:math-ph/0609050).
fn orthogonal<T: Float>(gain: f64, shape: &Shape, generator: &mut Generator) -> Tensor<T> {
    let columns = shape[shape.len() - 1];
    let rows: usize = shape[..shape.len() - 1].iter().product();
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut vectors: Tensor<f64> = generator.normal([count, length], 0.0, 1.0);
    if count > 0 {
        orthonormalize(vectors.as_mut_slice(), length);
    }
    let matrix = if rows < columns { vectors } else { vectors.t() };
    (matrix * gain).to::<T>().contiguous().reshape(shape)
}

/// Gram and Schmidt's process on vectors of `length`, one after the other in `vectors`. Each is freed of the ones before
/// it twice, which leaves no more than rounding error (Kahan and Parlett's "twice is enough").
fn orthonormalize(vectors: &mut [f64], length: usize) {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for start in (0..vectors.len()).step_by(length) {
        let (before, rest) = vectors.split_at_mut(start);
        let vector = &mut rest[..length];
        for _ in 0..2 {
            for other in before.chunks_exact(length) {
                let overlap = dot(vector, other);
                vector.iter_mut().zip(other).for_each(|(x, y)| *x -= overlap * y);
            }
        }
        let norm = dot(vector, vector).sqrt();
        vector.iter_mut().for_each(|x| *x /= norm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean, the standard deviation and the largest magnitude of 200,000 draws.
    fn moments(initializer: Initializer, shape: impl Into<Shape>) -> (f64, f64, f64) {
        let draws: Tensor<f64> = initializer.draw(&shape.into(), &mut Generator::new(7));
        (draws.mean(..).item(), draws.std(..).item(), draws.abs().max(..).item())
    }

    #[track_caller]
    fn close(found: f64, expected: f64, relative: f64) {
        assert!((found - expected).abs() <= relative * expected.abs(), "found {found}, expected {expected}");
    }

    #[test]
    fn fans_are_those_of_keras() {
        // keras.src.initializers.random_initializers.compute_fans of Keras 3: the axes before the last two multiply.
        assert_eq!(fans(&[]), (1.0, 1.0));
        assert_eq!(fans(&[7]), (7.0, 7.0));
        assert_eq!(fans(&[784, 128]), (784.0, 128.0));
        assert_eq!(fans(&[3, 3, 16, 32]), (144.0, 288.0));
    }

    #[test]
    fn scaled_families_have_the_spread_of_their_papers() {
        // Var of uniform(-l, l) is l^2 / 3, so each pair of a family has the same variance.
        let shape = [400, 500];
        for (uniform, normal, variance) in [
            (Initializer::GlorotUniform, Initializer::GlorotNormal, 2.0 / 900.0),
            (Initializer::HeUniform, Initializer::HeNormal, 2.0 / 400.0),
            (Initializer::LecunUniform, Initializer::LecunNormal, 1.0 / 400.0),
        ] {
            let std = f64::sqrt(variance);
            let (mean, spread, largest) = moments(uniform, shape);
            close(spread, std, 0.005);
            assert!(mean.abs() < 0.01 * std);
            assert!(largest <= (3.0 * variance).sqrt() && largest > 0.999 * (3.0 * variance).sqrt());
            let (mean, spread, largest) = moments(normal, shape);
            close(spread, std, 0.005);
            assert!(mean.abs() < 0.01 * std);
            // Two standard deviations of the distribution before it was cut off.
            let edge = 2.0 * std / 0.879_625_661_034_239_8;
            assert!(largest <= edge && largest > 0.99 * edge);
        }
    }

    #[test]
    fn plain_distributions_have_their_moments() {
        let (mean, std, _) = moments(Initializer::RandomNormal { mean: 1.0, stddev: 0.05 }, [200_000]);
        close(mean, 1.0, 0.001);
        close(std, 0.05, 0.01);
        // The standard deviation of the standard normal cut off at 2 is 0.8796 (scipy.stats.truncnorm(-2, 2).std()).
        let (mean, std, largest) = moments(Initializer::TruncatedNormal { mean: 0.0, stddev: 0.05 }, [200_000]);
        assert!(mean.abs() < 0.001 && largest <= 0.1);
        close(std, 0.05 * 0.879_625_661_034_239_8, 0.01);
        let (mean, std, _) = moments(Initializer::RandomUniform { minval: 0.0, maxval: 3.0 }, [200_000]);
        close(mean, 1.5, 0.01);
        close(std, f64::sqrt(0.75), 0.01);
        assert_eq!(moments(Initializer::Constant(-0.5), [3, 4]), (-0.5, 0.0, 0.5));
        assert_eq!(moments(Initializer::Ones, [3, 4]), (1.0, 0.0, 1.0));
    }

    #[test]
    fn orthogonal_vectors_are_orthogonal() {
        for shape in [[5, 5], [40, 30], [30, 40]] {
            let w: Tensor<f64> = Initializer::Orthogonal { gain: 2.0 }.draw(&shape.into(), &mut Generator::new(3));
            let gram = if shape[0] < shape[1] { w.matmul(&w.t()) } else { w.t().matmul(&w) };
            let expected = Tensor::<f64>::eye(shape[0].min(shape[1])) * 4.0;
            assert!(gram.allclose(&expected, 0.0, 1e-13), "{shape:?}");
        }
        let kernel: Tensor<f32> =
            Initializer::Orthogonal { gain: 1.0 }.draw(&[3, 3, 2, 4].into(), &mut Generator::new(3));
        let flat = kernel.reshape([18, 4]);
        assert!(flat.t().matmul(&flat).allclose(&Tensor::eye(4), 0.0, 1e-6));
        let nothing: Tensor = Initializer::Orthogonal { gain: 1.0 }.draw(&[0, 4].into(), &mut Generator::new(3));
        assert_eq!(nothing.shape(), &[0, 4]);
    }

    #[test]
    #[should_panic(expected = "draw: nothing can be drawn from RandomUniform { minval: 1.0, maxval: 1.0 }")]
    fn an_empty_range_is_refused() {
        let _: Tensor =
            Initializer::RandomUniform { minval: 1.0, maxval: 1.0 }.draw(&[2].into(), &mut Generator::new(0));
    }
}
