//! WAV: sound as samples of channels, read as a stream and written.
//!
//! RIFF chunks as of Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0"; the extensible format as of
//! `mmreg.h`. A program that writes to a pipe cannot know the size of what it writes, and leaves 0xFFFFFFFF or 0 in its place: then
//! the samples go on to the end of the file. (The crate hound refuses such files, so this reader is our own.)

use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;

use gradus_tensor::{Tensor, write_atomically};

use crate::error::{DatasetError, Place, Result};
use crate::source::ByteSource;

/// How a WAV file stores a sample.
///
/// ```
/// use gradus_datasets::audio::WavEncoding;
/// assert_eq!((WavEncoding::I24.bytes(), WavEncoding::F64.bytes()), (3, 8));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WavEncoding {
    /// 8-bit PCM: 128 is silence.
    U8,
    /// 16-bit PCM.
    I16,
    /// 24-bit PCM.
    I24,
    /// 32-bit PCM.
    I32,
    /// 32-bit floats.
    F32,
    /// 64-bit floats.
    F64,
}

impl WavEncoding {
    /// The bytes of a sample.
    pub fn bytes(self) -> usize {
        match self {
            WavEncoding::U8 => 1,
            WavEncoding::I16 => 2,
            WavEncoding::I24 => 3,
            WavEncoding::I32 | WavEncoding::F32 => 4,
            WavEncoding::F64 => 8,
        }
    }

    fn of(tag: u16, bits: u16) -> Option<Self> {
        match (tag, bits) {
            (PCM, 8) => Some(WavEncoding::U8),
            (PCM, 16) => Some(WavEncoding::I16),
            (PCM, 24) => Some(WavEncoding::I24),
            (PCM, 32) => Some(WavEncoding::I32),
            (FLOAT, 32) => Some(WavEncoding::F32),
            (FLOAT, 64) => Some(WavEncoding::F64),
            _ => None,
        }
    }

    /// The value of the bytes of a sample.
    fn read(self, bytes: &[u8]) -> f32 {
        let integer = || {
            // The bytes are the high ones of an i32, least significant first.
            let mut high = [0; 4];
            high[4 - bytes.len()..].copy_from_slice(bytes);
            (f64::from(i32::from_le_bytes(high)) / 2_f64.powi(31)) as f32
        };
        match self {
            WavEncoding::U8 => (f32::from(bytes[0]) - 128.0) / 128.0,
            WavEncoding::I16 | WavEncoding::I24 | WavEncoding::I32 => integer(),
            WavEncoding::F32 => f32::from_le_bytes(bytes.try_into().expect("four bytes")),
            WavEncoding::F64 => f64::from_le_bytes(bytes.try_into().expect("eight bytes")) as f32,
        }
    }

    /// Appends the bytes of a sample, the nearest that there is.
    fn write(self, value: f32, bytes: &mut Vec<u8>) {
        let steps = |bits: i32| {
            let largest = 2_f64.powi(bits - 1);
            (f64::from(value) * largest).round().clamp(-largest, largest - 1.0) as i32
        };
        match self {
            WavEncoding::U8 => bytes.push((steps(8) + 128) as u8),
            WavEncoding::I16 => bytes.extend((steps(16) as i16).to_le_bytes()),
            WavEncoding::I24 => bytes.extend(&steps(24).to_le_bytes()[..3]),
            WavEncoding::I32 => bytes.extend(steps(32).to_le_bytes()),
            WavEncoding::F32 => bytes.extend(value.to_le_bytes()),
            WavEncoding::F64 => bytes.extend(f64::from(value).to_le_bytes()),
        }
    }
}

/// The format tags.
const PCM: u16 = 1;
const FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xFFFE;
/// The GUID of a format in the extensible format: the tag and these bytes.
const GUID_TAIL: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];
/// The size that a program leaves which does not know it, beside 0.
const UNKNOWN: u32 = u32::MAX;
/// The most frames that are converted at a time.
const BLOCK: usize = 1 << 14;

/// Sound in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Wav {
    /// Frames a second.
    pub sample_rate: u32,
    /// `[frames, channels]`, from -1 to 1; floats of a file may go beyond.
    pub samples: Tensor<f32>,
}

