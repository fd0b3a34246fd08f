//! The driver of a rule: slots, step count, learning rate, and what is done to gradients beforehand.

use std::fmt;
use std::sync::Arc;

use gradus_autograd::{Grads, Param, Params};
use gradus_tensor::{Float, Shape, Tensor, update};

use crate::check::{expect, not_negative, positive};
use crate::transform::{Clip, Transform};
use crate::{Rule, Schedule};

/// The most slots that a rule may keep for a parameter.
pub const MAX_SLOTS: usize = 4;

/// Changes parameters along their gradients, by a [`Rule`], in place.
///
/// A rule becomes an optimiser with `Optimizer::from(rule)`, or by one of the options below, which can be called on the
/// rule itself. In a step the gradient is clipped, the L2 penalty's gradient is added, the weight decays, and then the
/// rule updates it. States and frozen weights are no business of the rule.
///
/// ```
/// use gradus_optim::{Adam, Optimizer, Rule};
/// let optimizer: Optimizer<Adam> = Adam::default().learning_rate(3e-4).clip_global_norm(1.0);
/// ```
#[derive(Clone)]
pub struct Optimizer<R, T: Float = f32> {
    rule: R,
    schedule: Arc<dyn Schedule>,
    clip: Option<Clip>,
    l2: f64,
    weight_decay: f64,
    /// Parameters with one of these in their path are spared `l2` and `weight_decay`.
    excluded: Vec<String>,
    pub(crate) steps: u64,
    /// Parallel to the parameters; empty before the first step.
    pub(crate) entries: Vec<Entry<T>>,
}

/// What an optimiser knows of a parameter.
#[derive(Clone)]
pub(crate) struct Entry<T: Float> {
    pub name: String,
    shape: Shape,
    /// Empty until the parameter is first updated.
    pub slots: Vec<Tensor<T>>,
}

impl<T: Float> Entry<T> {
    pub fn new(param: &Param<T>) -> Self {
        Entry { name: param.name.clone(), shape: param.value.shape().clone(), slots: Vec::new() }
    }
}

impl<R: Rule, T: Float> From<R> for Optimizer<R, T> {
    fn from(rule: R) -> Self {
        Optimizer {
            rule,
            schedule: Arc::new(R::LEARNING_RATE),
            clip: None,
            l2: 0.0,
            weight_decay: R::WEIGHT_DECAY,
            excluded: Vec::new(),
            steps: 0,
            entries: Vec::new(),
        }
    }
}

/// Options.
impl<R: Rule, T: Float> Optimizer<R, T> {
    /// Learns at this rate: a number, or a schedule such as [`CosineDecay`](crate::CosineDecay).
    ///
    /// # Panics
    /// If the first step's rate is negative or not finite.
    #[track_caller]
    pub fn learning_rate(mut self, schedule: impl Schedule) -> Self {
        self.set_learning_rate(schedule);
        self
    }

    /// Clamps each element g of the gradients to -`limit` <= g <= `limit`. Keras: `clipvalue`.
    ///
    /// # Panics
    /// If the limit is not greater than 0, or the gradients are clipped in another way already.
    #[track_caller]
    pub fn clip_value(self, limit: f64) -> Self {
        expect(positive("clip_value", limit));
        self.clip(Clip::Value(limit))
    }

    /// Scales each parameter's gradient so that its norm is at most `limit`: g min(1, limit / |g|). Keras: `clipnorm`.
    ///
    /// # Panics
    /// If the limit is not greater than 0, or the gradients are clipped in another way already.
    #[track_caller]
    pub fn clip_norm(self, limit: f64) -> Self {
        expect(positive("clip_norm", limit));
        self.clip(Clip::Norm(limit))
    }

