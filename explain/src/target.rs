//! Which number of a model's output is explained.

use std::sync::Arc;

use gradus_autograd::Var;
use gradus_nn::{Activation, Error, Model, Observations, Observer, Result};
use gradus_tensor::{Columns, Float, Tensor, keepdims};

/// The number of a model's output that is explained, one for each sample.
///
/// Of a class it is the logit, where the model says that its output comes out of a softmax or a sigmoid: near 1 a probability hardly
/// changes, whatever the input does. The logit of a softmax is taken relative to the mean of all logits, z_c - mean(z), as the
/// probabilities say no more. An output of one number and a sigmoid has two classes, and the logit of class 0 is the negative of the
/// other. Other outputs are taken as they are. [`probability`](Target::probability) takes every output as it is.
///
/// Outputs `[n, .., classes]` are summed over the axes between, such as the positions of a sequence.
///
/// ```
/// use gradus_explain::{Target, gradient_times_input};
/// use gradus_nn::{Dense, Model, Sequential};
/// use gradus_tensor::Tensor;
/// let model = Model::build(Sequential::new().add(Dense::new(3)), [2], 42)?;
/// let x = Tensor::new([[1.0, 2.0]]);
/// let of_class = gradient_times_input(&model, &x, &Target::class(2))?;
/// // By how much does it exceed class 0?
/// let margin = Target::function("class 2 before class 0", |outputs| outputs[0].select(-1, 2) - outputs[0].select(-1, 0));
/// let of_margin = gradient_times_input(&model, &x, &margin)?;
/// assert_eq!(of_margin.numbers, &of_class.numbers - gradient_times_input(&model, &x, &Target::class(0))?.numbers);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone)]
pub struct Target<T: Float = f32> {
    what: What<T>,
    output: Option<String>,
    probability: bool,
}

#[derive(Clone)]
enum What<T: Float> {
    Predicted,
    Class(usize),
    /// Of each sample.
    Classes(Vec<usize>),
    Function(String, Arc<Function<T>>),
}

type Function<T> = dyn Fn(&[Var<T>]) -> Var<T> + Send + Sync;

impl<T: Float> Target<T> {
    /// The class that the model holds for the likeliest, of each sample. Of an output of one number without a sigmoid, that number.
    pub fn predicted() -> Self {
        Target { what: What::Predicted, output: None, probability: false }
    }

    /// This class, whatever the model predicts.
    pub fn class(class: usize) -> Self {
        Target { what: What::Class(class), output: None, probability: false }
    }

    /// A class for each sample, such as the true ones.
    pub fn classes(classes: impl IntoIterator<Item = usize>) -> Self {
        Target { what: What::Classes(classes.into_iter().collect()), output: None, probability: false }
    }

    /// A function of all outputs that gives a number for each sample, `[n]`; `name` says what it is.
    pub fn function(name: &str, function: impl Fn(&[Var<T>]) -> Var<T> + Send + Sync + 'static) -> Self {
        Target { what: What::Function(name.to_owned(), Arc::new(function)), output: None, probability: false }
    }

    /// Of the output of this name; the first by default.
    pub fn of_output(self, output: &str) -> Self {
        Target { output: Some(output.to_owned()), ..self }
    }

    /// The output as the model gives it, such as a probability, instead of the logit.
    pub fn probability(self) -> Self {
        Target { probability: true, ..self }
    }

    /// The target for the samples of a batch: which class of each.
    pub(crate) fn settle(&self, op: &str, model: &Model<T>, inputs: &Columns) -> Result<Settled<T>> {
        let outputs: Vec<Var<T>> = model.predict_all(inputs)?.into_iter().map(Var::from).collect();
        let place = match &self.output {
            None => 0,
            Some(name) => model.outputs().iter().position(|output| output.name == *name).ok_or_else(|| {
                let names: Vec<&str> = model.outputs().iter().map(|output| &*output.name).collect();
                let problem = format!("there is no output {name:?}, only {}", names.join(", "));
                Error::new(op, problem, "name an output of the network")
            })?,
        };
        let samples = outputs[place].shape()[0];
        let settled = match &self.what {
            What::Function(name, function) => {
                Settled { names: vec![name.clone(); samples], chosen: Chosen::Function(Arc::clone(function)) }
            }
            what => {
                let score = match model.outputs()[place].activation {
                    _ if self.probability => Score::Itself,
                    Some(Activation::Softmax) => Score::Softmax,
                    Some(Activation::LogSoftmax) => Score::LogSoftmax,
                    Some(Activation::Sigmoid) => Score::Sigmoid,
                    _ => Score::Itself,
                };
                let output = outputs[place].value();
                let count = if output.ndim() == 1 { 1 } else { output.shape()[output.ndim() - 1] };
                let is_binary = count == 1 && model.outputs()[place].activation == Some(Activation::Sigmoid);
                let classes = classes(op, what, output, count, is_binary)?;
                let known = model.class_names_of(&model.outputs()[place].name);
                let logit = if score == Score::Itself { "" } else { "the logit of " };
                let name = |class: &usize| match known.get(*class) {
                    _ if count == 1 && !is_binary => "the output".to_owned(),
                    Some(name) => format!("{logit}class {class} ({name})"),
                    None => format!("{logit}class {class}"),
                };
                let names = classes.iter().map(name).collect();
                Settled { names, chosen: Chosen::Classes { place, score, is_binary, classes } }
            }
        };
        let numbers = settled.numbers(&outputs, 1);
        if *numbers.shape() != [samples] {
            let problem =
                format!("the function gives {}, a number for each of {samples} samples is needed", numbers.shape());
            return Err(Error::new(op, problem, "sum over all axes but the first"));
        }
        Ok(settled)
    }
}

