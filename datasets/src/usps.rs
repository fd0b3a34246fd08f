//! USPS: digits from the envelopes of the United States Postal Service, 7,291 to train on and 2,007 to test on.
//!
//! Images of 16 x 16 numbers from -1, the background, to 1, and labels 0 to 9. By Jonathan J. Hull, "A database for
//! handwritten text recognition research", IEEE Transactions on Pattern Analysis and Machine Intelligence 16 (1994); no
//! licence is stated.
//!
//! The files are not part of this crate. With the feature `download`, [`load`] fetches them. Or download `usps.bz2` and
//! `usps.t.bz2` from <https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass.html> into a folder `usps`,
//! and let `GRADUS_DATA` name the folder around it. Reading them as they are takes the feature `bzip2`; without it,
//! unpack them with `bunzip2`. They are text in the form of LIBSVM, where labels count from 1: here they count from 0.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::str::FromStr;

use gradus_tensor::Tensor;

use crate::dataset::Dataset;
use crate::error::{DatasetError, Place, Result};
use crate::folder::{DataFiles, FoundFiles};
use crate::remote::Remote;
use crate::source::ByteSource;
use crate::splits::Splits;

/// The number of classes: the digits 0 to 9.
pub const CLASSES: usize = 10;

/// The files.
pub const FILES: DataFiles = DataFiles {
    name: "usps",
    files: &[("usps", None), ("usps.t", None)],
    // The addresses and the sums that torchvision uses (torchvision/datasets/usps.py).
    remotes: &[
        Remote {
            url: "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/usps.bz2",
            md5: "ec16c51db3855ca6c91edd34d0e9b197",
        },
        Remote {
            url: "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/usps.t.bz2",
            md5: "8ea070ee2aca1ac39742fdd1ef5ed118",
        },
    ],
};

/// The samples of either file.
const TRAIN: usize = 7291;
const TEST: usize = 2007;
const SIDE: usize = 16;
const PIXELS: usize = SIDE * SIDE;
/// Bytes after which a line is cut off; the longest in the files has some 3,400.
const LONGEST_LINE: u64 = 1 << 16;

/// USPS: from `usps/` in the folder that the environment variable `GRADUS_DATA` names.
///
/// Inputs `[7291, 16, 16]` and `[2007, 16, 16]`, from -1 to 1 as in the files; targets `[7291]` and `[2007]`.
///
/// ```no_run
/// use gradus_datasets::usps;
/// let (train, test) = usps::load()?.map_inputs(|x| (x + 1.0) / 2.0).split();
/// assert_eq!((train.len(), test.len()), (7291, 2007));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If a file is missing or damaged.
pub fn load() -> Result<Splits<f32, u8>> {
    read(&FILES.find()?)
}

/// USPS from a folder that holds `usps` and `usps.t`, or `usps/` with them.
///
/// ```no_run
/// use gradus_datasets::usps;
/// let digits = usps::load_from("downloads/usps")?;
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If a file is missing or damaged.
pub fn load_from(folder: impl AsRef<Path>) -> Result<Splits<f32, u8>> {
    read(&FILES.find_in(folder)?)
}

fn read(found: &FoundFiles) -> Result<Splits<f32, u8>> {
    Ok(Splits { train: samples(found.open("usps")?, TRAIN)?, test: samples(found.open("usps.t")?, TEST)? })
}

/// The samples in `count` lines, each a label and pixels as `index:value`; a pixel that is left out is 0, as in LIBSVM.
fn samples(source: ByteSource<'_>, count: usize) -> Result<Dataset<f32, u8>> {
    let name = source.name().to_owned();
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    let mut lines = BufReader::new(source);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let length = lines.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        if length.map_err(|error| lines.get_ref().error(&error))? == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        let mut fields = text.split_ascii_whitespace().zip(1..);
        let refuse = |column, found: String, expected: &str| {
            let hint = "the file is damaged or not USPS in the form of LIBSVM: get it again";
            DatasetError::new(found, expected, hint).in_file(&name).at(Place::Line { line: number, column })
        };
        let Some((label, _)) = fields.next() else { continue };
        match f64::from_str(label) {
            // Whole numbers from 1 to the number of classes pass; neither fractions nor NaN do.
            Ok(label) if (1..=CLASSES as u8).any(|class| f64::from(class) == label) => labels.push(label as u8 - 1),
            _ => return Err(refuse(1, format!("label {}", shown(label)), "a label from 1 to 10")),
        }
        let image = pixels.len();
        pixels.resize(image + PIXELS, 0.0);
        for (field, column) in fields {
            let parsed = field.split_once(':').map(|(index, value)| (index.parse(), value.parse::<f32>()));
            match parsed {
                Some((Ok(index @ 1..=PIXELS), Ok(value))) if value.is_finite() => pixels[image + index - 1] = value,
                _ => {
                    let expected = "index:value with an index from 1 to 256 and a finite value";
                    return Err(refuse(column, format!("{:?}", shown(field)), expected));
                }
            }
        }
    }
    if labels.len() != count {
        let found = format!("the end after {} samples", labels.len());
        let hint = "the file is cut off or not USPS's: get it again";
        return Err(DatasetError::new(found, format!("{count} samples"), hint).in_file(name));
    }
    let inputs = Tensor::from(pixels).reshape([labels.len(), SIDE, SIDE]);
    Dataset::new(inputs, Tensor::from(labels)).map_err(|error| error.in_file(name))
}

/// The beginning of a field, for messages.
fn shown(field: &str) -> String {
    field.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_libsvm_writes_them() {
        // A pixel that is left out is 0; blank lines and a missing last newline do no harm.
        let text = b"10 1:-1 2:0.25 256:1.0\n\n1 17:-0.5 \n7";
        let digits = samples(ByteSource::new(&text[..], "usps").unwrap(), 3).unwrap();
        assert_eq!(digits.inputs().shape(), &[3, 16, 16]);
        assert_eq!(digits.targets().to_vec(), [9, 0, 6]);
        let image = digits.inputs().select(0, 0);
        let pixels = [[0, 0], [0, 1], [0, 2], [15, 15]].map(|place| image.get(place));
        assert_eq!(pixels, [-1.0, 0.25, 0.0, 1.0]);
        assert_eq!(digits.inputs().get([1, 1, 0]), -0.5);
    }
}
