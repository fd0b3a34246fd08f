//! The command line, the clock and the report, as in `step.py`.

use std::time::Instant;

use crate::common::peak_mib;

/// A window is so many passes over the batches that it takes this long, so that the clock's own grain does not count.
const WINDOW_SECONDS: f64 = 0.1;
const WINDOWS: usize = 3;

/// `--network NAME --seconds S --seed N`.
pub struct Options {
    pub network: String,
    /// Windows are timed for so long, after two passes to warm up.
    pub seconds: f64,
    pub seed: u64,
}

impl Options {
    pub fn parse() -> Self {
        let mut options = Self { network: String::new(), seconds: 2.0, seed: 0 };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().unwrap_or_else(|| panic!("{name} wants a value"));
            match name.as_str() {
                "--network" => options.network = value,
                "--seconds" => options.seconds = value.parse().expect("--seconds wants a number"),
                "--seed" => options.seed = value.parse().expect("--seed wants a number"),
                _ => panic!("{name} is not an option: --network, --seconds, --seed"),
            }
        }
        options
    }
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

/// Prints the one line of JSON that `run.py` reads.
pub fn report(version: &str, parameters: usize, windows: &[f64]) {
    let peak_mib = peak_mib();
    println!(
        "{{\"version\": \"{version}\", \"parameters\": {parameters}, \"steps_ms\": {windows:?}, \"peak_mib\": {peak_mib:.1}}}"
    );
}
