//! Which format a file has, by its first bytes.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use gradus_nn::{Error, Result};

use crate::archive::Archive;
use crate::hdf5::{Hdf5, SIGNATURE};
use crate::pytorch::OLD_FORM;
use crate::shards::Shards;

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
    /// Named tensors, by the crate or Python package `safetensors`; or a list of several such files.
    Safetensors,
    /// A `.keras` archive.
    Keras,
    /// A whole model of Keras as HDF5, the form before `.keras`.
    KerasH5,
    /// The weights of a Keras model, `.weights.h5`; or a list of several such files, `.weights.json`.
    KerasWeights,
    /// A state dict, or several, by `torch.save`; or a list of several such files.
    PyTorch,
    /// A network with weights as ONNX.
    Onnx,
    /// Arrays by `numpy.savez`.
    Npz,
    /// One array by `numpy.save`.
    Npy,
}

impl Format {
    /// The format of a file that there is. The content decides, not the name; only an ONNX file that begins in an unusual way is known
    /// by the ending `.onnx`.
    ///
    /// # Errors
    /// If the file cannot be read, or is of no format that is known here.
    pub fn of(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let of = Start::of_file(path).and_then(|start| Format::of_start(path, start));
        of.map_err(|error| error.within(&path.display().to_string()))
    }

    /// The format of a file that begins so.
    fn of_start(path: &Path, start: Start) -> Result<Self> {
        match start {
            Start::Archive => Format::of_archive(path),
            Start::Hdf5 => {
                let has_network = Hdf5::open(path)?.texts("", "model_config")?.is_some();
                Ok(if has_network { Format::KerasH5 } else { Format::KerasWeights })
            }
            Start::Safetensors => {
                let file = gradus_tensor::safetensors::File::open(path)
                    .map_err(|error| Error::new("safetensors", error.problem(), error.hint()))?;
                Ok(if file.metadata().contains_key("gradus") { Format::Gradus } else { Format::Safetensors })
            }
            Start::Npy => Ok(Format::Npy),
            Start::OldPyTorch => Ok(Format::PyTorch),
            Start::Onnx => Ok(Format::Onnx),
            Start::List => Format::of_shards(&Shards::open(path)?),
            Start::Unknown if path.extension().is_some_and(|ending| ending == "onnx") => Ok(Format::Onnx),
            start => Err(start.refused("give a safetensors, .keras, .h5, .pt, .onnx, .npz or .npy file")),
        }
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
        } else if has("/archive_format") {
            let problem = "the archive is a program of torch.export, which is not read";
            let hint =
                "export it by torch.onnx.export, or save its weights: torch.save(program.state_dict, \"name.pt\")";
            Err(Error::new("archive", problem, hint))
        } else {
            let names: Vec<&str> = archive.names().collect();
            let names = gradus_tensor::safetensors::shortened(&names);
            let problem = format!("the archive is none of Keras, PyTorch or NumPy; it holds {names}");
            Err(Error::new("archive", problem, "give a .keras, .pt or .npz file"))
        }
    }

    /// The format of a list is that of its files: the first is looked at.
    fn of_shards(shards: &Shards) -> Result<Self> {
        shards.open_first(|path, start| match Format::of_start(path, start)? {
            Format::Gradus | Format::Safetensors => Ok(Format::Safetensors),
            format @ (Format::KerasWeights | Format::PyTorch) => Ok(format),
            other => {
                let problem = format!("the file that it lists is no part of weights ({})", other.name());
                Err(Error::new("list", problem, "give that file itself"))
            }
        })
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

/// How a file begins: what all readers look at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// A ZIP archive: `.keras`, `.pt`, `.npz`.
    Archive,
    Hdf5,
    Npy,
    Safetensors,
    /// What `torch.save` wrote before PyTorch 1.6.
    OldPyTorch,
    /// Another pickle of Python.
    Pickle,
    Onnx,
    /// JSON, of which the list of files of weights is read.
    List,
    /// What Git holds in place of a large file.
    LfsPointer,
    Unknown,
}

impl Start {
    /// The number of bytes that decide.
    pub(crate) const LENGTH: usize = 16;

