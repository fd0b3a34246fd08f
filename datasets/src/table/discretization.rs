//! Numbers as the bins that they fall into.

use gradus_tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::feature::{Input, Strided};
use super::number::{checked, quantile};
use crate::error::{DatasetError, Place, Result};

/// Numbers as the ids of bins: Keras's `Discretization`.
///
/// The bins are bounded by numbers from the smallest on: bin 0 is below the first, bin i from boundary i - 1 to before boundary i.
/// They are given ([`at`](Discretization::at)), or found in data, so that bins hold like numbers of samples
/// ([`new`](Discretization::new)). Keras finds quantiles that are nearly so; here they are exact, with linear interpolation.
///
/// ```
/// use gradus_datasets::Discretization;
/// let ages = Discretization::at([18.0, 65.0])?;
/// assert_eq!(ages.ids([3.0, 18.0, 40.0, 70.0])?.to_vec(), [0, 1, 1, 2]);
///
/// let halves = Discretization::new(2).adapt([1.0, 2.0, 3.0, 10.0])?;
/// assert_eq!(halves.bin_boundaries(), [2.5]);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// As a feature of a [`FeatureSpace`](crate::FeatureSpace), each bin is a number that is 1 or 0, and what is missing has none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discretization {
    num_bins: usize,
    bin_boundaries: Vec<f64>,
}

impl Discretization {
    /// So many bins, whose boundaries [`adapt`](Discretization::adapt) finds. Boundaries that fall together are one, so there may
    /// be fewer.
    ///
    /// # Panics
    /// If `num_bins` is less than 2.
    #[track_caller]
    pub fn new(num_bins: usize) -> Self {
        assert!(num_bins > 1, "Discretization: at least 2 bins are needed, found {num_bins}");
        Discretization { num_bins, bin_boundaries: Vec::new() }
    }

    /// Bins with these boundaries.
    ///
    /// # Errors
    /// If there is none, one is not finite, or they do not ascend.
    pub fn at(boundaries: impl IntoIterator<Item = f64>) -> Result<Self> {
        let bin_boundaries: Vec<f64> = boundaries.into_iter().collect();
        let ascends = bin_boundaries.windows(2).all(|pair| pair[0] < pair[1]);
        if bin_boundaries.is_empty() || !ascends || bin_boundaries.iter().any(|number| !number.is_finite()) {
            let found = format!("the boundaries {bin_boundaries:?}");
            return Err(DatasetError::new(found, "finite numbers that ascend", "sort them, and give each once"));
        }
        Ok(Discretization { num_bins: bin_boundaries.len() + 1, bin_boundaries })
    }

    /// Takes the boundaries from these numbers. NaN is left out.
    ///
    /// # Errors
    /// If there is no number, or one is infinite.
    pub fn adapt(self, numbers: impl IntoIterator<Item = f64>) -> Result<Self> {
        let mut numbers: Vec<f64> = numbers.into_iter().filter(|number| !number.is_nan()).collect();
        if numbers.is_empty() || numbers.iter().any(|number| number.is_infinite()) {
            let found = if numbers.is_empty() { "no number" } else { "an infinite number" };
            return Err(DatasetError::new(found, "finite numbers", "check the data, or give boundaries by `at`"));
        }
        let share = |bin: usize| bin as f64 / self.num_bins as f64;
        let mut boundaries: Vec<f64> = (1..self.num_bins).map(|bin| quantile(&mut numbers, share(bin))).collect();
        boundaries.dedup();
        Ok(Discretization { bin_boundaries: boundaries, ..self })
    }

    /// The boundaries; none before [`adapt`](Discretization::adapt).
    pub fn bin_boundaries(&self) -> &[f64] {
        &self.bin_boundaries
    }

    /// The bins of numbers, `[numbers]`.
    ///
    /// # Errors
    /// If there are no boundaries, or a number is NaN.
    pub fn ids(&self, numbers: impl IntoIterator<Item = f64>) -> Result<Tensor<i64>> {
        if self.bin_boundaries.is_empty() {
            return Err(DatasetError::new("no boundaries", "some", "call `adapt`, or give them by `at`"));
        }
        let id = |(place, number): (usize, f64)| match number.is_nan() {
            false => Ok(self.bin(number) as i64),
            true => {
                let hint = "fill it in, or leave it out";
                Err(DatasetError::new("NaN", "a number", hint).at(Place::Sample(place)))
            }
        };
        numbers.into_iter().enumerate().map(id).collect::<Result<Vec<i64>>>().map(Into::into)
    }

    fn bin(&self, number: f64) -> usize {
        self.bin_boundaries.partition_point(|&boundary| boundary <= number)
    }

    pub(super) fn adapt_feature(&self, numbers: &Tensor<f64>) -> Result<Self> {
        if self.bin_boundaries.is_empty() { self.clone().adapt(numbers.iter()) } else { Ok(self.clone()) }
    }

    pub(super) fn width(&self) -> usize {
        self.bin_boundaries.len() + 1
    }

    pub(super) fn names(&self, column: &str) -> Vec<String> {
        let boundaries = &self.bin_boundaries;
        let name = |bin: usize| match (bin.checked_sub(1).map(|below| boundaries[below]), boundaries.get(bin)) {
            (None, None) => format!("{column} is there"),
            (None, Some(above)) => format!("{column} < {above}"),
            (Some(below), Some(above)) => format!("{below} <= {column} < {above}"),
            (Some(below), None) => format!("{column} >= {below}"),
        };
        (0..self.width()).map(name).collect()
    }

    pub(super) fn write(&self, input: &Input<'_>, out: &mut Strided<'_>) -> Result<()> {
        for (row, &number) in input.numbers().iter().enumerate() {
            if !number.is_nan() {
                out.set(row, self.bin(checked(number, None, input.first() + row)?), 1.0);
            }
        }
        Ok(())
    }
}
