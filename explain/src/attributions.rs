//! How much each number of an input contributed.

use std::ops::Index;

use gradus_tensor::{Float, Tensor};

/// How much each number of the inputs contributed to the number that is explained, for each sample.
///
/// ```
/// use gradus_explain::{Target, gradient_times_input};
/// use gradus_nn::{Dense, Model, Sequential};
/// use gradus_tensor::Tensor;
/// let model = Model::build(Sequential::new().add(Dense::new(1)), [2], 42)?;
/// let explained = gradient_times_input(&model, Tensor::new([[2.0, -1.0]]), &Target::predicted())?;
/// // Without a bias the attributions of a line sum up to what it gives.
/// assert!((explained.sums() - &explained.numbers).abs().max(..).item() < 1e-5);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Attributions<T: Float = f32> {
    /// What is explained, of each sample: `"the logit of class 3 (coat)"`.
    pub explained: Vec<String>,
    /// The numbers that are explained, `[n]`.
    pub numbers: Tensor<T>,
    pub(crate) list: Vec<Attribution<T>>,
}

/// The attributions at one place: an input of floats, or a layer in which ids became vectors.
///
/// ```
/// use gradus_explain::{Target, gradient_times_input};
/// use gradus_nn::{Dense, Model, Sequential};
/// use gradus_tensor::Tensor;
/// let model = Model::build(Sequential::new().add(Dense::new(1)), [2], 42)?;
/// let explained = gradient_times_input(&model, Tensor::new([[2.0, -1.0]]), &Target::predicted())?;
/// let of_input = explained.iter().next().expect("the model has an input");
/// assert_eq!((&*of_input.path, of_input.values.shape()), ("input", &[1, 2].into()));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Attribution<T: Float = f32> {
    /// The name of the input, or the path of the layer.
    pub path: String,
    /// An attribution for each number, batch axis first.
    pub values: Tensor<T>,
    /// The mask `[n, length]` of the positions that are there; `None` if all are.
    pub mask: Option<Tensor<bool>>,
}

impl<T: Float> Attributions<T> {
    /// The attributions at the only place.
    ///
    /// # Panics
    /// If there are several.
    #[track_caller]
    pub fn values(&self) -> &Tensor<T> {
        &self.only().values
    }

    /// The sum over the last axis at the only place: of the vector of a word, of the channels of a point. `[n, ..]`.
    ///
    /// # Panics
    /// If there are several places, or samples are single numbers.
    #[track_caller]
    pub fn per_position(&self) -> Tensor<T> {
        self.only().per_position()
    }

    #[track_caller]
    fn only(&self) -> &Attribution<T> {
        match &self.list[..] {
            [only] => only,
            list => panic!("Attributions: {} places, choose one by its path: {}", list.len(), paths(list)),
        }
    }

    /// The attributions at this input or layer.
    pub fn get(&self, path: &str) -> Option<&Attribution<T>> {
        self.list.iter().find(|attribution| attribution.path == path)
    }

    /// The attributions at all places.
    pub fn iter(&self) -> std::slice::Iter<'_, Attribution<T>> {
        self.list.iter()
    }

    /// The sum of all attributions of each sample, `[n]`.
    pub fn sums(&self) -> Tensor<T> {
        let zeros = self.numbers.zeros_like();
        self.list.iter().fold(zeros, |sums, attribution| sums + of_samples(&attribution.values))
    }
}

impl<T: Float> Index<&str> for Attributions<T> {
    type Output = Attribution<T>;

    /// The attributions at this input or layer.
    ///
    /// # Panics
    /// If there are none.
    #[track_caller]
    fn index(&self, path: &str) -> &Attribution<T> {
        self.get(path).unwrap_or_else(|| panic!("Attributions: none at {path:?}, only at {}", paths(&self.list)))
    }
}

impl<T: Float> Attribution<T> {
    /// The sum over the last axis: of the vector of a word, of the channels of a point. `[n, ..]`.
    ///
    /// # Panics
    /// If samples are single numbers.
    #[track_caller]
    pub fn per_position(&self) -> Tensor<T> {
        assert!(self.values.ndim() > 1, "per_position: samples need an axis, found {}", self.values.shape());
        self.values.sum(-1)
    }
}

fn paths<T: Float>(list: &[Attribution<T>]) -> String {
    list.iter().map(|attribution| &*attribution.path).collect::<Vec<_>>().join(", ")
}

/// The sum of each sample, `[n]`.
fn of_samples<T: Float>(values: &Tensor<T>) -> Tensor<T> {
    let others: Vec<isize> = (1..values.ndim() as isize).collect();
    values.sum(others.as_slice())
}
