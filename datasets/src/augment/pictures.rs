//! Random changes of pictures: the options, and one picture changed by them.

use gradus_tensor::{Generator, Shape, Tensor};
use serde::{Deserialize, Serialize};

use super::masks;
use super::strands;
use super::values;
use super::warp::{Fill, Warp, check_pictures};
use crate::error::{DatasetError, Result};

/// Random changes of pictures `[n, height, width, channels]`, as plain data that serde writes and reads.
///
/// Each method adds one change. Whatever the order of the calls, a picture is first flipped, zoomed, turned and shifted,
/// in one bilinear resampling; then come contrast, brightness, noise, clamping, cut-out and mix-up.
///
/// [`Dataset::augment`](crate::Dataset::augment) gives the changes to a training set:
///
/// ```
/// use gradus_datasets::{Augment, Dataset};
/// use gradus_tensor::Tensor;
/// let pictures = Dataset::new(Tensor::<f32>::ones([8, 28, 28, 1]), Tensor::<f32>::ones([8, 1]))?;
/// let train = pictures.augment(Augment::new().shift(0.1).rotate(10.0).zoom(0.1))?;
/// for epoch in 0..2 {
///     for batch in train.batches(4).shuffled(epoch).augmented(epoch)?.prefetch(2) {
///         assert_eq!(batch.inputs.shape(), &[4, 28, 28, 1]);
///     }
/// }
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// The generator of a picture is made of the epoch's seed and of the picture's index in its data set. So the same seed
/// gives the same bits for any order, any batches and any number of threads. Only mix-up depends on the batches: it mixes
/// samples of the same batch. Pictures are computed in f32.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augment {
    shift: f64,
    rotate: f64,
    zoom: f64,
    crop: usize,
    fill: Fill,
    /// Whether top and bottom are exchanged, and left and right.
    flip: [bool; 2],
    contrast: f64,
    brightness: f64,
    noise: f64,
    clamp: Option<[f32; 2]>,
    cut_out: f64,
    mix_up: f64,
    reverse_complement: bool,
    /// The number of masks, and the most frames or bands of each.
    time_masks: [usize; 2],
    frequency_masks: [usize; 2],
}

impl Augment {
    /// No change.
    pub fn new() -> Self {
        Augment::default()
    }

    /// Shifts by up to this fraction of the height, up or down, and of the width, left or right.
    pub fn shift(self, fraction: f64) -> Self {
        Augment { shift: fraction, ..self }
    }

    /// Turns by up to this many degrees, either way.
    pub fn rotate(self, degrees: f64) -> Self {
        Augment { rotate: degrees, ..self }
    }

    /// Zooms in or out by up to this fraction, in height and width alike.
    pub fn zoom(self, fraction: f64) -> Self {
        Augment { zoom: fraction, ..self }
    }

    /// Pads each edge with `padding` pixels and crops a picture of the old size at a random place: a shift by up to
    /// `padding` whole pixels.
    pub fn crop(self, padding: usize) -> Self {
        Augment { crop: padding, ..self }
    }

    /// The values of pixels that shifts, turns, zooms and crops bring in from beyond the edges; unless set, those of the
    /// nearest pixels.
    pub fn fill(self, fill: Fill) -> Self {
        Augment { fill, ..self }
    }

    /// Exchanges left and right, in half of the pictures.
    pub fn flip_horizontal(self) -> Self {
        Augment { flip: [self.flip[0], true], ..self }
    }

    /// Exchanges top and bottom, in half of the pictures.
    pub fn flip_vertical(self) -> Self {
        Augment { flip: [true, self.flip[1]], ..self }
    }

    /// Multiplies the difference of every pixel from the mean of its channel by a factor from `1 - fraction` to
    /// `1 + fraction`, one for each picture.
    pub fn contrast(self, fraction: f64) -> Self {
        Augment { contrast: fraction, ..self }
    }

    /// Adds to all pixels of a picture one number from `-amount` to `amount`.
    pub fn brightness(self, amount: f64) -> Self {
        Augment { brightness: amount, ..self }
    }

    /// Adds to each pixel a normal number of this standard deviation.
    pub fn noise(self, std: f64) -> Self {
        Augment { noise: std, ..self }
    }

    /// Clamps pixels to these bounds, after contrast, brightness and noise.
    pub fn clamp(self, low: f32, high: f32) -> Self {
        Augment { clamp: Some([low, high]), ..self }
    }

