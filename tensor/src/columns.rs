//! Tensors whose element type is known at run time, and several of them side by side.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::element::Element;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// A tensor of any element type.
///
/// It is made from a tensor by `From` and read by [`to`](AnyTensor::to), which converts the elements, or by
/// [`get`](AnyTensor::get), which does not.
///
/// ```
/// use gradus_tensor::{AnyTensor, Tensor};
/// let ids = AnyTensor::from(Tensor::from([[3_u8, 1], [0, 2]]));
/// assert_eq!((ids.element(), ids.shape()), ("u8", &[2, 2].into()));
/// assert_eq!(ids.to::<f32>(), Tensor::new([[3.0, 1.0], [0.0, 2.0]]));
/// assert!(ids.get::<i64>().is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The variants are the element types.
pub enum AnyTensor {
    F32(Tensor<f32>),
    F64(Tensor<f64>),
    I8(Tensor<i8>),
    I16(Tensor<i16>),
    I32(Tensor<i32>),
    I64(Tensor<i64>),
    U8(Tensor<u8>),
    Bool(Tensor<bool>),
}

/// `body` with `tensor` bound to the tensor in `any`, whatever its element type.
macro_rules! with_tensor {
    ($any:expr, $tensor:ident => $body:expr) => {
        match $any {
            AnyTensor::F32($tensor) => $body,
            AnyTensor::F64($tensor) => $body,
            AnyTensor::I8($tensor) => $body,
            AnyTensor::I16($tensor) => $body,
            AnyTensor::I32($tensor) => $body,
            AnyTensor::I64($tensor) => $body,
            AnyTensor::U8($tensor) => $body,
            AnyTensor::Bool($tensor) => $body,
        }
    };
}

/// The name of `tensor`'s element type.
fn element_of<X: Element>(_: &Tensor<X>) -> &'static str {
    X::NAME
}

impl AnyTensor {
    /// The length of each axis.
    pub fn shape(&self) -> &Shape {
        with_tensor!(self, tensor => tensor.shape())
    }

    /// The name of the element type: `"f32"`.
    pub fn element(&self) -> &'static str {
        with_tensor!(self, tensor => element_of(tensor))
    }

    /// Whether the elements are f32 or f64.
    pub fn is_float(&self) -> bool {
        matches!(self, AnyTensor::F32(_) | AnyTensor::F64(_))
    }

    /// The tensor with its elements converted as Rust's `as` does; without a copy if they are of type `Y`.
    pub fn to<Y: Element>(&self) -> Tensor<Y> {
        with_tensor!(self, tensor => tensor.to())
    }

    /// The tensor, if its elements are of type `Y`.
    pub fn get<Y: Element>(&self) -> Option<&Tensor<Y>> {
        with_tensor!(self, tensor => (tensor as &dyn Any).downcast_ref::<Tensor<Y>>())
    }

    /// The rows of a range of the first axis, as a view.
    ///
    /// # Panics
    /// If there is no axis.
    #[track_caller]
    pub fn rows(&self, range: Range<usize>) -> AnyTensor {
        with_tensor!(self, tensor => tensor.slice(0, range).into())
    }

    /// The rows at these indices of the first axis, copied.
    ///
    /// # Panics
    /// If there is no axis, or a row is out of range.
    #[track_caller]
    pub fn take_rows(&self, rows: &[usize]) -> AnyTensor {
        with_tensor!(self, tensor => tensor.take_rows(rows).into())
    }
}

impl<X: Element> From<Tensor<X>> for AnyTensor {
    fn from(tensor: Tensor<X>) -> Self {
        AnyTensor::from(&tensor)
    }
}

impl<X: Element> From<&Tensor<X>> for AnyTensor {
    /// The same elements, shared.
    fn from(tensor: &Tensor<X>) -> Self {
        let any: &dyn Any = tensor;
        macro_rules! find {
            ($($Variant:ident: $type:ty),*) => {
                $(if let Some(tensor) = any.downcast_ref::<Tensor<$type>>() {
                    return AnyTensor::$Variant(tensor.clone());
                })*
            };
        }
        find!(F32: f32, F64: f64, I8: i8, I16: i16, I32: i32, I64: i64, U8: u8, Bool: bool);
        unreachable!("{} is an element type of this crate", X::NAME)
    }
}

/// Tensors side by side, each with a name if it has been given one: the inputs, or the targets, of a batch or a data set.
///
/// The element types are the columns' own. The first axis of each column counts the samples. One tensor alone is a list
/// of one column without a name, so whatever takes `impl Into<Columns>` takes a tensor.
///
/// ```
/// use gradus_tensor::{Columns, Tensor};
/// let (titles, prices) = (Tensor::from([[7_i64, 2], [1, 1]]), Tensor::new([9.5, 3.0]));
/// let columns = Columns::new().with("title", &titles).with("price", &prices);
/// assert_eq!(columns.named("price").unwrap().to::<f32>(), prices);
/// assert_eq!(columns.take_rows(&[1])[0].to::<i64>(), Tensor::from([[1, 1]]));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    list: List,
}

