//! `.npy` files against the bytes that NumPy 2.4.6 writes, and against bytes that nobody should write.

use gradus_tensor::npy::NpyError;
use gradus_tensor::{Element, Tensor};
use proptest::prelude::*;

/// A file as NumPy lays it out: magic, version, length, the padded header, the data.
fn file(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
    let mut text = format!("{header:<117}\n").into_bytes();
    let mut file = vec![0x93, b'N', b'U', b'M', b'P', b'Y', version, 0];
    match version {
        1 => file.extend((text.len() as u16).to_le_bytes()),
        _ => file.extend((text.len() as u32).to_le_bytes()),
    }
    file.append(&mut text);
    file.extend(data);
    file
}

fn read<T: Element>(file: &[u8]) -> Result<Tensor<T>, NpyError> {
    Tensor::read_npy(file)
}

#[test]
fn files_of_numpy_are_read() {
    // np.array([[1.5, -2, 3.25], [4, 5, 6]], '<f4')
    let data = b"\x00\x00\xc0?\x00\x00\x00\xc0\x00\x00P@\x00\x00\x80@\x00\x00\xa0@\x00\x00\xc0@";
    let single = file(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", data);
    assert_eq!(single.len(), 152);
    let expected = [[1.5, -2.0, 3.25], [4.0, 5.0, 6.0]];
    assert_eq!(read::<f32>(&single).unwrap(), Tensor::new(expected));
    // np.asfortranarray of the same as '>f8'
    let data = b"?\xf8\0\0\0\0\0\0@\x10\0\0\0\0\0\0\xc0\0\0\0\0\0\0\0@\x14\0\0\0\0\0\0@\n\0\0\0\0\0\0@\x18\0\0\0\0\0\0";
    let double = file(1, "{'descr': '>f8', 'fortran_order': True, 'shape': (2, 3), }", data);
    assert_eq!(read::<f64>(&double).unwrap(), Tensor::new(expected).to());
    // np.array([1, -2, 300], '<i2') in version 2.0, np.array(True)
    let short = file(2, "{'descr': '<i2', 'fortran_order': False, 'shape': (3,), }", b"\x01\x00\xfe\xff,\x01");
    assert_eq!(read::<i16>(&short).unwrap(), Tensor::from([1_i16, -2, 300]));
    let flag = file(1, "{'descr': '|b1', 'fortran_order': False, 'shape': (), }", b"\x01");
    assert_eq!(read::<bool>(&flag).unwrap(), Tensor::scalar(true));
}

#[test]
fn what_is_written_is_what_numpy_writes() {
    let x = Tensor::new([[1.5, 4.0], [-2.0, 5.0], [3.25, 6.0]]).t();
    let mut bytes = Vec::new();
    x.write_npy(&mut bytes).unwrap();
    let data = b"\x00\x00\xc0?\x00\x00\x00\xc0\x00\x00P@\x00\x00\x80@\x00\x00\xa0@\x00\x00\xc0@";
    assert_eq!(bytes, file(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", data));
}

fn round_trip<T: Element>(x: &Tensor<T>) {
    let mut bytes = Vec::new();
    x.write_npy(&mut bytes).unwrap();
    // Something behind the array stays in the stream.
    bytes.extend(b"next");
    let mut rest = &bytes[..];
    assert_eq!(Tensor::<T>::read_npy(&mut rest).unwrap(), *x);
    assert_eq!(rest, b"next");
}

#[test]
fn every_element_type_survives() {
    let x = Tensor::<i64>::arange(-60_000, 60_000, 1).reshape([2, 300, 200]);
    round_trip(&x);
    round_trip(&x.to::<f32>().flip(1));
    round_trip(&x.to::<f64>().permute([2, 0, 1]));
    round_trip(&x.to::<i8>());
    round_trip(&x.to::<i16>());
    round_trip(&x.to::<i32>());
    round_trip(&x.to::<u8>());
    round_trip(&x.greater(5));
    round_trip(&Tensor::<f32>::zeros([0, 3]));
    round_trip(&Tensor::scalar(7.0_f32));
}

#[test]
fn files_are_written_and_read_by_path() {
    let path = std::env::temp_dir().join(format!("gradus-npy-test-{}.npy", std::process::id()));
    let x = Tensor::<f32>::linspace(-1.0, 1.0, 7);
    x.save_npy(&path).unwrap();
    assert_eq!(Tensor::<f32>::load_npy(&path).unwrap(), x);
    let wrong = Tensor::<f64>::load_npy(&path).unwrap_err();
    let mut longer = std::fs::read(&path).unwrap();
    longer.push(0);
    std::fs::write(&path, longer).unwrap();
    let longer = Tensor::<f32>::load_npy(&path).unwrap_err();
    std::fs::remove_file(&path).unwrap();
    let missing = Tensor::<f32>::load_npy(&path).unwrap_err();
    let path = path.display();
    assert_eq!(
        wrong.to_string(),
        format!(
            "{path}: byte 25: expected 'f8', the elements of a tensor of f64, found '<f4': read a Tensor<f32> and convert \
             it, `.to::<f64>()`"
        )
    );
    assert_eq!(longer.to_string(), format!("{path}: byte 156: expected the end of the file, found more bytes"));
    assert!(missing.to_string().starts_with(&format!("{path}: byte 0: ")), "{missing}");
    assert!(std::error::Error::source(&missing).is_some());
}

#[test]
fn what_is_wrong_is_named() {
    let header = |text: &str| read::<f32>(&file(1, text, b"")).unwrap_err().to_string();
    let cases = [
        (read::<f32>(b"\x93NUM").unwrap_err().to_string(), "the 8 bytes that a .npy file begins with, found the end"),
        (
            read::<f32>(b"PK\x03\x04abcd").unwrap_err().to_string(),
            r"byte 0: expected \x93NUMPY, the beginning of a .npy",
        ),
        (
            read::<f32>(b"\x93NUMPY\x09\x00").unwrap_err().to_string(),
            "byte 6: expected version 1, 2 or 3 of the format",
        ),
        (read::<f32>(b"\x93NUMPY\x02\x00\xff\xff\xff\xff").unwrap_err().to_string(), "found one of 4294967295 bytes"),
        (
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)"),
            "expected '}', found the end of the header",
        ),
        (header("{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2,)}"), "expected True or False, found 'Maybe"),
        (
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}"),
            "expected the length of an axis, found '-2",
        ),
        (header("{'descr': '<f4', 'fortran_order': False}"), "entries for 'descr', 'fortran_order' and 'shape'"),
        (
            header("{'descr': [('a', '<f4')], 'shape': (2,)}"),
            "expected 'f4', the elements of a tensor of f32, found a structured array: save each of its fields by itself, \
             np.save(path, x['name'])",
        ),
        (
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}"),
            "expected 6 elements of f32, found the end",
        ),
        (
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}"),
            "expected a shape that memory can hold, found [4611686018427387904, 4]",
        ),
        (
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4611686018427387904, 4)}"),
            "expected a shape that memory can hold",
        ),
        // So much could be held, but is not there: no memory is taken for it.
        (
            header("{'descr': '<f4', 'fortran_order': True, 'shape': (1099511627776,)}"),
            "expected 1099511627776 elements",
        ),
    ];
    for (message, expected) in cases {
        assert!(message.contains(expected), "{message}\nlacks\n{expected}");
    }
    assert_eq!(size_of::<NpyError>(), size_of::<usize>());
}

