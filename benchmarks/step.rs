//! What the Rust peers share to time a training step: the command line, the clock and the report, as in `step.py`.

// Each peer uses its part of this file.
#![allow(dead_code)]

use std::fmt::Display;
use std::time::Instant;

use crate::common::{Random, WEIGHT_DECAY, peak_mib};

/// A window is so many passes over the batches that it takes this long, so that the clock's own grain does not count.
const WINDOW_SECONDS: f64 = 0.1;
const WINDOWS: usize = 3;

/// `--network NAME --setting NAME --seconds S --seed N`.
pub struct Options {
    pub network: String,
    /// Which way of writing it, where a peer has several; empty for its only or first one.
    pub setting: String,
    /// Windows are timed for so long, after two passes to warm up.
    pub seconds: f64,
    pub seed: u64,
}

impl Options {
    pub fn parse() -> Self {
        let mut options = Self { network: String::new(), setting: String::new(), seconds: 2.0, seed: 0 };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().unwrap_or_else(|| panic!("{name} wants a value"));
            match name.as_str() {
                "--network" => options.network = value,
                "--setting" => options.setting = value,
                "--seconds" => options.seconds = value.parse().expect("--seconds wants a number"),
                "--seed" => options.seed = value.parse().expect("--seed wants a number"),
                _ => panic!("{name} is not an option: --network, --setting, --seconds, --seed"),
            }
        }
        options
    }
}

/// So many random ids from 0 to `most`, which it excludes, for the peers that bring no generator.
pub fn ids(random: &mut Random, count: usize, most: u64) -> Vec<u32> {
    (0..count).map(|_| (random.next() % most) as u32).collect()
}

/// A network over rows of ids, as in `networks.py`, for the peers that build their own from it.
#[derive(Clone, Copy)]
pub struct Sequences {
    pub layers: Layers,
    pub ids: usize,
    pub classes: usize,
    /// Of the row of an id, and of the layers behind it.
    pub width: usize,
    pub batch: usize,
    pub positions: usize,
    /// Of a sample: one, or one for each position.
    pub targets: usize,
    /// Batches in memory, which a pass goes through.
    pub steps: usize,
    /// Of AdamW; 0 for Adam.
    pub decay: f64,
}

/// What stands between the embedding and the scores.
#[derive(Clone, Copy, PartialEq)]
pub enum Layers {
    Lstm,
    Gru,
    /// Learned positions, blocks of a GPT and a layer normalisation.
    Gpt {
        blocks: usize,
        heads: usize,
    },
}

impl Sequences {
    pub fn named(name: &str) -> Option<Self> {
        let recurrent = Self {
            layers: Layers::Lstm,
            ids: 20_000,
            classes: 10,
            width: 128,
            batch: 32,
            positions: 80,
            targets: 1,
            steps: 8,
            decay: 0.0,
        };
        match name {
            "lstm" => Some(recurrent),
            "gru" => Some(Self { layers: Layers::Gru, ..recurrent }),
            "gpt" => Some(Self {
                layers: Layers::Gpt { blocks: 4, heads: 4 },
                ids: 256,
                classes: 256,
                batch: 16,
                positions: 128,
                targets: 128,
                steps: 4,
                decay: WEIGHT_DECAY,
                ..recurrent
            }),
            _ => None,
        }
    }

    /// Random ids and targets of each batch.
    pub fn batches(&self, seed: u64) -> Vec<(Vec<u32>, Vec<u32>)> {
        let mut random = Random(seed);
        let mut batch = || {
            let x = ids(&mut random, self.batch * self.positions, self.ids as u64);
            (x, ids(&mut random, self.batch * self.targets, self.classes as u64))
        };
        (0..self.steps).map(|_| batch()).collect()
    }
}

/// Numbers from -2 to 2, evenly drawn: those of `kernels.py`.
pub fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut random = Random(seed);
    (0..count).map(|_| (random.next() >> 40) as f32 / (1 << 22) as f32 - 2.0).collect()
}

/// Samples, positions, heads and the length of a query of an attention that is timed alone, and whether it is causal; as in
/// `networks.py`.
pub fn attention_named(name: &str) -> Option<([usize; 4], bool)> {
    match name {
        "attention" => Some(([1, 2048, 8, 64], false)),
        "attention_causal" => Some(([1, 2048, 8, 64], true)),
        "attention_short" => Some(([16, 128, 4, 32], true)),
        _ => None,
    }
}

/// The sizes of the CTC loss that is timed alone, as in `networks.py`.
pub mod ctc {
    use super::Random;

    pub const SAMPLES: usize = 32;
    pub const FRAMES: usize = 200;
    pub const CLASSES: usize = 30;
    pub const LABELS: usize = 40;

    /// A row of classes for each sample, without the blank: those of `kernels.py`.
    pub fn labels(seed: u64) -> Vec<u64> {
        let mut random = Random(seed);
        (0..SAMPLES * LABELS).map(|_| random.next() % (CLASSES as u64 - 1) + 1).collect()
    }
}

/// Times `call`, which computes an op and returns its gradients, and reports. `numbers` reads a gradient.
pub fn time_calls<G>(
    options: &Options,
    version: &str,
    mut call: impl FnMut() -> Vec<G>,
    numbers: impl Fn(G) -> Vec<f32>,
) {
    let windows = time_steps(options, 1, || {
        std::hint::black_box(call());
        vec![0.0]
    });
    let peak_mib = peak_mib();
    let mean = |numbers: Vec<f32>| numbers.iter().map(|x| f64::from(x.abs())).sum::<f64>() / numbers.len() as f64;
    let means: Vec<f64> = call().into_iter().map(|gradient| mean(numbers(gradient))).collect();
    print_line(version, "result", means.iter().sum::<f64>() / means.len() as f64, &windows, peak_mib);
}

/// Milliseconds a step, of each window. `one_pass` trains on each of the `steps` batches and returns the losses.
pub fn time_steps(options: &Options, steps: usize, mut one_pass: impl FnMut() -> Vec<f32>) -> Vec<f64> {
    let mut seconds = |passes: usize| {
        let start = Instant::now();
        for _ in 0..passes {
            let losses = one_pass();
            assert!(losses.len() == steps && losses.iter().all(|loss| loss.is_finite()));
        }
        start.elapsed().as_secs_f64()
    };
    seconds(1);
    let passes = (WINDOW_SECONDS / seconds(1)).ceil() as usize;
    let (mut windows, start) = (Vec::new(), Instant::now());
    while windows.len() < WINDOWS || start.elapsed().as_secs_f64() < options.seconds {
        windows.push(seconds(passes) * 1e3 / (passes * steps) as f64);
    }
    windows
}

/// Prints the one line of JSON that `run.py` reads of a training step.
pub fn report(version: &str, parameters: usize, windows: &[f64]) {
    print_line(version, "parameters", parameters, windows, peak_mib());
}

fn print_line(version: &str, key: &str, checked: impl Display, windows: &[f64], peak_mib: f64) {
    println!(
        "{{\"version\": \"{version}\", \"{key}\": {checked}, \"steps_ms\": {windows:?}, \"peak_mib\": {peak_mib:.1}}}"
    );
}
