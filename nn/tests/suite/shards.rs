//! A batch that is cut into shards: gradients, losses and states are those of the whole batch.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use gradus_nn::losses::*;
use gradus_nn::*;
use gradus_tensor::{Columns, Float, Generator, Tensor};
use serde::{Deserialize, Serialize};

/// The shards of one batch, a thread for each.
#[derive(Debug)]
struct Group {
    size: usize,
    round: Mutex<Round>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Round {
    number: usize,
    given: Vec<Option<Vec<f64>>>,
    merged: Vec<f64>,
    has_ended: bool,
}

#[derive(Debug)]
struct OfGroup {
    group: Arc<Group>,
    place: usize,
}

/// What a shard says that another one has left waiting.
const LEFT: &str = "another shard has ended";

impl Group {
    fn new(size: usize) -> Arc<Self> {
        let round = Round { given: vec![None; size], ..Round::default() };
        Arc::new(Group { size, round: Mutex::new(round), changed: Condvar::new() })
    }

    fn shard(self: &Arc<Self>, place: usize) -> Arc<dyn Shard> {
        Arc::new(OfGroup { group: Arc::clone(self), place })
    }

    fn end(&self) {
        self.round.lock().unwrap_or_else(PoisonError::into_inner).has_ended = true;
        self.changed.notify_all();
    }

    /// The number of merges so far.
    fn merges(&self) -> usize {
        self.round.lock().unwrap_or_else(PoisonError::into_inner).number
    }
}

impl Shard for OfGroup {
    fn is_first(&self) -> bool {
        self.place == 0
    }

    fn merge(&self, numbers: Vec<f64>, merge: Merge) -> Vec<f64> {
        let mut round = self.group.round.lock().unwrap_or_else(PoisonError::into_inner);
        let number = round.number;
        round.given[self.place] = Some(numbers);
        if round.given.iter().all(Option::is_some) {
            let given: Vec<Vec<f64>> = round.given.iter_mut().map(|numbers| numbers.take().unwrap()).collect();
            let add = |mut left: Vec<f64>, right: Vec<f64>| {
                merge(&mut left, &right);
                left
            };
            (round.merged, round.number) = (given.into_iter().reduce(add).unwrap(), number + 1);
            self.group.changed.notify_all();
        }
        while round.number == number && !round.has_ended {
            let waited = self.group.changed.wait_timeout(round, Duration::from_secs(60));
            let (next, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            assert!(!waited.timed_out(), "shard {} of {} waits in vain", self.place, self.group.size);
            round = next;
        }
        let merged = (round.number > number).then(|| round.merged.clone());
        drop(round);
        merged.unwrap_or_else(|| resume_unwind(Box::new(LEFT.to_owned())))
    }
}

/// A batch, perhaps with the weights of its samples.
struct Batch {
    inputs: Columns,
    targets: Columns,
    weights: Option<Tensor<f64>>,
}

impl Batch {
    fn new(inputs: impl Into<Columns>, targets: impl Into<Columns>) -> Self {
        Batch { inputs: inputs.into(), targets: targets.into(), weights: None }
    }

