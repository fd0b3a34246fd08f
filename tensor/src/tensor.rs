//! The tensor: a shared buffer and a layout over it.

use std::sync::Arc;

use crate::buffer::Buffer;
use crate::element::Element;
use crate::kernels::map::{Loop1, SHORT, loop1};
use crate::kernels::{self, View};
use crate::layout::Layout;
use crate::shape::{Shape, ShapeError};

/// An n-dimensional array of numbers.
///
/// Clones and views (slices, transposes, broadcasts) share the elements and cost nothing; a write copies the elements if another
/// tensor shares them. Indices count from the outermost axis: element `[i, j]` of a matrix is in row i and column j.
///
/// Arithmetic is NumPy's: shapes broadcast; whole numbers wrap around, and `/` and `%` of them are rounded down, so -7 / 2 is -4
/// and -7 % 2 is 1 ([`Number::over`](crate::Number::over) has the reasons); sums and products of whole numbers over axes are i64.
///
/// ```
/// use gradus_tensor::Tensor;
/// let x = Tensor::new([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
/// assert_eq!(x.shape(), &[2, 3]);
/// assert_eq!(x.t().sum(-1), Tensor::new([5.0, 7.0, 9.0]));
/// assert_eq!(&x * 2.0 + 1.0, Tensor::new([[3.0, 5.0, 7.0], [9.0, 11.0, 13.0]]));
/// ```
#[derive(Clone)]
pub struct Tensor<T: Element = f32> {
    pub(crate) buffer: Arc<Buffer<T>>,
    pub(crate) layout: Layout,
}

impl<T: Element> Tensor<T> {
    /// A tensor of `shape` over a buffer of exactly its size.
    pub(crate) fn from_buffer(buffer: Buffer<T>, shape: Shape) -> Self {
        debug_assert_eq!(buffer.len(), shape.size());
        Tensor { buffer: Arc::new(buffer), layout: Layout::contiguous(shape) }
    }

    /// A new tensor whose elements are written by `write`, every one.
    #[inline]
    #[track_caller]
    pub(crate) fn written(shape: Shape, write: impl FnOnce(&mut [T])) -> Self {
        let mut tensor = Tensor::unspecified(shape);
        write(tensor.as_mut_slice());
        tensor
    }

    /// As [`written`](Tensor::written); `None` if there is not so much memory.
    pub(crate) fn try_written(shape: Shape, write: impl FnOnce(&mut [T])) -> Option<Self> {
        let mut buffer = Buffer::try_unspecified(shape.size())?;
        write(&mut buffer);
        Some(Tensor::from_buffer(buffer, shape))
    }

    /// A new tensor with unspecified elements. (Not part of `written`, which is compiled for each closure.)
    #[track_caller]
    fn unspecified(shape: Shape) -> Self {
        // The layout first: it panics for sizes that no memory holds.
        let layout = Layout::contiguous(shape);
        Tensor { buffer: Arc::new(Buffer::unspecified(layout.shape.size())), layout }
    }

    /// The same elements under another layout.
    pub(crate) fn with_layout(&self, layout: Layout) -> Self {
        Tensor { buffer: Arc::clone(&self.buffer), layout }
    }

