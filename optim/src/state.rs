//! The state of an optimiser, to be written down and resumed from.

use gradus_autograd::Params;
use gradus_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};

use crate::check::not_negative;
use crate::error::RestoreError;
use crate::optimizer::{Memory, Optimizer};
use crate::rule::{Rule, Slot};

/// The step count, the slots and a changed learning rate of an [`Optimizer`].
///
/// Plain data that serde writes and reads. It does not hold the rule, its options and the schedule: those are in the program
/// that resumes training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State<T: Float = f32> {
    /// The number of steps taken.
    pub steps: u64,
    /// The rate that [`Optimizer::set_learning_rate`] has set, if it has.
    #[serde(default)]
    pub learning_rate: Option<f64>,
    /// Each slot under the name of its parameter and its own: `"1/kernel/momentum"`.
    pub slots: Vec<(String, Tensor<T>)>,
}

impl<R: Rule, T: Float> Optimizer<R, T> {
    /// The state after the steps so far. The tensors share the slots' memory: while the state lives, the next step copies
    /// them.
    pub fn state(&self) -> State<T> {
        let slots = self.memories.iter().flat_map(|memory| {
            let slots = memory.slots.iter().flatten().zip(self.rule().slots(&memory.name, memory.shape()));
            slots.map(|(slot, Slot { name, .. })| (format!("{}/{name}", memory.name), slot.clone()))
        });
        State { steps: self.steps, learning_rate: self.rate, slots: slots.collect() }
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
    /// some of the rule's slots and lacks others, or the learning rate is negative or not finite. The optimiser is then
    /// unchanged.
    pub fn restore(&mut self, params: &Params<T>, state: State<T>) -> Result<(), RestoreError> {
        if let Some(Err(problem)) = state.learning_rate.map(|rate| not_negative("learning_rate", rate)) {
            return RestoreError::refuse(format!("{problem}: the state is damaged"));
        }
        let mut found: Vec<Option<(String, Tensor<T>)>> = state.slots.into_iter().map(Some).collect();
        let mut memories = Vec::with_capacity(params.len());
        for param in params {
            let mut memory = Memory::new(param);
            let (mut slots, mut missing) = (Vec::new(), None);
            for Slot { name, shape, .. } in self.rule().slots(&param.name, param.value.shape()) {
                let path = format!("{}/{name}", param.name);
                let place = found.iter_mut().find(|slot| slot.as_ref().is_some_and(|slot| slot.0 == path));
                let Some((_, slot)) = place.and_then(Option::take) else {
                    missing = Some(name);
                    continue;
                };
                if *slot.shape() != shape {
                    let is = slot.shape();
                    return RestoreError::refuse(format!(
                        "the slot {path:?} has shape {is}, {shape} is needed: {OTHER_MODEL}"
                    ));
                }
                slots.push(slot);
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
        (self.steps, self.rate, self.memories) = (state.steps, state.learning_rate, memories);
        Ok(())
    }
}

const OTHER_MODEL: &str = "restore into the model that was trained";
const OTHER_RULE: &str = "restore with the rule, its options and the model of the training that is to go on";
