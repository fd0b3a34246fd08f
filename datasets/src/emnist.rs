//! EMNIST: handwritten digits and letters in six selections, of MNIST's form.
//!
//! Images of 28 x 28 unsigned bytes, 0 for the background. By Gregory Cohen, Saeed Afshar, Jonathan Tapson and André van
//! Schaik, "EMNIST: an extension of MNIST to handwritten letters" (arXiv:1702.05373), from the NIST Special Database 19,
//! a work of the United States government.
//!
//! | [`Selection`] | classes | to train on | to test on |
//! |---|---|---|---|
//! | `ByClass` | 62: digits, capitals, small letters | 697,932 | 116,323 |
//! | `ByMerge` | 47: small letters that look like their capitals count as these | 697,932 | 116,323 |
//! | `Balanced` | the same 47, each equally often | 112,800 | 18,800 |
//! | `Letters` | 26, capital or small | 124,800 | 20,800 |
//! | `Digits` | 10 | 240,000 | 40,000 |
//! | `Mnist` | 10, as many as MNIST | 60,000 | 10,000 |
//!
//! Two things differ from the files. There the images are transposed, rows for columns: here they stand upright, as those
//! of MNIST do. And there the labels of `Letters` count from 1: here all labels count from 0.
//!
//! The files are not part of this crate. With the feature `download`, [`load`] fetches them (560 MB). Or download the
//! archive `gzip.zip` from <https://www.nist.gov/itl/products-and-services/emnist-dataset>, unpack it into a folder
//! `emnist`, and let `GRADUS_DATA` name the folder around it.

use std::path::Path;

use gradus_tensor::Tensor;

use crate::error::Result;
use crate::folder::{DataFiles, FoundFiles};
use crate::labelled_images;
use crate::remote::Remote;
use crate::splits::Splits;

/// A selection of EMNIST's images, with its division into classes.
///
/// ```
/// use gradus_datasets::emnist::Selection;
/// assert_eq!((Selection::ByClass.classes(), Selection::Letters.classes()), (62, 26));
/// assert_eq!(Selection::Balanced.class_names()[10], "A");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All images in 62 classes: the digits, the capitals, the small letters.
    ByClass,
    /// All images in 47 classes: the small letters c, i, j, k, l, m, o, p, s, u, v, w, x, y, z count as capitals.
    ByMerge,
    /// Equally many images of each of the 47 classes.
    Balanced,
    /// Equally many images of each of 26 letters, capital or small.
    Letters,
    /// Equally many images of each of ten digits.
    Digits,
    /// Digits, as many as MNIST has.
    Mnist,
}

/// The archive and its sum as torchvision has them (torchvision/datasets/mnist.py).
const REMOTES: &[Remote] =
    &[Remote { url: "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip", md5: "58c8d27c78d21e728a6bc7b3cc06412e" }];

/// The digits, the capitals, and the small letters, of which the 47 classes have eleven.
const CHARACTERS: [&str; 62] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M",
    "N", "O", "P", "Q", "R", "S", "T", "U", "V", "W", "X", "Y", "Z", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j",
    "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z",
];
const SMALL_LETTERS_APART: [&str; 11] = ["a", "b", "d", "e", "f", "g", "h", "n", "q", "r", "t"];

/// The files of a selection, the images and labels to train on and those to test on.
macro_rules! files {
    ($name:literal) => {
        (
            [
                concat!("emnist-", $name, "-train-images-idx3-ubyte"),
                concat!("emnist-", $name, "-train-labels-idx1-ubyte"),
            ],
            [
                concat!("emnist-", $name, "-test-images-idx3-ubyte"),
                concat!("emnist-", $name, "-test-labels-idx1-ubyte"),
            ],
            &[
                (concat!("emnist-", $name, "-train-images-idx3-ubyte"), None),
                (concat!("emnist-", $name, "-train-labels-idx1-ubyte"), None),
                (concat!("emnist-", $name, "-test-images-idx3-ubyte"), None),
                (concat!("emnist-", $name, "-test-labels-idx1-ubyte"), None),
            ],
        )
    };
}

type Names = ([&'static str; 2], [&'static str; 2], &'static [(&'static str, Option<&'static str>)]);

impl Selection {
    /// The number of classes.
    pub fn classes(self) -> usize {
        match self {
            Selection::ByClass => 62,
            Selection::ByMerge | Selection::Balanced => 47,
            Selection::Letters => 26,
            Selection::Digits | Selection::Mnist => 10,
        }
    }

    /// The name of each class.
    pub fn class_names(self) -> Vec<&'static str> {
        match self {
            Selection::ByClass => CHARACTERS.to_vec(),
            Selection::ByMerge | Selection::Balanced => [&CHARACTERS[..36], &SMALL_LETTERS_APART].concat(),
            Selection::Letters => CHARACTERS[36..].to_vec(),
            Selection::Digits | Selection::Mnist => CHARACTERS[..10].to_vec(),
        }
    }

    /// The selection's files.
    pub fn files(self) -> DataFiles {
        DataFiles { name: "emnist", files: self.names().2, remotes: REMOTES }
    }

    fn names(self) -> Names {
        match self {
            Selection::ByClass => files!("byclass"),
            Selection::ByMerge => files!("bymerge"),
            Selection::Balanced => files!("balanced"),
            Selection::Letters => files!("letters"),
            Selection::Digits => files!("digits"),
            Selection::Mnist => files!("mnist"),
        }
    }

    /// The number of the first class in the files.
    fn first_label(self) -> u8 {
        u8::from(self == Selection::Letters)
    }
}

/// A selection of EMNIST: from `emnist/` in the folder that the environment variable `GRADUS_DATA` names.
///
/// Inputs `[n, 28, 28]`, upright; targets `[n]`, from 0; class names [`Selection::class_names`].
///
/// ```no_run
/// use gradus_datasets::emnist::{self, Selection};
/// let letters = emnist::load(Selection::Letters)?;
/// assert_eq!(letters.train.inputs().shape(), &[124_800, 28, 28]);
/// assert_eq!(letters.train.class_names().unwrap()[0], "a");
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If a file is missing or damaged.
pub fn load(selection: Selection) -> Result<Splits<u8, u8>> {
    read(&selection.files().find()?, selection)
}

/// A selection of EMNIST from a folder that holds its four files or `emnist/` with them, each plain or gzip'd.
///
/// ```no_run
/// use gradus_datasets::emnist::{self, Selection};
/// let digits = emnist::load_from("downloads/emnist", Selection::Digits)?;
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If a file is missing or damaged.
pub fn load_from(folder: impl AsRef<Path>, selection: Selection) -> Result<Splits<u8, u8>> {
    read(&selection.files().find_in(folder)?, selection)
}

fn read(found: &FoundFiles, selection: Selection) -> Result<Splits<u8, u8>> {
    let (train, test, _) = selection.names();
    let splits = labelled_images::read(found, [train, test], selection.first_label(), selection.classes())?;
    let upright = |images: Tensor<u8>| images.permute([0, 2, 1]).contiguous();
    Ok(splits.map_inputs(upright).with_class_names(selection.class_names()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_a_name() {
        use Selection::*;
        for selection in [ByClass, ByMerge, Balanced, Letters, Digits, Mnist] {
            assert_eq!(selection.class_names().len(), selection.classes(), "{selection:?}");
        }
        // Label 36 is the first of the small letters, whether all 26 follow or eleven.
        assert_eq!((ByClass.class_names()[38], Balanced.class_names()[38]), ("c", "d"));
        assert_eq!((Balanced.class_names()[35], Balanced.class_names()[46]), ("Z", "t"));
    }
}
