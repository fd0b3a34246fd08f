//! The driver of a rule: slots, step count and learning rate.

use std::fmt;
use std::sync::Arc;

use gradus_autograd::{Grads, Param, Params};
use gradus_tensor::{Float, Shape, Tensor, team};

use crate::check::{expect, not_negative, positive};
use crate::error::StepError;
use crate::rule::{Rule, Weight};
use crate::schedules::Schedule;
use crate::transform::{Clip, Transforms};

/// Changes parameters along their gradients, by a [`Rule`], in place.
///
/// A rule becomes an optimiser with `Optimizer::from(rule)`, or by an option of [`IntoOptimizer`], called on the rule
/// itself. In a step the gradient is clipped, the L2 penalty's gradient is added, the weight decays, and then the rule
/// updates it. States and frozen weights stay as they are.
///
/// ```
/// use gradus_optim::{Adam, IntoOptimizer, Optimizer};
/// let optimizer: Optimizer<Adam> = Adam::default().learning_rate(3e-4).clip_global_norm(1.0);
/// ```
#[derive(Clone)]
pub struct Optimizer<R, T: Float = f32> {
    rule: R,
    schedule: Arc<dyn Schedule>,
    transforms: Transforms,
    pub(crate) steps: u64,
    /// The rate that was set in the course of training, instead of the schedule's.
    pub(crate) rate: Option<f64>,
    /// Parallel to the parameters; empty before the first step.
    pub(crate) memories: Vec<Memory<T>>,
}

/// What an optimiser remembers of a parameter from step to step.
#[derive(Clone)]
pub(crate) struct Memory<T: Float> {
    pub name: String,
    shape: Shape,
    /// `None` until the parameter is first updated.
    pub slots: Option<Vec<Tensor<T>>>,
}

impl<T: Float> Memory<T> {
    pub fn new(param: &Param<T>) -> Self {
        Memory { name: param.name.clone(), shape: param.value.shape().clone(), slots: None }
    }

    /// The shape of the parameter.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }
}

impl<R: Rule, T: Float> From<R> for Optimizer<R, T> {
    fn from(rule: R) -> Self {
        Optimizer {
            rule,
            schedule: Arc::new(R::LEARNING_RATE),
            transforms: Transforms { weight_decay: R::WEIGHT_DECAY, ..Transforms::default() },
            steps: 0,
            rate: None,
            memories: Vec::new(),
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
        expect(not_negative("learning_rate", schedule.at(0)));
        (self.schedule, self.rate) = (Arc::new(schedule), None);
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
        if let Some(before) = self.transforms.clip {
            panic!("clip: gradients are clipped in one way, not two: {before:?} and {clip:?}");
        }
        self.transforms.clip = Some(clip);
        self
    }

    /// Adds the gradient of the penalty `factor` / 2 |p|² to each weight's gradient, after clipping: g + factor p. PyTorch
    /// calls it weight decay. With a rule that rescales the gradient, such as Adam, it differs from
    /// [`weight_decay`](Optimizer::weight_decay).
    ///
    /// # Panics
    /// If the factor is negative or not finite.
    #[track_caller]
    pub fn l2(mut self, factor: f64) -> Self {
        expect(not_negative("l2", factor));
        self.transforms.l2 = factor;
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
        self.transforms.weight_decay = decay;
        self
    }

    /// Spares some parameters [`weight_decay`](Optimizer::weight_decay) and [`l2`](Optimizer::l2): those that have one
    /// of `names` as a part of their path, so that `"bias"` stands for `"1/bias"`, `"2/bias"` and so on.
    pub fn exclude_from_weight_decay(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.transforms.excluded.extend(names.into_iter().map(Into::into));
        self
    }
}

/// Training.
impl<R: Rule, T: Float> Optimizer<R, T> {
    /// Takes one step: every trainable weight that has a gradient is updated in place. States and frozen weights stay as
    /// they are.
    ///
    /// # Panics
    /// If `grads` are not the gradients of `params`, `params` are not those of the step before (a parameter was added,
    /// removed, renamed or reshaped, or it is another model), or the schedule gives a rate that is negative or not
    /// finite.
    #[track_caller]
    pub fn step(&mut self, params: &mut Params<T>, grads: &Grads<T>) {
        if let Err(error) = self.try_step(params, grads) {
            panic!("step: {error}");
        }
    }

