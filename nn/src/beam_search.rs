//! Beam search: the likeliest sequences, as far as a few at a time show them.

use gradus_tensor::{Float, Tensor};

use crate::error::{Error, Result};

/// Beam search for likely sequences: of all continuations of the best few sequences, the best few go on.
///
/// Sequences of different lengths are compared by ln p / ((5 + length) / 6)^length_penalty, where the length counts what was
/// appended (Wu et al., arXiv:1609.08144).
///
/// ```
/// use gradus_nn::BeamSearch;
/// use gradus_tensor::Tensor;
/// // Id 0 ends a sequence. A beginning with 1 is likelier (0.6) than one with 2 (0.4), but nothing likely follows it.
/// let step = |sequences: &[Vec<i64>]| {
///     let row = |ids: &Vec<i64>| match ids[..] {
///         [] => [0.0, 0.6, 0.4],
///         [1] => [0.3, 0.3, 0.4],
///         _ => [1.0, 0.0, 0.0],
///     };
///     Ok(sequences.iter().flat_map(row).map(f64::ln).collect::<Tensor<f64>>().reshape([sequences.len(), 3]))
/// };
/// let found = BeamSearch::new(2, 0, 5).search(&[], step)?;
/// assert_eq!(found[0].ids, [2, 0]);
/// assert!((found[0].log_probability - 0.4_f64.ln()).abs() < 1e-12);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[doc(alias = "BeamSampler")]
#[derive(Clone, Copy, Debug)]
pub struct BeamSearch {
    num_beams: usize,
    end: i64,
    max_length: usize,
    length_penalty: f64,
}

/// A sequence in the course of a search, of which [`BeamSearch::search_all`] asks what comes next.
///
/// ```
/// use gradus_nn::{Beam, BeamSearch};
/// use gradus_tensor::Tensor;
/// // Whatever came before, id 1 has a probability of 3/4, and id 0, the end, of 1/4. At each step the beams are printed.
/// let step = |beams: &[Beam]| {
///     beams.iter().for_each(|beam| println!("{} continues {}: {:?}", beam.prompt, beam.parent, beam.ids));
///     Ok(Tensor::new([[1.0, 3.0]]).ln().broadcast_to([beams.len(), 2]))
/// };
/// let found = BeamSearch::new(1, 0, 3).search_all(&[[1_i64], [0]], step)?;
/// assert_eq!((&found[0][0].ids[..], &found[1][0].ids[..]), (&[1, 1, 1, 1][..], &[0, 1, 1, 1][..]));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Beam {
    /// Which of the prompts it began with.
    pub prompt: usize,
    /// Which sequence of the step before it continues, by its row there; at the first step its prompt. So states kept for each
    /// sequence are those of the step before, taken in this order.
    pub parent: usize,
    /// The ids so far, with those of the prompt.
    pub ids: Vec<i64>,
    /// The logarithm of the probability of what was appended.
    log: f64,
}

/// A sequence that was found.
///
/// ```
/// use gradus_nn::BeamSearch;
/// use gradus_tensor::Tensor;
/// // Id 0 ends the sequence at once, with a probability of 3/4.
/// let step = |sequences: &[Vec<i64>]| Ok(Tensor::new([[3.0, 1.0]]).ln().broadcast_to([sequences.len(), 2]));
/// let found = BeamSearch::new(1, 0, 4).search(&[5], step)?;
/// assert_eq!(found[0].ids, [5, 0]);
/// assert!((found[0].log_probability - 0.75_f64.ln()).abs() < 1e-6);
/// assert_eq!(found[0].score, found[0].log_probability); // There is no length penalty.
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// The ids: the prompt and what was appended, with the end's id if it ended.
    pub ids: Vec<i64>,
    /// The logarithm of the probability of what was appended.
    pub log_probability: f64,
    /// The logarithm divided by the penalty of the length, by which sequences are compared.
    pub score: f64,
}

impl BeamSearch {
    /// A search with this number of sequences at a time, which end with the id `end` or after `max_length` appended ids. The
    /// length penalty is 0.
    ///
    /// # Panics
    /// If there are no beams.
    #[track_caller]
    pub fn new(num_beams: usize, end: i64, max_length: usize) -> Self {
        assert!(num_beams > 0, "BeamSearch: at least one beam is needed: 0");
        BeamSearch { num_beams, end, max_length, length_penalty: 0.0 }
    }

