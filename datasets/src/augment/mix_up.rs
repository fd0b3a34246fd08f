//! Mix-up: weighted means of samples and of their targets.

use std::f64::consts::TAU;
use std::ops::Range;

use gradus_tensor::{AnyTensor, Columns, Element, Generator, SampleType, Samples, Tensor};

use crate::batch::Batch;
use crate::columns::Role;
use crate::error::{DatasetError, Place, Result};

/// The largest difference from 1 of the sum of a row of targets.
const ROUNDING: f64 = 1e-3;

/// Checks that inputs are floats and targets rows of class probabilities, so that weighted means of either are the same
/// again.
pub(super) fn check(inputs: &Columns, targets: &Columns) -> Result<()> {
    if let Some(index) = inputs.iter().position(|column| !column.is_float()) {
        let found = format!("{} of type {}", Role::Inputs.describe(inputs, index), inputs[index].element());
        let hint = "leave mix_up out, or convert the column";
        return Err(DatasetError::new(found, "inputs of type f32 or f64, for mix_up", hint));
    }
    (0..targets.len()).try_for_each(|index| check_target(&targets[index], &Role::Targets.describe(targets, index)))
}

fn check_target(targets: &AnyTensor, name: &str) -> Result<()> {
    let refuse = |found: String| {
        let expected = "rows of class probabilities, as one-hot rows are, for mix_up";
        DatasetError::new(found, expected, "turn labels into rows by `to_categorical` before `augment`")
    };
    let shape = targets.shape();
    if shape.len() != 2 || !targets.is_float() {
        return Err(refuse(format!("{name} of shape {shape} and type {}", targets.element())));
    }
    let rows = targets.to::<f64>().contiguous();
    let sums = rows.as_slice().unwrap_or_default().chunks_exact(shape[1].max(1)).map(|row| {
        let negative = row.iter().any(|&p| p < 0.0);
        if negative { f64::NAN } else { row.iter().sum::<f64>() }
    });
    let is_whole = |sum: f64| (sum - 1.0).abs() <= ROUNDING;
    match sums.map(is_whole).position(|is_whole| !is_whole) {
        Some(row) => {
            let found = match targets {
                AnyTensor::F64(targets) => targets.select(0, row as isize).to_string(),
                _ => targets.to::<f32>().select(0, row as isize).to_string(),
            };
            Err(refuse(format!("the {name} {found}")).at(Place::Sample(row)))
        }
        None => Ok(()),
    }
}

/// Each sample becomes `l` times itself and `1 - l` times another one of the batch, its targets and weights likewise;
/// `l` is drawn for each from Beta(alpha, alpha).
pub(super) struct Mixture {
    /// The row that each of the first rows is mixed with.
    partners: Vec<usize>,
    shares: Vec<f64>,
}

impl Mixture {
    /// The mixture of a batch of so many samples.
    pub fn new(samples: usize, alpha: f64, generator: &mut Generator) -> Self {
        let partners: Vec<usize> = generator.permutation(samples).iter().map(|row| row as usize).collect();
        let shares = partners.iter().map(|_| beta(alpha, generator)).collect();
        Mixture { partners, shares }
    }

    /// The mixture of some of the rows, and those that they are mixed with besides: in a batch of the former and, behind them,
    /// the latter.
    pub fn of_rows(&self, own: Range<usize>) -> (Self, Vec<usize>) {
        let mut others = Vec::new();
        let place = |&partner: &usize| match own.contains(&partner) {
            true => partner - own.start,
            false => {
                others.push(partner);
                own.len() + others.len() - 1
            }
        };
        let partners = self.partners[own.clone()].iter().map(place).collect();
        (Mixture { partners, shares: self.shares[own].to_vec() }, others)
    }

    /// The rows that are mixed, without those that stand behind them.
    pub fn mix<X: SampleType, Y: SampleType>(&self, batch: Batch<X, Y>) -> Batch<X, Y> {
        let mix_column = |column: &AnyTensor| match column {
            AnyTensor::F64(rows) => self.mixed(rows).into(),
            rows => self.mixed::<f32>(&rows.to()).into(),
        };
        let (inputs, targets): (Columns, Columns) = (batch.inputs.into(), batch.targets.into());
        Batch {
            inputs: X::Data::from_columns(inputs.map(mix_column)),
            targets: Y::Data::from_columns(targets.map(mix_column)),
            weights: batch.weights.map(|weights| self.mixed(&weights)),
        }
    }

    fn mixed<T: Element>(&self, rows: &Tensor<T>) -> Tensor<T> {
        let Mixture { partners, shares } = self;
        let rows = rows.to::<f32>().contiguous();
        let size = rows.shape()[1..].iter().product::<usize>().max(1);
        let mut out = Tensor::<f32>::zeros([&[partners.len()], &rows.shape()[1..]].concat());
        let rows = rows.as_slice().unwrap_or_default();
        for (row, out) in out.as_mut_slice().chunks_exact_mut(size).enumerate() {
            let (share, rest) = (shares[row] as f32, 1.0 - shares[row] as f32);
            let (own, other) = (&rows[row * size..][..size], &rows[partners[row] * size..][..size]);
            for ((out, own), other) in out.iter_mut().zip(own).zip(other) {
                *out = share * own + rest * other;
            }
        }
        out.to()
    }
}

