//! Pictures of another size, perhaps with their proportions.

use gradus_autograd::Var;
use gradus_tensor::{Float, Interpolation};

/// Pictures `[n, height, width, channels]` of the size `whole` in another size. With `crop` the middle that has its proportions is
/// resized, and the rest left out (Keras's `crop_to_aspect_ratio`).
pub(in crate::layers) fn resized<T: Float>(
    x: &Var<T>,
    whole: [usize; 2],
    size: [usize; 2],
    interpolation: Interpolation,
    crop: bool,
) -> Var<T> {
    if !crop {
        return x.resize(&size, interpolation);
    }
    let mut x = x.clone();
    for axis in 0..2 {
        // The length that has the output's proportions to the other axis.
        let length = (whole[1 - axis] as f64 * size[axis] as f64 / size[1 - axis] as f64) as usize;
        let length = length.clamp(1, whole[axis]);
        let first = (whole[axis] - length) / 2;
        x = x.slice(axis as isize + 1, first..first + length);
    }
    x.resize(&size, interpolation)
}
