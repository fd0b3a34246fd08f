//! The progress of a run on standard error.

use std::time::Instant;

use gradus_tensor::Float;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Callback, Run};
use crate::error::Result;

/// Shows the progress of a run on standard error: on a terminal a bar with loss, metrics and the time left, elsewhere a
/// line per epoch. What a [`Doctor`](super::Doctor) finds has a line, too.
///
/// `fit` adds it by itself unless `verbose` is false. Given by hand, it can stand before other callbacks:
///
/// ```
/// use gradus_train::Fit;
/// use gradus_train::callbacks::{EarlyStopping, Progress};
/// let fit: Fit = Fit { epochs: 10, verbose: false, ..Fit::default() }
///     .callback(Progress::new())
///     .callback(EarlyStopping::new("val_loss"));
/// assert_eq!(fit.callbacks.len(), 2);
/// ```
#[derive(Default)]
#[doc(alias = "ProgbarLogger")]
pub struct Progress {
    epoch: Option<(ProgressBar, Instant)>,
    /// The number of findings that were shown, or found before the run went on.
    shown: usize,
}

impl Progress {
    /// The display of the progress.
    pub fn new() -> Self {
        Progress::default()
    }

    /// Shows what was found since the last time.
    fn show_findings<T: Float>(&mut self, run: &Run<'_, T>) {
        let findings = run.findings();
        for finding in findings.iter().skip(self.shown) {
            let show = || eprintln!("Doctor: {finding}");
            match &self.epoch {
                Some((bar, _)) => bar.suspend(show),
                None => show(),
            }
        }
        self.shown = findings.len();
    }

    /// The bar of this epoch; a new one at its beginning, and where a paused run goes on.
    fn bar<T: Float>(&mut self, run: &Run<'_, T>) -> &ProgressBar {
        let (bar, _) = self.epoch.get_or_insert_with(|| {
            let target = ProgressDrawTarget::stderr_with_hz(10);
            let bar = ProgressBar::with_draw_target(run.batches.map(|batches| batches as u64), target);
            let (width, epoch) = (run.epochs.to_string().len(), run.epoch + 1);
            let epochs = run.epochs;
            let place = match run.batches {
                Some(_) => "{bar:24} {pos}/{len} {eta} left",
                None => "{pos} batches in {elapsed}",
            };
            let template = format!("Epoch {epoch:>width$}/{epochs} {place} - {{msg}}");
            bar.set_style(ProgressStyle::with_template(&template).expect("the template is well-formed"));
            (bar, Instant::now())
        });
        bar
    }
}

impl<T: Float> Callback<T> for Progress {
    fn on_begin(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.shown = run.findings().len();
        Ok(())
    }

    fn on_epoch_begin(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.epoch = None;
        self.bar(run);
        Ok(())
    }

    fn on_batch_end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.show_findings(run);
        let bar = self.bar(run);
        if !bar.is_hidden() {
            bar.set_position(run.batch as u64);
            // Formatting the metrics costs more than a small step: only now and then.
            if run.batch.is_multiple_of(64) {
                bar.set_message(run.logs().to_string());
            }
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.bar(run);
        if let Some((bar, start)) = self.epoch.take() {
            bar.finish_and_clear();
            let width = run.epochs.to_string().len();
            let seconds = start.elapsed().as_secs_f64();
            let logs = run.logs();
            eprintln!("Epoch {:>width$}/{} - {seconds:.2} s - {logs}", run.epoch + 1, run.epochs);
        }
        self.show_findings(run);
        Ok(())
    }
}
