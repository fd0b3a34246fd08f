//! The short-time Fourier transform and its inverse.

use std::fmt;
use std::sync::Arc;

use gradus_tensor::Tensor;
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::WindowShape;
use crate::error::{DatasetError, Result};

/// What lies beyond the ends of a signal whose frames are centred.
///
/// ```
/// use gradus_datasets::audio::{Beyond, Stft};
/// use gradus_tensor::Tensor;
/// let stft = Stft::new(4).window(&Tensor::new([1.0, 1.0, 1.0, 1.0])).hop(4);
/// let signal = Tensor::new([1.0, 2.0, 3.0, 4.0]);
/// // The first frame has two samples before the signal: 0 + 0 + 1 + 2, or 3 + 2 + 1 + 2.
/// assert_eq!(stft.clone().transform(&signal)?.real.get([0, 0]), 3.0);
/// assert_eq!(stft.beyond(Beyond::Reflected).transform(&signal)?.real.get([0, 0]), 8.0);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Beyond {
    /// Zeros: librosa.
    #[default]
    Zeros,
    /// The signal reflected at its first and last sample: torch and torchaudio.
    Reflected,
}

/// The short-time Fourier transform: spectra of windows that move along a signal.
///
/// ```
/// use gradus_datasets::audio::Stft;
/// use gradus_tensor::Tensor;
/// // A tone with 100 periods in 1,600 samples has its energy at 100 / 1600 of the sampling rate: bin 25 of 400.
/// let tone = (Tensor::arange(0.0, 1600.0, 1.0) * (std::f32::consts::TAU / 16.0)).sin();
/// let spectrum = Stft::new(400).hop(200).transform(&tone)?;
/// assert_eq!(spectrum.power().shape(), &[9, 201]);
/// assert_eq!(spectrum.power().select(0, 4).argmax(0).item(), 25);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone)]
pub struct Stft {
    size: usize,
    hop: usize,
    window: Tensor<f32>,
    centred: bool,
    beyond: Beyond,
    forward: Arc<dyn RealToComplex<f32>>,
    back: Arc<dyn ComplexToReal<f32>>,
}

/// Spectra: a row for each frame.
///
/// ```
/// use gradus_datasets::audio::Stft;
/// use gradus_tensor::Tensor;
/// // One frame of a constant: all of it is in bin 0.
/// let stft = Stft::new(4).window(&Tensor::new([1.0, 1.0, 1.0, 1.0])).centred(false);
/// let spectrum = stft.transform(&Tensor::new([0.5, 0.5, 0.5, 0.5]))?;
/// assert_eq!(spectrum.magnitude(), Tensor::new([[2.0, 0.0, 0.0]]));
/// assert_eq!(spectrum.power(), Tensor::new([[4.0, 0.0, 0.0]]));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    /// The real parts, `[frames, bins]`.
    pub real: Tensor<f32>,
    /// The imaginary parts, `[frames, bins]`.
    pub imaginary: Tensor<f32>,
}

impl Spectrum {
    /// The squares of the magnitudes, `[frames, bins]`.
    pub fn power(&self) -> Tensor<f32> {
        &self.real * &self.real + &self.imaginary * &self.imaginary
    }

    /// The magnitudes, `[frames, bins]`.
    pub fn magnitude(&self) -> Tensor<f32> {
        self.power().sqrt()
    }
}

impl Stft {
    /// Transforms of this size, with size / 2 + 1 bins. The window is a periodic Hann window of that length, the hop a quarter of it,
    /// and frames are centred, with zeros beyond the ends: librosa's `stft`. (torch takes [`Beyond::Reflected`].)
    ///
    /// # Panics
    /// If the size is 0.
    #[track_caller]
    pub fn new(size: usize) -> Self {
        assert!(size > 0, "Stft::new: the size must be 1 or more");
        let mut planner = RealFftPlanner::new();
        Stft {
            size,
            hop: (size / 4).max(1),
            window: WindowShape::Hann.periodic(size),
            centred: true,
            beyond: Beyond::Zeros,
            forward: planner.plan_fft_forward(size),
            back: planner.plan_fft_inverse(size),
        }
    }

    /// With so many samples from a frame to the next.
    ///
    /// # Panics
    /// If that is 0.
    #[track_caller]
    pub fn hop(self, hop: usize) -> Self {
        assert!(hop > 0, "Stft::hop: the hop must be 1 or more");
        Stft { hop, ..self }
    }

    /// With this window. One that is shorter than the transform stands in the middle of its frame, with zeros around it.
    ///
    /// # Panics
    /// If the window has not one axis, or is longer than the transform.
    #[track_caller]
    pub fn window(self, window: &Tensor<f32>) -> Self {
        let fits = window.ndim() == 1 && window.size() <= self.size;
        assert!(fits, "Stft::window: a window of at most {} samples is needed, found {}", self.size, window.shape());
        let left = (self.size - window.size()) / 2;
        Stft { window: window.pad(&[(left, self.size - window.size() - left)], 0.0), ..self }
    }

    /// Whether frame t is centred at sample t times hop, or begins there.
    pub fn centred(self, centred: bool) -> Self {
        Stft { centred, ..self }
    }

    /// With this beyond the ends of the signal, where frames are centred.
    pub fn beyond(self, beyond: Beyond) -> Self {
        Stft { beyond, ..self }
    }

    /// The size of the transform.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The number of bins: size / 2 + 1.
    pub fn bins(&self) -> usize {
        self.size / 2 + 1
    }

    /// The number of frames of a signal of so many samples.
    pub fn frames(&self, samples: usize) -> usize {
        let padded = if self.centred { samples + self.size / 2 * 2 } else { samples };
        if padded < self.size { 0 } else { (padded - self.size) / self.hop + 1 }
    }

