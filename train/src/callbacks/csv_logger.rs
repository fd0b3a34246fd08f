//! A log of each epoch in a CSV file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use gradus_tensor::Float;
use serde_json::Value;

use super::{Callback, Run};
use crate::error::{Error, Result};
use crate::history::VALIDATION;
use crate::state::{NamedState, from_state, to_state};

/// Writes a CSV file: a header, then a line per epoch with its number, the learning rate and the measurements.
///
/// Each line is on disk when its epoch ends, so that the log of a run that is killed is kept. A new run replaces the
/// file. A paused run that goes on continues the file: lines that were written after its pause are replaced. Where the validation
/// was left out ([`Fit::validation_freq`](crate::Fit)), its columns say `NA`, as Keras has it.
///
/// ```
/// use gradus_datasets::Dataset;
/// use gradus_nn::{Dense, Model, Sequential, losses::MeanSquaredError};
/// use gradus_optim::Sgd;
/// use gradus_tensor::Tensor;
/// use gradus_train::callbacks::CsvLogger;
/// use gradus_train::{Fit, Trainer};
/// let (x, y) = (Tensor::new([[0.0], [1.0]]), Tensor::new([[1.0], [3.0]]));
/// let model = Model::build(Sequential::new().add(Dense::new(1)), [1], 42)?;
/// let path = std::env::temp_dir().join(format!("gradus_log_{}.csv", std::process::id()));
/// let fit = Fit { epochs: 3, verbose: false, ..Fit::default() }.callback(CsvLogger::new(&path));
/// Trainer::new(model, MeanSquaredError, Sgd::default()).fit(&Dataset::new(x, y)?, fit)?;
/// let log = std::fs::read_to_string(&path)?;
/// assert!(log.starts_with("epoch,learning_rate,loss\n1,0.01,"));
/// assert_eq!(log.lines().count(), 4);
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CsvLogger {
    path: PathBuf,
    file: Option<File>,
    /// The number of bytes written.
    length: u64,
}

impl CsvLogger {
    /// A log in this file, whose folder is made if it does not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        CsvLogger { path: path.into(), file: None, length: 0 }
    }

    /// Writes a line, at once.
    fn write(&mut self, fields: &[String]) -> Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let mut line = csv::Writer::from_writer(Vec::new());
        let line = line.write_record(fields).map_err(io::Error::from).and_then(|()| {
            line.flush()?;
            file.write_all(line.get_ref())?;
            Ok(line.get_ref().len() as u64)
        });
        self.length += line.map_err(|source| Error::file(&self.path, source))?;
        Ok(())
    }
}

impl<T: Float> Callback<T> for CsvLogger {
    // Whether the file can be written is found out before the first epoch, not after it.
    fn on_begin(&mut self, _run: &mut Run<'_, T>) -> Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        fs::create_dir_all(folder).map_err(|source| Error::file(folder, source))?;
        let file = File::create(&self.path).map_err(|source| Error::file(&self.path, source))?;
        (self.file, self.length) = (Some(file), 0);
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        let logs = run.logs();
        let measured = logs.iter().map(|(name, value)| (name.to_owned(), value.to_string()));
        let left_out = logs.iter().filter(|_| run.leaves_out_validation());
        let left_out = left_out.map(|(name, _)| (format!("{VALIDATION}{name}"), "NA".to_owned()));
        let place = [("epoch", (run.epoch + 1).to_string()), ("learning_rate", run.learning_rate().to_string())];
        let place = place.map(|(name, value)| (name.to_owned(), value));
        let (header, fields): (Vec<String>, Vec<String>) = place.into_iter().chain(measured).chain(left_out).unzip();
        if self.length == 0 {
            self.write(&header)?;
        }
        self.write(&fields)
    }

    fn files(&self) -> Vec<PathBuf> {
        vec![self.path.clone()]
    }

    fn only_watches(&self) -> bool {
        true
    }

    fn state(&self) -> Value {
        to_state(&self.length)
    }

    fn restore(&mut self, state: &NamedState) -> Result<()> {
        let expected: u64 = from_state(state)?;
        let found = fs::metadata(&self.path).map_or(0, |file| file.len());
        if found < expected {
            let problem = format!("{} has {found} bytes, the run had written {expected}", self.path.display());
            let hint = "give the file of the run that is to go on; if a power cut has taken its last lines, go on from an \
                        earlier checkpoint";
            return Err(Error::new("CsvLogger", problem, hint));
        }
        let file = open_at(&self.path, expected).map_err(|source| Error::file(&self.path, source))?;
        (self.file, self.length) = (Some(file), expected);
        Ok(())
    }
}

/// Opens a file to write after its first `length` bytes, which are kept.
fn open_at(path: &Path, length: u64) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    file.set_len(length)?;
    file.seek(SeekFrom::Start(length))?;
    Ok(file)
}
