//! Spoken digits: 3,000 recordings of the digits 0 to 9 by six speakers, as frames of 13 mel-frequency cepstral coefficients.
//!
//! 2,400 clips to train on and 600 to test on. The recordings are the Free Spoken Digit Dataset by its contributors, under the terms of the
//! Creative Commons Attribution-ShareAlike 4.0 licence, and so are these files. They lie in this crate's folder `data/spoken-digits`,
//! whose README says how they came about and what their limits are.

use std::path::Path;

use gradus_tensor::{Element, Tensor};

use crate::error::{DatasetError, Result};
use crate::folder::{DataFiles, FoundFiles};
use crate::tabbed::check_count;

/// The number of classes: the digits 0 to 9.
pub const CLASSES: usize = 10;

/// The number of coefficients of a frame.
pub const COEFFICIENTS: usize = 13;

/// The files and their md5 sums.
pub const FILES: DataFiles = DataFiles {
    name: "spoken-digits",
    files: &[
        ("frames.npy", Some("d1abac7fbf845bc73a1cfdf53bce0e49")),
        ("lengths.npy", Some("2172ef717a2615cfa93a32f08cce7242")),
        ("labels.npy", Some("92faa5bdf2b0f9884d521ef5f79471e2")),
    ],
    remotes: &[],
};

const CLIPS: [usize; 2] = [2_400, 600];

/// A recording of one digit.
///
/// ```
/// let clips = gradus_datasets::spoken_digits::load()?.train;
/// // The sevens, each with as many frames as it is long.
/// let sevens: Vec<usize> = clips.iter().filter(|clip| clip.digit == 7).map(|clip| clip.frames.shape()[0]).collect();
/// assert!(!sevens.is_empty());
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    /// The frames, `[frames, 13]`, as they are in the source: not normalised.
    pub frames: Tensor<f32>,
    /// The digit.
    pub digit: u8,
}

/// The clips of both parts.
///
/// ```
/// let digits = gradus_datasets::spoken_digits::load()?;
/// let longest = digits.train.iter().chain(&digits.test).map(|clip| clip.frames.shape()[0]).max();
/// println!("the longest recording has {} frames", longest.unwrap());
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SpokenDigits {
    /// The clips to learn from.
    pub train: Vec<Clip>,
    /// The clips to test on.
    pub test: Vec<Clip>,
}

/// The clips: from `spoken-digits/` in the folder that the environment variable `GRADUS_DATA` names, or else this crate's own copy.
///
/// ```
/// use gradus_datasets::spoken_digits;
/// let digits = spoken_digits::load()?;
/// assert_eq!((digits.train.len(), digits.test.len()), (2400, 600));
/// assert_eq!(digits.train[0].frames.shape()[1], spoken_digits::COEFFICIENTS);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If a file is missing or damaged.
pub fn load() -> Result<SpokenDigits> {
    read(&FILES.find()?)
}

/// The clips from a folder that holds the three files, or `spoken-digits/` with them.
///
/// ```
/// let digits = gradus_datasets::spoken_digits::load_from("data/spoken-digits")?;
/// assert_eq!(digits.test.len(), 600);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If a file is missing or damaged.
pub fn load_from(folder: impl AsRef<Path>) -> Result<SpokenDigits> {
    read(&FILES.find_in(folder)?)
}

fn read(found: &FoundFiles) -> Result<SpokenDigits> {
    let frames = array::<f32>(found, "frames.npy")?;
    let [lengths, labels] = [array::<u8>(found, "lengths.npy")?, array::<u8>(found, "labels.npy")?];
    let path = found.path("lengths.npy")?.display().to_string();
    check_count(&path, lengths.size(), CLIPS.iter().sum())?;
    let total: usize = lengths.iter().map(usize::from).sum();
    let hint = "the files are damaged or those of another version: get them again";
    if *frames.shape() != [total, COEFFICIENTS] || labels.shape() != lengths.shape() || lengths.ndim() != 1 {
        let found = format!("frames {}, lengths {}, labels {}", frames.shape(), lengths.shape(), labels.shape());
        let expected = format!("frames [{total}, {COEFFICIENTS}], and a length and a label for each clip");
        return Err(DatasetError::new(found, expected, hint).in_file(path));
    }
    if let Some(clip) = labels.iter().position(|label| usize::from(label) >= CLASSES) {
        let error = DatasetError::new(format!("label {}", labels.get([clip])), "a label from 0 to 9", hint);
        return Err(error.in_file(path).at(crate::error::Place::Sample(clip)));
    }
    let mut start = 0;
    let clip = |(length, digit): (u8, u8)| {
        let end = start + usize::from(length);
        let frames = frames.slice(0, start..end);
        start = end;
        Clip { frames, digit }
    };
    let mut train: Vec<Clip> = lengths.iter().zip(labels.iter()).map(clip).collect();
    let test = train.split_off(CLIPS[0]);
    Ok(SpokenDigits { train, test })
}

fn array<T: Element>(found: &FoundFiles, name: &str) -> Result<Tensor<T>> {
    let mut source = found.open(name)?;
    let path = source.name().to_owned();
    let hint = "the file is damaged: get it again";
    let array = Tensor::read_npy(&mut source).map_err(|error| {
        DatasetError::new(format!("an array that cannot be read ({error})"), "an array as of NumPy", hint)
            .in_file(&path)
    })?;
    // At the end the checksum is compared.
    match source.read_up_to(1)?.is_empty() {
        true => Ok(array),
        false => Err(DatasetError::new("bytes behind the array", "the end of the file", hint).in_file(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clips_are_what_the_readme_says() {
        let digits = load().unwrap();
        for (part, frames, of_each) in [(&digits.train, 43_181, 240), (&digits.test, 10_818, 60)] {
            assert_eq!(part.iter().map(|clip| clip.frames.shape()[0]).sum::<usize>(), frames);
            for digit in 0..10 {
                assert_eq!(part.iter().filter(|clip| clip.digit == digit).count(), of_each);
            }
        }
        // NumPy: frames[:43181].mean(0) and std(0), to two places.
        let all: Vec<Tensor> = digits.train.iter().map(|clip| clip.frames.clone()).collect();
        let all = Tensor::concat(&all, 0);
        let [mean, std] = [all.mean(0), all.std(0)];
        let close = |x: f32, expected: f32| (x - expected).abs() < 0.01;
        assert!(close(mean.get([0]), -303.41) && close(mean.get([12]), -12.20), "{mean:?}");
        assert!(close(std.get([0]), 144.06) && close(std.get([12]), 12.44), "{std:?}");
    }
}