    /// Sets a rectangle to 0, at a random place within the picture, of this fraction of its height and width (T. DeVries
    /// and G. W. Taylor, arXiv:1708.04552; Z. Zhong and others, arXiv:1708.04896).
    pub fn cut_out(self, fraction: f64) -> Self {
        Augment { cut_out: fraction, ..self }
    }

    /// Mixes each sample with another of its batch: `l x1 + (1 - l) x2`, the targets and weights likewise, where `l` is
    /// drawn from Beta(alpha, alpha) for each (H. Zhang and others, "mixup", arXiv:1710.09412; there alpha is 0.1 to 0.4).
    pub fn mix_up(self, alpha: f64) -> Self {
        Augment { mix_up: alpha, ..self }
    }

    /// Takes half of the sequences of one-hot DNA, `[n, length, 4]` as of [`OneHot`](crate::biology::OneHot), from the other strand.
    /// Of the other changes it goes with mix-up alone.
    pub fn reverse_complement(self) -> Self {
        Augment { reverse_complement: true, ..self }
    }

    /// Sets up to `width` frames that follow each other to 0, at a random place, `count` times: the time masks of SpecAugment (D. S.
    /// Park and others, arXiv:1904.08779), for spectra and other features `[n, frames, features]`. The width of each is drawn evenly
    /// from 0 to `width`, and at most the length. Features that are normalised have the mean 0. Time is not warped, as the paper
    /// found it to matter least.
    ///
    /// It goes with frequency masks and mix-up.
    ///
    /// ```
    /// use gradus_datasets::{Augment, Dataset};
    /// use gradus_tensor::Tensor;
    /// let spectra = Dataset::new(Tensor::<f32>::ones([8, 100, 40]), Tensor::<f32>::ones([8, 1]))?;
    /// let train = spectra.augment(Augment::new().time_masks(2, 10).frequency_masks(2, 8))?;
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    pub fn time_masks(self, count: usize, width: usize) -> Self {
        Augment { time_masks: [count, width], ..self }
    }

    /// As [`time_masks`](Augment::time_masks), but features instead of frames: the frequency masks of SpecAugment.
    pub fn frequency_masks(self, count: usize, width: usize) -> Self {
        Augment { frequency_masks: [count, width], ..self }
    }

    /// Whether there are masks of SpecAugment.
    fn has_masks(&self) -> bool {
        [self.time_masks, self.frequency_masks].iter().any(|[count, _]| *count > 0)
    }

    /// The pictures `[n, height, width, channels]`, changed as in a walk over batches with this seed: to look at, or to
    /// make a larger data set of.
    ///
    /// ```
    /// use gradus_datasets::Augment;
    /// use gradus_tensor::Tensor;
    /// let pictures = Tensor::full([4, 28, 28, 1], 0.5);
    /// let changed = Augment::new().rotate(10.0).shift(0.1).apply(&pictures, 42)?;
    /// assert_eq!(changed.shape(), pictures.shape());
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    ///
    /// # Errors
    /// If the tensor has another rank, an amount is out of its range, or there is mix-up, which needs targets.
    pub fn apply(&self, pictures: &Tensor<f32>, seed: u64) -> Result<Tensor<f32>> {
        self.check(pictures.shape())?;
        if self.mix_up > 0.0 {
            let hint = "leave mix_up out here, or take batches of a data set by `augmented`";
            return Err(DatasetError::new("pictures alone, and mix_up", "targets to mix as well", hint));
        }
        Ok(self.changed(pictures, seed, |row| row))
    }

