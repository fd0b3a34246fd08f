//! Data whose first axis counts samples: one tensor, or columns of tensors.

use std::fmt;
use std::ops::Range;

use crate::columns::Columns;
use crate::element::Element;
use crate::tensor::Tensor;

mod sealed {
    pub trait Sealed {}
}

/// What a type parameter of a data set may be: an element type for data in one tensor, [`Columns`] for data in several
/// tensors of different element types.
///
/// | type parameter | data |
/// |---|---|
/// | `f32`, `u8`, any [`Element`] | `Tensor<f32>`, `Tensor<u8>` |
/// | [`Columns`] | `Columns` |
///
/// ```
/// use gradus_tensor::{Columns, SampleType, Samples, Tensor};
/// /// Some samples and their name.
/// struct Named<X: SampleType> {
///     name: &'static str,
///     data: X::Data,
/// }
/// let pixels = Named::<u8> { name: "pixels", data: Tensor::from([[0_u8, 255], [7, 9]]) };
/// let mixed = Named::<Columns> { name: "mixed", data: Columns::from((&pixels.data, Tensor::new([0.5, 1.5]))) };
/// assert_eq!((pixels.data.sample_count(), mixed.data.len()), (2, 2));
/// # assert_eq!((pixels.name, mixed.name), ("pixels", "mixed"));
/// ```
// Beside `Element` and `Columns`, because only their crate may implement it for both.
pub trait SampleType: Clone + fmt::Debug + PartialEq + Send + Sync + 'static {
    /// The data of this type.
    type Data: Samples<Type = Self>;
}

impl<X: Element> SampleType for X {
    type Data = Tensor<X>;
}

impl SampleType for Columns {
    type Data = Columns;
}

/// Data whose first axis counts samples: a [`Tensor`], or [`Columns`].
///
/// As [`Columns`], by `Into`, the tensors are shared, not copied.
///
/// ```
/// use gradus_tensor::{Columns, Samples, Tensor};
/// fn last(data: &impl Samples) -> Columns {
///     let count = data.sample_count();
///     data.sample_range(count - 1..count).into()
/// }
/// let (ids, prices) = (Tensor::from([[7_i64, 2], [1, 1]]), Tensor::new([9.5, 3.0]));
/// assert_eq!(last(&prices)[0].to::<f32>(), Tensor::new([3.0]));
/// assert_eq!(last(&Columns::from((&ids, &prices)))[0].to::<i64>(), Tensor::from([[1, 1]]));
/// ```
pub trait Samples: Clone + fmt::Debug + PartialEq + Into<Columns> + Send + Sync + sealed::Sealed + 'static {
    /// The type parameter that stands for this data: `u8` for `Tensor<u8>`.
    type Type: SampleType<Data = Self>;

    /// The number of samples: the length of the first axis, of the first column if there are several.
    ///
    /// # Panics
    /// If there is no axis, or no column.
    fn sample_count(&self) -> usize;

    /// The samples of a range, as views.
    ///
    /// # Panics
    /// If there is no axis.
    fn sample_range(&self, range: Range<usize>) -> Self;

    /// The samples at these indices, copied.
    ///
    /// # Panics
    /// If there is no axis, or an index is out of range.
    fn take_samples(&self, indices: &[usize]) -> Self;

    /// The data that became these columns by `Into`; elements of another type are converted.
    ///
    /// # Panics
    /// If one tensor is asked for, and there is not one column.
    fn from_columns(columns: Columns) -> Self;
}

impl<X: Element> sealed::Sealed for Tensor<X> {}

impl<X: Element> Samples for Tensor<X> {
    type Type = X;

    #[track_caller]
    fn sample_count(&self) -> usize {
        self.shape()[0]
    }

    #[track_caller]
    fn sample_range(&self, range: Range<usize>) -> Self {
        self.slice(0, range)
    }

    #[track_caller]
    fn take_samples(&self, indices: &[usize]) -> Self {
        self.take_rows(indices)
    }

    #[track_caller]
    fn from_columns(columns: Columns) -> Self {
        assert!(columns.len() == 1, "from_columns: a tensor is one column: {} columns", columns.len());
        columns[0].to()
    }
}

impl sealed::Sealed for Columns {}

impl Samples for Columns {
    type Type = Columns;

    #[track_caller]
    fn sample_count(&self) -> usize {
        self[0].shape()[0]
    }

    #[track_caller]
    fn sample_range(&self, range: Range<usize>) -> Self {
        self.rows(range)
    }

    #[track_caller]
    fn take_samples(&self, indices: &[usize]) -> Self {
        self.take_rows(indices)
    }

    fn from_columns(columns: Columns) -> Self {
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a data set does: it holds data by their type parameter and is made of the data.
    struct Held<X: SampleType> {
        data: X::Data,
    }

    fn hold<A: Samples>(data: A) -> Held<A::Type> {
        Held { data }
    }

    #[test]
    fn data_and_type_parameters_stand_for_each_other() {
        let bytes: Held<u8> = hold(Tensor::from([1_u8, 2, 3]));
        assert_eq!((bytes.data.sample_count(), bytes.data.take_samples(&[2, 0])), (3, Tensor::from([3_u8, 1])));
        let columns: Held<Columns> = hold(Columns::from((Tensor::from([1_u8, 2]), Tensor::new([[0.5], [0.25]]))));
        assert_eq!(columns.data.sample_count(), 2);
        assert_eq!(columns.data.sample_range(1..2)[1].to::<f32>(), Tensor::new([[0.25]]));
    }

    #[test]
    fn one_tensor_comes_back_from_its_column() {
        let tensor = Tensor::from([1_i64, 2]);
        assert_eq!(<Tensor<i64>>::from_columns((&tensor).into()), tensor);
        assert_eq!(<Tensor<f32>>::from_columns((&tensor).into()), Tensor::new([1.0, 2.0]));
    }

    #[test]
    #[should_panic(expected = "from_columns: a tensor is one column: 2 columns")]
    fn two_columns_are_no_tensor() {
        <Tensor<f32>>::from_columns((Tensor::new([1.0]), Tensor::new([2.0])).into());
    }
}
