//! Layers that draw random numbers in training, against the moments that Keras documents.

use gradus_nn::{Dropout, GaussianDropout, GaussianNoise, Layer, SpatialDropout2D};
use gradus_tensor::Tensor;

use crate::Alone;

/// A layer's output in training for an input of ones.
fn of_ones(layer: impl Layer, shape: &[usize]) -> Tensor<f64> {
    let ones = Tensor::ones(shape);
    Alone::new(layer, &ones).train(&ones).remove(0)
}

/// The mean, the standard deviation and the share of zeros of a layer's output in training for 100,000 ones.
fn moments(layer: impl Layer) -> [f64; 3] {
    let y = of_ones(layer, &[100, 1000]);
    [y.mean(..).item(), y.std(..).item(), y.equal(0.0).to::<f64>().mean(..).item()]
}

#[track_caller]
fn near(found: [f64; 3], expected: [f64; 3]) {
    let near = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 0.01);
    assert!(near, "{found:?}, {expected:?}");
}

#[test]
fn noise_has_the_moments_that_keras_documents() {
    // By hand: a share of 0.75 is 1 / 0.75 and the rest 0, so the variance is 0.25 / 0.75, also GaussianDropout's.
    near(moments(Dropout::new(0.25)), [1.0, (1.0_f64 / 3.0).sqrt(), 0.25]);
    near(moments(GaussianDropout::new(0.25)), [1.0, (1.0_f64 / 3.0).sqrt(), 0.0]);
    near(moments(GaussianNoise::new(0.5)), [1.0, 0.5, 0.0]);
}

#[test]
fn spatial_dropout_drops_whole_channels() {
    let y = of_ones(SpatialDropout2D::new(0.25), &[50, 3, 2, 40]);
    // Of each channel of each sample all places are alike: 0, or 1 / 0.75.
    let channels = y.slice(1, ..1).slice(2, ..1);
    assert_eq!(y, channels.broadcast_to(y.shape()));
    assert_eq!(y.max(..).item(), 1.0 / 0.75);
    assert_eq!(y.min(..).item(), 0.0);
    assert!((channels.equal(0.0).to::<f64>().mean(..).item() - 0.25).abs() < 0.03);
}
