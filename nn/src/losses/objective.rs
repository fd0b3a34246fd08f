//! What a model is trained by: one loss, or one for each of several outputs.

use std::fmt;
use std::sync::Arc;

use gradus_autograd::Var;
use gradus_tensor::{Float, Tensor};

use super::Loss;
use super::terms::{Term, Terms};
use crate::activation::Activation;
use crate::error::{Error, Result};

/// An output of a model with its targets.
///
/// ```
/// use gradus_autograd::Var;
/// use gradus_nn::losses::{MeanSquaredError, Objective, Scored};
/// use gradus_tensor::Tensor;
/// let (targets, outputs) = (Tensor::new([[1.0]]), Var::from(Tensor::new([[3.0]])));
/// let scored = Scored { name: "price", targets: &targets, outputs: &outputs, mask: None };
/// assert_eq!(MeanSquaredError.total(&[scored], None)?.loss.value().item(), 4.0);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Scored<'a, T: Float> {
    /// The name of the output.
    pub name: &'a str,
    /// The targets, batch axis first.
    pub targets: &'a Tensor<T>,
    /// The outputs, batch axis first.
    pub outputs: &'a Var<T>,
    /// The mask `[n, length]` of outputs `[n, length, ..]`; `None` if all positions are there.
    pub mask: Option<&'a Tensor<bool>>,
}

/// The value of an objective.
///
/// ```
/// use gradus_autograd::Var;
/// use gradus_nn::losses::{MeanAbsoluteError, MeanSquaredError, Losses, Objective, Scored};
/// use gradus_tensor::Tensor;
/// let (targets, outputs) = (Tensor::new([[1.0], [1.0]]), Var::from(Tensor::new([[3.0], [1.0]])));
/// let scored = |name| Scored { name, targets: &targets, outputs: &outputs, mask: None };
/// let losses = Losses::new().add("a", MeanSquaredError).add("b", MeanAbsoluteError).weighted(0.5);
/// let total = losses.total(&[scored("a"), scored("b")], None)?;
/// assert_eq!((total.parts[0].loss, total.parts[1].loss), (2.0, 1.0));
/// assert_eq!(total.loss.value().item(), 2.0 + 0.5 * 1.0);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
pub struct Total<T: Float> {
    /// The number that training makes small.
    pub loss: Var<T>,
    /// The loss of each output.
    pub parts: Vec<OutputLoss<T>>,
}

/// The loss of one output of a model in a batch.
///
/// The loss over several batches is the mean of `loss` with the weights `counted`. The number that training makes small is
/// the sum over outputs of that times `weight`, and the penalties on weights.
///
/// ```
/// use gradus_nn::losses::MeanSquaredError;
/// use gradus_nn::{Dense, Initializer, Model, Sequential};
/// use gradus_tensor::Tensor;
/// let network = Sequential::new().add(Dense::new(1).kernel_initializer(Initializer::Ones));
/// let model = Model::build(network, [2], 42)?;
/// let (x, y) = (Tensor::new([[1.0, 2.0], [0.0, 1.0]]), Tensor::new([[1.0], [1.0]]));
/// let scores = model.evaluate(&x, &y, None, &MeanSquaredError)?;
/// let part = &scores.parts[0];
/// assert_eq!((&*part.output, part.loss, part.counted, part.weight), ("0", 2.0, 2, 1.0));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct OutputLoss<T: Float = f32> {
    /// The name of the output.
    pub output: String,
    /// The mean over what counts in the batch.
    pub loss: T,
    /// How much that is: the number of samples, or of targets that are not ignored. See [`Loss::counted`].
    pub counted: usize,
    /// The factor of this loss in the whole one.
    pub weight: f64,
}

/// A sample whose loss is infinite whatever finite outputs it has, and why: a string of labels that is too long for its frames.
///
/// ```
/// use gradus_autograd::Var;
/// use gradus_nn::losses::{Ctc, Loss, Scored};
/// use gradus_tensor::Tensor;
/// // A string of three labels cannot be found in two frames.
/// let (targets, outputs) = (Tensor::new([[1.0, 2.0, 1.0]]), Var::from(Tensor::<f32>::zeros([1, 2, 3])));
/// let scored = Scored { name: "0", targets: &targets, outputs: &outputs, mask: None };
/// assert_eq!(Ctc::default().impossible_sample(&scored).unwrap().row, 0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImpossibleSample {
    /// The row of the batch.
    pub row: usize,
    /// What is wrong with it.
    pub problem: String,
    /// What to do.
    pub hint: &'static str,
}

