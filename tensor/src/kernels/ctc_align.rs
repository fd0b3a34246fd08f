//! The most probable alignment of a string: Viterbi's algorithm over the states of CTC.

use super::ctc::Ctc;
use crate::element::Float;

/// A class for each frame of a sample that is there; `None` if no alignment spells the string.
///
/// State 2 i is the blank before label i, state 2 i + 1 is label i.
pub(crate) fn best_alignment<T: Float>(ctc: &Ctc<'_, T>, sample: usize) -> Option<Vec<usize>> {
    let target = ctc.targets[sample];
    let class = |state: usize| if state.is_multiple_of(2) { ctc.blank } else { target[state / 2] };
    let states = 2 * target.len() + 1;
    // A label may follow the label before it if they differ.
    let first_source = |state: usize| match state {
        state if state % 2 == 1 && state > 1 && target[state / 2] != target[state / 2 - 1] => state - 2,
        state => state.saturating_sub(1),
    };
    let frames = ctc.present(sample);
    let mut best = vec![T::LOWEST; states];
    // Before the first frame an alignment stands at the first blank.
    best[0] = T::ZERO;
    let mut sources = Vec::with_capacity(frames.len());
    for &frame in &frames {
        let logits = ctc.frame(sample, frame);
        let highest = logits.iter().fold(T::LOWEST, |highest, &x| if x > highest { x } else { highest });
        let source = |state: usize| {
            (first_source(state)..=state)
                .rev()
                .fold(state, |best_of, from| if best[from] > best[best_of] { from } else { best_of })
        };
        let from: Vec<usize> = (0..states).map(source).collect();
        best = (0..states).map(|state| best[from[state]] + (logits[class(state)] - highest)).collect();
        sources.push(from);
    }
    let mut state = states - 1;
    if state > 0 && best[state - 1] >= best[state] {
        state -= 1;
    }
    if best[state].is_nan_value() || best[state] == T::LOWEST {
        return None;
    }
    let mut path = vec![0; frames.len()];
    for (class_of_frame, from) in path.iter_mut().zip(&sources).rev() {
        *class_of_frame = class(state);
        state = from[state];
    }
    Some(path)
}
