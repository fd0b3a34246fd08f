//! What training asks of the system's allocator: no tensor memory, nothing else that is large, and nothing that it
//! keeps.
#![allow(unsafe_code)] // Only an allocator can count what is allocated; this one adds nothing but counters.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gradus_datasets::Dataset;
use gradus_nn::losses::{MeanSquaredError, SparseCategoricalCrossentropy};
use gradus_nn::{
    Activation, AveragePooling2D, BatchNormalization, Conv2D, Dense, DepthwiseConv2D, Dropout, Embedding, Flatten, GRU,
    LSTM, Layer, LayerHandle, LayerNormalization, Loss, MaxPooling2D, Model, Padding, Reshape, Residual, Sequential,
    TokenAndPositionEmbedding, TransformerDecoder,
};
use gradus_optim::{Adam, Optimizer};
use gradus_tensor::{Attention, Element, Generator, Tensor};
use gradus_train::train_step;

/// Tensor buffers begin at cache lines; nothing else here does.
const TENSOR_ALIGNMENT: usize = 64;
/// Larger tensor buffers must be recycled ones.
const LARGE_TENSOR: usize = 1 << 10;
/// Other requests of this size are large: the tape's list of the ops in a step, the largest, takes some 12 KiB.
const LARGE: usize = 1 << 14;

static TENSORS: AtomicUsize = AtomicUsize::new(0);
static OTHERS: AtomicUsize = AtomicUsize::new(0);
static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);
static MOST_LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);

struct Counting;

fn count(bytes: usize, align: usize) {
    let live = LIVE_BYTES.fetch_add(bytes, Relaxed) + bytes;
    MOST_LIVE_BYTES.fetch_max(live, Relaxed);
    if align >= TENSOR_ALIGNMENT && bytes > LARGE_TENSOR {
        TENSORS.fetch_add(1, Relaxed);
    } else if bytes > LARGE {
        OTHERS.fetch_add(1, Relaxed);
    }
}

// SAFETY: every call is handed on to the system's allocator unchanged, so its guarantees are those of this one.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), layout.align());
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), layout.align());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the block came from `System`, as all of this allocator's do.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LIVE_BYTES.fetch_sub(layout.size(), Relaxed);
        count(size, layout.align());
        // SAFETY: as above, and the caller keeps the contract of `realloc`.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The counters are the whole process's: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A model in training.
struct Training<L> {
    model: Model,
    loss: L,
    optimizer: Optimizer<Adam>,
    generator: Generator,
}

impl<L: Loss> Training<L> {
    fn new(network: Sequential, input: &[usize], loss: L) -> Self {
        let model = Model::build(network, input, 1).unwrap();
        Training { model, loss, optimizer: Adam::default().into(), generator: Generator::new(2) }
    }

    fn step<X: Element, Y: Element>(&mut self, inputs: &Tensor<X>, targets: &Tensor<Y>) {
        let Training { model, loss, optimizer, generator } = self;
        train_step(model, loss, optimizer, inputs, targets, None, generator).unwrap();
    }
}

/// The network of MNIST, and random data in its shapes.
fn mnist() -> (Training<SparseCategoricalCrossentropy>, Dataset<f32, u8>) {
    let network = Sequential::new()
        .add(Flatten)
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax));
    let mut random = Generator::new(5);
    let labels = random.integers([640], 0..10).to::<u8>();
    let data = Dataset::new(random.uniform([640, 28, 28], 0.0..1.0), labels).unwrap();
    (Training::new(network, &[28, 28], SparseCategoricalCrossentropy::default()), data)
}

/// Keras's simple convnet, with a batch normalisation, a depthwise convolution and a way around besides.
fn convnet() -> (Training<SparseCategoricalCrossentropy>, Dataset<f32, u8>) {
    let network = Sequential::new()
        .add(Reshape::new([28, 28, 1]))
        .add(Conv2D::new(32, [3, 3]).activation(Activation::Relu))
        .add(MaxPooling2D::new([2, 2]))
        .add(Residual::new(DepthwiseConv2D::new([3, 3]).padding(Padding::Same)))
        .add(Conv2D::new(64, [3, 3]).use_bias(false))
        .add(BatchNormalization::new())
        .add(Activation::Relu)
        .add(AveragePooling2D::new([2, 2]))
        .add(Flatten)
        .add(Dropout::new(0.5))
        .add(Dense::new(10).activation(Activation::Softmax));
    let (_, data) = mnist();
    (Training::new(network, &[28, 28], SparseCategoricalCrossentropy::default()), data)
}

/// Rows of ids and their classes: one, or one for each position.
fn sequences(network: Sequential, classes: &[usize]) -> (Training<SparseCategoricalCrossentropy>, Dataset<i64, u8>) {
    let mut random = Generator::new(5);
    let inputs = random.integers([640, 24], 0..50);
    let labels = random.integers([&[640], classes].concat(), 0..10).to::<u8>();
    let data = Dataset::new(inputs, labels).unwrap();
    (Training::new(network, &[24], SparseCategoricalCrossentropy::default().from_logits(true)), data)
}

