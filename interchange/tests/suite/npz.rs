//! Files of NumPy, made by `fixtures/pytorch/make.py`.

use std::path::{Path, PathBuf};

use gradus_interchange::npz::{self, NpzFile};
use gradus_interchange::pytorch::StateDict;
use gradus_nn::WeightSource;
use gradus_tensor::{AnyTensor, Tensor};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pytorch").join(name)
}

#[test]
fn arrays_of_all_orders_and_types_are_read() {
    let table = Tensor::new([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]);
    let expected: [(&str, &str, AnyTensor); 9] = [
        ("big_endian", "i4", Tensor::from([0_i32, 1, 2]).into()),
        ("empty", "f4", Tensor::<f32>::zeros([0, 3]).into()),
        ("flags", "b1", Tensor::from([true, false]).into()),
        ("fortran", "f4", table.clone().into()),
        ("halves", "f2", Tensor::new([1.0, -2.5]).into()),
        ("plain", "f4", table.into()),
        ("scalar", "f4", Tensor::new(7.0).into()),
        ("unsigned", "u2", Tensor::from([1_i32, 65_535]).into()),
        ("wide", "f8", Tensor::from([1.5_f64]).into()),
    ];
    for name in ["arrays.npz", "arrays_compressed.npz"] {
        let file = NpzFile::open(path(name)).unwrap();
        assert_eq!(file.names().collect::<Vec<_>>(), expected.each_ref().map(|row| row.0));
        for (name, code, tensor) in &expected {
            let info = file.info(name).unwrap();
            assert_eq!((&*info.stored, info.element, &info.shape), (*code, Some(tensor.element()), tensor.shape()));
            assert_eq!(file.read(name).unwrap(), *tensor, "{name}");
        }
        assert_eq!(npz::load(path(name)).unwrap().into_iter().collect::<Vec<_>>().len(), 9);
        assert_eq!(StateDict::open(path(name)).unwrap().names().len(), 9);
    }
}

#[test]
fn other_types_are_refused_by_name() {
    let file = NpzFile::open(path("bfloat16.npz")).unwrap();
    assert_eq!(file.read("y").unwrap(), Tensor::new([1.0, 1.0]).into());
    let error = file.read("x").unwrap_err().to_string();
    assert!(error.contains(r#""x" has elements of NumPy's type "V2""#) && error.contains("bfloat16"), "{error}");
    let error = npz::load(path("texts.npz")).unwrap_err().to_string();
    assert!(error.starts_with(&path("texts.npz").display().to_string()) && error.contains("\"U1\""), "{error}");
    let error = file.read("z").unwrap_err().to_string();
    assert!(error.contains(r#"there is no array "z", only x, y"#), "{error}");
    let error = NpzFile::open(path("linear.pt")).err().unwrap().to_string();
    assert!(error.contains("which is no array"), "{error}");
}

#[test]
fn what_is_written_comes_back() {
    let path = std::env::temp_dir().join(format!("gradus_npz_test_{}.npz", std::process::id()));
    let arrays: Vec<(&str, AnyTensor)> = vec![
        ("z", Tensor::new([[1.0, 2.0], [3.0, 4.0]]).t().into()),
        ("a.b/c", Tensor::from([true, false]).into()),
        ("n", Tensor::from([i64::MIN]).into()),
        ("none", Tensor::<f64>::zeros([0, 2]).into()),
    ];
    npz::save(&path, arrays.clone()).unwrap();
    let first = std::fs::read(&path).unwrap();
    for (name, array) in npz::load(&path).unwrap() {
        assert_eq!(Some(&array), arrays.iter().find(|row| row.0 == name).map(|row| &row.1), "{name}");
    }
    npz::save(&path, arrays).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), first);
    std::fs::remove_file(&path).unwrap();
    let twice = npz::save(&path, [("x", Tensor::new(1.0)), ("x", Tensor::new(2.0))]).unwrap_err().to_string();
    assert!(twice.contains(r#"two arrays are named "x""#) && !path.exists(), "{twice}");
}

/// An archive of one array whose header claims this shape, over four bytes of elements.
fn claiming(shape: &str) -> Vec<u8> {
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    npy.extend((text.len() as u16).to_le_bytes());
    npy.extend(text.as_bytes());
    npy.extend([0; 4]);
    // A ZIP archive of one file that is stored as it is.
    let checksum = {
        let mut crc = flate2::Crc::new();
        crc.update(&npy);
        crc.sum()
    };
    let name = b"x.npy";
    let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    common.extend(checksum.to_le_bytes());
    common.extend((npy.len() as u32).to_le_bytes().repeat(2));
    common.extend((name.len() as u16).to_le_bytes());
    common.extend([0, 0]);
    let mut zip = [b"PK\x03\x04", &common[..], name, &npy].concat();
    let directory = zip.len() as u32;
    zip.extend([b"PK\x01\x02\x14\x00", &common[..], &[0; 14], name].concat());
    let length = zip.len() as u32 - directory;
    zip.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    zip.extend([length.to_le_bytes(), directory.to_le_bytes()].concat());
    zip.extend([0, 0]);
    zip
}

#[test]
fn sizes_are_held_against_the_bytes() {
    let read = |shape: &str| StateDict::from_bytes(claiming(shape)).and_then(|state| state.read("x"));
    assert_eq!(read("(1,)").unwrap(), Tensor::new([0.0]).into());
    assert_eq!(read("()").unwrap(), Tensor::new(0.0).into());
    for shape in ["(1000000000000,)", "(99999999999999999999,)", "(4294967296, 4294967296)", "(40,)", "(0,)"] {
        let error = read(shape).unwrap_err().to_string();
        assert!(error.contains('x'), "{shape}: {error}");
    }
}
