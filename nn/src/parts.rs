//! Sequences part by part: how values flow through a network that is given some positions at a time, and what layers do about it.

use gradus_tensor::Float;

use crate::build::Build;
use crate::built::Built;
use crate::error::{Error, Result};
use crate::mask::MaskRule;
use crate::value::Spec;

/// How a value comes when a network computes sequences part by part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Flow {
    /// The same at each call: an input that is given whole, and what is computed from such inputs alone.
    #[default]
    Whole,
    /// Some positions of a sequence, along the first axis of the shape; those before came with earlier calls.
    Part,
    /// Anew at each call, of the sequences so far: without an axis that goes on.
    Latest,
    /// None that would be the same for the whole sequence: no layer may take it.
    Never,
}

/// What a layer does with sequences that come part by part, in [`predict_next`](crate::Model::predict_next).
///
/// ```
/// use gradus_nn::{Build, Built, Layer, PartRule, Result, SequenceStates, Model, Sequential};
/// use gradus_tensor::{Float, Tensor};
/// use serde::{Deserialize, Serialize};
///
/// /// The largest feature of each position: `[n, length, features]` to `[n, length]`.
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct Largest;
///
/// impl Layer for Largest {
///     const KIND: &'static str = "Largest";
///
///     fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
///         let shape = build.input()?[..1].to_vec();
///         Ok(Built::new(shape, |_, x| x.max(-1)).part_rule(PartRule::Alone))
///     }
/// }
///
/// let model = Model::build(Sequential::new().add(Largest), [None, Some(2)], 42)?;
/// let mut states = SequenceStates::new();
/// assert_eq!(model.predict_next(&Tensor::new([[[1.0, 5.0]]]), &mut states)?, Tensor::new([[5.0]]));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PartRule {
    /// Nothing is said. A layer of [`MaskRule::Kept`] computes each position without the others, so it takes parts as well; any
    /// other one refuses them.
    #[default]
    Unsaid,
    /// The layer computes each position without the others, although it knows masks.
    Alone,
    /// The layer remembers what it needs, and says by [`Spec::in_parts`] which outputs come part by part.
    Known,
}

/// The layer with what its rule says about inputs that come part by part.
pub(crate) fn settle<T: Float>(build: &Build<'_, T>, mut built: Built<T>) -> Result<Built<T>> {
    let inputs = build.inputs();
    if inputs.iter().all(|input| input.flow == Flow::Whole) {
        return Ok(built);
    }
    if inputs.iter().any(|input| input.flow == Flow::Never) {
        let problem = "takes what is not there part by part, such as the weights of an attention";
        return Err(build.error(problem, "call predict with whole sequences"));
    }
    if built.part_rule == PartRule::Known || !inputs.iter().any(Spec::is_in_parts) {
        for output in built.outputs.iter_mut().filter(|output| output.flow == Flow::Whole) {
            output.flow = Flow::Latest;
        }
        return Ok(built);
    }
    if built.part_rule != PartRule::Alone && built.mask_rule != MaskRule::Kept {
        return Err(unknown(build));
    }
    if let Some(input) = inputs.iter().find(|input| !input.is_in_parts()) {
        let problem = format!("takes a part of a sequence together with a value {} that is none", input.shape);
        return Err(build.error(problem, "join them where both are whole, and call predict"));
    }
    built.outputs.iter_mut().for_each(|output| output.flow = Flow::Part);
    Ok(built)
}

/// The error of a layer that needs all positions of a sequence.
pub(crate) fn unknown<T: Float>(build: &Build<'_, T>) -> Error {
    let problem = "computes with several positions of a sequence, and is given a part of them";
    build.error(problem, UNKNOWN)
}

const UNKNOWN: &str = "call predict with whole sequences; a layer of your own that computes each position alone says so by \
                       MaskRule::Kept or PartRule::Alone";

/// A layer that knows a largest number of positions, in a network built for parts of some length.
pub(crate) struct PositionLimit {
    /// The number of the layer.
    pub layer: usize,
    /// `"layer 0 (PositionEmbedding)"`
    pub place: String,
    /// The length of a part.
    pub length: usize,
    pub most: usize,
}
