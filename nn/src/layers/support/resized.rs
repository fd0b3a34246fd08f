//! Pictures of another size, perhaps with their proportions, and their middle.

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
    // Lengths that have the output's proportions to the other axis.
    let lengths = [0, 1].map(|axis| {
        let length = (whole[1 - axis] as f64 * size[axis] as f64 / size[1 - axis] as f64) as usize;
        length.clamp(1, whole[axis])
    });
    middle(x, whole, lengths).resize(&size, interpolation)
}

/// The middle of pictures `[n, height, width, channels]` of the size `whole`, in a size that is not larger.
pub(in crate::layers) fn middle<T: Float>(x: &Var<T>, whole: [usize; 2], size: [usize; 2]) -> Var<T> {
    let [rows, columns] = [0, 1].map(|axis| {
        let first = (whole[axis] - size[axis]) / 2;
        first..first + size[axis]
    });
    x.slice(1, rows).slice(2, columns)
}
