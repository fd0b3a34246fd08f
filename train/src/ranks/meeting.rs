//! The beginning of a run, at which the ranks meet.

use gradus_datasets::{Batch, DataSource};
use gradus_tensor::{AnyTensor, Columns, Float};

use super::Links;
use crate::error::{Error, Result};
use crate::fit::Fit;
use crate::parts::Parts;
use crate::snapshot::Snapshot;

/// What must be the same at all ranks, with its name.
type Identity = Vec<(String, String)>;

impl<T: Float> Parts<'_, T> {
    /// Meets the other ranks before a run: each must be the same program with the same data and settings. Then each gets the
    /// weights, the optimiser's state and the state of the run that the first rank has. `wrong` is what this rank has found wrong
    /// before: an error of all.
    pub(crate) fn meet(
        &mut self,
        links: &Links,
        wrong: Option<&Error>,
        data: &dyn DataSource,
        fit: &Fit<T>,
    ) -> Result<()> {
        let own = match wrong {
            Some(error) => Err(error.to_string()),
            None => identity(data, fit).map_err(|error| error.to_string()),
        };
        let all = links.agree(own)?;
        for (rank, other) in all.iter().enumerate() {
            if let Some(((what, found), (_, expected))) =
                other.iter().zip(&all[0]).find(|(other, first)| other != first)
            {
                let problem = format!("rank {rank} has another {what} than rank 0: {found}, not {expected}");
                let hint = "start the same program with the same data on all ranks";
                return Err(links.agreed(Error::new("fit", problem, hint)));
            }
        }
        let bytes = match links.is_main() {
            true => Snapshot::new(self, self.state.clone(), Vec::new()).to_bytes()?,
            false => Vec::new(),
        };
        let bytes = links.broadcast(bytes)?;
        let taken = if links.is_main() { Ok(()) } else { self.restore_bytes(bytes) };
        links.agree(taken.map_err(|error| error.to_string()))?;
        Ok(())
    }
}

/// What is the same at all ranks of a run.
fn identity<T: Float>(data: &dyn DataSource, fit: &Fit<T>) -> Result<Identity> {
    let count = data.sample_count().map_or("an unknown number".to_owned(), |count| count.to_string());
    let shuffled = if fit.shuffle { "shuffled" } else { "in order" };
    let steps = fit.steps_per_epoch.map_or(String::new(), |steps| format!(" of {steps} batches"));
    let plan = format!(
        "{} epochs{steps} from {}, batches of {} samples, {shuffled}",
        fit.epochs, fit.initial_epoch, fit.batch_size
    );
    let identity = [
        ("version of Gradus", env!("CARGO_PKG_VERSION").to_owned()),
        ("number of samples", count),
        ("data set", format!("samples whose sum is {:016x}", fingerprint(&data.preview()?))),
        ("plan", plan),
    ];
    Ok(identity.map(|(what, found)| (what.to_owned(), found)).into())
}

/// A number that differs where data differ: of the shapes of all columns, and of their first and last rows.
fn fingerprint(data: &Batch<Columns>) -> u64 {
    /// More rows of a large data set would take time, and hardly say more.
    const ROWS: usize = 64;
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    for column in data.inputs.iter().chain(data.targets.iter()) {
        column.shape().iter().for_each(|&length| hash.add(length as u64));
        let samples = data.len();
        for rows in [0..samples.min(ROWS), samples.saturating_sub(ROWS)..samples] {
            let rows: AnyTensor = column.rows(rows);
            rows.to::<f64>().iter().for_each(|number| hash.add(number.to_bits()));
        }
    }
    hash.0
}

/// The hash FNV-1a. Fowler, Noll and Vo.
struct Fnv(u64);

impl Fnv {
    fn add(&mut self, number: u64) {
        for byte in number.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}
