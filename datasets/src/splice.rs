//! Splice junctions in primate DNA: 3,004 windows of 60 bases, with a boundary of exon and intron in their middle or without one.
//!
//! 2,404 to train on and 600 to test on, split so that no family of sequences is on both sides. Molecular Biology (Splice-junction Gene
//! Sequences), donated by G. Towell, M. Noordewier and J. Shavlik, UCI Machine Learning Repository, under the terms of the Creative Commons
//! Attribution 4.0 licence; deduplicated, grouped and split here. The file lies in this crate's folder `data/splice`, whose README says
//! more.

use std::path::Path;

use gradus_tensor::Tensor;

use crate::biology::OneHot;
use crate::dataset::Dataset;
use crate::error::{DatasetError, Result};
use crate::folder::{DataFiles, FoundFiles};
use crate::splits::Splits;
use crate::tabbed::{check_count, each_line};

/// The number of classes.
pub const CLASSES: usize = 3;

/// The classes: a boundary from exon to intron, from intron to exon, neither.
pub const CLASS_NAMES: [&str; CLASSES] = ["EI", "IE", "N"];

/// The number of bases of a window.
pub const LENGTH: usize = 60;

/// The file and its md5 sum.
pub const FILES: DataFiles =
    DataFiles { name: "splice", files: &[("splice.tsv", Some("c03d53d18625f8c20dbd0382dc263b5e"))], remotes: &[] };

const TRAIN: usize = 2_404;
const TEST: usize = 600;

/// The windows as one-hot rows of [`OneHot::dna`]: from `splice/` in the folder that the environment variable `GRADUS_DATA` names, or
/// else this crate's own copy. [`sequences`] has them as letters.
///
/// Inputs `[2404, 60, 4]` and `[600, 60, 4]`, in 15 windows with fractions for letters that stand for several bases; targets
/// `[2404]` and `[600]`, the places in [`CLASS_NAMES`].
///
/// ```
/// use gradus_datasets::splice;
/// let (train, test) = splice::load()?.split();
/// assert_eq!((train.inputs().shape(), test.len()), (&[2404, 60, 4].into(), 600));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the file is missing or damaged.
pub fn load() -> Result<Splits<f32, i64>> {
    read(&FILES.find()?)
}

/// The windows from a folder that holds `splice.tsv`, or `splice/` with it.
///
/// ```
/// let (train, test) = gradus_datasets::splice::load_from("data/splice")?.split();
/// assert_eq!((train.len(), test.len()), (2404, 600));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the file is missing or damaged.
pub fn load_from(folder: impl AsRef<Path>) -> Result<Splits<f32, i64>> {
    read(&FILES.find_in(folder)?)
}

/// The letters of each window and its class, those to train on first, in the order of [`load`].
///
/// ```
/// use gradus_datasets::splice;
/// let windows = splice::sequences()?;
/// assert_eq!((windows.len(), windows[0].0.len()), (3004, splice::LENGTH));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the file is missing or damaged.
pub fn sequences() -> Result<Vec<(String, i64)>> {
    letters(&FILES.find()?)
}

fn letters(found: &FoundFiles) -> Result<Vec<(String, i64)>> {
    let (source, mut windows) = (found.open("splice.tsv")?, Vec::new());
    let name = source.name().to_owned();
    each_line(source, Some(["sequence", "class"]), |[sequence, class]| {
        let hint = "the file is damaged: get it again";
        let Some(class) = CLASS_NAMES.iter().position(|name| *name == class) else {
            let found = format!("the class {:?}", class.chars().take(20).collect::<String>());
            return Err(DatasetError::new(found, "EI, IE or N", hint));
        };
        if sequence.len() != LENGTH {
            return Err(DatasetError::new(format!("{} bases", sequence.len()), format!("{LENGTH} bases"), hint));
        }
        OneHot::dna().encode(sequence)?;
        windows.push((sequence.to_owned(), class as i64));
        Ok(())
    })?;
    check_count(&name, windows.len(), TRAIN + TEST)?;
    Ok(windows)
}

fn read(found: &FoundFiles) -> Result<Splits<f32, i64>> {
    let windows = letters(found)?;
    let part = |windows: &[(String, i64)]| {
        let inputs = OneHot::dna().encode_all(windows.iter().map(|(letters, _)| letters))?;
        let targets: Tensor<i64> = windows.iter().map(|(_, class)| *class).collect();
        Ok(Dataset::new(inputs, targets)?.with_class_names(CLASS_NAMES))
    };
    Ok(Splits { train: part(&windows[..TRAIN])?, test: part(&windows[TRAIN..])? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_windows_are_what_the_readme_says() {
        let (train, test) = load().unwrap().split();
        let counts =
            |data: &Dataset<f32, i64>| [0, 1, 2].map(|class| data.targets().iter().filter(|&of| of == class).count());
        assert_eq!((counts(&train), counts(&test)), ([565, 523, 1_316], [114, 149, 337]));
        assert_eq!(test.class_names().unwrap(), CLASS_NAMES);
        // Each position has 1 in all, also where a letter stands for several bases.
        assert_eq!(train.inputs().sum(..).item() + test.inputs().sum(..).item(), (3_004 * LENGTH) as f32);
        let ambiguous =
            sequences().unwrap().iter().filter(|(letters, _)| letters.contains(['N', 'D', 'S', 'R'])).count();
        assert_eq!(ambiguous, 15);
    }
}
