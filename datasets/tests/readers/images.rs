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

const RECORD: u64 = 3073;

/// A folder of files of CIFAR-10 with black aeroplanes alone, of which the first has so many bytes, those at its
/// beginning given.
fn cifar(name: &str, first: &[u8], length: u64) -> PathBuf {
    let folder = folder(name).join("cifar-10-batches-bin");
    fs::create_dir_all(&folder).unwrap();
    // Zeros that take no room.
    let blank = |file: &str, length| fs::File::create(folder.join(file)).unwrap().set_len(length).unwrap();
    (1..=5).for_each(|batch| blank(&format!("data_batch_{batch}.bin"), 10_000 * RECORD));
    blank("test_batch.bin", 10_000 * RECORD);
    fs::write(folder.join("data_batch_1.bin"), first).unwrap();
    fs::OpenOptions::new().append(true).open(folder.join("data_batch_1.bin")).unwrap().set_len(length).unwrap();
    folder
}

#[test]
fn all_of_cifar10_is_read() {
    let folder = cifar("cifar", &[6, 1, 2, 3], 10_000 * RECORD);
    // The folder around it will do too.
    let (train, test) = cifar10::load_from(folder.parent().unwrap()).unwrap().split();
    assert_eq!(train.inputs().shape(), &[50_000, 32, 32, 3]);
    assert_eq!(test.inputs().shape(), &[10_000, 32, 32, 3]);
    assert_eq!((train.targets().get([0]), train.targets().get([1])), (6, 0));
    assert_eq!(train.inputs().slice(0, ..1).slice(2, ..3).select(1, 0).select(-1, 0).to_vec(), [1, 2, 3]);
    assert_eq!(train.class_names().unwrap()[6], "frog");
}

#[test]
fn damaged_files_of_cifar10_explain_themselves() {
    let refused = |name: &str, first: &[u8], length: u64| {
        let folder = cifar(name, first, length);
        let error = cifar10::load_from(&folder).unwrap_err();
        assert_eq!(error.file().unwrap(), folder.join("data_batch_1.bin").display().to_string());
        (error.place().unwrap(), error.found().to_owned(), error.hint().to_owned())
    };
    let hint = "the file is cut off or not CIFAR-10's: get it again";
    for (name, length, found) in [
        ("cut", 6000, "the end after 1 records and 2927 bytes"),
        ("cut-between", 9_999 * RECORD, "the end after 9999 records and 0 bytes"),
        ("long", 10_001 * RECORD, "the end after 10001 records and 0 bytes"),
        ("empty", 0, "the end after 0 records and 0 bytes"),
    ] {
        assert_eq!(refused(name, b"", length), (Place::Byte(length), found.into(), hint.into()));
    }
    let mut second = vec![0; RECORD as usize];
    second.push(10);
    let (place, found, _) = refused("label", &second, 10_000 * RECORD);
    assert_eq!((place, found.as_str()), (Place::Byte(RECORD), "label 10"));
}

fn read_usps(name: &str, text: &[u8]) -> Result<gradus_datasets::Splits<f32, u8>, gradus_datasets::DatasetError> {
    let folder = folder(name);
    fs::write(folder.join("usps"), text).unwrap();
    fs::write(folder.join("usps.t"), "3 1:0.5\n").unwrap();
    usps::load_from(folder)
}

#[test]
fn all_of_usps_is_read() {
    let folder = folder("usps");
    fs::write(folder.join("usps"), "10 256:0.5\n".repeat(7291)).unwrap();
    fs::write(folder.join("usps.t"), "3 1:0.5\n".repeat(2007)).unwrap();
    let (train, test) = usps::load_from(&folder).unwrap().split();
    assert_eq!((train.len(), test.len()), (7291, 2007));
    assert_eq!((train.targets().get([7290]), test.targets().get([2006])), (9, 2));
    // Cut off between two lines.
    fs::write(folder.join("usps.t"), "3 1:0.5\n".repeat(2006)).unwrap();
    let error = usps::load_from(&folder).unwrap_err();
    assert_eq!((error.found(), error.expected()), ("the end after 2006 samples", "2007 samples"));
    assert_eq!(error.file().unwrap(), folder.join("usps.t").display().to_string());
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
    assert!(error.contains("found the end after 0 samples, expected 7291 samples"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_do_more_than_explain_themselves(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        let _ = read_usps("any-usps", &bytes);
        let _ = cifar10::load_from(cifar("any-cifar", &bytes, bytes.len() as u64));
    }
}