impl Wav {
    /// The sound of a file, which may be packed by gzip. PCM of 8, 16, 24 and 32 bits and floats of 32 and 64 bits are read, with
    /// any number of channels; an n-bit sample is divided by 2^(n-1), as torchaudio, librosa and libsndfile do.
    ///
    /// # Errors
    /// If the file is missing, damaged, cut off or of another encoding.
    pub fn open(path: impl AsRef<Path>) -> Result<Wav> {
        Wav::read(ByteSource::open(path)?)
    }

    /// The sound of any source, as [`Wav::open`] reads it.
    ///
    /// # Errors
    /// As [`Wav::open`].
    pub fn read(source: ByteSource<'_>) -> Result<Wav> {
        let mut reader = WavReader::new(source)?;
        let mut samples = Vec::new();
        while let Some(block) = reader.read_frames(BLOCK)? {
            samples.extend(block.iter());
        }
        let frames = samples.len() / reader.channels();
        let samples = Tensor::from_vec(samples, [frames, reader.channels()]).expect("whole frames");
        Ok(Wav { sample_rate: reader.sample_rate(), samples })
    }

    /// The mean of the channels, `[frames]`.
    pub fn mono(&self) -> Tensor<f32> {
        self.samples.mean(-1)
    }

    /// Writes a file, whole or not at all. Samples beyond -1 to 1 are clipped, except as floats.
    ///
    /// ```
    /// use gradus_datasets::audio::{Wav, WavEncoding};
    /// use gradus_tensor::Tensor;
    /// let path = std::env::temp_dir().join(format!("gradus-wav-{}.wav", std::process::id()));
    /// let tone = (Tensor::arange(0.0, 1600.0, 1.0) * (440.0 * std::f32::consts::TAU / 16_000.0)).sin() * 0.5;
    /// Wav { sample_rate: 16_000, samples: tone.unsqueeze(1) }.write(&path, WavEncoding::I16)?;
    /// let read = Wav::open(&path)?;
    /// assert_eq!((read.sample_rate, read.samples.shape()), (16_000, &[1600, 1][..].into()));
    /// assert!((read.mono() - tone).abs().max(..).item() <= 0.5 / 32_768.0);
    /// # std::fs::remove_file(path).unwrap();
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    ///
    /// # Errors
    /// If the samples are not `[frames, channels]` with at most 65,535 channels, are more than a WAV file holds (4 GiB), or have a NaN
    /// that is to be an integer; or the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>, encoding: WavEncoding) -> Result<()> {
        let path = path.as_ref();
        let header = self.header(encoding).map_err(|error| error.in_file(path))?;
        write_atomically(path, |file| self.write_samples(&header, encoding, file))
            .map_err(|error| unwritten(&error).in_file(path))
    }

    /// Writes to any writer, as [`Wav::write`] does.
    ///
    /// # Errors
    /// As [`Wav::write`].
    pub fn write_to(&self, mut writer: impl Write, encoding: WavEncoding) -> Result<()> {
        let header = self.header(encoding)?;
        self.write_samples(&header, encoding, &mut writer).map_err(|error| unwritten(&error))
    }

    /// All bytes before the samples.
    fn header(&self, encoding: WavEncoding) -> Result<Vec<u8>> {
        let shape = self.samples.shape();
        let refuse = |found: String, expected: &str, hint: &str| Err(DatasetError::new(found, expected, hint));
        let &[frames, channels] = &shape[..] else {
            let hint = "give one channel by `unsqueeze(1)`";
            return refuse(format!("samples {shape}"), "[frames, channels]", hint);
        };
        let width = channels * encoding.bytes();
        let most = u32::MAX as usize - 128;
        let Some(bytes) = frames.checked_mul(width).filter(|&bytes| bytes <= most) else {
            return refuse(format!("samples {shape}"), "at most 4 GiB, what a WAV file holds", "write several files");
        };
        let rate = u64::from(self.sample_rate) * width as u64;
        if channels == 0 || width > usize::from(u16::MAX) || self.sample_rate == 0 || rate > u64::from(u32::MAX) {
            let found = format!("{channels} channels at {} Hz", self.sample_rate);
            return refuse(found, "1 to 65,535 bytes a frame, and a rate in 32 bits", "write several files");
        }
        let is_float = matches!(encoding, WavEncoding::F32 | WavEncoding::F64);
        if let Some(place) = self.samples.iter().position(|x| x.is_nan() && !is_float) {
            return refuse(
                format!("NaN in frame {}", place / channels),
                "numbers",
                "write floats, or mend the samples",
            );
        }
        // A chunk of an odd length has a byte more, which its size does not count.
        let fact = if is_float {
            [&b"fact"[..], &4_u32.to_le_bytes(), &(frames as u32).to_le_bytes()].concat()
        } else {
            vec![]
        };
        let size = 4 + 24 + fact.len() + 8 + bytes + bytes % 2;
        let mut header = Vec::with_capacity(64);
        header.extend(b"RIFF");
        header.extend((size as u32).to_le_bytes());
        header.extend(b"WAVEfmt ");
        header.extend(16_u32.to_le_bytes());
        header.extend((if is_float { FLOAT } else { PCM }).to_le_bytes());
        header.extend((channels as u16).to_le_bytes());
        header.extend(self.sample_rate.to_le_bytes());
        header.extend((rate as u32).to_le_bytes());
        header.extend((width as u16).to_le_bytes());
        header.extend((8 * encoding.bytes() as u16).to_le_bytes());
        header.extend(fact);
        header.extend(b"data");
        header.extend((bytes as u32).to_le_bytes());
        Ok(header)
    }

    fn write_samples(&self, header: &[u8], encoding: WavEncoding, writer: &mut dyn Write) -> io::Result<()> {
        writer.write_all(header)?;
        let mut bytes = Vec::new();
        let mut written = 0;
        for value in self.samples.iter() {
            encoding.write(value, &mut bytes);
            if bytes.len() >= BLOCK {
                writer.write_all(&bytes)?;
                written += bytes.len();
                bytes.clear();
            }
        }
        if (written + bytes.len()) % 2 == 1 {
            bytes.push(0);
        }
        writer.write_all(&bytes)
    }
}

