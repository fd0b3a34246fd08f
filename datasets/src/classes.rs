//! Class labels: from names to indices, from indices to one-hot rows and to weights.

use std::collections::HashMap;
use std::sync::Arc;

use gradus_tensor::{Element, SampleType, Tensor};

use crate::data_source::{DataSource, Pass};
use crate::dataset::Dataset;
use crate::decimal::Decimal;
use crate::error::{DatasetError, Place, Result};

impl<X: SampleType, Y: Element> Dataset<X, Y> {
    /// The same samples with class labels turned into rows of zeros with a one in the label's place: `[n, classes]`.
    ///
    /// Labels are whole numbers from 0, of any element type, shape `[n]` or `[n, 1]`.
    ///
    /// ```
    /// use gradus_datasets::Dataset;
    /// use gradus_tensor::Tensor;
    /// let digits = Dataset::new(Tensor::new([0.5, 0.1]), Tensor::from([2_u8, 0]))?;
    /// assert_eq!(*digits.to_categorical(3)?.targets(), Tensor::new([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]));
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    ///
    /// # Errors
    /// If a label is not a whole number below `classes`, or a sample has more than one.
    pub fn to_categorical(&self, classes: usize) -> Result<Dataset<X, f32>> {
        let labels: Tensor<i64> = self.labels(classes)?.into_iter().map(|label| label as i64).collect();
        let rows = labels.one_hot(classes);
        Ok(self.clone().map_targets(|_| rows))
    }

    /// The same samples, each weighted by its class: `weights[label]`, times the weight that it has already.
    ///
    /// # Errors
    /// If a label has no weight, or a weight is negative or not finite.
    pub fn with_class_weights(self, weights: &[f32]) -> Result<Self> {
        let labels = self.labels(weights.len())?;
        let by_class: Tensor = labels.into_iter().map(|label| weights[label]).collect();
        let weights = self.weights().map_or(by_class.clone(), |before| before * &by_class);
        self.with_weights(weights)
    }

    /// The targets as indices below `classes`.
    pub(crate) fn labels(&self, classes: usize) -> Result<Vec<usize>> {
        let shape = self.targets().shape();
        if shape.size() != self.len() {
            return Err(DatasetError::new(
                format!("targets of shape {shape}"),
                format!("a class label for each sample, shape [{}]", self.len()),
                "leave targets that are one-hot already as they are",
            ));
        }
        let index = |(sample, label): (usize, Y)| {
            let value = label.cast::<f64>();
            // Neither fractions nor NaN are equal to what they truncate to; no number of classes reaches 2^53.
            if value >= 0.0 && value < classes as f64 && value == value.trunc() {
                return Ok(value as usize);
            }
            Err(DatasetError::new(
                format!("label {label}"),
                format!("a whole number below {classes}, the number of classes"),
                "count classes from 0, or ask for more of them",
            )
            .at(Place::Sample(sample)))
        };
        self.targets().iter().enumerate().map(index).collect()
    }
}

/// A weight for each class, for `Fit::class_weights`: the number of samples / (the number of classes * the number of samples of
/// the class), so that each class counts as much as the others. This is scikit-learn's "balanced".
///
/// Targets are class labels, or one-hot rows. Data that are not in memory are read once. A class without samples has the weight 0.
///
/// ```
/// use gradus_datasets::{Dataset, balanced_class_weights};
/// use gradus_tensor::Tensor;
/// let rare = Dataset::new(Tensor::new([0.1, 0.2, 0.3, 0.4]), Tensor::from([0_u8, 0, 0, 1]))?;
/// assert_eq!(balanced_class_weights(&rare, 2)?, [4.0 / 6.0, 2.0]);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the data cannot be read, or a target is no class below `classes`.
pub fn balanced_class_weights(data: &dyn DataSource, classes: usize) -> Result<Vec<f64>> {
    let mut counts = vec![0_usize; classes];
    let mut samples = 0;
    for batch in data.batches_of(&Pass::new(COUNTED_AT_ONCE, data.order(None)))? {
        let batch = batch?;
        let targets = batch.targets[0].to::<f64>();
        let labels = match targets.shape()[..] {
            [_, width] if width == classes && classes > 1 => targets.argmax(-1).to::<f64>(),
            _ => targets,
        };
        let labels = Dataset::new(batch.inputs, labels)?.labels(classes).map_err(|error| match error.place() {
            Some(Place::Sample(row)) => error.at(Place::Sample(samples + row)),
            _ => error,
        })?;
        labels.iter().for_each(|&label| counts[label] += 1);
        samples += labels.len();
    }
    let weight = |&count: &usize| if count == 0 { 0.0 } else { samples as f64 / (classes * count) as f64 };
    Ok(counts.iter().map(weight).collect())
}

