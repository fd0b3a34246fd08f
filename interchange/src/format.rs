//! Which format a file has, by its first bytes and its name.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use gradus_nn::{Error, Result};

use crate::archive::Archive;
use crate::hdf5::{Hdf5, SIGNATURE};

/// The formats of files that are read here.
///
/// ```
/// use gradus_interchange::Format;
/// let path = std::env::temp_dir().join(format!("gradus_format_{}.npy", std::process::id()));
/// gradus_tensor::Tensor::<f32>::ones([2, 3]).save_npy(&path).unwrap();
/// assert_eq!(Format::of(&path)?, Format::Npy);
/// assert!(Format::Keras.has_network() && !Format::Npy.has_network());
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A model as [`Model::save`](gradus_nn::Model::save) writes it: a safetensors file with the network in its metadata.
    Gradus,
    /// Named tensors, by the crate or Python package `safetensors`.
    Safetensors,
    /// A `.keras` archive.
    Keras,
    /// A whole model of Keras as HDF5, the form before `.keras`.
    KerasH5,
    /// The weights of a Keras model, `.weights.h5`.
    KerasWeights,
    /// A state dict, or several, by `torch.save`.
    PyTorch,
    /// A network with weights as ONNX.
    Onnx,
    /// Arrays by `numpy.savez`.
    Npz,
    /// One array by `numpy.save`.
    Npy,
}

impl Format {
    /// The format of a file that there is. The content decides, not the name; only ONNX, whose files have no mark, is known by
    /// the ending `.onnx`.
    ///
    /// # Errors
    /// If the file cannot be read, or is of no format that is known here.
    pub fn of(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let place = || path.display().to_string();
        let unreadable = |error: std::io::Error| Error::new(place(), error.to_string(), "check the path");
        let mut head = Vec::new();
        File::open(path).map_err(unreadable)?.take(16).read_to_end(&mut head).map_err(unreadable)?;
        if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            return Format::of_archive(path);
        }
        if head.starts_with(SIGNATURE) {
            let has_network = Hdf5::open(path).and_then(|file| file.texts("", "model_config"));
            let has_network = has_network.map_err(|error| error.within(&place()))?.is_some();
            return Ok(if has_network { Format::KerasH5 } else { Format::KerasWeights });
        }
        if head.starts_with(b"\x93NUMPY") {
            return Ok(Format::Npy);
        }
        // Eight bytes of length, and a JSON object: blanks may stand before it.
        if head.len() >= 9 && head[8..].iter().find(|byte| !byte.is_ascii_whitespace()).is_none_or(|&byte| byte == b'{')
        {
            let file = gradus_tensor::safetensors::File::open(path)
                .map_err(|error| Error::new(place(), error.problem(), error.hint()))?;
            return Ok(if file.metadata().contains_key("gradus") { Format::Gradus } else { Format::Safetensors });
        }
        if path.extension().is_some_and(|ending| ending == "onnx") {
            return Ok(Format::Onnx);
        }
        // A pickle of protocol 2 or later begins so.
        if head.len() >= 2 && head[0] == 0x80 && (2..=5).contains(&head[1]) {
            return Ok(Format::PyTorch);
        }
        let known = "safetensors, .keras, .h5, .pt, .npz, .npy, or .onnx by that ending";
        Err(Error::new(place(), "the file is of no format that is known", format!("give one of these: {known}")))
    }

    fn of_archive(path: &Path) -> Result<Self> {
        let archive = Archive::open(path)?;
        let has = |ending: &str| archive.names().any(|name| name.ends_with(ending));
        if has("config.json") && (has("model.weights.h5") || has("model.weights.json")) {
            Ok(Format::Keras)
        } else if archive.names().any(|name| name == "data.pkl" || name.ends_with("/data.pkl")) {
            Ok(Format::PyTorch)
        } else if has(".npy") {
            Ok(Format::Npz)
        } else {
            let names: Vec<&str> = archive.names().collect();
            let names = gradus_tensor::safetensors::shortened(&names);
            let problem = format!("the archive is none of Keras, PyTorch or NumPy; it holds {names}");
            Err(Error::new(path.display().to_string(), problem, "give a .keras, .pt or .npz file"))
        }
    }

    /// Whether files of this format hold a network, not only its weights.
    pub fn has_network(self) -> bool {
        matches!(self, Format::Gradus | Format::Keras | Format::KerasH5 | Format::Onnx)
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Gradus => "Gradus model",
            Format::Safetensors => "safetensors",
            Format::Keras => "Keras model",
            Format::KerasH5 => "Keras model (HDF5)",
            Format::KerasWeights => "Keras weights",
            Format::PyTorch => "PyTorch state dict",
            Format::Onnx => "ONNX model",
            Format::Npz => "NumPy arrays",
            Format::Npy => "NumPy array",
        }
    }
}
