//! What a model looked at: which parts of an input made it answer as it did.
//!
//! | question | answer |
//! |---|---|
//! | how much did each number of the input contribute? | [`gradient_times_input`], [`IntegratedGradients`] |
//! | where in the picture is what a convolution has found? | [`grad_cam`] |
//! | what happens to the answer if a part is hidden? | [`Occlusion`] |
//! | which columns of a table does the model rely on? | [`PermutationImportance`] |
//! | which words looked at which? | [`attention_maps`] |
//!
//! A [`Target`] says which number of the output is explained. The results are tensors, and can be seen: a [`HeatMap`] over a picture
//! as SVG, PNG or in the terminal, [`Words`] in colours, [`Importances`] as a table, an [`AttentionMap`] as SVG.
//!
//! ```
//! use gradus_explain::{HeatMap, Target, gradient_times_input};
//! use gradus_nn::{Activation, Dense, Flatten, Model, Sequential};
//! use gradus_tensor::Tensor;
//!
//! let network = Sequential::new().add(Flatten).add(Dense::new(3).activation(Activation::Softmax));
//! let model = Model::build(network, [4, 4], 42)?.with_class_names(["cat", "dog", "owl"])?;
//! let pictures = Tensor::<f32>::ones([2, 4, 4]);
//! let explained = gradient_times_input(&model, &pictures, &Target::predicted())?;
//! let map = HeatMap::new(&explained.values().select(0, 0)).over(&pictures.select(0, 0)).title(&explained.explained[0]);
//! assert!(map.to_svg().contains("the logit of class"));
//! # Ok::<(), gradus_nn::Error>(())
//! ```
//!
//! An attribution says what the model computes, not what is true of the world, and methods may differ: look at several.
#![forbid(unsafe_code)]

mod attention;
mod attributions;
mod base64;
mod colors;
mod grad_cam;
mod gradients;
mod heat_map;
mod integrated_gradients;
mod occlusion;
mod permutation;
mod sources;
mod svg;
mod target;
mod words;

pub use attention::{AttentionMap, attention_maps};
pub use attributions::{Attribution, Attributions};
pub use grad_cam::{ClassActivation, grad_cam};
pub use gradients::{gradient_times_input, gradients};
pub use heat_map::{HeatMap, HeatMaps};
pub use integrated_gradients::{Integrated, IntegratedGradients, Rule};
pub use occlusion::Occlusion;
pub use permutation::{Importance, Importances, PermutationImportance};
pub use target::Target;
pub use words::Words;