#[test]
fn advice_for_types_that_cannot_be_read() {
    // The codes are `x.dtype.str` of NumPy 2.4.6; each piece of advice was followed there.
    let cases = [
        (
            "<u2",
            "unsigned numbers of 2 bytes, which cannot be read; save them in NumPy by np.save(path, x.astype('int32'))",
        ),
        (
            ">u4",
            "unsigned numbers of 4 bytes, which cannot be read; save them in NumPy by np.save(path, x.astype('int64'))",
        ),
        (
            "<u8",
            "unsigned numbers of 8 bytes, which cannot be read; save them in NumPy by np.save(path, x.astype('int64'))",
        ),
        ("<f2", "floats of 2 bytes, which cannot be read; save them in NumPy by np.save(path, x.astype('float32'))"),
        ("<f16", "x.astype('float64')"),
        ("<V2", "save them in NumPy by np.save(path, x.view(ml_dtypes.bfloat16).astype('float32'))"),
        (
            "|O",
            "Python objects, which cannot be read; save them in NumPy by np.save(path, x.astype('float32')) if they are",
        ),
        (
            "<c8",
            "complex numbers, which cannot be read; save them in NumPy by np.save(path, x.real) and np.save(other, x.imag)",
        ),
        ("<M8[ns]", "x.astype('int64')"),
        ("<U3", "np.unique(x, return_inverse=True)[1]"),
        ("|S5", "np.unique(x, return_inverse=True)[1]"),
        ("<x9", ": f4 f8 i1 i2 i4 i8 u1 b1 can be read; save the array in NumPy by np.save(path, x.astype('float32'))"),
        ("", ": f4 f8 i1 i2 i4 i8 u1 b1 can be read; "),
        ("<i2", "read a Tensor<i16> and convert it, `.to::<f32>()`"),
        ("|b1", "read a Tensor<bool> and convert it, `.to::<f32>()`"),
    ];
    for (code, advice) in cases {
        let header = format!("{{'descr': '{code}', 'fortran_order': False, 'shape': (2,)}}");
        let message = read::<f32>(&file(1, &header, b"")).unwrap_err().to_string();
        assert!(message.contains(&format!("found '{code}'")) && message.contains(advice), "{message}\nlacks\n{advice}");
    }
}

#[test]
fn errors_can_be_passed_between_threads() {
    fn check<E: std::error::Error + Send + Sync + 'static>() {}
    check::<NpyError>();
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read::<f32>(&bytes);
        let _ = read::<bool>(&file(1, "", &bytes));
    }

    #[test]
    fn damaged_headers_never_panic(
        header in r"\{?('(descr|shape|fortran_order|x)': ('[<>|]?[fi][1248]'|True|False|\((([0-9]{1,20}|0|1|2), ?){0,5}\)),? ?){0,4}\}?",
        version in 0..4_u8,
        data in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let _ = read::<f32>(&file(version, &header, &data));
    }

    #[test]
    fn a_file_cut_or_changed_anywhere_never_panics(cut in 0_usize..170, place in 0_usize..152, byte in any::<u8>()) {
        let mut bytes = file(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", &[1; 24]);
        bytes[place] = byte;
        bytes.truncate(cut);
        let _ = read::<f32>(&bytes);
    }
}