/// The class of each sample, checked.
fn classes<T: Float>(
    op: &str,
    what: &What<T>,
    output: &Tensor<T>,
    count: usize,
    is_binary: bool,
) -> Result<Vec<usize>> {
    let samples = output.shape()[0];
    let chosen = match what {
        What::Class(class) => vec![*class; samples],
        What::Classes(classes) if classes.len() == samples => classes.clone(),
        What::Classes(classes) => {
            let problem = format!("{} classes are given for {samples} samples", classes.len());
            return Err(Error::new(op, problem, "give a class for each sample"));
        }
        _ if count == 0 => return Err(Error::new(op, "the output has no numbers", "explain another output")),
        _ => {
            // Of sequences the class that is likeliest in sum.
            let of_samples = output.reshape([samples, output.size() / (samples * count).max(1), count]).sum(1);
            match is_binary {
                true => of_samples.iter().map(|share| usize::from(share.as_f64() >= 0.5)).collect(),
                false => of_samples.argmax(-1).iter().map(|class| class as usize).collect(),
            }
        }
    };
    let known = if is_binary { 2 } else { count };
    match chosen.iter().find(|class| **class >= known) {
        None => Ok(chosen),
        Some(class) => {
            let problem = format!("there is no class {class}, the output has {known}");
            Err(Error::new(op, problem, "count classes from 0"))
        }
    }
}

/// A target for the samples of a batch.
pub(crate) struct Settled<T: Float> {
    /// What is explained, of each sample.
    pub names: Vec<String>,
    chosen: Chosen<T>,
}

enum Chosen<T: Float> {
    Classes { place: usize, score: Score, is_binary: bool, classes: Vec<usize> },
    Function(Arc<Function<T>>),
}

/// How a class's number comes out of the output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Score {
    Itself,
    Softmax,
    LogSoftmax,
    Sigmoid,
}

impl<T: Float> Settled<T> {
    /// The numbers `[n]`, and the gradients of what an observer sees.
    pub fn differentiate(&self, observer: &Observer<'_, T>, inputs: &Columns) -> Result<(Tensor<T>, Observations<T>)> {
        let mut numbers = Tensor::zeros([0]);
        let (_, seen) = observer.differentiate(inputs, |outputs| {
            let of_samples = self.numbers(outputs, 1);
            let sum = of_samples.sum(..);
            numbers = of_samples.into_value();
            sum
        })?;
        Ok((numbers, seen))
    }

    /// The numbers `[copies * n]` of outputs for so many copies of the batch, one behind the other.
    pub fn numbers(&self, outputs: &[Var<T>], copies: usize) -> Var<T> {
        let (place, score, is_binary, classes) = match &self.chosen {
            Chosen::Function(function) => return function(outputs),
            Chosen::Classes { place, score, is_binary, classes } => (place, score, is_binary, classes),
        };
        let output = &outputs[*place];
        let output = if output.ndim() == 1 { output.unsqueeze(-1) } else { output.clone() };
        // The least normal number: no logarithm of 0, whose gradient would be infinite.
        let logarithm = |x: &Var<T>| x.maximum(T::min_positive_value()).ln();
        let scores = match score {
            Score::Itself => output.clone(),
            Score::Softmax => logarithm(&output),
            Score::LogSoftmax => output.clone(),
            Score::Sigmoid => logarithm(&output) - logarithm(&(-&output + T::ONE)),
        };
        let scores = match score {
            Score::Softmax | Score::LogSoftmax => &scores - scores.mean(keepdims(-1)),
            _ => scores,
        };
        let count = scores.shape()[scores.ndim() - 1];
        let classes = (0..copies).flat_map(|_| classes.iter().copied());
        // The mask of the class of each sample: [copies * n, 1, .., classes].
        let mask: Vec<bool> = match is_binary {
            true => classes.map(|class| class == 1).collect(),
            false => classes.flat_map(|class| (0..count).map(move |other| other == class)).collect(),
        };
        let mut shape = vec![1; scores.ndim()];
        (shape[0], shape[scores.ndim() - 1]) = (scores.shape()[0], count);
        let mask = Tensor::from(mask).reshape(shape);
        let others = match (is_binary, score) {
            (true, Score::Itself) => -&scores + T::ONE,
            (true, _) => -&scores,
            (false, _) => T::ZERO.into(),
        };
        let but_the_first: Vec<isize> = (1..scores.ndim() as isize).collect();
        Var::where_(&mask, scores, others).sum(but_the_first.as_slice())
    }
}
