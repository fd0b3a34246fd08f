//! Features of speech: mel spectra, their logarithms, MFCC, and differences along time.

use std::f64::consts::PI;

use gradus_tensor::Tensor;

use super::{Beyond, MelFilters, MelScale, Stft};
use crate::error::{DatasetError, Result};

/// Mel spectra of a signal: the power of each filter of a mel scale in each frame.
///
/// librosa and torchaudio differ in scale, norm and ends, so their numbers do too: name the one that you mean.
///
/// ```
/// use gradus_datasets::audio::{Decibels, MelSpectrogram};
/// use gradus_tensor::Tensor;
/// let tone = (Tensor::arange(0.0, 16_000.0, 1.0) * 0.2).sin();
/// let mel = MelSpectrogram::torchaudio(16_000, 512, 160, 40)?;
/// let features = Decibels::default().of_power(&mel.transform(&tone)?);
/// assert_eq!(features.shape(), &[101, 40]);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug)]
pub struct MelSpectrogram {
    stft: Stft,
    weights: Tensor<f32>,
}

impl MelSpectrogram {
    /// Of any transform and filters.
    ///
    /// # Errors
    /// As [`MelFilters::weights`].
    pub fn new(stft: Stft, filters: &MelFilters, sample_rate: u32) -> Result<Self> {
        let weights = filters.weights(sample_rate, stft.bins())?;
        Ok(MelSpectrogram { stft, weights })
    }

    /// `librosa.feature.melspectrogram(sr, n_fft, hop_length, n_mels)` with its defaults: Slaney's scale and norm, zeros beyond the
    /// ends. (librosa's own default is 2048, 512 and 128, at 22,050 Hz.)
    ///
    /// # Errors
    /// As [`MelFilters::weights`].
    ///
    /// # Panics
    /// If the size or the hop is 0.
    #[track_caller]
    pub fn librosa(sample_rate: u32, size: usize, hop: usize, mels: usize) -> Result<Self> {
        let filters = MelFilters { mels, lowest: 0.0, highest: None, scale: MelScale::Slaney, slaney_norm: true };
        MelSpectrogram::new(Stft::new(size).hop(hop), &filters, sample_rate)
    }

    /// `torchaudio.transforms.MelSpectrogram(sample_rate, n_fft, hop_length, n_mels)` with its defaults: HTK's scale, no norm, the
    /// signal reflected at its ends. (torchaudio's own default is 400, 200 and 128, at 16,000 Hz.)
    ///
    /// # Errors
    /// As [`MelFilters::weights`].
    ///
    /// # Panics
    /// If the size or the hop is 0.
    #[track_caller]
    pub fn torchaudio(sample_rate: u32, size: usize, hop: usize, mels: usize) -> Result<Self> {
        let filters = MelFilters { mels, lowest: 0.0, highest: None, scale: MelScale::Htk, slaney_norm: false };
        MelSpectrogram::new(Stft::new(size).hop(hop).beyond(Beyond::Reflected), &filters, sample_rate)
    }

    /// The mel spectra `[frames, mels]` of a signal `[samples]`.
    ///
    /// # Errors
    /// As [`Stft::transform`].
    pub fn transform(&self, signal: &Tensor<f32>) -> Result<Tensor<f32>> {
        Ok(self.stft.transform(signal)?.power().matmul(&self.weights))
    }

    /// ln(x + 10^-6) of the mel spectra, `[frames, mels]`: the usual input of a network for speech.
    ///
    /// # Errors
    /// As [`Stft::transform`].
    pub fn log(&self, signal: &Tensor<f32>) -> Result<Tensor<f32>> {
        Ok((self.transform(signal)? + 1e-6).ln())
    }
}

/// Decibels: 10 log10 of power over 1, not below a floor: `librosa.power_to_db` and `torchaudio.transforms.AmplitudeToDB`.
///
/// ```
/// use gradus_datasets::audio::Decibels;
/// use gradus_tensor::Tensor;
/// let decibels = Decibels { range: Some(15.0), ..Decibels::default() };
/// // 0, 10 and 20 dB, but none more than 15 below the largest.
/// let expected = Tensor::new([5.0, 10.0, 20.0]);
/// assert!(decibels.of_power(&Tensor::new([1.0, 10.0, 100.0])).allclose(&expected, 1e-5, 0.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decibels {
    /// The least power that counts.
    pub least: f32,
    /// By how many decibels at most a value may be below the largest of all; `None` for no such floor.
    pub range: Option<f32>,
}

impl Default for Decibels {
    /// Power from 10^-10 on, within 80 dB of the largest.
    fn default() -> Self {
        Decibels { least: 1e-10, range: Some(80.0) }
    }
}

impl Decibels {
    /// The decibels of powers, of any shape.
    pub fn of_power(&self, power: &Tensor<f32>) -> Tensor<f32> {
        let decibels = power.maximum(self.least).ln() * (10.0 / std::f32::consts::LN_10);
        match self.range {
            Some(range) if !decibels.is_empty() => {
                let largest = decibels.max(..).item();
                decibels.maximum(largest - range)
            }
            _ => decibels,
        }
    }

