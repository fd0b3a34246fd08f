//! What the Rust peers share: the command line, the data, the clock and the report.
//!
//! Each peer includes this file as a module, so that its own file says only how that framework trains.

// Each peer uses its part of this file.
#![allow(dead_code)]

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use flate2::read::GzDecoder;

pub const PIXELS: usize = 28 * 28;
pub const CLASSES: usize = 10;
pub const HIDDEN: usize = 128;
pub const LEARNING_RATE: f64 = 1e-3;
/// Of AdamW.
pub const WEIGHT_DECAY: f64 = 0.01;

/// What is trained; README.md lists the layers.
#[derive(Clone, Copy, PartialEq)]
pub enum Network {
    Dense,
    Convnet,
}

impl Network {
    pub fn batch(self) -> usize {
        match self {
            Self::Dense => 32,
            Self::Convnet => 128,
        }
    }
}

/// The options that every peer takes: `--network dense|convnet --data FOLDER --epochs N --fraction F --seed N --setting NAME`.
pub struct Options {
    pub network: Network,
    pub data: PathBuf,
    /// Timed epochs, after one that is not.
    pub epochs: usize,
    /// The part of an epoch that is run, from 0 to 1; the time is scaled to a whole one.
    pub fraction: f64,
    pub seed: u64,
    /// Which way of writing it, where a peer has several; empty for its only or first one.
    pub setting: String,
}

impl Options {
    pub fn parse() -> Self {
        let mut options = Self {
            network: Network::Dense,
            data: "datasets/data/mnist".into(),
            epochs: 2,
            fraction: 1.0,
            seed: 0,
            setting: String::new(),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().unwrap_or_else(|| panic!("{name} wants a value"));
            match name.as_str() {
                "--network" => {
                    options.network = match value.as_str() {
                        "dense" => Network::Dense,
                        "convnet" => Network::Convnet,
                        _ => panic!("--network wants dense or convnet, not {value}"),
                    }
                }
                "--data" => options.data = value.into(),
                "--epochs" => options.epochs = value.parse().expect("--epochs wants a number"),
                "--fraction" => options.fraction = value.parse().expect("--fraction wants a number"),
                "--seed" => options.seed = value.parse().expect("--seed wants a number"),
                "--setting" => options.setting = value,
                _ => panic!("{name} is not an option: --network, --data, --epochs, --fraction, --seed, --setting"),
            }
        }
        options
    }

    /// How many of the `total` shuffled rows an epoch goes through: all, or whole batches of the first of them.
    pub fn rows(&self, total: usize) -> usize {
        let batch = self.network.batch();
        let steps = (total.div_ceil(batch) as f64 * self.fraction).round().max(1.0);
        (steps as usize * batch).min(total)
    }
}

/// Images as rows of 784 numbers in 0..=1, and their labels.
pub struct Split {
    pub images: Vec<f32>,
    pub labels: Vec<u8>,
}

impl Split {
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn image(&self, i: usize) -> &[f32] {
        &self.images[i * PIXELS..][..PIXELS]
    }

    /// The labels as rows of ten numbers, one of them 1.
    pub fn one_hot(&self) -> Vec<f32> {
        let mut rows = vec![0.0; self.len() * CLASSES];
        for (row, &label) in rows.chunks_exact_mut(CLASSES).zip(&self.labels) {
            row[label as usize] = 1.0;
        }
        rows
    }
}

pub fn mnist(folder: &Path) -> (Split, Split) {
    let split = |prefix: &str| Split {
        images: unzip(&folder.join(format!("{prefix}-images-idx3-ubyte.gz")))[16..]
            .iter()
            .map(|&byte| f32::from(byte) / 255.0)
            .collect(),
        labels: unzip(&folder.join(format!("{prefix}-labels-idx1-ubyte.gz")))[8..].to_vec(),
    };
    (split("train"), split("t10k"))
}

fn unzip(path: &Path) -> Vec<u8> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    GzDecoder::new(file).read_to_end(&mut bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    bytes
}

/// A small generator (SplitMix64) for the peers that bring none: it shuffles the rows of an epoch.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn shuffle(&mut self, rows: &mut [u32]) {
        for i in (1..rows.len()).rev() {
            rows.swap(i, (self.next() % (i as u64 + 1)) as usize);
        }
    }
}

/// What training was measured to take.
pub struct Training {
    /// Seconds of each timed epoch.
    pub epochs: Vec<f64>,
    /// The most memory that the process has had resident since its start, in MiB; 0 where the system does not say.
    pub peak_mib: f64,
}

/// Runs one epoch to warm up, then times those asked for. `epoch` is given how many rows of a fresh order to go through.
pub fn time_epochs(options: &Options, total: usize, mut epoch: impl FnMut(usize)) -> Training {
    let rows = options.rows(total);
    epoch(rows);
    let epochs = (0..options.epochs)
        .map(|_| {
            let start = Instant::now();
            epoch(rows);
            start.elapsed().as_secs_f64() * total as f64 / rows as f64
        })
        .collect();
    Training { epochs, peak_mib: peak_mib() }
}

pub fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// The median time of predicting one image, in microseconds.
pub fn time_predict(mut predict: impl FnMut(usize)) -> f64 {
    let mut times: Vec<f64> = (0..2_000)
        .map(|i| {
            let start = Instant::now();
            predict(i);
            start.elapsed().as_secs_f64() * 1e6
        })
        .skip(200)
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The share of images whose greatest of ten scores is at the label. `predict` is given a thousand images at once, and
/// returns their scores in a row.
pub fn accuracy(images: &[f32], labels: &[u8], predict: impl FnMut(&[f32]) -> Vec<f32>) -> f64 {
    let scores: Vec<f32> = images.chunks(1_000 * PIXELS).flat_map(predict).collect();
    let hits = scores
        .chunks_exact(CLASSES)
        .zip(labels)
        .filter(|&(row, &label)| {
            let best = (0..CLASSES).max_by(|&a, &b| row[a].total_cmp(&row[b]));
            best == Some(label as usize)
        })
        .count();
    hits as f64 / labels.len() as f64
}

/// Prints the one line of JSON that `run.py` reads.
pub fn report(version: &str, training: &Training, accuracy: f64, predict_us: f64) {
    let Training { epochs, peak_mib } = training;
    println!(
        "{{\"version\": \"{version}\", \"epochs\": {epochs:?}, \"peak_mib\": {peak_mib:.1}, \"accuracy\": {accuracy:.4}, \"predict_us\": {predict_us:.3}}}"
    );
}
