//! Networks and weights of others: Keras, PyTorch, safetensors, ONNX, NumPy.
//!
//! | from or to | network | weights | read by | written by |
//! |---|---|---|---|---|
//! | Keras `.keras`, `.h5` | yes | yes | [`keras::load`] | [`keras::save`] (`.keras`) |
//! | Keras `.weights.h5`, `.weights.json` | no | yes | [`keras::load_weights`] | [`keras::save_weights`] |
//! | PyTorch `.pt`, `.pth`, `.bin` | no | yes | [`pytorch::load_weights`] | - |
//! | safetensors, in PyTorch's layout | no | yes | [`pytorch::load_weights`] | [`pytorch::save`] |
//! | ONNX | yes | yes | [`onnx::load`] | [`onnx::save`] |
//! | NumPy `.npz` | no | yes | [`npz::load`] | [`npz::save`] |
//!
//! [`load`], [`tensors`] and [`save`] do so for any of them, by the [`Format`] of the file. All is Rust; nothing that a file contains is
//! run, and what a file claims of sizes is held against its length before memory is taken.
//!
//! ```
//! use gradus_interchange::{load, save};
//! use gradus_nn::{Activation, Dense, Model, Sequential};
//! use gradus_tensor::Tensor;
//! let folder = std::env::temp_dir();
//! let keras = folder.join(format!("gradus_interchange_{}.keras", std::process::id()));
//! let onnx = keras.with_extension("onnx");
//! let network = Sequential::new().add(Dense::new(4).activation(Activation::Relu)).add(Dense::new(1));
//! save(&Model::build(network, [2], 42)?, &keras)?;
//! let model = load(&keras)?.model;
//! save(&model, &onnx)?;
//! let x = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
//! assert!(load(&onnx)?.model.predict(&x)?.allclose(&model.predict(&x)?, 1e-6, 1e-6));
//! # std::fs::remove_file(&keras).unwrap();
//! # std::fs::remove_file(&onnx).unwrap();
//! # Ok::<(), gradus_nn::Error>(())
//! ```
#![forbid(unsafe_code)]

mod any;
mod archive;
mod format;
mod hdf5;
pub mod keras;
#[cfg(feature = "ndarray")]
pub mod ndarray;
mod network;
pub mod npz;
pub mod onnx;
pub mod pytorch;
mod shards;

pub use any::{Loaded, kinds, load, save, tensors};
pub use format::Format;