    /// The decibels of magnitudes, whose squares are powers.
    pub fn of_magnitude(&self, magnitude: &Tensor<f32>) -> Tensor<f32> {
        self.of_power(&(magnitude * magnitude))
    }
}

/// Mel-frequency cepstral coefficients: the cosine transform of the decibels of mel spectra.
///
/// Numbers as `librosa.feature.mfcc` and `torchaudio.transforms.MFCC` give them for the mel spectrogram of the same name: the
/// transform is DCT-II, orthonormal, and decibels have a range of 80.
///
/// ```
/// use gradus_datasets::audio::{MelSpectrogram, Mfcc};
/// use gradus_tensor::Tensor;
/// // 13 coefficients of 40 mels, a frame each 10 ms, for a second of silence.
/// let mfcc = Mfcc::new(MelSpectrogram::librosa(16_000, 512, 160, 40)?, 13)?;
/// assert_eq!(mfcc.transform(&Tensor::zeros([16_000]))?.shape(), &[101, 13]);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mfcc {
    mel: MelSpectrogram,
    decibels: Decibels,
    cosines: Tensor<f32>,
}

impl Mfcc {
    /// So many coefficients of these mel spectra.
    ///
    /// # Errors
    /// If there are none, or more than mels.
    pub fn new(mel: MelSpectrogram, coefficients: usize) -> Result<Self> {
        let mels = mel.weights.shape()[1];
        if !(1..=mels).contains(&coefficients) {
            let found = format!("{coefficients} coefficients of {mels} mels");
            return Err(DatasetError::new(found, "one at least, and as many as mels at most", "take more mel filters"));
        }
        let cosine = |n: usize, k: usize| {
            let scale = (if k == 0 { 1.0 } else { 2.0 } / mels as f64).sqrt();
            (scale * (PI * k as f64 * (n as f64 + 0.5) / mels as f64).cos()) as f32
        };
        let cosines = (0..mels).flat_map(|n| (0..coefficients).map(move |k| cosine(n, k))).collect();
        let cosines = Tensor::from_vec(cosines, [mels, coefficients]).expect("mels times coefficients");
        Ok(Mfcc { mel, decibels: Decibels::default(), cosines })
    }

    /// With these decibels.
    pub fn decibels(self, decibels: Decibels) -> Self {
        Mfcc { decibels, ..self }
    }

    /// With the k-th coefficient times 1 + lifter / 2 sin(pi (k + 1) / lifter), as librosa's `lifter`; 22 is usual. (HTK has k
    /// instead of k + 1.)
    ///
    /// # Panics
    /// Unless the lifter is positive and finite.
    #[track_caller]
    pub fn lifter(self, lifter: f64) -> Self {
        assert!(lifter > 0.0 && lifter.is_finite(), "Mfcc::lifter: the lifter must be positive, found {lifter}");
        let factor = |k: usize| (1.0 + lifter / 2.0 * (PI * (k + 1) as f64 / lifter).sin()) as f32;
        let factors = Tensor::from((0..self.cosines.shape()[1]).map(factor).collect::<Vec<_>>());
        Mfcc { cosines: self.cosines * factors, ..self }
    }

    /// The coefficients `[frames, coefficients]` of a signal `[samples]`.
    ///
    /// # Errors
    /// As [`Stft::transform`].
    pub fn transform(&self, signal: &Tensor<f32>) -> Result<Tensor<f32>> {
        Ok(self.decibels.of_power(&self.mel.transform(signal)?).matmul(&self.cosines))
    }
}

/// The slopes of features `[frames, features]` along time, over `width` frames to either side: sum of n (x[t+n] - x[t-n]) over 2 sum
/// of n^2. Beyond the ends stand the first and the last frame. `torchaudio.functional.compute_deltas` with `win_length` 2 `width` +
/// 1, `librosa.feature.delta` with `mode="nearest"`.
///
/// ```
/// use gradus_datasets::audio::deltas;
/// use gradus_tensor::Tensor;
/// // A slope of 1, which the repeated frames beyond the ends halve there.
/// let features = Tensor::new([[0.0], [1.0], [2.0], [3.0]]);
/// assert_eq!(deltas(&features, 1), Tensor::new([[0.5], [1.0], [1.0], [0.5]]));
/// ```
///
/// # Panics
/// If there are not two axes, or the width is 0.
#[track_caller]
pub fn deltas(features: &Tensor<f32>, width: usize) -> Tensor<f32> {
    assert!(features.ndim() == 2, "deltas: features must be [frames, features], found {}", features.shape());
    assert!(width > 0, "deltas: the width must be 1 or more");
    let frames = features.shape()[0];
    if frames == 0 {
        return features.clone();
    }
    let at = |offset: isize| {
        let rows: Vec<usize> = (0..frames).map(|t| t.saturating_add_signed(offset).min(frames - 1)).collect();
        features.take_rows(&rows)
    };
    let sum = (1..=width as isize).map(|n| (at(n) - at(-n)) * n as f32).reduce(|sum, term| sum + term);
    let squares: usize = (1..=width).map(|n| n * n).sum();
    sum.expect("the width is 1 or more") / (2 * squares) as f32
}

#[cfg(test)]
mod tests;