    /// Checks the amounts, and that the shape is one of pictures.
    pub(super) fn check(&self, shape: &Shape) -> Result<()> {
        let largest = f64::from(f32::MAX);
        let [height, width] = if self.reverse_complement {
            if (Augment { reverse_complement: false, mix_up: 0.0, ..self.clone() }) != Augment::default() {
                let found = "reverse_complement with changes of pictures";
                return Err(DatasetError::new(found, "sequences or pictures", "leave the other changes out"));
            }
            strands::check(shape)?;
            [0, 0]
        } else if self.has_masks() {
            let masks =
                Augment { time_masks: self.time_masks, frequency_masks: self.frequency_masks, ..Augment::default() };
            if (Augment { mix_up: 0.0, ..self.clone() }) != masks {
                let found = "masks of frames or features with changes of pictures";
                return Err(DatasetError::new(found, "spectra or pictures", "leave the other changes out"));
            }
            masks::check(shape, [self.time_masks, self.frequency_masks])?;
            [0, 0]
        } else {
            let [_, height, width, _] = check_pictures(shape)?;
            [height, width]
        };
        let amounts = [
            ("shift", self.shift, 1.0, "a fraction of the size from 0 to 1"),
            ("rotate", self.rotate, 180.0, "an angle from 0 to 180 degrees, to be turned by either way"),
            ("zoom", self.zoom, 0.9, "a fraction from 0 to 0.9"),
            ("contrast", self.contrast, 1.0, "a fraction from 0 to 1"),
            ("brightness", self.brightness, largest, "an amount that is not negative"),
            ("noise", self.noise, largest, "a standard deviation that is not negative"),
            ("cut_out", self.cut_out, 1.0, "a fraction of the size from 0 to 1"),
            ("mix_up", self.mix_up, largest, "an alpha that is not negative"),
        ];
        for (name, amount, most, expected) in amounts {
            if !(0.0..=most).contains(&amount) {
                return Err(DatasetError::new(format!("{name}({amount})"), expected, "choose another amount"));
            }
        }
        if self.crop > 0 && self.crop >= height.min(width) {
            let found = format!("crop({}) of pictures of {height} x {width}", self.crop);
            return Err(DatasetError::new(found, "a padding smaller than the pictures", "pad by fewer pixels"));
        }
        match self.clamp {
            None => self.fill.check(),
            Some([low, high]) if low < high => self.fill.check(),
            Some([low, high]) => {
                let found = format!("clamp({low}, {high})");
                Err(DatasetError::new(found, "a lower and a higher bound", "give the lower one first"))
            }
        }
    }

    pub(super) fn mix_up_alpha(&self) -> f64 {
        self.mix_up
    }

    /// The pictures, which were checked, each changed by the generator of its row.
    pub(super) fn changed(&self, pictures: &Tensor<f32>, seed: u64, row: impl Fn(usize) -> usize) -> Tensor<f32> {
        if self.reverse_complement {
            return strands::changed(pictures, seed, row);
        }
        if self.has_masks() {
            return masks::changed(pictures, [self.time_masks, self.frequency_masks], seed, row);
        }
        let &[_, height, width, channels] = &pictures.shape()[..] else { unreachable!("the shape was checked") };
        let one = height * width * channels;
        let mut out = Tensor::zeros(pictures.shape());
        if one == 0 {
            return out;
        }
        let source = pictures.contiguous();
        let sources = source.as_slice().unwrap_or_default().chunks_exact(one);
        for (index, (source, out)) in sources.zip(out.as_mut_slice().chunks_exact_mut(one)).enumerate() {
            let mut generator = generator(seed, row(index) as u64);
            self.picture(source, [height, width, channels], &mut generator, out);
        }
        out
    }

    /// One picture, changed, into `out`. A change that is not asked for draws nothing from the generator.
    fn picture(&self, source: &[f32], size: [usize; 3], generator: &mut Generator, out: &mut [f32]) {
        let mut warp = Warp {
            shift: [0, 1].map(|axis| around(self.shift, generator) * size[axis] as f64),
            rotate: around(self.rotate, generator),
            zoom: 1.0 + around(self.zoom, generator),
            flip: self.flip.map(|flip| flip && generator.next_f64() < 0.5),
        };
        if self.crop > 0 {
            let offsets = 2 * self.crop as u64 + 1;
            warp.shift = warp.shift.map(|by| by + self.crop as f64 - generator.next_below(offsets) as f64);
        }
        warp.resample(source, size, self.fill, out);

        if self.contrast > 0.0 || self.brightness > 0.0 {
            let factor = 1.0 + around(self.contrast, generator);
            values::stretch(out, size[2], factor as f32, around(self.brightness, generator) as f32);
        }
        if self.noise > 0.0 {
            values::add_noise(out, self.noise as f32, generator);
        }
        if let Some([low, high]) = self.clamp {
            out.iter_mut().for_each(|x| *x = x.clamp(low, high));
        }
        if self.cut_out > 0.0 {
            values::cut_out(out, size, self.cut_out, generator);
        }
    }
}

/// A number drawn evenly from `-amount` to `amount`.
fn around(amount: f64, generator: &mut Generator) -> f64 {
    if amount > 0.0 { amount * (2.0 * generator.next_f64() - 1.0) } else { 0.0 }
}

/// The generator of a picture, or of a batch, in an epoch.
pub(super) fn generator(seed: u64, number: u64) -> Generator {
    Generator::new(scrambled(seed ^ scrambled(number)))
}

/// A bijection that lets each bit depend on all: the finaliser of MurmurHash3 (A. Appleby), with the constants that D.
/// Stafford found ("Better bit mixing", variant 13).
fn scrambled(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
