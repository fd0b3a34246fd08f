//! Tensors from shapes, from numbers and from nested arrays.

use crate::buffer::Buffer;
use crate::element::{Element, Float, Number};
use crate::kernels;
use crate::shape::{Shape, ShapeError};
use crate::tensor::Tensor;

/// Arrays nested to any depth, such as `[[1.0, 2.0], [3.0, 4.0]]`, or a single number.
///
/// ```
/// use gradus_tensor::{NestedArray, Tensor};
/// assert_eq!(<[[u8; 3]; 2] as NestedArray<u8>>::shape(), [2, 3]);
/// assert_eq!(Tensor::from([[1_u8, 2, 3], [4, 5, 6]]).shape(), &[2, 3]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no nested array of `{T}`",
    label = "give arrays of one type of number, such as [[1.0, 2.0], [3.0, 4.0]]",
    note = "a Vec becomes a tensor by `Tensor::from(vec)`, in another shape by `.reshape(shape)`; `Tensor::new` makes f32, \
            `Tensor::from` any type of number"
)]
pub trait NestedArray<T> {
    /// The length of each level, outermost first.
    fn shape() -> Shape;
    /// Appends the numbers in order.
    fn append(&self, elements: &mut Vec<T>);
}

impl<T, A: NestedArray<T>, const N: usize> NestedArray<T> for [A; N] {
    fn shape() -> Shape {
        A::shape().with_axis(0, N)
    }
    fn append(&self, elements: &mut Vec<T>) {
        for inner in self {
            inner.append(elements);
        }
    }
}

macro_rules! nested_scalar {
    ($($type:ty),*) => {$(
        impl NestedArray<$type> for $type {
            fn shape() -> Shape {
                Shape::default()
            }
            fn append(&self, elements: &mut Vec<$type>) {
                elements.push(*self);
            }
        }
    )*};
}

nested_scalar!(f32, f64, i8, i16, i32, i64, u8, bool);

fn from_nested<T: Element, A: NestedArray<T>>(nested: &A) -> Tensor<T> {
    let shape = A::shape();
    let mut elements = Vec::with_capacity(shape.size());
    nested.append(&mut elements);
    Tensor::from_buffer(Buffer::copy_of(&elements), shape)
}

impl Tensor {
    /// An f32 tensor of nested arrays of numbers, one level for each axis. Other element types are made by `Tensor::from`.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let matrix = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(matrix.shape(), &[2, 2]);
    /// assert_eq!(Tensor::new(3.0).ndim(), 0);
    /// assert_eq!(Tensor::from([[1_i64, 2]]).get([0, 1]), 2);
    /// ```
    pub fn new<A: NestedArray<f32>>(numbers: A) -> Tensor {
        from_nested(&numbers)
    }
}

impl<T: Element, A: NestedArray<T>, const N: usize> From<[A; N]> for Tensor<T> {
    fn from(numbers: [A; N]) -> Self {
        from_nested(&numbers)
    }
}

impl<T: Element> From<Vec<T>> for Tensor<T> {
    /// A tensor of one axis.
    fn from(elements: Vec<T>) -> Self {
        Tensor::from(&elements[..])
    }
}

impl<T: Element> From<&[T]> for Tensor<T> {
    /// A tensor of one axis.
    fn from(elements: &[T]) -> Self {
        Tensor::from_buffer(Buffer::copy_of(elements), elements.len().into())
    }
}

impl<T: Element> FromIterator<T> for Tensor<T> {
    /// A tensor of one axis.
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        Tensor::from(elements.into_iter().collect::<Vec<T>>())
    }
}

impl<T: Element> Tensor<T> {
    /// A tensor of this shape with the elements of a vector in row-major order.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let x = Tensor::from_vec(vec![1.0, 2.0, 3.0, 4.0], [2, 2]).unwrap();
    /// assert_eq!(x, Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// assert!(Tensor::from_vec(vec![1.0, 2.0, 3.0], [2, 2]).is_err());
    /// ```
    ///
    /// # Errors
    /// If the vector has more or fewer elements than the shape.
    pub fn from_vec(elements: Vec<T>, shape: impl Into<Shape>) -> Result<Self, ShapeError> {
        Tensor::from(elements).try_reshape(shape)
    }

    /// A tensor of one element and no axes.
    pub fn scalar(value: T) -> Self {
        Tensor::full([], value)
    }

    /// A tensor whose elements are all `value`.
    #[track_caller]
    pub fn full(shape: impl Into<Shape>, value: T) -> Self {
        Tensor::written(shape.into(), |out| kernels::copy::fill(out, value))
    }

    /// A tensor whose elements are all 0 (`false`).
    #[track_caller]
    pub fn zeros(shape: impl Into<Shape>) -> Self {
        Tensor::full(shape, T::ZERO)
    }

    /// A tensor whose elements are all 1 (`true`).
    #[track_caller]
    pub fn ones(shape: impl Into<Shape>) -> Self {
        Tensor::full(shape, T::ONE)
    }

    /// A tensor of zeros with the shape of this one.
    pub fn zeros_like(&self) -> Self {
        Tensor::zeros(self.shape())
    }

    /// A tensor of ones with the shape of this one.
    pub fn ones_like(&self) -> Self {
        Tensor::ones(self.shape())
    }

    /// The identity matrix `[n, n]`: 1 on the diagonal, 0 elsewhere.
    #[track_caller]
    pub fn eye(n: usize) -> Self {
        Tensor::written([n, n].into(), |out| {
            out.fill(T::ZERO);
            out.iter_mut().step_by(n + 1).for_each(|x| *x = T::ONE);
        })
    }
}

