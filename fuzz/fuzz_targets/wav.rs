//! A WAV file: read at once and a few frames at a time it has the same samples, and they come back from the file that is written
//! of them.
#![no_main]

use gradus_datasets::audio::{Wav, WavReader};
use gradus_datasets::{ByteSource, Result};
use gradus_tensor::Tensor;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let [count, bytes @ ..] = bytes else { return };
    let source = || ByteSource::new(bytes, "fuzz.wav");
    let at_once = source().and_then(Wav::read);
    let Ok(mut reader) = source().and_then(WavReader::new) else { return assert!(at_once.is_err()) };
    let (encoding, channels) = (reader.encoding(), reader.channels());
    let frames = || reader.read_frames(usize::from(*count) + 1).transpose();
    let parts: Result<Vec<Tensor>> = std::iter::from_fn(frames).collect();
    assert_eq!(parts.is_ok(), at_once.is_ok());
    let (Ok(parts), Ok(wav)) = (parts, at_once) else { return };
    let samples: Vec<f32> = parts.iter().flat_map(Tensor::iter).collect();
    let bits = |samples: &[f32]| samples.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!((bits(&samples), samples.len()), (bits(&wav.samples.to_vec()), wav.samples.shape()[0] * channels));
    let mut written = Vec::new();
    // A header may claim more bytes a second than 32 bits count.
    if wav.write_to(&mut written, encoding).is_ok() {
        let again = Wav::read(ByteSource::new(&written[..], "written.wav").unwrap()).unwrap();
        assert_eq!(again.sample_rate, wav.sample_rate);
        assert_eq!(again.samples.shape(), wav.samples.shape());
    }
});
