//! MNIST: handwritten digits, 60,000 to train on and 10,000 to test on.
//!
//! Images of 28 x 28 unsigned bytes, 0 for white and 255 for black, and labels 0 to 9. By Yann LeCun, Corinna Cortes
//! and Christopher J. C. Burges, under the terms of the Creative Commons Attribution-Share Alike 3.0 licence. The four
//! original files lie in this crate's folder `data/mnist`.

use std::path::Path;
use std::thread;

use crate::dataset::Dataset;
use crate::error::{DatasetError, Place, Result};
use crate::folder::{DataFiles, FoundFiles};
use crate::idx;
use crate::splits::Splits;

/// The number of classes: the digits 0 to 9.
pub const CLASSES: usize = 10;

const TRAIN: [&str; 2] = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"];
const TEST: [&str; 2] = ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// The files and the md5 sums of the originals.
pub const FILES: DataFiles = DataFiles {
    name: "mnist",
    files: &[
        (TRAIN[0], "6bbc9ace898e44ae57da46a324031adb"),
        (TRAIN[1], "a25bea736e30d166cdddb491f175f624"),
        (TEST[0], "2646ac647ad5339dbf082846283269ea"),
        (TEST[1], "27ae3e4e09519cfbb04c329615203637"),
    ],
};

/// MNIST: from `mnist/` in the folder that the environment variable `GRADUS_DATA` names, or else this crate's own copy,
/// whose checksums are verified.
///
/// Inputs `[60000, 28, 28]` and `[10000, 28, 28]`, targets `[60000]` and `[10000]`.
///
/// ```
/// use gradus_datasets::mnist;
/// let (train, test) = mnist::load()?.map_inputs(|x| x.to::<f32>() / 255.0).split();
/// assert_eq!(train.inputs().shape(), &[60_000, 28, 28]);
/// assert_eq!(test.targets().slice(0, ..4).to_vec(), [7, 2, 1, 0]);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If a file is missing or damaged.
pub fn load() -> Result<Splits<u8, u8>> {
    read(&FILES.find()?)
}

/// MNIST, or another data set of the same form such as Fashion-MNIST, from a folder that holds the four files or
/// `mnist/` with them, each plain or gzip'd.
///
/// # Errors
/// If a file is missing or damaged.
pub fn load_from(folder: impl AsRef<Path>) -> Result<Splits<u8, u8>> {
    read(&FILES.find_in(folder)?)
}

fn read(found: &FoundFiles) -> Result<Splits<u8, u8>> {
    thread::scope(|scope| {
        let test = scope.spawn(|| samples(found, TEST));
        let train = samples(found, TRAIN)?;
        let test = test.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(Splits { train, test })
    })
}

fn samples(found: &FoundFiles, [images, labels]: [&str; 2]) -> Result<Dataset<u8, u8>> {
    let inputs = idx::read_source::<u8>(found.open(images)?)?;
    let targets = idx::read_source::<u8>(found.open(labels)?)?;
    if inputs.shape().len() != 3 || targets.shape()[..] != inputs.shape()[..1] {
        let shapes = format!("images of shape {} with labels of shape {}", inputs.shape(), targets.shape());
        let error = DatasetError::new(
            shapes,
            "images [n, height, width] with labels [n]",
            "check that the files belong together",
        );
        return Err(error.in_file(found.path(images)?));
    }
    if let Some(sample) = targets.iter().position(|label| usize::from(label) >= CLASSES) {
        let label = format!("label {}", targets.get([sample]));
        let error = DatasetError::new(label, "a digit from 0 to 9", "check that the file holds labels of ten classes");
        return Err(error.in_file(found.path(labels)?).at(Place::Sample(sample)));
    }
    Dataset::new(inputs, targets).map_err(|error| error.in_file(found.folder()))
}
