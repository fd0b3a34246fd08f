//! A run that is killed at any moment and run again ends with the same bytes as one that was left alone.
//!
//! A child process trains (`trainings.rs`), with checkpoints every few steps. This process kills it by SIGKILL at random
//! moments and starts it again until it ends. Then the file of the weights, the history, the CSV log and what TensorBoard sees must be, byte by byte,
//! those of a child without checkpoints that nobody killed, and the best checkpoint that of a child with checkpoints.
//!
//! The short form runs with the other tests. The long form kills at least 300 times:
//!
//!     cargo test --release -p gradus-train --test killed -- --ignored --nocapture at_least_300_times
#![cfg(unix)]

#[path = "../suite/common/events.rs"]
mod events;
mod trainings;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use gradus_tensor::Generator;
use trainings::{FOLDER, RESULTS, TRAINING};

/// The trainings, with the number of kills of each in the long form.
const TRAININGS: [(&str, usize); 21] = [
    ("dense", 48),
    ("convnet", 48),
    ("callbacks", 48),
    ("stream", 48),
    ("outputs", 24),
    ("double", 24),
    ("schedule", 24),
    ("settings", 24),
    ("adadelta", 12),
    ("adafactor", 12),
    ("adagrad", 12),
    ("adam", 12),
    ("adamw", 12),
    ("adamax", 12),
    ("lamb", 12),
    ("lion", 12),
    ("muon", 12),
    ("nadam", 12),
    ("rmsprop", 12),
    ("sgd", 12),
    ("momentum", 12),
];

#[test]
fn in_a_short_time() {
    for training in ["dense", "convnet", "callbacks", "stream", "outputs", "double", "settings"] {
        Trial::new(training, 2, "short").run(3);
    }
}

#[test]
#[ignore = "takes some minutes"]
fn at_least_300_times() {
    let mut places = BTreeMap::new();
    for (training, kills) in TRAININGS {
        for threads in [1, 2] {
            let kills = Trial::new(training, threads, "long").run(kills / 2);
            println!("{training} on {threads}: {kills:?}");
            kills.into_iter().for_each(|(place, count)| *places.entry(place).or_insert(0) += count);
        }
    }
    let all: usize = places.values().sum();
    println!("{all} kills: {places:?}");
    assert!(all >= 300);
}

/// The process that is killed; as a test it does nothing.
#[test]
#[ignore = "the process that the other tests kill"]
fn child() {
    if let (Ok(training), Some(folder)) = (std::env::var(TRAINING), std::env::var_os(FOLDER)) {
        trainings::run(&training, Path::new(&folder));
    }
}

/// A training that is killed, beside the same one that is not.
struct Trial {
    training: &'static str,
    threads: usize,
    folder: PathBuf,
    random: Generator,
}

