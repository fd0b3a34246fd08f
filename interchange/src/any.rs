//! Files of any format: the format decides who reads or writes.

use std::path::Path;

use gradus_nn::{Error, LayerKinds, Model, Result, WeightSource};
use gradus_tensor::Float;

use crate::format::Format;
use crate::pytorch::StateDict;
use crate::{keras, npz, onnx};

/// A network with its weights, and what of its file is not in it.
///
/// ```
/// use gradus_nn::{Dense, Model, Sequential};
/// # let path = std::env::temp_dir().join(format!("gradus_loaded_{}.onnx", std::process::id()));
/// let model = Model::build(Sequential::new().add(Dense::new(3)), [2], 42)?;
/// gradus_interchange::save(&model, &path)?;
/// let loaded = gradus_interchange::load(&path)?;
/// assert_eq!((loaded.model.output_shape(), loaded.left_out.len()), (model.output_shape(), 0));
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), gradus_nn::Error>(())
/// ```
pub struct Loaded<T: Float = f32> {
    /// The network with its weights.
    pub model: Model<T>,
    /// What the file says beside that changes no prediction, a sentence each.
    pub left_out: Vec<String>,
}

/// Reads a network with its weights from a file of any [`Format`] that holds both.
///
/// ```
/// use gradus_interchange::{load, save};
/// use gradus_nn::{Dense, Model, Sequential};
/// use gradus_tensor::Tensor;
/// # let path = std::env::temp_dir().join(format!("gradus_load_{}.keras", std::process::id()));
/// let model = Model::build(Sequential::new().add(Dense::new(3)), [2], 42)?;
/// save(&model, &path)?; // `path` ends in .keras.
/// let x = Tensor::new([[1.0, 2.0]]);
/// assert_eq!(load(&path)?.model.predict(&x)?, model.predict(&x)?);
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// If the file cannot be read, is damaged, has layers or operators that there are not here, or holds weights without a network.
pub fn load(path: impl AsRef<Path>) -> Result<Loaded> {
    let path = path.as_ref();
    let format = Format::of(path)?;
    let (model, left_out) = match format {
        Format::Gradus => (Model::load_with(path, &kinds())?, Vec::new()),
        Format::Keras | Format::KerasH5 => {
            let Loaded { model, left_out } = keras::load(path)?;
            (model, left_out)
        }
        Format::Onnx => (onnx::load(path)?, Vec::new()),
        Format::Safetensors | Format::KerasWeights | Format::PyTorch | Format::Npz | Format::Npy => {
            let problem = format!("this is a file of weights without a network ({})", format.name());
            let hint = "build the network, and take the weights by pytorch::load_weights or keras::load_weights";
            return Err(Error::new(path.display().to_string(), problem, hint));
        }
    };
    Ok(Loaded { model, left_out })
}

/// The kinds of layer that files of networks may have: those of `nn`, and an imported ONNX network.
///
/// ```
/// assert!(gradus_interchange::kinds().names().any(|kind| kind == "Onnx"));
/// ```
pub fn kinds() -> LayerKinds {
    LayerKinds::standard().with::<onnx::Program>()
}

/// The tensors of a file of any [`Format`] but ONNX's, under the names of the file, each read when it is asked for.
///
/// ```
/// use gradus_tensor::Tensor;
/// # let path = std::env::temp_dir().join(format!("gradus_tensors_{}.npz", std::process::id()));
/// gradus_interchange::npz::save(&path, [("mean", Tensor::new([1.0, 2.0]))])?;
/// let tensors = gradus_interchange::tensors(&path)?;
/// assert_eq!(tensors.names(), ["mean"]);
/// assert_eq!(tensors.read("mean")?, Tensor::new([1.0, 2.0]).into());
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// If the file cannot be read, or is none of tensors.
pub fn tensors(path: impl AsRef<Path>) -> Result<Box<dyn WeightSource>> {
    let path = path.as_ref();
    Ok(match Format::of(path)? {
        Format::Gradus | Format::Safetensors | Format::PyTorch | Format::Npz => Box::new(StateDict::open(path)?),
        Format::Keras | Format::KerasH5 | Format::KerasWeights => Box::new(keras::variables(path)?),
        Format::Onnx => Box::new(onnx::OnnxFile::open(path)?),
        Format::Npy => {
            let hint = "read it by Tensor::load_npy, or put it into an archive by numpy.savez";
            return Err(Error::new(path.display().to_string(), "this is one array, without a name", hint));
        }
    })
}

/// Writes a network with its weights in the format of the path's ending: `.keras`, `.onnx`, or `.safetensors`, Gradus's own.
/// `.weights.h5` and `.npz` hold the weights alone. Preprocessing and names of classes are in Gradus's own files alone.
///
/// ```
/// use gradus_nn::{Dense, Model, Sequential};
/// let model = Model::build(Sequential::new().add(Dense::new(3)), [2], 42)?;
/// let error = gradus_interchange::save(&model, "model.docx").unwrap_err();
/// assert!(error.to_string().contains(".keras"));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// If the ending is another, the format has no counterpart of a layer, or the file cannot be written.
pub fn save(model: &Model, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ends = |ending: &str| name.len() > ending.len() && name.to_lowercase().ends_with(ending);
    if ends(".keras") {
        keras::save(model, path)
    } else if ends(".weights.h5") {
        keras::save_weights(model, path)
    } else if ends(".onnx") {
        onnx::save(model, path)
    } else if ends(".safetensors") {
        model.save(path)
    } else if ends(".npz") {
        npz::save(path, model.params().iter().map(|param| (&*param.name, &param.value)))
    } else {
        let hint = "name it *.keras, *.weights.h5, *.onnx, *.safetensors or *.npz";
        Err(Error::new(path.display().to_string(), "the ending of the name says no format that can be written", hint))
    }
}
