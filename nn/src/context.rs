//! What a layer's computation runs in.

use std::sync::Arc;

use gradus_autograd::{Param, Params, Role, Var};
use gradus_tensor::{Float, Generator, Tensor};

use crate::memory::LayerMemory;
use crate::observer::Collector;
use crate::shard::{Shard, add};
use crate::value::Values;

/// The handle of a weight or state: its index among the model's parameters.
///
/// ```
/// use gradus_nn::{Build, Built, Initializer, Layer, ParamId, Result, check_layer};
/// use gradus_tensor::Float;
/// use serde::{Deserialize, Serialize};
///
/// /// y = x + shift, with one number for each feature.
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct Shift;
///
/// impl Layer for Shift {
///     const KIND: &'static str = "Shift";
///
///     fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
///         let shape = build.input()?.clone();
///         let shift: ParamId = build.weight("shift", [build.features()?], Initializer::Zeros)?;
///         Ok(Built::new(shape, move |context, x| x + context.weight(shift)))
///     }
/// }
///
/// check_layer(&Shift, [3]).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamId(pub(crate) usize);

/// The surroundings of a computation: the bound weights and, only while training, the randomness.
///
/// A layer that behaves differently in training, and keeps a state:
///
/// ```
/// use gradus_nn::losses::MeanSquaredError;
/// use gradus_nn::{Build, Built, Dense, Layer, Model, Result, Sequential};
/// use gradus_tensor::{Float, Generator, Tensor};
/// use serde::{Deserialize, Serialize};
///
/// /// x less a running mean of what came in training.
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct Centre;
///
/// impl Layer for Centre {
///     const KIND: &'static str = "Centre";
///
///     fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
///         let shape = build.input()?.clone();
///         let mean = build.state("mean", Tensor::zeros(&shape[..]))?;
///         Ok(Built::new(shape, move |context, x| {
///             if context.training().is_some() {
///                 let next = (context.state(mean) + x.value().mean(0)) * T::of(0.5);
///                 context.update(mean, next);
///             }
///             x - context.state(mean)
///         }))
///     }
/// }
///
/// let mut model = Model::build(Sequential::new().add(Centre).add(Dense::new(1)), [1], 42)?;
/// let (x, y) = (Tensor::new([[2.0], [4.0]]), Tensor::new([[0.0], [1.0]]));
/// let pass = model.grad(&x, &y, None, &MeanSquaredError, &mut Generator::new(1))?;
/// model.params_mut().update_states(pass.states);
/// assert_eq!(model.params().get("0/mean").unwrap().value, Tensor::new([1.5])); // (0 + 3) / 2
/// # Ok::<(), gradus_nn::Error>(())
/// ```
pub struct Context<'a, T: Float> {
    params: &'a Params<T>,
    /// Parallel to the parameters.
    vars: &'a [Var<T>],
    training: Option<&'a mut Generator>,
    /// New values of states, by index of the parameter.
    pub(crate) updates: Vec<(usize, Tensor<T>)>,
    /// What layers remember from one part of a sequence to the next, if anything.
    memory: Option<&'a mut LayerMemory<T>>,
    /// Who sees the outputs of layers, if anybody does.
    observer: Option<&'a mut Collector<T>>,
    /// The shard that is computed, if the batch is cut into shards.
    shard: Option<Arc<dyn Shard>>,
    /// The states, by index of the parameter, whose next values are of the whole batch already.
    of_batch: Vec<usize>,
}

impl<'a, T: Float> Context<'a, T> {
    pub(crate) fn new(params: &'a Params<T>, vars: &'a [Var<T>], training: Option<&'a mut Generator>) -> Self {
        let (updates, of_batch) = (Vec::new(), Vec::new());
        Context { params, vars, training, updates, memory: None, observer: None, shard: None, of_batch }
    }

    /// The same, of one shard of a batch.
    pub(crate) fn in_shard(self, shard: &Arc<dyn Shard>) -> Self {
        Context { shard: Some(Arc::clone(shard)), ..self }
    }

    /// The same, in which layers go on from what they remember.
    pub(crate) fn with_memory(self, memory: &'a mut LayerMemory<T>) -> Self {
        Context { memory: Some(memory), ..self }
    }

    /// The same, in which an observer sees the outputs of layers.
    pub(crate) fn observed_by(self, observer: Option<&'a mut Collector<T>>) -> Self {
        Context { observer, ..self }
    }

