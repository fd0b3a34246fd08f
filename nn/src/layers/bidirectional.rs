//! A layer that walks along sequences, once from either end.

use gradus_autograd::Var;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;

use super::support::prelude::*;
use super::support::sum;
use crate::context::Context;
use crate::layer::{LayerHandle, LayerReader, deserialize};
use crate::parts::unknown;
use crate::value::{Spec, Value, Values};

/// How [`Bidirectional`] merges the outputs of both ways.
///
/// ```
/// use gradus_nn::{Bidirectional, GRU, MergeMode, Model, Sequential};
/// let units = |mode| {
///     let network = Sequential::new().add(Bidirectional::new(GRU::new(8)).merge_mode(mode));
///     Model::build(network, [5, 3], 42).map(|model| model.output_shape().clone())
/// };
/// assert_eq!(units(MergeMode::Concat)?, [16]);
/// assert_eq!(units(MergeMode::Ave)?, [8]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MergeMode {
    /// Side by side, along the last axis.
    #[default]
    Concat,
    /// Their sum.
    Sum,
    /// Their product, element by element.
    Mul,
    /// Their mean.
    Ave,
    /// Not at all: two outputs.
    None,
}

/// A recurrent layer from the first step to the last, and a second one, with weights of its own, from the last to the first.
/// Schuster and Paliwal 1997, "Bidirectional Recurrent Neural Networks"; Keras's `Bidirectional`.
///
/// Shapes: those of the layer, with twice the units where outputs are concatenated. Before outputs of all steps are merged, those of
/// the way back are put in the order of the steps. They are 0 at steps that a [mask](crate::MaskRule) leaves out, as in Keras.
///
/// Further inputs are first states: those of the layer on the way forwards, then those of the one on the way back. Where the layer
/// gives its last states, they follow the outputs in the same order. The weights are beneath `"forward"` and `"backward"`.
///
/// ```
/// use gradus_nn::{Bidirectional, LSTM, MergeMode, Model, Sequential};
/// let network = Sequential::new()
///     .add(Bidirectional::new(LSTM::new(16).return_sequences(true)))
///     .add(Bidirectional::new(LSTM::new(8)).merge_mode(MergeMode::Sum));
/// let model = Model::build(network, [None, Some(4)], 42)?;
/// assert_eq!(model.output_shape().to_string(), "[8]");
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Bidirectional {
    layer: LayerHandle,
    backward_layer: Option<LayerHandle>,
    merge_mode: MergeMode,
}

impl Bidirectional {
    /// This layer on both ways; outputs are concatenated.
    pub fn new(layer: impl Layer) -> Self {
        Bidirectional { layer: LayerHandle::new(layer), backward_layer: None, merge_mode: MergeMode::Concat }
    }

    /// Another layer on the way back, with an output of the same shape. It is given the sequences in reverse, so it is written as if it
    /// walked forwards. (In Keras it has `go_backwards` set.)
    pub fn backward_layer(self, layer: impl Layer) -> Self {
        Bidirectional { backward_layer: Some(LayerHandle::new(layer)), ..self }
    }

    /// How the outputs are merged; side by side by default.
    pub fn merge_mode(self, merge_mode: MergeMode) -> Self {
        Bidirectional { merge_mode, ..self }
    }
}

