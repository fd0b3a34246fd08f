//! ONNX files that are cut off, changed, or lie: each is an error or still a network, never a panic or endless memory.

use std::fs;
use std::path::{Path, PathBuf};

use gradus_interchange::onnx::{OnnxFile, load};
use gradus_tensor::{AnyTensor, Tensor};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/onnx")).join(name)
}

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("{name}_{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

/// Opens and, if that goes well, makes a model and runs on zeros.
fn try_out(path: &Path) -> Result<(), gradus_nn::Error> {
    let file = OnnxFile::open(path)?;
    let zeros = |shape: &Option<Vec<Option<usize>>>, element: &str| -> AnyTensor {
        let shape: Vec<usize> = shape.iter().flatten().map(|length| length.unwrap_or(2).min(32)).collect();
        match element {
            "bool" => Tensor::full(&shape[..], false).into(),
            element if element.starts_with("float") => Tensor::<f32>::zeros(&shape[..]).into(),
            _ => Tensor::<i64>::zeros(&shape[..]).into(),
        }
    };
    let inputs: Vec<(&str, AnyTensor)> =
        file.inputs().iter().map(|input| (&*input.name, zeros(&input.shape, &input.element))).collect();
    file.model()?;
    file.run(&inputs).map(drop)
}

#[test]
fn what_is_cut_off_is_an_error() {
    let folder = Folder::new("onnx_cut");
    for name in
        ["mlp_script.onnx", "opset9.onnx", "external.onnx", "functions.onnx", "scan.onnx", "branches.onnx", "loop.onnx"]
    {
        let bytes = fs::read(fixture(name)).unwrap();
        for length in 0..bytes.len() {
            // The version of the operators is at the end, so a shorter file says less or is none.
            _ = try_out(&folder.file("cut.onnx", &bytes[..length]));
        }
        assert!(OnnxFile::open(folder.file("cut.onnx", &bytes[..bytes.len() / 2])).is_err());
    }
}

#[test]
fn changed_bytes_never_panic() {
    let folder = Folder::new("onnx_changed");
    let mut state = 1_u64;
    let mut draw = |below: usize| {
        // A linear congruential generator; the upper bits are the better ones.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let names = [
        "mlp_script",
        "resnet_script",
        "mobile_dynamo",
        "recurrent_script",
        "transformer_script",
        "up_script",
        "opset9",
        "functions",
        "scan",
        "branches",
        "loop",
    ];
    for name in names {
        let bytes = fs::read(fixture(&format!("{name}.onnx"))).unwrap();
        for _ in 0..400 {
            let mut changed = bytes.clone();
            for _ in 0..1 + draw(3) {
                let place = draw(changed.len());
                changed[place] = match draw(4) {
                    0 => changed[place].wrapping_add(1),
                    1 => changed[place].wrapping_sub(1),
                    2 => changed[place] ^ 1 << draw(8),
                    _ => draw(256) as u8,
                };
            }
            _ = try_out(&folder.file("changed.onnx", &changed));
        }
    }
}

/// The bytes with a text replaced by another of the same length.
fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let place = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    let mut replaced = bytes.to_vec();
    replaced[place..place + to.len()].copy_from_slice(to.as_bytes());
    replaced
}

#[test]
fn external_data_are_read_from_beside_the_model_only() {
    let folder = Folder::new("onnx_external");
    let inner = folder.0.join("inner");
    fs::create_dir_all(&inner).unwrap();
    let bytes = fs::read(fixture("external.onnx")).unwrap();
    for name in ["external.data", "empty.data"] {
        fs::copy(fixture(name), inner.join(name)).unwrap();
    }
    fs::copy(fixture("external.data"), folder.0.join("data")).unwrap();
    let problem = |bytes: &[u8]| {
        let path = inner.join("model.onnx");
        fs::write(&path, bytes).unwrap();
        load(&path).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!(problem(&bytes), "");
    for escape in ["../.././/data", "/etc/../passw", "./././../data"] {
        let found = problem(&replaced(&bytes, "external.data", escape));
        assert!(found.contains("external data are read from beside the model only"), "{escape}: {found}");
    }
    let missing = problem(&replaced(&bytes, "external.data", "elsewhere.dat"));
    assert!(missing.contains("the external data \"elsewhere.dat\""), "{missing}");
    // Beyond the end, and of another size than the shape.
    let beyond = problem(&replaced(&bytes, "\n\u{6}offset\u{12}\u{1}8", "\n\u{6}offset\u{12}\u{1}9"));
    assert!(beyond.contains("have 24 bytes, fewer than the model says"), "{beyond}");
    let other = problem(&replaced(&bytes, "\n\u{6}length\u{12}\u{2}16", "\n\u{6}length\u{12}\u{2}12"));
    assert!(other.contains("a tensor of shape [2, 2] needs 16 bytes, its external data have 12"), "{other}");
    #[cfg(unix)]
    {
        fs::remove_file(inner.join("external.data")).unwrap();
        std::os::unix::fs::symlink(folder.0.join("data"), inner.join("external.data")).unwrap();
        let found = problem(&bytes);
        assert!(found.contains("leads elsewhere"), "{found}");
    }
}

#[test]
fn what_is_no_model_is_refused() {
    let folder = Folder::new("onnx_none");
    for bytes in [&b""[..], b"{}", b"PK\x03\x04", b"\x80\x02}q\x00.", &[0x3A, 0]] {
        assert!(load(folder.file("none.onnx", bytes)).is_err());
    }
    assert!(load(&folder.0).is_err());
    assert!(load(folder.0.join("missing.onnx")).is_err());
}
