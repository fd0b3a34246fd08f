//! Splits and folds: which samples are trained on, and which are held out.

use gradus_tensor::{Element, SampleType};

use crate::dataset::Dataset;
use crate::error::{DatasetError, Result};
use crate::order::{Order, Randomness};

/// The samples that are trained on, and those that are held out.
type Parts = (Vec<usize>, Vec<usize>);

/// Two parts with like shares of each label: the second has `fraction` of its samples, rounded, and at least one.
pub(crate) fn stratified_split(
    labels: &[usize],
    names: &[String],
    fraction: f64,
    randomness: impl Randomness,
) -> Result<Parts> {
    if !(fraction > 0.0 && fraction < 1.0) {
        let hint = "give the share of the second part, such as 0.2";
        return Err(DatasetError::new(format!("the fraction {fraction}"), "a number between 0 and 1", hint));
    }
    let counts = counts(labels, names, 2)?;
    let mut held_out: Vec<usize> =
        counts.iter().map(|&count| ((count as f64 * fraction).round() as usize).clamp(1, count.max(2) - 1)).collect();
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for sample in Order::shuffled(labels.len(), randomness).all() {
        let left = &mut held_out[labels[sample]];
        let part = if *left > 0 { &mut test } else { &mut train };
        *left = left.saturating_sub(1);
        part.push(sample);
    }
    // The samples held out of each label are its first in a random order; so are the orders of both parts.
    Ok((train, test))
}

/// `k` parts of like sizes, each held out once.
pub(crate) fn k_folds(samples: usize, k: usize, randomness: impl Randomness) -> Result<Vec<Parts>> {
    check_folds(k)?;
    if k > samples {
        let found = format!("{k} folds of {samples} samples");
        return Err(DatasetError::new(found, "at least one sample in each", "ask for fewer folds"));
    }
    let order = Order::shuffled(samples, randomness).all();
    // The first folds have a sample more where the number does not divide, as in scikit-learn.
    let fold_of = |place: usize| {
        let (size, more) = (samples / k, samples % k);
        if place < more * (size + 1) { place / (size + 1) } else { more + (place - more * (size + 1)) / size }
    };
    Ok(folds(&order, k, |place, _| fold_of(place)))
}

/// As [`k_folds`], with like shares of each label.
pub(crate) fn stratified_k_folds(
    labels: &[usize],
    names: &[String],
    k: usize,
    randomness: impl Randomness,
) -> Result<Vec<Parts>> {
    check_folds(k)?;
    counts(labels, names, k)?;
    let order = Order::shuffled(labels.len(), randomness).all();
    // Sample after sample of the labels in turn, dealt out like cards: folds differ by one sample of a label, and by one in all.
    let mut by_label: Vec<Vec<usize>> = vec![Vec::new(); names.len()];
    order.iter().for_each(|&sample| by_label[labels[sample]].push(sample));
    let mut fold_of = vec![0; labels.len()];
    by_label.iter().flatten().enumerate().for_each(|(card, &sample)| fold_of[sample] = card % k);
    Ok(folds(&order, k, |_, sample| fold_of[sample]))
}

fn check_folds(k: usize) -> Result<()> {
    if k < 2 { Err(DatasetError::new(format!("{k} folds"), "at least 2", "ask for more folds")) } else { Ok(()) }
}

/// For each fold all samples but its own, and its own, in this order.
fn folds(order: &[usize], k: usize, fold_of: impl Fn(usize, usize) -> usize) -> Vec<Parts> {
    let mut parts = vec![(Vec::new(), Vec::new()); k];
    for (place, &sample) in order.iter().enumerate() {
        let own = fold_of(place, sample);
        for (fold, (train, validation)) in parts.iter_mut().enumerate() {
            if fold == own { validation.push(sample) } else { train.push(sample) }
        }
    }
    parts
}

/// The number of samples of each label, of which there must be some for each part.
fn counts(labels: &[usize], names: &[String], parts: usize) -> Result<Vec<usize>> {
    let mut counts = vec![0; names.len()];
    labels.iter().for_each(|&label| counts[label] += 1);
    match counts.iter().position(|&count| count > 0 && count < parts) {
        None => Ok(counts),
        Some(label) => {
            let plural = if counts[label] == 1 { "" } else { "s" };
            let found = format!("{} sample{plural} of the label {:?}", counts[label], names[label]);
            let hint = "leave that label out, or join it with another one; numbers that are no labels need no stratified split";
            Err(DatasetError::new(found, format!("at least {parts}, one for each part"), hint))
        }
    }
}

impl<X: SampleType, Y: Element> Dataset<X, Y> {
    /// A data set to train on and one to test on, drawn at random, with `fraction` of the samples of each label in the second.
    /// So a rare class is in both. Targets are labels, whole numbers from 0, `[n]` or `[n, 1]`.
    ///
    /// ```
    /// use gradus_datasets::iris;
    /// let (train, test) = iris::load()?.stratified_split(0.2, 42)?;
    /// assert_eq!((train.len(), test.len()), (120, 30));
    /// // Ten flowers of each of three kinds.
    /// assert_eq!(test.targets().iter().sum::<i64>(), 10 * (0 + 1 + 2));
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    ///
    /// # Errors
    /// If a target is no label, or a label has a single sample.
    pub fn stratified_split(&self, fraction: f64, randomness: impl Randomness) -> Result<(Self, Self)> {
        let (labels, names) = self.counted_labels()?;
        let (train, test) = stratified_split(&labels, &names, fraction, randomness)?;
        Ok((self.part(self.gather(&train)), self.part(self.gather(&test))))
    }

