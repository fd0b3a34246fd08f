//! A residual block: layers and a shortcut around them.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::support::prelude::*;
use super::support::{of_sum, sum};
use crate::layer::{LayerHandle, LayerReader, deserialize};
use crate::parts::unknown;

/// y = activation(x + body(x)), or activation(shortcut(x) + body(x)). He et al., arXiv:1512.03385.
///
/// Shapes: the body's output has the input's shape, or that of the shortcut's output. The body's layers are at
/// `"body/0"` and so on beneath this one, the shortcut at `"shortcut"`.
///
/// ```
/// use gradus_nn::{Activation, BatchNormalization, Conv2D, Model, Padding, Residual, Sequential};
/// // Half as high and wide, twice as many channels: the shortcut does the same by a convolution of single points.
/// let body = Sequential::new()
///     .add(Conv2D::new(32, 3).strides(2).padding(Padding::Same).use_bias(false))
///     .add(BatchNormalization::new())
///     .add(Activation::Relu)
///     .add(Conv2D::new(32, 3).padding(Padding::Same).use_bias(false))
///     .add(BatchNormalization::new());
/// let block = Residual::new(body)
///     .shortcut(Conv2D::new(32, 1).strides(2).use_bias(false))
///     .activation(Activation::Relu);
/// let model = Model::build(Sequential::new().add(block), [28, 28, 16], 42)?;
/// assert_eq!(model.output_shape(), &[14, 14, 32]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Residual {
    body: LayerHandle,
    shortcut: Option<LayerHandle>,
    activation: Activation,
}

impl Residual {
    /// A block around this layer or network; the shortcut is the input itself, the activation linear.
    pub fn new(body: impl Layer) -> Self {
        Residual { body: LayerHandle::new(body), shortcut: None, activation: Activation::Linear }
    }

    /// The layer or network on the shortcut around the body; none by default.
    pub fn shortcut(self, shortcut: impl Layer) -> Self {
        Residual { shortcut: Some(LayerHandle::new(shortcut)), ..self }
    }

    /// The activation of the sum; linear by default.
    pub fn activation(self, activation: Activation) -> Self {
        Residual { activation, ..self }
    }
}

impl Layer for Residual {
    const KIND: &'static str = "Residual";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let (input, inputs) = (build.input()?, build.inputs());
        let body = build.child("body", &*self.body, inputs)?;
        let shortcut = match &self.shortcut {
            Some(layer) => Some(build.child("shortcut", &**layer, inputs)?),
            None => None,
        };
        let around = shortcut.as_ref().map_or(input, Built::output);
        if body.output() != around {
            let what = if shortcut.is_some() { "the shortcut's" } else { "the input" };
            let problem = format!("the body's output has shape {}, {what} {around}", body.output());
            let hint = "keep the shape in the body by Padding::Same and as many filters as channels, or give a shortcut that \
                        changes it alike";
            return Err(build.error(problem, hint));
        }
        self.activation.check().map_err(|(problem, hint)| build.error(problem, hint))?;
        if self.activation.is_along_last_axis() && around.is_empty() {
            let problem = format!("{:?} needs an axis, found one number per sample: []", self.activation);
            return Err(build.error(problem, "give the inputs the shape [n, 1]"));
        }
        let activation = self.activation;
        let output = Spec::floats(around);
        let is_masked = |built: &Built<T>| built.outputs.iter().any(Spec::is_masked);
        let around_is_masked = shortcut.as_ref().map_or(inputs[0].is_masked(), is_masked);
        let output = if is_masked(&body) || around_is_masked { output.masked() } else { output };
        let around_is_part = shortcut.as_ref().map_or(&inputs[0], |built| &built.outputs[0]).is_in_parts();
        if body.outputs[0].is_in_parts() != around_is_part {
            return Err(unknown(build));
        }
        let output = if around_is_part { output.in_parts() } else { output };
        let built = Built::of_values(vec![output], move |context, inputs| {
            let y = body.run(context, inputs.clone());
            let around = match &shortcut {
                Some(shortcut) => shortcut.run(context, inputs),
                None => inputs,
            };
            let both = y.and(around);
            let mask = both.common_mask();
            let both = both.into_iter().map(|value| value.into_floats()).collect();
            Values::from(activation.apply(&sum(both))).with_mask(0, mask)
        });
        Ok(built.mask_rule(MaskRule::Known).part_rule(PartRule::Known))
    }

    fn output_activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        if self.activation != Activation::Linear {
            return vec![Some(self.activation)];
        }
        let first = |outputs: Vec<Option<Activation>>| outputs.first().copied().flatten();
        let around = match &self.shortcut {
            Some(shortcut) => shortcut.activations(inputs),
            None => inputs.to_vec(),
        };
        vec![of_sum(&[first(self.body.activations(inputs)), first(around)])]
    }

    fn read(config: Value, reader: &LayerReader<'_>) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Record {
            body: Value,
            shortcut: Option<Value>,
            activation: Activation,
        }
        let Record { body, shortcut, activation } = reader.config(config)?;
        let shortcut = shortcut.map(|shortcut| reader.nested("shortcut", shortcut)).transpose()?;
        Ok(Residual { body: reader.nested("body", body)?, shortcut, activation })
    }
}

impl<'de> Deserialize<'de> for Residual {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer)
    }
}
