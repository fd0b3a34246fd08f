//! The parameters of a model: weights and states, by name.

use std::collections::HashSet;
use std::fmt;
use std::ops::{Index, IndexMut};

use gradus_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};

use crate::constraint::Constraint;
use crate::grad::StateUpdates;

/// What a parameter is for.
///
/// ```
/// use gradus_autograd::{Params, Role};
/// use gradus_tensor::Tensor;
/// let mut params = Params::new();
/// params.add("0/gamma", Tensor::new([1.0]));
/// params.add_state("0/moving_mean", Tensor::new([0.0]));
/// let roles: Vec<Role> = params.iter().map(|param| param.role).collect();
/// assert_eq!(roles, [Role::Weight, Role::State]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Changed by the optimiser, along its gradient.
    Weight,
    /// Changed by its layer during training, such as a moving average; it has no gradient.
    State,
}

/// A named tensor of a model.
///
/// ```
/// use gradus_autograd::Params;
/// use gradus_tensor::Tensor;
/// let mut params = Params::new();
/// let kernel = params.add("1/kernel", Tensor::new([[1.0, 2.0]]));
/// params.freeze("1");
/// let param = &params[kernel];
/// assert_eq!((&*param.name, param.value.shape(), param.trainable()), ("1/kernel", &[1, 2].into(), false));
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Param<T: Float = f32> {
    /// The path of the layer and the weight's own name: `"1/kernel"`. Names, not positions, go to disk.
    pub name: String,
    /// The elements.
    pub value: Tensor<T>,
    /// What it is for.
    pub role: Role,
    /// Whether training leaves it as it is: a frozen weight gets no gradient, a frozen state no new value.
    pub frozen: bool,
    /// What an optimiser makes hold of it after each step, if it is a weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraint: Option<Constraint>,
}

impl<T: Float> Param<T> {
    /// Whether an optimiser may change it: it is a weight and not frozen.
    pub fn trainable(&self) -> bool {
        self.role == Role::Weight && !self.frozen
    }
}

