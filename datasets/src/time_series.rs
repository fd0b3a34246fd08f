//! Windows over a series of time steps.

use gradus_tensor::{Element, Samples, Tensor};

use crate::batch::Batch;
use crate::error::{DatasetError, Result};
use crate::indexed::{IndexedDataset, IndexedSource};

/// Windows over a series of time steps, each a sample: Keras's `timeseries_dataset_from_array`.
///
/// A window is `sequence_length` steps that lie `sampling_rate` apart; the next window begins `sequence_stride` steps behind. The
/// windows are made when they are used, so the series is in memory once. To test on what comes later, cut the series in time
/// first, and make the windows of each part: windows that overlap would tell the test.
///
/// ```
/// use gradus_datasets::TimeSeries;
/// use gradus_tensor::Tensor;
/// let series = Tensor::new([0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
/// // Of three steps the next one is to be predicted.
/// let data = TimeSeries::new(3).forecast(&series, 1)?;
/// assert_eq!(data.len(), 3);
/// let last = data.read(&[2])?;
/// assert_eq!((last.inputs, last.targets), (Tensor::new([[2.0, 3.0, 4.0]]), Tensor::new([5.0])));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "timeseries_dataset_from_array")]
pub struct TimeSeries {
    sequence_length: usize,
    sequence_stride: usize,
    sampling_rate: usize,
}

impl TimeSeries {
    /// Windows of so many steps that follow each other; a window begins at each step.
    ///
    /// # Panics
    /// If `sequence_length` is 0.
    #[track_caller]
    pub fn new(sequence_length: usize) -> Self {
        assert!(sequence_length > 0, "TimeSeries: a window has at least one step");
        TimeSeries { sequence_length, sequence_stride: 1, sampling_rate: 1 }
    }

    /// The steps from the beginning of a window to that of the next one, by default 1.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn sequence_stride(self, steps: usize) -> Self {
        assert!(steps > 0, "sequence_stride: windows begin at different steps");
        TimeSeries { sequence_stride: steps, ..self }
    }

    /// The steps from one step of a window to the next, by default 1.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn sampling_rate(self, steps: usize) -> Self {
        assert!(steps > 0, "sampling_rate: a window has different steps");
        TimeSeries { sampling_rate: steps, ..self }
    }

    /// The steps from the first to the last of a window.
    fn reach(&self) -> usize {
        (self.sequence_length - 1).saturating_mul(self.sampling_rate)
    }

    /// The windows over a series `[steps, ..]`: inputs `[n, sequence_length, ..]`. The target of a window is the one at the step
    /// where it begins, as in Keras; `targets.slice(0, k..)` moves them. There are windows as long as there are targets.
    ///
    /// # Errors
    /// If the series is too short for a window, or there is no target.
    pub fn dataset<X: Element, Y: Element>(
        &self,
        series: &Tensor<X>,
        targets: &Tensor<Y>,
    ) -> Result<IndexedDataset<X, Y>> {
        let steps = |shape: &[usize]| shape.first().copied().unwrap_or(0);
        let (found, of_targets) = (steps(series.shape()), steps(targets.shape()));
        let begins = found.saturating_sub(self.reach()).min(of_targets);
        if begins == 0 {
            let found = format!("a series of shape {} with targets of shape {}", series.shape(), targets.shape());
            let expected = format!("at least {} steps, and a target", self.reach().saturating_add(1));
            return Err(DatasetError::new(found, expected, "give a longer series, or shorten the windows"));
        }
        let windows = begins.div_ceil(self.sequence_stride);
        IndexedDataset::new(Windows { of: self.clone(), windows, series: series.clone(), targets: targets.clone() })
    }

    /// The windows over a series `[steps, ..]`, each with the step that comes `horizon` steps behind its last as the target:
    /// inputs `[n, sequence_length, ..]`, targets `[n, ..]`.
    ///
    /// # Errors
    /// If the series is too short for a window and its target.
    ///
    /// # Panics
    /// If `horizon` is 0: the window holds that step.
    #[track_caller]
    pub fn forecast<X: Element>(&self, series: &Tensor<X>, horizon: usize) -> Result<IndexedDataset<X>> {
        assert!(horizon > 0, "forecast: a horizon of 0 is a step of the window");
        let first = self.reach().saturating_add(horizon);
        let steps = series.shape().first().copied().unwrap_or(0);
        if steps <= first {
            let found = format!("a series of shape {}", series.shape());
            let expected = format!("at least {} steps", first.saturating_add(1));
            return Err(DatasetError::new(found, expected, "give a longer series, or shorten the windows"));
        }
        self.dataset(series, &series.slice(0, first as isize..))
    }
}

/// A series, and where its windows are.
struct Windows<X: Element, Y: Element> {
    of: TimeSeries,
    windows: usize,
    series: Tensor<X>,
    targets: Tensor<Y>,
}

impl<X: Element, Y: Element> IndexedSource for Windows<X, Y> {
    type X = X;
    type Y = Y;

    fn len(&self) -> usize {
        self.windows
    }

    fn read(&self, indices: &[usize]) -> Result<Batch<X, Y>> {
        let TimeSeries { sequence_length, sequence_stride, sampling_rate } = self.of;
        let begins: Vec<usize> = indices.iter().map(|index| index * sequence_stride).collect();
        let steps = begins.iter().flat_map(|begin| (0..sequence_length).map(move |step| begin + step * sampling_rate));
        let inputs = self.series.take_samples(&steps.collect::<Vec<_>>());
        let shape = [&[indices.len(), sequence_length], &self.series.shape()[1..]].concat();
        Ok(Batch { inputs: inputs.reshape(shape), targets: self.targets.take_samples(&begins), weights: None })
    }
}
