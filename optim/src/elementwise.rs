//! Rules that are one formula for each element, and the loop that computes them.

use std::fmt;

use gradus_tensor::{Expression, Float, Real, Shape, update};

use crate::rule::{Rule, Slot, Weight};
use crate::transform::Transform;

/// The most slots that an elementwise rule may keep for a weight.
pub const MAX_SLOTS: usize = 4;

/// A [`Rule`] whose step is one formula for each element: names of slots, the scalars of a step, and the formula.
///
/// The formula is generic over [`Real`]. Called with f32 or f64 it is compiled into one loop over memory, in which clipping
/// and decay happen too; called with symbols it records itself as an [`Expression`]. A choice that depends on the rule's
/// options is an `if`; one that depends on an element is a [`select`](gradus_tensor::Scalar::select).
///
/// ```
/// use gradus_optim::{ElementwiseRule, IntoOptimizer, Optimizer};
/// use gradus_tensor::Real;
///
/// /// Gradient descent with momentum: v = keep v - lr g; p += v.
/// #[derive(Clone, Debug)]
/// struct HeavyBall {
///     keep: f64,
/// }
///
/// impl ElementwiseRule for HeavyBall {
///     const LEARNING_RATE: f64 = 0.01;
///     type Scalars = [f64; 1];
///
///     fn slot_names(&self) -> &'static [&'static str] {
///         &["velocity"]
///     }
///
///     fn scalars(&self, _step: u64, learning_rate: f64) -> [f64; 1] {
///         [learning_rate]
///     }
///
///     #[inline(always)]
///     fn formula<N: Real>(&self, [rate]: [N; 1], p: N, g: N, slots: &mut [N]) -> N {
///         let [v] = slots else { unreachable!("one slot") };
///         *v = N::of(self.keep) * *v - rate * g;
///         p + *v
///     }
/// }
///
/// let rule = HeavyBall { keep: 0.5 };
/// assert_eq!(rule.expression().to_string(), "t1 = 0.5 * velocity - s0 * gradient\nparameter + t1\nt1");
/// let optimizer: Optimizer<HeavyBall> = rule.learning_rate(0.1);
/// ```
pub trait ElementwiseRule: Clone + fmt::Debug + Send + Sync + 'static {
    /// The learning rate unless another is set.
    const LEARNING_RATE: f64;

    /// The decoupled weight decay unless another is set.
    const WEIGHT_DECAY: f64 = 0.0;

    /// An array of the scalars: `[f64; 2]`.
    type Scalars: Scalars;

    /// The names of the slots, at most [`MAX_SLOTS`]. They go to disk with a checkpoint.
    fn slot_names(&self) -> &'static [&'static str];

    /// The value of a slot before the first step, by the slot's name.
    fn initial_slot(&self, _name: &str) -> f64 {
        0.0
    }

    /// The numbers that change from step to step and are the same for all elements, such as the learning rate. `step`
    /// counts from 1.
    fn scalars(&self, step: u64, learning_rate: f64) -> Self::Scalars;

    /// The new value of a parameter's element `p` with gradient `g`. `slots` are the elements of the slots in the order of
    /// [`slot_names`](ElementwiseRule::slot_names), to be changed.
    ///
    /// Mark it `#[inline(always)]`, so that it is compiled for the widest vector instructions of the machine.
    fn formula<N: Real>(&self, scalars: <Self::Scalars as Scalars>::Of<N>, p: N, g: N, slots: &mut [N]) -> N;

    /// The formula as data. Its inputs are the parameter, the gradient and the slots, its parameters the scalars, its
    /// results the new values of the parameter and of the slots.
    fn expression(&self) -> Expression {
        let names = [&["parameter", "gradient"], self.slot_names()].concat();
        let scalars: Vec<String> = (0..Self::Scalars::COUNT).map(|i| format!("s{i}")).collect();
        let scalars: Vec<&str> = scalars.iter().map(String::as_str).collect();
        Expression::record(&names, &scalars, |inputs, scalars| {
            let mut results = inputs[1..].to_vec();
            results[0] = self.formula(Self::Scalars::each(|i| scalars[i]), inputs[0], inputs[1], &mut results[1..]);
            results
        })
    }
}