    /// The elements as kernels read them.
    pub(crate) fn view(&self) -> View<'_, T> {
        View { data: &self.buffer, layout: &self.layout }
    }

    /// The length of each axis.
    pub fn shape(&self) -> &Shape {
        &self.layout.shape
    }

    /// The number of axes: 0 for a scalar.
    pub fn ndim(&self) -> usize {
        self.shape().len()
    }

    /// The number of elements.
    pub fn size(&self) -> usize {
        self.shape().size()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.size() == 0
    }

    /// Whether the elements are contiguous in row-major order.
    pub fn is_contiguous(&self) -> bool {
        self.layout.is_contiguous()
    }

    /// The same elements, contiguous in row-major order: this tensor if its elements are, else a copy.
    pub fn contiguous(&self) -> Tensor<T> {
        if self.is_contiguous() {
            return self.clone();
        }
        Tensor::written(self.shape().clone(), |out| kernels::copy::copy(self.view(), out))
    }

    /// The elements in row-major order, if they are contiguous; else `None`.
    pub fn as_slice(&self) -> Option<&[T]> {
        self.is_contiguous()
            .then(|| &self.buffer[self.layout.offset..][..if self.is_empty() { 0 } else { self.size() }])
    }

    /// A copy of the elements in row-major order.
    pub fn to_vec(&self) -> Vec<T> {
        match self.as_slice() {
            Some(elements) => elements.to_vec(),
            None => self.contiguous().to_vec(),
        }
    }

    /// The elements in row-major order for writing. Elements that are shared or not contiguous are copied first, so no other
    /// tensor changes.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let mut x = Tensor::new([1.0, 2.0]);
    /// let before = x.clone();
    /// x.as_mut_slice()[0] = 7.0;
    /// assert_eq!(x, Tensor::new([7.0, 2.0]));
    /// assert_eq!(before, Tensor::new([1.0, 2.0]));
    /// ```
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        if !self.owns_elements() {
            *self = Tensor::written(self.shape().clone(), |out| kernels::copy::copy(self.view(), out));
        }
        let (offset, size) = (self.layout.offset, self.size());
        let buffer = Arc::get_mut(&mut self.buffer).expect("the buffer was just found or made unshared");
        &mut buffer[offset..][..size]
    }

    /// Whether a write needs no copy: the elements are contiguous in row-major order, and no other tensor shares them.
    pub fn owns_elements(&self) -> bool {
        Arc::strong_count(&self.buffer) == 1 && Arc::weak_count(&self.buffer) == 0 && self.is_contiguous()
    }

    /// The element of a tensor that has exactly one, with any number of axes.
    ///
    /// # Panics
    /// If there is not exactly one element.
    #[track_caller]
    pub fn item(&self) -> T {
        if self.size() != 1 {
            panic_item(self.shape());
        }
        self.buffer[self.layout.offset]
    }

    /// The element at `index`, which has one number for each axis.
    ///
    /// # Panics
    /// If the index has another number of axes or is out of range.
    #[track_caller]
    pub fn get(&self, index: impl AsRef<[usize]>) -> T {
        let index = index.as_ref();
        if index.len() != self.ndim() || index.iter().zip(self.shape().iter()).any(|(&i, &length)| i >= length) {
            panic_get(index, self.shape());
        }
        let steps = index.iter().zip(&self.layout.strides).map(|(&i, &stride)| i as isize * stride);
        self.buffer[self.layout.offset.wrapping_add_signed(steps.sum())]
    }

    /// The elements in row-major order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = T> + use<T> {
        let flat = self.contiguous();
        (0..flat.size()).map(move |i| flat.buffer[flat.layout.offset + i])
    }

    /// The same values in another element type; see [`Element::cast`].
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let bytes = Tensor::from([0_u8, 128, 255]);
    /// assert_eq!(bytes.to::<f32>() / 255.0, Tensor::new([0.0, 128.0 / 255.0, 1.0]));
    /// ```
    pub fn to<U: Element>(&self) -> Tensor<U> {
        // The same type: share instead of copying.
        if let Some(same) = (self as &dyn std::any::Any).downcast_ref::<Tensor<U>>() {
            return same.clone();
        }
        self.map(
            #[inline(always)]
            |x| x.cast(),
        )
    }

    /// The tensor of `f(x)` for every element x.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::from([1, -2]).map(|x: i32| x > 0), Tensor::from([true, false]));
    /// ```
    pub fn map<U: Element>(&self, f: impl Fn(T) -> U + Sync) -> Tensor<U> {
        self.map_by(&loop1::<SHORT, _, _>(f))
    }

    /// As [`map`](Tensor::map), with the loop of a function.
    pub(crate) fn map_by<U: Element>(&self, f: Loop1<'_, T, U>) -> Tensor<U> {
        Tensor::written(self.shape().clone(), |out| kernels::map::map(self.view(), out, f))
    }

    /// The layout of this tensor broadcast to `shape`; panics with both shapes if they do not fit.
    #[track_caller]
    pub(crate) fn broadcast_layout(&self, op: &str, shape: &Shape) -> Layout {
        expect_shape(op, self.layout.broadcast_to(shape))
    }
}

#[cold]
#[track_caller]
fn panic_item(shape: &Shape) -> ! {
    panic!("item: exactly one element is needed, there are {}: {shape}", shape.size())
}

#[cold]
#[track_caller]
fn panic_get(index: &[usize], shape: &Shape) -> ! {
    panic!("get: there is no element {index:?}: {shape}")
}

/// The value of `result`; panics with the error in the name of `op` if there is one.
#[track_caller]
pub(crate) fn expect_shape<R>(op: &str, result: Result<R, ShapeError>) -> R {
    // Not `unwrap_or_else`: a panic in a closure would name the closure's line, not the caller's.
    match result {
        Ok(value) => value,
        Err(error) => panic_shape(op, &error),
    }
}

#[cold]
#[track_caller]
fn panic_shape(op: &str, error: &ShapeError) -> ! {
    panic!("{op}: {error}")
}

/// Equality of shapes and of all elements; NaN does not equal itself.
impl<T: Element> PartialEq for Tensor<T> {
    fn eq(&self, other: &Self) -> bool {
        self.shape() == other.shape() && self.iter().zip(other.iter()).all(|(a, b)| a == b)
    }
}
