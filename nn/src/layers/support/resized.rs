//! Pictures of another size, perhaps with their proportions, and their middle.

use gradus_autograd::Var;
use gradus_tensor::{Float, Interpolation, Tensor};

/// What becomes of a picture's proportions where the new size has others.
#[derive(Clone, Copy)]
pub(in crate::layers) enum Proportions {
    /// They become those of the new size.
    Changed,
    /// They stay: the middle of the picture that has those of the new size is resized, and the rest left out (Keras's
    /// `crop_to_aspect_ratio`).
    Cropped,
    /// They stay: the whole picture is resized, with this value on either side of it (Keras's `pad_to_aspect_ratio`).
    Padded(f64),
}

/// Pictures `[n, height, width, channels]` of the size `whole` in another size.
pub(in crate::layers) fn resized<T: Float>(
    x: &Var<T>,
    whole: [usize; 2],
    size: [usize; 2],
    interpolation: Interpolation,
    proportions: Proportions,
) -> Var<T> {
    // Lengths that have the new size's proportions to the other axis.
    let lengths = [0, 1].map(|axis| (whole[1 - axis] as f64 * size[axis] as f64 / size[1 - axis] as f64) as usize);
    match proportions {
        Proportions::Changed => x.resize(&size, interpolation),
        Proportions::Cropped => {
            let lengths = [0, 1].map(|axis| lengths[axis].clamp(1, whole[axis]));
            middle(x, whole, lengths).resize(&size, interpolation)
        }
        Proportions::Padded(value) => padded(x, whole, lengths, value).resize(&size, interpolation),
    }
}

/// The middle of pictures `[n, height, width, channels]` of the size `whole`, in a size that is not larger.
pub(in crate::layers) fn middle<T: Float>(x: &Var<T>, whole: [usize; 2], size: [usize; 2]) -> Var<T> {
    let [rows, columns] = [0, 1].map(|axis| {
        let first = (whole[axis] - size[axis]) / 2;
        first..first + size[axis]
    });
    x.slice(1, rows).slice(2, columns)
}

/// The pictures with as many places of a value on either side as bring them to these lengths, or one fewer in all.
fn padded<T: Float>(x: &Var<T>, whole: [usize; 2], lengths: [usize; 2], value: f64) -> Var<T> {
    let mut x = x.clone();
    for axis in [0, 1] {
        let width = lengths[axis].saturating_sub(whole[axis]) / 2;
        if width > 0 {
            let mut shape = x.shape().to_vec();
            shape[axis + 1] = width;
            let edge = Var::from(Tensor::full(shape, T::of(value)));
            x = Var::concat(&[edge.clone(), x, edge], axis as isize + 1);
        }
    }
    x
}
