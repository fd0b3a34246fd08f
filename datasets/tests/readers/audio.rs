//! Spectra by hand.
#![cfg(feature = "audio")]

use gradus_datasets::audio::Stft;
use gradus_tensor::Tensor;

#[test]
fn a_shorter_window_stands_in_the_middle_or_left_of_it() {
    // Of four samples under a window of three ones the last one is left out, as by librosa's `pad_center`.
    let stft = Stft::new(4).hop(1).centred(false).window(&Tensor::ones([3]));
    let spectrum = stft.transform(&Tensor::new([1.0, 2.0, 4.0, 8.0])).unwrap();
    assert_eq!(spectrum.real.get([0, 0]), 7.0);
}
