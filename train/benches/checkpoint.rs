//! What checkpoints cost: epochs of the MNIST network with a checkpoint every 100 steps, beside epochs without.
//!
//!     cargo bench -p gradus-train --bench checkpoint
//!
//! Each ratio is of the medians of epochs done in turn. The end of the run, at which training waits for the last file, is
//! part of it.

use std::fs;
use std::path::Path;
use std::time::Instant;

use gradus_datasets::{Dataset, mnist};
use gradus_nn::losses::CategoricalCrossentropy;
use gradus_nn::{Activation, Dense, Flatten, Model, Sequential};
use gradus_optim::Adam;
use gradus_train::callbacks::Checkpoint;
use gradus_train::{Fit, Trainer};

const ROUNDS: usize = 15;

fn main() {
    let pixels_and_classes = mnist::load().unwrap().map_inputs(|x| x.to::<f32>() / 255.0).to_categorical(10).unwrap();
    let (data, _) = pixels_and_classes.split();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for threads in [1, threads] {
        let pool = rayon_core::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        // Outside a pool on all threads, as any program runs.
        let epoch = |steps| match threads {
            1 => pool.install(|| epoch(&data, steps)),
            _ => epoch(&data, steps),
        };
        let mut seconds = [None, Some(100), Some(10)].map(|steps| (steps, Vec::new()));
        for _ in 0..ROUNDS {
            seconds.iter_mut().for_each(|(steps, seconds)| seconds.push(epoch(*steps)));
        }
        let medians = seconds.map(|(_, mut seconds)| {
            seconds.sort_by(f64::total_cmp);
            seconds[seconds.len() / 2]
        });
        println!("{threads} threads: {:.3} s an epoch without checkpoints", medians[0]);
        println!("  every 100 steps {:.3} x", medians[1] / medians[0]);
        println!("  every 10 steps  {:.3} x", medians[2] / medians[0]);
    }
}

/// The seconds that an epoch takes with a checkpoint whenever so many steps are done.
fn epoch(data: &Dataset, steps: Option<u64>) -> f64 {
    let network = Sequential::new()
        .add(Flatten)
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax));
    let model = Model::build(network, [28, 28], 1).unwrap();
    let mut trainer = Trainer::new(model, CategoricalCrossentropy::default(), Adam::default());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("checkpoints-bench");
    _ = fs::remove_dir_all(&folder);
    let mut fit = Fit { verbose: false, ..Fit::default() };
    if let Some(steps) = steps {
        fit = fit.callback(Checkpoint::new(folder).every_steps(steps));
    }
    let start = Instant::now();
    trainer.fit(data, fit).unwrap();
    start.elapsed().as_secs_f64()
}
