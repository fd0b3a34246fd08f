//! Pictures shifted, turned, zoomed and flipped: all in one resampling.

use std::ops::{Range, RangeInclusive};

use gradus_tensor::{Shape, Tensor, simd};
use serde::{Deserialize, Serialize};

use crate::error::{DatasetError, Result};

/// The values of pixels beyond the edges of a picture, where a change of its geometry brings them in.
///
/// ```
/// use gradus_datasets::{Fill, Warp};
/// use gradus_tensor::Tensor;
/// let picture = Tensor::new([[1.0, 2.0, 3.0]]).reshape([1, 1, 3, 1]);
/// let right = Warp { shift: [0.0, 1.0], ..Warp::default() };
/// assert_eq!(right.apply(&picture, Fill::Constant(0.0))?.to_vec(), [0.0, 1.0, 2.0]);
/// assert_eq!(right.apply(&picture, Fill::Nearest)?.to_vec(), [1.0, 1.0, 2.0]);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Fill {
    /// This value: `k k k | a b c d | k k k`.
    Constant(f32),
    /// The nearest pixel of the edge: `a a a | a b c d | d d d`.
    #[default]
    Nearest,
    /// The picture mirrored at its edge, as Keras and SciPy have it: `c b a | a b c d | d c b`.
    Reflect,
}

/// One exact change of a picture's geometry: flipped first, then zoomed and turned about its centre, then shifted.
///
/// Values between pixels are interpolated bilinearly. Flips, quarter turns and shifts by whole pixels are exact.
///
/// ```
/// use gradus_datasets::{Fill, Warp};
/// use gradus_tensor::Tensor;
/// let picture = Tensor::new([[1.0, 2.0], [3.0, 4.0]]).reshape([1, 2, 2, 1]);
/// let turned = Warp { rotate: 90.0, ..Warp::default() }.apply(&picture, Fill::Nearest)?;
/// assert_eq!(turned.to_vec(), [2.0, 4.0, 1.0, 3.0]);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Warp {
    /// The pixels by which the picture moves down, and to the right.
    pub shift: [f64; 2],
    /// The angle in degrees by which the picture turns counter-clockwise.
    pub rotate: f64,
    /// The factor by which everything in the picture grows: 1 leaves the size, 2 doubles it.
    pub zoom: f64,
    /// Whether top and bottom are exchanged, and left and right.
    pub flip: [bool; 2],
}

impl Default for Warp {
    /// No change.
    fn default() -> Self {
        Warp { shift: [0.0; 2], rotate: 0.0, zoom: 1.0, flip: [false; 2] }
    }
}

/// Beyond these zooms and shifts no pixel of a picture is left to see.
const ZOOMS: RangeInclusive<f64> = 1e-3..=1e3;
const FARTHEST_SHIFT: f64 = 1e6;

impl Warp {
    /// The pictures `[n, height, width, channels]`, each changed in this way. The shape stays.
    ///
    /// # Errors
    /// If the tensor has another rank, a number is not finite, or the zoom is not between 0.001 and 1000.
    pub fn apply(&self, pictures: &Tensor<f32>, fill: Fill) -> Result<Tensor<f32>> {
        let refuse = |found: String, expected: &str| Err(DatasetError::new(found, expected, "choose another one"));
        if !self.shift.iter().all(|shift| shift.abs() <= FARTHEST_SHIFT) {
            return refuse(format!("a shift of {:?} pixels", self.shift), "numbers up to a million");
        }
        if !self.rotate.is_finite() {
            return refuse(format!("a rotation by {} degrees", self.rotate), "a finite angle");
        }
        if !ZOOMS.contains(&self.zoom) {
            return refuse(format!("a zoom of {}", self.zoom), "a factor from 0.001 to 1000; 1 leaves the size");
        }
        fill.check()?;
        let [_, height, width, channels] = check_pictures(pictures.shape())?;
        let size = [height, width, channels];
        let source = pictures.contiguous();
        let mut out = Tensor::zeros(pictures.shape());
        let one = (height * width * channels).max(1);
        let sources = source.as_slice().unwrap_or_default().chunks_exact(one);
        for (source, out) in sources.zip(out.as_mut_slice().chunks_exact_mut(one)) {
            self.resample(source, size, fill, out);
        }
        Ok(out)
    }

