//! What layers compute, seen from outside: their outputs, and the gradient of a number with respect to them.

use std::ops::Index;
use std::sync::{Arc, OnceLock};

use gradus_autograd::{Fault, Op, Tape, Var};
use gradus_tensor::safetensors::shortened;
use gradus_tensor::{Columns, Float, Generator, Tensor};

use crate::error::{Error, Result};
use crate::losses::Objective;
use crate::model::{Model, Pass};
use crate::value::{Value, Values};

/// Sees what the layers of a model compute, by their paths: each output, and the gradient of a number with respect to it.
///
/// It is made by [`Model::observer`] and sees all inputs and layers, or those that [`of`](Observer::of) names. The whole batch is
/// computed at once, layer by layer: what is otherwise computed in the pass of the layer before is computed by itself, so the last
/// bits of outputs may differ from those of [`predict`](Model::predict). A model that nobody observes computes as ever.
///
/// ```
/// use gradus_nn::{Activation, Dense, Model, Sequential};
/// use gradus_tensor::Tensor;
/// let network = Sequential::new().add_named("hidden", Dense::new(4).activation(Activation::Relu)).add(Dense::new(2));
/// let model = Model::build(network, [3], 42)?;
/// let x = Tensor::new([[0.5, -1.0, 2.0]]);
/// // Which hidden units raise the first output?
/// let (outputs, seen) = model.observer().of(["hidden"]).differentiate(&x, |outputs| outputs[0].select(-1, 0).sum(..))?;
/// let hidden = &seen["hidden"];
/// assert_eq!((outputs[0].shape(), hidden.value.shape()), (&[1, 2].into(), &[1, 4].into()));
/// // The gradient of a product is its kernel: here the column of the first output.
/// let column = model.params().get("1/kernel").unwrap().value.select(1, 0);
/// assert_eq!(hidden.gradient, Some(column.unsqueeze(0)));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone)]
pub struct Observer<'a, T: Float = f32> {
    model: &'a Model<T>,
    /// The paths that are observed; `None` for all.
    wanted: Option<Vec<String>>,
    replaced: Vec<(String, Tensor<T>)>,
    is_checked: bool,
}

/// What an [`Observer`] saw, in the order in which it was computed: inputs first, the layers within a layer before it.
///
/// ```
/// use gradus_nn::{Dense, Flatten, Model, Sequential};
/// use gradus_tensor::Tensor;
/// let model = Model::build(Sequential::new().add(Flatten).add(Dense::new(2)), [2, 2], 42)?;
/// let (_, seen) = model.observer().predict_all(Tensor::<f32>::ones([5, 2, 2]))?;
/// let lines: Vec<String> = seen.iter().map(|it| format!("{} {} {}", it.path, it.kind, it.value.shape())).collect();
/// assert_eq!(lines, ["input Input [5, 2, 2]", "0 Flatten [5, 4]", "1 Dense [5, 2]"]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Observations<T: Float = f32> {
    list: Vec<Observed<T>>,
    faults: Vec<Fault>,
}

/// An output of a layer for a batch, or an input of the network.
///
/// ```
/// use gradus_nn::{Dense, Model, Sequential};
/// use gradus_tensor::Tensor;
/// let model = Model::build(Sequential::new().add(Dense::new(2)), [3], 42)?;
/// let (_, seen) = model.observer().predict_all(Tensor::<f32>::ones([5, 3]))?;
/// let dense = &seen["0"];
/// assert_eq!((dense.kind, dense.value.shape(), &dense.gradient), ("Dense", &[5, 2].into(), &None));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Observed<T: Float = f32> {
    /// Where the layer is: `"1"`, or `"encoder/0"` within another; or the name of the input.
    pub path: String,
    /// The layer's kind; `"Input"` for an input.
    pub kind: &'static str,
    /// Which of the layer's outputs it is.
    pub output: usize,
    /// What was computed, batch axis first.
    pub value: Tensor<T>,
    /// The mask `[n, length]` of the positions that are there; `None` if all are.
    pub mask: Option<Tensor<bool>>,
    /// The gradient of the number with respect to the value, in its shape. `None` if no number was differentiated, if it does
    /// not depend on the value, and in training also if nothing before it is trained.
    pub gradient: Option<Tensor<T>>,
    /// The place of the value on the tape, if it has one.
    pub(crate) node: Option<usize>,
}

