//! The file of a log, which a run that goes on cuts where it goes on from.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::message::Message;
use super::record::record;
use crate::error::{Error, Result};

/// How far a log has been written.
///
/// [`SummaryWriter::position`](super::SummaryWriter::position) returns it and
/// [`SummaryWriter::resume`](super::SummaryWriter::resume) takes it. It can be written down.
///
/// ```
/// use gradus_train::SummaryWriter;
/// let folder = std::env::temp_dir().join(format!("gradus_position_{}", std::process::id()));
/// let mut writer = SummaryWriter::new(&folder)?;
/// writer.scalar("loss", 1, 0.5)?;
/// let position = writer.position().clone();
/// writer.scalar("loss", 2, 0.25)?;
/// drop(writer);
/// // Goes on behind step 1: what came later is cut off.
/// SummaryWriter::resume(&folder, &position)?.scalar("loss", 2, 0.125)?;
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPosition {
    /// The name of the log's file.
    name: String,
    /// The number of bytes written.
    length: u64,
}

/// The file of a log, open.
pub(super) struct EventFile {
    path: PathBuf,
    file: File,
    position: LogPosition,
}

/// What errors say of the log.
const NAME: &str = "TensorBoard";

/// What the names of all files begin with. TensorBoard reads what has `tfevents` in its name, in the order of names.
const START: &str = "events.out.tfevents.";

impl LogPosition {
    /// The beginning of a log that belongs to this one, in another folder.
    pub(crate) fn beside(&self, other: &str) -> Self {
        LogPosition { name: format!("{}.{other}", self.name), length: 0 }
    }

    fn path(&self, folder: &Path) -> PathBuf {
        folder.join(&self.name)
    }

    /// Checks that the file in this folder holds as much as had been written.
    pub(crate) fn check(&self, folder: &Path) -> Result<()> {
        // A checkpoint may come from anywhere, and the file that it names is cut.
        if !self.name.starts_with(START) || self.name.contains(['/', '\\']) {
            let problem = format!("the position is of a log named {:?}, which is none", self.name);
            return Err(Error::new(NAME, problem, "give one that SummaryWriter::position has returned"));
        }
        let path = self.path(folder);
        let (found, expected) = (length_of(&path), self.length);
        if found < expected {
            let problem = format!("{} has {found} bytes, the run had written {expected}", path.display());
            let hint = "give the folder of the run that is to go on; if a power cut has taken its last events, go on from an \
                        earlier checkpoint";
            return Err(Error::new(NAME, problem, hint));
        }
        Ok(())
    }
}

impl EventFile {
    /// Makes the folder, and the file of a new log.
    pub fn create(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|source| Error::file(folder, source))?;
        let (time, process) = (now(), std::process::id());
        for log in 0_u64.. {
            // A later log has a later name, also of another process.
            let name = format!("{START}{time:017.6}.gradus.{process}.{log}");
            let position = LogPosition { name, length: 0 };
            let path = position.path(folder);
            match OpenOptions::new().append(true).create_new(true).open(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                file => {
                    let file = file.map_err(|source| Error::file(&path, source))?;
                    return EventFile { path, file, position }.begun();
                }
            }
        }
        unreachable!("a name is free")
    }

    /// Goes on after this position; what had been written behind it is cut off. A run that goes on writes the same events again,
    /// so a TensorBoard that has read some of them goes on as well.
    pub fn resume(folder: &Path, position: &LogPosition) -> Result<Self> {
        position.check(folder)?;
        fs::create_dir_all(folder).map_err(|source| Error::file(folder, source))?;
        let path = position.path(folder);
        let file = OpenOptions::new().append(true).create(true).open(&path).and_then(|file| {
            file.set_len(position.length)?;
            Ok(file)
        });
        let file = file.map_err(|source| Error::file(&path, source))?;
        let file = EventFile { path, file, position: position.clone() };
        if position.length == 0 { file.begun() } else { Ok(file) }
    }

    /// With the first event, which says the version of the format.
    fn begun(mut self) -> Result<Self> {
        self.write(&Message::new().bytes(3, "brain.Event:2"))?;
        Ok(self)
    }

    /// Writes the rest of an event after its time, at once: a program that is killed loses nothing of it.
    pub fn write(&mut self, rest: &Message) -> Result<()> {
        let record = record(&[Message::new().double(1, now()).as_bytes(), rest.as_bytes()].concat());
        self.file.write_all(&record).map_err(|source| Error::file(&self.path, source))?;
        self.position.length += record.len() as u64;
        Ok(())
    }

    pub fn position(&self) -> &LogPosition {
        &self.position
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The number of bytes in a file; 0 if it is not there.
fn length_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

/// The seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}
