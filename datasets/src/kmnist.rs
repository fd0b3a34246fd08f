//! Kuzushiji-MNIST: cursive Japanese letters from old books, 60,000 to train on and 10,000 to test on; of MNIST's form.
//!
//! Images of 28 x 28 unsigned bytes and labels 0 to 9, one letter of each row of the hiragana. By Tarin Clanuwat and
//! others, "Deep learning for classical Japanese literature" (arXiv:1812.01718), adapted from the "Kuzushiji Dataset" of
//! the National Institute of Japanese Literature and others, doi:10.20676/00000341, under the Creative Commons
//! Attribution-ShareAlike 4.0 licence.
//!
//! The files are not part of this crate. With the feature `download`, [`load`] fetches them. Or download the four files
//! of "Kuzushiji-MNIST" from <https://codh.rois.ac.jp/kmnist/> into a folder `kmnist`, and let `GRADUS_DATA` name the
//! folder around it.

use std::path::Path;

use crate::error::Result;
use crate::folder::DataFiles;
use crate::labelled_images::{self, TEST, TRAIN};
use crate::remote::Remote;
use crate::splits::Splits;

/// The number of classes.
pub const CLASSES: usize = 10;

/// The name of each class: a letter of hiragana, written in Latin letters.
pub const CLASS_NAMES: [&str; CLASSES] = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"];

/// The files.
pub const FILES: DataFiles = DataFiles {
    name: "kmnist",
    files: &[(TRAIN[0], None), (TRAIN[1], None), (TEST[0], None), (TEST[1], None)],
    // The sums are those that torchvision uses (torchvision/datasets/mnist.py).
    remotes: &[
        Remote {
            url: "https://codh.rois.ac.jp/kmnist/dataset/kmnist/train-images-idx3-ubyte.gz",
            md5: "bdb82020997e1d708af4cf47b453dcf7",
        },
        Remote {
            url: "https://codh.rois.ac.jp/kmnist/dataset/kmnist/train-labels-idx1-ubyte.gz",
            md5: "e144d726b3acfaa3e44228e80efcd344",
        },
        Remote {
            url: "https://codh.rois.ac.jp/kmnist/dataset/kmnist/t10k-images-idx3-ubyte.gz",
            md5: "5c965bf0a639b31b8f53240b1b52f4d7",
        },
        Remote {
            url: "https://codh.rois.ac.jp/kmnist/dataset/kmnist/t10k-labels-idx1-ubyte.gz",
            md5: "7320c461ea6c1c855c0b718fb2a4b134",
        },
    ],
};

/// Kuzushiji-MNIST: from `kmnist/` in the folder that the environment variable `GRADUS_DATA` names.
///
/// Inputs `[60000, 28, 28]` and `[10000, 28, 28]`, targets `[60000]` and `[10000]`, class names [`CLASS_NAMES`].
///
/// ```no_run
/// use gradus_datasets::kmnist;
/// let (train, test) = kmnist::load()?.map_inputs(|x| x.to::<f32>() / 255.0).split();
/// assert_eq!((train.len(), test.len()), (60_000, 10_000));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If a file is missing or damaged.
pub fn load() -> Result<Splits<u8, u8>> {
    labelled_images::read(&FILES.find()?, [TRAIN, TEST], 0, CLASSES).map(|splits| splits.with_class_names(CLASS_NAMES))
}

/// Kuzushiji-MNIST from a folder that holds the four files or `kmnist/` with them, each plain or gzip'd.
///
/// ```no_run
/// use gradus_datasets::kmnist;
/// let pictures = kmnist::load_from("downloads/kmnist")?.train;
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If a file is missing or damaged.
pub fn load_from(folder: impl AsRef<Path>) -> Result<Splits<u8, u8>> {
    labelled_images::read(&FILES.find_in(folder)?, [TRAIN, TEST], 0, CLASSES)
        .map(|splits| splits.with_class_names(CLASS_NAMES))
}
