//! The variables of a file of Keras, under the paths of the file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use gradus_nn::{Error, Result, WeightSource};
use gradus_tensor::AnyTensor;
use gradus_tensor::safetensors::{TensorInfo, shortened};

use super::weight_files;
use crate::hdf5::Hdf5;

/// The variables of a file of Keras: weights, states, and those of the optimiser, each read when it is asked for. Names are the paths
/// within the file: `layers/dense/vars/0`.
///
/// ```
/// use gradus_interchange::keras::{Variables, variables};
/// use gradus_nn::WeightSource;
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keras/chain.keras");
/// let file: Variables = variables(path)?;
/// for name in file.names() {
///     println!("{name}: {}", file.info(&name).unwrap().shape);
/// }
/// assert!(file.names().iter().any(|name| name.starts_with("layers/dense/vars/")));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
pub struct Variables {
    path: PathBuf,
    files: Vec<Hdf5>,
    names: Vec<String>,
    /// The place of its file of each variable.
    file_of: HashMap<String, usize>,
}

/// Opens the variables of a `.keras`, `.weights.h5`, `.weights.json` or older `.h5` file, without building its network.
///
/// ```
/// use gradus_interchange::keras;
/// use gradus_nn::{Dense, Model, Sequential, WeightSource};
/// # let path = std::env::temp_dir().join(format!("gradus_variables_{}.weights.h5", std::process::id()));
/// keras::save_weights(&Model::build(Sequential::new().add(Dense::new(3)), [2], 42)?, &path)?;
/// let variables: keras::Variables = keras::variables(&path)?;
/// assert_eq!(variables.names(), ["layers/dense/vars/0", "layers/dense/vars/1"]);
/// assert_eq!(variables.info("layers/dense/vars/0").unwrap().shape, [2, 3]);
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// If the file cannot be read, is damaged, or is none of Keras.
pub fn variables(path: impl AsRef<Path>) -> Result<Variables> {
    let path = path.as_ref().to_owned();
    let open = || {
        let files = weight_files(&path)?;
        let (mut names, mut file_of) = (Vec::new(), HashMap::new());
        for (place, file) in files.iter().enumerate() {
            for name in file.tensors()? {
                if file_of.insert(name.clone(), place).is_some() {
                    return Err(Error::new(
                        "keras",
                        format!("two files have the variable {name:?}"),
                        "write them again",
                    ));
                }
                names.push(name);
            }
        }
        Ok((files, names, file_of))
    };
    let (files, names, file_of) = open().map_err(|error: Error| error.within(&path.display().to_string()))?;
    Ok(Variables { path, files, names, file_of })
}

impl WeightSource for Variables {
    fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    fn info(&self, name: &str) -> Option<TensorInfo> {
        self.files[*self.file_of.get(name)?].info(name).ok().flatten()
    }

    fn read(&self, name: &str) -> Result<AnyTensor> {
        let Some(&place) = self.file_of.get(name) else {
            let problem = format!("there is no variable {name:?}, there are {}", shortened(&self.names));
            return Err(Error::new("keras", problem, "check the name"));
        };
        self.files[place].read(name)
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.path)
    }
}
