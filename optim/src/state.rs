//! What an optimiser has gathered so far, to be written down and gone on from.

use std::fmt;

use gradus_autograd::Params;
use gradus_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};

use crate::optimizer::{Entry, Optimizer};
use crate::rule::Rule;

/// The step count and the slots of an [`Optimizer`], by name.
///
/// Plain data that serde writes and reads. It does not hold the rule and the options: those are in the program that goes
/// on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State<T: Float = f32> {
    /// The number of steps taken.
    pub steps: u64,
    /// Each slot under the name of its parameter and its own: `"1/kernel/momentum"`.
    pub slots: Vec<(String, Tensor<T>)>,
}

/// A state does not fit the parameters or the rule.
///
/// One pointer wide.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::box_collection)] // A thin pointer: the box around the string is the point.
pub struct RestoreError(Box<String>);

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for RestoreError {}

fn refuse<R>(message: String) -> Result<R, RestoreError> {
    Err(RestoreError(Box::new(message)))
}

impl<R: Rule, T: Float> Optimizer<R, T> {
    /// What has been gathered so far. The tensors share the slots' memory: while the state lives, the next step copies
    /// them.
    pub fn state(&self) -> State<T> {
        let names = self.rule().slots();
        let slots = self.entries.iter().flat_map(|entry| {
            entry.slots.iter().zip(names).map(|(slot, name)| (format!("{}/{name}", entry.name), slot.clone()))
        });
        State { steps: self.steps, slots: slots.collect() }
    }

    /// Goes on from a state: the next steps of `params` are those that the optimiser which gave the state would take.
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
    /// If a slot belongs to none of `params` or is not one of the rule's, has another shape than its parameter, or a
    /// parameter has some of the rule's slots and lacks others. The optimiser is then unchanged.
    pub fn restore(&mut self, params: &Params<T>, state: State<T>) -> Result<(), RestoreError> {
        let names = self.rule().slots();
        let mut found: Vec<Option<(String, Tensor<T>)>> = state.slots.into_iter().map(Some).collect();
        let mut entries = Vec::with_capacity(params.len());
        for param in params {
            let mut entry = Entry::new(param);
            for name in names {
                let path = format!("{}/{name}", param.name);
                let place = found.iter_mut().find(|slot| slot.as_ref().is_some_and(|slot| slot.0 == path));
                let Some((_, slot)) = place.and_then(Option::take) else { continue };
                if slot.shape() != param.value.shape() {
                    let (is, must) = (slot.shape(), param.value.shape());
                    return refuse(format!("the slot {path:?} has shape {is}, its parameter {must}: {OTHER_MODEL}"));
                }
                entry.slots.push(slot);
            }
            if !entry.slots.is_empty() && entry.slots.len() != names.len() {
                return refuse(format!("{:?} lacks some of the slots {names:?}: {OTHER_RULE}", param.name));
            }
            entries.push(entry);
        }
        if let Some((path, _)) = found.iter().flatten().next() {
            return refuse(format!("no parameter has a slot {path:?}, the rule's are {names:?}: {OTHER_RULE}"));
        }
        (self.steps, self.entries) = (state.steps, entries);
        Ok(())
    }
}

const OTHER_MODEL: &str = "restore into the model that was trained";
const OTHER_RULE: &str = "restore with the rule, its options and the model of the training that is to go on";
