//! A training on a file that is larger than the memory which the process is allowed.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::Command;

use gradus_datasets::{Csv, DataSource};
use gradus_nn::losses::SparseCategoricalCrossentropy;
use gradus_nn::{Activation, Dense, Model, Sequential};
use gradus_optim::{Adam, IntoOptimizer};
use gradus_train::{Fit, Trainer};

/// The address space that the process may take, in kilobytes, and the size of the file.
const ALLOWED: u64 = 80_000;
const FILE_BYTES: u64 = 100_000_000;
const COLUMNS: usize = 100;
/// Says to the test within the limit what to read, and how.
const VARIABLE: &str = "GRADUS_TEST_LARGE_FILE";

/// A file of rows of numbers with two labels.
fn large_file() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-large.csv", std::process::id()));
    let mut file = BufWriter::new(File::create(&path).unwrap());
    let names: Vec<String> = (0..COLUMNS).map(|i| format!("x{i}")).collect();
    writeln!(file, "{},label", names.join(",")).unwrap();
    let rows = ["0.125,", "0.875,"].map(|number| number.repeat(COLUMNS));
    let row_bytes = rows[0].len() as u64 + 2;
    for row in 0..FILE_BYTES / row_bytes {
        let label = (row * 7 % 5 % 2) as usize;
        writeln!(file, "{}{label}", rows[label]).unwrap();
    }
    file.flush().unwrap();
    path
}

/// Runs the test `within_the_limit` in a process of its own, that may not take more memory; whether it passed, and what it said.
fn in_a_limited_process(path: &std::path::Path, how: &str) -> (bool, String) {
    let output = Command::new("sh")
        .args(["-c", "ulimit -v \"$0\" && exec \"$@\"", &ALLOWED.to_string()])
        .arg(std::env::current_exe().unwrap())
        .args(["within_the_limit", "--exact", "--nocapture", "--test-threads", "1"])
        .env(VARIABLE, format!("{how}:{}", path.display()))
        // Each thread of glibc reserves 64 MB of addresses that it does not use, unless it shares those of the first.
        .env("MALLOC_ARENA_MAX", "1")
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said)
}

#[test]
fn within_the_limit() {
    let Ok(task) = std::env::var(VARIABLE) else { return };
    let (how, path) = task.split_once(':').unwrap();
    let csv = Csv::open(path).unwrap().class_names(["0", "1"]);
    let data: Box<dyn DataSource> = match how {
        "stream" => Box::new(csv.classification_stream().unwrap().shuffle_buffer(1000)),
        "index" => Box::new(csv.classification_by_index().unwrap()),
        // A panic would print a backtrace, for which there may be no memory left, and hang.
        _ => match csv.classification() {
            Ok(data) => Box::new(data),
            Err(error) => {
                println!("{error}");
                std::process::exit(1);
            }
        },
    };
    let model =
        Model::build(Sequential::new().add(Dense::new(2).activation(Activation::Softmax)), [COLUMNS], 1).unwrap();
    let mut trainer =
        Trainer::new(model, SparseCategoricalCrossentropy::default(), Adam::default().learning_rate(0.01));
    let fit = Fit { batch_size: 256, prefetch: 2, verbose: false, ..Fit::default() };
    let history = trainer.fit(&*data, fit).unwrap();
    let loss = history.get("loss")[0];
    assert!(loss < 0.2, "{loss}");
    println!("trained {:?} samples", data.sample_count());
}

#[test]
fn a_file_larger_than_memory_is_trained_on() {
    let path = large_file();
    assert!(std::fs::metadata(&path).unwrap().len() > 1024 * ALLOWED);
    let rows = FILE_BYTES / (6 * COLUMNS as u64 + 2);
    for how in ["stream", "index"] {
        let (passed, said) = in_a_limited_process(&path, how);
        assert!(passed && said.contains(&format!("trained Some({rows}) samples")), "{how}: {said}");
    }
    // The limit is real: the whole file does not fit.
    let (passed, said) = in_a_limited_process(&path, "memory");
    assert!(!passed && said.contains("found more bytes than memory holds"), "{said}");
    std::fs::remove_file(path).unwrap();
}