    /// How a file begins that has these bytes.
    pub(crate) fn of(bytes: &[u8]) -> Start {
        match bytes {
            [b'P', b'K', 3 | 5, 4 | 6, ..] => Start::Archive,
            _ if bytes.starts_with(SIGNATURE) => Start::Hdf5,
            _ if bytes.starts_with(b"\x93NUMPY") => Start::Npy,
            // A header of 640 bytes begins as a pickle does.
            [_, _, _, _, 0, 0, 0, 0, b'{' | b' ' | b'\n' | b'\r' | b'\t', ..] => Start::Safetensors,
            _ if bytes.starts_with(OLD_FORM) => Start::OldPyTorch,
            [0x80, 2..=5, ..] => Start::Pickle,
            _ if bytes.starts_with(b"version https://") => Start::LfsPointer,
            // The length of the header, in eight bytes: below 4 GB.
            [a, b, c, d, 0, 0, 0, 0, ..] if [*a, *b, *c, *d] != [0; 4] => Start::Safetensors,
            // The field 1 of a ModelProto, `ir_version` of 3 or later, before one of its other fields. A SavedModel of TensorFlow
            // begins so with 1.
            [0x08, 3..=0x7f, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42 | 0x72, ..] => Start::Onnx,
            _ if bytes.trim_ascii_start().starts_with(b"{") => Start::List,
            _ => Start::Unknown,
        }
    }

    /// How the file at a path begins. Errors do not name the path.
    pub(crate) fn of_file(path: &Path) -> Result<Start> {
        let failed = |error: io::Error| Error::new("open", error.to_string(), "check the path");
        let file = File::open(path).map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(Error::new("open", "this is no regular file, such as a folder", "give the path of a file"));
        }
        let mut bytes = Vec::new();
        file.take(Start::LENGTH as u64).read_to_end(&mut bytes).map_err(failed)?;
        Ok(Start::of(&bytes))
    }

    /// The error of a reader that reads other files; what to give it is `hint`.
    pub(crate) fn refused(self, hint: &str) -> Error {
        let (what, hint) = match self {
            Start::Archive => ("a ZIP archive", hint),
            Start::Hdf5 => ("an HDF5 file", hint),
            Start::Npy => ("one array of NumPy, .npy", hint),
            Start::Safetensors => ("a safetensors file", hint),
            Start::OldPyTorch => ("a file of torch.save", hint),
            Start::Pickle => (
                "a pickle of Python, and none that torch.save writes",
                "save the tensors by torch.save(model.state_dict(), path)",
            ),
            Start::Onnx => ("an ONNX model", hint),
            Start::List => ("a file of JSON", hint),
            Start::LfsPointer => ("a pointer of Git LFS, not the file itself", "fetch the file by git lfs pull"),
            Start::Unknown => ("a file of no format that is known", hint),
        };
        Error::new("file", format!("this is {what}"), hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes are those of files that the programs have written.
    #[test]
    fn beginnings_decide() {
        let cases: [(&[u8], Start); 19] = [
            (b"PK\x03\x04\x14\x00\x00\x00", Start::Archive),
            (b"PK\x05\x06\x00\x00\x00\x00", Start::Archive),
            (b"PKZIP is a program", Start::Unknown),
            (b"\x89HDF\r\n\x1a\n\x00\x00", Start::Hdf5),
            (b"\x93NUMPY\x01\x00v\x00", Start::Npy),
            (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80", Start::OldPyTorch),
            (b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00", Start::Pickle),
            (b"\x40\x01\x00\x00\x00\x00\x00\x00{\"weight", Start::Safetensors),
            (b"\x80\x02\x00\x00\x00\x00\x00\x00{\"weight", Start::Safetensors),
            (b"\x80\x04\x01\x00\x00\x00\x00\x00{\"weight", Start::Safetensors),
            (b"\x80\x02}q\x00(X\x06\x00", Start::Pickle),
            (b"{\n  \"metadata\": ", Start::List),
            (b"version https://", Start::LfsPointer),
            // By onnx 1.22, torch 2.15 and keras 3.15.
            (b"\x08\x0a\x12\x07pytorch\x1a\x05", Start::Onnx),
            (b"\x08\x08:\x9a\x01", Start::Onnx),
            // A SavedModel, and a table.
            (b"\x08\x01\x12\x9c\xaf\x01\n", Start::Unknown),
            (b"id,name\n1,Ada\n", Start::Unknown),
            (b"", Start::Unknown),
            (&[0; 16], Start::Unknown),
        ];
        for (bytes, start) in cases {
            assert_eq!(Start::of(bytes), start, "{}", bytes.escape_ascii());
        }
    }
}
