//! safetensors files against those of Python's safetensors 0.8.0, and against bytes that nobody should write.
#![cfg(feature = "safetensors")]

use gradus_tensor::safetensors::{File, SafetensorsError, Stored, Writer};
use gradus_tensor::{AnyTensor, Tensor};
use proptest::prelude::*;

/// A file of this header and so many bytes of data, which count up.
fn file(header: &str, data: usize) -> Vec<u8> {
    let data = (0..data).map(|byte| byte as u8);
    (header.len() as u64).to_le_bytes().into_iter().chain(header.bytes()).chain(data).collect()
}

fn message(bytes: impl Into<Vec<u8>>) -> String {
    File::from_bytes(bytes).unwrap_err().to_string()
}

/// The elements with the bits of what is not finite.
fn bits(tensor: &AnyTensor) -> Vec<u64> {
    tensor.to::<f64>().iter().map(f64::to_bits).collect()
}

#[test]
fn a_file_of_python_is_read() {
    // By tests/reference/safetensors_file.py.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/numpy.safetensors");
    let file = File::open(path).unwrap();
    let texts = [("author", "a\nb"), ("title", "{\"é\": 1}")].map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(*file.metadata(), texts.into());
    let names =
        ["bf16", "bool", "empty", "f16", "f32", "f64", "i16", "i32", "i64", "i8", "layer/ü \"quoted\"", "u16", "u8"];
    assert_eq!(file.names().collect::<Vec<_>>(), names);
    let read = |name: &str| file.read(name).unwrap();
    let floats = |smallest: f32| Tensor::new([1.5, -2.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, smallest]);
    // The smallest f16 is 2^-24; 0x3381 is the bf16 next to 6e-8.
    let halves = [("f16", 2.0_f32.powi(-24)), ("bf16", f32::from_bits(0x3381_0000))];
    for (name, smallest) in halves.into_iter().chain([("f32", 6e-8)]) {
        let found = read(name);
        assert_eq!((found.element(), bits(&found)), ("f32", bits(&floats(smallest).into())), "{name}");
    }
    assert_eq!(read("f32").shape(), &[2, 3]);
    assert_eq!(bits(&read("f64")), [0.1_f64.to_bits(), (-0.0_f64).to_bits()]);
    assert_eq!(read("i8"), Tensor::from([-128_i8, 127]).into());
    assert_eq!(read("i16"), Tensor::from([-300_i16, 300]).into());
    assert_eq!(read("i32"), Tensor::from([[-70000], [70000]]).into());
    assert_eq!(read("i64"), Tensor::scalar(1_i64 << 40).into());
    assert_eq!(read("u8"), Tensor::from([0_u8, 255]).into());
    assert_eq!(read("bool"), Tensor::from([true, false, true]).into());
    assert_eq!(read("empty"), Tensor::<f32>::zeros([2, 0, 3]).into());
    assert_eq!(read("layer/ü \"quoted\""), Tensor::from([7]).into());
    // A type that tensors do not have becomes the next larger one.
    let info = file.info("u16").unwrap();
    assert_eq!((&*info.stored, info.element, info.shape, info.bytes), ("U16", Some("i32"), [1].into(), 2));
    assert_eq!(read("u16"), Tensor::from([65_535_i32]).into());
    let error = file.read("f8").unwrap_err();
    assert_eq!(error.path(), Some(path.as_ref()));
    assert!(error.problem().starts_with("there is no tensor \"f8\", there are bf16, bool, "));
}

#[test]
fn what_cannot_be_read_is_known() {
    let header = br#"{"u64": {"dtype": "U64", "shape": [1], "data_offsets": [0, 8]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header, &[255; 8]].concat();
    let file = File::from_bytes(bytes).unwrap();
    let info = file.info("u64").unwrap();
    assert_eq!((&*info.stored, info.element, info.shape, info.bytes), ("U64", None, [1].into(), 8));
    let problem = "the tensor \"u64\" of shape [1] has elements U64, which cannot be read";
    assert_eq!(file.read("u64").unwrap_err().problem(), problem);
}