    /// One picture, changed, into `out`.
    pub(super) fn resample(&self, source: &[f32], size: [usize; 3], fill: Fill, out: &mut [f32]) {
        if *self == Warp::default() {
            return out.copy_from_slice(source);
        }
        let places = self.places(size);
        simd::vectorize(
            #[inline(always)]
            || match size[2] {
                // The compiler unrolls the loop over the channels where it knows their number.
                1 => resample(source, [size[0], size[1], 1], &places, fill, out),
                3 => resample(source, [size[0], size[1], 3], &places, fill, out),
                _ => resample(source, size, &places, fill, out),
            },
        );
    }

    /// The place in the source that each pixel comes from: the inverse of the change.
    fn places(&self, [height, width, _]: [usize; 3]) -> Places {
        let (sin, cos) = sin_cos_of_degrees(self.rotate);
        let centre = [height, width].map(|length| (length as f64 - 1.0) / 2.0);
        let [up, left] = self.flip.map(|flip| if flip { -1.0 / self.zoom } else { 1.0 / self.zoom });
        // With y downwards, turning (x, y) clockwise gives (x cos - y sin, x sin + y cos).
        let (row, column) = ([up * cos, up * sin], [-left * sin, left * cos]);
        let origin = |centre: f64, [by_y, by_x]: [f64; 2], [y, x]: [f64; 2]| centre - by_y * y - by_x * x;
        let fixed = [centre[0] + self.shift[0], centre[1] + self.shift[1]];
        Places { row: (origin(centre[0], row, fixed), row), column: (origin(centre[1], column, fixed), column) }
    }
}

/// The four lengths of `[n, height, width, channels]`.
pub(super) fn check_pictures(shape: &Shape) -> Result<[usize; 4]> {
    <[usize; 4]>::try_from(&shape[..]).map_err(|_| {
        let hint = match shape.len() {
            3 => "add an axis of channels, `x.unsqueeze(-1)`",
            _ => "reshape the inputs to pictures",
        };
        DatasetError::new(format!("pictures of shape {shape}"), "[n, height, width, channels]", hint)
    })
}

impl Fill {
    pub(super) fn check(self) -> Result<()> {
        match self {
            Fill::Constant(value) if !value.is_finite() => {
                let found = format!("a fill of {value}");
                Err(DatasetError::new(found, "a finite value", "0 is black where pixels are not negative"))
            }
            _ => Ok(()),
        }
    }

    /// The place on an axis of this length whose pixel a place inside or beyond it shows; `None` for a constant.
    #[inline(always)]
    fn place(self, place: i64, length: usize) -> Option<usize> {
        let length = length as i64;
        let inside = match self {
            _ if (0..length).contains(&place) => place,
            Fill::Constant(_) => return None,
            Fill::Nearest => place.clamp(0, length - 1),
            Fill::Reflect => {
                let in_period = place.rem_euclid(2 * length);
                in_period.min(2 * length - 1 - in_period)
            }
        };
        Some(inside as usize)
    }
}

/// The row and the column in the source of pixel (y, x): `origin + by_y y + by_x x`.
struct Places {
    row: (f64, [f64; 2]),
    column: (f64, [f64; 2]),
}

/// Sine and cosine, exact at quarter turns; the same bits on every machine.
fn sin_cos_of_degrees(degrees: f64) -> (f64, f64) {
    let quarters = libm::rint(degrees / 90.0);
    let (sin, cos) = libm::sincos((degrees - 90.0 * quarters).to_radians());
    match quarters.rem_euclid(4.0) as u8 {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    }
}

/// The number of pixels whose places are computed together, in vectors, before their neighbours are looked up.
const BLOCK: usize = 32;
/// The largest height or width of pictures whose pixels are numbered in 32 bits; larger ones are computed pixel by pixel.
const LARGEST: usize = 1 << 15;

