//! Tensors on their way from one rank to another.

use gradus_tensor::safetensors::{File, Writer};
use gradus_tensor::{AnyTensor, Float, Tensor};

use crate::error::Result;
use crate::metrics::Scored;

/// Outputs of a model for some samples, with all that metrics need besides.
#[derive(Default)]
pub(crate) struct Outcome<T: Float> {
    pub targets: Vec<Tensor<T>>,
    pub outputs: Vec<Tensor<T>>,
    pub masks: Vec<Option<Tensor<bool>>>,
    pub weights: Option<Tensor<T>>,
}

impl<T: Float> Outcome<T> {
    /// As bytes, with a text.
    pub fn to_bytes(&self, text: String) -> Result<Vec<u8>> {
        let mut writer = Writer::new().metadata("text", text);
        let named = |name: &'static str| move |(place, tensor)| (format!("{name} {place}"), AnyTensor::from(tensor));
        let floats = self.targets.iter().enumerate().map(named("targets"));
        let floats = floats.chain(self.outputs.iter().enumerate().map(named("outputs")));
        for (name, tensor) in floats.chain(self.weights.iter().enumerate().map(named("weights"))) {
            writer = writer.tensor(name, tensor);
        }
        for (place, mask) in self.masks.iter().enumerate() {
            if let Some(mask) = mask {
                writer = writer.tensor(format!("masks {place}"), mask);
            }
        }
        Ok(writer.to_bytes()?)
    }

    /// From such bytes, with the text.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<(Self, String)> {
        let file = File::from_bytes(bytes)?;
        let tensor = |name: String| file.info(&name).map(|_| file.read(&name)).transpose();
        let list = |what: &str| -> Result<Vec<Tensor<T>>> {
            let found = (0..).map_while(|place| tensor(format!("{what} {place}")).transpose());
            found.map(|tensor| Ok(tensor?.to())).collect()
        };
        let (targets, outputs) = (list("targets")?, list("outputs")?);
        let masks = (0..outputs.len()).map(|place| Ok(tensor(format!("masks {place}"))?.map(|mask| mask.to())));
        let masks = masks.collect::<Result<_>>()?;
        let weights = list("weights")?.pop();
        Ok((Outcome { targets, outputs, masks, weights }, file.metadata().get("text").cloned().unwrap_or_default()))
    }

    /// As metrics take it.
    pub fn scored(&self) -> Scored<'_, T> {
        let Outcome { targets, outputs, masks, weights } = self;
        Scored { targets, outputs, masks, weights: weights.as_ref() }
    }

    /// The parts of a batch as one.
    pub fn joined(parts: Vec<Self>) -> Self {
        let floats = |of: fn(&Self) -> &[Tensor<T>]| {
            let join =
                |place: usize| Tensor::concat(&parts.iter().map(|part| of(part)[place].clone()).collect::<Vec<_>>(), 0);
            (0..parts.first().map_or(0, |part| of(part).len())).map(join).collect()
        };
        let mask = |place: usize| {
            let masks: Option<Vec<Tensor<bool>>> = parts.iter().map(|part| part.masks[place].clone()).collect();
            masks.map(|masks| Tensor::concat(&masks, 0))
        };
        let weights: Option<Vec<Tensor<T>>> = parts.iter().map(|part| part.weights.clone()).collect();
        Outcome {
            targets: floats(|part| &part.targets),
            outputs: floats(|part| &part.outputs),
            masks: (0..parts.first().map_or(0, |part| part.masks.len())).map(mask).collect(),
            weights: weights.map(|weights| Tensor::concat(&weights, 0)),
        }
    }
}