/// Tensors of all types, views among them, and those without elements and without axes.
fn all_types() -> Writer {
    let x = Tensor::new([[1.0, f32::NAN, 3.0], [-0.0, f32::INFINITY, 6.0]]);
    Writer::new()
        .metadata("title", "\u{1F600} \"\0")
        .metadata("author", "")
        .tensor("f32", &x)
        .tensor("transposed", x.t())
        .tensor("strided", x.slice(1, ..2))
        .tensor("repeated", Tensor::scalar(0.5).broadcast_to([2, 2]))
        .tensor("f64", Tensor::from([f64::MIN_POSITIVE / 3.0]))
        .tensor("i8", Tensor::from([-1_i8]))
        .tensor("i16", Tensor::from([[-1_i16, 2]]))
        .tensor("i32", Tensor::scalar(i32::MIN))
        .tensor("i64", Tensor::from([i64::MAX]))
        .tensor("u8", Tensor::from([1_u8, 2, 3]))
        .tensor("bool", Tensor::from([[true], [false]]))
        .tensor("none", Tensor::<i64>::zeros([0, 4]))
}

#[test]
fn what_is_written_is_read_back_bit_by_bit() {
    let writer = all_types();
    let file = File::from_bytes(writer.to_bytes().unwrap()).unwrap();
    assert_eq!(file.metadata()["title"], "\u{1F600} \"\0");
    assert_eq!(file.names().len(), writer.tensors().len());
    for (name, tensor) in writer.tensors() {
        let read = file.read(name).unwrap();
        assert_eq!(
            (read.element(), read.shape(), bits(&read)),
            (tensor.element(), tensor.shape(), bits(tensor)),
            "{name}"
        );
        let info = file.info(name).unwrap();
        assert_eq!((info.element, &info.shape), (Some(tensor.element()), tensor.shape()));
    }
    assert_eq!(file.read("i64").unwrap(), Tensor::from([i64::MAX]).into());
}

#[test]
fn the_same_content_is_the_same_bytes() {
    let bytes = all_types().to_bytes().unwrap();
    // Added in another order.
    let mut other = Writer::new().metadata("author", "").metadata("title", "\u{1F600} \"\0");
    for (name, tensor) in all_types().tensors().collect::<Vec<_>>().into_iter().rev() {
        other = other.tensor(name, tensor.clone());
    }
    assert_eq!(other.to_bytes().unwrap(), bytes);
    // By hand: sorted texts first, wide elements before narrow ones, blanks up to a multiple of eight.
    let small = Writer::new()
        .metadata("b", "2")
        .metadata("a", "1")
        .tensor("x", Tensor::from([1_u8]))
        .tensor("z", Tensor::from([1_i16]))
        .tensor("y", Tensor::from([2_i16]));
    let header = "{\"__metadata__\":{\"a\":\"1\",\"b\":\"2\"},\"y\":{\"dtype\":\"I16\",\"shape\":[1],\"data_offsets\":[0,2]},\
                  \"z\":{\"dtype\":\"I16\",\"shape\":[1],\"data_offsets\":[2,4]},\
                  \"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[4,5]}}";
    let padded = format!("{header:<width$}", width = header.len().next_multiple_of(8));
    let expected = [&(padded.len() as u64).to_le_bytes(), padded.as_bytes(), &[2, 0, 1, 0, 1]].concat();
    assert_eq!(small.to_bytes().unwrap(), expected);
    assert_eq!(Writer::new().to_bytes().unwrap(), [8_u64.to_le_bytes(), *b"{}      "].concat());
}

#[test]
fn what_others_write_otherwise_is_read() {
    // safetensors 0.8.0 reads all of these: blanks before the header, none behind it, data that are not
    // aligned, tensors in any order.
    let header = "\n {\"b\":{\"shape\":[2],\"data_offsets\":[1,5],\"dtype\":\"I16\"}, \
                  \"a\":{\"dtype\":\"I8\",\"shape\":[],\"data_offsets\":[0,1]}}";
    let found = File::from_bytes(file(header, 5)).unwrap();
    assert_eq!(found.read("a").unwrap(), Tensor::scalar(0_i8).into());
    assert_eq!(found.read("b").unwrap(), Tensor::from([0x0201_i16, 0x0403]).into());
    // Any byte but 0 is true.
    let flags = File::from_bytes(file("{\"a\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[0,3]}}", 3)).unwrap();
    assert_eq!(flags.read("a").unwrap(), Tensor::from([false, true, true]).into());
    // No tensors at all, and several without elements at one place.
    assert_eq!(File::from_bytes(file("{}", 0)).unwrap().names().len(), 0);
    let none = "{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},\
                \"b\":{\"dtype\":\"F64\",\"shape\":[3,0],\"data_offsets\":[0,0]}}";
    assert_eq!(File::from_bytes(file(none, 0)).unwrap().read("b").unwrap().shape(), &[3, 0]);
}

