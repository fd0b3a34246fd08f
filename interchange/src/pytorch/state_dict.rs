//! The tensors of a file by their names: what `model.state_dict()` gives in PyTorch.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use gradus_nn::{Error, Result, WeightSource};
use gradus_tensor::AnyTensor;
use gradus_tensor::safetensors::{File, TensorInfo, shortened};

use super::checkpoint::Checkpoint;
use crate::archive::{Archive, FileAt};
use crate::format::Start;
use crate::npz::NpzFile;
use crate::shards::Shards;

/// The tensors of a file, in PyTorch's names and layout, each read when it is asked for.
///
/// A file is what `torch.save` has written (`.pt`, `.pth`, `.bin`, also in the form before PyTorch 1.6), a `.safetensors` file, a `.npz`
/// file of NumPy, or a list of several of them, such as `model.safetensors.index.json`; its content says which. Nothing in it is run: a pickle that holds more than tensors, numbers and texts in
/// dicts and lists is refused with the name of what it holds. Dicts within dicts become names with dots:
/// `{"state_dict": {"fc.weight": ..}}` has the tensor `state_dict.fc.weight`. The tensor of a file that is one alone is `tensor`.
///
/// Floats of two bytes are read as f32. Complex numbers, uint64 and floats of a byte are listed, and refused when they are read.
///
/// ```
/// use gradus_interchange::pytorch::StateDict;
/// use gradus_nn::WeightSource;
/// use gradus_tensor::{Tensor, safetensors::Writer};
/// # let path = std::env::temp_dir().join(format!("gradus_state_dict_{}.safetensors", std::process::id()));
/// // In PyTorch: safetensors.torch.save_file(model.state_dict(), path)
/// Writer::new().tensor("fc.weight", Tensor::new([[1.0, 2.0]])).write(&path)?;
/// let state = StateDict::open(&path)?;
/// assert_eq!(state.names(), ["fc.weight"]);
/// assert_eq!(state.info("fc.weight").unwrap().shape, [1, 2]);
/// assert_eq!(state.read("fc.weight")?, Tensor::new([[1.0, 2.0]]).into());
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct StateDict {
    path: Option<PathBuf>,
    file: Form,
    names: Vec<String>,
    /// The second names of tied weights, with those that the file has them under.
    tied: BTreeMap<String, String>,
}

enum Form {
    PyTorch(Checkpoint),
    Safetensors(File),
    Npz(NpzFile),
    Shards(Parts),
}

/// Several files, and which of them has a tensor.
struct Parts {
    files: Vec<StateDict>,
    of_tensor: BTreeMap<String, usize>,
}

const WANTED: &str =
    "give a file of PyTorch, safetensors or NumPy (.npz), as torch.save(model.state_dict(), path) writes it";

impl Form {
    /// Opens a file that begins so.
    fn open(path: &Path, start: Start) -> Result<Form> {
        match start {
            Start::Archive => Form::of_archive(Archive::of_file(opened(path)?)?),
            Start::OldPyTorch => {
                let file = opened(path)?;
                let length = file.metadata().map_err(unreadable)?.len();
                Ok(Form::PyTorch(Checkpoint::of_old_form(Box::new(FileAt(file)), length)?))
            }
            Start::Safetensors => Ok(Form::Safetensors(File::open(path).map_err(of_safetensors)?)),
            Start::List => Ok(Form::Shards(Parts::open(&Shards::open(path)?)?)),
            start => Err(start.refused(WANTED)),
        }
    }

    fn of_archive(archive: Archive) -> Result<Form> {
        let holds = |suffix: &str| archive.names().any(|name| name.ends_with(suffix));
        if !holds("data.pkl") && (holds(".npy") || archive.names().next().is_none()) {
            return Ok(Form::Npz(NpzFile::of_archive(archive)?));
        }
        Ok(Form::PyTorch(Checkpoint::of_archive(archive)?))
    }

    /// The names of the tensors: in the order of the file, where it has one.
    fn names(&self) -> Vec<String> {
        let sorted = |names: &mut dyn Iterator<Item = &str>| {
            let mut names: Vec<String> = names.map(str::to_owned).collect();
            names.sort_by_cached_key(|name| by_numbers(name));
            names
        };
        match self {
            Form::PyTorch(checkpoint) => checkpoint.names.clone(),
            Form::Npz(arrays) => arrays.names().map(str::to_owned).collect(),
            // The format's writers sort by type and name. Numbers in names are counted up, as in a model: 2 before 10.
            Form::Safetensors(file) => sorted(&mut file.names()),
            Form::Shards(parts) => sorted(&mut parts.of_tensor.keys().map(String::as_str)),
        }
    }

    /// What `safetensors.torch.save_model` leaves out, and says in the metadata: the second names of tied weights.
    fn tied(&self) -> BTreeMap<String, String> {
        let Form::Safetensors(file) = self else { return BTreeMap::new() };
        let is_tied = |(second, first): &(&String, &String)| {
            file.info(second.as_str()).is_none() && file.info(first.as_str()).is_some()
        };
        file.metadata().iter().filter(is_tied).map(|(second, first)| (second.clone(), first.clone())).collect()
    }
}