/// Columns with their names; one alone is in place, so that a prediction allocates nothing for it.
type List = SmallVec<[(Option<Arc<str>>, AnyTensor); 1]>;

impl Columns {
    /// No columns.
    pub fn new() -> Self {
        Columns::default()
    }

    /// Adds a column of this name at the end.
    ///
    /// # Panics
    /// If there is a column of this name already.
    #[track_caller]
    pub fn with(mut self, name: &str, tensor: impl Into<AnyTensor>) -> Self {
        assert!(self.named(name).is_none(), "with: there is a column named {name:?} already");
        self.list.push((Some(name.into()), tensor.into()));
        self
    }

    /// Adds a column without a name at the end.
    pub fn and(mut self, tensor: impl Into<AnyTensor>) -> Self {
        self.list.push((None, tensor.into()));
        self
    }

    /// The number of columns.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are no columns.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The columns in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &AnyTensor> {
        self.list.iter().map(|(_, tensor)| tensor)
    }

    /// The names in order; `None` for a column without one.
    pub fn names(&self) -> impl ExactSizeIterator<Item = Option<&str>> {
        self.list.iter().map(|(name, _)| name.as_deref())
    }

    /// The column of this name.
    pub fn named(&self, name: &str) -> Option<&AnyTensor> {
        self.list.iter().find(|column| column.0.as_deref() == Some(name)).map(|(_, tensor)| tensor)
    }

    /// The same columns, but for the one of this name: `f` of it.
    ///
    /// ```
    /// use gradus_tensor::{Columns, Tensor};
    /// let cars = Columns::new().with("picture", Tensor::from([[0_u8, 255]])).with("doors", Tensor::from([5_u8]));
    /// let cars = cars.map_column("picture", |x| x.to::<f32>() / 255.0);
    /// assert_eq!(cars.named("picture").unwrap().to::<f32>(), Tensor::new([[0.0, 1.0]]));
    /// ```
    ///
    /// # Panics
    /// If there is no column of this name.
    #[track_caller]
    pub fn map_column<A: Into<AnyTensor>>(self, name: &str, f: impl FnOnce(&AnyTensor) -> A) -> Self {
        let place = self.place("map_column", name);
        self.map_at(place, f)
    }

    /// The columns of these names, in this order.
    ///
    /// # Panics
    /// If there is no column of one of these names, or one is listed twice.
    #[track_caller]
    pub fn select(&self, names: &[&str]) -> Self {
        let mut list = List::with_capacity(names.len());
        for name in names {
            let column = self.list[self.place("select", name)].clone();
            assert!(list.iter().all(|earlier| earlier.0 != column.0), "select: {name:?} is listed twice");
            list.push(column);
        }
        Columns { list }
    }

    #[track_caller]
    fn place(&self, op: &str, name: &str) -> usize {
        let place = self.names().position(|column| column == Some(name));
        place.unwrap_or_else(|| {
            let names: Vec<&str> = self.names().flatten().collect();
            panic!("{op}: no column is named {name:?}: {} columns, named {names:?}", self.len())
        })
    }

    /// The same columns, but for the one at this index: `f` of it.
    ///
    /// # Panics
    /// If there are not so many columns.
    #[track_caller]
    pub fn map_at<A: Into<AnyTensor>>(mut self, index: usize, f: impl FnOnce(&AnyTensor) -> A) -> Self {
        self.list[index].1 = f(&self.list[index].1).into();
        self
    }

    /// The columns with each tensor replaced by `f` of it, under the same names.
    pub fn map(&self, f: impl Fn(&AnyTensor) -> AnyTensor) -> Self {
        Columns { list: self.list.iter().map(|(name, tensor)| (name.clone(), f(tensor))).collect() }
    }

    /// The samples of a range, as views.
    ///
    /// # Panics
    /// If a column has no axis.
    #[track_caller]
    pub fn rows(&self, range: Range<usize>) -> Self {
        self.map(|tensor| tensor.rows(range.clone()))
    }

    /// The samples at these indices, copied.
    ///
    /// # Panics
    /// If a column has no axis, or a row is out of range.
    #[track_caller]
    pub fn take_rows(&self, rows: &[usize]) -> Self {
        self.map(|tensor| tensor.take_rows(rows))
    }
}

impl std::ops::Index<usize> for Columns {
    type Output = AnyTensor;
    fn index(&self, index: usize) -> &AnyTensor {
        &self.list[index].1
    }
}

impl<X: Element> From<Tensor<X>> for Columns {
    fn from(tensor: Tensor<X>) -> Self {
        Columns::new().and(tensor)
    }
}

impl<X: Element> From<&Tensor<X>> for Columns {
    fn from(tensor: &Tensor<X>) -> Self {
        Columns::new().and(tensor)
    }
}