/// What training makes small: a [`Loss`], or [`Losses`], one for each output.
///
/// A single loss of a model of several outputs is that of each output, added up, as in Keras.
///
/// A program implements [`Loss`], or combines losses by [`Losses`]. This is one over two outputs together:
///
/// ```
/// use gradus_nn::losses::{Objective, OutputLoss, Scored, Total};
/// use gradus_nn::{Error, Result};
/// use gradus_tensor::{Float, Tensor};
///
/// /// Two outputs shall agree: the mean of (a - b)^2. Targets are not used.
/// #[derive(Debug)]
/// struct Agreement;
///
/// impl<T: Float> Objective<T> for Agreement {
///     fn total(&self, scored: &[Scored<'_, T>], _weights: Option<&Tensor<T>>) -> Result<Total<T>> {
///         let [a, b] = scored else {
///             return Err(Error::new("Agreement", format!("found {} outputs", scored.len()), "give two"));
///         };
///         let difference = a.outputs - b.outputs;
///         let loss = (&difference * &difference).mean(..);
///         let part = |one: &Scored<'_, T>| OutputLoss {
///             output: one.name.to_owned(),
///             loss: loss.value().item(),
///             counted: one.targets.shape()[0],
///             weight: 0.5,
///         };
///         let parts = scored.iter().map(part).collect();
///         Ok(Total { loss, parts })
///     }
/// }
///
/// use gradus_nn::{Dense, Graph, Initializer, Model};
///
/// let mut graph = Graph::builder();
/// let x = graph.input();
/// let a = graph.add_named("a", Dense::new(1).kernel_initializer(Initializer::Ones), [x]);
/// let b = graph.add_named("b", Dense::new(1).kernel_initializer(Initializer::Zeros), [x]);
/// let model = Model::build(graph.outputs([a, b]), [2], 42)?;
/// let nothing = Tensor::<f32>::zeros([1, 1]);
/// let scores = model.evaluate(&Tensor::new([[1.0, 2.0]]), (&nothing, &nothing), None, &Agreement)?;
/// assert_eq!(scores.loss, 9.0); // (3 - 0)^2
/// # Ok::<(), gradus_nn::Error>(())
/// ```
pub trait Objective<T: Float>: fmt::Debug + Send + Sync + 'static {
    /// The total over these outputs. `weights` are the samples' weights, `[n]`.
    ///
    /// # Errors
    /// If a shape does not fit, there are no samples, or an output has no loss.
    fn total(&self, scored: &[Scored<'_, T>], weights: Option<&Tensor<T>>) -> Result<Total<T>>;

    /// The losses whose weighted sum is the [`total`](Objective::total), each with how much it counts over.
    ///
    /// It is asked for where a batch is cut into [shards](crate::Shard). A loss of the batch is the mean over the shards, each counted by
    /// what it counts over there. By default the total is the only loss, and counts over the samples. An objective that counts something
    /// else, as words, says so here, and computes its total by [`Terms::total`].
    ///
    /// In a shard where nothing counts, a loss is finite and still depends on the outputs: a batch normalisation waits in the backward
    /// sweep until all shards have come to it.
    ///
    /// # Errors
    /// As [`total`](Objective::total).
    fn terms(&self, scored: &[Scored<'_, T>], weights: Option<&Tensor<T>>) -> Result<Terms<T>> {
        let Total { loss, parts } = self.total(scored, weights)?;
        let counted = scored.first().and_then(|one| one.targets.shape().first().copied()).unwrap_or(1);
        Ok(Terms { list: vec![Term { loss, counted, weight: 1.0 }], parts })
    }

    /// The name of the loss of the output of this name, if it has one.
    fn name_of(&self, _output: &str) -> Option<String> {
        None
    }

    /// The class whose targets have no loss, if there is one for the output of this name.
    fn ignored_class(&self, _output: &str) -> Option<i64> {
        None
    }

    /// Checks that the output of this name may come out of this activation. By default any may be meant.
    ///
    /// # Errors
    /// If the loss cannot be meant for it, as one over probabilities for a layer without an activation.
    fn check_activation(&self, _output: &str, _activation: Activation) -> Result<()> {
        Ok(())
    }

    /// Checks that outputs of this activation can come near to their targets. By default they can.
    ///
    /// # Errors
    /// If they cannot, as the outputs of a softmax to several labels at once.
    fn check_targets(&self, _scored: &Scored<'_, T>, _activation: Activation) -> Result<()> {
        Ok(())
    }

    /// The first sample whose loss is infinite whatever its outputs are, if there is one. It is asked for where a loss became
    /// infinite.
    fn impossible_sample(&self, _scored: &Scored<'_, T>) -> Option<ImpossibleSample> {
        None
    }
}

impl<L: Loss, T: Float> Objective<T> for L {
    fn total(&self, scored: &[Scored<'_, T>], weights: Option<&Tensor<T>>) -> Result<Total<T>> {
        self.terms(scored, weights)?.total()
    }

    fn terms(&self, scored: &[Scored<'_, T>], weights: Option<&Tensor<T>>) -> Result<Terms<T>> {
        let one = |one: &Scored<'_, T>| {
            if let Some(mask) = one.mask {
                return self.masked_mean(one.targets, one.outputs, mask, weights);
            }
            let loss = self.mean(one.targets, one.outputs, weights);
            loss.map(|loss| (loss, self.counted(one.targets)))
        };
        Terms::of_outputs(scored.iter().map(|scored| Ok((scored, one(scored), 1.0))))
    }

    fn name_of(&self, _output: &str) -> Option<String> {
        Some(self.name().to_owned())
    }

    fn check_activation(&self, _output: &str, activation: Activation) -> Result<()> {
        self.expects().check(self.name(), activation)
    }

    fn check_targets(&self, scored: &Scored<'_, T>, activation: Activation) -> Result<()> {
        Loss::check_targets(self, scored, activation)
    }

    fn ignored_class(&self, _output: &str) -> Option<i64> {
        Loss::ignored_class(self)
    }

    fn impossible_sample(&self, scored: &Scored<'_, T>) -> Option<ImpossibleSample> {
        Loss::impossible_sample(self, scored)
    }
}

/// A loss and a weight for each output of a model, by the output's name: Keras's `loss` and `loss_weights`.
///
/// ```
/// use gradus_nn::losses::{BinaryCrossentropy, CategoricalCrossentropy, Losses};
/// let losses: Losses = Losses::new()
///     .add("priority", BinaryCrossentropy::default())
///     .add("department", CategoricalCrossentropy::default())
///     .weighted(0.2);
/// ```
#[derive(Clone, Debug)]
pub struct Losses<T: Float = f32> {
    list: Vec<OfOutput<T>>,
}

/// The loss of one output.
#[derive(Clone, Debug)]
struct OfOutput<T: Float> {
    output: String,
    loss: Arc<dyn Objective<T>>,
    weight: f64,
}

impl<T: Float> Losses<T> {
    /// No losses.
    pub fn new() -> Self {
        Losses { list: Vec::new() }
    }

    /// And this loss of the output of this name, with weight 1.
    ///
    /// # Panics
    /// If the output has a loss already.
    #[track_caller]
    pub fn add(mut self, output: &str, loss: impl Loss) -> Self {
        assert!(self.of(output).is_none(), "add: the output {output:?} has a loss already");
        self.list.push(OfOutput { output: output.to_owned(), loss: Arc::new(loss), weight: 1.0 });
        self
    }

    /// With this weight of the loss that was added last.
    ///
    /// # Panics
    /// If there is none, or the weight is not finite or negative: a loss with a negative weight is learnt to be large.
    #[track_caller]
    pub fn weighted(mut self, weight: f64) -> Self {
        let holds = weight.is_finite() && weight >= 0.0;
        assert!(holds, "weighted: a weight must be finite and not negative, found {weight}");
        self.list.last_mut().expect("weighted: add a loss before its weight").weight = weight;
        self
    }

    fn of(&self, output: &str) -> Option<&OfOutput<T>> {
        self.list.iter().find(|loss| loss.output == output)
    }
}

impl<T: Float> Default for Losses<T> {
    fn default() -> Self {
        Losses::new()
    }
}

impl<T: Float> Objective<T> for Losses<T> {
    fn total(&self, scored: &[Scored<'_, T>], weights: Option<&Tensor<T>>) -> Result<Total<T>> {
        self.terms(scored, weights)?.total()
    }

    fn terms(&self, scored: &[Scored<'_, T>], weights: Option<&Tensor<T>>) -> Result<Terms<T>> {
        let names: Vec<&str> = scored.iter().map(|one| one.name).collect();
        if let Some(unknown) = self.list.iter().find(|loss| !names.contains(&&*loss.output)) {
            let problem = format!("there is no output {:?}, only {}", unknown.output, names.join(", "));
            return Err(Error::new("losses", problem, "name an output of the network"));
        }
        Terms::of_outputs(scored.iter().map(|one| {
            let Some(OfOutput { loss, weight, .. }) = self.of(one.name) else {
                let problem = format!("the output {:?} has no loss", one.name);
                return Err(Error::new("losses", problem, "add one for each output of the network"));
            };
            let loss = loss.total(std::slice::from_ref(one), weights);
            let loss = loss.map(|total| (total.loss, total.parts.first().map_or(0, |part| part.counted)));
            Ok((one, loss, *weight))
        }))
    }

    fn name_of(&self, output: &str) -> Option<String> {
        self.of(output)?.loss.name_of(output)
    }

    fn ignored_class(&self, output: &str) -> Option<i64> {
        self.of(output)?.loss.ignored_class(output)
    }

    fn check_activation(&self, output: &str, activation: Activation) -> Result<()> {
        self.of(output).map_or(Ok(()), |of| of.loss.check_activation(output, activation))
    }

    fn check_targets(&self, scored: &Scored<'_, T>, activation: Activation) -> Result<()> {
        self.of(scored.name).map_or(Ok(()), |of| of.loss.check_targets(scored, activation))
    }

    fn impossible_sample(&self, scored: &Scored<'_, T>) -> Option<ImpossibleSample> {
        self.of(scored.name)?.loss.impossible_sample(scored)
    }
}
