//! Lesson 16. Data larger than memory: a network is trained on a table while the table is read.
//!
//! The example first writes a table of made-up rows, half a gigabyte, into a folder for temporary files, and removes it at the
//! end. With `--folder` the table stays there, and the next run takes it as it is. Each row has twenty numbers, and one of
//! three labels: the kind of thing that a machine counts all day. A `StreamDataset` reads the table from its beginning in each
//! epoch; a buffer of rows, from which the next one is drawn, shuffles it. What is in memory at a time is that buffer and a few
//! batches, however long the table is.
//!
//!     cargo run --release --example larger_than_memory
//!     cargo run --release --example larger_than_memory -- --megabytes 2000 --folder /data
//!
//! To see that it takes no more memory than that, allow it less than half of the table's size (here in kilobytes, as bash and
//! other shells on Linux take it; the linker of `cargo run` would need more):
//!
//!     cargo build --release --example larger_than_memory
//!     (ulimit -v 200000; target/release/examples/larger_than_memory)

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use gradus::prelude::*;
use lexopt::{Arg, Parser, ValueExt};

const NUMBERS: usize = 20;
const LABELS: [&str; 3] = ["idle", "busy", "broken"];
const VALIDATION_ROWS: usize = 20_000;

/// Writes a table of about so many megabytes.
fn write(path: &Path, megabytes: u64) -> Result<()> {
    // Under its name the table is whole: it is renamed when it is complete.
    let unfinished = path.with_extension("unfinished");
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&unfinished)?);
    let names: Vec<String> = (0..NUMBERS).map(|i| format!("sensor{i}")).collect();
    writeln!(file, "{},state", names.join(","))?;
    // Numbers of three digits are looked up: formatting them one by one would take most of the time.
    let texts: Vec<String> = (0..1000).map(|number| format!("0.{number:03},")).collect();
    let mut generator = Generator::new(7);
    let mut written = 0;
    while written < megabytes * 1_000_000 {
        let mut scores = [0_i64; LABELS.len()];
        for sensor in 0..NUMBERS {
            let number = generator.next_below(1000);
            file.write_all(texts[number as usize].as_bytes())?;
            // Each label is that of some sensors, of which the higher ones speak for it, the lower ones against.
            scores[sensor % LABELS.len()] += number as i64 - 500;
        }
        let best = (0..LABELS.len()).max_by_key(|&label| scores[label]).unwrap_or(0);
        // One label in twenty is wrong.
        let label = if generator.next_below(20) == 0 { (best + 1) % LABELS.len() } else { best };
        writeln!(file, "{}", LABELS[label])?;
        written += (6 * NUMBERS + LABELS[label].len() + 1) as u64;
    }
    file.into_inner().map_err(|error| error.into_error())?.sync_all()?;
    fs::rename(unfinished, path)?;
    Ok(())
}

/// The most memory that this process has had, in megabytes, where the system says it (Linux).
fn peak_memory() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(kilobytes.trim().strip_suffix(" kB")?.parse::<f64>().ok()? / 1000.0)
}

fn main() -> Result<()> {
    let (mut megabytes, mut epochs, mut folder) = (500, 1, None);
    let mut arguments = Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("megabytes") => megabytes = arguments.value()?.parse()?,
            Arg::Long("epochs") => epochs = arguments.value()?.parse()?,
            Arg::Long("folder") => folder = Some(PathBuf::from(arguments.value()?)),
            other => return Err(format!("{}; there are --megabytes, --epochs, --folder", other.unexpected()).into()),
        }
    }
    let path = match &folder {
        Some(folder) => folder.join(format!("larger-than-memory-{megabytes}.csv")),
        // Of this run alone.
        None => std::env::temp_dir().join(format!("larger-than-memory-{}.csv", std::process::id())),
    };
    if !path.exists() {
        write(&path, megabytes)?;
    }
    let trained = train(&path, epochs);
    match folder {
        Some(_) => println!("{} stays for the next run", path.display()),
        None => fs::remove_file(&path)?,
    }
    trained
}

fn train(path: &Path, epochs: usize) -> Result<()> {
    println!("{}: {} MB", path.display(), fs::metadata(path)?.len() / 1_000_000);

    // The names of the classes are given: without them, the table would be read once more to find them.
    let rows = Csv::open(path)?.class_names(LABELS).classification_stream()?.shuffle_buffer(10_000);
    let (validation, train) = (rows.take(VALIDATION_ROWS), rows.skip(VALIDATION_ROWS));

    let network = Sequential::new()
        .add(Dense::new(32).activation(Activation::Relu))
        .add(Dense::new(LABELS.len()).activation(Activation::Softmax));
    let model = Model::build(network, [NUMBERS], 42)?;
    let mut trainer = Trainer::new(model, SparseCategoricalCrossentropy::default(), Adam::default())
        .metric(SparseCategoricalAccuracy::default());
    // Another thread reads four batches ahead.
    let fit = Fit { epochs, batch_size: 256, prefetch: 4, ..Fit::default() };
    let history = trainer.fit_validated(&train, &validation, fit)?;

    println!("Rows: {}", train.sample_count().unwrap_or(0) + VALIDATION_ROWS);
    if let Some(megabytes) = peak_memory() {
        println!("Peak memory: {megabytes:.0} MB");
    }
    let accuracy = history.get("val_sparse_categorical_accuracy");
    println!("Validation accuracy: {:.2}% (95% can be had)", 100.0 * accuracy[accuracy.len() - 1]);
    Ok(())
}
