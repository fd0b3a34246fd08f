//! The largest or the mean of windows, over one, two and three axes.

use gradus_autograd::Var;
use gradus_tensor::{Float, Pooling};
use serde::{Deserialize, Serialize};

use super::windows::{Padding, check_full};
use crate::epilogue::Epilogue;
use crate::error::Result;
use crate::layer::{Build, Built, Layer};

/// Checks the input and returns the layer that pools as these arguments say, by `pool`.
fn build_pool<T: Float>(
    build: &Build<'_, T>,
    [size, strides]: [&[usize]; 2],
    padding: &Padding,
    pool: fn(&Var<T>, &Pooling) -> Var<T>,
    largest: bool,
) -> Result<Built<T>> {
    let rank = size.len();
    let input = check_full(build, rank)?;
    padding.check(rank, build)?;
    for (name, numbers) in [("pool_size", size), ("strides", strides)] {
        if numbers.contains(&0) {
            let problem = format!("{name} must be 1 or more along each axis, found {numbers:?}");
            return Err(build.error(problem, "1 is the least"));
        }
    }
    let widths = padding.widths(&input[..rank], size, strides, &vec![1; rank]);
    if widths.iter().zip(size).any(|(&(before, after), &size)| before.max(after) >= size) {
        let problem = format!("windows of {size:?} must reach into their input, found a padding of {widths:?}");
        return Err(build.error(problem, "pad by less than the size of a window"));
    }
    let pooling = Pooling::new(size).strides(strides).padding(&widths);
    let lengths = pooling
        .output_lengths(&input[..rank])
        .map_err(|error| build.error(error.to_string(), "make the windows smaller, or pad with Padding::Same"))?;
    // A convolution may pool its own output, as long as a byte tells where in a window the largest is.
    let epilogue = (largest && pooling.fits_a_byte()).then(|| pooling.clone());
    let built = Built::new(lengths.join(&input[rank..]), move |_, x| pool(x, &pooling));
    Ok(match epilogue {
        Some(pooling) => {
            built.or_epilogue(move |_| Some(Epilogue { pooling: Some(pooling.clone()), ..Epilogue::IDENTITY }))
        }
        None => built,
    })
}

macro_rules! pool {
    ($(#[$doc:meta])+ $Name:ident, $rank:literal, $kind:literal, $pool:ident, $largest:literal) => {
        $(#[$doc])+
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $Name {
            pool_size: [usize; $rank],
            strides: [usize; $rank],
            padding: Padding,
        }

        impl $Name {
            /// Windows of this size side by side, without padding.
            pub fn new(pool_size: [usize; $rank]) -> Self {
                $Name { pool_size, strides: pool_size, padding: Padding::Valid }
            }

            /// With windows so far apart.
            pub fn strides(self, strides: [usize; $rank]) -> Self {
                $Name { strides, ..self }
            }

            /// With this padding, which is never the largest and does not count for the mean.
            pub fn padding(self, padding: Padding) -> Self {
                $Name { padding, ..self }
            }
        }

        impl Layer for $Name {
            const KIND: &'static str = $kind;
            crate::layer::compiled_here!();

            fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
                build_pool(build, [&self.pool_size, &self.strides], &self.padding, Var::$pool, $largest)
            }
        }
    };
}

pool! {
    /// The largest of each window of a sequence. Shapes: `[n, length, channels]` to `[n, out, channels]`.
    MaxPooling1D, 1, "MaxPooling1D", max_pool, true
}
pool! {
    /// The largest of each window of a picture.
    ///
    /// Shapes: `[n, height, width, channels]` to `[n, out, out, channels]`.
    ///
    /// ```
    /// use gradus_nn::MaxPooling2D;
    /// let half = MaxPooling2D::new([2, 2]);
    /// let overlapping = MaxPooling2D::new([3, 3]).strides([2, 2]);
    /// ```
    MaxPooling2D, 2, "MaxPooling2D", max_pool, true
}
pool! {
    /// The largest of each window of a volume. Shapes: `[n, depth, height, width, channels]` to the same with shorter
    /// spatial axes.
    MaxPooling3D, 3, "MaxPooling3D", max_pool, true
}
pool! {
    /// The mean of each window of a sequence. Shapes: `[n, length, channels]` to `[n, out, channels]`.
    AveragePooling1D, 1, "AveragePooling1D", average_pool, false
}
pool! {
    /// The mean of each window of a picture. Shapes: `[n, height, width, channels]` to `[n, out, out, channels]`.
    AveragePooling2D, 2, "AveragePooling2D", average_pool, false
}
pool! {
    /// The mean of each window of a volume. Shapes: `[n, depth, height, width, channels]` to the same with shorter spatial
    /// axes.
    AveragePooling3D, 3, "AveragePooling3D", average_pool, false
}