/// The scalars of a step: an array of f64. Sealed.
///
/// ```
/// use gradus_optim::Scalars;
/// let scalars = [0.1, 0.9];
/// assert_eq!((<[f64; 2]>::COUNT, scalars.get(1)), (2, 0.9));
/// assert_eq!(<[f64; 2]>::each(|i| i as f32), [0.0, 1.0]);
/// ```
pub trait Scalars: Copy + Send + Sync + sealed::Sealed {
    /// The same array of another number.
    type Of<N: Real>: Copy;
    /// The length of the array.
    const COUNT: usize;
    /// The scalar at an index.
    fn get(&self, index: usize) -> f64;
    /// An array of `number(0)`, `number(1)` and so on.
    fn each<N: Real>(number: impl FnMut(usize) -> N) -> Self::Of<N>;
}

mod sealed {
    pub trait Sealed {}
    impl<const C: usize> Sealed for [f64; C] {}
}

impl<const C: usize> Scalars for [f64; C] {
    type Of<N: Real> = [N; C];
    const COUNT: usize = C;

    #[inline(always)]
    fn get(&self, index: usize) -> f64 {
        self[index]
    }

    #[inline(always)]
    fn each<N: Real>(number: impl FnMut(usize) -> N) -> [N; C] {
        std::array::from_fn(number)
    }
}

impl<E: ElementwiseRule> Rule for E {
    const LEARNING_RATE: f64 = <E as ElementwiseRule>::LEARNING_RATE;
    const WEIGHT_DECAY: f64 = <E as ElementwiseRule>::WEIGHT_DECAY;

    fn slots(&self, _: &str, shape: &Shape) -> Vec<Slot> {
        let slot = |&name| Slot { name, shape: shape.clone(), initial: self.initial_slot(name) };
        self.slot_names().iter().map(slot).collect()
    }

    fn apply<T: Float>(&self, step: u64, learning_rate: f64, weight: Weight<'_, T>) {
        let scalars = self.scalars(step, learning_rate);
        // The number of slots is known when a loop is compiled, so that they stay in registers.
        match weight.slots.len() {
            0 => compute::<E, T, 0>(self, scalars, weight),
            1 => compute::<E, T, 1>(self, scalars, weight),
            2 => compute::<E, T, 2>(self, scalars, weight),
            3 => compute::<E, T, 3>(self, scalars, weight),
            MAX_SLOTS => compute::<E, T, MAX_SLOTS>(self, scalars, weight),
            count => panic!("step: an elementwise rule keeps {MAX_SLOTS} slots at most, not {count}"),
        }
    }
}

/// Computes the formula of all elements of a weight with `S` slots, in one pass over memory.
fn compute<E: ElementwiseRule, T: Float, const S: usize>(rule: &E, scalars: E::Scalars, weight: Weight<'_, T>) {
    let Weight { value, gradient, slots, transform, .. } = weight;
    update(
        value,
        gradient,
        slots,
        #[inline(always)]
        |values: &mut [T], gradients: &[T], slots: [&mut [T]; S]| {
            // Copies that nothing else refers to, so that the loop keeps all options and scalars in registers.
            let (rule, transform) = (rule.clone(), transform);
            let scalars = E::Scalars::each(|i| T::of(scalars.get(i)));
            if transform == Transform::NONE {
                for_each_element(
                    values,
                    gradients,
                    slots,
                    #[inline(always)]
                    |p, g, slots| rule.formula(scalars, p, g, slots),
                );
            } else {
                for_each_element(
                    values,
                    gradients,
                    slots,
                    #[inline(always)]
                    |p, g, slots| {
                        let (p, g) = transform.formula(p, g);
                        rule.formula(scalars, p, g, slots)
                    },
                );
            }
        },
    );
}

/// Gives each element of `values` and `slots` what `formula` makes of it.
#[inline(always)]
fn for_each_element<T: Float, const S: usize>(
    values: &mut [T],
    gradients: &[T],
    slots: [&mut [T]; S],
    formula: impl Fn(T, T, &mut [T]) -> T,
) {
    // Slices of one length, so that the loop checks no bounds.
    let len = values.len();
    let gradients = &gradients[..len];
    let mut slots = slots.map(|slot| &mut slot[..len]);
    for i in 0..len {
        let mut elements: [T; S] = std::array::from_fn(|slot| slots[slot][i]);
        values[i] = formula(values[i], gradients[i], &mut elements);
        for (slot, &element) in slots.iter_mut().zip(&elements) {
            slot[i] = flush_subnormal(element);
        }
    }
}

/// x, or 0 if x is subnormal. A moving average of gradients that have become 0, as those by a pixel that is almost always
/// black, shrinks from step to step until it is the smallest subnormal number and stays there. Processors take a hundred
/// cycles and more to compute with subnormal numbers.
#[inline(always)]
fn flush_subnormal<T: Float>(x: T) -> T {
    if x.abs() < T::min_positive_value() { T::ZERO } else { x }
}
