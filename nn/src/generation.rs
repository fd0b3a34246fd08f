//! Ids that a model writes one after the other.

use gradus_tensor::{Float, Generator, Tensor};

use crate::error::{Error, Result};
use crate::model::Model;
use crate::sampling::Sampler;
use crate::stateful::SequenceStates;

impl<T: Float> Model<T> {
    /// The ids that follow a prompt, for ever: each is chosen by `sampler` from the logits of the last position, and given to the
    /// network as the next one. What came before is remembered ([`predict_next`](Model::predict_next)), not computed again.
    ///
    /// The model takes ids `[n, length]`, built with `None` for the length, and gives logits `[n, length, vocabulary]`. An error is
    /// the last item.
    ///
    /// ```
    /// use gradus_nn::{Dense, Embedding, GRU, Model, Sampler, Sequential};
    /// use gradus_tensor::Generator;
    /// let network =
    ///     Sequential::new().add(Embedding::new(30, 8)).add(GRU::new(16).return_sequences(true)).add(Dense::new(30));
    /// let model = Model::build(network, [None], 42)?;
    /// let sampler = Sampler::random().temperature(0.8);
    /// let ids = model.generate(&[3, 1], sampler, Generator::new(1)).take(20).collect::<Result<Vec<i64>, _>>()?;
    /// assert_eq!(ids.len(), 20);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub fn generate(&self, prompt: &[i64], sampler: Sampler, generator: Generator) -> Generation<'_, T> {
        Generation {
            model: self,
            sampler,
            generator,
            states: SequenceStates::new(),
            seen: 0,
            next: prompt.to_vec(),
            last: Vec::new(),
            context: None,
            failed: false,
        }
    }
}

/// The ids that follow a prompt: [`Model::generate`].
///
/// ```
/// use gradus_nn::{Dense, Embedding, LSTM, Model, Sampler, Sequential};
/// use gradus_tensor::Generator;
/// let network =
///     Sequential::new().add(Embedding::new(10, 4)).add(LSTM::new(8).return_sequences(true)).add(Dense::new(10));
/// let model = Model::build(network, [None], 42)?;
/// let mut generation = model.generate(&[1, 2, 3], Sampler::greedy(), Generator::new(0)).context(16);
/// let first = generation.next().unwrap()?;
/// assert!((0..10).contains(&first));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone)]
pub struct Generation<'a, T: Float = f32> {
    model: &'a Model<T>,
    sampler: Sampler,
    generator: Generator,
    states: SequenceStates<T>,
    /// How many ids the states have seen.
    seen: usize,
    /// Those that they have not.
    next: Vec<i64>,
    /// The ids that they have seen, if there is a context.
    last: Vec<i64>,
    context: Option<usize>,
    failed: bool,
}

impl<T: Float> Generation<'_, T> {
    /// With at most so many positions at a time, as many as the network was trained on: then it begins anew with the last half.
    ///
    /// # Panics
    /// If it is below 2.
    #[track_caller]
    pub fn context(self, positions: usize) -> Self {
        assert!(positions >= 2, "context: at least 2 positions are needed: {positions}");
        Generation { context: Some(positions), ..self }
    }

    fn draw(&mut self) -> Result<i64> {
        if self.next.is_empty() {
            return Err(Error::new("generate", "the prompt is empty", "give at least one id"));
        }
        if let Some(context) = self.context {
            if self.seen + self.next.len() > context {
                self.last.append(&mut self.next);
                self.next = self.last.split_off(self.last.len() - self.last.len().min(context / 2));
                self.last.clear();
                (self.states, self.seen) = (SequenceStates::new(), 0);
            }
            self.last.extend(&self.next);
        }
        let ids = Tensor::from(self.next.clone()).unsqueeze(0);
        let logits = self.model.predict_next(ids, &mut self.states)?;
        if logits.ndim() != 3 {
            let problem = format!("the output has the shape {}", logits.shape());
            return Err(Error::new("generate", problem, "give a network with logits [n, length, vocabulary]"));
        }
        self.seen += self.next.len();
        let id = self.sampler.pick(&logits.select(1, -1).select(0, 0), &mut self.generator)? as i64;
        self.next.clear();
        self.next.push(id);
        Ok(id)
    }
}

impl<T: Float> Iterator for Generation<'_, T> {
    type Item = Result<i64>;

    fn next(&mut self) -> Option<Result<i64>> {
        if self.failed {
            return None;
        }
        let drawn = self.draw();
        self.failed = drawn.is_err();
        Some(drawn)
    }
}
