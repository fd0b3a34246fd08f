//! What training asks of the system's allocator: no tensor memory, nothing else that is large, and nothing that it
//! keeps.
#![allow(unsafe_code)] // Only an allocator can count what is allocated; this one adds nothing but counters.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gradus_datasets::Dataset;
use gradus_nn::losses::{MeanSquaredError, SparseCategoricalCrossentropy};
use gradus_nn::{
    Activation, AveragePooling2D, BatchNorm, Conv2D, Dense, DepthwiseConv2D, Dropout, Flatten, Loss, MaxPooling2D,
    Model, Padding, Reshape, Residual, Sequential,
};
use gradus_optim::{Adam, Optimizer};
use gradus_tensor::{Element, Generator, Tensor};
use gradus_train::train_step;

/// Tensor buffers begin at cache lines; nothing else here does.
const TENSOR_ALIGNMENT: usize = 64;
/// Larger tensor buffers must be recycled ones.
const LARGE_TENSOR: usize = 1 << 10;
/// Other requests of this size are large: the tape's list of the ops in a step, the largest, takes some 6 KiB.
const LARGE: usize = 1 << 13;

static TENSORS: AtomicUsize = AtomicUsize::new(0);
static OTHERS: AtomicUsize = AtomicUsize::new(0);
static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);

struct Counting;

fn count(bytes: usize, align: usize) {
    LIVE_BYTES.fetch_add(bytes, Relaxed);
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

    fn step<Y: Element>(&mut self, inputs: &Tensor, targets: &Tensor<Y>) {
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
        .add(BatchNorm::new())
        .add(Activation::Relu)
        .add(AveragePooling2D::new([2, 2]))
        .add(Flatten)
        .add(Dropout::new(0.5))
        .add(Dense::new(10).activation(Activation::Softmax));
    let (_, data) = mnist();
    (Training::new(network, &[28, 28], SparseCategoricalCrossentropy::default()), data)
}

#[test]
fn a_warm_step_takes_no_large_memory() {
    warm_steps(mnist());
}

#[test]
fn a_warm_step_of_convolutions_takes_no_large_memory() {
    warm_steps(convnet());
}

fn warm_steps((mut training, data): (Training<SparseCategoricalCrossentropy>, Dataset<f32, u8>)) {
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
