use super::*;

fn source(bytes: &[u8]) -> ByteSource<'_> {
    ByteSource::new(bytes, "tone.wav").unwrap()
}

/// A file of 16-bit samples in one channel, with these sizes of the whole and of the samples.
fn file(riff: u32, data: u32, samples: &[u8], behind: &[u8]) -> Vec<u8> {
    let parts: [&[u8]; 9] = [
        b"RIFF",
        &riff.to_le_bytes(),
        b"WAVEfmt \x10\0\0\0\x01\0\x01\0",
        &8000_u32.to_le_bytes(),
        &16000_u32.to_le_bytes(),
        b"\x02\0\x10\0data",
        &data.to_le_bytes(),
        samples,
        behind,
    ];
    parts.concat()
}

fn read(bytes: &[u8]) -> Result<Vec<f32>> {
    Wav::read(source(bytes)).map(|wav| wav.samples.to_vec())
}

#[test]
fn files_of_libsndfile_are_read_and_written() {
    let mut count = 0;
    for line in include_str!("../../../tests/reference/wav.txt").lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_once(": ").unwrap();
        let mut rest = rest.split(' ');
        let hex = rest.next().unwrap();
        let bytes: Vec<u8> = (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..][..2], 16).unwrap()).collect();
        let expected: Vec<f32> = rest.map(|number| number.parse().unwrap()).collect();
        let mut reader = WavReader::new(source(&bytes)).unwrap();
        let (encoding, channels) = (reader.encoding(), reader.channels());
        assert!(name.ends_with(&channels.to_string()), "{name}");
        // Frame by frame, and all at once.
        let mut frames = Vec::new();
        while let Some(frame) = reader.read_frames(1).unwrap() {
            assert_eq!(frame.shape(), &[1, channels]);
            frames.extend(frame.iter());
        }
        assert_eq!(frames, expected, "{name}");
        let wav = Wav::read(source(&bytes)).unwrap();
        assert_eq!((wav.sample_rate, wav.samples.to_vec()), (8000, expected), "{name}");
        let mut written = Vec::new();
        wav.write_to(&mut written, encoding).unwrap();
        assert_eq!(Wav::read(source(&written)).unwrap(), wav, "{name}");
        // libsndfile writes the plain form of PCM in these bytes, too. (An f32 does not hold 32 bits.)
        if name.starts_with("WAV PCM") && encoding != WavEncoding::I32 {
            assert_eq!(written, bytes, "{name}");
        }
        count += 1;
    }
    assert_eq!(count, 24);
}

#[test]
fn sizes_that_a_pipe_left_unknown_go_to_the_end() {
    let samples = [0, 64, 0, 192];
    for (riff, data) in [(u32::MAX, u32::MAX), (0, 0), (36, 0), (u32::MAX, 0), (0, u32::MAX)] {
        assert_eq!(read(&file(riff, data, &samples, &[])).unwrap(), [0.5, -0.5], "{riff} {data}");
    }
    // No samples, and another chunk.
    assert_eq!(read(&file(48, 0, &[], b"LIST\x04\0\0\0abcd")).unwrap(), [0.0; 0]);
    assert_eq!(read(&file(40, 4, &samples, b"LIST\x04\0\0\0abcd")).unwrap(), [0.5, -0.5]);
}

#[test]
fn what_is_cut_off_is_told_behind_what_is_there() {
    let error = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
    let hint = "the file is cut off: get it again, or take the frames before the end by `WavReader`";
    let torn = file(u32::MAX, u32::MAX, &[0, 64, 0], &[]);
    let message = format!("tone.wav, byte 47: found 1 bytes of a last frame, expected frames of 2 bytes; {hint}");
    assert_eq!(error(&torn), message);
    let mut reader = WavReader::new(source(&torn)).unwrap();
    assert_eq!(reader.read_frames(100).unwrap().unwrap().to_vec(), [0.5]);
    assert_eq!(reader.read_frames(100).unwrap_err().to_string(), message);
    assert!(reader.read_frames(100).unwrap().is_none());
    let short = file(136, 100, &[0, 64, 0, 192], &[]);
    assert_eq!(
        error(&short),
        format!("tone.wav, byte 48: found the end of the file, expected 96 bytes more of samples; {hint}")
    );
    assert_eq!(WavReader::new(source(&short)).unwrap().read_frames(1).unwrap().unwrap().to_vec(), [0.5]);
    // A size that is no whole number of frames.
    assert!(error(&file(39, 3, &[0, 64, 0], &[])).contains("1 bytes of a last frame"));
    // A claim of 4 GiB takes no memory.
    assert!(error(&file(u32::MAX, u32::MAX - 1, &[0, 64], &[])).contains("4294967292 bytes more"));
}