impl Trial {
    fn new(training: &'static str, threads: usize, form: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("killed-{form}-{training}-{threads}"));
        _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("alone")).unwrap();
        fs::create_dir(folder.join("whole")).unwrap();
        Trial { training, threads, folder, random: Generator::new(threads as u64) }
    }

    /// Kills at least so many times, in as many runs as that takes, and one time at least in a step or while a checkpoint is
    /// written. Compares each run, and returns how often it was killed where.
    fn run(&mut self, kills: usize) -> BTreeMap<&'static str, usize> {
        let (alone, whole) = (self.folder.join("alone"), self.folder.join("whole"));
        let mut child = self.start(&alone);
        wait_until(&mut child, || has_begun(&alone));
        let start = Instant::now();
        self.finish(&mut child);
        let duration = start.elapsed();
        // Not killed, but with checkpoints, which change nothing.
        self.finish(&mut self.start(&whole));
        self.compare(&whole, &alone, 0);
        let best = Path::new("checkpoints/best.safetensors");
        assert_eq!(whole.join(best).exists(), ["dense", "callbacks"].contains(&self.training));
        let mut places = BTreeMap::new();
        let mut runs = 0;
        while left(&places, kills) > 0 {
            let folder = self.folder.join(format!("killed-{runs}"));
            fs::create_dir(&folder).unwrap();
            runs += 1;
            assert!(runs < 100, "{}: the runs end before they are killed: {places:?}", self.training);
            let mut here = 0;
            loop {
                let mut child = self.start(&folder);
                let left = left(&places, kills);
                if left == 0 {
                    self.finish(&mut child);
                    break;
                }
                let share = self.random.uniform::<f64>([1], 0.0..1.0).get([0]);
                let after = duration.mul_f64(share * if here < left { 0.6 } else { 1.2 });
                // At any moment of the training; of the start as well; while a checkpoint is written, which is a rare moment.
                if here % 3 != 1 {
                    wait_until(&mut child, || has_begun(&folder));
                }
                sleep(after);
                if here % 3 == 2 {
                    wait_until(&mut child, || is_written(&folder));
                    sleep(Duration::from_micros((share * 3000.0) as u64));
                }
                child.kill().unwrap();
                if child.wait().unwrap().success() {
                    break;
                }
                here += 1;
                *places.entry(place(&folder)).or_insert(0) += 1;
            }
            self.compare(&folder, &alone, here);
            if whole.join(best).exists() {
                self.compare_file(best, &folder, &whole, here);
            }
        }
        fs::remove_dir_all(&self.folder).unwrap();
        places
    }

    /// Compares the results of a run with those of one that was not killed.
    fn compare(&self, folder: &Path, expected: &Path, kills: usize) {
        RESULTS.iter().for_each(|result| self.compare_file(Path::new(result), folder, expected, kills));
    }

    fn compare_file(&self, file: &Path, folder: &Path, expected: &Path, kills: usize) {
        let read = |folder: &Path| fs::read(folder.join(file)).unwrap();
        assert!(
            read(folder) == read(expected),
            "{} of {} differs after {kills} kills: see {}",
            file.display(),
            self.training,
            self.folder.display()
        );
    }

    fn start(&self, folder: &Path) -> Child {
        _ = fs::remove_file(folder.join("place"));
        let log = File::create(folder.join("messages")).unwrap();
        Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--ignored", "--nocapture"])
            .env(TRAINING, self.training)
            .env(FOLDER, folder)
            .env("RAYON_NUM_THREADS", self.threads.to_string())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    fn finish(&self, child: &mut Child) {
        let status = child.wait().unwrap();
        assert!(status.success(), "{}: {status}; see the messages in {}", self.training, self.folder.display());
    }
}

/// Waits until something is true, or the child has ended.
fn wait_until(child: &mut Child, is_true: impl Fn() -> bool) {
    while child.try_wait().unwrap().is_none() && !is_true() {
        sleep(Duration::from_micros(100));
    }
}

/// How many kills are left to do.
fn left(places: &BTreeMap<&'static str, usize>, kills: usize) -> usize {
    let is_within = places.contains_key(STEP) || places.contains_key(WRITE);
    kills.saturating_sub(places.values().sum()).max(usize::from(!is_within))
}

/// Whether a checkpoint is being written, or was when the child was killed.
fn is_written(folder: &Path) -> bool {
    let is_unfinished = |entry: std::io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.path().extension() == Some("tmp".as_ref()))
    };
    fs::read_dir(folder.join("checkpoints")).is_ok_and(|mut files| files.any(is_unfinished))
}

/// Whether the child trains: then it has removed what was unfinished before.
fn has_begun(folder: &Path) -> bool {
    fs::metadata(folder.join("place")).is_ok_and(|file| file.len() > 0)
}

const STEP: &str = "in a training step";
const WRITE: &str = "while a checkpoint was written";

/// Where the child was that has been killed.
fn place(folder: &Path) -> &'static str {
    match fs::read(folder.join("place")).unwrap_or_default().first() {
        None => "before training",
        Some(_) if is_written(folder) => WRITE,
        Some(b'b') => STEP,
        Some(b'v') => "in the validation after an epoch",
        Some(b'e') => "between epochs",
        _ => "after training",
    }
}
