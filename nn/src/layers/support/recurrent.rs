//! What recurrent layers share: their common options, and the computation.

use std::sync::Arc;

use gradus_autograd::{RecurrentVars, Tape, Var};
use gradus_tensor::{CellFunction, Differentiable, Float, Recurrence, RecurrentCell, Shape, Tensor};

use super::weights::{WeightOptions, weight_with_options};
use crate::activation::Activation;
use crate::context::{Context, ParamId};
use crate::error::Result;
use crate::layer::{Build, Built};
use crate::mask::MaskRule;
use crate::parts::{Flow, PartRule, unknown};
use crate::value::{Spec, Value, ValueKind, Values};

/// Declares a recurrent layer: [`options!`](super::options::options) with the options that all of them have before its own.
macro_rules! recurrent_options {
    ($(#[doc = $about:expr])+ pub struct $Name:ident { $($own:tt)* }) => {
        options! {
            $(#[doc = $about])+
            pub struct $Name {
                /// A layer with this number of units, which gives the last output of each sequence.
                pub fn new(#[check(checks::at_least_one("unit", "give the number of outputs"))] units: usize);
                /// The activation of candidates and outputs; tanh by default.
                activation: Activation = Activation::Tanh,
                /// Whether a bias is added, as by default.
                use_bias: bool = true,
                /// The distribution of the kernel's first values; Glorot uniform by default.
                kernel_initializer: Initializer = Initializer::GlorotUniform,
                /// The distribution of the recurrent kernel's first values; orthogonal by default.
                recurrent_initializer: Initializer = Initializer::Orthogonal { gain: 1.0 },
                /// The distribution of the bias's first values; zeros by default.
                bias_initializer: Initializer = Initializer::Zeros,
                /// The penalty on the kernel; none by default.
                kernel_regularizer: Option<Regularizer> = None,
                /// The penalty on the recurrent kernel; none by default.
                recurrent_regularizer: Option<Regularizer> = None,
                /// The penalty on the bias; none by default.
                bias_regularizer: Option<Regularizer> = None,
                /// The constraint on the kernel; none by default.
                kernel_constraint: Option<Constraint> = None,
                /// The constraint on the recurrent kernel; none by default.
                recurrent_constraint: Option<Constraint> = None,
                /// The constraint on the bias; none by default.
                bias_constraint: Option<Constraint> = None,
                /// The part of each step's features that is dropped in training, the same at all steps; 0 by default. Gal and
                /// Ghahramani, arXiv:1512.05287.
                #[check(checks::rate)]
                dropout: f64 = 0.0,
                /// The part of the states that is dropped in training before they are multiplied with the recurrent kernel, the
                /// same for all steps and all gates; 0 by default. This is the tied form of Gal and Ghahramani, in which a
                /// step is one product. (Keras has the untied form: with a `recurrent_dropout`, each gate of an LSTM or a GRU
                /// drops states and features of its own.)
                #[check(checks::rate)]
                recurrent_dropout: f64 = 0.0,
                /// Whether the outputs of all steps are given, `[n, steps, units]`, not the last alone; false by default.
                return_sequences: bool = false,
                /// Whether the last states are given as further outputs; false by default.
                return_state: bool = false,
                /// Whether steps are taken from the last to the first; false by default. The outputs of all steps stand in the order
                /// in which they were computed.
                go_backwards: bool = false,
                /// Whether the output at a step that a mask leaves out is 0; false by default. Otherwise it is the output of the
                /// step before; before the first step that is there it is the first state, which is 0 unless one is given.
                zero_output_for_mask: bool = false,
                $($own)*
            }
        }

        impl $Name {
            /// The layer's computation.
            fn recur<T: Float>(
                &self,
                build: &mut Build<'_, T>,
                cell: gradus_tensor::RecurrentCell,
                recurrent_activation: Activation,
                unit_forget_bias: bool,
            ) -> Result<Built<T>> {
                self.check(build)?;
                let plan = crate::layers::support::recurrent::RecurrentPlan {
                    cell,
                    units: self.units,
                    activation: self.activation,
                    recurrent_activation,
                    bias: self.use_bias.then(|| {
                        (self.bias_initializer, self.bias_regularizer, self.bias_constraint.clone())
                    }),
                    unit_forget_bias,
                    kernel: (self.kernel_initializer, self.kernel_regularizer, self.kernel_constraint.clone()),
                    recurrent_kernel: (
                        self.recurrent_initializer,
                        self.recurrent_regularizer,
                        self.recurrent_constraint.clone(),
                    ),
                    dropout: [self.dropout, self.recurrent_dropout],
                    return_sequences: self.return_sequences,
                    return_state: self.return_state,
                    go_backwards: self.go_backwards,
                    zero_output_for_mask: self.zero_output_for_mask,
                };
                plan.build(build)
            }
        }
    };
}
pub(in crate::layers) use recurrent_options;

/// The options of a recurrent layer.
pub(in crate::layers) struct RecurrentPlan {
    pub cell: RecurrentCell,
    pub units: usize,
    pub activation: Activation,
    pub recurrent_activation: Activation,
    pub kernel: WeightOptions,
    pub recurrent_kernel: WeightOptions,
    pub bias: Option<WeightOptions>,
    pub unit_forget_bias: bool,
    /// Of the inputs and of the states.
    pub dropout: [f64; 2],
    pub return_sequences: bool,
    pub return_state: bool,
    pub go_backwards: bool,
    pub zero_output_for_mask: bool,
}

/// The weights of a built layer.
#[derive(Clone, Copy)]
struct Weights {
    kernel: ParamId,
    recurrent_kernel: ParamId,
    bias: Option<ParamId>,
}

impl RecurrentPlan {
    pub fn build<T: Float>(self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let (units, gates, states) = (self.units, self.cell.gates(), self.cell.states());
        let (steps, features) = self.check(build)?;
        let weights = Weights {
            kernel: weight_with_options(build, "kernel", [features, gates * units], self.kernel.clone())?,
            recurrent_kernel: weight_with_options(
                build,
                "recurrent_kernel",
                [units, gates * units],
                self.recurrent_kernel.clone(),
            )?,
            bias: match self.bias.clone() {
                Some(options) => Some(weight_with_options(build, "bias", self.cell.bias_shape(units), options)?),
                None => None,
            },
        };
        if let (Some(bias), true) = (weights.bias, self.unit_forget_bias) {
            build.redraw(bias, |bias| bias.as_mut_slice()[units..2 * units].fill(T::ONE));
        }
        let is_masked = build.inputs()[0].is_masked();
        let in_parts = build.inputs()[0].is_in_parts();
        if in_parts && self.go_backwards {
            return Err(unknown(build));
        }
        if in_parts && build.inputs()[1..].iter().any(|state| state.flow != Flow::Whole) {
            let problem = "its first states change from part to part";
            return Err(build.error(problem, "compute them of inputs that are given whole, or call predict"));
        }
        let output = if self.return_sequences {
            let output = Spec::floats([steps, units]);
            let output = if is_masked { output.masked() } else { output };
            if in_parts { output.in_parts() } else { output }
        } else {
            Spec::floats([units])
        };
        let more = if self.return_state { states } else { 0 };
        let outputs = std::iter::once(output).chain(std::iter::repeat_n(Spec::floats([units]), more)).collect();
        // Its number, if it goes on where the part before ended.
        let layer = in_parts.then_some(build.number());
        let how = Recurrence::new(self.cell)
            .activation(cell_function(self.activation))
            .recurrent_activation(cell_function(self.recurrent_activation))
            .go_backwards(self.go_backwards)
            .zero_output_for_mask(self.zero_output_for_mask);
        let forward =
            move |context: &mut Context<'_, T>, inputs: Values<T>| self.run(context, inputs, weights, &how, layer);
        Ok(Built::of_values(outputs, forward).mask_rule(MaskRule::Known).part_rule(PartRule::Known))
    }

    /// The numbers of steps and of features.
    fn check<T: Float>(&self, build: &Build<'_, T>) -> Result<(usize, usize)> {
        let (count, states) = (build.inputs().len(), self.cell.states());
        if count != 1 && count != 1 + states {
            let problem = format!("takes sequences, or sequences and {states} first states, found {count} inputs");
            return Err(build.error(problem, "feed it with the states that a layer of its kind gives by return_state"));
        }
        let x = build.input_as(0, ValueKind::Floats)?;
        let &[steps, features] = &x[..] else {
            let problem = format!("takes sequences, samples of shape [steps, features], found {x}");
            return Err(build
                .error(problem, "put an Embedding or a Reshape before it, or return_sequences in the layer before"));
        };
        for index in 1..count {
            let state = build.input_as(index, ValueKind::Floats)?;
            if *state != [self.units] {
                let problem = format!("first states must have the shape [{}], found {state}", self.units);
                return Err(build.error(problem, "feed it with states of a layer of as many units"));
            }
        }
        for activation in [self.activation, self.recurrent_activation] {
            activation.check().map_err(|(problem, hint)| build.error(problem, hint))?;
        }
        Ok((steps, features))
    }

    fn run<T: Float>(
        &self,
        context: &mut Context<'_, T>,
        inputs: Values<T>,
        weights: Weights,
        how: &Recurrence<T>,
        layer: Option<usize>,
    ) -> Values<T> {
        let mask = inputs.mask(0).cloned();
        let mut inputs = inputs.into_iter().map(Value::into_floats);
        let mut x = inputs.next().expect("checked when it was built");
        let (n, steps) = (x.shape()[0], x.shape()[1]);
        let mut states: Vec<Var<T>> = inputs.collect();
        if let Some(last) = layer.and_then(|layer| context.memory().states.remove(&layer)) {
            states = last.into_iter().map(Var::from).collect();
        }
        let mut recurrent_dropout = None;
        if let Some(generator) = context.training() {
            let [of_inputs, of_states] = self.dropout;
            let mut factors = |shape: Shape, rate: f64| Tensor::ones(shape).dropout(rate, generator.next_u64());
            if of_inputs > 0.0 {
                x = x.clone() * &factors([n, 1, x.shape()[2]].into(), of_inputs);
            }
            if of_states > 0.0 {
                recurrent_dropout = Some(factors([n, self.units].into(), of_states));
            }
        }
        // The last output is the last state, unless a mask may have made it 0.
        let may_differ = mask.is_some() && self.zero_output_for_mask;
        let how = how.clone().sequences(self.return_sequences || may_differ);
        let vars = RecurrentVars {
            bias: weights.bias.map(|bias| context.weight(bias)),
            states: [states.first(), states.get(1)],
            mask: mask.as_ref(),
            recurrent_dropout: recurrent_dropout.as_ref(),
            ..RecurrentVars::new(context.weight(weights.kernel), context.weight(weights.recurrent_kernel))
        };
        let given = x.recurrence(&how, &vars);
        if let Some(layer) = layer {
            let last = given.states.iter().map(|state| state.value().clone());
            context.memory().states.insert(layer, last.collect());
        }
        let output = match given.sequence {
            Some(sequence) if self.return_sequences => sequence,
            Some(sequence) if steps > 0 => sequence.select(1, -1),
            _ => given.states[0].clone(),
        };
        let states = given.states.into_iter().take(if self.return_state { self.cell.states() } else { 0 });
        let outputs: Values<T> = std::iter::once(output).chain(states).map(Value::from).collect();
        outputs.with_mask(0, mask.filter(|_| self.return_sequences))
    }
}

/// An activation as the function of a cell.
fn cell_function<T: Float>(activation: Activation) -> CellFunction<T> {
    match activation {
        Activation::Tanh => CellFunction::Tanh,
        Activation::Sigmoid => CellFunction::Sigmoid,
        other => CellFunction::Other(Arc::new(other)),
    }
}

impl<T: Float> Differentiable<T> for Activation {
    fn value(&self, x: Tensor<T>) -> Tensor<T> {
        self.apply(&Var::from(x)).into_value()
    }

    fn gradient(&self, x: Tensor<T>, g: Tensor<T>) -> Tensor<T> {
        let tape = Tape::new();
        let x = tape.var(x);
        let loss = (self.apply(&x) * &g).sum(..);
        tape.backward(&loss).of(&x)
    }
}
