//! The repository's own copy of MNIST, against figures that are known of it.

use std::fs;
use std::path::PathBuf;

use gradus_datasets::{Dataset, idx, mnist};
use gradus_tensor::Tensor;

/// How often each digit occurs: `np.bincount` of the labels.
const TRAIN_HISTOGRAM: [usize; 10] = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949];
const TEST_HISTOGRAM: [usize; 10] = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009];

fn histogram(dataset: &Dataset<u8, u8>) -> [usize; 10] {
    let mut counts = [0; 10];
    for label in dataset.targets().iter() {
        counts[usize::from(label)] += 1;
    }
    counts
}

#[test]
fn mnist_is_what_it_is_known_to_be() {
    let (train, test) = mnist::load().unwrap().split();
    assert_eq!(train.inputs().shape(), &[60_000, 28, 28]);
    assert_eq!(test.inputs().shape(), &[10_000, 28, 28]);
    assert_eq!(histogram(&train), TRAIN_HISTOGRAM);
    assert_eq!(histogram(&test), TEST_HISTOGRAM);

    // The mean and standard deviation that normalise MNIST everywhere, to the digits that are usually given.
    let pixels = train.inputs().size() as f64 * 255.0;
    let sum: u64 = train.inputs().iter().map(u64::from).sum();
    let squares: u64 = train.inputs().iter().map(|x| u64::from(x) * u64::from(x)).sum();
    let mean = sum as f64 / pixels;
    let std = (squares as f64 / (pixels * 255.0) - mean * mean).sqrt();
    assert!((mean - 0.1307).abs() < 5e-5 && (std - 0.3081).abs() < 5e-5, "{mean} {std}");
}

/// A folder with the four files, of two small images each.
fn small(name: &str, labels: &Tensor<u8>) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let images = Tensor::<u8>::ones([2, 3, 3]);
    idx::write(folder.join("train-images-idx3-ubyte"), &images).unwrap();
    idx::write(folder.join("train-labels-idx1-ubyte.gz"), labels).unwrap();
    idx::write(folder.join("t10k-images-idx3-ubyte.gz"), &images).unwrap();
    idx::write(folder.join("t10k-labels-idx1-ubyte"), &Tensor::from([9_u8, 0])).unwrap();
    folder
}

#[test]
fn another_data_set_of_the_same_form_loads() {
    let splits = mnist::load_from(small("other", &Tensor::from([3_u8, 4]))).unwrap();
    assert_eq!(splits.train.inputs().shape(), &[2, 3, 3]);
    assert_eq!(splits.train.targets().to_vec(), [3, 4]);
    assert_eq!(splits.test.targets().to_vec(), [9, 0]);
}

#[test]
fn files_that_are_wrong_are_named() {
    let folder = small("label", &Tensor::from([3_u8, 10]));
    assert_eq!(
        mnist::load_from(&folder).unwrap_err().to_string(),
        format!(
            "{}, sample 1: found label 10, expected a label from 0 to 9; check that the file holds labels of 10 classes",
            folder.join("train-labels-idx1-ubyte.gz").display()
        )
    );
    let folder = small("count", &Tensor::from([3_u8, 4, 5]));
    assert_eq!(
        mnist::load_from(&folder).unwrap_err().to_string(),
        format!(
            "{}: found images of shape [2, 3, 3] with labels of shape [3], expected images [n, height, width] with \
             labels [n]; check that the files belong together",
            folder.join("train-images-idx3-ubyte").display()
        )
    );
    let folder = small("none", &Tensor::from([3_u8, 4]));
    idx::write(folder.join("t10k-images-idx3-ubyte.gz"), &Tensor::<u8>::zeros([0, 3, 3])).unwrap();
    idx::write(folder.join("t10k-labels-idx1-ubyte"), &Tensor::<u8>::zeros([0])).unwrap();
    let error = mnist::load_from(&folder).unwrap_err().to_string();
    assert!(error.contains("found no sample, inputs of shape [0, 3, 3]"), "{error}");
    fs::remove_file(folder.join("train-labels-idx1-ubyte.gz")).unwrap();
    let error = mnist::load_from(&folder).unwrap_err().to_string();
    assert!(error.contains("expected train-labels-idx1-ubyte, plain or packed, beside"), "{error}");
}
