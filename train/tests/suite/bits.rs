//! Same seed, same bits: for any number of threads, run after run, by `fit` or by a loop of one's own.
//!
//! The networks and their batches have MNIST's sizes, at which products, sums and updates are shared among threads.

use gradus_autograd::Params;
use gradus_datasets::Dataset;
use gradus_nn::losses::SparseCategoricalCrossentropy;
use gradus_nn::{
    Activation, AveragePooling2D, BatchNormalization, Conv2D, Dense, Dropout, Embedding, Flatten, GRU, LSTM, Layer,
    LayerHandle, LayerNormalization, MaxPooling2D, Model, Padding, Reshape, Residual, SeparableConv2D, SequenceStates,
    Sequential, TokenAndPositionEmbedding, TransformerDecoder,
};
use gradus_optim::{Adam, AdamW, IntoOptimizer, Optimizer};
use gradus_tensor::{Generator, Tensor};
use gradus_train::metrics::Accuracy;
use gradus_train::{Fit, History, Trainer, train_step};

const SEED: u64 = 3;
const BATCH: usize = 64;
const EPOCHS: usize = 2;

/// Images of noise, and labels that have nothing to do with them.
fn data() -> Dataset<f32, u8> {
    let mut random = Generator::new(5);
    let labels = random.integers([300], 0..10).to::<u8>();
    Dataset::new(random.uniform([300, 28, 28], 0.0..1.0), labels).unwrap()
}

fn model() -> Model {
    let network = Sequential::new()
        .add(Flatten)
        .add(Dense::new(256).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax));
    Model::build(network, [28, 28], 1).unwrap()
}

/// A network of everything that sees: windows, depthwise and across channels, poolings, norms, a way around.
fn seeing() -> Model {
    let inner = Sequential::new()
        .add(SeparableConv2D::new(32, [3, 3]).padding(Padding::Same))
        .add(BatchNormalization::new())
        .add(Activation::Relu);
    let network = Sequential::new()
        .add(Reshape::new([28, 28, 1]))
        .add(Conv2D::new(32, [3, 3]).activation(Activation::Relu))
        .add(MaxPooling2D::new([2, 2]))
        .add(Residual::new(inner))
        .add(Conv2D::new(48, [3, 3]).strides([2, 2]).padding(Padding::Same).use_bias(false))
        .add(BatchNormalization::new())
        .add(AveragePooling2D::new([2, 2]).padding(Padding::Same))
        .add(Flatten)
        .add(Dropout::new(0.5))
        .add(Dense::new(10).activation(Activation::Softmax));
    Model::build(network, [28, 28], 1).unwrap()
}

/// An embedding, a recurrent layer with dropout, and scores.
fn recurrent(layer: impl Layer) -> Model {
    let layer = LayerHandle::new(layer);
    let network = Sequential::new().add(Embedding::new(200, 64)).add(&layer).add(Dense::new(10));
    Model::build(network, [40], 1).unwrap()
}

/// A small GPT with scores of ten classes at each position.
fn gpt() -> Model {
    let block = || TransformerDecoder::new(1024, 4).normalize_first(true).dropout(0.1);
    let network = Sequential::new()
        .add(TokenAndPositionEmbedding::new(200, 40, 64))
        .add(block())
        .add(block())
        .add(LayerNormalization::new())
        .add(Dense::new(10));
    Model::build(network, [None], 1).unwrap()
}

/// The scores of a GPT that is given one id at a time.
fn read_one_by_one() -> Vec<Vec<u32>> {
    let (model, mut states) = (gpt(), SequenceStates::new());
    let mut scores = |id: i64| model.predict_next(Tensor::from([[id]]), &mut states).unwrap();
    (0..40).map(|id| scores(5 * id).iter().map(f32::to_bits).collect()).collect()
}

/// The weights after some steps of AdamW on rows of 40 ids, for one class a row or, with `each`, one a position.
fn train_on_sequences(mut model: Model, each: bool) -> Vec<Vec<u32>> {
    let loss = SparseCategoricalCrossentropy::default().from_logits(true);
    let mut adam = Optimizer::from(AdamW::default());
    let mut generator = Generator::new(SEED);
    let x = generator.integers([32, 40], 0..200);
    let y = generator.integers(if each { vec![32, 40] } else { vec![32] }, 0..10);
    for _ in 0..4 {
        train_step(&mut model, &loss, &mut adam, &x, &y, None, &mut generator).unwrap();
    }
    bits(model.params())
}

fn optimizer() -> Optimizer<Adam> {
    Adam::default().clip_global_norm(1.0)
}

/// The weights, bit by bit.
fn bits(params: &Params) -> Vec<Vec<u32>> {
    params.iter().map(|param| param.value.iter().map(f32::to_bits).collect()).collect()
}

/// The weights after training, and what was measured.
fn trained() -> (Vec<Vec<u32>>, History) {
    train(model())
}

fn train(model: Model) -> (Vec<Vec<u32>>, History) {
    let loss = SparseCategoricalCrossentropy::default();
    let mut trainer = Trainer::new(model, loss, optimizer()).metric(Accuracy::default()).seed(SEED);
    let fit = Fit { epochs: EPOCHS, batch_size: BATCH, validation_split: 0.2, verbose: false, ..Fit::default() };
    let history = trainer.fit(&data(), fit).unwrap();
    (bits(trainer.model().params()), history)
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    for model in [model, seeing] {
        let with_threads = |threads| {
            rayon_core::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| train(model()))
        };
        let expected = with_threads(1);
        for threads in [2, 3] {
            // Not assert_eq: a hundred thousand numbers are no message.
            assert!(with_threads(threads) == expected, "{threads} threads train other weights than one");
        }
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit_of_what_reads_sequences() {
    type Numbers = fn() -> Vec<Vec<u32>>;
    let numbers: [(&str, Numbers); 4] = [
        ("LSTM", || train_on_sequences(recurrent(LSTM::new(64).dropout(0.1).recurrent_dropout(0.1)), false)),
        ("GRU", || train_on_sequences(recurrent(GRU::new(64).dropout(0.1).recurrent_dropout(0.1)), false)),
        ("GPT", || train_on_sequences(gpt(), true)),
        ("GPT, one by one", read_one_by_one),
    ];
    for (name, numbers) in numbers {
        let with_threads =
            |threads| rayon_core::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(numbers);
        let expected = with_threads(1);
        for threads in [2, 3] {
            assert!(with_threads(threads) == expected, "{name}: {threads} threads compute other numbers than one");
        }
    }
}

#[test]
fn another_run_has_the_same_bits() {
    let (first, second) = (trained(), trained());
    assert!(first == second, "two runs train different weights");
    assert!(first.0 != bits(model().params()), "training must change the weights");
}

#[test]
fn a_loop_of_train_steps_is_what_fit_does() {
    let (data, mut model, mut optimizer) = (data(), model(), optimizer());
    let (train, _) = data.validation_split(0.2).unwrap();
    let loss = SparseCategoricalCrossentropy::default();
    let mut generator = Generator::new(SEED);
    let mut means = Vec::new();
    for _ in 0..EPOCHS {
        let mut total = 0.0;
        for batch in train.batches(BATCH).shuffled(generator.next_u64()) {
            let targets: Tensor = batch.targets.to();
            let step = train_step(&mut model, &loss, &mut optimizer, &batch.inputs, &targets, None, &mut generator);
            total += f64::from(step.unwrap().loss) * batch.len() as f64;
        }
        means.push(total / train.len() as f64);
    }
    let (weights, history) = trained();
    assert!(bits(model.params()) == weights, "fit trains other weights");
    assert_eq!(history.get("loss"), means);
}