#[test]
fn floats_are_stored_in_two_bytes_by_choice() {
    let x = Tensor::new([1.0, 0.1, 70_000.0, -1e-9, f32::NAN, f32::NEG_INFINITY, 65_504.0]);
    let writer = Writer::new().tensor("x", &x).tensor("ids", Tensor::from([70_000_i64]));
    for (stored, name, expected) in [
        (Stored::F16, "F16", [1.0, 0.099_975_586, f32::INFINITY, -0.0, f32::NAN, f32::NEG_INFINITY, 65_504.0]),
        (Stored::Bf16, "BF16", [1.0, 0.100_097_656, 70_144.0, -9.968_062e-10, f32::NAN, f32::NEG_INFINITY, 65_536.0]),
    ] {
        let file = File::from_bytes(writer.clone().stored_as(stored).to_bytes().unwrap()).unwrap();
        assert_eq!(file.info("x").unwrap().stored, name);
        let read = file.read("x").unwrap();
        assert_eq!((read.element(), bits(&read)), ("f32", bits(&Tensor::new(expected).into())));
        assert_eq!(file.read("ids").unwrap(), Tensor::from([70_000_i64]).into());
        // As f64, rounded once.
        let wide = Writer::new().tensor("x", x.to::<f64>()).stored_as(stored).to_bytes().unwrap();
        assert_eq!(bits(&File::from_bytes(wide).unwrap().read("x").unwrap()), bits(&read));
    }
    let loss = Stored::F16.loss(writer.tensors().map(|(_, tensor)| tensor));
    assert_eq!((loss.elements, loss.became_infinite, loss.became_zero, loss.not_finite), (7, 1, 1, 2));
    let errors = [0.1_f32 as f64 - 0.0999755859375, 1e-9_f32 as f64];
    assert_eq!((loss.largest_error, loss.mean_error), (errors[0], (errors[0] + errors[1]) / 4.0));
    let text = "7 numbers as f16: largest error 2.44e-5, mean error 6.10e-6, 1 became infinite, 1 became 0";
    assert_eq!(loss.to_string(), text);
    let none = Stored::AsIs.loss(writer.tensors().map(|(_, tensor)| tensor));
    assert_eq!((none.largest_error, none.not_finite, none.to_string()), (0.0, 2, "7 numbers as they are".to_owned()));
}

