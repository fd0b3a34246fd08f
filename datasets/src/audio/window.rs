//! Windows: by which the samples of a frame are multiplied before its spectrum is taken.

use std::f64::consts::TAU;

use gradus_tensor::Tensor;

/// The shape of a window, by SciPy's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WindowShape {
    /// 0.5 - 0.5 cos.
    #[default]
    Hann,
    /// 0.54 - 0.46 cos.
    Hamming,
    /// 0.42 - 0.5 cos + 0.08 cos of twice the angle.
    Blackman,
    /// 1 throughout.
    Boxcar,
}

impl WindowShape {
    /// The periodic window of this length: one period of the cosines, whose last element would be the first of the next. It is that of
    /// spectra: SciPy's `get_window`, `torch.hann_window`.
    ///
    /// ```
    /// use gradus_datasets::audio::WindowShape;
    /// use gradus_tensor::Tensor;
    /// assert_eq!(WindowShape::Hann.periodic(4), Tensor::new([0.0, 0.5, 1.0, 0.5]));
    /// assert_eq!(WindowShape::Hann.symmetric(5), Tensor::new([0.0, 0.5, 1.0, 0.5, 0.0]));
    /// ```
    pub fn periodic(self, length: usize) -> Tensor<f32> {
        self.over(length, length)
    }

    /// The symmetric window of this length, which ends as it begins: `np.hanning`.
    pub fn symmetric(self, length: usize) -> Tensor<f32> {
        self.over(length, length.saturating_sub(1))
    }

    /// As in SciPy, a window of length 1 is 1.
    fn over(self, length: usize, period: usize) -> Tensor<f32> {
        if length == 1 {
            return Tensor::ones([1]);
        }
        let value = |i: usize| {
            // Mirrored, so that both ends are exactly alike.
            let angle = TAU * i.min(period - i) as f64 / period as f64;
            match self {
                WindowShape::Hann => (angle / 2.0).sin().powi(2),
                WindowShape::Hamming => 0.54 - 0.46 * angle.cos(),
                WindowShape::Blackman => 0.42 - 0.5 * angle.cos() + 0.08 * (2.0 * angle).cos(),
                WindowShape::Boxcar => 1.0,
            }
        };
        Tensor::from((0..length).map(|i| value(i) as f32).collect::<Vec<_>>())
    }
}
