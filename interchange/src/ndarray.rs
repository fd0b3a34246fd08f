//! Arrays of the crate `ndarray` as tensors, and tensors as arrays.
//!
//! A tensor's elements are shared and aligned, so the ones of an array are copied once. An array of a tensor's elements is a view of them
//! where they stand row by row, and copies them otherwise.

use ndarray::{ArrayBase, ArrayD, ArrayViewD, CowArray, Data, Dimension, IxDyn};

use gradus_tensor::{Element, Tensor};

/// The array of a tensor's elements: a view without a copy if they are contiguous, else an array of its own.
///
/// ```
/// use gradus_interchange::ndarray::view;
/// use gradus_tensor::Tensor;
/// let x = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
/// let array = view(&x);
/// assert!(array.is_view());
/// assert_eq!(array.sum_axis(ndarray::Axis(0)), ndarray::arr1(&[4.0, 6.0]).into_dyn());
/// assert!(!view(&x.t()).is_view());
/// ```
pub fn view<T: Element>(tensor: &Tensor<T>) -> CowArray<'_, T, IxDyn> {
    let shape = IxDyn(tensor.shape());
    match tensor.as_slice() {
        Some(elements) => ArrayViewD::from_shape(shape, elements).expect("as many elements as the shape has").into(),
        None => ArrayD::from_shape_vec(shape, tensor.to_vec()).expect("as many elements as the shape has").into(),
    }
}

/// An array with a tensor's elements, copied. [`view`] copies none.
///
/// ```
/// use gradus_interchange::ndarray::to_ndarray;
/// use gradus_tensor::Tensor;
/// let array = to_ndarray(&Tensor::new([[1.0, 2.0], [3.0, 4.0]]));
/// assert_eq!(array[[1, 0]], 3.0);
/// ```
pub fn to_ndarray<T: Element>(tensor: &Tensor<T>) -> ArrayD<T> {
    view(tensor).into_owned()
}

/// A tensor with an array's elements, copied once. Strides of the array may be any, also negative.
///
/// ```
/// use gradus_interchange::ndarray::from_ndarray;
/// use gradus_tensor::Tensor;
/// let array = ndarray::array![[1.0_f32, 2.0], [3.0, 4.0]];
/// assert_eq!(from_ndarray(&array), Tensor::new([[1.0, 2.0], [3.0, 4.0]]));
/// assert_eq!(from_ndarray(&array.t()), Tensor::new([[1.0, 3.0], [2.0, 4.0]]));
/// ```
pub fn from_ndarray<T: Element, S: Data<Elem = T>, D: Dimension>(array: &ArrayBase<S, D>) -> Tensor<T> {
    let elements = match array.as_slice() {
        Some(elements) => Tensor::from(elements),
        None => array.iter().copied().collect(),
    };
    elements.reshape(array.shape())
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, Axis, Slice, arr0};

    use super::*;

    #[test]
    fn arrays_come_back() {
        fn check<T: Element>(tensor: &Tensor<T>) {
            assert_eq!(from_ndarray(&to_ndarray(tensor)), *tensor);
            assert_eq!(from_ndarray(&view(tensor)), *tensor);
        }
        check(&Tensor::new([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]));
        check(&Tensor::new([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).t());
        check(&Tensor::from([true, false]));
        check(&Tensor::from([[3_i64], [-1]]));
        check(&Tensor::new(7.0));
        check(&Tensor::<f32>::zeros([0, 2]));
        check(&Tensor::new([1.0, 2.0]).broadcast_to([3, 2]));
    }

    #[test]
    fn a_view_has_the_tensors_memory() {
        let x = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
        assert_eq!(view(&x).as_ptr(), x.as_slice().unwrap().as_ptr());
        assert_eq!(view(&x.slice(0, 1..2)).as_ptr(), x.as_slice().unwrap()[2..].as_ptr());
    }

    #[test]
    fn strides_may_be_any() {
        let array = Array2::from_shape_fn((3, 4), |(i, j)| (4 * i + j) as f32);
        let mut turned = array.view();
        turned.invert_axis(Axis(0));
        let turned = turned.slice_axis(Axis(1), Slice::from(..).step_by(2));
        assert_eq!(from_ndarray(&turned), Tensor::new([[8.0, 10.0], [4.0, 6.0], [0.0, 2.0]]));
        assert_eq!(from_ndarray(&array.index_axis(Axis(1), 3)), Tensor::new([3.0, 7.0, 11.0]));
        assert_eq!(from_ndarray(&arr0(5_u8)), Tensor::scalar(5_u8));
        assert_eq!(from_ndarray(&Array1::<i32>::zeros(0)), Tensor::<i32>::zeros([0]));
    }
}
