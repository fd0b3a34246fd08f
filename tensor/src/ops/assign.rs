//! Changes in place: assignments, and the fused update of optimisers.

use crate::element::Element;
use crate::kernels::copy::copy;
use crate::kernels::{View, map, update};
use crate::shape::Shape;
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Replaces the values by those of another tensor, broadcast to this shape; in place if no other tensor shares the memory.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let mut x = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
    /// x.assign(&Tensor::new([5.0, 6.0]));
    /// assert_eq!(x, Tensor::new([[5.0, 6.0], [5.0, 6.0]]));
    /// ```
    ///
    /// # Panics
    /// If `values` does not broadcast to this tensor's shape.
    #[track_caller]
    pub fn assign(&mut self, values: &Tensor<T>) {
        let layout = values.broadcast_layout("assign", self.shape());
        let values = View { data: &values.buffer, layout: &layout };
        copy(values, self.overwrite());
    }

    /// Sets every element to `value`; in place if no other tensor shares the memory.
    pub fn fill(&mut self, value: T) {
        self.overwrite().fill(value);
    }

    /// Replaces every element x by f(x); in place if no other tensor shares the memory.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let mut x = Tensor::new([1.0, -2.0]);
    /// x.map_assign(|x| x * x);
    /// assert_eq!(x, Tensor::new([1.0, 4.0]));
    /// ```
    pub fn map_assign(&mut self, f: impl Fn(T) -> T + Sync) {
        map::map_assign(self.as_mut_slice(), &map::loop1::<{ map::SHORT }, _, _>(f));
    }

    /// The elements for overwriting, every one: as [`as_mut_slice`](Tensor::as_mut_slice), but shared elements are not copied
    /// first.
    pub(crate) fn overwrite(&mut self) -> &mut [T] {
        if !self.owns_elements() {
            *self = Tensor::written(self.shape().clone(), |_| {});
        }
        self.as_mut_slice()
    }
}

/// Changes a parameter by its gradient, together with the `N` slots of the same shape that an optimiser keeps for it.
///
/// `body` is called with the same part of each of them, every element in exactly one call, on all cores and compiled for the
/// vector instructions of the machine. It must compute each element by itself and not depend on where a part begins; then the
/// result is the same bits for any number of threads. Written as one loop and marked `#[inline(always)]`, it is one pass over
/// memory. Nothing is copied unless another tensor (a clone, a view) shares the memory of the parameter or a slot; that tensor
/// keeps its values.
///
/// ```
/// use gradus_tensor::{Tensor, update};
/// let (mut weights, gradient) = (Tensor::new([1.0, 2.0]), Tensor::new([0.5, -1.0]));
/// let mut slots = vec![Tensor::new([0.0, 1.0])];
/// update(
///     &mut weights,
///     &gradient,
///     &mut slots,
///     #[inline(always)]
///     |weights, gradient, [velocity]| {
///         for ((w, &g), v) in weights.iter_mut().zip(gradient).zip(velocity) {
///             *v = 0.9 * *v - 0.1 * g;
///             *w += *v;
///         }
///     },
/// );
/// assert_eq!(weights, Tensor::new([0.95, 3.0]));
/// assert_eq!(slots[0], Tensor::new([-0.05, 1.0]));
/// ```
///
/// # Panics
/// If the gradient or a slot has another shape than the parameter, or there are not `N` slots.
#[inline(always)]
#[track_caller]
pub fn update<T: Element, const N: usize>(
    parameter: &mut Tensor<T>,
    gradient: &Tensor<T>,
    slots: &mut [Tensor<T>],
    body: impl Fn(&mut [T], &[T], [&mut [T]; N]) + Sync,
) {
    check(parameter.shape(), gradient.shape(), slots, N);
    let slots: &mut [Tensor<T>; N] = slots.try_into().expect("the number of slots was just checked");
    let gradient = gradient.contiguous();
    let gradient = gradient.as_slice().expect("just made contiguous");
    update::update(parameter.as_mut_slice(), gradient, slots.each_mut().map(Tensor::as_mut_slice), body);
}

#[track_caller]
fn check<T: Element>(parameter: &Shape, gradient: &Shape, slots: &[Tensor<T>], expected: usize) {
    if parameter != gradient {
        panic!("update: the gradient's shape is not the parameter's: {gradient} and {parameter}");
    }
    if slots.len() != expected {
        panic!("update: the rule keeps {expected} slots for a parameter, not {}: {parameter}", slots.len());
    }
    if let Some(slot) = slots.iter().find(|slot| slot.shape() != parameter) {
        panic!("update: a slot's shape is not the parameter's: {} and {parameter}", slot.shape());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_is_in_place_and_covers_everything() {
        let n = 100_003;
        let count = Tensor::<f64>::arange(0.0, n as f64, 1.0);
        let (mut weights, gradient) = (&count + 1.0, count.flip(0));
        let mut slots = [Tensor::<f64>::zeros([n]), Tensor::<f64>::ones([n])];
        let places = |tensors: [&Tensor<f64>; 3]| tensors.map(|x| x.as_slice().unwrap().as_ptr());
        let before = places([&weights, &slots[0], &slots[1]]);
        update(
            &mut weights,
            &gradient,
            &mut slots,
            #[inline(always)]
            |weights, gradient, [a, b]| {
                for (((w, &g), a), b) in weights.iter_mut().zip(gradient).zip(a).zip(b) {
                    *a += g;
                    *b += 2.0 * g;
                    *w += *a + *b;
                }
            },
        );
        assert_eq!(places([&weights, &slots[0], &slots[1]]), before);
        assert_eq!(weights, count + 2.0 + 3.0 * &gradient);
        assert_eq!(slots, [gradient.clone(), 2.0 * gradient + 1.0]);
    }

    #[test]
    fn others_keep_what_they_had() {
        let mut weights = Tensor::new([1.0, 2.0]);
        let before = weights.clone();
        update(&mut weights, &Tensor::new([1.0, 1.0]), &mut [], |weights, _, []| weights.fill(7.0));
        assert_eq!((weights, before), (Tensor::new([7.0, 7.0]), Tensor::new([1.0, 2.0])));
        let mut x = Tensor::new([[1.0, 2.0], [3.0, 4.0]]).t();
        let view = x.select(0, 0);
        x.assign(&Tensor::new([[8.0], [9.0]]));
        assert_eq!((x.clone(), view), (Tensor::new([[8.0, 8.0], [9.0, 9.0]]), Tensor::new([1.0, 3.0])));
        let place = x.as_slice().unwrap().as_ptr();
        x.fill(0.5);
        x.map_assign(|x| x + 1.0);
        assert_eq!(x.as_slice().unwrap().as_ptr(), place);
        assert_eq!(x, Tensor::full([2, 2], 1.5));
    }

    #[test]
    #[should_panic(expected = "update: the gradient's shape is not the parameter's: [3] and [2]")]
    fn a_gradient_of_another_shape_is_refused() {
        update(&mut Tensor::new([1.0, 2.0]), &Tensor::new([1.0; 3]), &mut [], |_, _, []| ());
    }

    #[test]
    #[should_panic(expected = "update: the rule keeps 1 slots for a parameter, not 0: [2]")]
    fn missing_slots_are_counted() {
        update(&mut Tensor::new([1.0, 2.0]), &Tensor::new([1.0; 2]), &mut [], |_, _, [_]| ());
    }
}