#[test]
fn headers_that_lie_are_refused() {
    let one = |dtype: &str, shape: &str, offsets: &str| {
        format!("{{\"x\":{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":{offsets}}}}}")
    };
    let damaged = "; the file is damaged or of another format: fetch or write it again";
    for (header, data, problem) in [
        (one("F32", "[2]", "[0,8]"), 7, "the tensors have 8 bytes, the file has 7 behind its header"),
        (one("F32", "[2]", "[0,8]"), 9, "the tensors have 8 bytes, the file has 9 behind its header"),
        (one("F32", "[3]", "[0,8]"), 8, "the tensor \"x\" of shape [3] (F32) has 12 bytes, found offsets from 0 to 8"),
        (
            one("F32", "[2]", "[1,9]"),
            9,
            "the tensor \"x\" begins at byte 1 of the data, 0 is the end of the one before",
        ),
        (
            one("U8", "[1]", "[0,-1]"),
            0,
            "the header is none of a safetensors file: the tensor \"x\": invalid value: integer `-1`",
        ),
        (one("U8", "[8]", "[8,0]"), 8, "the tensor \"x\" begins at byte 8"),
        (one("U8", "[1000000000000]", "[0,1000000000000]"), 8, "the tensors have 1000000000000 bytes, the file has 8"),
        (
            one("F64", "[4611686018427387904,4]", "[0,0]"),
            0,
            "the tensor \"x\" of shape [4611686018427387904, 4] (F64) has more elements than memory can hold",
        ),
        (
            one("F64", "[0,4611686018427387904,4]", "[0,0]"),
            0,
            "the tensor \"x\" of shape [0, 4611686018427387904, 4] (F64) has more elements",
        ),
        (one("F4", "[3]", "[0,1]"), 1, "the tensor \"x\" of shape [3] (F4) has more elements than memory can hold"),
        (one("F32", &format!("[{}1]", "1,".repeat(64)), "[0,4]"), 4, "the tensor \"x\" has 65 axes, there can be 64"),
        (
            one("F3", "[1]", "[0,4]"),
            4,
            "the header is none of a safetensors file: the tensor \"x\": unknown variant `F3`",
        ),
        (
            "{\"__metadata__\":{\"a\":1}}".to_owned(),
            0,
            "the header is none of a safetensors file: invalid type: integer `1`, expected a string",
        ),
        (
            "{\"__metadata__\":{\"a\":\"1\",\"a\":\"1\"}}".to_owned(),
            0,
            "the header is none of a safetensors file: the name \"a\" occurs twice",
        ),
        (
            "{\"__metadata__\":{},\"__metadata__\":{}}".to_owned(),
            0,
            "the header is none of a safetensors file: the name \"__metadata__\" occurs twice",
        ),
        (
            "[]".to_owned(),
            0,
            "the header is none of a safetensors file: invalid type: sequence, expected an object with an entry",
        ),
        ("{} {}".to_owned(), 0, "the header is none of a safetensors file: trailing characters"),
        ("".to_owned(), 0, "the header is none of a safetensors file: EOF while parsing"),
        ("[".repeat(100_000), 0, "the header is none of a safetensors file: "),
        (format!("{{\"x\":{}", "{\"a\":".repeat(100_000)), 0, "the header is none of a safetensors file: "),
        ("{\"\u{FFFD}\":".to_owned(), 0, "the header is none of a safetensors file: "),
    ] {
        let found = message(file(&header, data));
        assert!(found.starts_with(&format!("safetensors: {problem}")), "{found}");
        assert!(found.ends_with(damaged) || data == 7 || data == 8, "{found}");
    }
    // A name twice, even with the same tensor: safetensors 0.8.0 reads that.
    let x = "\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}";
    assert!(message(file(&format!("{{{x},{x}}}"), 1)).contains("the name \"x\" occurs twice"));
    // Tensors that overlap, and bytes of no tensor between them.
    for (offsets, begin) in [("[1,3]", 1), ("[3,5]", 3)] {
        let y = format!("\"y\":{{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":{offsets}}}");
        let header = format!("{{\"x\":{{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}},{y}}}");
        let expected = format!("the tensor \"y\" begins at byte {begin} of the data, 2 is the end of the one before");
        assert!(message(file(&header, 5)).contains(&expected));
    }
    // No UTF-8.
    assert!(message(file("{\"a", 0).into_iter().chain([0xFF]).collect::<Vec<_>>()).contains("the header is none"));
}

#[test]
fn lengths_of_headers_that_lie_are_refused() {
    let hint = "; give a safetensors file; if it is one, it is damaged or cut off";
    assert_eq!(message([]), format!("safetensors: a safetensors file has 8 bytes or more, this one has 0{hint}"));
    for claimed in [3, 1 << 40, u64::MAX, u64::MAX - 7] {
        let bytes = [&claimed.to_le_bytes()[..], b"{}"].concat();
        let problem = format!("the first 8 bytes say that the header has {claimed} bytes, it can have 2");
        assert_eq!(message(bytes), format!("safetensors: {problem}{hint}"));
    }
    // Within the file, but longer than any reader takes.
    let bytes = [&100_000_001_u64.to_le_bytes()[..], &vec![b' '; 100_000_001]].concat();
    assert!(message(bytes).contains("the header has 100000001 bytes, it can have 100000000"));
}

#[test]
fn files_of_other_kinds_are_refused_with_their_path() {
    let folder = std::env::temp_dir();
    let error = File::open(&folder).unwrap_err();
    let expected =
        format!("{}: this is no regular file, such as a folder or a device; give the path of a file", folder.display());
    assert_eq!(error.to_string(), expected);
    let missing = folder.join("gradus_there_is_no_such_file");
    let error = File::open(&missing).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: the file cannot be opened: ", missing.display())), "{error}");
    assert!(error.ends_with("; check the path"), "{error}");
    assert!(cfg!(not(unix)) || File::open("/dev/zero").unwrap_err().problem().starts_with("this is no regular file"));
    let error = Writer::new().write(missing.join("x")).unwrap_err().to_string();
    assert!(error.contains("the file cannot be written: "), "{error}");
    assert_eq!(size_of::<SafetensorsError>(), size_of::<usize>());
}

