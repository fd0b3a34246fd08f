//! Iris: three species of flowers, told apart by the size of their leaves. A classification that takes a second.
//!
//! 150 flowers, 50 of each species, sorted by species: shuffle before splitting. By R. A. Fisher, "The use of multiple
//! measurements in taxonomic problems", Annals of Eugenics 7 (1936), under the terms of the Creative Commons
//! Attribution 4.0 licence. The file lies in this crate's folder `data/iris`.

use std::path::Path;

use crate::csv::Csv;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::folder::{DataFiles, FoundFiles};

/// The measurements, in cm.
pub const FEATURES: [&str; 4] = ["sepal length", "sepal width", "petal length", "petal width"];

/// The number of species.
pub const CLASSES: usize = 3;

/// The file and its md5 sum.
pub const FILES: DataFiles =
    DataFiles { name: "iris", files: &[("iris.csv", Some("c64b0eb5a768d6366612d54ed2ebb854"))], remotes: &[] };

/// Iris: from `iris/` in the folder that the environment variable `GRADUS_DATA` names, or else this crate's own copy.
///
/// Inputs `[150, 4]`, the [`FEATURES`]; targets `[150]`: 0 setosa, 1 versicolor, 2 virginica.
///
/// ```
/// use gradus_datasets::iris;
/// let (train, test) = iris::load()?.shuffle(1).split_at(120);
/// let statistics = train.statistics();
/// let (train, test) = (train.normalize_with(&statistics), test.normalize_with(&statistics));
/// assert_eq!(train.to_categorical(iris::CLASSES)?.targets().shape(), &[120, 3]);
/// # assert_eq!(test.len(), 30);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the file is missing or damaged.
pub fn load() -> Result<Dataset<f32, i64>> {
    read(&FILES.find()?)
}

/// Iris from a folder that holds `iris.csv`, or `iris/` with it.
///
/// ```
/// use gradus_datasets::iris;
/// let flowers = iris::load_from("data")?; // The folder with `iris/`, or that folder itself.
/// assert_eq!(flowers.class_names().unwrap()[2], "virginica");
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the file is missing or damaged.
pub fn load_from(folder: impl AsRef<Path>) -> Result<Dataset<f32, i64>> {
    read(&FILES.find_in(folder)?)
}

fn read(found: &FoundFiles) -> Result<Dataset<f32, i64>> {
    Csv::new(found.open("iris.csv")?).inputs(FEATURES).target("species").classification()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iris_is_what_it_is_known_to_be() {
        let iris = load().unwrap();
        assert_eq!(iris.inputs().shape(), &[150, 4]);
        assert_eq!(iris.class_names().unwrap(), ["setosa", "versicolor", "virginica"]);
        assert!(iris.targets().to_vec().chunks(50).enumerate().all(|(class, run)| run == [class as i64; 50]));
        // NumPy: x.mean(0) and x.std(0) of scikit-learn's load_iris().data.
        let statistics = iris.statistics();
        let mean = [5.843_333_3, 3.057_333_3, 3.758, 1.199_333_3];
        let std = [0.825_301_3, 0.434_411, 1.759_404_1, 0.759_692_6];
        assert!(statistics.mean.allclose(&mean.into(), 1e-6, 0.0), "{:?}", statistics.mean);
        assert!(statistics.std.allclose(&std.into(), 1e-6, 0.0), "{:?}", statistics.std);
    }
}