#[inline(always)]
fn resample(source: &[f32], [height, width, channels]: [usize; 3], places: &Places, fill: Fill, out: &mut [f32]) {
    let line = width * channels;
    let (mut starts, mut downs, mut rights) = ([0; BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
    for (y, out) in out.chunks_exact_mut(line.max(1)).enumerate() {
        let from = Line::new(places, y);
        let inside = from.inside(height, width);
        for x in (0..inside.start).chain(inside.end..width) {
            at_edge(source, [height, width, channels], from.place(x), fill, &mut out[x * channels..][..channels]);
        }
        for first in inside.clone().step_by(BLOCK) {
            for (i, ((start, down), right)) in starts.iter_mut().zip(&mut downs).zip(&mut rights).enumerate() {
                let (row, column) = from.place(first + i);
                let (above, before) = (row.floor(), column.floor());
                (*down, *right) = (row - above, column - before);
                *start = whole(above).wrapping_mul(width as u32).wrapping_add(whole(before));
            }
            let out = out[first * channels..inside.end * channels].chunks_exact_mut(channels);
            for (((&start, &down), &right), out) in starts.iter().zip(&downs).zip(&rights).zip(out) {
                let start = start as usize * channels;
                let (top, bottom) = (&source[start..][..2 * channels], &source[start + line..][..2 * channels]);
                for (channel, out) in out.iter_mut().enumerate() {
                    let top = between(top[channel], top[channels + channel], right);
                    let bottom = between(bottom[channel], bottom[channels + channel], right);
                    *out = between(top, bottom, down);
                }
            }
        }
    }
}

/// A whole number from 0 to 2^22, as the lowest bits of 2^23 more: a conversion that is vectorised, unlike `as`, which
/// has to look for NaN.
#[inline(always)]
fn whole(x: f32) -> u32 {
    (x + 8_388_608.0).to_bits() & 0x007f_ffff
}

/// The places in the source that the pixels of a line come from: row and column `start + x step`.
struct Line {
    start: [f32; 2],
    step: [f32; 2],
}

impl Line {
    #[inline(always)]
    fn new(places: &Places, y: usize) -> Self {
        let start = |(origin, [by_y, _]): (f64, [f64; 2])| (origin + by_y * y as f64) as f32;
        Line {
            start: [start(places.row), start(places.column)],
            step: [places.row.1[1] as f32, places.column.1[1] as f32],
        }
    }

    #[inline(always)]
    fn place(&self, x: usize) -> (f32, f32) {
        (self.start[0] + self.step[0] * x as f32, self.start[1] + self.step[1] * x as f32)
    }

    /// The pixels whose four neighbours all lie within the source. Rounding is monotonic, so they follow each other; some
    /// at either end may be left out.
    #[inline(always)]
    fn inside(&self, height: usize, width: usize) -> Range<usize> {
        if height.max(width) > LARGEST {
            return 0..0;
        }
        let (last_row, last_column) = (height as f32 - 1.0, width as f32 - 1.0);
        let is_inside = |x: usize| {
            let (row, column) = self.place(x);
            row >= 0.0 && row < last_row && column >= 0.0 && column < last_column
        };
        let (mut from, mut to) = (0.0_f32, width as f32);
        for ((start, step), last) in self.start.iter().zip(self.step).zip([last_row, last_column]) {
            if step != 0.0 {
                let ends = [-start / step, (last - start) / step];
                from = from.max(ends[0].min(ends[1]).ceil());
                to = to.min(ends[0].max(ends[1]).ceil());
            }
        }
        // Saturating: a range that lies beyond the line becomes empty.
        let (mut from, mut to) = (from as usize, to as usize);
        while from < to && !is_inside(from) {
            from += 1;
        }
        while from < to && !is_inside(to - 1) {
            to -= 1;
        }
        if from < to { from..to } else { 0..0 }
    }
}

/// A pixel that has a neighbour beyond the picture's edges.
#[inline(always)]
fn at_edge(source: &[f32], [height, width, channels]: [usize; 3], place: (f32, f32), fill: Fill, out: &mut [f32]) {
    let (above, before) = (place.0.floor(), place.1.floor());
    let (down, right) = (place.0 - above, place.1 - before);
    let (above, below) = (fill.place(above as i64, height), fill.place(above as i64 + 1, height));
    let (before, after) = (fill.place(before as i64, width), fill.place(before as i64 + 1, width));
    let beyond = if let Fill::Constant(value) = fill { value } else { 0.0 };
    for (channel, out) in out.iter_mut().enumerate() {
        let pixel = |row: Option<usize>, column: Option<usize>| match (row, column) {
            (Some(row), Some(column)) => source[(row * width + column) * channels + channel],
            _ => beyond,
        };
        let top = between(pixel(above, before), pixel(above, after), right);
        let bottom = between(pixel(below, before), pixel(below, after), right);
        *out = between(top, bottom, down);
    }
}

/// `a` at 0, `b` at 1.
#[inline(always)]
fn between(a: f32, b: f32, place: f32) -> f32 {
    a + place * (b - a)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One picture of one channel.
    fn picture<const H: usize, const W: usize>(rows: [[f32; W]; H]) -> Tensor {
        Tensor::new(rows).reshape([1, H, W, 1])
    }

    const NINE: [[f32; 3]; 3] = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]];

    fn warped(warp: Warp, fill: Fill) -> Tensor {
        warp.apply(&picture(NINE), fill).unwrap()
    }

    // By hand, all of this module.
    #[test]
    fn a_shift_by_a_pixel_moves_the_pixels() {
        let down = Warp { shift: [1.0, 0.0], ..Warp::default() };
        let expected = |first: [f32; 3]| picture([first, NINE[0], NINE[1]]);
        assert_eq!(warped(down, Fill::Constant(0.5)), expected([0.5; 3]));
        assert_eq!(warped(down, Fill::Nearest), expected(NINE[0]));
        assert_eq!(warped(down, Fill::Reflect), expected(NINE[0]));
        let left = Warp { shift: [0.0, -2.0], ..Warp::default() };
        assert_eq!(warped(left, Fill::Nearest), picture([[3.0; 3], [6.0; 3], [9.0; 3]]));
        assert_eq!(warped(left, Fill::Reflect), picture([[3.0, 3.0, 2.0], [6.0, 6.0, 5.0], [9.0, 9.0, 8.0]]));
        let far = Warp { shift: [0.0, 7.0], ..Warp::default() };
        assert_eq!(warped(far, Fill::Constant(-1.0)), picture([[-1.0; 3]; 3]));
        // Seven to the right of c b a a b c c b a a b c: the places -7, -6, -5.
        assert_eq!(warped(far, Fill::Reflect).slice(1, ..1).to_vec(), [1.0, 1.0, 2.0]);
    }

    #[test]
    fn half_a_pixel_is_the_mean_of_two() {
        let half = Warp { shift: [0.0, 0.5], ..Warp::default() };
        assert_eq!(warped(half, Fill::Nearest).slice(1, ..1).to_vec(), [1.0, 1.5, 2.5]);
        assert_eq!(warped(half, Fill::Constant(0.0)).slice(1, ..1).to_vec(), [0.5, 1.5, 2.5]);
        let both = Warp { shift: [-0.5, -0.25], ..Warp::default() };
        // Between the rows (1 2 3) and (4 5 6) lies (2.5 3.5 4.5), a quarter further (2.75 3.75 4.5).
        assert_eq!(warped(both, Fill::Nearest).slice(1, ..1).to_vec(), [2.75, 3.75, 4.5]);
    }

    #[test]
    fn turns_are_those_of_rot90() {
        // np.rot90: a transposition, then the rows upside down.
        let quarter = picture([[3.0, 6.0, 9.0], [2.0, 5.0, 8.0], [1.0, 4.0, 7.0]]);
        assert_eq!(quarter, picture(NINE).permute([0, 2, 1, 3]).flip(1));
        for (degrees, turned) in [
            (90.0, quarter.clone()),
            (-270.0, quarter.clone()),
            (450.0, quarter),
            (180.0, picture(NINE).flip(1).flip(2)),
            (-90.0, picture(NINE).permute([0, 2, 1, 3]).flip(2)),
            (0.0, picture(NINE)),
            (720.0, picture(NINE)),
        ] {
            for fill in [Fill::Constant(7.0), Fill::Nearest, Fill::Reflect] {
                assert_eq!(warped(Warp { rotate: degrees, ..Warp::default() }, fill), turned, "{degrees}");
            }
        }
        // An eighth: the upper right corner comes from half a diagonal right of the centre.
        let eighth = warped(Warp { rotate: 45.0, ..Warp::default() }, Fill::Nearest);
        assert_eq!(eighth.get([0, 1, 1, 0]), 5.0);
        // (0, 1) lies one above the centre, and so comes from (0.5, 0.5) sqrt 2 above and to the right.
        let step = 0.5_f32.sqrt();
        assert!((eighth.get([0, 0, 1, 0]) - (5.0 - 3.0 * step + step)).abs() < 1e-6);
    }

    #[test]
    fn a_zoom_is_about_the_centre() {
        let twice = warped(Warp { zoom: 2.0, ..Warp::default() }, Fill::Nearest);
        assert_eq!(twice, picture([[3.0, 3.5, 4.0], [4.5, 5.0, 5.5], [6.0, 6.5, 7.0]]));
        let half = warped(Warp { zoom: 0.5, ..Warp::default() }, Fill::Constant(0.0));
        assert_eq!(half, picture([[0.0, 0.0, 0.0], [0.0, 5.0, 0.0], [0.0, 0.0, 0.0]]));
    }

    #[test]
    fn flips_are_exact_and_come_first() {
        let flip = |flip| Warp { flip, ..Warp::default() };
        assert_eq!(warped(flip([true, false]), Fill::Nearest), picture(NINE).flip(1));
        assert_eq!(warped(flip([false, true]), Fill::Nearest), picture(NINE).flip(2));
        let all = Warp { shift: [0.0, 1.0], rotate: 90.0, flip: [false, true], zoom: 1.0 };
        // Flipped: 3 2 1, 6 5 4, 9 8 7. Turned: 1 4 7, 2 5 8, 3 6 9. Shifted to the right.
        let expected = picture([[0.0, 1.0, 4.0], [0.0, 2.0, 5.0], [0.0, 3.0, 6.0]]);
        assert_eq!(warped(all, Fill::Constant(0.0)), expected);
    }

    #[test]
    fn channels_move_together() {
        for channels in [1, 2, 3, 4] {
            let one = picture(NINE);
            let parts: Vec<Tensor> = (0..channels).map(|channel| &one * (channel + 1) as f32).collect();
            let several = Tensor::concat(&parts, -1);
            let warp = Warp { rotate: 30.0, zoom: 1.25, shift: [0.25, -0.5], flip: [true, false] };
            let together = warp.apply(&several, Fill::Reflect).unwrap();
            for (channel, part) in parts.iter().enumerate() {
                let alone = warp.apply(part, Fill::Reflect).unwrap();
                assert_eq!(together.slice(-1, channel..channel + 1), alone, "{channel} of {channels}");
            }
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        let message = |warp: Warp| warp.apply(&picture(NINE), Fill::Nearest).unwrap_err().to_string();
        assert_eq!(
            message(Warp { zoom: 0.0, ..Warp::default() }),
            "found a zoom of 0, expected a factor from 0.001 to 1000; 1 leaves the size; choose another one"
        );
        assert!(message(Warp { zoom: f64::NAN, ..Warp::default() }).starts_with("found a zoom of NaN"));
        assert!(message(Warp { rotate: f64::INFINITY, ..Warp::default() }).starts_with("found a rotation by inf"));
        assert!(message(Warp { shift: [0.0, f64::NAN], ..Warp::default() }).starts_with("found a shift of [0.0, NaN]"));
        let error = Warp::default().apply(&picture(NINE), Fill::Constant(f32::NAN)).unwrap_err();
        assert!(error.to_string().starts_with("found a fill of NaN"));
        let error = Warp::default().apply(&Tensor::zeros([2, 3, 3]), Fill::Nearest).unwrap_err();
        assert_eq!(
            error.to_string(),
            "found pictures of shape [2, 3, 3], expected [n, height, width, channels]; add an axis of channels, \
             `x.unsqueeze(-1)`"
        );
    }
}
