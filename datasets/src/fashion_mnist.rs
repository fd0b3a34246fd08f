//! Fashion-MNIST: articles of clothing, 60,000 to train on and 10,000 to test on; of MNIST's form, but harder.
//!
//! Images of 28 x 28 unsigned bytes, 0 for the background, and labels 0 to 9. By Han Xiao, Kashif Rasul and Roland
//! Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms" (arXiv:1708.07747),
//! under the MIT licence.
//!
//! The files are not part of this crate. With the feature `download`, [`load`] fetches them. Debian and its kin have the
//! package `dataset-fashion-mnist`, which puts them into `/usr/share/datasets/fashion-mnist`, where [`load`] finds them.
//! Elsewhere, download the four files from <https://github.com/zalandoresearch/fashion-mnist> into a folder
//! `fashion-mnist`, and let `GRADUS_DATA` name the folder around it.

use std::path::Path;

use crate::error::Result;
use crate::folder::DataFiles;
use crate::labelled_images::{self, TEST, TRAIN};
use crate::remote::Remote;
use crate::splits::Splits;

/// The number of classes.
pub const CLASSES: usize = 10;

/// The name of each class.
pub const CLASS_NAMES: [&str; CLASSES] =
    ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];

/// The files. The unpacked files' sums were taken from those in Debian's package dataset-fashion-mnist
/// 0.0~git20200523.55506a9-1, which are the original ones packed anew.
pub const FILES: DataFiles = DataFiles {
    name: "fashion-mnist",
    files: &[
        (TRAIN[0], Some("f4a8712d7a061bf5bd6d2ca38dc4d50a")),
        (TRAIN[1], Some("9018921c3c673c538a1fc5bad174d6f9")),
        (TEST[0], Some("8181f5470baa50b63fa0f6fddb340f0a")),
        (TEST[1], Some("15d484375f8d13e6eb1aabb0c3f46965")),
    ],
    // The authors' repository; the sums are those of its README, and torchvision's (torchvision/datasets/mnist.py).
    remotes: &[
        Remote {
            url: "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/train-images-idx3-ubyte.gz",
            md5: "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        },
        Remote {
            url: "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/train-labels-idx1-ubyte.gz",
            md5: "25c81989df183df01b3e8a0aad5dffbe",
        },
        Remote {
            url: "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/t10k-images-idx3-ubyte.gz",
            md5: "bef4ecab320f06d8554ea6380940ec79",
        },
        Remote {
            url: "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/t10k-labels-idx1-ubyte.gz",
            md5: "bb300cfdad3c16e7a12a480ee83cd310",
        },
    ],
};

/// Fashion-MNIST: from `fashion-mnist/` in the folder that the environment variable `GRADUS_DATA` names, or else from
/// Debian's package, whose checksums are verified.
///
/// Inputs `[60000, 28, 28]` and `[10000, 28, 28]`, targets `[60000]` and `[10000]`, class names [`CLASS_NAMES`].
///
/// ```no_run
/// use gradus_datasets::fashion_mnist;
/// let (train, test) = fashion_mnist::load()?.map_inputs(|x| x.to::<f32>() / 255.0).split();
/// assert_eq!(train.class_names().unwrap()[usize::from(train.targets().get([0]))], "Ankle boot");
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If a file is missing or damaged.
pub fn load() -> Result<Splits<u8, u8>> {
    labelled_images::read(&FILES.find()?, [TRAIN, TEST], 0, CLASSES).map(|splits| splits.with_class_names(CLASS_NAMES))
}

/// Fashion-MNIST from a folder that holds the four files or `fashion-mnist/` with them, each plain or gzip'd.
///
/// ```no_run
/// use gradus_datasets::fashion_mnist;
/// let (train, test) = fashion_mnist::load_from("downloads/fashion-mnist")?.to_categorical(10)?.split();
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If a file is missing or damaged.
pub fn load_from(folder: impl AsRef<Path>) -> Result<Splits<u8, u8>> {
    labelled_images::read(&FILES.find_in(folder)?, [TRAIN, TEST], 0, CLASSES)
        .map(|splits| splits.with_class_names(CLASS_NAMES))
}
