//! Rotary positions: pairs of numbers turned by an angle that grows with the position.

use gradus_autograd::Var;
use gradus_tensor::{Float, Tensor};

/// The angles of rotary positions.
#[derive(Clone, Copy)]
pub(in crate::layers) struct Angles {
    /// The wavelength of the slowest pair.
    pub wavelength: f64,
    /// Positions are divided by it.
    pub scaling: f64,
}

/// x `[n, t, .., d]`, in which elements i and i + d/2 of position p are turned by the angle p / wavelength^(2i / d).
pub(in crate::layers) fn rotated<T: Float>(x: &Var<T>, angles: Angles) -> Var<T> {
    let (length, d) = (x.shape()[1], x.shape()[x.shape().len() - 1]);
    let half = d / 2;
    let mut shape = vec![1; x.shape().len()];
    (shape[1], shape[x.shape().len() - 1]) = (length, half);
    let table = |function: fn(f64) -> f64| -> Var<T> {
        let angle = |i: usize| {
            let position = (i / half) as f64 / angles.scaling;
            position / angles.wavelength.powf(2.0 * (i % half) as f64 / d as f64)
        };
        let numbers: Tensor<T> = (0..length * half).map(|i| T::of(function(angle(i)))).collect();
        Var::from(numbers.reshape(&shape[..]))
    };
    if d == 0 {
        return x.clone();
    }
    let (cos, sin) = (table(f64::cos), table(f64::sin));
    let (first, second) = (x.slice(-1, ..half as isize), x.slice(-1, half as isize..));
    Var::concat(&[&first * &cos - &second * &sin, second * cos + first * sin], -1)
}