    /// Sets the length penalty: 0 compares by probability, which favours short sequences; 0.6 to 1 is usual in translation.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    pub fn length_penalty(self, length_penalty: f64) -> Self {
        let fits = length_penalty >= 0.0 && length_penalty.is_finite();
        assert!(fits, "length_penalty: it must be 0 or more and finite: {length_penalty}");
        BeamSearch { length_penalty, ..self }
    }

    /// The best sequences that begin with the prompt, the best first, at most as many as there are beams. `step` gives the
    /// logits `[sequences, vocabulary]` of the id after each of some sequences, which are all of one length.
    ///
    /// # Errors
    /// What `step` finds wrong, and if its logits have another shape or are NaN.
    pub fn search<T: Float>(
        &self,
        prompt: &[i64],
        mut step: impl FnMut(&[Vec<i64>]) -> Result<Tensor<T>>,
    ) -> Result<Vec<Hypothesis>> {
        let of_ids = |beams: &[Beam]| step(&beams.iter().map(|beam| beam.ids.clone()).collect::<Vec<_>>());
        Ok(self.search_all(&[prompt], of_ids)?.swap_remove(0))
    }

    /// As [`search`](BeamSearch::search), for several prompts at once: one call of `step` for the sequences of all those whose
    /// search goes on, such as the sentences of a batch that is translated. [`Beam::prompt`] says which sentence a sequence is of.
    ///
    /// ```
    /// use gradus_nn::{Beam, BeamSearch};
    /// use gradus_tensor::Tensor;
    /// // A "translation" that copies its source, id by id, and ends with 0.
    /// let sources = [[3_i64, 1, 0], [2, 2, 0]];
    /// let step = |beams: &[Beam]| {
    ///     let next: Tensor<i64> = beams.iter().map(|beam| sources[beam.prompt][beam.ids.len()]).collect();
    ///     Ok(next.one_hot::<f32>(4) * 5.0)
    /// };
    /// let found = BeamSearch::new(2, 0, 5).search_all(&[[0_i64; 0]; 2], step)?;
    /// assert_eq!((&found[0][0].ids[..], &found[1][0].ids[..]), (&sources[0][..], &sources[1][..]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As `search`.
    pub fn search_all<T: Float>(
        &self,
        prompts: &[impl AsRef<[i64]>],
        mut step: impl FnMut(&[Beam]) -> Result<Tensor<T>>,
    ) -> Result<Vec<Vec<Hypothesis>>> {
        let begun = prompts.iter().map(|ids| ids.as_ref().to_vec()).enumerate();
        let mut alive: Vec<Beam> = begun.map(|(prompt, ids)| Beam { prompt, parent: prompt, ids, log: 0.0 }).collect();
        let mut ended: Vec<Vec<Hypothesis>> = vec![Vec::new(); prompts.len()];
        for length in 1..=self.max_length {
            if alive.is_empty() {
                break;
            }
            let logits = step(&alive)?;
            check_logits(&logits, alive.len())?;
            let mut next = Vec::new();
            let mut first = 0;
            for of_prompt in alive.chunk_by(|a, b| a.prompt == b.prompt) {
                let ended = &mut ended[of_prompt[0].prompt];
                let on = self.continued(&logits, of_prompt, first, length, ended)?;
                first += of_prompt.len();
                self.keep_best(ended);
                if on.first().is_some_and(|best| !self.is_settled(ended, best.log)) {
                    next.extend(on);
                }
            }
            alive = next;
        }
        for beam in alive {
            ended[beam.prompt].push(self.hypothesis(beam.ids, beam.log, self.max_length));
        }
        ended.iter_mut().for_each(|ended| self.keep_best(ended));
        Ok(ended)
    }

    /// The best continuations of the sequences of one prompt, the likeliest first; those that end go to the ended ones. The
    /// logits of the first sequence are row `first`.
    fn continued<T: Float>(
        &self,
        logits: &Tensor<T>,
        beams: &[Beam],
        first: usize,
        length: usize,
        ended: &mut Vec<Hypothesis>,
    ) -> Result<Vec<Beam>> {
        // Each sequence has one continuation that ends, so twice the beams leave enough that go on.
        let mut candidates = candidates(logits, beams, first, 2 * self.num_beams)?;
        candidates.truncate(2 * self.num_beams);
        let mut next = Vec::new();
        for (beam, id, log) in candidates {
            let Beam { prompt, ids, .. } = &beams[beam];
            let ids = [&ids[..], &[id as i64]].concat();
            if id as i64 == self.end {
                ended.push(self.hypothesis(ids, log, length));
            } else if next.len() < self.num_beams {
                next.push(Beam { prompt: *prompt, parent: first + beam, ids, log });
            }
        }
        Ok(next)
    }

    fn hypothesis(&self, ids: Vec<i64>, log_probability: f64, length: usize) -> Hypothesis {
        Hypothesis { ids, log_probability, score: log_probability / self.penalty(length) }
    }

    fn penalty(&self, length: usize) -> f64 {
        ((5 + length) as f64 / 6.0).powf(self.length_penalty)
    }

    /// Leaves the best sequences; of equal ones the first found.
    fn keep_best(&self, found: &mut Vec<Hypothesis>) {
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(self.num_beams);
    }

    /// Whether no sequence that goes on, of which the best has this logarithm, can still be better than those that ended.
    fn is_settled(&self, ended: &[Hypothesis], best: f64) -> bool {
        // Logarithms only become smaller, and the penalty is largest at the end.
        ended.len() == self.num_beams && ended[ended.len() - 1].score >= best / self.penalty(self.max_length)
    }
}

