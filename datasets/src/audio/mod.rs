//! Sound: WAV files, and features of speech.
//!
//! [`Wav`] and [`WavReader`] read and write sound. With the feature `audio` there are spectra (`Stft`), mel spectra
//! (`MelSpectrogram`) and cepstral coefficients (`Mfcc`), in the conventions of librosa and of torchaudio. Signals are `[samples]`, features
//! `[frames, features]`.
//!
//! Nothing resamples: bring sound to one rate before, as by sox or ffmpeg.

#[cfg(feature = "audio")]
mod features;
#[cfg(feature = "audio")]
mod mel;
#[cfg(feature = "audio")]
mod stft;
mod wav;
mod window;

#[cfg(feature = "audio")]
pub use features::{Decibels, MelSpectrogram, Mfcc, deltas};
#[cfg(feature = "audio")]
pub use mel::{MelFilters, MelScale};
#[cfg(feature = "audio")]
pub use stft::{Beyond, Spectrum, Stft};
pub use wav::{Wav, WavEncoding, WavReader, from_i16, to_i16};
pub use window::WindowShape;
