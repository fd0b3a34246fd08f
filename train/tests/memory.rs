//! What training asks of the system's allocator: nothing large, and nothing that it keeps.
#![allow(unsafe_code)] // Only an allocator can count what is allocated; this one adds nothing but counters.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use gradus_datasets::Dataset;
use gradus_nn::losses::{MeanSquaredError, SparseCategoricalCrossentropy};
use gradus_nn::{Activation, Dense, Flatten, Loss, Model, Sequential};
use gradus_optim::{Adam, Optimizer};
use gradus_tensor::{Element, Generator, Tensor};
use gradus_train::train_step;

/// Larger requests are counted: no tensor worth recycling is smaller.
const LARGE: usize = 1024;

static LARGE_REQUESTS: AtomicUsize = AtomicUsize::new(0);
static LARGEST: AtomicUsize = AtomicUsize::new(0);
static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);

struct Counting;

fn count(bytes: usize) {
    LIVE_BYTES.fetch_add(bytes, Relaxed);
    if bytes > LARGE {
        LARGE_REQUESTS.fetch_add(1, Relaxed);
        LARGEST.fetch_max(bytes, Relaxed);
    }
}

// SAFETY: every call is handed on to the system's allocator unchanged, so its guarantees are those of this one.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
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
        count(size);
        // SAFETY: as above, and the caller keeps the contract of `realloc`.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The counters are the whole process's: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

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
        train_step(model, loss, optimizer, inputs, &targets.to(), None, generator).unwrap();
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

#[test]
fn a_warm_step_takes_no_large_memory() {
    let _alone = ALONE.lock().unwrap();
    let (mut training, data) = mnist();
    for (number, batch) in data.batches(32).shuffled(7).enumerate() {
        if number == 3 {
            LARGE_REQUESTS.store(0, Relaxed);
            LARGEST.store(0, Relaxed);
        }
        training.step(&batch.inputs, &batch.targets);
    }
    let (requests, largest) = (LARGE_REQUESTS.load(Relaxed), LARGEST.load(Relaxed));
    assert_eq!(requests, 0, "17 steps made {requests} requests of up to {largest} bytes");
}

#[test]
fn memory_stays_flat() {
    let _alone = ALONE.lock().unwrap();
    let network = Sequential::new().add(Dense::new(8).activation(Activation::Relu)).add(Dense::new(1));
    let mut training = Training::new(network, &[4], MeanSquaredError::default());
    let mut random = Generator::new(5);
    let data: Dataset = Dataset::new(random.normal([32, 4], 0.0, 1.0), random.normal([32, 1], 0.0, 1.0)).unwrap();
    let mut live = Vec::new();
    for epoch in 0..2000 {
        for batch in data.batches(32).shuffled(epoch) {
            training.step(&batch.inputs, &batch.targets);
        }
        live.push(LIVE_BYTES.load(Relaxed));
    }
    let (early, late) = (live[10], live[1999]);
    assert_eq!(early, late, "bytes after 11 and after 2,000 steps");
}

#[test]
fn no_step_copies_a_weight() {
    let _alone = ALONE.lock().unwrap();
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