    fn weighted(self, weights: Tensor<f64>) -> Self {
        Batch { weights: Some(weights), ..self }
    }
}

type Grads = Vec<Option<Tensor<f64>>>;
/// What each shard gives: its pass and its gradients, or its error; or a panic's message.
type Found = std::result::Result<Result<(Pass<f64>, Grads)>, String>;

/// All shards of a batch, of so many samples each, and the number of their merges.
fn in_shards(model: &Model<f64>, batch: &Batch, loss: &impl Objective<f64>, rows: &[usize]) -> (Vec<Found>, usize) {
    let group = Group::new(rows.len());
    let of_shard = |place: usize| {
        let first: usize = rows[..place].iter().sum();
        let range = first..first + rows[place];
        let weights = batch.weights.as_ref().map(|weights| weights.slice(0, range.clone()));
        let mut grads: Grads = vec![None; model.params().len()];
        let done = |index: usize, gradient| assert!(grads[index].replace(gradient).is_none(), "{index} came twice");
        let (inputs, targets) = (batch.inputs.rows(range.clone()), batch.targets.rows(range));
        let (shard, mut generator) = (group.shard(place), Generator::new(place as u64));
        let compute = || model.grad_of_shard(inputs, targets, weights.as_ref(), loss, &mut generator, &shard, done);
        let found = catch_unwind(AssertUnwindSafe(compute));
        if !matches!(found, Ok(Ok(_))) {
            group.end();
        }
        match found {
            Ok(found) => Ok(found.map(|pass| (pass, grads))),
            Err(panic) => Err(panic.downcast::<String>().map_or_else(|_| String::new(), |message| *message)),
        }
    };
    let found = thread::scope(|scope| {
        let threads: Vec<_> = (0..rows.len()).map(|place| scope.spawn(move || of_shard(place))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    (found, group.merges())
}

#[track_caller]
fn near(what: &str, found: &Tensor<f64>, expected: &Tensor<f64>) {
    assert!(found.allclose(expected, 1e-10, 1e-10), "{what}: {found:?}\nexpected {expected:?}");
}

/// Holds every cut against the whole batch. Returns the pass of the whole batch.
#[track_caller]
fn check(model: &Model<f64>, batch: &Batch, loss: &impl Objective<f64>, cuts: &[&[usize]]) -> Pass<f64> {
    let Batch { inputs, targets, weights } = batch;
    let whole = model.grad(inputs.clone(), targets.clone(), weights.as_ref(), loss, &mut Generator::new(0)).unwrap();
    for &rows in cuts {
        let (found, _) = in_shards(model, batch, loss, rows);
        let found: Vec<_> = found.into_iter().map(|found| found.unwrap().unwrap()).collect();
        let what = |what: &str| format!("{what}, {rows:?}");
        for (index, expected) in whole.grads.iter().enumerate() {
            let given: Vec<_> = found.iter().filter_map(|(_, grads)| grads[index].clone()).collect();
            let name = what(&model.params()[index].name);
            match expected {
                // Every shard gives a gradient, or none does.
                Some(expected) => {
                    assert_eq!(given.len(), rows.len(), "{name}");
                    near(&name, &given.into_iter().reduce(|sum, more| sum + more).unwrap(), expected);
                }
                None => assert!(given.is_empty(), "{name}"),
            }
        }
        for (pass, _) in &found {
            near(&what("loss"), &Tensor::scalar(pass.loss), &Tensor::scalar(whole.loss));
            assert_eq!(pass.parts.len(), whole.parts.len());
            for (part, expected) in pass.parts.iter().zip(&whole.parts) {
                let name = what(&part.output);
                near(&name, &Tensor::scalar(part.loss), &Tensor::scalar(expected.loss));
                let same = |part: &OutputLoss<f64>| (part.output.clone(), part.counted, part.weight);
                assert_eq!(same(part), same(expected), "{name}");
            }
            assert_eq!(pass.states.len(), whole.states.len(), "{}", what("states"));
            for (found, expected) in pass.states.iter().zip(whole.states.iter()) {
                assert_eq!(found.0, expected.0);
                near(&what(&model.params()[found.0].name), &found.1, &expected.1);
            }
            assert!(pass.grads.iter().next().is_none());
            // The same bits in all shards.
            let first = &found[0].0;
            assert_eq!((pass.loss, &pass.parts), (first.loss, &first.parts));
            assert!(pass.states.iter().eq(first.states.iter()));
        }
        for place in 0..whole.outputs.len() {
            let join = |of: &dyn Fn(&Pass<f64>) -> Tensor<f64>| {
                Tensor::concat(&found.iter().map(|(pass, _)| of(pass)).collect::<Vec<_>>(), 0)
            };
            near(&what("outputs"), &join(&|pass| pass.outputs[place].clone()), &whole.outputs[place]);
            if let Some(mask) = &whole.masks[place] {
                let found = join(&|pass| pass.masks[place].as_ref().unwrap().to());
                assert_eq!(found, mask.to(), "{}", what("mask"));
            }
        }
    }
    whole
}

fn draw(seed: u64, shape: &[usize]) -> Tensor<f64> {
    Generator::new(seed).normal(shape, 0.3, 1.2)
}

/// Whole numbers below `classes`.
fn labels(seed: u64, shape: &[usize], classes: usize) -> Tensor<f64> {
    Generator::new(seed).uniform(shape, 0.0..classes as f64).floor()
}

/// A model with weights and states that are all different: gammas are not 1, moving means are not 0.
fn model(network: impl Into<Graph>, shape: impl Into<Inputs>) -> Model<f64> {
    let mut model = Model::<f64>::build_as(network, shape, 7).unwrap();
    for (index, param) in model.params_mut().iter_mut().enumerate() {
        param.value = &param.value + &(draw(index as u64, param.value.shape()).abs() * 0.2);
    }
    model
}

const CUTS: &[&[usize]] = &[&[7], &[3, 4], &[1, 1, 5], &[2, 2, 2, 1], &[1, 1, 1, 1, 1, 1, 1]];

#[test]
fn a_dense_network() {
    let network = Sequential::new()
        .add(Dense::new(5).activation(Activation::Relu))
        .add(LayerNormalization::new())
        .add(Dense::new(3).activation(Activation::Softmax));
    let model = model(network, [4]);
    let batch = Batch::new(draw(1, &[7, 4]), labels(2, &[7], 3));
    check(&model, &batch, &SparseCategoricalCrossentropy::default(), CUTS);
    // A network without states comes to one merge, that of the losses.
    assert_eq!(in_shards(&model, &batch, &SparseCategoricalCrossentropy::default(), &[3, 4]).1, 1);
    // Keras's mean of weighted losses is over the number of samples, whatever the weights add up to.
    let batch = batch.weighted(Tensor::from([0.5, 3.0, 0.0, 1.0, 0.0, 0.0, 0.25]));
    check(&model, &batch, &SparseCategoricalCrossentropy::default(), CUTS);
}

#[test]
fn losses_of_all_kinds() {
    let positive = |seed: u64| {
        let x = draw(seed, &[7, 3]).exp();
        &x / &x.sum(gradus_tensor::keepdims(-1))
    };
    let network = || Sequential::new().add(Dense::new(3).activation(Activation::Softmax));
    let batch = Batch::new(draw(1, &[7, 4]), positive(2));
    let model = model(network(), [4]);
    check(&model, &batch, &MeanSquaredError, CUTS);
    check(&model, &batch, &Huber::default(), CUTS);
    check(&model, &batch, &KLDivergence, CUTS);
    check(&model, &batch, &CosineSimilarity, CUTS);
    check(&model, &batch, &Dice, CUTS);
    check(&model, &batch, &CategoricalFocalCrossentropy::default(), CUTS);
}

#[test]
fn batch_normalisation_is_that_of_the_whole_batch() {
    let normalizations = [
        BatchNormalization::new(),
        BatchNormalization::new().axis(1),
        BatchNormalization::new().axis(2).momentum(0.7),
        BatchNormalization::new().center(false),
        BatchNormalization::new().scale(false),
        BatchNormalization::new().center(false).scale(false).epsilon(0.1),
    ];
    for normalization in normalizations {
        for relu in [false, true] {
            let mut network = Sequential::new().add(Conv2D::new(4, 3)).add(normalization.clone());
            if relu {
                network = network.add(ReLU::new());
            }
            let network = network.add(Conv2D::new(2, 2)).add(BatchNormalization::new()).add(Flatten).add(Dense::new(2));
            let mut model = model(network, [6, 5, 2]);
            let batch = Batch::new(draw(1, &[7, 6, 5, 2]) + 5.0, draw(2, &[7, 2]));
            let whole = check(&model, &batch, &MeanSquaredError, CUTS);
            assert_eq!(whole.states.len(), 4);
            // Two merges of moments, two of sums in the sweep, one of losses: the states are merged already.
            assert_eq!(in_shards(&model, &batch, &MeanSquaredError, &[3, 4]).1, 5);
            model.freeze("1").unwrap();
            let whole = check(&model, &batch, &MeanSquaredError, CUTS);
            assert_eq!(whole.states.len(), 2);
        }
    }
}

#[test]
fn positions_that_are_padding_count_in_no_shard() {
    let network = || {
        Sequential::new()
            .add(Embedding::new(6, 3).mask_zero(true))
            .add(BatchNormalization::new())
            .add(Dense::new(4).activation(Activation::Tanh))
            .add(BatchNormalization::new().momentum(0.5))
            .add(Dense::new(3).activation(Activation::Softmax))
    };
    let mut model = model(network(), [5]);
    let loss = SparseCategoricalCrossentropy::default();
    let targets = labels(2, &[7, 5], 3);
    // The samples 3 to 5 have no position that is there.
    let ids = [
        [3, 1, 4, 0, 0],
        [2, 0, 1, 5, 0],
        [5, 5, 1, 2, 3],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0],
    ];
    let cuts = [CUTS, &[&[3, 3, 1], &[3, 2, 2]]].concat();
    let batch = Batch::new(Tensor::<i64>::from(ids), targets.clone());
    let whole = check(&model, &batch, &loss, &cuts);
    assert_eq!((whole.parts[0].counted, whole.states.len()), (12, 4));
    check(&model, &batch.weighted(draw(3, &[7]).abs()), &loss, &cuts);

    // Nothing at all is there: the moving statistics serve, and stay.
    let nothing = Batch::new(Tensor::<i64>::zeros([7, 5]), targets.clone());
    let whole = check(&model, &nothing, &loss, &cuts);
    assert_eq!((whole.loss, whole.parts[0].counted, whole.states.len()), (0.0, 0, 0));
    near("moving statistics", &whole.outputs[0], &model.predict(Tensor::<i64>::zeros([7, 5])).unwrap());

    model.freeze("1").unwrap();
    check(&model, &Batch::new(Tensor::<i64>::from(ids), targets), &loss, &cuts);
}

#[test]
fn outputs_with_losses_and_weights_of_their_own() {
    let mut graph = Graph::builder();
    let x = graph.input();
    let hidden = graph.add(Dense::new(5).activation(Activation::Tanh), [x]);
    let hidden = graph.add(BatchNormalization::new(), [hidden]);
    let price = graph.add_named("price", Dense::new(1).kernel_regularizer(Regularizer::L2(0.3)), [hidden]);
    let kind = graph.add_named("kind", Dense::new(3).activation(Activation::Softmax), [hidden]);
    let model = model(graph.outputs([price, kind]), [4]);
    let losses = Losses::new()
        .add("price", MeanSquaredError)
        .add("kind", SparseCategoricalCrossentropy::default().ignore_class(0))
        .weighted(0.3);
    // The first three samples have no kind that counts.
    let kinds = Tensor::from([0.0, 0.0, 0.0, 2.0, 0.0, 1.0, 2.0]);
    let batch = Batch::new(draw(1, &[7, 4]), (draw(2, &[7, 1]), kinds));
    let whole = check(&model, &batch, &losses, CUTS);
    assert_eq!((whole.parts[0].counted, whole.parts[1].counted), (7, 3));
    check(&model, &batch.weighted(draw(3, &[7]).abs()), &losses, CUTS);
    // One loss of all outputs.
    let batch = Batch::new(draw(1, &[7, 4]), (draw(2, &[7, 1]), draw(3, &[7, 3]).abs()));
    check(&model, &batch, &MeanAbsoluteError, CUTS);
}

#[test]
fn a_class_without_a_loss_may_be_all_that_a_shard_has() {
    let network = Sequential::new().add(Dense::new(3).activation(Activation::Softmax));
    let model = model(network, [4]);
    let loss = SparseCategoricalCrossentropy::default().ignore_class(1);
    for (kinds, counted) in [([0.0, 1.0, 1.0, 1.0, 2.0, 1.0, 1.0], 2), ([1.0; 7], 0)] {
        let batch = Batch::new(draw(1, &[7, 4]), Tensor::from(kinds));
        assert_eq!(check(&model, &batch, &loss, CUTS).parts[0].counted, counted);
    }
}

#[test]
fn penalties_count_once() {
    let network = Sequential::new()
        .add(Dense::new(5).kernel_regularizer(Regularizer::L2(0.1)).bias_regularizer(Regularizer::L1(0.2)))
        .add(Dense::new(2).kernel_regularizer(Regularizer::L1L2 { l1: 0.3, l2: 0.1 }));
    let model = model(network, [4]);
    let batch = Batch::new(draw(1, &[7, 4]), draw(2, &[7, 2]));
    let whole = check(&model, &batch, &MeanSquaredError, CUTS);
    assert!(whole.loss > whole.parts[0].loss + 0.1);
}

/// The mean of (a - b)^2 of two outputs, which has one loss: [`Objective::terms`] is the default.
#[derive(Debug)]
struct Agreement;

impl<T: Float> Objective<T> for Agreement {
    fn total(&self, scored: &[Scored<'_, T>], _weights: Option<&Tensor<T>>) -> Result<Total<T>> {
        let [a, b] = scored else { panic!("two outputs") };
        let loss = (a.outputs - b.outputs).square().mean(..);
        let part = |one: &Scored<'_, T>| OutputLoss {
            output: one.name.to_owned(),
            loss: loss.value().item(),
            counted: one.targets.shape()[0],
            weight: 0.5,
        };
        let parts = scored.iter().map(part).collect();
        Ok(Total { loss, parts })
    }
}

/// The mean over targets that are not 0, which says how many these are.
#[derive(Debug)]
struct OfSome;

impl<T: Float> Objective<T> for OfSome {
    fn total(&self, scored: &[Scored<'_, T>], weights: Option<&Tensor<T>>) -> Result<Total<T>> {
        self.terms(scored, weights)?.total()
    }

    fn terms(&self, scored: &[Scored<'_, T>], _weights: Option<&Tensor<T>>) -> Result<Terms<T>> {
        let [one] = scored else { panic!("one output") };
        let counts = one.targets.not_equal(T::ZERO).to::<T>();
        let counted = counts.sum(..).item().as_f64() as usize;
        let loss = ((one.outputs - one.targets).square() * &counts).sum(..) / T::of(counted.max(1) as f64);
        let part = OutputLoss { output: "0".to_owned(), loss: loss.value().item(), counted, weight: 1.0 };
        Ok(Terms { list: vec![Term { loss, counted, weight: 1.0 }], parts: vec![part] })
    }
}

#[test]
fn objectives_of_ones_own() {
    let mut graph = Graph::builder();
    let x = graph.input();
    let a = graph.add(Dense::new(2), [x]);
    let b = graph.add(Dense::new(2).activation(Activation::Tanh), [x]);
    let two = model(graph.outputs([a, b]), [4]);
    check(&two, &Batch::new(draw(1, &[7, 4]), (draw(2, &[7, 2]), draw(3, &[7, 2]))), &Agreement, CUTS);

    let one = model(Sequential::new().add(Dense::new(2)), [4]);
    let targets = labels(2, &[7, 2], 2);
    assert!((3..12).contains(&(targets.sum(..).item() as usize)));
    check(&one, &Batch::new(draw(1, &[7, 4]), targets), &OfSome, CUTS);
}

/// Keeps the mean of its inputs, knows nothing of shards, and updates only where an input is not negative.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeepsMean {
    only_not_negative: bool,
}

impl Layer for KeepsMean {
    const KIND: &'static str = "KeepsMean";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let shape = build.input()?.clone();
        let state = build.state("mean", Tensor::zeros(&shape))?;
        let steps = build.state("steps", Tensor::zeros([]))?;
        let always = !self.only_not_negative;
        Ok(Built::new(shape, move |context, x| {
            if context.training().is_some() && (always || x.value().min(..).item() >= T::ZERO) {
                context.update(state, x.value().mean(0));
                context.update(steps, context.state(steps) + T::ONE);
            }
            x.clone()
        }))
    }
}

#[test]
fn states_of_layers_that_know_nothing_of_shards_are_averaged_over_samples() {
    let network = |only_not_negative| {
        Sequential::new().add(KeepsMean { only_not_negative }).add(BatchNormalization::new()).add(Dense::new(2))
    };
    let averaging = model(network(false), [4]);
    let batch = Batch::new(draw(1, &[7, 4]), draw(2, &[7, 2]));
    // The whole batch gives its states in another order.
    let (found, _) = in_shards(&averaging, &batch, &MeanSquaredError, &[1, 2, 4]);
    let inputs = draw(1, &[7, 4]);
    for found in found {
        let states: Vec<_> = found.unwrap().unwrap().0.states.into_iter().collect();
        let of = |index: usize| &states.iter().find(|(state, _)| *state == index).unwrap().1;
        assert_eq!(states.len(), 4);
        near("mean", of(0), &inputs.mean(0));
        near("steps", of(1), &(&averaging.params()[1].value + 1.0));
    }

    // Only the samples 1 and 2, a shard, and 5 and 6 have no negative input; by hand, rows of these numbers.
    let rows = Tensor::from([[-1.0], [2.0], [4.0], [-1.0], [-1.0], [12.0], [10.0]]).broadcast_to([7, 4]);
    let skipping = model(network(true), [4]);
    let batch = Batch::new(rows.contiguous(), draw(2, &[7, 2]));
    for (cut, mean) in [(&[1, 2, 4][..], Some(3.0)), (&[1, 2, 2, 2], Some(7.0)), (&[1, 1, 5], Some(2.0)), (&[7], None)]
    {
        for found in in_shards(&skipping, &batch, &MeanSquaredError, cut).0 {
            let states: Vec<_> = found.unwrap().unwrap().0.states.into_iter().collect();
            let found = states.iter().find(|(state, _)| *state == 0).map(|(_, found)| found.clone());
            assert_eq!(found, mean.map(|mean| Tensor::full([4], mean)), "{cut:?}");
        }
    }
}

/// x - mean of the batch, as a constant, which is its state, too.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Center;

#[allow(clippy::ptr_arg)] // It is a `Merge`.
fn add(left: &mut Vec<f64>, right: &[f64]) {
    left.iter_mut().zip(right).for_each(|(left, right)| *left += right);
}

impl Layer for Center {
    const KIND: &'static str = "Center";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let shape = build.input()?.clone();
        let state = build.state("mean", Tensor::zeros(&shape))?;
        Ok(Built::new(shape, move |context, x| {
            if context.training().is_none() {
                return x - context.weight(state).value();
            }
            let mut numbers = vec![x.shape()[0] as f64];
            numbers.extend(x.value().sum(0).iter().map(T::as_f64));
            if let Some(shard) = context.shard() {
                numbers = shard.merge(numbers, add);
            }
            let mean: Tensor<T> = numbers[1..].iter().map(|sum| T::of(sum / numbers[0])).collect();
            context.update_of_batch(state, mean.clone());
            x - &mean
        }))
    }
}

#[test]
fn a_layer_of_ones_own_asks_the_other_shards() {
    let network = Sequential::new().add(Dense::new(3)).add(Center).add(ReLU::new()).add(Dense::new(2));
    let model = model(network, [4]);
    let batch = Batch::new(draw(1, &[7, 4]), draw(2, &[7, 2]));
    let whole = check(&model, &batch, &MeanSquaredError, CUTS);
    assert_eq!(whole.states.len(), 1);
    // Its own merge, and that of the losses: its state is the batch's already.
    assert_eq!(in_shards(&model, &batch, &MeanSquaredError, &[3, 4]).1, 2);
}

#[test]
fn a_shard_with_an_error_says_so_and_the_others_unwind() {
    let network = || {
        Sequential::new()
            .add(Dense::new(5))
            .add(BatchNormalization::new())
            .add(Dense::new(3).activation(Activation::Softmax))
    };
    let model = model(network(), [4]);
    // The sixth sample has a class that is none of three.
    let targets = Tensor::from([0.0, 1.0, 2.0, 0.0, 1.0, 3.0, 2.0]);
    let batch = Batch::new(draw(1, &[7, 4]), targets);
    let loss = SparseCategoricalCrossentropy::default();
    let whole = model.grad(batch.inputs.clone(), batch.targets.clone(), None, &loss, &mut Generator::new(0));
    let message = whole.err().unwrap().to_string();
    assert!(message.contains("found 3 at element"), "{message}");
    let (found, _) = in_shards(&model, &batch, &loss, &[2, 2, 3]);
    for (place, found) in found.into_iter().enumerate() {
        match (place, found) {
            (2, Ok(Err(error))) => assert!(error.to_string().contains("found 3 at element"), "{error}"),
            (0 | 1, Err(panic)) => assert_eq!(panic, LEFT),
            (place, found) => panic!("shard {place}: {:?}", found.map(|found| found.map(|_| ()))),
        }
    }
}

#[test]
fn shards_that_come_to_different_merges_are_told() {
    /// Merges more numbers where its samples are large.
    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct Uneven;

    impl Layer for Uneven {
        const KIND: &'static str = "Uneven";

        fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
            Ok(Built::new(build.input()?, |context, x| {
                if let Some(shard) = context.shard().filter(|_| x.value().max(..).item() > T::of(100.0)) {
                    _ = shard.merge(vec![0.0; 50], add);
                }
                x.clone()
            }))
        }
    }

    let model = model(Sequential::new().add(Uneven).add(BatchNormalization::new()).add(Dense::new(1)), [1]);
    let batch = Batch::new(Tensor::from([[1.0], [2.0], [200.0], [1.0]]), draw(1, &[4, 1]));
    let (found, _) = in_shards(&model, &batch, &MeanSquaredError, &[2, 2]);
    let messages: Vec<_> = found.into_iter().filter_map(|found| found.err()).collect();
    let told = |message: &String| message.contains("different merges");
    assert!(messages.iter().any(told), "{messages:?}");
}

#[test]
fn single_precision_gives_the_same_bits_in_all_shards() {
    let network = || {
        Sequential::new()
            .add(Dense::new(5))
            .add(BatchNormalization::new())
            .add(KeepsMean { only_not_negative: false })
            .add(Dense::new(2))
    };
    let model = Model::build(network(), [4], 3).unwrap();
    let (inputs, targets) = (draw(1, &[9, 4]).to::<f32>(), draw(2, &[9, 2]).to::<f32>());
    let whole = model.grad(&inputs, &targets, None, &MeanSquaredError, &mut Generator::new(0)).unwrap();
    let group = Group::new(2);
    let of_shard = |place: usize| {
        let rows = [0..2, 2..9][place].clone();
        let (inputs, targets) = (inputs.slice(0, rows.clone()), targets.slice(0, rows));
        let shard = group.shard(place);
        model
            .grad_of_shard(inputs, targets, None, &MeanSquaredError, &mut Generator::new(0), &shard, |_, _| ())
            .unwrap()
    };
    let [first, second] = thread::scope(|scope| {
        let threads = [0, 1].map(|place| scope.spawn(move || of_shard(place)));
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(first.loss, second.loss);
    assert!(first.states.iter().eq(second.states.iter()));
    assert!((first.loss - whole.loss).abs() < 1e-5 * whole.loss);
}
