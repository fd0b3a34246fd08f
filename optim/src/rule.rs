//! A rule: how an optimiser changes one weight along its gradient.

use std::fmt;

use gradus_tensor::{Float, Shape, Tensor, update};

use crate::transform::Transform;

/// How one weight changes along its gradient: an optimiser's algorithm and nothing else.
///
/// The parameters of a model, the step count, the learning rate, clipping and decay belong to the
/// [`Optimizer`](crate::Optimizer) that calls the rule. Most rules compute each element by one formula: implement
/// [`ElementwiseRule`](crate::ElementwiseRule) for those, and `Rule` follows. Implement `Rule` itself if a step needs the
/// whole weight: its norm or shape, slots of other shapes, a product of matrices, or another rule's step.
///
/// ```
/// use gradus_optim::{IntoOptimizer, Optimizer, Rule, Sgd, Slot, Weight};
/// use gradus_tensor::{Float, Shape};
///
/// /// Steps of one length, whatever the gradient's: p -= lr g / |g|.
/// #[derive(Clone, Debug)]
/// struct NormalizedDescent;
///
/// impl Rule for NormalizedDescent {
///     const LEARNING_RATE: f64 = 0.01;
///
///     fn slots(&self, _: &str, _: &Shape) -> Vec<Slot> {
///         vec![]
///     }
///
///     fn apply<T: Float>(&self, _step: u64, learning_rate: f64, weight: Weight<'_, T>) {
///         let (value, gradient, _) = weight.transformed();
///         let length = gradient.norm(..).item().as_f64();
///         if length > 0.0 {
///             *value -= gradient * T::of(learning_rate / length);
///         }
///     }
/// }
///
/// let optimizer: Optimizer<NormalizedDescent> = NormalizedDescent.learning_rate(0.1);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no rule of an optimiser",
    label = "give a rule, such as `Adam::default()`"
)]
pub trait Rule: Clone + fmt::Debug + Send + Sync + 'static {
    /// The learning rate unless another is set.
    const LEARNING_RATE: f64;

    /// The decoupled weight decay unless another is set.
    const WEIGHT_DECAY: f64 = 0.0;

    /// The slots that the rule keeps for a weight of this path, such as `"1/kernel"`, and this shape.
    fn slots(&self, path: &str, shape: &Shape) -> Vec<Slot>;

    /// One step of a weight, in place. `step` counts from 1.
    fn apply<T: Float>(&self, step: u64, learning_rate: f64, weight: Weight<'_, T>);
}

/// A slot: a tensor that a rule keeps for a weight from step to step, such as a moving average.
///
/// ```
/// use gradus_optim::{Adam, Rule, Slot};
/// let slots = Adam::default().slots("0/kernel", &[3, 2].into());
/// assert_eq!(slots, [Slot::zeros("momentum", [3, 2]), Slot::zeros("velocity", [3, 2])]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// The name, which goes to disk with a checkpoint.
    pub name: &'static str,
    /// The shape.
    pub shape: Shape,
    /// The value of every element before the first step.
    pub initial: f64,
}

impl Slot {
    /// A slot of zeros.
    pub fn zeros(name: &'static str, shape: impl Into<Shape>) -> Self {
        Slot { name, shape: shape.into(), initial: 0.0 }
    }
}

/// A weight in a step: its path, its value, its gradient and its slots.
///
/// The optimiser has not clipped the gradient and decayed the value yet: an elementwise rule does so in the same pass over
/// memory, any other rule by [`Weight::transformed`].
///
/// A rule may look at the path, and leave the step to others:
///
/// ```
/// use gradus_autograd::{Grads, Params};
/// use gradus_optim::{Adam, IntoOptimizer, Rule, Sgd, Slot, Weight};
/// use gradus_tensor::{Float, Shape, Tensor};
///
/// /// Plain descent for biases, Adam for all else.
/// #[derive(Clone, Debug, Default)]
/// struct PlainBiases {
///     adam: Adam,
///     sgd: Sgd,
/// }
///
/// impl Rule for PlainBiases {
///     const LEARNING_RATE: f64 = 0.001;
///
///     fn slots(&self, path: &str, shape: &Shape) -> Vec<Slot> {
///         if path.ends_with("bias") { self.sgd.slots(path, shape) } else { self.adam.slots(path, shape) }
///     }
///
///     fn apply<T: Float>(&self, step: u64, learning_rate: f64, weight: Weight<'_, T>) {
///         if weight.path().ends_with("bias") {
///             self.sgd.apply(step, learning_rate, weight);
///         } else {
///             self.adam.apply(step, learning_rate, weight);
///         }
///     }
/// }
///
/// let mut params = Params::new();
/// params.add("0/kernel", Tensor::new([1.0]));
/// params.add("0/bias", Tensor::new([1.0]));
/// let grads = Grads::from_iter([Some(Tensor::new([4.0])), Some(Tensor::new([4.0]))]);
/// PlainBiases::default().learning_rate(0.25).step(&mut params, &grads);
/// // Adam's first step is the learning rate, descent's the learning rate times the gradient.
/// assert!((params[0].value.item() - 0.75).abs() < 1e-6);
/// assert_eq!(params[1].value.item(), 0.0);
/// ```
pub struct Weight<'a, T: Float = f32> {
    pub(crate) path: &'a str,
    pub(crate) value: &'a mut Tensor<T>,
    pub(crate) gradient: &'a Tensor<T>,
    pub(crate) slots: &'a mut [Tensor<T>],
    pub(crate) transform: Transform,
}

impl<'a, T: Float> Weight<'a, T> {
    /// A value with a gradient that needs no clipping or decay: how a rule has another rule compute a step. The slots are
    /// those of the other rule, in its order.
    pub fn new(path: &'a str, value: &'a mut Tensor<T>, gradient: &'a Tensor<T>, slots: &'a mut [Tensor<T>]) -> Self {
        Weight { path, value, gradient, slots, transform: Transform::NONE }
    }

    /// The path, such as `"1/kernel"`.
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// The shape of the value and of the gradient.
    pub fn shape(&self) -> &Shape {
        self.value.shape()
    }

    /// The value, decayed; the gradient, clipped and with the L2 penalty's added; and the slots in the order of
    /// [`Rule::slots`].
    pub fn transformed(self) -> (&'a mut Tensor<T>, Tensor<T>, &'a mut [Tensor<T>]) {
        let Weight { value, gradient, slots, transform, .. } = self;
        let mut transformed = [gradient.clone()];
        if transform != Transform::NONE {
            update(
                value,
                gradient,
                &mut transformed,
                #[inline(always)]
                |values, gradients, [transformed]| {
                    for ((p, &g), t) in values.iter_mut().zip(gradients).zip(transformed) {
                        (*p, *t) = transform.formula(*p, g);
                    }
                },
            );
        }
        let [gradient] = transformed;
        (value, gradient, slots)
    }
}
