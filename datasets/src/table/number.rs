//! Columns of numbers as features: filled where they are missing, and scaled.

use gradus_tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::feature::{Input, Strided};
use crate::error::{DatasetError, Place, Result};

/// A column of numbers as a feature: one number, scaled; and, if it is asked for, whether it was missing.
///
/// Numbers that are missing are an error unless [`impute`](Number::impute) says what stands for them. They are filled before the
/// scale is found.
///
/// ```
/// use gradus_datasets::{FeatureSpace, Impute, Number, Table, TableColumn};
/// use gradus_tensor::Tensor;
/// let table = Table::new([("age", TableColumn::from(vec![Some(20.0), None, Some(40.0)]))])?;
/// let age = Number::min_max().impute(Impute::Value(30.0)).indicator(true);
/// let preparation = FeatureSpace::new().feature("age", age).adapt(&table)?;
/// let features = preparation.prepare(&table)?;
/// assert_eq!(features[0].to::<f32>(), Tensor::new([[0.0, 0.0], [0.5, 1.0], [1.0, 0.0]]));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Number {
    scale: Scale,
    impute: Option<Impute>,
    indicator: bool,
}

/// How numbers are scaled.
///
/// ```
/// use gradus_datasets::{FeatureSpace, Number, Table, TableColumn};
/// let table = Table::new([("x", TableColumn::from([0.0, 1.0, 2.0, 3.0, 100.0]))])?;
/// let scaled = |number: Number| -> gradus_datasets::Result<Vec<f32>> {
///     let preparation = FeatureSpace::new().feature("x", number).adapt(&table)?;
///     Ok(preparation.prepare(&table)?[0].to::<f32>().to_vec())
/// };
/// // One wild number crowds the others together, unless the scale is robust.
/// assert_eq!(scaled(Number::min_max())?, [0.0, 0.01, 0.02, 0.03, 1.0]);
/// assert_eq!(scaled(Number::robust())?, [-1.0, -0.5, 0.0, 0.5, 49.0]);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Not at all.
    #[default]
    None,
    /// (x - mean) / standard deviation, which is divided by n: scikit-learn's `StandardScaler`.
    Standard,
    /// (x - minimum) / (maximum - minimum): from 0 to 1, as `MinMaxScaler`.
    MinMax,
    /// (x - median) / (third quartile - first quartile), which a few wild numbers do not move: `RobustScaler`.
    Robust,
}

/// What stands for a number that is missing. The mean and so on are those of the table that is adapted to.
///
/// ```
/// use gradus_datasets::{FeatureSpace, Impute, Number, Table, TableColumn};
/// let table = Table::new([("x", TableColumn::from(vec![Some(1.0), Some(1.0), Some(4.0), None]))])?;
/// for (impute, filled) in [(Impute::Mean, 2.0), (Impute::Median, 1.0), (Impute::Value(-1.0), -1.0)] {
///     let preparation = FeatureSpace::new().feature("x", Number::new().impute(impute)).adapt(&table)?;
///     assert_eq!(preparation.prepare(&table)?[0].to::<f32>().to_vec()[3], filled);
/// }
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Impute {
    /// This number.
    Value(f64),
    /// The mean of the others.
    Mean,
    /// The median of the others.
    Median,
    /// The most frequent number; of several the smallest.
    MostFrequent,
}

impl Number {
    /// The number as it is.
    pub fn new() -> Self {
        Number::default()
    }

    /// The number with mean 0 and standard deviation 1.
    pub fn standard() -> Self {
        Number { scale: Scale::Standard, ..Number::default() }
    }

    /// The number from 0 to 1.
    pub fn min_max() -> Self {
        Number { scale: Scale::MinMax, ..Number::default() }
    }

    /// The number with median 0 and a distance of 1 between its quartiles.
    pub fn robust() -> Self {
        Number { scale: Scale::Robust, ..Number::default() }
    }

    /// What stands for a number that is missing.
    pub fn impute(self, impute: Impute) -> Self {
        Number { impute: Some(impute), ..self }
    }

    /// Whether a second number says if the first was missing: 1 where it was, else 0.
    pub fn indicator(self, indicator: bool) -> Self {
        Number { indicator, ..self }
    }

    pub(super) fn adapt(&self, numbers: &Tensor<f64>) -> Result<Scaled> {
        if self.indicator && self.impute.is_none() {
            let hint = "say by `impute` what stands for a number that is missing";
            return Err(DatasetError::new("an indicator, and nothing to fill in", "both", hint));
        }
        let fill = self.impute.map(|impute| impute.adapt(numbers)).transpose()?;
        let filled = filled(numbers, fill)?;
        let (center, divisor) = self.scale.adapt(&filled);
        Ok(Scaled { fill, center, divisor, indicator: self.indicator })
    }
}

