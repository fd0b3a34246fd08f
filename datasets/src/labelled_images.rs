//! The reader of MNIST and the data sets of its form: images and labels in IDX files.

use std::thread;

use gradus_tensor::Tensor;

use crate::dataset::Dataset;
use crate::error::{DatasetError, Place, Result};
use crate::folder::FoundFiles;
use crate::idx;
use crate::splits::Splits;

/// The files of images and of labels, to train on and to test on, as MNIST named them.
pub const TRAIN: [&str; 2] = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"];
pub const TEST: [&str; 2] = ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// Both sets, whose labels in the files are the `classes` numbers from `first_label` on; here they count from 0.
pub fn read(
    found: &FoundFiles,
    [train, test]: [[&str; 2]; 2],
    first_label: u8,
    classes: usize,
) -> Result<Splits<u8, u8>> {
    thread::scope(|scope| {
        let test = scope.spawn(move || samples(found, test, first_label, classes));
        let train = samples(found, train, first_label, classes)?;
        let test = test.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(Splits { train, test })
    })
}

fn samples(
    found: &FoundFiles,
    [images, labels]: [&str; 2],
    first_label: u8,
    classes: usize,
) -> Result<Dataset<u8, u8>> {
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
    let known = |label: u8| label >= first_label && usize::from(label - first_label) < classes;
    if let Some(sample) = targets.iter().position(|label| !known(label)) {
        let expected = format!("a label from {first_label} to {}", usize::from(first_label) + classes - 1);
        let hint = format!("check that the file holds labels of {classes} classes");
        let error = DatasetError::new(format!("label {}", targets.get([sample])), expected, hint);
        return Err(error.in_file(found.path(labels)?).at(Place::Sample(sample)));
    }
    let targets = if first_label == 0 { targets } else { from_zero(targets, first_label) };
    Dataset::new(inputs, targets).map_err(|error| error.in_file(found.folder()))
}

fn from_zero(mut labels: Tensor<u8>, first_label: u8) -> Tensor<u8> {
    labels.as_mut_slice().iter_mut().for_each(|label| *label -= first_label);
    labels
}