/// The number of samples whose labels are counted at once.
const COUNTED_AT_ONCE: usize = 1024;

/// The names as data sets hold them.
///
/// # Panics
/// If two classes have one name.
#[track_caller]
pub(crate) fn checked_class_names(names: impl IntoIterator<Item = impl Into<String>>) -> Arc<[String]> {
    let names: Vec<String> = names.into_iter().map(Into::into).collect();
    if let Err(error) = check_class_names(&names) {
        panic!("with_class_names: {error}");
    }
    names.into()
}

/// # Errors
/// If two classes have one name.
fn check_class_names(names: &[String]) -> Result<()> {
    let mut places = HashMap::new();
    for (place, name) in names.iter().enumerate() {
        if let Some(before) = places.insert(name, place) {
            let found = format!("the class name {name:?} twice, for the classes {before} and {place}");
            return Err(DatasetError::new(found, "a name of its own for each class", "correct the names"));
        }
    }
    Ok(())
}

/// The labels read so far, and the class of each.
///
/// Labels that are one number, such as `1` and `1.0`, are one class, and so are texts that are equal. Given names go first: two
/// of them may be one number, as `1` and `01`, and then stand for their own text alone.
pub(crate) struct ClassIndex {
    names: Vec<String>,
    by_text: HashMap<String, usize>,
    /// `None` where several given names are one number.
    by_value: HashMap<Decimal, Option<usize>>,
    /// Whether labels other than the given names are refused.
    fixed: bool,
    labels: Vec<usize>,
}

impl ClassIndex {
    /// An index of these classes; without them, of the labels that are pushed.
    ///
    /// # Errors
    /// If two classes have one name.
    pub fn new(names: Option<Vec<String>>) -> Result<Self> {
        let fixed = names.is_some();
        let names = names.unwrap_or_default();
        let (mut by_text, mut by_value) = (HashMap::new(), HashMap::new());
        check_class_names(&names)?;
        for (place, name) in names.iter().enumerate() {
            by_text.insert(name.clone(), place);
            if let Some(value) = Decimal::parse(name) {
                by_value.entry(value).and_modify(|place| *place = None).or_insert(Some(place));
            }
        }
        Ok(ClassIndex { names, by_text, by_value, fixed, labels: Vec::new() })
    }

    /// The classes that were given or found so far.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Adds a label if its text is the name of a class, or was pushed before; returns whether it is.
    pub fn push_known(&mut self, label: &str) -> bool {
        let place = self.by_text.get(label);
        self.labels.extend(place);
        place.is_some()
    }

    /// Adds a label; `false` if no class has that name.
    pub fn push(&mut self, label: &str) -> bool {
        if self.push_known(label) {
            return true;
        }
        let value = Decimal::parse(label);
        let place = match value.as_ref().and_then(|value| self.by_value.get(value)) {
            Some(&Some(place)) => place,
            _ if self.fixed => return false,
            _ => {
                self.names.push(label.to_owned());
                self.by_value.extend(value.map(|value| (value, Some(self.names.len() - 1))));
                self.names.len() - 1
            }
        };
        // Of several texts for one number the shortest names the class, whichever came first.
        let name = &mut self.names[place];
        if !self.fixed && (label.len(), label) < (name.len(), name) {
            *name = label.to_owned();
        }
        self.by_text.insert(label.to_owned(), place);
        self.labels.push(place);
        true
    }

