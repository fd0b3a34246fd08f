//! Elements chosen by index or by order. Each gradient goes back to the place that its element came from; gradients of a
//! place that was chosen more than once are added.

use gradus_tensor::{Float, Integer, Tensor};

use crate::op::Op;
use crate::var::Var;

impl<T: Float> Var<T> {
    /// The entries of an axis that `index` names, in its order. Shape: that of `index` in the place of the axis.
    ///
    /// ```
    /// use gradus_autograd::Tape;
    /// use gradus_tensor::Tensor;
    /// let tape = Tape::new();
    /// let table = tape.var(Tensor::new([[0.0, 0.1], [1.0, 1.1], [2.0, 2.1]]));
    /// let rows = table.index_select(0, &Tensor::from([2, 2]));
    /// assert_eq!(rows.value(), &Tensor::new([[2.0, 2.1], [2.0, 2.1]]));
    /// assert_eq!(tape.backward(&rows.sum(..)).of(&table), Tensor::new([[0.0, 0.0], [0.0, 0.0], [2.0, 2.0]]));
    /// ```
    ///
    /// # Panics
    /// If the axis or an index is out of range; a negative index is.
    #[track_caller]
    pub fn index_select(&self, axis: isize, index: &Tensor<impl Integer>) -> Var<T> {
        let places = index.clone();
        Op::new("index_select", self.value().index_select(axis, index))
            .input_part(self, move |g, sum| sum.index_add_assign(axis, &places, &g))
            .finish()
    }

    /// The rows (entries of the first axis) at these indices, in that order.
    ///
    /// # Panics
    /// If there are no axes, or a row is out of range.
    #[track_caller]
    pub fn take_rows(&self, rows: &[usize]) -> Var<T> {
        let places: Tensor<i64> = rows.iter().map(|&row| row as i64).collect();
        Op::new("take_rows", self.value().take_rows(rows))
            .input_part(self, move |g, sum| sum.index_add_assign(0, &places, &g))
            .finish()
    }

    /// The elements that `index` names along an axis: `out[i, j] = self[i, index[i, j]]` for axis 1 of two. NumPy's
    /// `take_along_axis`. Shape: that of `index`.
    ///
    /// # Panics
    /// If the axis or an index is out of range, or the index is longer than this var along another axis.
    #[track_caller]
    pub fn gather(&self, axis: isize, index: &Tensor<impl Integer>) -> Var<T> {
        let places = index.clone();
        Op::new("gather", self.value().gather(axis, index))
            .input_part(self, move |g, sum| sum.scatter_add_assign(axis, &places, &g))
            .finish()
    }

    /// This var with each element of `source` added at the place that [`gather`](Var::gather) with the same index takes
    /// it from. Equal places add up.
    ///
    /// # Panics
    /// If the axis or an index is out of range, or the index is longer than the source along an axis, or than this var
    /// along another axis than `axis`.
    #[track_caller]
    pub fn scatter_add(&self, axis: isize, index: &Tensor<impl Integer>, source: &Var<T>) -> Var<T> {
        let value = self.value().scatter_add(axis, index, source.value());
        let places = index.clone();
        // Elements of the source beyond the index are not added and have no gradient.
        let beyond: Vec<_> = source.shape().iter().zip(index.shape().iter()).map(|(s, i)| (0, s - i)).collect();
        Op::new("scatter_add", value)
            .input(self, |g| g)
            .input(source, move |g| g.gather(axis, &places).pad(&beyond, T::ZERO))
            .finish()
    }

    /// This var with the entries of `source` added to those entries of an axis that `index` names: the reverse of
    /// [`index_select`](Var::index_select). Equal indices add up.
    ///
    /// # Panics
    /// If the axis or an index is out of range, or `source` has another shape than that of `index` in the place of the
    /// axis.
    #[track_caller]
    pub fn index_add(&self, axis: isize, index: &Tensor<impl Integer>, source: &Var<T>) -> Var<T> {
        let places = index.clone();
        Op::new("index_add", self.value().index_add(axis, index, source.value()))
            .input(self, |g| g)
            .input(source, move |g| g.index_select(axis, &places))
            .finish()
    }

    /// The elements in ascending order along an axis; NaN comes last.
    ///
    /// # Panics
    /// If the axis is out of range.
    #[track_caller]
    pub fn sort(&self, axis: isize) -> Var<T> {
        let places = self.value().argsort(axis);
        Op::new("sort", self.value().gather(axis, &places))
            .input_part(self, move |g, sum| sum.scatter_add_assign(axis, &places, &g))
            .finish()
    }

    /// The `k` largest elements along an axis in descending order, and their places; the first of equals first.
    ///
    /// # Panics
    /// If the axis is out of range or has fewer than `k` elements.
    #[track_caller]
    pub fn topk(&self, axis: isize, k: usize) -> (Var<T>, Tensor<i64>) {
        let (values, places) = self.value().topk(axis, k);
        let chosen = places.clone();
        let values =
            Op::new("topk", values).input_part(self, move |g, sum| sum.scatter_add_assign(axis, &chosen, &g)).finish();
        (values, places)
    }
}