/// A WAV file that is read from front to end, some frames at a time.
///
/// ```no_run
/// use gradus_datasets::ByteSource;
/// use gradus_datasets::audio::WavReader;
/// let mut reader = WavReader::new(ByteSource::open("speech.wav")?)?;
/// println!("{} channels at {} Hz", reader.channels(), reader.sample_rate());
/// while let Some(frames) = reader.read_frames(4096)? {
///     println!("{} frames", frames.shape()[0]);
/// }
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
pub struct WavReader<'a> {
    source: ByteSource<'a>,
    encoding: WavEncoding,
    channels: usize,
    sample_rate: u32,
    /// The bytes of samples that are still to come; `None` up to the end of the source.
    remaining: Option<u64>,
    /// The offset of the next sample.
    offset: u64,
    is_done: bool,
    /// What is wrong behind the frames that were returned last.
    complaint: Option<DatasetError>,
}

impl<'a> WavReader<'a> {
    /// Reads up to the first sample.
    ///
    /// # Errors
    /// If this is no WAV file, or one of an encoding that is not read.
    pub fn new(source: ByteSource<'a>) -> Result<Self> {
        let mut chunks = Chunks { source, offset: 0 };
        let name = chunks.source.name().to_owned();
        let reader = chunks.samples().map_err(|error| error.in_file(&name))?;
        let (encoding, channels, sample_rate, remaining) = reader;
        let Chunks { source, offset } = chunks;
        Ok(WavReader { source, encoding, channels, sample_rate, remaining, offset, is_done: false, complaint: None })
    }

    /// Frames a second.
    pub fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// The number of channels, at least 1.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// How the file stores samples.
    pub fn encoding(&self) -> WavEncoding {
        self.encoding
    }

