//! Logs that TensorBoard shows: numbers, histograms, pictures and networks over the steps of a run.

mod event_file;
mod graph;
mod histogram;
mod message;
mod picture;
mod record;

use std::path::Path;

use gradus_nn::Model;
use gradus_tensor::{AnyTensor, Element, Float, Tensor};

use event_file::EventFile;
pub use event_file::LogPosition;
use histogram::Histogram;
use message::Message;

use crate::error::Result;

/// Writes a log that TensorBoard shows, for a loop of one's own: numbers, histograms, pictures and networks by name and step.
///
/// [`Trainer::fit`](crate::Trainer::fit) writes one by the callback [`TensorBoard`](crate::callbacks::TensorBoard).
///
/// ```
/// use gradus_tensor::Tensor;
/// use gradus_train::SummaryWriter;
/// # let folder = std::env::temp_dir().join(format!("gradus_summary_writer_{}", std::process::id()));
/// # let logs = folder.to_str().unwrap();
///
/// let mut writer = SummaryWriter::new(logs)?; // A folder such as "logs/train".
/// for step in 0..3 {
///     writer.scalar("loss", step, 1.0 / (step + 1) as f64)?;
/// }
/// writer.histogram("weights", 2, &Tensor::linspace(-1.0, 1.0, 100))?;
/// writer.image("checks", 2, Tensor::from([[0_u8, 255], [255, 0]]))?;
/// # std::fs::remove_dir_all(folder).unwrap();
/// # Ok::<(), gradus_train::Error>(())
/// ```
///
/// `tensorboard --logdir logs` shows it, also while it is written. Each sub-folder of `logs` is a run: curves of one name in
/// several runs lie over each other. A `/` in a name makes groups.
///
/// Each event is in its file when the call returns, so a program that is killed loses none. A new writer begins a new file, and
/// leaves those of others in the folder as they are. TensorBoard takes all files of a folder for one run, and mixes them. So give
/// each run a folder of its own.
pub struct SummaryWriter {
    file: EventFile,
}

impl SummaryWriter {
    /// Begins a new log in this folder, which is made if it does not exist.
    ///
    /// # Errors
    /// If the folder or the file cannot be made.
    pub fn new(folder: impl AsRef<Path>) -> Result<Self> {
        Ok(SummaryWriter { file: EventFile::create(folder.as_ref())? })
    }

    /// Goes on with the log in this folder that had been written up to `position`; what stands behind that is removed.
    ///
    /// # Errors
    /// If the file holds less than that, or cannot be written.
    pub fn resume(folder: impl AsRef<Path>, position: &LogPosition) -> Result<Self> {
        Ok(SummaryWriter { file: EventFile::resume(folder.as_ref(), position)? })
    }

    /// How far the log has been written, for [`resume`](SummaryWriter::resume).
    pub fn position(&self) -> &LogPosition {
        self.file.position()
    }

    /// The path of the log's file.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Writes a number, which TensorBoard keeps as an `f32`; NaN and infinite ones, too.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn scalar(&mut self, name: &str, step: u64, value: f64) -> Result<()> {
        self.scalars(step, [(name, value)])
    }

    /// Writes several numbers of one step: `writer.scalars(step, [("loss", 0.5), ("accuracy", 0.9)])`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn scalars<N: AsRef<str>>(&mut self, step: u64, values: impl IntoIterator<Item = (N, f64)>) -> Result<()> {
        let values = values.into_iter().map(|(name, value)| named(name.as_ref()).float(2, value as f32));
        self.summary(step, values)
    }

    /// Writes how the elements of a tensor are spread: their number in each of 30 buckets of one width, from the least to the
    /// greatest. Elements that are NaN or infinite are left out.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn histogram<T: Element>(&mut self, name: &str, step: u64, values: &Tensor<T>) -> Result<()> {
        let histogram = Histogram::new(&values.to());
        self.summary(step, [named(name).message(5, &histogram.message())])
    }

    /// Writes a picture `[height, width]` or `[height, width, channels]`, or several `[n, height, width, channels]`, which are
    /// named `name/0`, `name/1` and so on.
    ///
    /// Channels: one is grey, three are red, green and blue, and one more is the opacity. Elements: floats from 0 to 1, where
    /// what lies beyond is cut off and NaN is black; `u8`; or `bool`.
    ///
    /// # Errors
    /// If the file cannot be written.
    ///
    /// # Panics
    /// If the tensor has another shape or other elements.
    #[track_caller]
    pub fn image(&mut self, name: &str, step: u64, image: impl Into<AnyTensor>) -> Result<()> {
        let image = image.into();
        let pictures = match picture::pictures(&image) {
            Ok(pictures) => pictures,
            Err(problem) => panic!("image: {name:?}: {problem}"),
        };
        let is_one = image.shape().len() < 4;
        let name_of = |index: usize| if is_one { name.to_owned() } else { format!("{name}/{index}") };
        let values = pictures.iter().enumerate().map(|(index, picture)| {
            let name = name_of(index);
            named(&name).message(4, &picture.message())
        });
        self.summary(step, values)
    }

    /// Writes the network of a model: its layers as nodes under their paths, with the shapes of their outputs and what feeds
    /// them. TensorBoard shows the last of a folder.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn graph<T: Float>(&mut self, model: &Model<T>) -> Result<()> {
        self.file.write(&Message::new().message(4, &graph::graph(model)))
    }

    /// Writes an event of these values, messages `Summary.Value`.
    fn summary(&mut self, step: u64, values: impl IntoIterator<Item = Message>) -> Result<()> {
        let summary = values.into_iter().fold(Message::new(), |summary, value| summary.message(1, &value));
        self.file.write(&Message::new().int64(2, step as i64).message(5, &summary))
    }
}

/// A `Summary.Value` of this name, without its value.
fn named(name: &str) -> Message {
    Message::new().bytes(1, name)
}
