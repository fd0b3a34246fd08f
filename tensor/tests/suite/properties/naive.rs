//! Arrays without strides or views: a shape, and the elements in row-major order, addressed by their definition.

use gradus_tensor::{Element, Shape, Tensor, step};
use proptest::prelude::*;

#[derive(Clone, Debug, PartialEq)]
pub struct Naive {
    pub shape: Vec<usize>,
    pub data: Vec<f64>,
}

/// All indices of a shape in row-major order.
pub fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().fold(vec![vec![]], |indices, &length| {
        let longer = |index: &Vec<usize>| {
            let index = index.clone();
            (0..length).map(move |i| [&index[..], &[i]].concat())
        };
        indices.iter().flat_map(longer).collect()
    })
}

impl Naive {
    /// The array whose element at each index is `f` of it.
    pub fn build(shape: &[usize], f: impl FnMut(Vec<usize>) -> f64) -> Naive {
        Naive { shape: shape.to_vec(), data: indices(shape).into_iter().map(f).collect() }
    }

    pub fn at(&self, index: &[usize]) -> f64 {
        let place = indices(&self.shape).iter().position(|other| other == index).expect("an index of the shape");
        self.data[place]
    }

    /// The element that broadcasting to more or longer axes brings to `index`.
    pub fn at_broadcast(&self, index: &[usize]) -> f64 {
        let tail = &index[index.len() - self.shape.len()..];
        let own: Vec<usize> =
            tail.iter().zip(&self.shape).map(|(&i, &length)| if length == 1 { 0 } else { i }).collect();
        self.at(&own)
    }

    pub fn tensor(&self) -> Tensor<f64> {
        Tensor::from_vec(self.data.clone(), &self.shape[..]).unwrap()
    }

    /// The elements along one axis through `index`, whose own place on that axis does not count.
    pub fn line(&self, axis: usize, index: &[usize]) -> Vec<f64> {
        (0..self.shape[axis]).map(|i| self.at(&replaced(index, axis, i))).collect()
    }
}

pub fn replaced(index: &[usize], axis: usize, value: usize) -> Vec<usize> {
    let mut index = index.to_vec();
    index[axis] = value;
    index
}

pub fn inserted(index: &[usize], axis: usize, value: usize) -> Vec<usize> {
    let mut index = index.to_vec();
    index.insert(axis, value);
    index
}

pub fn removed(index: &[usize], axis: usize) -> Vec<usize> {
    let mut index = index.to_vec();
    index.remove(axis);
    index
}

/// Fails unless shape and elements are exactly these; NaN is NaN.
#[track_caller]
pub fn assert_same<T: Element>(found: &Tensor<T>, expected: &Naive) {
    assert_close(&found.to::<f64>(), expected, 0.0);
}

/// Fails unless the shape is this and the elements are within `tolerance`, relative to 1 or their size.
#[track_caller]
pub fn assert_close(found: &Tensor<f64>, expected: &Naive, tolerance: f64) {
    assert_eq!(**found.shape(), expected.shape[..]);
    for (index, (found, &expected)) in indices(&expected.shape).iter().zip(found.iter().zip(&expected.data)) {
        let close = found == expected
            || found.is_nan() && expected.is_nan()
            || (found - expected).abs() <= tolerance * expected.abs().max(1.0);
        assert!(close, "{found} is not {expected} at {index:?}");
    }
}

/// One step of making a view: what to do, and two numbers to choose the axis and the place by.
pub type Action = (u8, usize, usize);

/// A tensor that is some view, and what its elements are.
pub type Pair = (Tensor<f64>, Naive);

