//! IDX files that are read while they are used.

use std::fs;
use std::path::PathBuf;

use gradus_datasets::{DataSource, DatasetError, Pass, idx};
use gradus_tensor::Tensor;

const PACKED: &str =
    "found a packed file, expected a plain one, whose samples have places; unpack it, or read it as a stream";

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-lazy-{name}", std::process::id()))
}

fn inputs() -> Tensor<i16> {
    Tensor::arange(0, 5 * 6, 1).to::<i16>().reshape([5, 2, 3])
}

fn message<T>(result: Result<T, DatasetError>) -> String {
    result.map(|_| ()).unwrap_err().to_string()
}

#[test]
fn samples_are_those_of_the_file() {
    let (x, y, packed) = (path("x"), path("y"), path("x.gz"));
    idx::write(&x, &inputs()).unwrap();
    idx::write(&packed, &inputs()).unwrap();
    idx::write(&y, &Tensor::from([7_u8, 8, 9, 10, 11])).unwrap();
    let by_index = idx::by_index::<i16, u8>(&x, &y).unwrap();
    let batch = by_index.read(&[4, 0, 4]).unwrap();
    assert_eq!((batch.inputs, batch.targets), (inputs().take_rows(&[4, 0, 4]), Tensor::from([11_u8, 7, 11])));
    for file in [&x, &packed] {
        let stream = idx::stream::<i16, u8>(file, &y).unwrap();
        let batch = |position| {
            let pass = Pass::new(9, stream.order(None).starting_at(position));
            stream.batches(&pass).unwrap().next().map(Result::unwrap)
        };
        assert_eq!(batch(0).unwrap().inputs, inputs());
        assert_eq!(batch(3).unwrap().targets, Tensor::from([10_u8, 11]));
        assert!(batch(5).is_none());
        assert_eq!(stream.sample_count(), Some(5));
    }
    let error = message(idx::by_index::<i16, u8>(&packed, &y));
    assert!(error.ends_with(PACKED), "{error}");
    let error = message(idx::by_index::<u8, u8>(&x, &y));
    assert_eq!(error, message(idx::stream::<u8, u8>(&x, &y)));
    assert!(error.contains("byte 2: found i16 elements"), "{error}");
}

#[test]
fn damaged_files_are_refused() {
    let (x, y, scalar) = (path("cut-x"), path("cut-y"), path("cut-scalar"));
    idx::write(&x, &inputs()).unwrap();
    idx::write(&y, &Tensor::from([1_u8, 2, 3, 4])).unwrap();
    idx::write(&scalar, &Tensor::scalar(1_u8)).unwrap();
    let hint =
        "expected first axes of the same length, an entry for each sample; check that the two files belong together";
    for (targets, shape) in [(&y, "[4]"), (&scalar, "[]")] {
        let expected = format!("found inputs of shape [5, 2, 3] with targets of shape {shape}, {hint}");
        assert_eq!(message(idx::by_index::<i16, u8>(&x, targets)), expected);
        assert_eq!(message(idx::stream::<i16, u8>(&x, targets)), expected);
    }
    let y = path("cut-whole-y");
    idx::write(&y, &Tensor::from([1_u8, 2, 3, 4, 5])).unwrap();
    let whole = fs::read(&x).unwrap();
    for (bytes, samples) in
        [(whole[..whole.len() - 1].to_vec(), 4), (whole[..30].to_vec(), 1), ([&whole[..], b"x"].concat(), 5)]
    {
        fs::write(&x, &bytes).unwrap();
        let expected = message(idx::read::<i16>(&x));
        assert_eq!(message(idx::by_index::<i16, u8>(&x, &y)), expected);
        let stream = idx::stream::<i16, u8>(&x, &y).unwrap();
        let mut batches = stream.batches(&Pass::new(1, stream.order(None))).unwrap();
        assert_eq!(batches.by_ref().take_while(|batch| batch.is_ok()).count(), samples);
        let mut batches = stream.batches(&Pass::new(1, stream.order(None))).unwrap();
        assert_eq!(message(batches.find(|batch| batch.is_err()).unwrap()), expected);
    }
    // A file that is cut off while it is used.
    fs::write(&x, &whole).unwrap();
    let by_index = idx::by_index::<i16, u8>(&x, &y).unwrap();
    fs::write(&x, &whole[..30]).unwrap();
    let error = message(by_index.read(&[0, 2]));
    let expected = "sample 2: found the end of the file, expected the 12 bytes of the sample; the file was cut off since it was \
                    opened: make the data set again";
    assert_eq!(error, format!("{}, {expected}", x.display()));
    // A header that claims more than there is takes no memory.
    fs::write(&x, [&whole[..4], &[0, 0, 0, 5, 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff], &whole[16..]].concat())
        .unwrap();
    let error = idx::stream::<i16, u8>(&x, &y).and_then(|stream| stream.preview());
    assert_eq!(message(error), message(idx::read::<i16>(&x)));
}

#[test]
fn samples_without_elements_are_refused() {
    // Two headers of twelve bytes would be four billion samples, and their random order 34 GB.
    let (x, y) = (path("none-x"), path("none-y"));
    for (path, code) in [(&x, 0x08), (&y, 0x09)] {
        fs::write(path, [0, 0, code, 2, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]).unwrap();
    }
    let expected = format!(
        "{}: found samples without elements, shape [4294967295, 0], expected samples of at least one element; check how the \
         file was written",
        x.display()
    );
    assert_eq!(message(idx::by_index::<u8, i8>(&x, &y)), expected);
    assert_eq!(message(idx::stream::<u8, i8>(&x, &y)), expected);
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_of_gaps_takes_no_memory_for_its_length() {
    // Two samples of 4 TiB each, for which the system has no memory; the file takes some bytes of the disk.
    let (x, y) = (path("gaps-x"), path("gaps-y"));
    let header =
        [&[0, 0, 0x08, 3, 0, 0, 0, 2][..], &(1_u32 << 21).to_be_bytes(), &(1_u32 << 21).to_be_bytes()].concat();
    fs::write(&x, &header).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&x).unwrap();
    // Some file systems have no files of this length.
    if file.set_len(header.len() as u64 + (1 << 43)).is_err() {
        return;
    }
    idx::write(&y, &Tensor::from([1_u8, 2])).unwrap();
    let error = message(idx::by_index::<u8, u8>(&x, &y).and_then(|data| data.read(&[1])));
    fs::remove_file(&x).unwrap();
    assert!(error.starts_with(&format!("{}: found more bytes than memory holds", x.display())), "{error}");
}
