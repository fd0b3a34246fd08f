//! IDX files: every type and rank comes back as it was written, and no damaged file does more than explain itself.

use std::fs;
use std::path::PathBuf;

use gradus_datasets::idx::{self, IdxElement};
use gradus_datasets::{DatasetError, Place};
use gradus_tensor::{AnyTensor, Shape, Tensor};
use proptest::prelude::*;

/// A path of its own for a file that a test writes.
fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()))
}

fn bytes_of<T: IdxElement>(tensor: &Tensor<T>) -> Vec<u8> {
    let mut bytes = Vec::new();
    idx::write_to(&mut bytes, tensor).unwrap();
    bytes
}

fn message(result: Result<AnyTensor, DatasetError>) -> String {
    result.unwrap_err().to_string()
}

/// The elements bit for bit, so that NaN counts too.
fn assert_same<T: IdxElement>(a: &Tensor<T>, b: &Tensor<T>) {
    assert_eq!(a.shape(), b.shape());
    assert_eq!(bytes_of(a), bytes_of(b));
}

#[test]
fn the_bytes_are_those_of_the_format() {
    // By hand: zeros, the type, the rank; the lengths; the elements, each big endian (IEEE 754: 1.5 is 0x3fc00000).
    let bytes = bytes_of(&Tensor::from([[1_i16, -2, 256]]));
    assert_eq!(bytes, [0, 0, 0x0b, 2, 0, 0, 0, 1, 0, 0, 0, 3, 0, 1, 0xff, 0xfe, 1, 0]);
    assert_eq!(bytes_of(&Tensor::scalar(1.5_f32)), [0, 0, 0x0d, 0, 0x3f, 0xc0, 0, 0]);
    assert_eq!(bytes_of(&Tensor::from([7_u8])), [0, 0, 0x08, 1, 0, 0, 0, 1, 7]);
    assert_eq!(bytes_of(&Tensor::from([-1_i8])), [0, 0, 0x09, 1, 0, 0, 0, 1, 0xff]);
    assert_eq!(bytes_of(&Tensor::from([1_i32])), [0, 0, 0x0c, 1, 0, 0, 0, 1, 0, 0, 0, 1]);
    assert_eq!(bytes_of(&Tensor::scalar(-2.0_f64)), [0, 0, 0x0e, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn views_are_written_as_they_look() {
    let x = Tensor::from([[1_i32, 2, 3], [4, 5, 6]]);
    let back: Tensor<i32> = idx::read_from(&bytes_of(&x.t().flip(0))[..], "view").unwrap();
    assert_eq!(back, Tensor::from([[3, 6], [2, 5], [1, 4]]));
}

#[test]
fn files_are_packed_by_their_name_and_unpacked_by_their_content() {
    let x = Tensor::<u8>::zeros([100, 28, 28]);
    let (plain, packed) = (scratch("plain.idx"), scratch("packed.idx.gz"));
    idx::write(&plain, &x).unwrap();
    idx::write(&packed, &x).unwrap();
    assert!(fs::metadata(&packed).unwrap().len() < 1000);
    let misnamed = scratch("misnamed.idx");
    fs::rename(&packed, &misnamed).unwrap();
    assert_eq!(idx::read::<u8>(&plain).unwrap(), x);
    assert_eq!(idx::read::<u8>(&misnamed).unwrap(), x);
}

#[test]
fn another_type_is_named() {
    let bytes = bytes_of(&Tensor::from([1_u8]));
    let error = idx::read_from::<f32>(&bytes[..], "labels").unwrap_err();
    assert_eq!(
        error.to_string(),
        "labels, byte 2: found u8 elements (type 0x08), expected f32 elements (type 0x0d); \
         read them as u8 and convert with `to`"
    );
    assert_eq!((error.file(), error.place()), (Some("labels"), Some(Place::Byte(2))));
    let any = idx::read_any_from(&bytes[..], "labels").unwrap();
    assert_eq!((any.element(), any.to::<f32>()), ("u8", Tensor::new([1.0])));
}

/// A file this short is still in memory when the last element is written: the error comes with the flush.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error() {
    let error = idx::write("/dev/full", &Tensor::from([1_u8, 2])).unwrap_err().to_string();
    assert!(error.starts_with("/dev/full: found a place that cannot be written to (No space left"), "{error}");
}

#[test]
fn damaged_files_explain_themselves() {
    let read = |bytes: &[u8]| message(idx::read_any_from(bytes, "digits"));
    let cases: &[(&[u8], &str)] = &[
        (
            b"",
            "digits, byte 0: found the end after 0 bytes, expected the 4 bytes that begin an IDX file; the file is cut \
             off: get it again",
        ),
        (
            &[0, 0, 8],
            "digits, byte 0: found the end after 3 bytes, expected the 4 bytes that begin an IDX file; the file is cut \
             off: get it again",
        ),
        (
            b"PK\x03\x04 and so on",
            "digits, byte 0: found a ZIP archive, expected an IDX file, which begins with two zeros; unpack it with `unzip`, \
             and read a file that it holds",
        ),
        (
            &[0, 1, 8, 1, 0, 0, 0, 1, 7],
            "digits, byte 0: found the bytes 00 01, expected 00 00, as every IDX file begins; check that the path names \
             an IDX file",
        ),
        (
            &[0, 0, 0x0a, 1, 0, 0, 0, 1, 7],
            "digits, byte 2: found element type 0x0a, expected one of 0x08 (u8), 0x09 (i8), 0x0b (i16), 0x0c (i32), \
             0x0d (f32), 0x0e (f64); check that the path names an IDX file",
        ),
        (
            &[0, 0, 8, 3, 0, 0, 0, 1, 0, 0],
            "digits, byte 4: found the end after 6 of the 12 bytes of the axis lengths, expected 3 axis lengths; the \
             file is cut off: get it again",
        ),
        (
            &[0, 0, 0x0b, 1, 0, 0, 0, 2, 1, 2, 3],
            "digits, byte 11: found the end after 3 bytes of elements, expected 4 bytes of elements, as the header \
             says: i16 [2]; the file is cut off or its header is wrong: get it again",
        ),
        (
            &[0, 0, 8, 1, 0, 0, 0, 2, 1, 2, 3],
            "digits, byte 10: found more bytes after the last element, expected 2 bytes of elements, as the header \
             says: u8 [2]; the file is damaged or its header is wrong: get it again",
        ),
        (
            &[0, 0, 8, 2, 255, 255, 255, 255, 255, 255, 255, 255],
            "digits, byte 4: found axis lengths [4294967295, 4294967295], expected no more elements than memory can \
             address; the header is damaged: get the file again",
        ),
        (
            b"\x1f\x8b and no more of gzip",
            "digits, byte 0: found bytes that cannot be read (invalid gzip header), expected a readable file, plain or \
             packed; the file may be damaged, or not a file: get it again",
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(read(bytes), *expected);
    }
}

#[test]
fn a_header_that_claims_the_whole_address_space_takes_no_memory() {
    // 2^61 bytes: an allocation of that size would end the process.
    let bytes = [0, 0, 8, 2, 0x40, 0, 0, 0, 0x80, 0, 0, 0, 1, 2, 3];
    let error = message(idx::read_any_from(&bytes[..], "lies"));
    assert!(error.starts_with("lies, byte 15: found the end after 3 bytes of elements"), "{error}");
    // No elements, but strides beyond all bounds.
    let bytes = [&[0, 0, 8, 4, 0, 0, 0, 0][..], &[255; 12]].concat();
    let error = message(idx::read_any_from(&bytes[..], "lies"));
    assert!(error.contains("expected no more elements than memory can address"), "{error}");
}

#[test]
fn cut_off_gzip_files_explain_themselves() {
    let path = scratch("cut.idx.gz");
    idx::write(&path, &Tensor::arange(0, 10_000, 1)).unwrap();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = message(idx::read_any(&path));
    assert!(error.starts_with(&format!("{}, byte ", path.display())), "{error}");
    assert!(
        error.ends_with(
            "found the end of the packed bytes, expected the rest of the packed file; the file is cut off: get it again"
        ),
        "{error}"
    );
}

#[test]
fn missing_files_and_unwritable_places_explain_themselves() {
    assert_eq!(
        message(idx::read_any("no/such/file")),
        "no/such/file: found no such file, expected a file to read; check the path"
    );
    let error = idx::write("no/such/folder/x.idx", &Tensor::from([1_u8])).unwrap_err();
    assert_eq!(error.file(), Some("no/such/folder/x.idx"));
    assert_eq!(error.hint(), "check the path, its permissions and the free space");
    let deep = Tensor::<u8>::zeros(vec![1; 256]);
    let error = idx::write_to(Vec::new(), &deep).unwrap_err();
    assert_eq!(error.expected(), "at most 255 axes of lengths below 2^32, all that IDX can say");
}

/// A folder where a file should be: readable nowhere, but no panic.
#[test]
fn a_folder_is_no_file() {
    assert!(idx::read::<u8>(env!("CARGO_TARGET_TMPDIR")).is_err());
}

/// Shapes of any rank up to 6, axes of length 0 and 1 among them, and the rank 255 once in a while.
fn shapes() -> impl Strategy<Value = Shape> {
    prop_oneof![
        15 => prop::collection::vec(0..5_usize, 0..6).prop_map(Shape::from),
        1 => Just(Shape::from(vec![1; 255])),
    ]
}

fn round_trip<T: IdxElement + Into<f64>>(shape: &Shape, bits: &[u8]) -> Result<(), TestCaseError> {
    // Any bits: infinities and NaNs too.
    let bytes: Vec<u8> = bits.iter().copied().cycle().take(shape.size() * size_of::<T>()).collect();
    let tensor = T::decode(&bytes).reshape(shape);
    let plain = bytes_of(&tensor);
    prop_assert!(plain.ends_with(&bytes));
    assert_same(&tensor, &idx::read_from::<T>(&plain[..], "plain").unwrap());

    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    idx::write_to(&mut packed, &tensor).unwrap();
    let packed = packed.finish().unwrap();
    assert_same(&tensor, &idx::read_from::<T>(&packed[..], "packed").unwrap());

    let any = idx::read_any_from(&plain[..], "any").unwrap();
    prop_assert_eq!(any.element(), T::NAME);
    prop_assert_eq!(any.shape(), shape);
    Ok(())
}

proptest! {
    #[test]
    fn every_type_and_rank_comes_back(shape in shapes(), bits in prop::collection::vec(any::<u8>(), 1..64)) {
        round_trip::<u8>(&shape, &bits)?;
        round_trip::<i8>(&shape, &bits)?;
        round_trip::<i16>(&shape, &bits)?;
        round_trip::<i32>(&shape, &bits)?;
        round_trip::<f32>(&shape, &bits)?;
        round_trip::<f64>(&shape, &bits)?;
    }

    #[test]
    fn random_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = idx::read_any_from(&bytes[..], "random");
        let _ = idx::read_from::<u8>(&bytes[..], "random");
    }

    /// Most random bytes fail at the first; these get further.
    #[test]
    fn random_headers_do_no_harm(
        code in 7..16_u8,
        lengths in prop::collection::vec(prop_oneof![0..4_u32, any::<u32>()], 0..8),
        rest in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut bytes = vec![0, 0, code, lengths.len() as u8];
        bytes.extend(lengths.iter().flat_map(|length| length.to_be_bytes()));
        bytes.extend(&rest);
        if let Ok(tensor) = idx::read_any_from(&bytes[..], "random") {
            let lengths: Vec<usize> = lengths.iter().map(|&length| length as usize).collect();
            prop_assert_eq!(tensor.shape(), &Shape::from(lengths));
        }
    }

    /// A packed file with a few bytes changed either reads or explains itself.
    #[test]
    fn damaged_gzip_does_no_harm(place in any::<prop::sample::Index>(), value in any::<u8>()) {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        idx::write_to(&mut packed, &Tensor::arange(0, 100, 1)).unwrap();
        let mut packed = packed.finish().unwrap();
        let place = place.index(packed.len());
        packed[place] = value;
        let _ = idx::read_any_from(&packed[..], "damaged");
    }
}

#[test]
fn files_of_other_formats_are_named() {
    let message = |bytes: &[u8]| idx::read_from::<u8>(bytes, "images").unwrap_err().to_string();
    assert_eq!(
        message(b"\x93NUMPY\x01\0v\0{'descr': '|u1'"),
        "images, byte 0: found a NumPy array, expected an IDX file, which begins with two zeros; read it by \
         `Tensor::load_npy` of gradus-tensor"
    );
    assert!(message(b"PK\x03\x04\x14\0\0\0").contains("found a ZIP archive, expected"));
    assert!(message(b"<html>not found</html>").contains("found a web page, expected"));
}