    /// As [`step`](Optimizer::step), with an error instead of a panic: for a loop that takes the model and the optimiser
    /// from elsewhere.
    ///
    /// # Errors
    /// Where `step` panics. Nothing is changed then.
    pub fn try_step(&mut self, params: &mut Params<T>, grads: &Grads<T>) -> Result<(), StepError> {
        self.check(params)?;
        check_gradients(params, grads)?;
        if self.memories.is_empty() {
            self.memories = params.iter().map(Memory::new).collect();
        }
        let (learning_rate, clip) = (self.current_learning_rate(), self.transforms.clip);
        self.steps += 1;
        let weights = params.iter().zip(grads.iter()).filter(|(param, _)| param.trainable());
        let gradients = weights.filter_map(|(_, gradient)| gradient.as_ref());
        let common_factor = clip.map_or(1.0, |clip| clip.common_factor(gradients));
        let (rule, transforms, steps) = (&self.rule, &self.transforms, self.steps);
        let update = |(param, gradient, memory): &mut (&mut Param<T>, &Tensor<T>, &mut Memory<T>)| {
            let slots = memory.slots.get_or_insert_with(|| {
                let slots = rule.slots(&memory.name, &memory.shape).into_iter();
                slots.map(|slot| Tensor::full(slot.shape, T::of(slot.initial))).collect()
            });
            let transform = transforms.of(&param.name, gradient, common_factor, learning_rate);
            let (gradient, transform) = transform.in_range(gradient);
            let weight = Weight { path: &param.name, value: &mut param.value, gradient: &gradient, slots, transform };
            rule.apply(steps, learning_rate, weight);
        };
        let weights = params.iter_mut().zip(grads.iter()).zip(&mut self.memories);
        let weights = weights.filter_map(|((param, gradient), memory)| {
            gradient.as_ref().filter(|_| param.trainable()).map(|gradient| (param, gradient, memory))
        });
        // Threads share the elements of a large weight, but the small ones as a whole, if they are worth waking a thread.
        let (mut large, mut small): (Vec<_>, Vec<_>) = weights.partition(|(_, gradient, _)| gradient.size() > LARGE);
        large.iter_mut().for_each(update);
        if small.iter().map(|(_, gradient, _)| gradient.size()).sum::<usize>() > WORTH_A_THREAD {
            team::for_each(&mut small, update);
        } else {
            small.iter_mut().for_each(update);
        }
        Ok(())
    }

    /// The number of steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The learning rate of the next step.
    pub fn current_learning_rate(&self) -> f64 {
        self.rate.unwrap_or_else(|| self.schedule.at(self.steps))
    }

    /// Learns at this constant rate from now on, instead of the schedule's. The rate is part of the
    /// [`state`](Optimizer::state), so that training that is resumed goes on with it.
    ///
    /// # Panics
    /// If the rate is negative or not finite.
    #[track_caller]
    pub fn set_learning_rate(&mut self, rate: f64) {
        expect(not_negative("learning_rate", rate));
        self.rate = Some(rate);
    }

    /// The rule.
    pub fn rule(&self) -> &R {
        &self.rule
    }

