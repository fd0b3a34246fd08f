//! Against librosa, torchaudio and SciPy: `tests/reference/audio.py` writes their numbers and names the versions.

use super::*;
use crate::audio::{Spectrum, WindowShape};

const RATE: u32 = 8000;

fn reference(name: &str) -> Tensor<f32> {
    let text = include_str!("../../../tests/reference/audio.txt");
    let of_name = |line: &'static str| line.strip_prefix(name)?.strip_prefix(' ')?.split_once(": ");
    let found = text.lines().filter_map(of_name).find(|(shape, _)| shape.starts_with(|c: char| c.is_ascii_digit()));
    let (shape, numbers) = found.unwrap_or_else(|| panic!("no {name}"));
    let shape: Vec<usize> = shape.split('x').map(|length| length.parse().unwrap()).collect();
    Tensor::from_vec(numbers.split(' ').map(|number| number.parse().unwrap()).collect(), shape).unwrap()
}

/// Asserts that numbers agree within this part of the largest.
#[track_caller]
fn close(found: &Tensor<f32>, name: &str, tolerance: f32) {
    let expected = reference(name);
    assert_eq!(found.shape(), expected.shape(), "{name}");
    let (error, largest) = ((found - &expected).abs().max(..).item(), expected.abs().max(..).item());
    assert!(error <= tolerance * largest, "{name}: {error} of {largest}");
}

fn signal() -> Tensor<f32> {
    reference("signal")
}

#[test]
fn windows_are_those_of_scipy() {
    let shapes = [
        (WindowShape::Hann, "hann"),
        (WindowShape::Hamming, "hamming"),
        (WindowShape::Blackman, "blackman"),
        (WindowShape::Boxcar, "boxcar"),
    ];
    for (shape, name) in shapes {
        close(&shape.periodic(12), &format!("periodic {name}"), 1e-6);
        close(&shape.symmetric(11), &format!("symmetric {name}"), 1e-6);
        assert_eq!((shape.periodic(0).size(), shape.symmetric(0).size()), (0, 0));
        assert_eq!([shape.periodic(1), shape.symmetric(1)], [Tensor::ones([1]), Tensor::ones([1])]);
    }
}

#[test]
fn spectra_are_those_of_librosa_and_torch() {
    let check = |stft: Stft, name: &str| {
        let Spectrum { real, imaginary } = stft.transform(&signal()).unwrap();
        close(&real, &format!("{name} real"), 1e-6);
        close(&imaginary, &format!("{name} imaginary"), 1e-6);
    };
    check(Stft::new(64).hop(24), "librosa");
    check(Stft::new(64).hop(24).window(&WindowShape::Hann.periodic(48)).beyond(Beyond::Reflected), "torch");
    check(Stft::new(63).hop(20).window(&WindowShape::Hamming.periodic(63)).centred(false), "torch odd");
}

#[test]
fn the_inverse_gives_the_signal_back() {
    for stft in [
        Stft::new(64),
        Stft::new(64).hop(24).window(&WindowShape::Hann.periodic(48)).beyond(Beyond::Reflected),
        Stft::new(63).hop(20).window(&WindowShape::Hamming.periodic(63)),
        Stft::new(32).hop(4).window(&WindowShape::Blackman.symmetric(32)),
        Stft::new(50).hop(50).window(&WindowShape::Boxcar.periodic(50)).centred(false),
        Stft::new(1),
    ] {
        let spectrum = stft.transform(&signal()).unwrap();
        // A view is read as it is.
        let backwards = signal().flip(0).contiguous().flip(0);
        assert_eq!(stft.transform(&backwards).unwrap(), spectrum);
        let back = stft.inverse(&spectrum, 500).unwrap();
        assert!((back - signal()).abs().max(..).item() < 2e-6, "{stft:?}");
        assert!(stft.inverse(&spectrum, 5000).unwrap_err().to_string().contains("for 5000 samples"));
    }
}

#[test]
fn filters_are_those_of_librosa_and_torchaudio() {
    let filters = MelFilters { mels: 10, lowest: 0.0, highest: None, scale: MelScale::Slaney, slaney_norm: true };
    close(&filters.weights(RATE, 65).unwrap(), "mel slaney", 1e-6);
    let part = MelFilters { lowest: 300.0, highest: Some(3000.0), slaney_norm: false, ..filters };
    close(&part.weights(RATE, 65).unwrap(), "mel slaney height", 1e-6);
    let htk = MelFilters { scale: MelScale::Htk, slaney_norm: false, ..filters };
    close(&htk.weights(RATE, 65).unwrap(), "mel htk", 1e-5);
    let area = MelFilters { lowest: 200.0, highest: Some(3500.0), slaney_norm: true, ..htk };
    close(&area.weights(RATE, 65).unwrap(), "mel htk area", 1e-5);
    let error = |filters: MelFilters| filters.weights(RATE, 65).unwrap_err().to_string();
    assert_eq!(
        error(MelFilters { highest: Some(5000.0), ..filters }),
        "found mel filters from 0 to 5000 Hz, expected frequencies in order, from 0 to 4000 Hz; half of the sample rate is the \
         highest there is"
    );
    assert!(error(MelFilters { lowest: f64::NAN, ..filters }).contains("from NaN"));
    assert!(error(MelFilters { mels: 0, ..filters }).contains("0 mel filters over 65 bins"));
    for hertz in [0.0, 200.0, 999.0, 1000.0, 3000.0] {
        for scale in [MelScale::Htk, MelScale::Slaney] {
            assert!((scale.hertz(scale.mels(hertz)) - hertz).abs() < 1e-9);
        }
    }
}