fn view((tensor, naive): Pair, (kind, a, b): Action) -> Pair {
    let shape = naive.shape.clone();
    let ndim = shape.len();
    if ndim == 0 {
        return (tensor, naive);
    }
    let axis = a % ndim;
    let (signed, length) = (axis as isize, shape[axis]);
    match kind % 6 {
        0 => {
            let other = b % ndim;
            let swapped = |index: &[usize]| {
                let mut index = index.to_vec();
                index.swap(axis, other);
                index
            };
            let naive = Naive::build(&swapped(&shape), |index| naive.at(&swapped(&index)));
            (tensor.swap_axes(signed, other as isize), naive)
        }
        1 => {
            let naive = Naive::build(&shape, |index| naive.at(&replaced(&index, axis, length - 1 - index[axis])));
            (tensor.flip(signed - ndim as isize), naive)
        }
        2 => {
            let start = b % (length + 1);
            let naive = Naive::build(&replaced(&shape, axis, length - start), |index| {
                naive.at(&replaced(&index, axis, start + index[axis]))
            });
            (tensor.slice(signed, start..), naive)
        }
        3 => {
            let by = b % 3 + 1;
            let naive = Naive::build(&replaced(&shape, axis, length.div_ceil(by)), |index| {
                naive.at(&replaced(&index, axis, length - 1 - index[axis] * by))
            });
            (tensor.slice(signed, step(.., -(by as isize))), naive)
        }
        4 if length > 0 => {
            let place = b % length;
            let naive = Naive::build(&removed(&shape, axis), |index| naive.at(&inserted(&index, axis, place)));
            (tensor.select(signed, place as isize), naive)
        }
        5 if ndim < 4 => {
            let count = b % 3 + 1;
            let shape = inserted(&shape, axis, count);
            let naive = Naive::build(&shape, |index| naive.at(&removed(&index, axis)));
            (tensor.unsqueeze(signed).broadcast_to(&shape[..]), naive)
        }
        _ => (tensor, naive),
    }
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1 => Just(0_usize), 3 => Just(1), 8 => 2..5_usize], 0..4)
}

/// Views of small whole numbers, many of them equal.
pub fn pair() -> impl Strategy<Value = Pair> {
    let actions = prop::collection::vec(any::<(u8, usize, usize)>(), 0..4);
    (lengths(), actions, any::<u64>()).prop_map(|(shape, actions, seed)| {
        let size = shape.iter().product::<usize>() as u64;
        let data = (0..size).map(|i| ((i ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 60) as f64 - 7.0).collect();
        let naive = Naive { shape, data };
        actions.into_iter().fold((naive.tensor(), naive), view)
    })
}

/// A view with one axis or more, and one of them.
pub fn pair_and_axis() -> impl Strategy<Value = (Tensor<f64>, Naive, usize)> {
    (pair(), any::<usize>()).prop_filter_map("a scalar has no axis", |((tensor, naive), axis)| {
        let ndim = naive.shape.len();
        (ndim > 0).then(|| (tensor, naive, axis % ndim.max(1)))
    })
}

/// Two views that broadcast together: the second lacks some leading axes, or has some of length 1, or both.
pub fn broadcasting_pairs() -> impl Strategy<Value = (Pair, Pair, Shape)> {
    (pair(), any::<u8>(), any::<usize>(), any::<bool>()).prop_map(|((tensor, naive), ones, drop, first)| {
        let shape: Shape = naive.shape[..].into();
        let (mut other, mut other_naive) = (tensor.map(|x| x * 0.5 + 1.0), naive.clone());
        other_naive.data.iter_mut().for_each(|x| *x = *x * 0.5 + 1.0);
        for axis in 0..shape.len() {
            if ones >> axis & 1 == 1 && shape[axis] > 0 {
                other_naive = Naive::build(&replaced(&other_naive.shape, axis, 1), |index| other_naive.at(&index));
                other = other.slice(axis as isize, ..1);
            }
        }
        for _ in 0..drop % (shape.len() + 1) {
            if other_naive.shape[0] > 0 {
                let rest = other_naive.shape[1..].to_vec();
                other_naive = Naive::build(&rest, |index| other_naive.at(&inserted(&index, 0, 0)));
                other = other.select(0, 0);
            }
        }
        let (a, b) = ((tensor, naive), (other, other_naive));
        if first { (a, b, shape) } else { (b, a, shape) }
    })
}