impl From<&Columns> for Columns {
    fn from(columns: &Columns) -> Self {
        columns.clone()
    }
}

impl From<AnyTensor> for Columns {
    fn from(tensor: AnyTensor) -> Self {
        Columns::new().and(tensor)
    }
}

impl From<Vec<AnyTensor>> for Columns {
    fn from(tensors: Vec<AnyTensor>) -> Self {
        tensors.into_iter().collect()
    }
}

impl<const N: usize> From<[AnyTensor; N]> for Columns {
    fn from(tensors: [AnyTensor; N]) -> Self {
        tensors.into_iter().collect()
    }
}

impl<A: Into<AnyTensor>, B: Into<AnyTensor>> From<(A, B)> for Columns {
    fn from((a, b): (A, B)) -> Self {
        Columns::new().and(a).and(b)
    }
}

impl<A: Into<AnyTensor>, B: Into<AnyTensor>, C: Into<AnyTensor>> From<(A, B, C)> for Columns {
    fn from((a, b, c): (A, B, C)) -> Self {
        Columns::new().and(a).and(b).and(c)
    }
}

impl FromIterator<AnyTensor> for Columns {
    fn from_iter<I: IntoIterator<Item = AnyTensor>>(tensors: I) -> Self {
        Columns { list: tensors.into_iter().map(|tensor| (None, tensor)).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_type_keeps_its_elements() {
        macro_rules! check {
            ($($type:ident),*) => {$(
                let tensor = Tensor::from([0, 1, 100]).to::<$type>();
                let any = AnyTensor::from(&tensor);
                assert_eq!((any.element(), any.is_float()), (stringify!($type), stringify!($type).starts_with('f')));
                assert_eq!(any.get::<$type>(), Some(&tensor));
                assert_eq!(any.to::<f64>(), tensor.to::<f64>());
                assert_eq!(any.rows(1..3).to::<$type>(), tensor.slice(0, 1..3));
                assert_eq!(any.take_rows(&[2, 0]).to::<$type>(), tensor.take_rows(&[2, 0]));
            )*};
        }
        check!(f32, f64, i8, i16, i32, i64, u8, bool);
    }

    #[test]
    fn a_tensor_of_the_same_type_is_shared() {
        let tensor = Tensor::new([1.0, 2.0]);
        let place = tensor.as_slice().unwrap().as_ptr();
        assert_eq!(AnyTensor::from(&tensor).to::<f32>().as_slice().unwrap().as_ptr(), place);
        assert_eq!(
            Columns::from(&tensor)[0].rows(1..2).to::<f32>().as_slice().unwrap().as_ptr(),
            place.wrapping_add(1)
        );
    }

    #[test]
    fn columns_are_found_by_place_and_by_name() {
        let (a, b) = (Tensor::from([1_i64, 2]), Tensor::new([[0.5], [0.25]]));
        let columns = Columns::new().with("a", &a).and(&b);
        assert_eq!(columns.names().collect::<Vec<_>>(), [Some("a"), None]);
        assert_eq!((columns.len(), columns.named("b")), (2, None));
        assert_eq!(columns.rows(1..2), Columns::new().with("a", Tensor::from([2_i64])).and(Tensor::new([[0.25]])));
        assert_eq!(Columns::from((&a, &b)), [AnyTensor::from(&a), AnyTensor::from(&b)].into());
    }

    #[test]
    fn columns_are_mapped_and_selected_by_name() {
        let columns = Columns::new()
            .with("a", Tensor::from([1_i64, 2]))
            .and(Tensor::new([0.5, 0.25]))
            .with("c", Tensor::from([true, false]));
        let mapped = columns.clone().map_column("c", |x| x.to::<f32>() * 3.0);
        assert_eq!(mapped.names().collect::<Vec<_>>(), [Some("a"), None, Some("c")]);
        assert_eq!((mapped[2].to::<f32>(), &mapped[0]), (Tensor::new([3.0, 0.0]), &columns[0]));
        let selected = columns.select(&["c", "a"]);
        assert_eq!(selected, Columns::new().with("c", Tensor::from([true, false])).with("a", Tensor::from([1_i64, 2])));
    }

    #[test]
    #[should_panic(expected = r#"map_column: no column is named "b": 2 columns, named ["a"]"#)]
    fn a_column_to_map_must_be_there() {
        Columns::new().with("a", Tensor::new([1.0])).and(Tensor::new([2.0])).map_column("b", |x| x.to::<f32>());
    }

    #[test]
    #[should_panic(expected = r#"select: "a" is listed twice"#)]
    fn a_column_is_selected_once() {
        Columns::new().with("a", Tensor::new([1.0])).select(&["a", "a"]);
    }

    #[test]
    #[should_panic(expected = r#"with: there is a column named "a" already"#)]
    fn names_are_unique() {
        let _ = Columns::new().with("a", Tensor::new([1.0])).with("a", Tensor::new([2.0]));
    }
}
