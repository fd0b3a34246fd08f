//! The repository's own copy of MNIST, against figures that are known of it.

use gradus_datasets::{Dataset, mnist};

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
