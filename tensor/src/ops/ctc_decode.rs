//! Decoding of connectionist temporal classification (CTC): strings read from frames.

use super::ctc::form;
use super::elements;
use crate::element::Float;
use crate::kernels::Shared;
use crate::kernels::ctc_decode::{beam_search, best_path};
use crate::team;
use crate::tensor::Tensor;

/// A string of labels that was read from frames.
///
/// ```
/// use gradus_tensor::Tensor;
/// // Probabilities of the blank and of two labels, in two frames: the path is "1", "1", which is the string "1".
/// let logits = Tensor::new([[[0.25, 0.5, 0.25], [0.25, 0.5, 0.25]]]).ln();
/// let decoded = &logits.ctc_greedy_decode(None, 0)[0];
/// assert_eq!(decoded.labels, [1]);
/// assert!((decoded.log_probability - 0.25_f64.ln()).abs() < 1e-6);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// The labels, without blanks.
    pub labels: Vec<usize>,
    /// The natural logarithm of the probability: for greedy decoding of the path, for beam search of the string, which is that of
    /// all its alignments that the beam has met. NaN where the logits of a frame have no softmax.
    pub log_probability: f64,
}

impl<T: Float> Tensor<T> {
    /// The string that the most probable class of each frame spells, for each sample: repeated classes are merged, then blanks
    /// left out. Shape: `[n, frames, classes]` of logits; [`ctc_loss`](Tensor::ctc_loss) explains `mask` and `blank`.
    ///
    /// Of equally probable classes the first is taken.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let logits = Tensor::new([[[0.0, 5.0, 0.0], [0.0, 5.0, 0.0], [5.0, 0.0, 0.0], [0.0, 0.0, 5.0]]]);
    /// assert_eq!(logits.ctc_greedy_decode(None, 0)[0].labels, [1, 2]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit each other, or the blank is no class.
    #[doc(alias = "ctc_decode")]
    #[track_caller]
    pub fn ctc_greedy_decode(&self, mask: Option<&Tensor<bool>>, blank: usize) -> Vec<Decoded> {
        decode("ctc_greedy_decode", self, mask, blank, |frames| {
            let (labels, log_probability) = best_path(frames.iter().copied(), blank);
            Decoded { labels, log_probability }
        })
    }

    /// The `count` most probable strings of each sample, best first, as prefix beam search finds them: after each frame it goes on
    /// with the `width` most probable beginnings. Arguments as for [`ctc_greedy_decode`](Tensor::ctc_greedy_decode).
    ///
    /// A string's alignments are added up, so it may be found although the best path spells another one. A wide beam finds the most
    /// probable strings of all. There are fewer than `count` where there are not so many.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// // Two frames with the blank at 0.6: the best path spells nothing with 0.36, three other paths spell "1" with 0.64.
    /// let logits = Tensor::new([[[0.6_f32.ln(), 0.4_f32.ln()]; 2]]);
    /// assert!(logits.ctc_greedy_decode(None, 0)[0].labels.is_empty());
    /// let best = &logits.ctc_beam_search_decode(None, 0, 10, 2)[0];
    /// assert_eq!(best[0].labels, [1]);
    /// assert!((best[0].log_probability.exp() - 0.64).abs() < 1e-6);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit each other, the blank is no class, or `width` or `count` is 0.
    #[doc(alias = "ctc_decode")]
    #[track_caller]
    pub fn ctc_beam_search_decode(
        &self,
        mask: Option<&Tensor<bool>>,
        blank: usize,
        width: usize,
        count: usize,
    ) -> Vec<Vec<Decoded>> {
        let op = "ctc_beam_search_decode";
        assert!(width > 0 && count > 0, "{op}: width and count must be 1 or more, found {width} and {count}");
        decode(op, self, mask, blank, |frames| {
            if frames.iter().any(|log_p| log_p[blank].is_nan_value()) {
                return vec![Decoded { labels: Vec::new(), log_probability: f64::NAN }];
            }
            let found = beam_search(frames.iter().copied(), blank, width, count);
            found.into_iter().map(|(labels, log_probability)| Decoded { labels, log_probability }).collect()
        })
    }
}