    /// The places of the labels that were pushed since the last call, among the names.
    pub fn take_labels(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.labels)
    }

    /// The class of each label, and the names of the classes: as given, or sorted, numbers by value and then texts.
    pub fn finish(self) -> (Tensor<i64>, Vec<String>) {
        let ClassIndex { names, labels, fixed, .. } = self;
        let mut sorted: Vec<usize> = (0..names.len()).collect();
        if !fixed {
            sorted.sort_by_cached_key(|&place| {
                let value = Decimal::parse(&names[place]);
                (value.is_none(), value, &names[place])
            });
        }
        let mut class_of = vec![0; names.len()];
        for (class, &place) in (0..).zip(&sorted) {
            class_of[place] = class;
        }
        let labels = labels.into_iter().map(|place| class_of[place]).collect();
        (labels, sorted.into_iter().map(|place| names[place].clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled<Y: Element>(targets: Tensor<Y>) -> Dataset<f32, Y> {
        Dataset::new(Tensor::zeros([targets.shape()[0], 2]), targets).unwrap()
    }

    #[test]
    fn labels_of_every_type_become_rows() {
        let expected = Tensor::new([[0.0, 1.0], [1.0, 0.0]]);
        assert_eq!(*labelled(Tensor::from([1_u8, 0])).to_categorical(2).unwrap().targets(), expected);
        assert_eq!(*labelled(Tensor::from([[1_i64], [0]])).to_categorical(2).unwrap().targets(), expected);
        assert_eq!(*labelled(Tensor::from([1.0_f64, 0.0])).to_categorical(2).unwrap().targets(), expected);
        assert_eq!(*labelled(Tensor::from([true, false])).to_categorical(2).unwrap().targets(), expected);
    }

    #[test]
    fn what_is_no_label_is_refused() {
        let hint = "count classes from 0, or ask for more of them";
        let message = |error: DatasetError| error.to_string();
        assert_eq!(
            message(labelled(Tensor::from([0_u8, 9, 10])).to_categorical(10).unwrap_err()),
            format!("sample 2: found label 10, expected a whole number below 10, the number of classes; {hint}")
        );
        for bad in [-1.0, 0.5, f32::NAN, f32::INFINITY, 3.0] {
            let error = labelled(Tensor::new([0.0, bad])).to_categorical(3).unwrap_err();
            assert_eq!(error.place(), Some(Place::Sample(1)), "{bad}");
        }
        assert!(labelled(Tensor::from([0_u8])).to_categorical(0).is_err());
        assert_eq!(
            message(labelled(Tensor::new([[0.0, 1.0], [1.0, 0.0]])).to_categorical(2).unwrap_err()),
            "found targets of shape [2, 2], expected a class label for each sample, shape [2]; \
             leave targets that are one-hot already as they are"
        );
    }

    #[test]
    fn class_weights_multiply_sample_weights() {
        let dataset = labelled(Tensor::from([0_u8, 1, 1])).with_class_weights(&[1.0, 3.0]).unwrap();
        assert_eq!(dataset.weights().unwrap().to_vec(), [1.0, 3.0, 3.0]);
        let again = dataset.with_class_weights(&[0.5, 2.0]).unwrap();
        assert_eq!(again.weights().unwrap().to_vec(), [0.5, 6.0, 6.0]);
        assert!(labelled(Tensor::from([2_u8])).with_class_weights(&[1.0, 1.0]).is_err());
        assert!(labelled(Tensor::from([0_u8])).with_class_weights(&[-1.0]).is_err());
    }

    /// The classes of these labels, and the names of the classes.
    fn index(labels: &[&str]) -> (Vec<i64>, String) {
        let mut classes = ClassIndex::new(None).unwrap();
        assert!(labels.iter().all(|label| classes.push(label)));
        let (labels, names) = classes.finish();
        (labels.to_vec(), names.join(" "))
    }

    #[test]
    fn found_classes_are_sorted_numbers_by_value_and_then_texts() {
        assert_eq!(index(&["10", "9", "-1", "9"]), (vec![2, 1, 0, 1], "-1 9 10".into()));
        // As pandas writes whole numbers where one was missing.
        assert_eq!(index(&["10.0", "2.0", "0.0", "2.0"]), (vec![2, 1, 0, 1], "0.0 2.0 10.0".into()));
        assert_eq!(index(&["-1.5", "1e1", "-2", "0.5"]), (vec![1, 3, 0, 2], "-2 -1.5 0.5 1e1".into()));
        assert_eq!(index(&["b", "10", "9", "a"]), (vec![3, 1, 0, 2], "9 10 a b".into()));
    }

    #[test]
    fn labels_of_one_value_are_one_class() {
        let expected = (vec![0, 0, 0, 1], "1 2".to_owned());
        assert_eq!(index(&["01", "1.0", "1", "2"]), expected);
        assert_eq!(index(&["+1", "1", "1e0", "2"]), expected);
        // Texts are compared letter by letter, and numbers longer than those of f64 digit by digit.
        assert_eq!(index(&["a", "A", "a "]).0, [1, 0, 2]);
        assert_eq!(index(&["9007199254740993", "9007199254740992"]).0, [1, 0]);
    }

    #[test]
    fn given_names_are_found_by_text_and_then_by_value() {
        let given = |names: &[&str]| ClassIndex::new(Some(names.iter().map(|&name| name.to_owned()).collect()));
        let mut fixed = given(&["no", "yes", "3.0"]).unwrap();
        assert!(fixed.push("yes") && !fixed.push("perhaps") && fixed.push("3") && !fixed.push("4"));
        let (labels, names) = fixed.finish();
        assert_eq!((labels.to_vec(), names.join(" ")), (vec![1, 2], "no yes 3.0".into()));
        // Codes that are one number may be classes of their own.
        let mut codes = given(&["01", "1"]).unwrap();
        assert!(codes.push("1") && codes.push("01") && !codes.push("1.0"));
        assert_eq!(codes.finish().0.to_vec(), [1, 0]);
        assert_eq!(
            given(&["a", "b", "a"]).err().unwrap().to_string(),
            "found the class name \"a\" twice, for the classes 0 and 2, expected a name of its own for each class; correct \
             the names"
        );
    }
}
