//! CIFAR-10: colour pictures of ten kinds of animals and vehicles, 50,000 to train on and 10,000 to test on.
//!
//! Pictures of 32 x 32 pixels of red, green and blue, unsigned bytes, and labels 0 to 9. By Alex Krizhevsky, "Learning
//! multiple layers of features from tiny images" (2009); its authors ask to be cited and state no licence.
//!
//! The files are not part of this crate. With the feature `download`, [`load`] fetches them (170 MB). Or download the
//! "binary version" from <https://www.cs.toronto.edu/~kriz/cifar.html>, unpack it, and let `GRADUS_DATA` name the
//! folder that then holds `cifar-10-batches-bin`.

use std::path::Path;

use gradus_tensor::Tensor;

use crate::dataset::Dataset;
use crate::error::{DatasetError, Place, Result};
use crate::folder::{DataFiles, FoundFiles};
use crate::remote::Remote;
use crate::source::ByteSource;
use crate::splits::Splits;

/// The number of classes.
pub const CLASSES: usize = 10;

/// The name of each class.
pub const CLASS_NAMES: [&str; CLASSES] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

const TRAIN: [&str; 5] =
    ["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"];
const TEST: [&str; 1] = ["test_batch.bin"];

/// The files.
pub const FILES: DataFiles = DataFiles {
    name: "cifar-10-batches-bin",
    files: &[(TRAIN[0], None), (TRAIN[1], None), (TRAIN[2], None), (TRAIN[3], None), (TRAIN[4], None), (TEST[0], None)],
    // The sum is that of the authors' page.
    remotes: &[Remote {
        url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        md5: "c32a1d4ab5d03f1284b67883e8d87530",
    }],
};

const SIDE: usize = 32;
const CHANNELS: usize = 3;
const PLANE: usize = SIDE * SIDE;
/// The records of each file.
const RECORDS: usize = 10_000;
/// A record is a label and the planes of red, green and blue.
const RECORD: usize = 1 + CHANNELS * PLANE;

/// CIFAR-10: from `cifar-10-batches-bin/` in the folder that the environment variable `GRADUS_DATA` names.
///
/// Inputs `[50000, 32, 32, 3]` and `[10000, 32, 32, 3]`, targets `[50000]` and `[10000]`, class names [`CLASS_NAMES`].
///
/// ```no_run
/// use gradus_datasets::cifar10;
/// let (train, test) = cifar10::load()?.map_inputs(|x| x.to::<f32>() / 255.0).split();
/// assert_eq!(train.inputs().shape(), &[50_000, 32, 32, 3]);
/// assert_eq!(train.class_names().unwrap()[usize::from(train.targets().get([0]))], "frog");
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If a file is missing or damaged.
pub fn load() -> Result<Splits<u8, u8>> {
    read(&FILES.find()?)
}

/// CIFAR-10 from a folder that holds the six files, or `cifar-10-batches-bin/` with them.
///
/// ```no_run
/// use gradus_datasets::cifar10;
/// let (train, test) = cifar10::load_from("downloads/cifar-10-batches-bin")?.split();
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If a file is missing or damaged.
pub fn load_from(folder: impl AsRef<Path>) -> Result<Splits<u8, u8>> {
    read(&FILES.find_in(folder)?)
}

fn read(found: &FoundFiles) -> Result<Splits<u8, u8>> {
    let splits = Splits { train: samples(found, &TRAIN)?, test: samples(found, &TEST)? };
    Ok(splits.with_class_names(CLASS_NAMES))
}

fn samples(found: &FoundFiles, files: &[&str]) -> Result<Dataset<u8, u8>> {
    let contents: Vec<Vec<u8>> = files.iter().map(|name| records(found.open(name)?)).collect::<Result<_>>()?;
    let (inputs, targets) = pictures(&contents);
    Dataset::new(inputs, targets).map_err(|error| error.in_file(found.folder()))
}

/// Pictures and labels of whole records, the channels last.
fn pictures(contents: &[Vec<u8>]) -> (Tensor<u8>, Tensor<u8>) {
    let count = contents.iter().map(|bytes| bytes.len() / RECORD).sum();
    let mut inputs = Tensor::<u8>::zeros([count, SIDE, SIDE, CHANNELS]);
    let mut targets = Tensor::<u8>::zeros([count]);
    let pictures = inputs.as_mut_slice().as_chunks_mut::<{ CHANNELS * PLANE }>().0;
    let all = contents.iter().flat_map(|bytes| bytes.as_chunks::<RECORD>().0);
    for ((record, picture), target) in all.zip(pictures).zip(targets.as_mut_slice()) {
        *target = record[0];
        let (red, rest) = record[1..].split_at(PLANE);
        let (green, blue) = rest.split_at(PLANE);
        let pixels = picture.as_chunks_mut::<CHANNELS>().0;
        for (((pixel, &red), &green), &blue) in pixels.iter_mut().zip(red).zip(green).zip(blue) {
            *pixel = [red, green, blue];
        }
    }
    (inputs, targets)
}

/// The bytes of a file, which must be [`RECORDS`] records, each with a label below [`CLASSES`].
fn records(mut source: ByteSource<'_>) -> Result<Vec<u8>> {
    let bytes = source.read_up_to(u64::MAX)?;
    let refuse = |found, expected: String, hint: &str, place| {
        Err(DatasetError::new(found, expected, hint).in_file(source.name()).at(Place::Byte(place)))
    };
    if bytes.len() != RECORDS * RECORD {
        let (whole, rest) = (bytes.len() / RECORD, bytes.len() % RECORD);
        let found = format!("the end after {whole} records and {rest} bytes");
        let expected = format!("{RECORDS} records of {RECORD} bytes, a label and {CHANNELS} planes of {SIDE} x {SIDE}");
        return refuse(found, expected, "the file is cut off or not CIFAR-10's: get it again", bytes.len() as u64);
    }
    if let Some(record) = bytes.chunks_exact(RECORD).position(|record| usize::from(record[0]) >= CLASSES) {
        let found = format!("label {}", bytes[record * RECORD]);
        let expected = format!("a label from 0 to {} at the start of each record", CLASSES - 1);
        let hint = "check that the file is of the binary version of CIFAR-10, not CIFAR-100";
        return refuse(found, expected, hint, (record * RECORD) as u64);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_come_last() {
        // Pixel i is red i, green i + 1, blue i + 2, all modulo 251.
        let record = |label: u8| {
            let planes = (0..3).flat_map(|channel| (0..1024).map(move |i| ((i + channel) % 251) as u8));
            std::iter::once(label).chain(planes).collect::<Vec<u8>>()
        };
        let (inputs, targets) = pictures(&[[record(7), record(0)].concat(), record(3)]);
        assert_eq!(inputs.shape(), &[3, 32, 32, 3]);
        assert_eq!(targets.to_vec(), [7, 0, 3]);
        // Row 3, column 4 is pixel 100.
        assert_eq!([0, 1, 2].map(|channel| inputs.get([1, 3, 4, channel])), [100, 101, 102]);
    }
}