#[test]
fn what_is_no_wav_is_refused() {
    let error = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
    assert_eq!(
        error(b"ID3 is an MP3"),
        "tone.wav, byte 0: found the bytes \"ID3 is an MP\", expected RIFF, a size and WAVE; only WAV files are read: convert \
         the sound to WAV"
    );
    let good = file(40, 4, &[0, 64, 0, 192], &[]);
    let changed = |at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[at..][..bytes.len()].copy_from_slice(bytes);
        error(&file)
    };
    assert!(changed(0, b"RF64").contains("the 64-bit form of WAV"));
    assert_eq!(
        changed(20, &[7, 0]),
        "tone.wav, byte 12: found mu-law (tag 7) of 16 bits, expected PCM of 8, 16, 24 or 32 bits, or floats of 32 or 64; \
         convert the file to 16-bit PCM"
    );
    assert_eq!(
        changed(32, &[3, 0]),
        "tone.wav, byte 12: found 1 channels at 8000 Hz in frames of 3 bytes, expected a channel, a rate, and 2 bytes a frame; \
         the file is damaged: get it again"
    );
    assert!(changed(22, &[0, 0]).contains("0 channels"));
    assert!(changed(12, b"junk").contains("found samples (data), expected their format (fmt) before"));
    assert!(changed(36, b"junk").contains("found the end of the file, expected a chunk of samples (data)"));
}

#[test]
fn no_damage_panics_or_takes_memory() {
    let good = file(40, 4, &[0, 64, 0, 192], b"LIST\x04\0\0\0abcd");
    for end in 0..good.len() {
        let _ = read(&good[..end]);
    }
    for place in 0..good.len() {
        for byte in [0, 1, 2, 3, 0x7F, 0x80, 0xFE, 0xFF] {
            let mut file = good.clone();
            file[place] = byte;
            let _ = read(&file);
        }
    }
    let mut generator = gradus_tensor::Generator::new(1);
    for _ in 0..2000 {
        let mut file = good.clone();
        for _ in 0..4 {
            let place = generator.next_below(file.len() as u64) as usize;
            file[place] = generator.next_below(256) as u8;
        }
        let _ = read(&file);
    }
}

#[test]
fn samples_are_clipped_and_rounded() {
    let wav = Wav { sample_rate: 1, samples: Tensor::new([[2.0], [-2.0], [0.5], [1.4 / 32768.0], [f32::INFINITY]]) };
    let mut bytes = Vec::new();
    wav.write_to(&mut bytes, WavEncoding::I16).unwrap();
    // By hand.
    let expected = [32767.0, -32768.0, 16384.0, 1.0, 32767.0].map(|x: f32| x / 32768.0);
    assert_eq!(read(&bytes).unwrap(), expected);
    assert_eq!(to_i16(&wav.samples).to_vec(), [32767, -32768, 16384, 1, 32767]);
    assert_eq!(from_i16(&to_i16(&wav.samples)).to_vec(), expected);
    // An odd number of bytes is filled up.
    bytes.clear();
    wav.write_to(&mut bytes, WavEncoding::U8).unwrap();
    assert_eq!(bytes.len(), 44 + 6);
    assert_eq!(read(&bytes).unwrap().len(), 5);
    let nan = Wav { sample_rate: 1, samples: Tensor::new([[0.0, 0.0], [f32::NAN, 0.0]]) };
    let error = nan.write_to(&mut Vec::new(), WavEncoding::I24).unwrap_err().to_string();
    assert!(error.starts_with("found NaN in frame 1"), "{error}");
    nan.write_to(&mut Vec::new(), WavEncoding::F32).unwrap();
    let flat = Wav { sample_rate: 1, samples: Tensor::new([0.0, 0.0]) };
    assert!(flat.write_to(&mut Vec::new(), WavEncoding::I16).unwrap_err().to_string().contains("samples [2]"));
    assert!(Wav::open("/no/such/tone.wav").unwrap_err().to_string().starts_with("/no/such/tone.wav: "));
}