    /// Scales all gradients by one factor so that their common norm is at most `limit`, which keeps the direction of
    /// the step (Pascanu et al. 2013, "On the difficulty of training recurrent neural networks"). Keras:
    /// `global_clipnorm`.
    ///
    /// # Panics
    /// If the limit is not greater than 0, or the gradients are clipped in another way already.
    #[track_caller]
    pub fn clip_global_norm(self, limit: f64) -> Self {
        expect(positive("clip_global_norm", limit));
        self.clip(Clip::GlobalNorm(limit))
    }

    #[track_caller]
    fn clip(mut self, clip: Clip) -> Self {
        if let Some(before) = self.clip {
            panic!("clip: gradients are clipped in one way, not two: {before:?} and {clip:?}");
        }
        self.clip = Some(clip);
        self
    }

    /// Adds the gradient of the penalty `factor` / 2 |p|² to each weight's own, after clipping: g + factor p. PyTorch
    /// calls it weight decay; for rules that rescale the gradient, [`weight_decay`](Optimizer::weight_decay) is another
    /// thing.
    ///
    /// # Panics
    /// If the factor is negative or not finite.
    #[track_caller]
    pub fn l2(mut self, factor: f64) -> Self {
        expect(not_negative("l2", factor));
        self.l2 = factor;
        self
    }

    /// Decays each weight before it is updated: p -= lr decay p, whatever the gradient (Loshchilov and Hutter 2019,
    /// "Decoupled Weight Decay Regularization").
    ///
    /// # Panics
    /// If the decay is negative or not finite.
    #[track_caller]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        expect(not_negative("weight_decay", decay));
        self.weight_decay = decay;
        self
    }

    /// Spares some parameters [`weight_decay`](Optimizer::weight_decay) and [`l2`](Optimizer::l2): those that have one
    /// of `names` as a part of their path, so that `"bias"` stands for `"1/bias"`, `"2/bias"` and so on.
    pub fn exclude_from_weight_decay(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.excluded.extend(names.into_iter().map(Into::into));
        self
    }
}

/// Training.
impl<R: Rule, T: Float> Optimizer<R, T> {
    /// Takes one step: every trainable weight that has a gradient is updated in place. States and frozen weights stay as
    /// they are.
    ///
    /// # Panics
    /// If `grads` are not the gradients of `params`, or `params` are not those of the step before: a parameter was
    /// added, removed, renamed or reshaped.
    #[track_caller]
    pub fn step(&mut self, params: &mut Params<T>, grads: &Grads<T>) {
        self.check(params, grads);
        let learning_rate = self.schedule.at(self.steps);
        self.steps += 1;
        let weights = params.iter().zip(grads.iter()).filter(|(param, _)| param.trainable());
        let gradients = weights.filter_map(|(_, gradient)| gradient.as_ref());
        let common_factor = self.clip.map_or(1.0, |clip| clip.common_factor(gradients));
        for (i, (param, gradient)) in params.iter_mut().zip(grads.iter()).enumerate() {
            let Some(gradient) = gradient else { continue };
            if param.trainable() {
                let transform = self.transform(&param.name, gradient, common_factor, learning_rate);
                self.update(i, &mut param.value, gradient, transform, learning_rate);
            }
        }
    }

    /// The number of steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The learning rate of the next step.
    pub fn current_learning_rate(&self) -> f64 {
        self.schedule.at(self.steps)
    }

    /// Learns at another rate from now on; a schedule is asked for the step that training has come to.
    ///
    /// # Panics
    /// If the schedule's first rate is negative or not finite.
    #[track_caller]
    pub fn set_learning_rate(&mut self, schedule: impl Schedule) {
        expect(not_negative("learning_rate", schedule.at(0)));
        self.schedule = Arc::new(schedule);
    }

    /// The rule.
    pub fn rule(&self) -> &R {
        &self.rule
    }