/// What `read` makes of the frames of each sample, as rows of log-softmax.
#[track_caller]
fn decode<T: Float, R: Clone + Default + Send>(
    op: &str,
    logits: &Tensor<T>,
    mask: Option<&Tensor<bool>>,
    blank: usize,
    read: impl Fn(&[&[T]]) -> R + Sync,
) -> Vec<R> {
    let [samples, length, classes] = form(op, logits, mask, blank);
    let log_p = logits.log_softmax(-1).contiguous();
    let (log_p, mask) = (elements(&log_p), mask.map(Tensor::contiguous));
    let mask = mask.as_ref().map(elements);
    let mut results = vec![R::default(); samples];
    let places = Shared::new(&mut results);
    team::run(samples, |sample| {
        let is_there = |frame: &usize| mask.is_none_or(|mask| mask[*frame]);
        let frames = (sample * length..(sample + 1) * length).filter(is_there);
        let frames: Vec<&[T]> = frames.map(|frame| &log_p[frame * classes..][..classes]).collect();
        // SAFETY: each task writes the result of its own sample.
        let place = unsafe { places.part(sample, 1) };
        place[0] = read(&frames);
    });
    results
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{WAYS, choices, lying};
    use crate::random::Generator;

    /// Every string with ln of its probability, best first, by all paths through the frames.
    fn by_definition(logits: &Tensor<f64>, blank: usize) -> Vec<(Vec<usize>, f64)> {
        let &[frames, classes] = &logits.shape()[..] else { panic!() };
        let p = logits.softmax(-1);
        let mut strings: Vec<(Vec<usize>, f64)> = Vec::new();
        for path in choices(&vec![(0..classes).collect(); frames]) {
            let probability: f64 = path.iter().enumerate().map(|(t, &k)| p.get([t, k])).product();
            let mut labels = path;
            labels.dedup();
            labels.retain(|&class| class != blank);
            match strings.iter_mut().find(|(known, _)| *known == labels) {
                Some((_, sum)) => *sum += probability,
                None => strings.push((labels, probability)),
            }
        }
        strings.sort_by(|a, b| b.1.total_cmp(&a.1));
        strings.into_iter().map(|(labels, p)| (labels, p.ln())).collect()
    }

    #[test]
    fn a_wide_beam_finds_every_string() {
        for (frames, classes, blank) in [(5, 3, 0), (4, 4, 2), (6, 2, 1), (1, 1, 0)] {
            let logits: Tensor<f64> = Generator::new(7).uniform([3, frames, classes], -2.0..2.0).to();
            let found = logits.ctc_beam_search_decode(None, blank, 10_000, 10_000);
            for (sample, found) in found.iter().enumerate() {
                let expected = by_definition(&logits.select(0, sample as isize), blank);
                assert_eq!(found.len(), expected.len());
                for (found, (labels, ln_p)) in found.iter().zip(&expected) {
                    assert_eq!(found.labels, *labels);
                    assert!((found.log_probability - ln_p).abs() < 1e-12, "{found:?}: {ln_p}");
                    // Which is what the loss says of that string.
                    let loss = logits.take_rows(&[sample]).ctc_loss(None, &[labels], blank).item();
                    assert!((found.log_probability + loss).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn a_narrow_beam_keeps_the_best_of_each_frame() {
        // By hand: the first frame keeps "1" (0.5) of "" (0.3) and "2" (0.2). Then "1" has 0.5 (0.4 + 0.1), "12" 0.25.
        let p: [[f64; 3]; 2] = [[0.3, 0.5, 0.2], [0.4, 0.1, 0.5]];
        let logits = Tensor::from([p.map(|p| p.map(f64::ln))]);
        let found = &logits.ctc_beam_search_decode(None, 0, 1, 5)[0];
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].labels, [1]);
        assert!((found[0].log_probability - 0.25_f64.ln()).abs() < 1e-12);
        assert_eq!(logits.ctc_beam_search_decode(None, 0, 2, 5)[0].len(), 2);
    }

    #[test]
    fn greedy_merges_repeats_and_drops_blanks() {
        // By hand; class 2 is the blank in the second line.
        let path = [1, 1, 0, 1, 2, 2, 0];
        let mut logits = Tensor::<f32>::zeros([1, 7, 3]);
        path.iter().enumerate().for_each(|(t, class)| logits.as_mut_slice()[t * 3 + class] = 4.0);
        assert_eq!(logits.ctc_greedy_decode(None, 0)[0].labels, [1, 1, 2]);
        assert_eq!(logits.ctc_greedy_decode(None, 2)[0].labels, [1, 0, 1, 0]);
        let expected = 7.0 * (4.0 - (4_f64.exp() + 2.0).ln());
        assert!((logits.ctc_greedy_decode(None, 0)[0].log_probability - expected).abs() < 1e-5);
        let mask = Tensor::from([[true, true, false, true, false, true, true]]);
        assert_eq!(logits.ctc_greedy_decode(Some(&mask), 0)[0].labels, [1, 2]);
        assert_eq!(logits.ctc_beam_search_decode(Some(&mask), 0, 8, 1)[0][0].labels, [1, 2]);
        for way in 0..WAYS {
            assert_eq!(lying(&logits, way).ctc_greedy_decode(Some(&mask), 0)[0].labels, [1, 2], "{way}");
        }
    }

    #[test]
    fn nothing_and_nan_are_told() {
        let none = Tensor::<f32>::zeros([2, 0, 3]);
        assert_eq!(none.ctc_greedy_decode(None, 0), [Decoded::default(), Decoded::default()]);
        assert_eq!(none.ctc_beam_search_decode(None, 0, 3, 3), [[Decoded::default()], [Decoded::default()]]);
        assert!(Tensor::<f32>::zeros([0, 4, 3]).ctc_greedy_decode(None, 0).is_empty());
        let nan = Tensor::new([[[0.0, f32::NAN], [1.0, 0.0]]]);
        assert!(nan.ctc_greedy_decode(None, 0)[0].log_probability.is_nan());
        assert!(nan.ctc_beam_search_decode(None, 0, 3, 3)[0][0].log_probability.is_nan());
        // Only the blank is possible.
        let sure = Tensor::new([[[0.0, f32::NEG_INFINITY]; 4]]);
        assert_eq!(sure.ctc_beam_search_decode(None, 0, 3, 3)[0], [Decoded::default()]);
    }

    #[cfg(feature = "parallel")]
    #[test]
    fn threads_change_nothing() {
        let logits = Generator::new(8).normal([5, 30, 9], 0.0, 1.5);
        crate::ops::testing::assert_same_on_threads(|| {
            let found = logits.ctc_beam_search_decode(None, 0, 20, 3).concat();
            found.iter().map(|found| Tensor::new([found.log_probability as f32, found.labels.len() as f32])).collect()
        });
    }

    #[test]
    #[should_panic(expected = "ctc_beam_search_decode: width and count must be 1 or more, found 0 and 1")]
    fn a_beam_has_a_width() {
        Tensor::<f32>::zeros([1, 2, 3]).ctc_beam_search_decode(None, 0, 0, 1);
    }

    #[test]
    #[should_panic(expected = "ctc_greedy_decode: the blank must be one of the 3 classes of [1, 2, 3], found 3")]
    fn the_blank_is_a_class() {
        Tensor::<f32>::zeros([1, 2, 3]).ctc_greedy_decode(None, 3);
    }
}
