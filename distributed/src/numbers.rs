//! Slices of numbers whose type is known at run time, so that a [`Communicator`](crate::Communicator) can be an object.

use gradus_tensor::{Element, Float, PerFloat};

/// Numbers to send: a slice of f32 or f64.
///
/// ```
/// use gradus_distributed::Numbers;
/// use gradus_tensor::Float;
/// fn length<T: Float>(slice: &[T]) -> usize {
///     Numbers::of(slice).len()
/// }
/// assert_eq!(length(&[1.0_f32, 2.0]), 2);
/// assert!(matches!(Numbers::of(&[1.0_f64]), Numbers::F64([1.0])));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Numbers<'a> {
    /// Of type f32.
    F32(&'a [f32]),
    /// Of type f64.
    F64(&'a [f64]),
}

/// A place for numbers, which are read there, too: a slice of f32 or f64.
///
/// ```
/// use gradus_distributed::NumbersMut;
/// let mut received = [0.0_f32; 3];
/// if let NumbersMut::F32(place) = NumbersMut::of(&mut received) {
///     place.fill(1.0);
/// }
/// assert_eq!(received, [1.0; 3]);
/// ```
#[derive(Debug, PartialEq)]
pub enum NumbersMut<'a> {
    /// Of type f32.
    F32(&'a mut [f32]),
    /// Of type f64.
    F64(&'a mut [f64]),
}

impl<'a> Numbers<'a> {
    /// The slice itself, nothing is copied.
    pub fn of<T: Float>(slice: &'a [T]) -> Self {
        T::choose(Wrap)(slice)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Numbers::F32(slice) => slice.len(),
            Numbers::F64(slice) => slice.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of their type: `"f32"` or `"f64"`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Numbers::F32(_) => f32::NAME,
            Numbers::F64(_) => f64::NAME,
        }
    }
}

impl<'a> NumbersMut<'a> {
    /// The slice itself, nothing is copied.
    pub fn of<T: Float>(slice: &'a mut [T]) -> Self {
        T::choose(WrapMut)(slice)
    }

    /// The numbers as they are now.
    pub fn as_numbers(&self) -> Numbers<'_> {
        match self {
            NumbersMut::F32(slice) => Numbers::F32(slice),
            NumbersMut::F64(slice) => Numbers::F64(slice),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.as_numbers().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

struct Wrap;

impl PerFloat for Wrap {
    type Of<T: Float> = for<'a> fn(&'a [T]) -> Numbers<'a>;

    fn f32(self) -> Self::Of<f32> {
        |slice| Numbers::F32(slice)
    }

    fn f64(self) -> Self::Of<f64> {
        |slice| Numbers::F64(slice)
    }
}

struct WrapMut;

impl PerFloat for WrapMut {
    type Of<T: Float> = for<'a> fn(&'a mut [T]) -> NumbersMut<'a>;

    fn f32(self) -> Self::Of<f32> {
        |slice| NumbersMut::F32(slice)
    }

    fn f64(self) -> Self::Of<f64> {
        |slice| NumbersMut::F64(slice)
    }
}