    /// What is done to a parameter's gradient at this step.
    fn transform(&self, name: &str, gradient: &Tensor<T>, common_factor: f64, learning_rate: f64) -> Transform {
        let decays = !name.split('/').any(|part| self.excluded.iter().any(|excluded| excluded == part));
        let (l2, weight_decay) = if decays { (self.l2, self.weight_decay) } else { (0.0, 0.0) };
        Transform {
            factor: common_factor * self.clip.map_or(1.0, |clip| clip.own_factor(gradient)),
            limit: self.clip.and_then(Clip::limit).unwrap_or(f64::INFINITY),
            l2,
            keep: 1.0 - learning_rate * weight_decay,
        }
    }

    /// Updates the parameter at `index`, with as many slots as the rule keeps.
    fn update(
        &mut self,
        index: usize,
        value: &mut Tensor<T>,
        gradient: &Tensor<T>,
        transform: Transform,
        learning_rate: f64,
    ) {
        let (rule, slots) = (&self.rule, &mut self.entries[index].slots);
        let names = rule.slots();
        if slots.len() != names.len() {
            *slots = names.iter().map(|_| Tensor::full(value.shape(), T::of(rule.initial_slot()))).collect();
        }
        let step = Step { rule, number: self.steps, learning_rate, transform };
        match names.len() {
            0 => step.update::<T, 0>(value, gradient, slots),
            1 => step.update::<T, 1>(value, gradient, slots),
            2 => step.update::<T, 2>(value, gradient, slots),
            3 => step.update::<T, 3>(value, gradient, slots),
            MAX_SLOTS => step.update::<T, MAX_SLOTS>(value, gradient, slots),
            count => panic!("step: a rule keeps {MAX_SLOTS} slots at most, not {count}: {names:?}"),
        }
    }

    /// Panics unless `grads` belong to `params`, and `params` are those that this optimiser has seen before.
    #[track_caller]
    fn check(&mut self, params: &Params<T>, grads: &Grads<T>) {
        if grads.len() != params.len() {
            panic!("step: there must be a gradient for each parameter: {} and {}", grads.len(), params.len());
        }
        if self.entries.is_empty() {
            self.entries = params.iter().map(Entry::new).collect();
        }
        for ((param, gradient), entry) in params.iter().zip(grads.iter()).zip(&self.entries) {
            let (name, shape) = (&param.name, param.value.shape());
            if *name != entry.name {
                panic!("step: another parameter stands where {:?} was in the steps before: {name:?}", entry.name);
            }
            if *shape != entry.shape {
                panic!("step: {name:?} has been reshaped since the steps before: {} and {shape}", entry.shape);
            }
            if let Some(gradient) = gradient
                && gradient.shape() != shape
            {
                panic!("step: the gradient of {name:?} is shaped otherwise: {} and {shape}", gradient.shape());
            }
        }
        if let Some(param) = params.iter().nth(self.entries.len()) {
            panic!("step: {:?} has been added since the steps before", param.name);
        }
        if let Some(entry) = self.entries.get(params.len()) {
            panic!("step: {:?} has been removed since the steps before", entry.name);
        }
    }
}

/// What the updates of all parameters in a step have in common, and the transform of one.
struct Step<'a, R> {
    rule: &'a R,
    number: u64,
    learning_rate: f64,
    transform: Transform,
}

impl<R: Rule> Step<'_, R> {
    fn update<T: Float, const N: usize>(&self, value: &mut Tensor<T>, gradient: &Tensor<T>, slots: &mut [Tensor<T>]) {
        update(
            value,
            gradient,
            slots,
            #[inline(always)]
            |parameter, gradient, slots: [&mut [T]; N]| {
                self.transform.update(self.rule, self.number, self.learning_rate, parameter, gradient, slots);
            },
        );
    }
}

impl<R: fmt::Debug, T: Float> fmt::Debug for Optimizer<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Optimizer")
            .field("rule", &self.rule)
            .field("learning_rate", &self.schedule.at(self.steps))
            .field("clip", &self.clip)
            .field("l2", &self.l2)
            .field("weight_decay", &self.weight_decay)
            .field("excluded_from_weight_decay", &self.excluded)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}
