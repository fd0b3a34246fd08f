//! A folder of checkpoints: their names, and which of them are there.

use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use gradus_tensor::safetensors::File;

use crate::error::{Error, Result};

/// The name of the checkpoint after this number of steps. Names of up to 8 digits sort as their numbers do.
pub(crate) fn name(step: u64) -> String {
    format!("{STEP}{step:08}{END}")
}

/// The name of the best checkpoint.
pub(crate) const BEST: &str = "best.safetensors";

const LOCK: &str = ".lock";
const STEP: &str = "step-";
const END: &str = ".safetensors";

/// The checkpoints in a folder with their numbers of steps, the newest last; none if there is no such folder.
///
/// # Errors
/// If the folder cannot be read.
pub(crate) fn list(folder: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let step = |name: &str| name.strip_prefix(STEP)?.strip_suffix(END)?.parse().ok();
    let mut checkpoints: Vec<_> =
        names(folder)?.iter().filter_map(|name| Some((step(name)?, folder.join(name)))).collect();
    checkpoints.sort();
    Ok(checkpoints)
}

/// All checkpoints in a folder in the order in which a run would go on from them: the best one is older than another, if
/// there is another.
///
/// # Errors
/// As [`list`].
pub(crate) fn newest_first(folder: &Path) -> Result<Vec<PathBuf>> {
    let newest_first = list(folder)?.into_iter().rev().map(|(_, path)| path);
    let best = names(folder)?.into_iter().filter(|name| name == BEST).map(|name| folder.join(name));
    Ok(newest_first.chain(best).collect())
}

/// Whether a path is meant to be that of a checkpoint, not of a folder.
pub(crate) fn is_file_name(path: &Path) -> bool {
    path.as_os_str().to_string_lossy().ends_with(END)
}

/// Locks the folder, until the file that is returned is dropped or the process ends, however it does. Where the file system
/// has no locks, it goes without.
///
/// # Errors
/// If somebody else holds the lock, or the file cannot be made.
pub(crate) fn lock(folder: &Path) -> Result<fs::File> {
    let path = folder.join(LOCK);
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(|source| Error::file(&path, source))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            let hint = "wait for the end of the other program, or give another folder";
            Err(Error::new(folder.display().to_string(), "another run writes its checkpoints into this folder", hint))
        }
        Err(TryLockError::Error(source)) if source.kind() != ErrorKind::Unsupported => Err(Error::file(&path, source)),
        _ => Ok(file),
    }
}

/// Removes what programs that were killed while they wrote a checkpoint have left in the folder, which must be locked: the file
/// of a living one looks the same.
///
/// # Errors
/// If the folder cannot be read or a file cannot be removed.
pub(crate) fn remove_unfinished(folder: &Path) -> Result<()> {
    let is_unfinished = |name: &str| {
        let of_checkpoint = name.strip_prefix('.').is_some_and(|name| name.starts_with(STEP) || name.starts_with(BEST));
        of_checkpoint && name.ends_with(".tmp")
    };
    names(folder)?.iter().filter(|name| is_unfinished(name)).try_for_each(|name| remove(&folder.join(name)))
}

/// Removes those of the checkpoints up to this step that are older than the `keep` newest whole ones. A later one is none of this
/// run's yet.
///
/// # Errors
/// As [`remove_unfinished`].
pub(crate) fn remove_old(folder: &Path, step: u64, keep: usize) -> Result<()> {
    let up_to: Vec<_> = list(folder)?.into_iter().rev().filter(|&(found, _)| found <= step).collect();
    if up_to.len() <= keep {
        return Ok(());
    }
    let mut whole = 0;
    for (_, path) in up_to {
        if whole == keep {
            remove(&path)?;
        } else if File::open(&path).is_ok() {
            whole += 1;
        }
    }
    Ok(())
}

/// The names in a folder that are text; none if there is no such folder.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|source| Error::file(folder, source))?,
    };
    let name = |entry: io::Result<fs::DirEntry>| entry.map(|entry| entry.file_name().into_string().ok()).transpose();
    let names: io::Result<Vec<String>> = entries.filter_map(name).collect();
    names.map_err(|source| Error::file(folder, source))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(Error::file(path, source)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use gradus_tensor::safetensors::Writer;

    use super::*;

    #[test]
    fn old_ones_are_removed_and_what_is_no_checkpoint_stays() {
        let folder = std::env::temp_dir().join(format!("gradus_checkpoints_{}", std::process::id()));
        assert_eq!(list(&folder).unwrap(), []);
        fs::create_dir(&folder).unwrap();
        let others = ["step-x.safetensors", "step-3.txt", ".hidden.tmp", BEST];
        let unfinished = [".step-00000009.safetensors.1-0.tmp", ".best.safetensors.1-1.tmp"];
        let steps = [1, 20, 300, 100_000_000, 200_000_000].map(name);
        for file in others.iter().chain(&unfinished).copied().chain(steps.iter().map(String::as_str)) {
            Writer::new().write(folder.join(file)).unwrap();
        }
        let left = || list(&folder).unwrap().iter().map(|(step, _)| *step).collect::<Vec<_>>();
        assert_eq!(left(), [1, 20, 300, 100_000_000, 200_000_000]);
        remove_unfinished(&folder).unwrap();
        // The last is of a later step than the run has.
        remove_old(&folder, 100_000_000, 2).unwrap();
        assert_eq!(left(), [300, 100_000_000, 200_000_000]);
        // A damaged one does not count.
        fs::write(folder.join(name(400)), "{}").unwrap();
        remove_old(&folder, 100_000_000, 2).unwrap();
        assert_eq!(left(), [300, 400, 100_000_000, 200_000_000]);
        remove_old(&folder, 100_000_000, 1).unwrap();
        assert_eq!(left(), [100_000_000, 200_000_000]);
        assert!(others.iter().all(|file| folder.join(file).exists()));
        assert!(unfinished.iter().all(|file| !folder.join(file).exists()));
        fs::remove_dir_all(&folder).unwrap();
    }
}