    /// Shows the outputs of the layer at `path` to the observer, if there is one; returns what the network goes on with. Only a
    /// computation that was built to be observed asks.
    pub(crate) fn observe(&mut self, path: &str, kind: &'static str, outputs: Values<T>) -> Values<T> {
        match self.observer.as_deref_mut() {
            Some(observer) => observer.take(path, kind, outputs),
            None => outputs,
        }
    }

    /// Shows a value from within a layer to the observer, if there is one that asks for this path.
    pub(crate) fn observe_inner(&mut self, path: &str, kind: &'static str, value: impl FnOnce() -> Tensor<T>) {
        if let Some(observer) = self.observer.as_deref_mut() {
            observer.take_inner(path, kind, value);
        }
    }

    /// What layers remember of the parts of sequences before. Only a computation that was built for parts asks.
    pub(crate) fn memory(&mut self) -> &mut LayerMemory<T> {
        self.memory.as_deref_mut().expect("who computes part by part gives a memory")
    }

    /// A weight or a state.
    pub fn weight(&self, id: ParamId) -> &'a Var<T> {
        &self.vars[id.0]
    }

    /// The latest value of a state: the one that [`update`](Context::update) has given it in this pass, if a layer that
    /// shares it has come before, or its value at the beginning.
    pub fn state(&self, id: ParamId) -> &Tensor<T> {
        let updated = self.updates.iter().rev().find(|(state, _)| *state == id.0);
        updated.map_or(self.vars[id.0].value(), |(_, value)| value)
    }

    /// The shard that is computed, if the batch is cut into shards. Then a layer gets the samples of the shard alone, and
    /// [`Shard::merge`] tells it what the other shards found.
    pub fn shard(&self) -> Option<&Arc<dyn Shard>> {
        self.shard.as_ref()
    }

    /// The generator of a training step; `None` when predicting. Layers that behave differently while training match
    /// on it.
    pub fn training(&mut self) -> Option<&mut Generator> {
        self.training.as_deref_mut()
    }

    /// Whether a weight or a state is frozen. Freezing a layer freezes all it has.
    pub fn is_frozen(&self, id: ParamId) -> bool {
        self.params[id.0].frozen
    }

    /// Gives a state its next value, taken over at the end of the training step. A frozen state keeps its own.
    ///
    /// If the batch is cut into shards, the next value is the mean over the shards that give one, each counted by its samples.
    pub fn update(&mut self, state: ParamId, value: Tensor<T>) {
        if !self.is_frozen(state) {
            self.updates.push((state.0, value));
        }
    }

    /// As [`update`](Context::update), with a value that is the same in all shards of the batch, so that no mean is taken.
    pub fn update_of_batch(&mut self, state: ParamId, value: Tensor<T>) {
        self.of_batch.push(state.0);
        self.update(state, value);
    }

    /// The next values of the states after a pass over a shard of so many samples: those of the whole batch.
    pub(crate) fn states_of_batch(self, samples: usize) -> Vec<(usize, Tensor<T>)> {
        let Context { params, mut updates, of_batch, shard, .. } = self;
        // All shards have to come to the merge, also one in which a layer had nothing to update.
        let may_differ = |&(index, param): &(usize, &Param<T>)| {
            param.role == Role::State && !param.frozen && !of_batch.contains(&index)
        };
        let states: Vec<(usize, &Param<T>)> = params.iter().enumerate().filter(may_differ).collect();
        let Some(shard) = shard.filter(|_| !states.is_empty()) else { return updates };
        let mut numbers = Vec::new();
        for &(index, param) in &states {
            let updated = updates.iter().rev().find(|(state, _)| *state == index);
            let count = if updated.is_some() { samples as f64 } else { 0.0 };
            numbers.push(count);
            match updated {
                Some((_, value)) => {
                    let (name, expected, found) = (&param.name, param.value.shape(), value.shape());
                    assert!(expected == found, "update: {name:?} has shape {expected}, its new value {found}");
                    numbers.extend(value.iter().map(|number| number.as_f64() * count));
                }
                None => numbers.resize(numbers.len() + param.value.size(), 0.0),
            }
        }
        let merged = shard.merge(numbers, add);
        let mut merged = merged.into_iter();
        updates.retain(|(updated, _)| states.iter().all(|(state, _)| state != updated));
        for (index, param) in states {
            let count = merged.next().expect("the shards merge alike");
            let mean: Tensor<T> = merged.by_ref().take(param.value.size()).map(|sum| T::of(sum / count)).collect();
            if count > 0.0 {
                updates.push((index, mean.reshape(param.value.shape())));
            }
        }
        updates
    }
}
