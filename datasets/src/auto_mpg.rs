//! Auto MPG: how far cars of the years 1970 to 1982 went on a gallon of petrol. A small regression.
//!
//! 392 cars. By R. Quinlan, "Combining instance-based and model-based learning", ICML 1993, from the StatLib library of
//! Carnegie Mellon University; under the terms of the Creative Commons Attribution 4.0 licence. The file lies in this
//! crate's folder `data/auto-mpg`.

use std::path::Path;

use crate::csv::Csv;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::folder::{DataFiles, FoundFiles};

/// The features of a car: displacement in cubic inches, power in horsepower, weight in pounds, acceleration as the
/// seconds to reach 60 miles an hour, the year less 1900, and 1 for the place of origin, else 0.
pub const FEATURES: [&str; 9] =
    ["cylinders", "displacement", "horsepower", "weight", "acceleration", "year", "usa", "europe", "japan"];

/// The file and its md5 sum.
pub const FILES: DataFiles =
    DataFiles { name: "auto-mpg", files: &[("auto-mpg.csv", Some("d0da6a2edc62bfadf7eaf2c5be454bf9"))], remotes: &[] };

/// Auto MPG: from `auto-mpg/` in the folder that the environment variable `GRADUS_DATA` names, or else this crate's own
/// copy.
///
/// Inputs `[392, 9]`, the [`FEATURES`]; targets `[392, 1]`: miles per gallon.
///
/// ```
/// use gradus_datasets::auto_mpg;
/// let cars = auto_mpg::load()?;
/// assert_eq!(cars.inputs().shape(), &[392, 9]);
/// assert_eq!(cars.targets().get([0, 0]), 18.0);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the file is missing or damaged.
pub fn load() -> Result<Dataset> {
    read(&FILES.find()?)
}

/// Auto MPG from a folder that holds `auto-mpg.csv`, or `auto-mpg/` with it.
///
/// ```
/// use gradus_datasets::auto_mpg;
/// assert_eq!(auto_mpg::load_from("data/auto-mpg")?.len(), 392);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the file is missing or damaged.
pub fn load_from(folder: impl AsRef<Path>) -> Result<Dataset> {
    read(&FILES.find_in(folder)?)
}

fn read(found: &FoundFiles) -> Result<Dataset> {
    Csv::new(found.open("auto-mpg.csv")?).inputs(FEATURES).target("mpg").regression()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cars_are_what_they_are_known_to_be() {
        let cars = load().unwrap();
        // Means in the file as the ISLP package for Python distributes it, by pandas.
        let mean = cars.statistics().mean;
        assert!((mean.get([2]) - 104.469_39).abs() < 1e-4 && (mean.get([3]) - 2_977.584_2).abs() < 1e-3, "{mean:?}");
        assert!((cars.targets().to::<f64>().mean(..).item() - 23.445_918).abs() < 1e-5);
        // Every car comes from one place.
        assert_eq!(cars.inputs().slice(1, 6..).sum(1), gradus_tensor::Tensor::ones([392]));
    }
}