impl<T: Float> Model<T> {
    /// Sees what layers compute: all of them, unless [`Observer::of`] names some.
    pub fn observer(&self) -> Observer<'_, T> {
        Observer { model: self, wanted: None, replaced: Vec::new(), is_checked: false }
    }
}

impl<'a, T: Float> Observer<'a, T> {
    /// Sees these layers alone, by their paths as in the summary; inputs by their names. A layer of attention has beneath its path
    /// `"attention_scores"`, the weights `[n, num_heads, tq, tk]`, which are seen only where they are named here.
    pub fn of<'p>(self, paths: impl IntoIterator<Item = &'p str>) -> Self {
        Observer { wanted: Some(paths.into_iter().map(str::to_owned).collect()), ..self }
    }

    /// Computes as if the layer at `path`, or the input of that name, had given this: what would come out if a part of the network
    /// had seen something else? The value replaces the layer's first output; its gradient is that of the replacement.
    ///
    /// ```
    /// use gradus_nn::{Dense, Embedding, Flatten, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// let network = Sequential::new().add(Embedding::new(9, 2)).add(Flatten).add(Dense::new(1));
    /// let model = Model::build(network, [3], 42)?;
    /// // Without any word the bias is left, which is 0 at first.
    /// let nothing = Tensor::zeros([1, 3, 2]);
    /// let (outputs, _) = model.observer().replace("0", nothing).predict_all(Tensor::from([[7, 2, 5]]))?;
    /// assert_eq!(outputs[0], Tensor::new([[0.0]]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub fn replace(mut self, path: &str, value: Tensor<T>) -> Self {
        self.replaced.retain(|(replaced, _)| replaced != path);
        self.replaced.push((path.to_owned(), value));
        self
    }

    /// In a training pass, also looks for what is NaN or infinite: [`Observations::origin`] says where it came first.
    pub fn checked(self) -> Self {
        Observer { is_checked: true, ..self }
    }

    /// The outputs for a batch, as when predicting, and what was seen on the way.
    ///
    /// # Errors
    /// As [`Model::predict_all`]; if there is no such layer or its output is not floats; and if a value that replaces another has
    /// another shape.
    pub fn predict_all(&self, inputs: impl Into<Columns>) -> Result<(Vec<Tensor<T>>, Observations<T>)> {
        let mut collector = self.collector(None);
        let outputs = self.model.outputs_seen("observe", &inputs.into(), &mut collector)?;
        let outputs = outputs.into_iter().map(Var::into_value).collect();
        Ok((outputs, collector.observations(self.model)?))
    }

    /// As [`predict_all`](Observer::predict_all), with the gradient of a number that is computed from the outputs: of a class's
    /// score, of the score of each sample in sum. The weights are constants; the gradients reach back to the observed layers alone.
    ///
    /// # Errors
    /// As `predict_all`.
    ///
    /// # Panics
    /// If `number` gives more than a single number.
    #[track_caller]
    pub fn differentiate(
        &self,
        inputs: impl Into<Columns>,
        number: impl FnOnce(&[Var<T>]) -> Var<T>,
    ) -> Result<(Vec<Tensor<T>>, Observations<T>)> {
        let mut collector = self.collector(Some(Tape::new()));
        let outputs = self.model.outputs_seen("observe", &inputs.into(), &mut collector)?;
        let number = number(&outputs);
        if let Some(tape) = collector.tape.take() {
            tape.backward(&number);
        }
        let outputs = outputs.into_iter().map(Var::into_value).collect();
        Ok((outputs, collector.observations(self.model)?))
    }

    /// A training pass, as [`Model::grad`], and what was seen on the way: outputs in training, with the gradients of the loss.
    /// `generator` in the same state gives the same pass.
    ///
    /// ```
    /// use gradus_nn::{Dense, Model, Sequential, losses::MeanSquaredError};
    /// use gradus_tensor::{Generator, Tensor};
    /// let model = Model::build(Sequential::new().add(Dense::new(1)), [2], 42)?;
    /// let (x, y) = (Tensor::new([[1.0, 2.0], [3.0, 4.0]]), Tensor::new([[0.0], [1.0]]));
    /// let (pass, seen) = model.observer().grad(&x, &y, None, &MeanSquaredError, &mut Generator::new(0))?;
    /// // The gradient of the mean of squares: 2 (output - y) / 2.
    /// assert_eq!(seen["0"].gradient, Some(pass.output() - y));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Model::grad`] and [`predict_all`](Observer::predict_all).
    pub fn grad(
        &self,
        inputs: impl Into<Columns>,
        targets: impl Into<Columns>,
        weights: Option<&Tensor<T>>,
        loss: &(impl Objective<T> + ?Sized),
        generator: &mut Generator,
    ) -> Result<(Pass<T>, Observations<T>)> {
        let mut collector = self.collector(None);
        let pass = self.model.pass(&inputs.into(), &targets.into(), weights, loss, generator, Some(&mut collector))?;
        Ok((pass, collector.observations(self.model)?))
    }

    fn collector(&self, tape: Option<Tape<T>>) -> Collector<T> {
        let (wanted, replaced) = (self.wanted.clone(), self.replaced.iter().cloned());
        let replaced = replaced.map(|(path, value)| Replaced { path, value, found: Found::No }).collect();
        let (seen, is_checked, faults) = (Vec::new(), self.is_checked, Vec::new());
        Collector { wanted, replaced, tape, seen, is_checked, faults }
    }
}

