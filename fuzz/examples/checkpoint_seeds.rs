//! Writes seeds for the fuzz target `checkpoint`: one of every place in a run.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gradus_train::{Callback, Result, Run, Snapshot};

/// Writes a checkpoint at every hook.
struct Everywhere(PathBuf, usize);
impl Callback for Everywhere {
    fn on_begin(&mut self, run: &mut Run<'_>) -> Result<()> {
        run.request_snapshot();
        Ok(())
    }
    fn on_batch_end(&mut self, run: &mut Run<'_>) -> Result<()> {
        run.request_snapshot();
        Ok(())
    }
    fn on_epoch_end(&mut self, run: &mut Run<'_>) -> Result<()> {
        run.request_snapshot();
        Ok(())
    }
    fn on_snapshot(&mut self, snapshot: &Arc<Snapshot>) -> Result<()> {
        self.1 += 1;
        snapshot.write(self.0.join(format!("seed{}", self.1)))
    }
}

fn main() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/checkpoint");
    fs::create_dir_all(&folder).map_err(|source| gradus_train::Error::file(&folder, source))?;
    gradus_fuzz::trainer().fit(&gradus_fuzz::data(), gradus_fuzz::fit().callback(Everywhere(folder, 0)))?;
    Ok(())
}
