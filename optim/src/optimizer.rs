//! The driver of a rule: slots, step count and learning rate.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use gradus_autograd::{Grads, Param, Params};
use gradus_tensor::{Float, Shape, Tensor, team};

use crate::check::{at_least_one_step, demand, expect, not_negative, positive};
use crate::ema::Ema;
use crate::error::StepError;
use crate::rule::{Rule, Weight};
use crate::schedules::Schedule;
use crate::transform::{Clip, Transforms};

/// Changes parameters along their gradients, by a [`Rule`], in place.
///
/// A rule becomes an optimiser with `Optimizer::from(rule)`, or by an option of [`IntoOptimizer`], called on the rule
/// itself. In a step the gradient is clipped, the L2 penalty's gradient is added, the weight decays, and then the rule
/// updates it. Last, the weight's constraint is made to hold ([`Param::constraint`](gradus_autograd::Param::constraint)),
/// and the weight enters its moving average if there are averages ([`use_ema`](Optimizer::use_ema)). States and frozen
/// weights stay as they are.
///
/// ```
/// use gradus_optim::{Adam, IntoOptimizer, Optimizer};
/// let optimizer: Optimizer<Adam> = Adam::default().learning_rate(3e-4).clip_global_norm(1.0);
/// ```
#[derive(Clone)]
pub struct Optimizer<R, T: Float = f32> {
    rule: R,
    schedule: Arc<dyn Schedule>,
    pub(crate) transforms: Transforms,
    pub(crate) ema: Option<Ema>,
    /// The number of batches whose gradients make a step.
    pub(crate) batches_per_step: u64,
    pub(crate) steps: u64,
    /// The number of batches since the last step, whose gradients wait for others.
    pub(crate) waiting: u64,
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
    /// The moving average, after the first step that averages.
    pub average: Option<Tensor<T>>,
    /// The sum of the gradients that wait for others.
    pub gradient_sum: Option<Tensor<T>>,
}

impl<T: Float> Memory<T> {
    pub fn new(param: &Param<T>) -> Self {
        Memory {
            name: param.name.clone(),
            shape: param.value.shape().clone(),
            slots: None,
            average: None,
            gradient_sum: None,
        }
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
            ema: None,
            batches_per_step: 1,
            steps: 0,
            waiting: 0,
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
    /// ```
    /// use gradus_autograd::{Grads, Params};
    /// use gradus_optim::{Optimizer, Sgd};
    /// use gradus_tensor::Tensor;
    /// let mut params = Params::new();
    /// params.add("a", Tensor::new([0.0]));
    /// params.add("b", Tensor::new([0.0]));
    /// // The norm of both together is 5, so all is scaled by 1 / 5.
    /// let grads = Grads::from_iter([Some(Tensor::new([3.0])), Some(Tensor::new([-4.0]))]);
    /// Optimizer::from(Sgd::default()).learning_rate(1.0).clip_global_norm(1.0).step(&mut params, &grads);
    /// assert!((params[0].value.item() + 0.6).abs() < 1e-6 && (params[1].value.item() - 0.8).abs() < 1e-6);
    /// ```
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
    /// ```
    /// use gradus_autograd::{Grads, Params};
    /// use gradus_optim::{Optimizer, Sgd};
    /// use gradus_tensor::Tensor;
    /// let mut params = Params::new();
    /// params.add("w", Tensor::new([8.0]));
    /// let mut optimizer = Optimizer::from(Sgd::default()).learning_rate(0.5).weight_decay(0.25);
    /// optimizer.step(&mut params, &Grads::from_iter([Some(Tensor::new([0.0]))]));
    /// assert_eq!(params[0].value.item(), 8.0 - 0.5 * 0.25 * 8.0);
    /// ```
    ///
    /// # Panics
    /// If the decay is negative or not finite.
    #[track_caller]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        expect(not_negative("weight_decay", decay));
        self.transforms.weight_decay = decay;
        self
    }

