//! Rotary positions: pairs of numbers turned by an angle that grows with the position.

use std::sync::Arc;

use gradus_autograd::Var;
use gradus_tensor::{Float, Tensor};

/// The angles of rotary positions.
#[derive(Clone)]
pub(in crate::layers) struct Angles {
    /// Positions are divided by it.
    scaling: f64,
    /// For each pair its wavelength over 2 pi.
    lengths: Arc<[f64]>,
}

impl Angles {
    /// Those of vectors of `d` numbers, of which the slowest pair has this wavelength.
    pub fn new(wavelength: f64, scaling: f64, d: usize) -> Self {
        Angles { scaling, lengths: (0..d / 2).map(|i| wavelength.powf(2.0 * i as f64 / d as f64)).collect() }
    }
}

/// x `[n, t, .., d]`, in which elements i and i + d/2 of position p are turned by the angle p / wavelength^(2i / d). The first
/// position is `first`.
pub(in crate::layers) fn rotated<T: Float>(x: &Var<T>, angles: &Angles, first: usize) -> Var<T> {
    let (length, d) = (x.shape()[1], x.shape()[x.shape().len() - 1]);
    let half = d / 2;
    if d == 0 {
        return x.clone();
    }
    let mut shape = vec![1; x.shape().len()];
    (shape[1], shape[x.shape().len() - 1]) = (length, half);
    let table = |function: fn(f64) -> f64| -> Var<T> {
        let angle = |i: usize| (first + i / half) as f64 / angles.scaling / angles.lengths[i % half];
        let numbers: Tensor<T> = (0..length * half).map(|i| T::of(function(angle(i)))).collect();
        Var::from(numbers.reshape(&shape[..]))
    };
    let (cos, sin) = (table(f64::cos), table(f64::sin));
    let (first, second) = (x.slice(-1, ..half as isize), x.slice(-1, half as isize..));
    Var::concat(&[&first * &cos - &second * &sin, second * cos + first * sin], -1)
}