impl Parts {
    fn open(shards: &Shards) -> Result<Parts> {
        let files = shards.open_each(|path, start| Ok(StateDict::new(Form::open(path, start)?)))?;
        let mut of_tensor = BTreeMap::new();
        for (tensor, names) in &shards.entries {
            let place = names.first().and_then(|name| shards.files.binary_search(name).ok());
            let place = place.filter(|&place| files[place].info(tensor).is_some()).ok_or_else(|| {
                let problem = format!("it says that the tensor {tensor:?} is in {names:?}, which lacks it");
                Error::new("list", problem, "fetch the files again, all of the same version")
            })?;
            of_tensor.insert(tensor.clone(), place);
        }
        Ok(Parts { files, of_tensor })
    }

    /// The file that has a tensor.
    fn file(&self, tensor: &str) -> Option<&StateDict> {
        self.of_tensor.get(tensor).map(|&place| &self.files[place])
    }
}

impl StateDict {
    /// Opens a file and reads which tensors it holds.
    ///
    /// # Errors
    /// If there is no such file, it is of another format, damaged or cut off, or it holds what cannot be read without running code.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let form = Start::of_file(path)
            .and_then(|start| Form::open(path, start))
            .map_err(|error| error.within(&path.display().to_string()))?;
        Ok(StateDict { path: Some(path.to_owned()), ..StateDict::new(form) })
    }

    /// A file whose bytes are in memory.
    ///
    /// # Errors
    /// As [`open`](StateDict::open). A list of several files is refused: its folder is not known.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Self> {
        let bytes = bytes.into();
        Ok(StateDict::new(match Start::of(&bytes) {
            Start::Archive => Form::of_archive(Archive::from_bytes(bytes)?)?,
            Start::OldPyTorch => {
                let length = bytes.len() as u64;
                Form::PyTorch(Checkpoint::of_old_form(Box::new(Cursor::new(bytes)), length)?)
            }
            Start::Safetensors => Form::Safetensors(File::from_bytes(bytes).map_err(of_safetensors)?),
            start => return Err(start.refused(WANTED)),
        }))
    }

    fn new(file: Form) -> Self {
        let tied = file.tied();
        let mut names = file.names();
        if !tied.is_empty() {
            names.extend(tied.keys().cloned());
            names.sort_by_cached_key(|name| by_numbers(name));
        }
        StateDict { path: None, names, file, tied }
    }

    /// Whether this is the second name of a tied weight: a model that has the weight once does not need it.
    pub(super) fn is_second_name(&self, name: &str) -> bool {
        self.tied.contains_key(name)
    }

    /// The parts of names before the first dot with the number of tensors beneath each, in the order of the file: for messages.
    pub(super) fn roots(&self) -> Vec<(&str, usize)> {
        let mut roots: Vec<(&str, usize)> = Vec::new();
        let mut places = HashMap::new();
        for name in &self.names {
            let root = name.split('.').next().unwrap_or(name);
            let place = *places.entry(root).or_insert_with(|| {
                roots.push((root, 0));
                roots.len() - 1
            });
            roots[place].1 += 1;
        }
        roots
    }
}

/// The tensors, in the order of the file where it has one.
impl WeightSource for StateDict {
    fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    fn info(&self, name: &str) -> Option<TensorInfo> {
        let name = self.tied.get(name).map_or(name, String::as_str);
        match &self.file {
            Form::PyTorch(checkpoint) => checkpoint.info(name),
            Form::Safetensors(file) => File::info(file, name),
            Form::Npz(arrays) => arrays.info(name),
            Form::Shards(parts) => parts.file(name)?.info(name),
        }
    }

    fn read(&self, name: &str) -> Result<AnyTensor> {
        let name = self.tied.get(name).map_or(name, String::as_str);
        match &self.file {
            Form::PyTorch(checkpoint) => checkpoint.read(name),
            Form::Safetensors(file) => WeightSource::read(file, name),
            Form::Npz(arrays) => arrays.read(name),
            Form::Shards(parts) => match parts.file(name) {
                Some(file) => file.read(name),
                None => {
                    let problem = format!("there is no tensor {name:?}, only {}", shortened(&self.names));
                    Err(Error::new("list", problem, "check the name"))
                }
            },
        }
    }

    fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

/// A line for each tensor: its name, element type and shape.
impl fmt::Display for StateDict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        for name in &self.names {
            let info = self.info(name).expect("every name has a tensor");
            writeln!(f, "{name:width$}  {}  {}", info.stored, info.shape)?;
        }
        Ok(())
    }
}

impl fmt::Debug for StateDict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tensors = self.names.len();
        f.debug_struct("StateDict").field("path", &self.path).field("tensors", &tensors).finish_non_exhaustive()
    }
}

fn unreadable(error: io::Error) -> Error {
    Error::new("open", error.to_string(), "check the path")
}

fn opened(path: &Path) -> Result<fs::File> {
    fs::File::open(path).map_err(unreadable)
}

fn of_safetensors(error: gradus_tensor::safetensors::SafetensorsError) -> Error {
    Error::new("safetensors", error.problem(), error.hint())
}

/// A name in parts, texts and numbers by turns, so that 2 comes before 10.
fn by_numbers(name: &str) -> Vec<(u64, String)> {
    let chars = name.chars().collect::<Vec<char>>();
    let parts = chars.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit());
    let part = |part: &[char]| {
        let text: String = part.iter().collect();
        match text.parse() {
            Ok(number) => (number, String::new()),
            Err(_) => (u64::MAX, text),
        }
    };
    parts.map(part).collect()
}