    /// Takes one step for the gradients of this many batches, along their mean; for each batch by default. So a batch that
    /// does not fit into memory is trained on in parts: the step is that of all its samples at once, if the parts are of
    /// one size and no layer computes with statistics of its batch.
    ///
    /// A call of [`step`](Optimizer::step) that is not the last of them leaves the weights as they are. Steps, and with
    /// them the learning rate's schedule, count what changes the weights. (Keras's schedules count batches.) Batches that
    /// are left at the end of an epoch or a run wait for those of the next, as in Keras; they are part of the
    /// [`state`](Optimizer::state).
    ///
    /// ```
    /// use gradus_optim::{IntoOptimizer, Optimizer, Sgd};
    /// # use gradus_autograd::{Grads, Params};
    /// # use gradus_tensor::Tensor;
    /// # let mut params = Params::new();
    /// # params.add("w", Tensor::new([1.0]));
    /// # let gradient = |value: f32| Grads::from_iter([Some(Tensor::new([value]))]);
    /// let mut optimizer: Optimizer<Sgd> = Sgd::default().learning_rate(0.5).gradient_accumulation_steps(2);
    /// optimizer.step(&mut params, &gradient(1.0));
    /// assert_eq!(params[0].value, Tensor::new([1.0]));
    /// optimizer.step(&mut params, &gradient(2.0));
    /// assert_eq!(params[0].value, Tensor::new([0.25]));
    /// ```
    ///
    /// # Panics
    /// If the number is 0.
    #[track_caller]
    pub fn gradient_accumulation_steps(mut self, batches: u64) -> Self {
        expect(demand(batches >= 1, "gradient_accumulation_steps", "at least 1 batch", batches));
        self.batches_per_step = batches;
        self
    }

    /// Keeps a moving average of each weight: average = momentum average + (1 - momentum) weight after each step, the
    /// weight itself after the first (Polyak and Juditsky 1992, "Acceleration of stochastic approximation by averaging",
    /// have the mean of all steps). Keras: `use_ema=True, ema_momentum=momentum`, which is 0.99 there.
    ///
    /// Training, and the evaluation after each epoch, go on with the weights. They become their averages at the end of a
    /// run ([`finalize_weights`](Optimizer::finalize_weights), which `Trainer::fit` calls), and every so many steps with
    /// [`ema_overwrite_frequency`](Optimizer::ema_overwrite_frequency). The averages are part of the
    /// [`state`](Optimizer::state).
    ///
    /// ```
    /// use gradus_optim::{Adam, IntoOptimizer, Optimizer};
    /// let optimizer: Optimizer<Adam> = Adam::default().use_ema(0.99).ema_overwrite_frequency(100);
    /// ```
    ///
    /// # Panics
    /// Unless 0 <= `momentum` <= 1.
    #[track_caller]
    pub fn use_ema(mut self, momentum: f64) -> Self {
        expect(demand((0.0..=1.0).contains(&momentum), "use_ema", "a momentum from 0 to 1", momentum));
        let overwrite_frequency = self.ema.and_then(|ema| ema.overwrite_frequency);
        self.ema = Some(Ema { momentum, overwrite_frequency });
        self
    }

    /// Sets weights to their moving averages after every so many steps, and trains on from there.
    ///
    /// # Panics
    /// If the number is 0, or there are no averages ([`use_ema`](Optimizer::use_ema)).
    #[track_caller]
    pub fn ema_overwrite_frequency(mut self, steps: u64) -> Self {
        expect(at_least_one_step("ema_overwrite_frequency", steps));
        match &mut self.ema {
            Some(ema) => ema.overwrite_frequency = Some(steps),
            None => panic!("ema_overwrite_frequency: there are no averages; call use_ema before"),
        }
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
    /// they are. With [`gradient_accumulation_steps`](Optimizer::gradient_accumulation_steps) the gradients may wait for others
    /// instead.
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
        let Some(grads) = self.gathered(params, grads) else { return Ok(()) };
        let (learning_rate, clip) = (self.current_learning_rate(), self.transforms.clip);
        self.steps += 1;
        let weights = params.iter().zip(grads.iter()).filter(|(param, _)| param.trainable());
        let gradients = weights.filter_map(|(_, gradient)| gradient.as_ref());
        let common_factor = clip.map_or(1.0, |clip| clip.common_factor(gradients));
        let (rule, transforms, steps, ema) = (&self.rule, &self.transforms, self.steps, self.ema);
        let update = |(param, gradient, memory): &mut (&mut Param<T>, &Tensor<T>, &mut Memory<T>)| {
            let slots = memory.slots.get_or_insert_with(|| {
                let slots = rule.slots(&memory.name, &memory.shape).into_iter();
                slots.map(|slot| Tensor::full(slot.shape, T::of(slot.initial))).collect()
            });
            let transform = transforms.of(&param.name, gradient, common_factor, learning_rate);
            let (gradient, transform) = transform.in_range(gradient);
            let weight = Weight { path: &param.name, value: &mut param.value, gradient: &gradient, slots, transform };
            rule.apply(steps, learning_rate, weight);
            param.constraint.iter().for_each(|constraint| constraint.apply(&mut param.value));
            let Some(ema) = ema else { return };
            ema.update(&mut memory.average, &param.value);
            if ema.overwrites(steps) {
                become_average(param, memory);
            }
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

    /// The gradients of the next step: these, or the mean of these and those that waited for them. `None` if more are to come.
    fn gathered<'g>(&mut self, params: &Params<T>, grads: &'g Grads<T>) -> Option<Cow<'g, Grads<T>>> {
        if self.batches_per_step == 1 {
            return Some(Cow::Borrowed(grads));
        }
        let of_weights = params.iter().zip(grads.iter()).zip(&mut self.memories);
        for ((_, gradient), memory) in of_weights.filter(|((param, _), _)| param.trainable()) {
            let Some(gradient) = gradient else { continue };
            match &mut memory.gradient_sum {
                Some(sum) => *sum += gradient,
                none => *none = Some(gradient.clone()),
            }
        }
        self.waiting += 1;
        if self.waiting < self.batches_per_step {
            return None;
        }
        let count = T::of(self.batches_per_step as f64);
        self.waiting = 0;
        let means = self.memories.iter_mut().map(|memory| memory.gradient_sum.take().map(|sum| sum / count));
        Some(Cow::Owned(means.collect()))
    }