    /// As [`k_folds`](Dataset::k_folds), with as large a part of the samples of each label in every fold.
    ///
    /// # Errors
    /// If a target is no label, `k` is less than 2, or a label has fewer than `k` samples.
    pub fn stratified_k_folds(&self, k: usize, randomness: impl Randomness) -> Result<Vec<(Self, Self)>> {
        let (labels, names) = self.counted_labels()?;
        Ok(self.of_folds(&stratified_k_folds(&labels, &names, k, randomness)?))
    }

    /// The labels, and their names for messages.
    fn counted_labels(&self) -> Result<(Vec<usize>, Vec<String>)> {
        let largest = self.targets().iter().map(|target| target.cast::<f64>()).fold(-1.0, f64::max);
        // No more labels than samples have one each; a larger label is refused below.
        let classes = (largest + 1.0).clamp(0.0, self.len() as f64) as usize;
        let classes = classes.max(self.class_names().map_or(0, <[String]>::len));
        let names = (0..classes).map(|class| match self.class_names().and_then(|names| names.get(class)) {
            Some(name) => name.clone(),
            None => class.to_string(),
        });
        Ok((self.labels(classes)?, names.collect()))
    }
}

impl<X: SampleType, Y: SampleType> Dataset<X, Y> {
    /// `k` pairs of data sets to train and to validate on; each sample is in the validation of one. The order is that of a seed
    /// or of a `&mut Generator`.
    ///
    /// ```
    /// use gradus_datasets::iris;
    /// for (train, validation) in iris::load()?.k_folds(5, 42)? {
    ///     assert_eq!((train.len(), validation.len()), (120, 30));
    /// }
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    ///
    /// # Errors
    /// If `k` is less than 2 or more than the number of samples.
    pub fn k_folds(&self, k: usize, randomness: impl Randomness) -> Result<Vec<(Self, Self)>> {
        Ok(self.of_folds(&k_folds(self.len(), k, randomness)?))
    }

    fn of_folds(&self, folds: &[Parts]) -> Vec<(Self, Self)> {
        let part = |samples: &[usize]| self.part(self.gather(samples));
        folds.iter().map(|(train, validation)| (part(train), part(validation))).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|label| label.to_string()).collect()
    }

    fn sorted(mut samples: Vec<usize>) -> Vec<usize> {
        samples.sort_unstable();
        samples
    }

    #[test]
    fn folds_have_the_sizes_of_scikit_learn() {
        // KFold(4) of 10 samples, scikit-learn 1.9.1: 3, 3, 2, 2.
        let sizes: Vec<usize> = k_folds(10, 4, 1).unwrap().iter().map(|(_, validation)| validation.len()).collect();
        assert_eq!(sizes, [3, 3, 2, 2]);
    }

    #[test]
    fn what_cannot_be_split_is_refused() {
        let message = |error: DatasetError| error.to_string();
        assert_eq!(
            message(stratified_split(&[0, 0, 1], &names(2), 0.5, 1).unwrap_err()),
            "found 1 sample of the label \"1\", expected at least 2, one for each part; leave that label out, or join it with \
             another one; numbers that are no labels need no stratified split"
        );
        for fraction in [0.0, 1.0, -0.5, f64::NAN] {
            assert!(stratified_split(&[0, 0, 1, 1], &names(2), fraction, 1).is_err(), "{fraction}");
        }
        assert!(k_folds(3, 1, 1).is_err() && k_folds(3, 4, 1).is_err() && k_folds(3, 3, 1).is_ok());
        assert!(stratified_k_folds(&[0, 0, 1, 1], &names(2), 3, 1).is_err());
    }

    proptest! {
        #[test]
        fn each_sample_is_in_one_part(labels in prop::collection::vec(0_usize..3, 6..60), fraction in 0.05_f64..0.95, seed: u64) {
            // Two samples of each label at least.
            let labels: Vec<usize> = labels.into_iter().chain([0, 0, 0, 1, 1, 1, 2, 2, 2]).collect();
            let count = |part: &[usize], label| part.iter().filter(|&&sample| labels[sample] == label).count();
            let (train, test) = stratified_split(&labels, &names(3), fraction, seed).unwrap();
            for label in 0..3 {
                let (train, test) = (count(&train, label), count(&test, label));
                prop_assert!(train > 0 && test > 0);
                prop_assert!((test as f64 - (train + test) as f64 * fraction).abs() < 1.0);
            }
            prop_assert_eq!(sorted([train, test].concat()), (0..labels.len()).collect::<Vec<_>>());

            let folds = stratified_k_folds(&labels, &names(3), 3, seed).unwrap();
            for (train, validation) in &folds {
                prop_assert_eq!(sorted([&train[..], validation].concat()), (0..labels.len()).collect::<Vec<_>>());
                for label in 0..3 {
                    let all = labels.iter().filter(|&&other| other == label).count();
                    prop_assert!(count(validation, label).abs_diff(all / 3) <= 1);
                }
                prop_assert!(validation.len().abs_diff(labels.len() / 3) <= 1);
            }
            let held_out = folds.into_iter().flat_map(|(_, validation)| validation).collect();
            prop_assert_eq!(sorted(held_out), (0..labels.len()).collect::<Vec<_>>());
        }
    }
}