    /// Checks that this optimiser can take a step of `params`: that they are the parameters of the steps before, and that
    /// the rate of the next step is one.
    ///
    /// # Errors
    /// If they are others, or the schedule gives a rate that is negative or not finite.
    pub fn check(&self, params: &Params<T>) -> Result<(), StepError> {
        let rate = self.current_learning_rate();
        if let Err(problem) = not_negative("learning_rate", rate) {
            return StepError::refuse(format!("{problem}, as the schedule gives it for step {}", self.steps + 1));
        }
        if self.memories.is_empty() {
            return Ok(());
        }
        for (param, memory) in params.iter().zip(&self.memories) {
            let (name, shape) = (&param.name, param.value.shape());
            if *name != memory.name {
                let before = &memory.name;
                return StepError::refuse(format!(
                    "another parameter stands where {before:?} was in the steps before: {name:?}; {OF_ITS_OWN}"
                ));
            }
            if *shape != memory.shape {
                let before = &memory.shape;
                return StepError::refuse(format!(
                    "{name:?} has another shape than in the steps before: {before} and {shape}; {OF_ITS_OWN}"
                ));
            }
        }
        if let Some(param) = params.iter().nth(self.memories.len()) {
            return StepError::refuse(format!("{:?} has been added since the steps before; {OF_ITS_OWN}", param.name));
        }
        if let Some(memory) = self.memories.get(params.len()) {
            return StepError::refuse(format!(
                "{:?} has been removed since the steps before; {OF_ITS_OWN}",
                memory.name
            ));
        }
        Ok(())
    }
}

/// More elements than this are shared among threads.
const LARGE: usize = 1 << 18;
/// So many elements are some 10 µs of a rule's work.
const WORTH_A_THREAD: usize = 1 << 15;

const OF_ITS_OWN: &str = "make an optimiser for each model";

/// Checks that there is a gradient of the right shape, or none, for each parameter.
fn check_gradients<T: Float>(params: &Params<T>, grads: &Grads<T>) -> Result<(), StepError> {
    if grads.len() != params.len() {
        return StepError::refuse(format!(
            "there must be a gradient for each parameter: {} and {}",
            grads.len(),
            params.len()
        ));
    }
    for (Param { name, value, .. }, gradient) in params.iter().zip(grads.iter()) {
        if let Some(gradient) = gradient
            && gradient.shape() != value.shape()
        {
            let (found, expected) = (gradient.shape(), value.shape());
            return StepError::refuse(format!("the gradient of {name:?} is shaped otherwise: {found} and {expected}"));
        }
    }
    Ok(())
}

/// The options of [`Optimizer`] as methods of every rule: `Adam::default().learning_rate(0.01)`.
pub trait IntoOptimizer: Rule {
    /// An optimiser with this rule and another learning rate; see [`Optimizer::learning_rate`].
    #[track_caller]
    fn learning_rate<T: Float>(self, schedule: impl Schedule) -> Optimizer<Self, T> {
        Optimizer::from(self).learning_rate(schedule)
    }

    /// An optimiser with this rule that decays weights; see [`Optimizer::weight_decay`].
    #[track_caller]
    fn weight_decay<T: Float>(self, decay: f64) -> Optimizer<Self, T> {
        Optimizer::from(self).weight_decay(decay)
    }

    /// An optimiser with this rule and a penalty on large weights; see [`Optimizer::l2`].
    #[track_caller]
    fn l2<T: Float>(self, factor: f64) -> Optimizer<Self, T> {
        Optimizer::from(self).l2(factor)
    }

    /// An optimiser with this rule that clips each gradient element; see [`Optimizer::clip_value`].
    #[track_caller]
    fn clip_value<T: Float>(self, limit: f64) -> Optimizer<Self, T> {
        Optimizer::from(self).clip_value(limit)
    }

    /// An optimiser with this rule that clips each gradient's norm; see [`Optimizer::clip_norm`].
    #[track_caller]
    fn clip_norm<T: Float>(self, limit: f64) -> Optimizer<Self, T> {
        Optimizer::from(self).clip_norm(limit)
    }

    /// An optimiser with this rule that clips the norm of all gradients together; see [`Optimizer::clip_global_norm`].
    #[track_caller]
    fn clip_global_norm<T: Float>(self, limit: f64) -> Optimizer<Self, T> {
        Optimizer::from(self).clip_global_norm(limit)
    }
}

impl<R: Rule> IntoOptimizer for R {}

impl<R: fmt::Debug, T: Float> fmt::Debug for Optimizer<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Optimizer")
            .field("rule", &self.rule)
            .field("learning_rate", &self.rate.unwrap_or_else(|| self.schedule.at(self.steps)))
            .field("transforms", &self.transforms)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}
