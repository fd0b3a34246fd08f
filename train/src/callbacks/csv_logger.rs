//! The measurements of each epoch in a file.

use std::fs::File;
use std::path::PathBuf;

use gradus_tensor::Float;

use super::{Callback, Run};
use crate::error::{Error, Result};

/// Writes a CSV file: a header, then a line per epoch with its number, the learning rate and the measurements.
///
/// Each line is on disk when its epoch ends, so a run that is killed keeps what it has measured. An existing file is
/// replaced.
pub struct CsvLogger {
    path: PathBuf,
    file: Option<csv::Writer<File>>,
}

impl CsvLogger {
    /// Writes to this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        CsvLogger { path: path.into(), file: None }
    }

    fn write(&mut self, fields: &[String]) -> Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let written = file.write_record(fields).map_err(std::io::Error::from).and_then(|()| file.flush());
        written.map_err(|source| Error::file(&self.path, source))
    }
}

impl<T: Float> Callback<T> for CsvLogger {
    fn on_epoch_begin(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        if run.epoch == 0 {
            // Found out before the first epoch, not after it, that the file cannot be written.
            self.file = None;
            let file = File::create(&self.path).map_err(|source| Error::file(&self.path, source))?;
            self.file = Some(csv::Writer::from_writer(file));
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        let logs = run.logs();
        if run.epoch == 0 {
            let names = logs.iter().map(|(name, _)| name.to_owned());
            let header: Vec<String> = ["epoch", "learning_rate"].map(str::to_owned).into_iter().chain(names).collect();
            self.write(&header)?;
        }
        let first = [(run.epoch + 1).to_string(), run.learning_rate().to_string()];
        let fields: Vec<String> = first.into_iter().chain(logs.iter().map(|(_, value)| value.to_string())).collect();
        self.write(&fields)
    }
}