/// A draw from Beta(alpha, alpha): the share of one of two draws from Gamma(alpha) in their sum. In logarithms, since for
/// a small alpha the draws themselves would underflow.
fn beta(alpha: f64, generator: &mut Generator) -> f64 {
    let (first, second) = (ln_gamma_draw(alpha, generator), ln_gamma_draw(alpha, generator));
    1.0 / (1.0 + libm::exp(second - first))
}

/// The logarithm of a draw from Gamma(alpha) (G. Marsaglia and W. W. Tsang, "A simple method for generating gamma
/// variables", 2000; for alpha below 1, their section 6).
fn ln_gamma_draw(alpha: f64, generator: &mut Generator) -> f64 {
    // In (0, 1], so that its logarithm is finite.
    let mut uniform = || 1.0 - generator.next_f64();
    let boost = if alpha < 1.0 { libm::log(uniform()) / alpha } else { 0.0 };
    let d = if alpha < 1.0 { alpha + 1.0 } else { alpha } - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        // Box and Muller.
        let x = (-2.0 * libm::log(uniform())).sqrt() * libm::cos(TAU * uniform());
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && libm::log(uniform()) < 0.5 * x * x + d - d * v + d * libm::log(v) {
            return libm::log(d * v) + boost;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_the_moments_of_the_beta_distribution() {
        for alpha in [0.01, 0.2, 1.0, 3.0, 50.0] {
            let mut generator = Generator::new(5);
            let draws: Vec<f64> = (0..20_000).map(|_| beta(alpha, &mut generator)).collect();
            assert!(draws.iter().all(|share| (0.0..=1.0).contains(share)));
            let mean = |f: &dyn Fn(f64) -> f64| draws.iter().map(|&x| f(x)).sum::<f64>() / draws.len() as f64;
            // Variance 1 / (4 (2 alpha + 1)); five standard errors of the mean, and of the variance at most 1/4.
            let variance = 0.25 / (2.0 * alpha + 1.0);
            let error = 5.0 / 20_000_f64.sqrt();
            assert!((mean(&|x| x) - 0.5).abs() < error * variance.sqrt(), "{alpha}");
            assert!((mean(&|x| (x - 0.5).powi(2)) - variance).abs() < error * variance, "{alpha}");
        }
    }

    #[test]
    fn a_mixture_is_a_weighted_mean_of_two_samples() {
        let n = 7;
        let batch = Batch::<f32, f64> {
            inputs: Tensor::eye(n),
            targets: Tensor::eye(n),
            weights: Some(Tensor::arange(0.0, n as f32, 1.0)),
        };
        let mixed = Mixture::new(n, 1.0, &mut Generator::new(3)).mix(batch);
        let mut generator = Generator::new(3);
        let partners = generator.permutation(n).to_vec();
        for (row, partner) in partners.into_iter().enumerate() {
            let share = beta(1.0, &mut generator) as f32;
            let mut expected = vec![0.0; n];
            expected[row] += share;
            expected[partner as usize] += 1.0 - share;
            assert_eq!(mixed.inputs.select(0, row as isize).to_vec(), expected);
            assert_eq!(mixed.targets.select(0, row as isize).to::<f32>().to_vec(), expected);
            assert!((expected.iter().sum::<f32>() - 1.0).abs() <= f32::EPSILON);
            let weight = share * row as f32 + (1.0 - share) * partner as f32;
            assert_eq!(mixed.weights.as_ref().unwrap().get([row]), weight);
        }
    }

    #[test]
    fn targets_that_are_no_probabilities_are_refused() {
        let check = |targets: Columns| check(&Tensor::<f32>::zeros([1, 1]).into(), &targets);
        let error = |targets: Tensor| check(targets.into()).unwrap_err().to_string();
        let rest = "expected rows of class probabilities, as one-hot rows are, for mix_up; turn labels into rows by \
                    `to_categorical` before `augment`";
        assert_eq!(error(Tensor::zeros([3])), format!("found targets of shape [3] and type f32, {rest}"));
        assert_eq!(
            error(Tensor::new([[1.0, 0.0], [1.0, 1.0]])),
            format!("sample 1: found the targets [1. 1.], {rest}")
        );
        assert!(error(Tensor::new([[2.0, -1.0]])).starts_with("sample 0: found the targets [ 2. -1.]"));
        assert!(error(Tensor::new([[f32::NAN, 1.0]])).starts_with("sample 0: "));
        assert!(check(Tensor::from([[0_u8], [1]]).into()).unwrap_err().to_string().contains("type u8"));
        let soft = Columns::new().with("kind", Tensor::new([[0.25, 0.75]])).with("shade", Tensor::new([[1.0]]));
        assert!(check(soft.clone()).is_ok());
        let wrong = soft.map_column("shade", |x| x.to::<f32>() * 2.0);
        assert_eq!(check(wrong).unwrap_err().to_string(), format!("sample 0: found the target \"shade\" [2.], {rest}"));
        let ids = Columns::from((Tensor::<f32>::zeros([1, 1]), Tensor::from([3_i64])));
        assert_eq!(
            super::check(&ids, &Tensor::new([[1.0]]).into()).unwrap_err().to_string(),
            "found input 1 of type i64, expected inputs of type f32 or f64, for mix_up; leave mix_up out, or convert the \
             column"
        );
    }
}
