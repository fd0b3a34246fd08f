//! What layers remember of sequences between parts of them.

use std::collections::HashMap;

use gradus_tensor::{Float, Tensor};

use crate::value::{Value, Values};

/// What the layers of a model remember of the parts of sequences so far, each by its number among all that are built.
#[derive(Clone, Debug)]
pub(crate) struct LayerMemory<T: Float> {
    /// The last states of recurrent layers.
    pub states: HashMap<usize, Vec<Tensor<T>>>,
    /// How many positions a layer has seen.
    pub positions: HashMap<usize, usize>,
    /// The keys and values of attention.
    pub attention: HashMap<usize, KeyValueCache<T>>,
    /// The values of a network that are the same at each call.
    pub values: HashMap<usize, Values<T>>,
}

impl<T: Float> LayerMemory<T> {
    pub fn new() -> Self {
        LayerMemory {
            states: HashMap::new(),
            positions: HashMap::new(),
            attention: HashMap::new(),
            values: HashMap::new(),
        }
    }

    /// How many positions a layer has seen before this part of `length`, which is counted from now on.
    pub fn go_on(&mut self, layer: usize, length: usize) -> usize {
        let seen = self.positions.entry(layer).or_default();
        *seen += length;
        *seen - length
    }

    /// Leaves of all sequences these, in this order.
    pub fn take_rows(&mut self, rows: &[usize]) {
        self.states.values_mut().flatten().for_each(|state| *state = state.take_rows(rows));
        self.attention.values_mut().for_each(|cache| cache.take_rows(rows));
        for values in self.values.values_mut() {
            let of_rows = |(value, mask): (Value<T>, Option<Tensor<bool>>)| {
                let value = match value {
                    Value::Floats(floats) => Value::Floats(floats.value().take_rows(rows).into()),
                    Value::Ids(ids) => Value::Ids(ids.take_rows(rows)),
                    Value::Mask(mask) => Value::Mask(mask.take_rows(rows)),
                };
                (value, mask.map(|mask| mask.take_rows(rows)))
            };
            let all = std::mem::take(values).with_masks().map(of_rows);
            all.for_each(|value| values.push(value));
        }
    }
}

/// The keys and values that an attention has seen.
#[derive(Clone, Debug)]
pub(crate) struct KeyValueCache<T: Float> {
    pub keys: Rows<T>,
    pub values: Rows<T>,
    /// Which of the positions are there, `[n, positions]`; `None` if all are.
    pub mask: Option<Tensor<bool>>,
}

impl<T: Float> KeyValueCache<T> {
    /// With the keys `[n, positions, heads, d]` and the values of further positions, or of the first ones.
    pub fn and<'a>(
        cache: &'a mut Option<Self>,
        keys: &Tensor<T>,
        values: &Tensor<T>,
        mask: Option<Tensor<bool>>,
    ) -> &'a mut Self {
        match cache {
            None => {
                cache.insert(KeyValueCache { keys: Rows::new(keys.clone()), values: Rows::new(values.clone()), mask })
            }
            Some(cache) => {
                cache.keys.append(keys);
                cache.values.append(values);
                cache.mask = match (cache.mask.take(), mask) {
                    (Some(before), Some(mask)) => Some(Tensor::concat(&[before, mask], 1)),
                    (_, mask) => mask,
                };
                cache
            }
        }
    }

    fn take_rows(&mut self, rows: &[usize]) {
        self.keys.take_rows(rows);
        self.values.take_rows(rows);
        self.mask = self.mask.take().map(|mask| mask.take_rows(rows));
    }
}

/// A tensor `[n, length, ..]` that grows along its second axis in place: it has room for more, and twice as much once that is
/// used up.
#[derive(Clone, Debug)]
pub(crate) struct Rows<T: Float> {
    buffer: Tensor<T>,
    length: usize,
}

impl<T: Float> Rows<T> {
    fn new(rows: Tensor<T>) -> Self {
        Rows { length: rows.shape()[1], buffer: rows }
    }

    pub fn len(&self) -> usize {
        self.length
    }

    /// All rows, a view. It is dropped before the next are appended, since these would copy what it shares.
    pub fn all(&self) -> Tensor<T> {
        self.buffer.slice(1, ..self.length as isize)
    }

    fn append(&mut self, rows: &Tensor<T>) {
        const FEWEST: usize = 32;
        let (n, length) = (rows.shape()[0], self.length + rows.shape()[1]);
        if length > self.buffer.shape()[1] {
            let room = length.next_power_of_two().max(FEWEST) - self.length;
            let mut shape = self.buffer.shape().clone();
            shape[1] = room;
            self.buffer = Tensor::concat(&[self.all(), Tensor::zeros(shape)], 1);
        }
        let width: usize = rows.shape()[2..].iter().product();
        let (room, new) = (self.buffer.shape()[1] * width, rows.shape()[1] * width);
        let rows = rows.contiguous();
        let rows = rows.as_slice().expect("contiguous");
        let buffer = self.buffer.as_mut_slice();
        for sample in 0..n {
            let place = sample * room + self.length * width;
            buffer[place..][..new].copy_from_slice(&rows[sample * new..][..new]);
        }
        self.length = length;
    }

    fn take_rows(&mut self, rows: &[usize]) {
        self.buffer = self.buffer.take_rows(rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_grow_in_place() {
        let part =
            |from: i64, to: i64| Tensor::<i64>::arange(from, to, 1).to::<f64>().reshape([1, (to - from) as usize, 1]);
        let both = |x: Tensor<f64>| Tensor::concat(&[x.clone(), x * -1.0], 0);
        let mut rows = Rows::new(both(part(0, 3)));
        let mut places = Vec::new();
        for at in 3..100 {
            rows.append(&both(part(at, at + 1)));
            assert_eq!(rows.all(), both(part(0, at + 1)));
            places.push(rows.buffer.as_slice().unwrap().as_ptr());
        }
        places.dedup();
        // Room for 32, 64 and 128 positions.
        assert_eq!(places.len(), 3);
        // A clone is a branch of its own.
        let mut other = rows.clone();
        other.append(&both(part(7, 8)));
        rows.append(&both(part(8, 9)));
        assert_eq!((other.all().get([1, 100, 0]), rows.all().get([1, 100, 0])), (-7.0, -8.0));
        rows.take_rows(&[1, 1, 0]);
        assert_eq!(rows.all().select(1, 100).flatten(), Tensor::new([-8.0, -8.0, 8.0]).to::<f64>());
    }
}
