//! Weights, and what runs parallel to them.

use std::ops::{Index, IndexMut};

use gradus_tensor::{Float, Tensor};

/// What a parameter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Changed by the optimiser, along its gradient.
    Weight,
    /// Changed by its layer during training, such as a moving average; it has no gradient.
    State,
}

/// A named tensor of a model.
#[derive(Clone, Debug)]
pub struct Param<T: Float = f32> {
    /// The path of the layer and the weight's own name: `"1/kernel"`. Names, not positions, go to disk.
    pub name: String,
    /// The elements.
    pub value: Tensor<T>,
    /// What it is for.
    pub role: Role,
    /// Whether the optimiser may change it; a frozen weight gets no gradient.
    pub trainable: bool,
}

/// The parameters of a model: flat, ordered, named.
///
/// Gradients ([`Grads`]) and an optimiser's slots are parallel to it: the same length, the same order.
#[derive(Clone, Debug, Default)]
pub struct Params<T: Float = f32> {
    list: Vec<Param<T>>,
}

impl<T: Float> Params<T> {
    /// No parameters.
    pub fn new() -> Self {
        Params { list: Vec::new() }
    }

    /// Adds a trainable weight and returns its index.
    ///
    /// # Panics
    /// If the name is taken.
    #[track_caller]
    pub fn add(&mut self, name: impl Into<String>, value: Tensor<T>) -> usize {
        self.push(Param { name: name.into(), value, role: Role::Weight, trainable: true })
    }

    /// Adds a state, which layers change and optimisers leave alone, and returns its index.
    ///
    /// # Panics
    /// If the name is taken.
    #[track_caller]
    pub fn add_state(&mut self, name: impl Into<String>, value: Tensor<T>) -> usize {
        self.push(Param { name: name.into(), value, role: Role::State, trainable: false })
    }

    #[track_caller]
    fn push(&mut self, param: Param<T>) -> usize {
        assert!(self.get(&param.name).is_none(), "add: there is a parameter named {:?} already", param.name);
        self.list.push(param);
        self.list.len() - 1
    }

    /// The number of parameters (tensors, not elements).
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The parameters in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Param<T>> {
        self.list.iter()
    }

    /// The parameters in order, to be changed.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Param<T>> {
        self.list.iter_mut()
    }

    /// The parameter of this name.
    pub fn get(&self, name: &str) -> Option<&Param<T>> {
        self.list.iter().find(|param| param.name == name)
    }

    /// The parameter of this name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Param<T>> {
        self.list.iter_mut().find(|param| param.name == name)
    }

    /// The number of elements of all parameters for which `count` holds.
    pub fn size_of(&self, count: impl Fn(&Param<T>) -> bool) -> usize {
        self.iter().filter(|param| count(param)).map(|param| param.value.size()).sum()
    }

    /// Takes over the new values that layers have given to their states.
    pub fn update_states(&mut self, grads: &mut Grads<T>) {
        for (param, grad) in self.list.iter_mut().zip(&mut grads.list) {
            if param.role == Role::State
                && let Some(value) = grad.take()
            {
                param.value = value;
            }
        }
    }
}

impl<T: Float> Index<usize> for Params<T> {
    type Output = Param<T>;
    fn index(&self, index: usize) -> &Param<T> {
        &self.list[index]
    }
}

impl<T: Float> IndexMut<usize> for Params<T> {
    fn index_mut(&mut self, index: usize) -> &mut Param<T> {
        &mut self.list[index]
    }
}

impl<'a, T: Float> IntoIterator for &'a Params<T> {
    type Item = &'a Param<T>;
    type IntoIter = std::slice::Iter<'a, Param<T>>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, T: Float> IntoIterator for &'a mut Params<T> {
    type Item = &'a mut Param<T>;
    type IntoIter = std::slice::IterMut<'a, Param<T>>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

/// The gradient of each parameter, parallel to [`Params`].
///
/// A weight's entry is its gradient, or `None` if it is frozen or the loss does not depend on it. A state's entry is
/// its next value, or `None` if its layer left it as it was: so whatever is averaged over workers is all in here.
#[derive(Clone, Debug, Default)]
pub struct Grads<T: Float = f32> {
    list: Vec<Option<Tensor<T>>>,
}

impl<T: Float> Grads<T> {
    /// The entries in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Option<Tensor<T>>> {
        self.list.iter()
    }

    /// The entries in order, to be changed.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Option<Tensor<T>>> {
        self.list.iter_mut()
    }

    /// The number of entries: that of the parameters.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl<T: Float> Index<usize> for Grads<T> {
    type Output = Option<Tensor<T>>;
    fn index(&self, index: usize) -> &Self::Output {
        &self.list[index]
    }
}

impl<T: Float> IndexMut<usize> for Grads<T> {
    fn index_mut(&mut self, index: usize) -> &mut Self::Output {
        &mut self.list[index]
    }
}

impl<T: Float> FromIterator<Option<Tensor<T>>> for Grads<T> {
    fn from_iter<I: IntoIterator<Item = Option<Tensor<T>>>>(entries: I) -> Self {
        Grads { list: entries.into_iter().collect() }
    }
}
