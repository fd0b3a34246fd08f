//! A layer applied to each step of a sequence.

use gradus_tensor::Shape;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;

use super::support::prelude::*;
use crate::layer::{LayerHandle, LayerReader, deserialize};
use crate::value::{Value, Values};

/// The layer applied to each step, with the same weights. Keras's `TimeDistributed`.
///
/// Shapes: `[n, steps, ..]` to `[n, steps, output]`, where the layer takes `[n, ..]` to `[n, output]`. The weights are beneath
/// `"layer"`. A [mask](crate::MaskRule) over the steps stays; the layer sees steps that are left out as any other.
///
/// ```
/// use gradus_nn::{Conv2D, Flatten, LSTM, Model, Sequential, TimeDistributed};
/// // Films of 10 pictures.
/// let network = Sequential::new()
///     .add(TimeDistributed::new(Conv2D::new(8, 3)))
///     .add(TimeDistributed::new(Flatten))
///     .add(LSTM::new(16));
/// let model = Model::build(network, [10, 12, 12, 1], 42)?;
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct TimeDistributed {
    layer: LayerHandle,
}

impl TimeDistributed {
    /// This layer or network, which has one output, at each step.
    pub fn new(layer: impl Layer) -> Self {
        TimeDistributed { layer: LayerHandle::new(layer) }
    }
}

impl Layer for TimeDistributed {
    const KIND: &'static str = "TimeDistributed";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let [spec] = build.inputs() else {
            let problem = format!("takes one input, found {}", build.inputs().len());
            return Err(build.error(problem, "merge them by a layer before it"));
        };
        let Some((&steps, step)) = spec.shape.split_first() else {
            let problem = format!("takes sequences, samples of shape [steps, ..], found {}", spec.shape);
            return Err(build.error(problem, "give the inputs an axis of steps"));
        };
        let of_step = spec.with_shape(step);
        let layer = build.child("layer", &*self.layer, &[of_step])?;
        if layer.outputs.len() != 1 {
            let problem = format!("the layer must have one output, found {}", layer.outputs.len());
            return Err(build.error(problem, "choose one of them by a network around the layer"));
        }
        let output = layer.outputs[0].with_shape(Shape::from(steps).join(&layer.outputs[0].shape));
        let output = if spec.is_masked() { output.masked() } else { output };
        let built = Built::of_values(vec![output], move |context, inputs| {
            let mask = inputs.mask(0).cloned();
            let value = inputs.into_iter().next().expect("checked when it was built");
            let (n, steps) = (value.shape()[0], value.shape()[1]);
            let joined = Shape::from(n * steps).join(&value.shape()[2..]);
            let outputs = layer.run(context, reshaped(value, joined));
            let output = outputs.into_iter().next().expect("one output");
            let shape = Shape::from([n, steps]).join(&output.shape()[1..]);
            Values::from(reshaped(output, shape)).with_mask(0, mask)
        });
        Ok(built.mask_rule(MaskRule::Known).part_rule(PartRule::Alone))
    }

    fn output_activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        self.layer.activations(inputs)
    }

    fn read(config: Json, reader: &LayerReader<'_>) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Record {
            layer: Json,
        }
        let Record { layer } = reader.config(config)?;
        Ok(TimeDistributed { layer: reader.nested("layer", layer)? })
    }
}

fn reshaped<T: Float>(value: Value<T>, shape: Shape) -> Value<T> {
    match value {
        Value::Floats(x) => x.reshape(shape).into(),
        Value::Ids(ids) => ids.reshape(shape).into(),
        Value::Mask(mask) => mask.reshape(shape).into(),
    }
}

impl<'de> Deserialize<'de> for TimeDistributed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer)
    }
}