    /// The next `count` frames or fewer, `[frames, channels]`; `None` at the end.
    ///
    /// # Errors
    /// If the source cannot be read, or ends within the samples. What came before has been returned then.
    ///
    /// # Panics
    /// If `count` is 0.
    #[track_caller]
    pub fn read_frames(&mut self, count: usize) -> Result<Option<Tensor<f32>>> {
        assert!(count > 0, "read_frames: the number of frames must be 1 or more");
        if let Some(error) = self.complaint.take() {
            return Err(error);
        }
        let size = self.encoding.bytes();
        let width = size * self.channels;
        let wanted = (count as u64).saturating_mul(width as u64).min(self.remaining.unwrap_or(u64::MAX));
        if wanted == 0 || self.is_done {
            return Ok(None);
        }
        let bytes = self.source.read_up_to(wanted)?;
        self.offset += bytes.len() as u64;
        self.is_done = (bytes.len() as u64) < wanted;
        let missing = wanted - bytes.len() as u64;
        if let Some(remaining) = &mut self.remaining {
            *remaining -= bytes.len() as u64;
        }
        let torn = bytes.len() % width;
        let error = match self.remaining {
            Some(_) if self.is_done => {
                let hint = "the file is cut off: get it again, or take the frames before the end by `WavReader`";
                let more = self.remaining.unwrap_or(missing);
                Some(DatasetError::new("the end of the file", format!("{more} bytes more of samples"), hint))
            }
            _ if torn > 0 => {
                let hint = "the file is cut off: get it again, or take the frames before the end by `WavReader`";
                Some(DatasetError::new(
                    format!("{torn} bytes of a last frame"),
                    format!("frames of {width} bytes"),
                    hint,
                ))
            }
            _ => None,
        };
        self.complaint = error.map(|error| error.in_file(self.source.name()).at(Place::Byte(self.offset)));
        if bytes.len() < width {
            return self.complaint.take().map_or(Ok(None), Err);
        }
        let whole = &bytes[..bytes.len() - torn];
        let samples: Vec<f32> = whole.chunks_exact(size).map(|sample| self.encoding.read(sample)).collect();
        Ok(Some(Tensor::from_vec(samples, [whole.len() / width, self.channels]).expect("whole frames")))
    }
}

impl fmt::Debug for WavReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WavReader { encoding, channels, sample_rate, .. } = self;
        f.debug_struct("WavReader")
            .field("source", &self.source)
            .field("encoding", encoding)
            .field("channels", channels)
            .field("sample_rate", sample_rate)
            .finish_non_exhaustive()
    }
}

/// The chunks before the samples.
struct Chunks<'a> {
    source: ByteSource<'a>,
    offset: u64,
}

/// What the chunks say: encoding, channels, sample rate, and the bytes of samples where they are known.
type Format = (WavEncoding, usize, u32, Option<u64>);

impl Chunks<'_> {
    /// Reads up to the first sample.
    fn samples(&mut self) -> Result<Format> {
        let hint = "only WAV files are read: convert the sound to WAV";
        let head = self.source.read_up_to(12)?;
        if head.len() < 12 || head[..4] != *b"RIFF" || head[8..] != *b"WAVE" {
            let found = match head.get(..4) {
                Some(b"RF64" | b"BW64") => "a file of the 64-bit form of WAV".to_owned(),
                Some(b"RIFX") => "a file with the most significant bytes first".to_owned(),
                _ => format!("the bytes {:?}", String::from_utf8_lossy(&head)),
            };
            return Err(DatasetError::new(found, "RIFF, a size and WAVE", hint).at(Place::Byte(0)));
        }
        self.offset = 12;
        let riff_size = number::<4>(&head[4..8]);
        let mut format = None;
        loop {
            let head = self.source.read_up_to(8)?;
            if head.len() < 8 {
                let expected =
                    if format.is_some() { "a chunk of samples (data)" } else { "a chunk of the format (fmt)" };
                let hint = "the file is cut off: get it again";
                return Err(DatasetError::new("the end of the file", expected, hint).at(Place::Byte(self.offset)));
            }
            let (name, size) = (&head[..4], number::<4>(&head[4..]));
            let place = Place::Byte(self.offset);
            self.offset += 8;
            match (name, format) {
                (b"data", Some((encoding, channels, sample_rate))) => {
                    // A size of 0 is meant where the file says that something follows.
                    let follows = riff_size != u64::from(UNKNOWN) && riff_size + 8 > self.offset;
                    let is_unknown = size == u64::from(UNKNOWN) || size == 0 && !follows;
                    return Ok((encoding, channels, sample_rate, (!is_unknown).then_some(size)));
                }
                (b"data", None) => {
                    let hint = "the file is damaged: get it again";
                    return Err(DatasetError::new("samples (data)", "their format (fmt) before", hint).at(place));
                }
                (b"fmt ", _) => {
                    let bytes = self.source.read_up_to(size.min(40))?;
                    if bytes.len() < 16 {
                        let found = format!("a format (fmt) of {} bytes", bytes.len());
                        return Err(
                            DatasetError::new(found, "16 bytes or more", "the file is damaged: get it again").at(place)
                        );
                    }
                    format = Some(parse_format(&bytes).map_err(|error| error.at(place))?);
                    self.skip(size + size % 2, bytes.len() as u64)?;
                }
                _ => self.skip(size + size % 2, 0)?,
            }
        }
    }

    /// Reads past the rest of a chunk of `size` bytes. A chunk that is cut off is noticed at the next one.
    fn skip(&mut self, size: u64, read: u64) -> Result<()> {
        let rest = size.saturating_sub(read);
        let skipped = io::copy(&mut self.source.by_ref().take(rest), &mut io::sink());
        skipped.map_err(|error| self.source.error(&error))?;
        self.offset += size;
        Ok(())
    }
}