fn recurrent(layer: impl Layer) -> (Training<SparseCategoricalCrossentropy>, Dataset<i64, u8>) {
    let layers = Sequential::new().add(Embedding::new(50, 32)).add(&LayerHandle::new(layer)).add(Dense::new(10));
    sequences(layers, &[])
}

fn gpt() -> (Training<SparseCategoricalCrossentropy>, Dataset<i64, u8>) {
    let block = TransformerDecoder::new(64, 2).activation(Activation::GeluTanh).normalize_first(true);
    let layers = Sequential::new()
        .add(TokenAndPositionEmbedding::new(50, 24, 32))
        .add(block)
        .add(LayerNormalization::new())
        .add(Dense::new(10));
    sequences(layers, &[24])
}

#[test]
fn a_warm_step_takes_no_large_memory() {
    warm_steps(mnist());
}

#[test]
fn a_warm_step_of_convolutions_takes_no_large_memory() {
    warm_steps(convnet());
}

#[test]
fn a_warm_step_of_recurrent_layers_takes_no_large_memory() {
    warm_steps(recurrent(LSTM::new(32)));
    warm_steps(recurrent(GRU::new(32)));
}

#[test]
fn a_warm_step_of_a_gpt_takes_no_large_memory() {
    warm_steps(gpt());
}

fn warm_steps<X: Element>((mut training, data): (Training<SparseCategoricalCrossentropy>, Dataset<X, u8>)) {
    let _alone = alone();
    let (mut first, mut taking) = (0, 0);
    for (number, batch) in data.batches(32).shuffled(7).enumerate() {
        if number == 3 {
            assert!(first > 0, "the first steps take tensor memory, and it is recognised");
            OTHERS.store(0, Relaxed);
        }
        TENSORS.store(0, Relaxed);
        training.step(&batch.inputs, &batch.targets);
        let taken = TENSORS.load(Relaxed);
        if number < 3 { first += taken } else { taking += usize::from(taken > 0) }
    }
    // Two threads may need scratch at the same time for the first time later than in the first steps.
    assert!(taking <= 2, "{taking} of 17 steps took tensor buffers from the system");
    assert_eq!(OTHERS.load(Relaxed), 0, "other large requests of 17 steps");
}

#[test]
fn memory_stays_flat() {
    let _alone = alone();
    let network = Sequential::new().add(Dense::new(8).activation(Activation::Relu)).add(Dense::new(1));
    let mut training = Training::new(network, &[4], MeanSquaredError);
    let mut random = Generator::new(5);
    let data: Dataset = Dataset::new(random.normal([32, 4], 0.0, 1.0), random.normal([32, 1], 0.0, 1.0)).unwrap();
    let mut live = [0; 5];
    for (epoch, live) in live.iter_mut().enumerate() {
        for step in 0..500 {
            for batch in data.batches(32).shuffled(500 * epoch as u64 + step) {
                training.step(&batch.inputs, &batch.targets);
            }
        }
        *live = LIVE_BYTES.load(Relaxed);
    }
    // The other tests' threads come and go meanwhile, but not all the time: a leak shows in every stretch, and adds up.
    assert!(live.windows(2).any(|pair| pair[1] <= pair[0]), "bytes after every 500 steps: {live:?}");
    assert!(live[4] < live[0] + 16 * 2000, "bytes after every 500 steps: {live:?}");
}

#[test]
fn attention_takes_memory_in_proportion_to_its_length() {
    let _alone = alone();
    let (heads, length) = (2, 64);
    // Bytes as a multiple of those of an operand. The weights of one head would be 8 at 1024 steps and 32 at 4096.
    let taken = [1024, 2048, 4096].map(|steps| {
        let [q, k, v, g] =
            [1, 2, 3, 4].map(|seed| Generator::new(seed).normal::<f32>([1, steps, heads, length], 0.0, 1.0));
        let before = LIVE_BYTES.load(Relaxed);
        MOST_LIVE_BYTES.store(before, Relaxed);
        for causal in [false, true] {
            let how = Attention::new().causal(causal);
            let (y, sums) = q.attention(&k, &v, &how);
            drop(q.attention_gradient(&g, &k, &v, &how, &y, &sums));
        }
        (MOST_LIVE_BYTES.load(Relaxed) - before) as f64 / (size_of::<f32>() * steps * heads * length) as f64
    });
    assert!(taken[0] > 3.0, "the output and three gradients are new: {taken:?}");
    // At 4096 steps, the keys are cut into 8 parts, at 1024 into 6; each but the first has its gradient by the queries.
    assert!(taken[0] < 20.0 && taken[2] < taken[0] + 3.0, "the memory grows faster than the length: {taken:?}");
}

#[test]
fn no_step_copies_a_weight() {
    let _alone = alone();
    let (mut training, data) = mnist();
    let places = |model: &Model| -> Vec<_> {
        let elements = |value: &Tensor| value.as_slice().expect("weights are contiguous").as_ptr();
        model.params().iter().map(|param| elements(&param.value)).collect()
    };
    let before = places(&training.model);
    for batch in data.batches(32).shuffled(7) {
        training.step(&batch.inputs, &batch.targets);
        assert!(training.model.params().iter().all(|param| param.value.owns_elements()));
        assert_eq!(places(&training.model), before);
    }
}