impl<T: Number> Tensor<T> {
    /// The numbers `start, start + step, ..` before `stop`, with shape `[ceil((stop - start) / step)]`.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::arange(0, 7, 3), Tensor::from([0, 3, 6]));
    /// assert_eq!(Tensor::arange(1.0, 0.0, -0.5), Tensor::new([1.0, 0.5]));
    /// ```
    ///
    /// # Panics
    /// If `step` is zero or an argument is not a finite number.
    #[track_caller]
    pub fn arange(start: T, stop: T, step: T) -> Self {
        let (first, last, by) = (start.cast::<f64>(), stop.cast::<f64>(), step.cast::<f64>());
        if by == 0.0 || !(first.is_finite() && last.is_finite() && by.is_finite()) {
            panic!("arange: start, stop and step must be finite and step not 0: {start}, {stop}, {step}");
        }
        let length = match T::NAME {
            "f32" | "f64" => ((last - first) / by).ceil().max(0.0) as usize,
            _ => whole_steps(start.cast(), stop.cast(), step.cast()),
        };
        Tensor::written(length.into(), |out| {
            for (i, out) in out.iter_mut().enumerate() {
                // A product, not a running sum, so that the rounding error does not grow.
                *out = start.plus(T::from_i64(i as i64).times(step));
            }
        })
    }
}

/// The number of whole numbers `start, start + step, ..` before `stop`. (f64 does not hold all of them.)
fn whole_steps(start: i64, stop: i64, step: i64) -> usize {
    let (distance, step) = (i128::from(stop) - i128::from(start), i128::from(step));
    // Away from the step's direction there is none; else rounded up.
    let count = if (distance < 0) == (step < 0) { (distance.abs() + step.abs() - 1) / step.abs() } else { 0 };
    usize::try_from(count).unwrap_or(usize::MAX)
}

impl<T: Float> Tensor<T> {
    /// `count` evenly spaced numbers from `start` to `stop`, both included.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::linspace(0.0, 1.0, 5), Tensor::new([0.0, 0.25, 0.5, 0.75, 1.0]));
    /// ```
    #[track_caller]
    pub fn linspace(start: T, stop: T, count: usize) -> Self {
        let step = (stop.as_f64() - start.as_f64()) / count.saturating_sub(1).max(1) as f64;
        Tensor::written(count.into(), |out| {
            for (i, out) in out.iter_mut().enumerate() {
                *out = T::of(start.as_f64() + i as f64 * step);
            }
            if let [_, .., last] = out {
                *last = stop;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_tensors() {
        let cube = Tensor::from([[[1_u8, 2], [3, 4]], [[5, 6], [7, 8]]]);
        assert_eq!((cube.shape(), cube.get([1, 0, 1])), (&[2, 2, 2].into(), 6));
        assert_eq!(Tensor::from(vec![true, false]).to_vec(), [true, false]);
        assert_eq!((0..3).collect::<Tensor<i32>>(), Tensor::from([0, 1, 2]));
        let error = Tensor::from_vec(vec![1.0, 2.0, 3.0], [2, 2]).unwrap_err();
        assert_eq!(error.to_string(), "3 elements do not fill a shape of 4: [3] to [2, 2]");
        let error = Tensor::from_vec(Vec::<f32>::new(), [0, usize::MAX, 2]).unwrap_err();
        assert!(
            error.to_string().starts_with("0 elements do not fill a shape of more than memory can hold"),
            "{error}"
        );
    }

    #[test]
    fn constants_fill_their_shape() {
        assert_eq!(Tensor::<i32>::zeros([2, 2]), Tensor::from([[0, 0], [0, 0]]));
        assert_eq!(Tensor::<bool>::ones([2]), Tensor::from([true, true]));
        assert_eq!(Tensor::full([3], 2.5), Tensor::from([2.5; 3]));
        assert_eq!(Tensor::<f64>::eye(3), Tensor::from([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]));
        assert_eq!(Tensor::<f32>::eye(0).shape(), &[0, 0]);
        let x = Tensor::new([[1.0, 2.0]]);
        assert_eq!((x.zeros_like(), x.ones_like()), (Tensor::new([[0.0, 0.0]]), Tensor::new([[1.0, 1.0]])));
    }

    #[test]
    fn ranges_follow_numpy() {
        // NumPy 2.4.6: np.arange(0, 1, 0.3), np.arange(5, 0, -2), np.linspace(-2, 3, 4).
        assert_eq!(Tensor::arange(0.0, 1.0, 0.3), Tensor::from([0.0, 0.3, 0.6, 0.899_999_999_999_999_9]));
        assert_eq!(Tensor::arange(5, 0, -2), Tensor::from([5, 3, 1]));
        assert_eq!(Tensor::arange(3, 3, 1).shape(), &[0]);
        let line = Tensor::linspace(-2.0, 3.0, 4);
        assert_eq!(line, Tensor::from([-2.0, -0.333_333_333_333_333_26, 1.333_333_333_333_333_5, 3.0]));
        assert_eq!(Tensor::<f32>::linspace(1.0, 2.0, 1), Tensor::new([1.0]));
        assert_eq!(Tensor::<f32>::linspace(1.0, 2.0, 0).shape(), &[0]);
    }

    #[test]
    #[should_panic(expected = "arange: start, stop and step must be finite and step not 0: 0, 1, 0")]
    fn a_step_of_zero_is_refused() {
        Tensor::arange(0, 1, 0);
    }
}