impl<T: Float> Observations<T> {
    /// The first output of the layer at `path`, or the input of that name, if it was observed.
    pub fn get(&self, path: &str) -> Option<&Observed<T>> {
        self.list.iter().find(|observed| observed.path == path)
    }

    /// All that was seen, in the order in which it was computed.
    pub fn iter(&self) -> std::slice::Iter<'_, Observed<T>> {
        self.list.iter()
    }

    /// The ops that computed something that is not finite, if the pass was checked.
    pub(crate) fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The number of values that were seen.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl<T: Float> Index<&str> for Observations<T> {
    type Output = Observed<T>;

    /// The first output of the layer at this path.
    ///
    /// # Panics
    /// If it was not observed.
    #[track_caller]
    fn index(&self, path: &str) -> &Observed<T> {
        self.get(path).unwrap_or_else(|| {
            let paths: Vec<&str> = self.list.iter().map(|observed| &*observed.path).collect();
            panic!("Observations: {path:?} was not observed, only {}", shortened(&paths))
        })
    }
}

impl<T: Float> IntoIterator for Observations<T> {
    type Item = Observed<T>;
    type IntoIter = std::vec::IntoIter<Observed<T>>;
    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl<'o, T: Float> IntoIterator for &'o Observations<T> {
    type Item = &'o Observed<T>;
    type IntoIter = std::slice::Iter<'o, Observed<T>>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// What takes the values on their way through a network.
pub(crate) struct Collector<T: Float> {
    wanted: Option<Vec<String>>,
    replaced: Vec<Replaced<T>>,
    /// Where an observed value becomes a variable, if nothing before it is one and gradients are wanted.
    tape: Option<Tape<T>>,
    seen: Vec<Seen<T>>,
    /// Whether a training pass looks for what is not finite, and which ops have given such a thing.
    pub is_checked: bool,
    pub faults: Vec<Fault>,
}

/// A value that was seen, and the place for its gradient, which the backward sweep fills.
struct Seen<T: Float> {
    observed: Observed<T>,
    gradient: Arc<OnceLock<Tensor<T>>>,
}

struct Replaced<T: Float> {
    path: String,
    value: Tensor<T>,
    found: Found,
}

/// Whether what is to be replaced was there.
enum Found {
    No,
    /// In this other shape.
    Unlike(gradus_tensor::Shape),
    Yes,
}

impl<T: Float> Collector<T> {
    /// Takes the outputs of a layer, or inputs; returns what the network goes on with.
    pub fn take(&mut self, path: &str, kind: &'static str, outputs: Values<T>) -> Values<T> {
        let mut taken = Values::default();
        for (output, (value, mask)) in outputs.with_masks().enumerate() {
            let value = match value {
                Value::Floats(floats) => Value::Floats(self.see(path, kind, output, floats, mask.as_ref())),
                other => other,
            };
            taken.push((value, mask));
        }
        taken
    }

    /// Takes a value from within a layer, computed only if an observer names its path.
    pub fn take_inner(&mut self, path: &str, kind: &'static str, value: impl FnOnce() -> Tensor<T>) {
        if self.wanted.iter().flatten().any(|wanted| wanted == path) {
            self.see(path, kind, 0, value().into(), None);
        }
    }

    fn see(
        &mut self,
        path: &str,
        kind: &'static str,
        output: usize,
        value: Var<T>,
        mask: Option<&Tensor<bool>>,
    ) -> Var<T> {
        let value = if output == 0 { self.replacement(path, value) } else { value };
        if self.wanted.as_ref().is_some_and(|wanted| !wanted.iter().any(|wanted| wanted == path)) {
            return value;
        }
        let value = match &self.tape {
            Some(tape) if !value.is_recorded() => tape.var(value.into_value()),
            _ => value,
        };
        let gradient = Arc::new(OnceLock::new());
        let (kept, path, mask) = (Arc::clone(&gradient), path.to_owned(), mask.cloned());
        // The identity, of which the sweep brings the gradient.
        let derivative = move |g: Tensor<T>| kept.get_or_init(|| g).clone();
        let shown = Op::new("observed", value.value().clone()).input(&value, derivative).finish();
        let (value, node) = (value.into_value(), shown.node());
        let observed = Observed { path, kind, output, value, mask, gradient: None, node };
        self.seen.push(Seen { observed, gradient });
        shown
    }

    fn replacement(&mut self, path: &str, value: Var<T>) -> Var<T> {
        match self.replaced.iter_mut().find(|replaced| replaced.path == path) {
            None => value,
            Some(replaced) if replaced.value.shape() != value.shape() => {
                replaced.found = Found::Unlike(value.shape().clone());
                value
            }
            Some(replaced) => {
                replaced.found = Found::Yes;
                Var::from(&replaced.value)
            }
        }
    }

    /// What was seen; an error if something was not there.
    fn observations(self, model: &Model<T>) -> Result<Observations<T>> {
        for Replaced { path, value, found } in &self.replaced {
            match found {
                Found::Yes => {}
                Found::No => return Err(missing(path, model)),
                Found::Unlike(shape) => {
                    let problem = format!("the layer {path:?} gives {shape}, the replacement has {}", value.shape());
                    return Err(Error::new("observe", problem, "replace a value by one of its shape"));
                }
            }
        }
        let is_seen = |path: &String| self.seen.iter().any(|seen| seen.observed.path == *path);
        if let Some(path) = self.wanted.iter().flatten().find(|path| !is_seen(path)) {
            return Err(missing(path, model));
        }
        let list = self.seen.into_iter().map(|Seen { observed, gradient }| {
            let gradient = gradient.get().cloned();
            Observed { gradient, ..observed }
        });
        Ok(Observations { list: list.collect(), faults: self.faults })
    }
}

fn missing<T: Float>(path: &str, model: &Model<T>) -> Error {
    let summary = model.summary();
    let inputs = summary.inputs.iter().map(|input| &*input.name);
    let names: Vec<&str> = inputs.chain(summary.layers.iter().map(|layer| &*layer.path)).collect();
    let problem = format!("there is no layer {path:?} that gives floats, only {}", shortened(&names));
    Error::new("observe", problem, "the summary lists the layers")
}
