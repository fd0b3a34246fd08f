//! Where the weights of a model come from: named tensors, each read when it is asked for.

use std::path::Path;

use gradus_tensor::AnyTensor;
use gradus_tensor::safetensors::{File, TensorInfo};

use crate::error::{Error, Result};

/// Named tensors that a model can take its weights from: a file of any format, or what a program makes.
///
/// A tensor is read only when it is asked for, so the weights of a large model are in memory once.
///
/// ```
/// use gradus_nn::{Dense, Model, Result, Sequential, WeightSource};
/// use gradus_tensor::safetensors::TensorInfo;
/// use gradus_tensor::{AnyTensor, Tensor};
///
/// /// A layer's kernel and bias, all of them 1.
/// struct Ones;
///
/// impl WeightSource for Ones {
///     fn names(&self) -> Vec<String> {
///         vec!["0/kernel".to_owned(), "0/bias".to_owned()]
///     }
///     fn info(&self, name: &str) -> Option<TensorInfo> {
///         let shape = if name == "0/kernel" { [2, 3][..].into() } else { [3].into() };
///         Some(TensorInfo { stored: "F32".to_owned(), element: Some("f32"), shape, bytes: 0 })
///     }
///     fn read(&self, name: &str) -> Result<AnyTensor> {
///         Ok(Tensor::<f32>::ones(self.info(name).unwrap().shape).into())
///     }
/// }
///
/// let model: Model = Model::with_weights(Sequential::new().add(Dense::new(3)), [2], &Ones)?;
/// assert_eq!(model.predict(&Tensor::new([[5.0, 7.0]]))?, Tensor::new([[13.0, 13.0, 13.0]]));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
pub trait WeightSource {
    /// The names of the tensors that may be weights, without those that surely are none, such as an optimiser's.
    fn names(&self) -> Vec<String>;

    /// What is known of a tensor without reading it; `None` if there is none of this name.
    fn info(&self, name: &str) -> Option<TensorInfo>;

    /// Reads a tensor.
    ///
    /// # Errors
    /// If there is no tensor of this name, or it cannot be read.
    fn read(&self, name: &str) -> Result<AnyTensor>;

    /// The path of the file, which errors begin with.
    fn path(&self) -> Option<&Path> {
        None
    }
}

/// A safetensors file. Tensors whose names begin with `/`, such as the slots of an optimiser, are no weights.
impl WeightSource for File {
    fn names(&self) -> Vec<String> {
        File::names(self).filter(|name| !name.starts_with('/')).map(str::to_owned).collect()
    }

    fn info(&self, name: &str) -> Option<TensorInfo> {
        File::info(self, name)
    }

    fn read(&self, name: &str) -> Result<AnyTensor> {
        // Without the path, which stands in front of all errors.
        File::read(self, name).map_err(|error| Error::new("load", error.problem(), error.hint()))
    }

    fn path(&self) -> Option<&Path> {
        File::path(self)
    }
}