/// The encoding, channels and sample rate of a chunk of at least 16 bytes.
fn parse_format(bytes: &[u8]) -> Result<(WavEncoding, usize, u32)> {
    let field = |at: usize| number::<2>(&bytes[at..at + 2]) as u16;
    let (tag, channels, width, bits) = (field(0), field(2), field(12), field(14));
    let sample_rate = number::<4>(&bytes[4..8]) as u32;
    let tag = match bytes.get(24..40) {
        Some(guid) if tag == EXTENSIBLE && guid[2..] == GUID_TAIL => field(24),
        _ => tag,
    };
    let damaged = "the file is damaged: get it again";
    let Some(encoding) = WavEncoding::of(tag, bits) else {
        let name = match tag {
            PCM => "PCM",
            FLOAT => "floats",
            2 | 0x11 => "ADPCM",
            6 => "A-law",
            7 => "mu-law",
            0x55 => "MP3",
            EXTENSIBLE => "an unknown extensible format",
            _ => "an unknown format",
        };
        let expected = "PCM of 8, 16, 24 or 32 bits, or floats of 32 or 64";
        return Err(DatasetError::new(
            format!("{name} (tag {tag}) of {bits} bits"),
            expected,
            "convert the file to 16-bit PCM",
        ));
    };
    let expected_width = usize::from(channels) * encoding.bytes();
    if channels == 0 || sample_rate == 0 || usize::from(width) != expected_width {
        let found = format!("{channels} channels at {sample_rate} Hz in frames of {width} bytes");
        let expected = format!("a channel, a rate, and {expected_width} bytes a frame");
        return Err(DatasetError::new(found, expected, damaged));
    }
    Ok((encoding, usize::from(channels), sample_rate))
}

/// A number, least significant byte first.
fn number<const N: usize>(bytes: &[u8]) -> u64 {
    bytes[..N].iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

fn unwritten(error: &io::Error) -> DatasetError {
    DatasetError::new(
        format!("that it cannot be written ({error})"),
        "a place to write to",
        "check the folder and its space",
    )
}

/// 16-bit samples as numbers from -1 to 1: divided by 2^15.
///
/// ```
/// use gradus_datasets::audio::from_i16;
/// use gradus_tensor::Tensor;
/// assert_eq!(from_i16(&Tensor::from([0_i16, 16_384, -32_768])), Tensor::new([0.0, 0.5, -1.0]));
/// ```
pub fn from_i16(samples: &Tensor<i16>) -> Tensor<f32> {
    samples.to::<f32>() / 32_768.0
}

/// Numbers from -1 to 1 as 16-bit samples, the nearest that there are; beyond they are clipped, and a NaN becomes 0.
///
/// ```
/// use gradus_datasets::audio::to_i16;
/// use gradus_tensor::Tensor;
/// assert_eq!(to_i16(&Tensor::new([0.5, -1.0, 2.0])), Tensor::from([16_384_i16, -32_768, 32_767]));
/// ```
pub fn to_i16(samples: &Tensor<f32>) -> Tensor<i16> {
    samples.map(|x| (x * 32_768.0).round()).to::<i16>()
}

#[cfg(test)]
mod tests;
