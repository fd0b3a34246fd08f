//! The state of an optimiser, to be written down and resumed from.

use gradus_autograd::Params;
use gradus_tensor::{Float, Shape, Tensor};
use serde::{Deserialize, Serialize};

use crate::check::not_negative;
use crate::error::RestoreError;
use crate::optimizer::{Memory, Optimizer};
use crate::rule::{Rule, Slot};

/// The step count, the slots and a changed learning rate of an [`Optimizer`].
///
/// Plain data that serde writes and reads. It does not hold the rule, its options and the schedule: those are in the program
/// that resumes training.
///
/// ```
/// use gradus_autograd::{Grads, Params};
/// use gradus_optim::{IntoOptimizer, Sgd};
/// use gradus_tensor::Tensor;
/// let mut params = Params::new();
/// params.add("0/kernel", Tensor::new([1.0]));
/// let mut optimizer = Sgd::default().momentum(0.5).learning_rate(0.25);
/// optimizer.step(&mut params, &Grads::from_iter([Some(Tensor::new([4.0]))]));
/// let state = optimizer.state();
/// assert_eq!((state.steps, state.learning_rate), (1, None));
/// assert_eq!(state.slots, [("0/kernel/momentum".to_owned(), Tensor::new([-1.0]))]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State<T: Float = f32> {
    /// The number of steps taken.
    pub steps: u64,
    /// The rate that [`Optimizer::set_learning_rate`] has set, if it has.
    #[serde(default)]
    pub learning_rate: Option<f64>,
    /// The number of batches whose gradients wait for others ([`Optimizer::gradient_accumulation_steps`]).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waiting: u64,
    /// Each slot under the name of its parameter and its own: `"1/kernel/momentum"`. Beside those of the rule, a weight may
    /// have a `moving_average`, and a `gradient_sum` of gradients that wait.
    pub slots: Vec<(String, Tensor<T>)>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The names of the slots that the optimiser itself keeps.
const AVERAGE: &str = "moving_average";
const GRADIENT_SUM: &str = "gradient_sum";

impl<R: Rule, T: Float> Optimizer<R, T> {
    /// The state after the steps so far. The tensors share the slots' memory: while the state lives, the next step copies
    /// them.
    pub fn state(&self) -> State<T> {
        let slots = self.memories.iter().flat_map(|memory| {
            let slots = memory.slots.iter().flatten().zip(self.rule().slots(&memory.name, memory.shape()));
            let slots = slots.map(|(slot, Slot { name, .. })| (name, slot));
            let own = [(AVERAGE, &memory.average), (GRADIENT_SUM, &memory.gradient_sum)];
            let own = own.into_iter().filter_map(|(name, slot)| Some((name, slot.as_ref()?)));
            slots.chain(own).map(|(name, slot)| (format!("{}/{name}", memory.name), slot.clone())).collect::<Vec<_>>()
        });
        State { steps: self.steps, learning_rate: self.rate, waiting: self.waiting, slots: slots.collect() }
    }

    /// Resumes from a state: the next steps of `params` are those that the optimiser which gave the state would take.
    ///
    /// ```
    /// # use gradus_autograd::{Grads, Params};
    /// # use gradus_optim::{Adam, Optimizer};
    /// # use gradus_tensor::Tensor;
    /// # let mut params = Params::new();
    /// # params.add("1/kernel", Tensor::new([1.0, 2.0]));
    /// # let grads = Grads::from_iter([Some(Tensor::new([0.5, 0.25]))]);
    /// let mut optimizer = Optimizer::from(Adam::default());
    /// optimizer.step(&mut params, &grads);
    /// let state = optimizer.state();
    ///
    /// let mut optimizer = Optimizer::from(Adam::default());
    /// optimizer.restore(&params, state)?;
    /// assert_eq!(optimizer.steps(), 1);
    /// # Ok::<(), gradus_optim::RestoreError>(())
    /// ```
    ///
    /// # Errors
    /// If a slot belongs to none of `params` or is not one of the rule's, has another shape than the rule's, a parameter has
    /// some of the rule's slots and lacks others, or the learning rate is negative or not finite; if the optimiser has
    /// moving averages and the state none, or the other way round, or as many batches wait as make a step. The optimiser is
    /// then unchanged.
    pub fn restore(&mut self, params: &Params<T>, state: State<T>) -> Result<(), RestoreError> {
        if let Some(Err(problem)) = state.learning_rate.map(|rate| not_negative("learning_rate", rate)) {
            return RestoreError::refuse(format!("{problem}: the state is damaged"));
        }
        if state.waiting > 0 && state.waiting >= self.batches_per_step {
            let (waiting, batches) = (state.waiting, self.batches_per_step);
            return RestoreError::refuse(format!(
                "the gradients of {waiting} batches wait for others, and {batches} make a step: restore with the \
                 gradient_accumulation_steps of the training that is to go on"
            ));
        }
        let mut found: Vec<Option<(String, Tensor<T>)>> = state.slots.into_iter().map(Some).collect();
        let mut memories = Vec::with_capacity(params.len());
        for param in params {
            let mut memory = Memory::new(param);
            let (mut slots, mut missing) = (Vec::new(), None);
            let mut take = |name: &str, shape: &Shape| {
                let path = format!("{}/{name}", param.name);
                let place = found.iter_mut().find(|slot| slot.as_ref().is_some_and(|slot| slot.0 == path));
                match place.and_then(Option::take) {
                    Some((_, slot)) if slot.shape() != shape => {
                        let is = slot.shape();
                        let problem = format!("the slot {path:?} has shape {is}, {shape} is needed: {OTHER_MODEL}");
                        RestoreError::refuse(problem)
                    }
                    slot => Ok(slot.map(|(_, slot)| slot)),
                }
            };
            for Slot { name, shape, .. } in self.rule().slots(&param.name, param.value.shape()) {
                match take(name, &shape)? {
                    Some(slot) => slots.push(slot),
                    None => missing = Some(name),
                }
            }
            if state.waiting > 0 {
                memory.gradient_sum = take(GRADIENT_SUM, param.value.shape())?;
            }
            if self.ema.is_some() {
                memory.average = take(AVERAGE, param.value.shape())?;
                // A weight that has taken a step has slots, unless the rule keeps none.
                if memory.average.is_none() && !slots.is_empty() {
                    return RestoreError::refuse(format!("{:?} lacks the slot {AVERAGE:?}: {OTHER_RULE}", param.name));
                }
            }
            match missing {
                None => memory.slots = Some(slots),
                Some(_) if slots.is_empty() => {}
                Some(name) => {
                    return RestoreError::refuse(format!("{:?} lacks the slot {name:?}: {OTHER_RULE}", param.name));
                }
            }
            memories.push(memory);
        }
        if let Some((path, _)) = found.iter().flatten().next() {
            return RestoreError::refuse(format!("no parameter has a slot {path:?} by this rule: {OTHER_RULE}"));
        }
        if self.ema.is_some() && state.steps > 0 && memories.iter().all(|memory| memory.average.is_none()) {
            return RestoreError::refuse(format!("no parameter has the slot {AVERAGE:?}: {OTHER_RULE}"));
        }
        (self.steps, self.rate, self.memories) = (state.steps, state.learning_rate, memories);
        self.waiting = state.waiting;
        Ok(())
    }
}

const OTHER_MODEL: &str = "restore into the model that was trained";
const OTHER_RULE: &str = "restore with the rule, its options and the model of the training that is to go on";