fn check_logits<T: Float>(logits: &Tensor<T>, sequences: usize) -> Result<()> {
    if logits.ndim() == 2 && logits.shape()[0] == sequences {
        return Ok(());
    }
    let problem = format!("logits of {sequences} sequences have the shape {}", logits.shape());
    Err(Error::new("beam search", problem, "give [sequences, vocabulary]"))
}

/// The continuations of beams that may be among the best so many, with their beam, id and logarithm of their probability, the
/// likeliest first. The logits of the first beam are row `first`.
fn candidates<T: Float>(
    logits: &Tensor<T>,
    beams: &[Beam],
    first: usize,
    count: usize,
) -> Result<Vec<(usize, usize, f64)>> {
    let mut candidates = Vec::new();
    for (place, beam) in beams.iter().enumerate() {
        let logits = logits.select(0, (first + place) as isize);
        let ranked = crate::sampling::best(&logits, count)?;
        let largest = ranked[0].1;
        let share = |logit: f64| if logit == largest { 0.0 } else { logit - largest };
        let ln_sum = logits.iter().map(|logit| share(logit.as_f64()).exp()).sum::<f64>().ln();
        let likely = ranked.iter().map(|(id, logit)| (place, *id, beam.log + share(*logit) - ln_sum));
        candidates.extend(likely.filter(|(.., p)| *p > f64::NEG_INFINITY));
    }
    candidates.sort_by(|(.., a), (.., b)| b.total_cmp(a));
    Ok(candidates)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The probabilities of the ids 0 (the end), 1 and 2 behind a sequence.
    fn chain(ids: &[i64]) -> [f64; 3] {
        match ids {
            [] => [0.1, 0.5, 0.4],
            [1] => [0.4, 0.3, 0.3],
            [2] => [0.1, 0.8, 0.1],
            [2, 1] => [0.9, 0.05, 0.05],
            _ => [0.5, 0.25, 0.25],
        }
    }

    fn step(sequences: &[Vec<i64>]) -> Result<Tensor<f64>> {
        // A constant added to logits changes nothing.
        let logits = sequences.iter().flat_map(|ids| chain(ids)).map(|p| p.ln() + 3.0);
        Ok(logits.collect::<Tensor<f64>>().reshape([sequences.len(), 3]))
    }

    #[track_caller]
    fn check(search: BeamSearch, expected: &[(&[i64], f64)]) {
        let found = search.search(&[], step).unwrap();
        let found: Vec<_> = found.iter().map(|found| (&found.ids[..], found.log_probability.exp())).collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((ids, p), (expected, exact)) in found.iter().zip(expected) {
            assert!(ids == expected && (p - exact).abs() < 1e-12, "{found:?}");
        }
    }

    #[test]
    fn sequences_by_hand() {
        // One beam is greedy: 1 (0.5), then the end (0.4).
        check(BeamSearch::new(1, 0, 5), &[(&[1, 0], 0.2)]);
        // Two beams: 1 and 2; of [1 0] 0.2, [2 1] 0.32, [1 1] 0.15, ..; then [2 1 0] 0.288, which no other reaches.
        check(BeamSearch::new(2, 0, 5), &[(&[2, 1, 0], 0.288), (&[1, 0], 0.2)]);
        // Cut after one id, none of two beams has ended.
        check(BeamSearch::new(2, 0, 1), &[(&[1], 0.5), (&[2], 0.4)]);
        check(BeamSearch::new(3, 0, 0), &[(&[], 1.0)]);
    }

    #[test]
    fn a_length_penalty_favours_long_sequences() {
        // Two sequences of lengths 1 and 4, of probabilities 0.3 and 0.1 (of 1 and 2 ids 0.7, 1, 1, 1/7).
        let step = |sequences: &[Vec<i64>]| {
            let row = |ids: &Vec<i64>| match ids.len() {
                0 => [0.3, 0.7],
                3 => [1.0 / 7.0, 6.0 / 7.0],
                _ => [0.0, 1.0],
            };
            Ok(sequences.iter().flat_map(row).map(f64::ln).collect::<Tensor<f64>>().reshape([sequences.len(), 2]))
        };
        let best = |penalty: f64| {
            let found = BeamSearch::new(2, 0, 4).length_penalty(penalty).search(&[], step).unwrap();
            found.into_iter().find(|found| found.ids.ends_with(&[0])).unwrap()
        };
        // ln 0.3 = -1.204 and ln 0.1 = -2.303; with a penalty of 2, -1.204 and -2.303 / 2.25 = -1.023.
        assert_eq!(best(0.0).ids, [0]);
        let long = best(2.0);
        assert_eq!(long.ids, [1, 1, 1, 0]);
        assert!((long.score - 0.1_f64.ln() / 2.25).abs() < 1e-12);
    }

    #[test]
    fn prompts_searched_together_are_those_searched_alone() {
        let search = BeamSearch::new(2, 0, 5).length_penalty(0.6);
        let prompts: [&[i64]; 4] = [&[], &[2], &[1, 1], &[2, 1]];
        let mut rows: Vec<Beam> = Vec::new();
        let mut calls = 0;
        let together = search.search_all(&prompts, |beams| {
            for beam in beams {
                // A sequence continues that of its parent's row, and is of the same prompt.
                let before = rows.get(beam.parent).map_or(prompts[beam.prompt], |parent| &parent.ids);
                let before = if calls == 0 { prompts[beam.parent] } else { before };
                let own = if calls == 0 { &beam.ids[..] } else { &beam.ids[..beam.ids.len() - 1] };
                assert_eq!(own, before);
                assert!(beam.ids.starts_with(prompts[beam.prompt]));
            }
            (rows, calls) = (beams.to_vec(), calls + 1);
            step(&beams.iter().map(|beam| beam.ids.clone()).collect::<Vec<_>>())
        });
        let alone = prompts.map(|prompt| search.search(prompt, step).unwrap());
        assert_eq!(together.unwrap(), alone);
        assert!(calls > 2, "{calls}");
        assert!(
            search
                .search_all(&[] as &[&[i64]], |_| -> Result<Tensor<f64>> { panic!("nothing is asked") })
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn logits_of_another_shape_or_nan_are_refused() {
        let search = |logits: Tensor<f64>| BeamSearch::new(2, 0, 3).search(&[], |_| Ok(logits.clone()));
        assert!(search(Tensor::zeros([2, 3])).unwrap_err().to_string().contains("logits of 1 sequences"));
        assert!(search(Tensor::full([1, 3], f64::NAN)).is_err());
    }
}
