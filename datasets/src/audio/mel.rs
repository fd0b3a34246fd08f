//! The mel scale, and the filters by which spectra become mel spectra.

use gradus_tensor::Tensor;

use crate::error::{DatasetError, Result};

/// Frequency as the ear counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MelScale {
    /// Linear up to 1,000 Hz, then logarithmic: of Slaney's Auditory Toolbox, and librosa's.
    #[default]
    Slaney,
    /// 2595 log10(1 + f / 700): of HTK, and torchaudio's.
    Htk,
}

/// Where the linear part of Slaney's scale ends, in Hz.
const KNEE: f64 = 1000.0;
/// The width of a mel of its linear part, in Hz.
const LINEAR: f64 = 200.0 / 3.0;

impl MelScale {
    /// The mels of a frequency in Hz.
    ///
    /// ```
    /// use gradus_datasets::audio::MelScale;
    /// assert!((MelScale::Slaney.mels(500.0) - 7.5).abs() < 1e-12);
    /// assert!((MelScale::Htk.hertz(MelScale::Htk.mels(440.0)) - 440.0).abs() < 1e-9);
    /// ```
    pub fn mels(self, hertz: f64) -> f64 {
        match self {
            MelScale::Htk => 2595.0 * (1.0 + hertz / 700.0).log10(),
            MelScale::Slaney if hertz < KNEE => hertz / LINEAR,
            MelScale::Slaney => KNEE / LINEAR + (hertz / KNEE).ln() / step(),
        }
    }

    /// The frequency in Hz of some mels.
    pub fn hertz(self, mels: f64) -> f64 {
        match self {
            MelScale::Htk => 700.0 * (10_f64.powf(mels / 2595.0) - 1.0),
            MelScale::Slaney if mels < KNEE / LINEAR => mels * LINEAR,
            MelScale::Slaney => KNEE * ((mels - KNEE / LINEAR) * step()).exp(),
        }
    }
}

/// The natural logarithm of the factor from a mel to the next, in the logarithmic part of Slaney's scale: 27 for 6.4.
fn step() -> f64 {
    6.4_f64.ln() / 27.0
}

/// Triangular filters at even distances on the mel scale: `librosa.filters.mel`, `torchaudio.functional.melscale_fbanks`.
///
/// ```
/// use gradus_datasets::audio::{MelFilters, MelScale};
/// let filters = MelFilters { mels: 40, lowest: 20.0, highest: None, scale: MelScale::Htk, slaney_norm: false };
/// // For spectra of 512 samples, which have 257 bins.
/// assert_eq!(filters.weights(16_000, 257)?.shape(), &[257, 40]);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MelFilters {
    /// The number of filters.
    pub mels: usize,
    /// The lowest frequency, in Hz.
    pub lowest: f64,
    /// The highest frequency, in Hz; half of the sample rate if `None`.
    pub highest: Option<f64>,
    /// The scale.
    pub scale: MelScale,
    /// Whether the area of each filter is 1 (Slaney's norm, librosa's default) rather than its height (torchaudio's).
    pub slaney_norm: bool,
}

impl MelFilters {
    /// The weights `[bins, mels]` for spectra of so many bins, from 0 to half of the sample rate.
    ///
    /// A filter between two bins has no weight at all, and its feature is always 0: then there are too many for the size of the
    /// transform. (librosa and torchaudio warn.)
    ///
    /// # Errors
    /// If there are no filters, fewer than two bins, or the frequencies are not in order between 0 and half of the sample rate.
    pub fn weights(&self, sample_rate: u32, bins: usize) -> Result<Tensor<f32>> {
        let half = f64::from(sample_rate) / 2.0;
        let highest = self.highest.unwrap_or(half);
        if !(0.0 <= self.lowest && self.lowest < highest && highest <= half) {
            let found = format!("mel filters from {} to {highest} Hz", self.lowest);
            let expected = format!("frequencies in order, from 0 to {half} Hz");
            return Err(DatasetError::new(found, expected, "half of the sample rate is the highest there is"));
        }
        if self.mels == 0 || bins < 2 {
            let found = format!("{} mel filters over {bins} bins", self.mels);
            return Err(DatasetError::new(found, "a filter, and two bins", "take a larger transform"));
        }
        let [low, high] = [self.lowest, highest].map(|hertz| self.scale.mels(hertz));
        let step = (high - low) / (self.mels + 1) as f64;
        let corners: Vec<f64> = (0..self.mels + 2).map(|i| self.scale.hertz(low + i as f64 * step)).collect();
        let weight = |bin: usize, mel: usize| {
            let hertz = half * bin as f64 / (bins - 1) as f64;
            let &[left, top, right] = &corners[mel..mel + 3] else { unreachable!("three corners") };
            let height = ((hertz - left) / (top - left)).min((right - hertz) / (right - top)).max(0.0);
            (if self.slaney_norm { height * 2.0 / (right - left) } else { height }) as f32
        };
        let weights = (0..bins).flat_map(|bin| (0..self.mels).map(move |mel| (bin, mel)));
        let weights = weights.map(|(bin, mel)| weight(bin, mel)).collect();
        Ok(Tensor::from_vec(weights, [bins, self.mels]).expect("bins times mels"))
    }
}