/// The parameters of a model: flat, ordered, named.
///
/// Gradients ([`Grads`](crate::Grads)) and an optimiser's slots are parallel to it: the same length, the same order.
/// Under serde they are the list of them, and a list in which a name occurs twice is refused. Values that were read go into
/// the parameters of a model by [`Params::assign`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<Param<T>>", into = "Vec<Param<T>>")]
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
        self.push(Param { name: name.into(), value, role: Role::Weight, frozen: false, constraint: None })
    }

    /// Adds a state, which layers change and optimisers leave alone, and returns its index.
    ///
    /// # Panics
    /// If the name is taken.
    #[track_caller]
    pub fn add_state(&mut self, name: impl Into<String>, value: Tensor<T>) -> usize {
        self.push(Param { name: name.into(), value, role: Role::State, frozen: false, constraint: None })
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

    /// Freezes what is at or under a path: weights get no gradient, so that no optimiser changes them, and states keep
    /// their values. `"2"` is the whole layer `2`, `"2/kernel"` one of its weights, `""` everything.
    ///
    /// ```
    /// use gradus_autograd::{Params, grad};
    /// use gradus_tensor::Tensor;
    /// let mut params = Params::new();
    /// params.add("1/kernel", Tensor::new([2.0]));
    /// params.add("10/kernel", Tensor::new([5.0]));
    /// params.freeze("1");
    /// let grads = grad(&params, |weights| (&weights[0] * &weights[1]).sum(..));
    /// assert_eq!(grads[0], None);
    /// assert_eq!(grads[1], Some(Tensor::new([2.0])));
    /// ```
    ///
    /// # Panics
    /// If there is nothing at or under the path.
    #[track_caller]
    pub fn freeze(&mut self, path: &str) {
        self.at_or_under("freeze", path).for_each(|param| param.frozen = true);
    }

    /// Lets training change again what is at or under a path.
    ///
    /// # Panics
    /// If there is nothing at or under the path.
    #[track_caller]
    pub fn unfreeze(&mut self, path: &str) {
        self.at_or_under("unfreeze", path).for_each(|param| param.frozen = false);
    }

    #[track_caller]
    fn at_or_under(&mut self, op: &str, path: &str) -> impl Iterator<Item = &mut Param<T>> {
        let matches = move |name: &str| {
            path.is_empty() || name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if !self.iter().any(|param| matches(&param.name)) {
            let names: Vec<&str> = self.iter().map(|param| &param.name[..]).collect();
            panic!("{op}: no parameter is at or under {path:?}: {names:?}");
        }
        self.iter_mut().filter(move |param| matches(&param.name))
    }

    /// Takes over the values of other parameters, matched by name, such as those read from a file. On an error nothing
    /// has changed.
    ///
    /// ```
    /// use gradus_autograd::Params;
    /// use gradus_tensor::Tensor;
    /// let mut params = Params::new();
    /// params.add("1/kernel", Tensor::new([0.0, 0.0]));
    /// let mut trained = params.clone();
    /// trained[0].value = Tensor::new([3.0, 4.0]);
    /// params.assign(&trained).unwrap();
    /// assert_eq!(params[0].value, Tensor::new([3.0, 4.0]));
    /// ```
    ///
    /// # Errors
    /// If a name is missing on either side, or a shape differs.
    pub fn assign(&mut self, values: &Params<T>) -> Result<(), ParamsMismatch> {
        let place = |param: &Param<T>| {
            let name = &param.name;
            let Some(value) = values.get(name) else {
                let found = values.iter().map(|value| &value.name).collect();
                return Err(ParamsMismatch::new(format!("there is no {name:?}"), found));
            };
            if value.value.shape() != param.value.shape() {
                let (expected, found) = (param.value.shape(), value.value.shape());
                return Err(ParamsMismatch::new(
                    format!("{name:?} has shape {found} where {expected} is needed"),
                    vec![],
                ));
            }
            Ok(value.value.clone())
        };
        if let Some(extra) = values.iter().find(|value| self.get(&value.name).is_none()) {
            let known = self.iter().map(|param| &param.name).collect();
            return Err(ParamsMismatch::new(format!("nothing here is named {:?}", extra.name), known));
        }
        let new: Vec<Tensor<T>> = self.iter().map(place).collect::<Result<_, _>>()?;
        for (param, value) in self.iter_mut().zip(new) {
            param.value = value;
        }
        Ok(())
    }

    /// The number of elements of all parameters for which `count` holds.
    pub fn size_of(&self, count: impl Fn(&Param<T>) -> bool) -> usize {
        self.iter().filter(|param| count(param)).map(|param| param.value.size()).sum()
    }

    /// Gives states the new values that their layers computed in a training pass. A frozen state keeps its value.
    ///
    /// ```
    /// use gradus_autograd::{Params, StateUpdates};
    /// use gradus_tensor::Tensor;
    /// let mut params = Params::new();
    /// let mean = params.add_state("1/moving_mean", Tensor::new([0.0]));
    /// params.update_states(StateUpdates::from_iter([(mean, Tensor::new([0.5]))]));
    /// assert_eq!(params[mean].value, Tensor::new([0.5]));
    /// ```
    ///
    /// # Panics
    /// If an update is not for a state of these parameters, or has another shape than it.
    #[track_caller]
    pub fn update_states(&mut self, updates: StateUpdates<T>) {
        for (index, value) in updates {
            let Some(param) = self.list.get_mut(index) else {
                panic!("update_states: there are {} parameters, none has index {index}", self.list.len());
            };
            let (name, expected, found) = (&param.name, param.value.shape(), value.shape());
            assert!(param.role == Role::State, "update_states: {name:?} is a weight, which an optimiser changes");
            assert!(expected == found, "update_states: {name:?} has shape {expected}, its new value {found}");
            if !param.frozen {
                param.value = value;
            }
        }
    }
}

impl<T: Float> From<Params<T>> for Vec<Param<T>> {
    fn from(params: Params<T>) -> Self {
        params.list
    }
}

impl<T: Float> TryFrom<Vec<Param<T>>> for Params<T> {
    type Error = ParamsMismatch;
    /// The parameters of a list, unless a name occurs twice.
    fn try_from(list: Vec<Param<T>>) -> Result<Self, ParamsMismatch> {
        let mut names = HashSet::new();
        if let Some(twice) = list.iter().find(|param| !names.insert(&param.name)) {
            let problem =
                format!("params: there are two parameters named {:?}; give each a name of its own", twice.name);
            return Err(ParamsMismatch(Box::new(problem)));
        }
        Ok(Params { list })
    }
}

/// Values that do not fit the parameters they were meant for.
///
/// One pointer wide, as all errors here.
///
/// ```
/// use gradus_autograd::Params;
/// use gradus_tensor::Tensor;
/// let (mut small, mut large) = (Params::new(), Params::new());
/// small.add("0/kernel", Tensor::new([1.0]));
/// large.add("0/kernel", Tensor::new([1.0, 2.0]));
/// let error = small.assign(&large).unwrap_err();
/// assert!(error.to_string().starts_with("params: \"0/kernel\" has shape [2] where [1] is needed"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::box_collection)] // A thin pointer: the box around the string is the point.
pub struct ParamsMismatch(Box<String>);

impl ParamsMismatch {
    fn new(problem: String, names: Vec<&String>) -> Self {
        let names = if names.is_empty() { String::new() } else { format!(", there are {names:?}") };
        let advice = "build the network that the values come from";
        ParamsMismatch(Box::new(format!("params: {problem}{names}; {advice}")))
    }
}

impl fmt::Display for ParamsMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParamsMismatch {}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn params(names: &[&str]) -> Params {
        let mut params = Params::new();
        for name in names {
            params.add(*name, Tensor::new([1.0, 2.0]));
        }
        params
    }

    #[test]
    fn freezing_follows_whole_path_elements() {
        let mut params = params(&["1/kernel", "1/bias", "10/kernel", "head"]);
        params.add_state("1/mean", Tensor::new([0.0]));
        let frozen = |params: &Params| params.iter().map(|param| param.frozen).collect::<Vec<_>>();
        params.freeze("1");
        assert_eq!(frozen(&params), [true, true, false, false, true]);
        params.unfreeze("1/bias");
        params.freeze("head");
        assert_eq!(frozen(&params), [true, false, false, true, true]);
        params.unfreeze("");
        assert_eq!(frozen(&params), [false; 5]);
        // A state is never an optimiser's.
        let trainable: Vec<bool> = params.iter().map(Param::trainable).collect();
        assert_eq!(trainable, [true, true, true, true, false]);
    }

    #[test]
    #[should_panic(expected = r#"freeze: no parameter is at or under "kernel": ["1/kernel", "1/bias"]"#)]
    fn freezing_nothing_is_a_mistake() {
        params(&["1/kernel", "1/bias"]).freeze("kernel");
    }

    #[test]
    #[should_panic(expected = r#"add: there is a parameter named "1/bias" already"#)]
    fn names_are_unique() {
        params(&["1/bias", "1/kernel", "1/bias"]);
    }

    /// A weight and two states, of which the second is frozen, after some updates.
    fn updated(updates: impl IntoIterator<Item = (usize, Tensor)>) -> Vec<Tensor> {
        let mut params = params(&["1/gamma"]);
        params.add_state("1/moving_mean", Tensor::new([0.0]));
        params.add_state("2/moving_mean", Tensor::new([1.0]));
        params.freeze("2");
        params.update_states(updates.into_iter().collect());
        params.iter().map(|param| param.value.clone()).collect()
    }

    #[test]
    fn states_take_their_new_values_unless_frozen() {
        let values = updated([(2, Tensor::new([5.0])), (1, Tensor::new([4.0]))]);
        assert_eq!(values[1..], [Tensor::new([4.0]), Tensor::new([1.0])]);
    }

    #[test]
    #[should_panic(expected = r#"update_states: "1/gamma" is a weight, which an optimiser changes"#)]
    fn a_weight_is_no_state() {
        updated([(0, Tensor::new([1.0, 2.0]))]);
    }

    #[test]
    #[should_panic(expected = r#"update_states: "1/moving_mean" has shape [1], its new value [2]"#)]
    fn a_state_keeps_its_shape() {
        updated([(1, Tensor::new([1.0, 2.0]))]);
    }

    #[test]
    #[should_panic(expected = "update_states: there are 3 parameters, none has index 3")]
    fn an_update_is_for_a_parameter() {
        updated([(3, Tensor::new([1.0]))]);
    }

    #[test]
    fn values_are_matched_by_name() {
        let mut target = params(&["a", "b"]);
        let mut source = params(&["b", "a"]);
        source[0].value = Tensor::new([7.0, 8.0]);
        target.assign(&source).unwrap();
        assert_eq!(target.get("b").unwrap().value, Tensor::new([7.0, 8.0]));
        assert_eq!(target.get("a").unwrap().value, Tensor::new([1.0, 2.0]));
        source.get_mut("a").unwrap().value = Tensor::new([1.0]);
        let message = |source: &Params| params(&["a", "b"]).assign(source).unwrap_err().to_string();
        assert!(message(&source).starts_with(r#"params: "a" has shape [1] where [2] is needed; "#));
        assert!(message(&params(&["a"])).starts_with(r#"params: there is no "b", there are ["a"]; "#));
        let extra = message(&params(&["a", "b", "c"]));
        assert!(extra.starts_with(r#"params: nothing here is named "c", there are ["a", "b"]; "#));
        assert_eq!(size_of::<ParamsMismatch>(), size_of::<usize>());
    }

    #[test]
    fn parameters_go_through_serde_by_name() {
        let mut params = params(&["1/kernel"]);
        params.add_state("1/mean", Tensor::new(0.5));
        params.freeze("1/kernel");
        let text = serde_json::to_string(&params).unwrap();
        let kernel = r#"{"name":"1/kernel","value":{"shape":[2],"data":[1.0,2.0]},"role":"weight","frozen":true}"#;
        let mean = r#"{"name":"1/mean","value":{"shape":[],"data":[0.5]},"role":"state","frozen":false}"#;
        assert_eq!(text, format!("[{kernel},{mean}]"));
        let read: Params = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        let error = serde_json::from_str::<Params>(&format!("[{mean},{mean}]")).unwrap_err();
        assert!(error.to_string().starts_with(r#"params: there are two parameters named "1/mean"; "#));
    }
}