#[test]
fn a_file_that_is_cut_off_later_is_an_error() {
    let path = std::env::temp_dir().join(format!("gradus_cut_{}.safetensors", std::process::id()));
    Writer::new().tensor("x", Tensor::<f32>::ones([100])).tensor("y", Tensor::<f32>::ones([2])).write(&path).unwrap();
    let file = File::open(&path).unwrap();
    let whole = std::fs::metadata(&path).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(whole - 3).unwrap();
    let error = file.read("x").map(|_| ()).and(file.read("y")).unwrap_err();
    assert!(error.problem().starts_with("the tensor \"y\" cannot be read: "), "{error}");
    let error = File::open(&path).unwrap_err().to_string();
    std::fs::remove_file(&path).unwrap();
    assert!(error.ends_with("the tensors have 408 bytes, the file has 405 behind its header; the file is cut off: fetch or write it again"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_sparse_file_of_any_length_is_an_error() {
    // Where the system promises more memory than it has, the promise is not the one to be tested.
    if std::fs::read_to_string("/proc/sys/vm/overcommit_memory").unwrap().trim() == "1" {
        return;
    }
    let path = std::env::temp_dir().join(format!("gradus_sparse_{}.safetensors", std::process::id()));
    let bytes = 4_u64 << 40;
    for (stored, element, width) in [("F32", "f32", 4), ("BF16", "f32", 2), ("BOOL", "bool", 1)] {
        let elements = bytes / width;
        let header = format!("{{\"x\":{{\"dtype\":{stored:?},\"shape\":[{elements}],\"data_offsets\":[0,{bytes}]}}}}");
        let start = file(&header, 0);
        std::fs::write(&path, &start).unwrap();
        // It takes no more of the disk than before.
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(start.len() as u64 + bytes).unwrap();
        let read = File::open(&path).unwrap().read("x").unwrap_err();
        std::fs::remove_file(&path).unwrap();
        let problem = format!("there is not enough memory for the tensor \"x\" of shape [{elements}] ({element})");
        assert_eq!((read.path(), read.problem()), (Some(&*path), problem));
    }
}

#[test]
fn the_longest_header_that_is_written_is_read() {
    let with = |letters: usize| Writer::new().metadata("a", "x".repeat(letters)).to_bytes();
    let around = "{\"__metadata__\":{\"a\":\"\"}}".len();
    let longest = with(100_000_000 - around).unwrap();
    assert_eq!(longest[..8], 100_000_000_u64.to_le_bytes());
    assert_eq!(File::from_bytes(longest).unwrap().metadata()["a"].len(), 100_000_000 - around);
    let problem = with(100_000_001 - around).unwrap_err().problem();
    assert_eq!(problem, "the header has 100000008 bytes, it can have 100000000");
}

#[test]
#[should_panic(expected = "tensor: there is a tensor named \"x\" already")]
fn names_are_unique() {
    _ = Writer::new().tensor("x", Tensor::new([1.0])).tensor("x", Tensor::new([1.0]));
}

#[test]
#[should_panic(expected = "tensor: the name \"__metadata__\" is the format's own")]
fn the_formats_own_name_is_taken() {
    _ = Writer::new().tensor("__metadata__", Tensor::new([1.0]));
}

proptest! {
    #[test]
    fn damaged_files_never_panic_and_agree_with_the_crate(place in 0_usize..1200, byte: u8, cut in 0_usize..1500) {
        let mut bytes = all_types().to_bytes().unwrap();
        let end = cut.min(bytes.len());
        let place = place % bytes.len();
        bytes[place] = byte;
        for bytes in [&bytes[..], &bytes[..end]] {
            // Nothing is read here that the format's own reader refuses.
            let theirs = safetensors::SafeTensors::deserialize(bytes);
            let Ok(file) = File::from_bytes(bytes) else { continue };
            let theirs = theirs.unwrap();
            for name in file.names() {
                let view = theirs.tensor(name).unwrap();
                prop_assert_eq!(&file.info(name).unwrap().shape[..], view.shape());
                if let Ok(tensor) = file.read(name) {
                    prop_assert_eq!(tensor.shape(), view.shape());
                }
            }
        }
    }
}