    /// The spectra of a signal `[samples]`.
    ///
    /// # Errors
    /// If the signal has not one axis, has no frame, or is too short to be reflected.
    pub fn transform(&self, signal: &Tensor<f32>) -> Result<Spectrum> {
        let padded = self.padded(signal)?;
        let frames = self.frames(signal.size());
        let bins = self.bins();
        let (mut real, mut imaginary) = (Vec::with_capacity(frames * bins), Vec::with_capacity(frames * bins));
        let window = self.window.to_vec();
        let (mut frame, mut spectrum) = (self.forward.make_input_vec(), self.forward.make_output_vec());
        let mut scratch = self.forward.make_scratch_vec();
        for start in (0..frames).map(|t| t * self.hop) {
            for ((out, x), w) in frame.iter_mut().zip(&padded[start..]).zip(&window) {
                *out = x * w;
            }
            let done = self.forward.process_with_scratch(&mut frame, &mut spectrum, &mut scratch);
            done.expect("the buffers are those of the plan");
            real.extend(spectrum.iter().map(|z| z.re));
            imaginary.extend(spectrum.iter().map(|z| z.im));
        }
        let [real, imaginary] =
            [real, imaginary].map(|part| Tensor::from_vec(part, [frames, bins]).expect("all frames"));
        Ok(Spectrum { real, imaginary })
    }

    /// The signal of so many samples whose spectra these are: the inverse of [`transform`](Stft::transform), where every sample lies
    /// under a window. Overlapping frames are added up with the weights of the window, as librosa's and torch's `istft` do.
    ///
    /// # Errors
    /// If the spectra are not `[frames, bins]`, or do not reach so far.
    pub fn inverse(&self, spectrum: &Spectrum, samples: usize) -> Result<Tensor<f32>> {
        let (frames, bins) = (self.frames(samples), self.bins());
        let expected = || format!("[{frames}, {bins}] or more frames, for {samples} samples");
        let fits = |part: &Tensor<f32>| matches!(part.shape()[..], [count, width] if count >= frames && width == bins);
        if !fits(&spectrum.real) || spectrum.real.shape() != spectrum.imaginary.shape() {
            let found = format!("spectra {} and {}", spectrum.real.shape(), spectrum.imaginary.shape());
            return Err(DatasetError::new(found, expected(), "take them from the same transform"));
        }
        let count = spectrum.real.shape()[0];
        let length = ((count.max(1) - 1) * self.hop + self.size).max(samples + self.size);
        let (mut sum, mut weight) = (vec![0.0_f32; length], vec![0.0_f32; length]);
        let (real, imaginary, window) = (spectrum.real.to_vec(), spectrum.imaginary.to_vec(), self.window.to_vec());
        let (mut frame, mut bins_of_frame) = (self.back.make_output_vec(), self.back.make_input_vec());
        let mut scratch = self.back.make_scratch_vec();
        let scale = 1.0 / self.size as f32;
        for t in 0..count {
            for (k, z) in bins_of_frame.iter_mut().enumerate() {
                *z = Complex::new(real[t * bins + k], imaginary[t * bins + k]);
            }
            // The spectrum of a real signal is real at both ends.
            bins_of_frame[0].im = 0.0;
            if self.size.is_multiple_of(2) {
                bins_of_frame[bins - 1].im = 0.0;
            }
            let done = self.back.process_with_scratch(&mut bins_of_frame, &mut frame, &mut scratch);
            done.expect("the buffers are those of the plan");
            for (i, (x, w)) in frame.iter().zip(&window).enumerate() {
                sum[t * self.hop + i] += x * w * scale;
                weight[t * self.hop + i] += w * w;
            }
        }
        let first = if self.centred { self.size / 2 } else { 0 };
        let value = |i: usize| if weight[i] > f32::MIN_POSITIVE { sum[i] / weight[i] } else { sum[i] };
        Ok(Tensor::from((first..first + samples).map(value).collect::<Vec<_>>()))
    }

    /// The signal with what lies beyond its ends.
    fn padded(&self, signal: &Tensor<f32>) -> Result<Vec<f32>> {
        if signal.ndim() != 1 {
            let hint = "take one channel, or the mean of all by `Wav::mono`";
            return Err(DatasetError::new(format!("a signal {}", signal.shape()), "one axis, of samples", hint));
        }
        let samples = signal.size();
        let width = if self.centred { self.size / 2 } else { 0 };
        let least = match self.beyond {
            _ if !self.centred => self.size,
            Beyond::Reflected => width + 1,
            Beyond::Zeros => 1,
        };
        if samples < least {
            let hint = "give a longer signal, fill it up with zeros, or take a shorter transform";
            return Err(DatasetError::new(format!("{samples} samples"), format!("{least} or more"), hint));
        }
        let signal = signal.to_vec();
        let at = |i: usize| -> f32 {
            let place = i as isize - width as isize;
            match (self.beyond, usize::try_from(place)) {
                (_, Ok(place)) if place < samples => signal[place],
                (Beyond::Zeros, _) => 0.0,
                (Beyond::Reflected, Err(_)) => signal[place.unsigned_abs()],
                (Beyond::Reflected, Ok(place)) => signal[2 * (samples - 1) - place],
            }
        };
        Ok((0..samples + 2 * width).map(at).collect())
    }
}

impl fmt::Debug for Stft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stft")
            .field("size", &self.size)
            .field("hop", &self.hop)
            .field("centred", &self.centred)
            .field("beyond", &self.beyond)
            .finish_non_exhaustive()
    }
}