#[test]
fn features_are_those_of_librosa_and_torchaudio() {
    let librosa = MelSpectrogram::librosa(RATE, 128, 50, 20).unwrap();
    let torchaudio = MelSpectrogram::torchaudio(RATE, 128, 50, 20).unwrap();
    let mel = librosa.transform(&signal()).unwrap();
    close(&mel, "librosa mel", 1e-6);
    close(&Decibels::default().of_power(&mel), "librosa db", 1e-5);
    close(&Decibels::default().of_magnitude(&mel.sqrt()), "librosa db", 1e-5);
    close(&torchaudio.transform(&signal()).unwrap(), "torchaudio mel", 1e-5);
    let mfcc = Mfcc::new(librosa, 13).unwrap();
    close(&mfcc.transform(&signal()).unwrap(), "librosa mfcc", 1e-5);
    close(&mfcc.lifter(22.0).transform(&signal()).unwrap(), "librosa lifted", 1e-5);
    let coefficients = Mfcc::new(torchaudio.clone(), 13).unwrap().transform(&signal()).unwrap();
    close(&coefficients, "torchaudio mfcc", 1e-4);
    let expected = reference("torchaudio mfcc");
    close(&deltas(&expected, 2), "torchaudio deltas", 1e-5);
    close(&deltas(&expected, 4), "librosa deltas", 1e-5);
    let log = torchaudio.log(&signal()).unwrap();
    assert!((log - (torchaudio.transform(&signal()).unwrap() + 1e-6).ln()).abs().max(..).item() == 0.0);
}

#[test]
fn decibels_have_a_floor() {
    // By hand: 100 is 20 dB, 80 less is the floor.
    let decibels = |range| Decibels { range, ..Decibels::default() }.of_power(&Tensor::new([100.0, 1.0, 0.0]));
    let close = |found: Tensor<f32>, expected: Tensor<f32>| assert!((found - expected).abs().max(..).item() < 1e-4);
    close(decibels(Some(80.0)), Tensor::new([20.0, 0.0, -60.0]));
    close(decibels(None), Tensor::new([20.0, 0.0, -100.0]));
    assert_eq!(Decibels::default().of_power(&Tensor::zeros([0, 3])).shape(), &[0, 3]);
}

#[test]
fn what_does_not_fit_is_told() {
    let error = |result: Result<Tensor<f32>>| result.unwrap_err().to_string();
    let mel = MelSpectrogram::torchaudio(RATE, 128, 50, 20).unwrap();
    assert_eq!(
        error(mel.transform(&signal().slice(0, ..64))),
        "found 64 samples, expected 65 or more; give a longer signal, fill it up with zeros, or take a shorter transform"
    );
    assert!(mel.transform(&signal().slice(0, ..65)).is_ok());
    assert!(
        error(mel.transform(&signal().reshape([250, 2]))).starts_with("found a signal [250, 2], expected one axis")
    );
    assert!(error(Stft::new(64).transform(&Tensor::zeros([0])).map(|s| s.real)).contains("0 samples"));
    assert!(error(Stft::new(64).centred(false).transform(&Tensor::zeros([63])).map(|s| s.real)).contains("64 or more"));
    assert_eq!(Stft::new(64).transform(&Tensor::zeros([1])).unwrap().real.shape(), &[1, 33]);
    let too_many = Mfcc::new(mel, 21).unwrap_err().to_string();
    assert!(too_many.starts_with("found 21 coefficients of 20 mels"), "{too_many}");
    // A NaN reaches the frames that it lies in, and no other.
    let mut damaged = signal();
    damaged.as_mut_slice()[0] = f32::NAN;
    let power = Stft::new(64).hop(64).transform(&damaged).unwrap().power();
    assert!(power.select(0, 0).iter().all(f32::is_nan) && !power.slice(0, 1..).iter().any(f32::is_nan));
    assert_eq!(deltas(&Tensor::zeros([0, 3]), 2).shape(), &[0, 3]);
    assert_eq!(deltas(&Tensor::ones([1, 3]), 2), Tensor::zeros([1, 3]));
}
