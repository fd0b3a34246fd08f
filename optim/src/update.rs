//! One pass over a parameter, its gradient and its slots.

use gradus_tensor::simd::vectorize;
use gradus_tensor::{Float, Tensor};

/// Calls `body` with the elements of all, in place.
pub(crate) fn update<T: Float, const N: usize>(
    parameter: &mut Tensor<T>,
    gradient: &Tensor<T>,
    slots: &mut [Tensor<T>],
    body: impl Fn(&mut [T], &[T], [&mut [T]; N]),
) {
    let slots: &mut [Tensor<T>; N] = slots.try_into().expect("as many slots as the rule names");
    let gradient = gradient.contiguous();
    let gradient = gradient.as_slice().expect("just made contiguous");
    let (parameter, slots) = (parameter.as_mut_slice(), slots.each_mut().map(Tensor::as_mut_slice));
    vectorize(
        #[inline(always)]
        || body(parameter, gradient, slots),
    );
}
