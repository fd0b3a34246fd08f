//! Data sets of images, from small files in their real formats; damaged ones explain themselves.

use std::fs;
use std::path::PathBuf;

use gradus_datasets::emnist::{self, Selection};
use gradus_datasets::{Place, cifar10, fashion_mnist, idx, kmnist, usps};
use gradus_tensor::Tensor;
use proptest::prelude::*;

/// A folder of its own for the files that a test writes.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Two images of two rows and three columns, and their labels.
fn write_pair(folder: &std::path::Path, images: &str, labels: &str, values: [u8; 2]) {
    let pixels = Tensor::from([[[1_u8, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]]);
    idx::write(folder.join(images), &pixels).unwrap();
    idx::write(folder.join(labels), &Tensor::from(values)).unwrap();
}

#[test]
fn the_successors_of_mnist_have_its_form() {
    let folder = folder("form");
    write_pair(&folder, "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", [9, 0]);
    write_pair(&folder, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", [1, 2]);
    let fashion = fashion_mnist::load_from(&folder).unwrap();
    assert_eq!(fashion.train.inputs().shape(), &[2, 2, 3]);
    assert_eq!(fashion.train.inputs().get([0, 1, 0]), 4);
    assert_eq!(fashion.test.targets().to_vec(), [1, 2]);
    for part in [&fashion.train, &fashion.test] {
        assert_eq!(part.class_names().unwrap(), fashion_mnist::CLASS_NAMES);
    }
    assert_eq!(kmnist::load_from(&folder).unwrap().test.class_names().unwrap()[9], "wo");
}

#[test]
fn emnist_stands_upright_and_counts_from_zero() {
    let folder = folder("emnist");
    let name = |part: &str, kind: &str| format!("emnist-letters-{part}-{kind}");
    write_pair(&folder, &name("train", "images-idx3-ubyte.gz"), &name("train", "labels-idx1-ubyte"), [1, 26]);
    write_pair(&folder, &name("test", "images-idx3-ubyte"), &name("test", "labels-idx1-ubyte.gz"), [3, 2]);
    let letters = emnist::load_from(&folder, Selection::Letters).unwrap();
    // The files hold the rows of the image as columns.
    let upright = Tensor::from([[[1_u8, 4], [2, 5], [3, 6]], [[7, 10], [8, 11], [9, 12]]]);
    assert_eq!(*letters.train.inputs(), upright);
    assert_eq!(letters.train.targets().to_vec(), [0, 25]);
    assert_eq!(letters.test.targets().to_vec(), [2, 1]);
    assert_eq!(letters.test.class_names().unwrap()[2], "c");

    write_pair(&folder, &name("test", "images-idx3-ubyte"), &name("test", "labels-idx1-ubyte.gz"), [3, 0]);
    let error = emnist::load_from(&folder, Selection::Letters).unwrap_err();
    assert_eq!((error.place(), error.expected()), (Some(Place::Sample(1)), "a label from 1 to 26"));
    let error = emnist::load_from(&folder, Selection::Balanced).unwrap_err().to_string();
    assert!(error.contains("expected the files of emnist, plain or packed: emnist-balanced-train-images"), "{error}");
}

/// A record of CIFAR-10: pixel `i` is red `i`, green `i + 1`, blue `i + 2`, all modulo 251.
fn record(label: u8) -> Vec<u8> {
    let planes = (0..3).flat_map(|channel| (0..1024).map(move |i| ((i + channel) % 251) as u8));
    std::iter::once(label).chain(planes).collect()
}

fn cifar(name: &str, last: &[u8]) -> PathBuf {
    let folder = folder(name).join("cifar-10-batches-bin");
    fs::create_dir_all(&folder).unwrap();
    for batch in 1..=5 {
        fs::write(folder.join(format!("data_batch_{batch}.bin")), record(batch)).unwrap();
    }
    fs::write(folder.join("test_batch.bin"), last).unwrap();
    folder
}

#[test]
fn cifar10_has_channels_last() {
    let folder = cifar("cifar", &[record(7), record(0)].concat());
    // The folder around it will do too.
    let (train, test) = cifar10::load_from(folder.parent().unwrap()).unwrap().split();
    assert_eq!((train.inputs().shape(), test.inputs().shape()), (&[5, 32, 32, 3].into(), &[2, 32, 32, 3].into()));
    assert_eq!((train.targets().to_vec(), test.targets().to_vec()), (vec![1, 2, 3, 4, 5], vec![7, 0]));
    // Row 3, column 4 is pixel 100.
    let pixel = |channel| test.inputs().get([1, 3, 4, channel]);
    assert_eq!([pixel(0), pixel(1), pixel(2)], [100, 101, 102]);
    assert_eq!(train.class_names().unwrap()[6], "frog");
}

#[test]
fn damaged_files_of_cifar10_explain_themselves() {
    let refused = |name: &str, bytes: &[u8]| {
        let folder = cifar(name, bytes);
        let error = cifar10::load_from(&folder).unwrap_err();
        assert_eq!(error.file().unwrap(), folder.join("test_batch.bin").display().to_string());
        (error.place().unwrap(), error.found().to_owned(), error.hint().to_owned())
    };
    let cut = [record(1), record(2)].concat();
    assert_eq!(
        refused("cut", &cut[..6000]),
        (
            Place::Byte(6000),
            "the end after 2927 bytes of a record".into(),
            "the file is cut off or not CIFAR-10's: get it again".into()
        )
    );
    assert_eq!(refused("empty", b"").0, Place::Byte(0));
    let (place, found, _) = refused("label", &[record(1), record(10)].concat());
    assert_eq!((place, found.as_str()), (Place::Byte(3073), "label 10"));
}

fn read_usps(name: &str, text: &[u8]) -> Result<gradus_datasets::Splits<f32, u8>, gradus_datasets::DatasetError> {
    let folder = folder(name);
    fs::write(folder.join("usps"), text).unwrap();
    fs::write(folder.join("usps.t"), "3 1:0.5\n").unwrap();
    usps::load_from(folder)
}

#[test]
fn usps_is_read_as_libsvm_writes_it() {
    // What is left out is 0; blank lines and a missing last newline do no harm.
    let (train, test) = read_usps("usps", b"10 1:-1 2:0.25 256:1.0\n\n1 17:-0.5 \n7").unwrap().split();
    assert_eq!(train.inputs().shape(), &[3, 16, 16]);
    assert_eq!(train.targets().to_vec(), [9, 0, 6]);
    let image = train.inputs().select(0, 0);
    assert_eq!([image.get([0, 0]), image.get([0, 1]), image.get([0, 2]), image.get([15, 15])], [-1.0, 0.25, 0.0, 1.0]);
    assert_eq!(train.inputs().get([1, 1, 0]), -0.5);
    assert_eq!(test.targets().to_vec(), [2]);
}

#[test]
fn what_is_not_usps_explains_itself() {
    let hint = "the file is damaged or not USPS in the form of LIBSVM: get it again";
    let cases: &[(&[u8], &str)] = &[
        (b"1 1:0\n11 1:0\n", "line 2, column 1: found label 11, expected a label from 1 to 10"),
        (b"0 1:0\n", "line 1, column 1: found label 0, expected a label from 1 to 10"),
        (b"1.5 1:0\n", "line 1, column 1: found label 1.5, expected a label from 1 to 10"),
        (b"1 1:0 257:1\n", "line 1, column 3: found \"257:1\", expected index:value"),
        (b"1 0:0\n", "line 1, column 2: found \"0:0\", expected index:value"),
        (b"1 5\n", "line 1, column 2: found \"5\", expected index:value"),
        (b"1 5:NaN\n", "line 1, column 2: found \"5:NaN\", expected index:value"),
        (b"1 5:\xff\n", "line 1, column 2: found \"5:\u{fffd}\", expected index:value"),
    ];
    for (text, expected) in cases {
        let error = read_usps("not-usps", text).unwrap_err().to_string();
        assert!(error.contains(expected) && error.ends_with(hint), "{error}");
    }
    let error = read_usps("no-usps", b"\n").unwrap_err().to_string();
    assert!(error.contains("found no sample"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_do_more_than_explain_themselves(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        let _ = read_usps("any-usps", &bytes);
        let _ = cifar10::load_from(cifar("any-cifar", &bytes));
    }
}