impl Layer for Bidirectional {
    const KIND: &'static str = "Bidirectional";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let inputs = build.inputs();
        let (Some(x), count) = (inputs.first(), inputs.len()) else {
            return Err(build.error("takes sequences, found no inputs", "feed it with a layer or an input"));
        };
        if count % 2 == 0 {
            let problem = format!("takes sequences and as many first states for either way, found {count} inputs");
            return Err(build.error(problem, "give the states of the way forwards, then those of the way back"));
        }
        if x.shape.is_empty() {
            let problem = format!("takes sequences, samples of shape [steps, ..], found {}", x.shape);
            return Err(build.error(problem, "give the inputs an axis of steps"));
        }
        if x.is_in_parts() {
            return Err(unknown(build));
        }
        let states = count / 2;
        let of_way = |way: usize| [&inputs[..1], &inputs[1 + way * states..][..states]].concat();
        let forward = build.child("forward", &*self.layer, &of_way(0))?;
        let layer = self.backward_layer.as_ref().unwrap_or(&self.layer);
        let backward = build.child("backward", &**layer, &of_way(1))?;
        if forward.outputs != backward.outputs {
            let problem = "the layers of the two ways have outputs of different shapes";
            return Err(build.error(problem, "give both the same options"));
        }
        let output = &forward.outputs[0];
        let is_sequence = output.shape.len() == x.shape.len() && output.shape.first() == x.shape.first();
        let merged = match self.merge_mode {
            MergeMode::Concat => {
                let mut merged = output.clone();
                match merged.shape.last_mut() {
                    Some(last) => *last *= 2,
                    None => {
                        return Err(build.error("there is no axis to concatenate outputs along", "use MergeMode::Sum"));
                    }
                }
                vec![merged]
            }
            MergeMode::None => vec![output.clone(); 2],
            _ => vec![output.clone()],
        };
        let last_states = || forward.outputs[1..].iter().cloned();
        let outputs: Vec<Spec> = merged.into_iter().chain(last_states()).chain(last_states()).collect();
        let merge_mode = self.merge_mode;
        let compute = move |context: &mut Context<'_, T>, inputs: Values<T>| {
            let mask = inputs.mask(0).cloned();
            let turned = mask.as_ref().map(|mask| mask.flip(1));
            let mut inputs: Vec<Value<T>> = inputs.into_iter().collect();
            let of_back = inputs.split_off(1 + states);
            let back = std::iter::once(turned_value(&inputs[0])).chain(of_back).collect::<Values<T>>();
            let there = inputs.into_iter().collect::<Values<T>>().with_mask(0, mask);
            let there = forward.run(context, there);
            let back = backward.run(context, back.with_mask(0, turned));
            let mask = there.mask(0).cloned();
            let (mut there, mut back) = (there.into_iter(), back.into_iter());
            let mut ways = [there.next(), back.next()].map(|output| output.expect("an output").into_floats());
            if is_sequence {
                ways[1] = ways[1].flip(1);
                if let Some(mask) = &mask {
                    let ones = vec![1; ways[0].ndim() - 2];
                    let mask = mask.reshape(mask.shape().join(&ones));
                    ways = ways.map(|way| Var::where_(&mask, &way, T::ZERO));
                }
            }
            let merged = merge(merge_mode, ways);
            let count = merged.len();
            let outputs: Values<T> = merged.into_iter().map(Value::from).chain(there).chain(back).collect();
            (0..count).fold(outputs, |outputs, index| outputs.with_mask(index, mask.clone()))
        };
        Ok(Built::of_values(outputs, compute).mask_rule(MaskRule::Known))
    }

    fn read(config: Json, reader: &LayerReader<'_>) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Record {
            layer: Json,
            backward_layer: Option<Json>,
            merge_mode: MergeMode,
        }
        let Record { layer, backward_layer, merge_mode } = reader.config(config)?;
        let backward_layer = backward_layer.map(|layer| reader.nested("backward_layer", layer)).transpose()?;
        Ok(Bidirectional { layer: reader.nested("layer", layer)?, backward_layer, merge_mode })
    }
}

/// A sequence in reverse.
fn turned_value<T: Float>(x: &Value<T>) -> Value<T> {
    match x {
        Value::Floats(x) => x.flip(1).into(),
        Value::Ids(ids) => ids.flip(1).into(),
        Value::Mask(mask) => mask.flip(1).into(),
    }
}

fn merge<T: Float>(mode: MergeMode, ways: [Var<T>; 2]) -> Vec<Var<T>> {
    match mode {
        MergeMode::Concat => vec![Var::concat(&ways, -1)],
        MergeMode::Sum => vec![sum(ways.to_vec())],
        MergeMode::Mul => vec![&ways[0] * &ways[1]],
        MergeMode::Ave => vec![sum(ways.to_vec()) * T::of(0.5)],
        MergeMode::None => ways.to_vec(),
    }
}

impl<'de> Deserialize<'de> for Bidirectional {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer)
    }
}
