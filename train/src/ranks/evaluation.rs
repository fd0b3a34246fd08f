//! Evaluation shared among ranks.

use gradus_nn::losses::OutputLoss;
use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use super::Links;
use super::message::Outcome;
use crate::error::{Error, Result};

/// A batch that was evaluated.
pub(crate) struct Evaluated<T: Float> {
    pub loss: T,
    pub parts: Vec<OutputLoss<T>>,
    pub samples: usize,
    /// What metrics need; without metrics, no outputs.
    pub outcome: Outcome<T>,
}

/// The numbers of a batch, as bits, which JSON keeps whatever they are.
#[derive(Serialize, Deserialize)]
struct Measured {
    loss: u64,
    parts: Vec<(String, u64, usize, u64)>,
    samples: usize,
}

impl Links {
    /// The batches that the ranks have evaluated, in the order of ranks: one each, or none where the data have ended.
    pub fn evaluated<T: Float>(&self, own: Result<Option<Evaluated<T>>>) -> Result<Vec<Evaluated<T>>> {
        let mut outcome = Outcome::default();
        let measured = own.map(|evaluated| {
            let Evaluated { loss, parts, samples, outcome: found } = evaluated?;
            outcome = found;
            let bits = |number: T| number.as_f64().to_bits();
            let part = |part: OutputLoss<T>| (part.output, bits(part.loss), part.counted, part.weight.to_bits());
            Some(Measured { loss: bits(loss), parts: parts.into_iter().map(part).collect(), samples })
        });
        let outputs = outcome.outputs.len();
        let said = (measured.map_err(|error| error.to_string()), outputs);
        let said = serde_json::to_string(&said).expect("measurements are plain data");
        let mut all = Vec::new();
        for (rank, bytes) in self.gather(&outcome.to_bytes(said)?)?.into_iter().enumerate() {
            // The text says how many outputs there are.
            let (_, text) = Outcome::<T>::from_bytes(bytes.clone(), 0)?;
            let unreadable = |error| Error::of_rank(rank, format!("its evaluation cannot be read: {error}"));
            let (measured, outputs): (Result<Option<Measured>, String>, usize) =
                serde_json::from_str(&text).map_err(unreadable)?;
            let Some(Measured { loss, parts, samples }) =
                measured.map_err(|message| self.agreed(Error::of_rank(rank, message)))?
            else {
                continue;
            };
            let number = |bits: u64| T::of(f64::from_bits(bits));
            let part = |(output, loss, counted, weight)| OutputLoss {
                output,
                loss: number(loss),
                counted,
                weight: f64::from_bits(weight),
            };
            let outcome = Outcome::from_bytes(bytes, outputs)?.0;
            all.push(Evaluated { loss: number(loss), parts: parts.into_iter().map(part).collect(), samples, outcome });
        }
        Ok(all)
    }
}
