//! Elements dropped at random.

use super::elements;
use crate::element::Float;
use crate::kernels::dropout;
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// Each element is 0 with probability `rate`, else x / (1 - rate). The seed decides which: element i in row-major order is
    /// kept where draw i of a SplitMix64 that begins at the seed is below 1 - rate. So the same seed drops the same elements
    /// again, as the gradient needs.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let x = Tensor::ones([10_000]).dropout(0.75, 7);
    /// assert_eq!(x, Tensor::ones([10_000]).dropout(0.75, 7));
    /// let kept = x.greater(0.0);
    /// assert!((kept.to::<f32>().mean(..).item() - 0.25).abs() < 0.02);
    /// assert_eq!(x, kept.where_(4.0, 0.0));
    /// ```
    ///
    /// # Panics
    /// Unless 0 <= `rate` < 1.
    #[track_caller]
    pub fn dropout(&self, rate: f64, seed: u64) -> Tensor<T> {
        assert!((0.0..1.0).contains(&rate), "dropout: the rate must be at least 0 and less than 1: {rate}");
        let (x, keep) = (self.contiguous(), 1.0 - rate);
        let threshold = (keep * (1_u64 << 32) as f64).round() as u64;
        Tensor::written(self.shape().clone(), |out| {
            dropout::drop_out(elements(&x), seed, threshold, T::of(keep.recip()), out);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_rate_and_views() {
        let x = Tensor::<f64>::arange(1.0, 50_001.0, 1.0);
        assert_eq!(x.dropout(0.0, 1), x);
        assert!(x.dropout(1.0 - 1e-9, 1).sum(..).item() < 1e20);
        let view = x.reshape([100, 500]).t();
        let copy = Tensor::from_vec(view.to_vec(), [500, 100]).unwrap();
        assert_eq!(view.dropout(0.5, 3), copy.dropout(0.5, 3));
        assert_ne!(view.dropout(0.5, 3), copy.dropout(0.5, 4));
        assert_eq!(Tensor::<f32>::zeros([0, 3]).dropout(0.5, 1).shape(), &[0, 3]);
        // What is dropped is 0, whatever it was.
        let nothing = Tensor::full([1000], f32::NAN).dropout(0.5, 1);
        assert!(nothing.iter().any(|x| x == 0.0) && nothing.iter().any(f32::is_nan));
    }

    #[test]
    fn neighbours_are_independent() {
        // The share of pairs of which both are kept is 0.3^2; five standard deviations are 0.0023.
        let kept = Tensor::<f64>::ones([400_000]).dropout(0.7, 11).greater(0.0).to::<f64>();
        for distance in [1, 2, 8, 16, 64] {
            let both = kept.slice(0, distance..) * kept.slice(0, ..-distance);
            assert!((both.mean(..).item() - 0.09).abs() < 0.0023, "{distance}");
        }
    }

    #[test]
    #[should_panic(expected = "dropout: the rate must be at least 0 and less than 1: 1")]
    fn nothing_left_is_refused() {
        Tensor::<f32>::ones([2]).dropout(1.0, 0);
    }
}
