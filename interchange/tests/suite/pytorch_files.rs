//! Files of PyTorch, made by `fixtures/pytorch/make.py`: forms of tensors, element types, and what must be refused.

use std::path::{Path, PathBuf};

use gradus_interchange::pytorch::StateDict;
use gradus_nn::WeightSource;
use gradus_tensor::{AnyTensor, Tensor};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pytorch").join(name)
}

fn open(name: &str) -> StateDict {
    StateDict::open(path(name)).unwrap()
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

/// The error of opening a file.
fn refused(name: &str) -> String {
    StateDict::open(path(name)).unwrap_err().to_string()
}

#[track_caller]
fn assert_tensor(state: &StateDict, name: &str, expected: impl Into<AnyTensor>) {
    let expected = expected.into();
    let info = state.info(name).unwrap_or_else(|| panic!("no {name}"));
    assert_eq!((&info.shape, info.element), (expected.shape(), Some(expected.element())), "{name}");
    assert_eq!(state.read(name).unwrap(), expected, "{name}");
}

#[test]
fn views_of_storages_are_gathered() {
    let tied = Tensor::new([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]);
    for state in [open("forms.pt"), open("forms_old.pt")] {
        let names =
            "plain parameter transposed steps offset expanded channels_last scalar empty tied tied_again row_of_tied";
        assert_eq!(state.names(), names.split(' ').collect::<Vec<_>>());
        assert_tensor(&state, "plain", &tied);
        assert_tensor(&state, "parameter", Tensor::new([0.0, 1.0]));
        assert_tensor(&state, "transposed", Tensor::new([[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]));
        assert_tensor(&state, "steps", Tensor::new([[6.0, 9.0], [18.0, 21.0]]));
        assert_tensor(&state, "offset", Tensor::new([4.0, 5.0, 6.0]));
        assert_tensor(&state, "expanded", Tensor::new([[1.0; 3], [2.0; 3]]));
        let counted = (0..12).map(|i| i as f32).collect::<Tensor>();
        assert_tensor(&state, "channels_last", counted.reshape([1, 2, 2, 3]));
        assert_tensor(&state, "scalar", Tensor::new(7.0));
        assert_tensor(&state, "empty", Tensor::<f32>::zeros([0, 4]));
        assert_tensor(&state, "tied", &tied);
        assert_tensor(&state, "tied_again", &tied);
        assert_tensor(&state, "row_of_tied", Tensor::new([3.0, 4.0, 5.0]));
    }
}

#[test]
fn element_types_are_read_or_refused_by_name() {
    for state in [open("dtypes.pt"), open("dtypes_old.pt")] {
        let floats = Tensor::new([1.0, -2.5]);
        for name in ["float32", "float16", "bfloat16"] {
            assert_tensor(&state, name, &floats);
            assert_eq!(state.info(name).unwrap().stored, name);
        }
        assert_tensor(&state, "float64", floats.to::<f64>());
        let numbers = Tensor::from([1_i64, -2]);
        assert_tensor(&state, "int64", &numbers);
        assert_tensor(&state, "int32", numbers.to::<i32>());
        assert_tensor(&state, "int16", numbers.to::<i16>());
        assert_tensor(&state, "int8", numbers.to::<i8>());
        assert_tensor(&state, "uint8", Tensor::from([1_u8, 255]));
        assert_tensor(&state, "bool", Tensor::from([true, false]));
        assert_tensor(&state, "uint16", Tensor::from([1_i32, 65_535]));
        assert_tensor(&state, "uint32", Tensor::from([1_i64, 4_294_967_295]));
    }
    let state = open("unread.pt");
    assert_eq!(state.names(), ["float8_e4m3fn", "complex64", "uint64"]);
    for name in state.names() {
        assert_eq!(state.info(&name).unwrap().element, None);
        let error = state.read(&name).unwrap_err().to_string();
        assert!(error.contains(&format!("has elements {name}, which are not read")), "{error}");
    }
}

#[test]
fn dicts_within_dicts_become_names() {
    let state = open("checkpoint.pt");
    assert_tensor(&state, "state_dict.0.weight", Tensor::new([[0.0, 1.0]]));
    assert_tensor(&state, "state_dict.0.bias", Tensor::new([3.0]));
    assert_tensor(&state, "optimizer.state.0.step", Tensor::new(1.0));
    assert_eq!(state.info("optimizer.state.1.exp_avg").unwrap().shape, [1]);
    assert_tensor(&state, "list.0", Tensor::new([1.0]));
    assert_tensor(&state, "list.1.a", Tensor::new([2.0]));
    assert_eq!(state.names().len(), 10);
    assert_tensor(&open("alone.pt"), "tensor", Tensor::new([[0.0, 1.0], [2.0, 3.0]]));
}

#[test]
fn protocols_byte_orders_and_checksums_make_no_difference() {
    let names = [
        "linear.pt",
        "linear_old.pt",
        "protocol_3.pt",
        "protocol_4.pt",
        "protocol_5.pt",
        "big_endian.pt",
        "no_checksum.pt",
    ];
    for name in names {
        for state in [open(name), StateDict::from_bytes(bytes(name)).unwrap()] {
            assert_eq!(state.names(), ["weight", "bias"], "{name}");
            assert_tensor(&state, "weight", Tensor::new([[1.0, 2.0]]));
            assert_tensor(&state, "bias", Tensor::new([3.0]));
        }
    }
    assert_eq!(open("linear.pt").to_string(), "weight  float32  [1, 2]\nbias    float32  [1]\n");
}

#[test]
fn code_is_refused_by_its_name() {
    let error = refused("attack.pt");
    assert!(error.contains("posix.system") && error.contains("model.state_dict()"), "{error}");
    assert!(error.starts_with(&path("attack.pt").display().to_string()), "{error}");
    assert_eq!(error.matches("attack.pt").count(), 1, "{error}");
    let error = refused("whole_module.pt");
    assert!(error.contains("torch.nn.modules.linear.Linear") && error.contains("model.state_dict()"), "{error}");
}

#[test]
fn what_training_saves_beside_weights_is_no_obstacle() {
    let state = open("options.pt");
    assert_eq!(state.names(), ["args.scale", "more.shift", "seen.a.0", "state_dict.weight", "state_dict.bias"]);
    assert_tensor(&state, "args.scale", Tensor::new([2.0]));
    assert_tensor(&state, "more.shift", Tensor::new([3.0]));
    assert_tensor(&state, "seen.a.0", Tensor::new([4.0]));
    assert_tensor(&state, "state_dict.weight", Tensor::new([[1.0, 2.0]]));
}

#[test]
fn what_cannot_be_read_is_named_with_what_to_do() {
    let cases = [
        ("quantised.pt", "a quantised tensor", "tensor.dequantize()"),
        ("sparse.pt", "a sparse tensor", "tensor.to_dense()"),
        ("numpy_array.pt", "an array of NumPy", "torch.from_numpy(array)"),
        ("script.pt", "a program of TorchScript", "torch.jit.load(path).state_dict()"),
    ];
    for (name, what, hint) in cases {
        let error = refused(name);
        assert!(error.contains(what) && error.contains(hint), "{error}");
    }
    let error = gradus_interchange::Format::of(path("program.pt2")).unwrap_err().to_string();
    assert!(error.contains("a program of torch.export") && error.contains("torch.onnx.export"), "{error}");
}

#[test]
fn damaged_files_are_errors() {
    let error = refused("short_storage.pt");
    assert!(error.contains(r#"tensor "weight": its storage of 2 elements has 4 bytes"#), "{error}");
    assert!(refused("missing.pt").contains("check the path"));
    assert!(StateDict::open(path("")).unwrap_err().to_string().contains("no regular file"));
    for start in [&b""[..], b"PK", b"\x80\x04N.", b"version https://git-lfs", b"no such format"] {
        StateDict::from_bytes(start).unwrap_err();
    }
}

/// Opens what is left or made of a file, and reads all of its tensors: errors, but no panic and no wrong shape.
fn read_all(bytes: Vec<u8>) -> bool {
    let Ok(state) = StateDict::from_bytes(bytes) else { return false };
    let read = |name: &String| match state.read(name) {
        Ok(tensor) => {
            assert_eq!(*tensor.shape(), state.info(name).unwrap().shape);
            true
        }
        Err(_) => false,
    };
    // All are read, also behind one that cannot be.
    state.names().iter().filter(|name| !read(name)).count() == 0
}

#[test]
fn files_that_are_cut_off_are_errors() {
    for name in ["linear.pt", "linear_old.pt", "protocol_4.pt", "arrays_compressed.npz"] {
        let whole = bytes(name);
        assert!(read_all(whole.clone()));
        for length in 0..whole.len() {
            assert!(!read_all(whole[..length].to_vec()), "{name} {length}");
        }
    }
}

#[test]
fn changed_bytes_are_no_panic() {
    for name in ["linear.pt", "linear_old.pt", "protocol_4.pt", "forms_old.pt", "arrays.npz"] {
        let whole = bytes(name);
        for place in 0..whole.len() {
            for change in [0xFF, 0x01, 0x80, whole[place]] {
                let mut changed = whole.clone();
                changed[place] ^= change;
                read_all(changed);
            }
        }
    }
}