impl Impute {
    pub(super) fn adapt(self, numbers: &Tensor<f64>) -> Result<f64> {
        if let Impute::Value(value) = self {
            return Ok(value);
        }
        let mut there: Vec<f64> = numbers.iter().filter(|number| !number.is_nan()).collect();
        if there.is_empty() {
            let hint = "leave the column out, or fill in a number by `Impute::Value`";
            return Err(DatasetError::new("no number in the column", "one at least", hint));
        }
        Ok(match self {
            Impute::Value(value) => value,
            Impute::Mean => Tensor::from(there).mean(..).item(),
            Impute::Median => quantile(&mut there, 0.5),
            Impute::MostFrequent => most_frequent(there),
        })
    }
}

impl Scale {
    /// What is subtracted, and what the difference is divided by: never 0.
    fn adapt(self, numbers: &[f64]) -> (f64, f64) {
        let (center, divisor) = match self {
            Scale::None => (0.0, 1.0),
            Scale::Standard => {
                let (mean, divisor) = Tensor::from(numbers.to_vec()).mean_and_divisor(0);
                (mean.item(), divisor.item())
            }
            Scale::MinMax => {
                let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
                let most = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                (least, most - least)
            }
            Scale::Robust => {
                let mut numbers = numbers.to_vec();
                let center = quantile(&mut numbers, 0.5);
                (center, quantile(&mut numbers, 0.75) - quantile(&mut numbers, 0.25))
            }
        };
        (center, if divisor == 0.0 { 1.0 } else { divisor })
    }
}

/// The quantile with linear interpolation between two numbers, as NumPy's. The numbers change their order.
pub(super) fn quantile(numbers: &mut [f64], share: f64) -> f64 {
    let place = share * (numbers.len() - 1) as f64;
    let (below, rest) = (place.floor() as usize, place.fract());
    let (_, &mut low, above) = numbers.select_nth_unstable_by(below, f64::total_cmp);
    let high = above.iter().copied().fold(f64::INFINITY, f64::min);
    if rest == 0.0 { low } else { low + (high - low) * rest }
}

fn most_frequent(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    let (mut best, mut most) = (f64::NAN, 0);
    for run in numbers.chunk_by(|a, b| a == b) {
        if run.len() > most {
            (best, most) = (run[0], run.len());
        }
    }
    best
}

/// The numbers with those that are missing filled in.
fn filled(numbers: &Tensor<f64>, fill: Option<f64>) -> Result<Vec<f64>> {
    numbers.iter().enumerate().map(|(row, number)| checked(number, fill, row)).collect()
}

/// A number that is there and finite, or what stands for it.
#[inline]
pub(super) fn checked(number: f64, fill: Option<f64>, row: usize) -> Result<f64> {
    match fill {
        _ if number.is_finite() => Ok(number),
        Some(fill) if number.is_nan() => Ok(fill),
        _ => Err(unusable(number, row)),
    }
}

#[cold]
fn unusable(number: f64, row: usize) -> DatasetError {
    let error = match number.is_nan() {
        true => {
            let hint = "say by `impute` what stands for it, or leave the row out";
            DatasetError::new("a number that is missing", "a number in every row", hint)
        }
        false => DatasetError::new(number.to_string(), "a finite number", "correct it, or leave the row out"),
    };
    error.at(Place::Sample(row))
}

/// A feature of numbers that was adapted to a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scaled {
    fill: Option<f64>,
    center: f64,
    divisor: f64,
    indicator: bool,
}

impl Scaled {
    pub fn width(&self) -> usize {
        1 + usize::from(self.indicator)
    }

    pub fn names(&self, column: &str) -> Vec<String> {
        let mut names = vec![column.to_owned()];
        if self.indicator {
            names.push(format!("{column} is missing"));
        }
        names
    }

    /// The number of a row, or what stands for it.
    #[inline]
    pub fn filled(&self, number: f64, row: usize) -> Result<f64> {
        checked(number, self.fill, row)
    }

    pub fn write(&self, input: &Input<'_>, out: &mut Strided<'_>) -> Result<()> {
        for (row, &number) in input.numbers().iter().enumerate() {
            let value = self.filled(number, input.first() + row)?;
            out.set(row, 0, ((value - self.center) / self.divisor) as f32);
            if self.indicator {
                out.set(row, 1, f32::from(u8::from(number.is_nan())));
            }
        }
        Ok(())
    }
}