    /// Sets each weight that has a moving average to it ([`use_ema`](Optimizer::use_ema)): Keras's `finalize_variable_values`. A
    /// constraint of the weight is made to hold.
    ///
    /// # Panics
    /// If `params` are not those of the steps before.
    #[track_caller]
    #[doc(alias = "finalize_variable_values")]
    pub fn finalize_weights(&self, params: &mut Params<T>) {
        if let Err(error) = self.check_params(params) {
            panic!("finalize_weights: {error}");
        }
        params.iter_mut().zip(&self.memories).for_each(|(param, memory)| become_average(param, memory));
    }

    /// The number of steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The number of batches whose gradients wait for others
    /// ([`gradient_accumulation_steps`](Optimizer::gradient_accumulation_steps)); 0 after a step.
    pub fn waiting(&self) -> u64 {
        self.waiting
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

    /// The schedule, which gives the rate unless [`set_learning_rate`](Optimizer::set_learning_rate) has set another. As `dyn Any`
    /// it can be asked which one it is.
    ///
    /// ```
    /// use std::any::Any;
    ///
    /// use gradus_optim::{CosineDecay, IntoOptimizer, Optimizer, Sgd};
    /// let optimizer: Optimizer<Sgd> = Sgd::default().learning_rate(CosineDecay::new(0.1, 1000));
    /// let schedule: &dyn Any = optimizer.schedule();
    /// assert_eq!(schedule.downcast_ref(), Some(&CosineDecay::new(0.1, 1000)));
    /// ```
    pub fn schedule(&self) -> &dyn Schedule {
        &*self.schedule
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
        self.check_params(params)
    }

    /// Checks that `params` are the parameters of the steps before.
    fn check_params(&self, params: &Params<T>) -> Result<(), StepError> {
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

/// Sets a weight to its moving average, if it has one.
fn become_average<T: Float>(param: &mut Param<T>, memory: &Memory<T>) {
    let Some(average) = &memory.average else { return };
    param.value = average.clone();
    // Averages of what the constraint holds of need not be such, as those of unit norm.
    param.constraint.iter().for_each(|constraint| constraint.apply(&mut param.value));
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
///
/// ```
/// use gradus_autograd::{Grads, Params};
/// use gradus_optim::{IntoOptimizer, Optimizer, Sgd};
/// use gradus_tensor::Tensor;
/// let mut optimizer: Optimizer<Sgd> = Sgd::default().learning_rate(0.5).clip_value(1.0);
/// let mut params = Params::new();
/// params.add("w", Tensor::new([1.0]));
/// optimizer.step(&mut params, &Grads::from_iter([Some(Tensor::new([10.0]))]));
/// assert_eq!(params[0].value, Tensor::new([0.5])); // A step of 0.5 x 1.
/// ```
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

    /// An optimiser with this rule that takes a step for several batches; see [`Optimizer::gradient_accumulation_steps`].
    #[track_caller]
    fn gradient_accumulation_steps<T: Float>(self, batches: u64) -> Optimizer<Self, T> {
        Optimizer::from(self).gradient_accumulation_steps(batches)
    }

    /// An optimiser with this rule and moving averages of the weights; see [`Optimizer::use_ema`].
    #[track_caller]
    fn use_ema<T: Float>(self, momentum: f64) -> Optimizer<Self, T> {
        Optimizer::from(self).use_ema(momentum)
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
