//! MNIST: handwritten digits, 60,000 to train on and 10,000 to test on.
//!
//! Images of 28 x 28 unsigned bytes, 0 for white and 255 for black, and labels 0 to 9. By Yann LeCun, Corinna Cortes
//! and Christopher J. C. Burges, under the terms of the Creative Commons Attribution-Share Alike 3.0 licence. The four
//! original files lie in this crate's folder `data/mnist`.

use std::path::Path;

use crate::error::Result;
use crate::folder::DataFiles;
use crate::labelled_images::{self, TEST, TRAIN};
use crate::remote::Remote;
use crate::splits::Splits;

/// The number of classes: the digits 0 to 9.
pub const CLASSES: usize = 10;

/// The files and the md5 sums of the originals.
pub const FILES: DataFiles = DataFiles {
    name: "mnist",
    files: &[
        (TRAIN[0], Some("6bbc9ace898e44ae57da46a324031adb")),
        (TRAIN[1], Some("a25bea736e30d166cdddb491f175f624")),
        (TEST[0], Some("2646ac647ad5339dbf082846283269ea")),
        (TEST[1], Some("27ae3e4e09519cfbb04c329615203637")),
    ],
    // The mirror and the sums that torchvision uses (torchvision/datasets/mnist.py).
    remotes: &[
        Remote {
            url: "https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz",
            md5: "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        },
        Remote {
            url: "https://ossci-datasets.s3.amazonaws.com/mnist/train-labels-idx1-ubyte.gz",
            md5: "d53e105ee54ea40749a09fcbcd1e9432",
        },
        Remote {
            url: "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-images-idx3-ubyte.gz",
            md5: "9fb629c4189551a2d022fa330f9573f3",
        },
        Remote {
            url: "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-labels-idx1-ubyte.gz",
            md5: "ec29112dd5afa0611ce80d1b7f02629c",
        },
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
    labelled_images::read(&FILES.find()?, [TRAIN, TEST], 0, CLASSES)
}

/// MNIST, or another data set of the same form, from a folder that holds the four files or
/// `mnist/` with them, each plain or gzip'd.
///
/// ```
/// use gradus_datasets::{idx, mnist};
/// use gradus_tensor::Tensor;
/// # let folder = std::env::temp_dir().join(format!("gradus_mnist_{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// // Pictures of one's own, 10 to train on and 2 to test on, in files of MNIST's names.
/// for (part, count) in [("train", 10), ("t10k", 2)] {
///     idx::write(folder.join(format!("{part}-images-idx3-ubyte.gz")), &Tensor::<u8>::zeros([count, 28, 28]))?;
///     idx::write(folder.join(format!("{part}-labels-idx1-ubyte.gz")), &Tensor::<u8>::zeros([count]))?;
/// }
/// let (train, test) = mnist::load_from(&folder)?.split();
/// assert_eq!((train.len(), test.len()), (10, 2));
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If a file is missing or damaged.
pub fn load_from(folder: impl AsRef<Path>) -> Result<Splits<u8, u8>> {
    labelled_images::read(&FILES.find_in(folder)?, [TRAIN, TEST], 0, CLASSES)
}
