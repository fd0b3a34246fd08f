//! Evaluation shared among ranks.

use gradus_nn::losses::OutputLoss;
use gradus_tensor::Float;
use serde::de::DeserializeOwned;
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
        let bits = |number: T| number.as_f64().to_bits();
        let number = |bits: u64| T::of(f64::from_bits(bits));
        let write = |Evaluated { loss, parts, samples, outcome }| {
            let part = |part: OutputLoss<T>| (part.output, bits(part.loss), part.counted, part.weight.to_bits());
            (Measured { loss: bits(loss), parts: parts.into_iter().map(part).collect(), samples }, outcome)
        };
        let read = |(Measured { loss, parts, samples }, outcome)| {
            let part = |(output, loss, counted, weight)| OutputLoss {
                output,
                loss: number(loss),
                counted,
                weight: f64::from_bits(weight),
            };
            Evaluated { loss: number(loss), parts: parts.into_iter().map(part).collect(), samples, outcome }
        };
        let all = self.in_turn(own.map(|evaluated| evaluated.map(write)))?;
        Ok(all.into_iter().map(read).collect())
    }

    /// What the ranks have made of a batch each, in the order of ranks, or of none where the data have ended. An error of one is an
    /// error of all.
    /// `S` is nothing that JSON writes as null.
    pub fn in_turn<S: Serialize + DeserializeOwned, T: Float>(
        &self,
        own: Result<Option<(S, Outcome<T>)>>,
    ) -> Result<Vec<(S, Outcome<T>)>> {
        let (said, outcome) = match own {
            Ok(Some((said, outcome))) => (Ok(Some(said)), outcome),
            Ok(None) => (Ok(None), Outcome::default()),
            Err(error) => (Err(error.to_string()), Outcome::default()),
        };
        let said = serde_json::to_string(&said).expect("what ranks say is plain data");
        let mut all = Vec::new();
        for (rank, bytes) in self.gather(&outcome.to_bytes(said)?)?.into_iter().enumerate() {
            let (outcome, said) = Outcome::from_bytes(bytes)?;
            let said: Result<Option<S>, String> = serde_json::from_str(&said)
                .map_err(|error| Error::of_rank(rank, format!("what it says cannot be read: {error}")))?;
            match said {
                Ok(Some(said)) => all.push((said, outcome)),
                Ok(None) => {}
                Err(message) => return Err(self.agreed(Error::of_rank(rank, message))),
            }
        }
        Ok(all)
    }
}
