//! Connectionist temporal classification: the probability that frames spell a string of labels, summed over all alignments.
//!
//! Graves, Fernández, Gomez and Schmidhuber, "Connectionist temporal classification", ICML 2006. An alignment gives each frame
//! a label or the blank. The states of an alignment of l labels are the l + 1 blanks before, between and behind them and the
//! labels themselves. Blanks and labels lie in rows of their own, so that all of a row is computed alike, in vectors:
//!
//! ```text
//! blanks[i]   the blank before label i (behind the last label: i = l)                        i = 0 ..= l
//! labels[i]   label i - 1, which stands before blank i; labels[0] is no state and is -inf     i = 1 ..= l
//! ```
//!
//! Forward, `alpha` is the logarithm of the probability of all ways into a state, the state's own frame included. Back, `beta` is
//! that of all ways from a state to the end, without its own frame. Their sum, less the logarithm of the whole probability, is
//! that of the state's share (its posterior) at the frame.
//!
//! From each row its predecessor's largest element is taken off, and kept in f64. So the states that matter have logarithms near
//! 0, whose rounding errors are small, however many frames there are.

use std::ops::Range;

use super::Shared;
use super::math::Math;
use super::softmax::{LogSoftmax, along_lines};
use crate::element::Float;
use crate::memory::with_scratch;
use crate::simd::vectorize_choices;
use crate::team;

/// Rows are filled up to a multiple of this with states of probability 0.
const LANES: usize = 16;
/// The states times frames that are worth a task.
const WORK: usize = 1 << 11;

/// What is computed: the logits `[n, frames, classes]`, which frames are there `[n, frames]`, and a string for each sample.
pub(crate) struct Ctc<'a, T> {
    pub logits: &'a [T],
    pub frames: usize,
    pub classes: usize,
    pub mask: Option<&'a [bool]>,
    pub targets: &'a [&'a [usize]],
    pub blank: usize,
}

/// The rows of a sample in scratch.
struct Rows<'a, T> {
    /// log-softmax of the logits, `[frames, classes]`.
    log_p: &'a mut [T],
    /// log p of the labels of the string at each frame that is there, `[present, width]`.
    emitted: &'a mut [T],
    /// alpha before the first frame and behind each, `[present + 1, pitch]` for blanks and for labels. The first element of a row
    /// stands before the first state.
    blanks: &'a mut [T],
    labels: &'a mut [T],
    /// 0 where label i may follow label i - 1 without a blank between them, else -inf; one element more than a row.
    skip: &'a mut [T],
    /// beta of one frame, and beta times the next frame's probabilities, one element longer.
    beta: [&'a mut [T]; 2],
    next: [&'a mut [T]; 2],
}

impl<T: Float> Ctc<'_, T> {
    /// The frames of a sample that are there.
    pub fn present(&self, sample: usize) -> Vec<usize> {
        let is_there = |frame: &usize| self.mask.is_none_or(|mask| mask[sample * self.frames + frame]);
        (0..self.frames).filter(is_there).collect()
    }

    /// The logits of a frame.
    pub fn frame(&self, sample: usize, frame: usize) -> &[T] {
        &self.logits[(sample * self.frames + frame) * self.classes..][..self.classes]
    }

    /// -ln p of each sample's string, and the gradients with respect to the logits if there is memory for them.
    pub fn compute(&self, losses: &mut [T], gradient: Option<&mut [T]>) {
        let longest = self.targets.iter().map(|target| target.len()).max().unwrap_or(0);
        let work = (self.frames * (longest + 1).next_multiple_of(LANES)).max(1);
        let samples = losses.len();
        let losses = Shared::new(losses);
        let gradient = gradient.map(|gradient| Shared::new(gradient));
        let size = self.frames * self.classes;
        team::split(samples, (WORK / work).max(1), |range: Range<usize>| {
            for sample in range {
                // SAFETY: the gradient of each sample is written by one task.
                let gradient = gradient.map(|gradient| unsafe { gradient.part(sample * size, size) });
                // SAFETY: as above.
                let loss = unsafe { losses.part(sample, 1) };
                loss[0] = self.sample(sample, gradient);
            }
        });
    }

    fn sample(&self, sample: usize, gradient: Option<&mut [T]>) -> T {
        let frames = self.present(sample);
        let target = self.targets[sample];
        let width = (target.len() + 1).next_multiple_of(LANES);
        let (pitch, present) = (width + 1, frames.len());
        let size = self.frames * self.classes;
        let len = size + present * width + 2 * (present + 1) * pitch + pitch + 2 * width + 2 * pitch;
        with_scratch(len, |scratch: *mut T| {
            // SAFETY: the scratch has so many elements, all initialised, and is this call's alone.
            let mut rest = unsafe { std::slice::from_raw_parts_mut(scratch, len) };
            let mut take = |len: usize| rest.split_off_mut(..len).expect("the lengths were added up");
            let mut rows = Rows {
                log_p: take(size),
                emitted: take(present * width),
                blanks: take((present + 1) * pitch),
                labels: take((present + 1) * pitch),
                skip: take(pitch),
                beta: [take(width), take(width)],
                next: [take(pitch), take(pitch)],
            };
            self.align(&self.logits[sample * size..][..size], &frames, target, &mut rows, gradient)
        })
    }

    fn align(
        &self,
        logits: &[T],
        frames: &[usize],
        target: &[usize],
        rows: &mut Rows<'_, T>,
        gradient: Option<&mut [T]>,
    ) -> T {
        let width = rows.beta[0].len();
        along_lines(LogSoftmax, logits, [self.frames, self.classes, 1], rows.log_p);
        let mut is_possible = true;
        for (&frame, emitted) in frames.iter().zip(rows.emitted.chunks_exact_mut(width)) {
            let log_p = &rows.log_p[frame * self.classes..][..self.classes];
            if log_p[self.blank].is_nan_value() {
                // A line has a log-softmax, or it is NaN.
                let logits = &logits[frame * self.classes..][..self.classes];
                if logits.iter().any(|&x| x != T::LOWEST) {
                    return not_a_number(frames, self.classes, gradient);
                }
                is_possible = false;
            }
            emitted.fill(T::LOWEST);
            for (emitted, &label) in emitted[1..].iter_mut().zip(target) {
                *emitted = log_p[label];
            }
        }
        rows.skip.fill(T::LOWEST);
        for i in 2..=target.len() {
            rows.skip[i] = if target[i - 1] == target[i - 2] { T::LOWEST } else { T::ZERO };
        }
        let mut shifts = vec![0.0; frames.len() + 1];
        let log_p = if is_possible { self.forward(frames, target, rows, &mut shifts) } else { f64::NEG_INFINITY };
        match gradient {
            Some(gradient) if log_p == f64::NEG_INFINITY => gradient.fill(T::ZERO),
            Some(gradient) => self.backward(frames, target, rows, &shifts, log_p, gradient),
            None => {}
        }
        T::of(-log_p)
    }

    /// ln p of the string. alpha is written to the rows, less the shift of each row.
    fn forward(&self, frames: &[usize], target: &[usize], rows: &mut Rows<'_, T>, shifts: &mut [f64]) -> f64 {
        let (width, pitch) = (rows.beta[0].len(), rows.skip.len());
        rows.blanks[..pitch].fill(T::LOWEST);
        rows.labels[..pitch].fill(T::LOWEST);
        // Before the first frame an alignment stands at the first blank.
        rows.blanks[1] = T::ZERO;
        let skip = &rows.skip[..width];
        vectorize_choices(
            #[inline(always)]
            || {
                let mut highest = T::ZERO;
                for (t, &frame) in frames.iter().enumerate() {
                    let (before, blanks) = rows.blanks[t * pitch..][..2 * pitch].split_at_mut(pitch);
                    let (labels_before, labels) = rows.labels[t * pitch..][..2 * pitch].split_at_mut(pitch);
                    let shift = highest;
                    shifts[t + 1] = shifts[t] + shift.as_f64();
                    let blank = rows.log_p[frame * self.classes + self.blank] - shift;
                    (blanks[0], labels[0]) = (T::LOWEST, T::LOWEST);
                    let emitted = &rows.emitted[t * width..][..width];
                    let mut highest_lanes = [T::LOWEST; LANES];
                    for i in (0..width).step_by(LANES) {
                        let (blank_left, blank_here) = (load(before, i), load(before, i + 1));
                        let (label_left, label_here) = (load(labels_before, i), load(labels_before, i + 1));
                        let (skip, emitted) = (load(skip, i), load(emitted, i));
                        let to_blanks = each(|k| ln_sum_of_two(blank_here[k], label_here[k]) + blank);
                        let to_labels = each(|k| {
                            let into = ln_sum_of_three(label_here[k], blank_left[k], label_left[k] + skip[k]);
                            into + (emitted[k] - shift)
                        });
                        highest_lanes = each(|k| larger(larger(to_blanks[k], to_labels[k]), highest_lanes[k]));
                        store(to_blanks, blanks, i + 1);
                        store(to_labels, labels, i + 1);
                    }
                    highest = highest_of(&highest_lanes);
                    if highest == T::LOWEST {
                        return f64::NEG_INFINITY;
                    }
                }
                let last = frames.len() * pitch + 1 + target.len();
                ln_sum_of_two(rows.blanks[last], rows.labels[last]).as_f64() + shifts[frames.len()]
            },
        )
    }

    /// Writes the gradients of the frames: softmax less the posterior of each class.
    fn backward(
        &self,
        frames: &[usize],
        target: &[usize],
        rows: &mut Rows<'_, T>,
        shifts: &[f64],
        log_p: f64,
        gradient: &mut [T],
    ) {
        let (width, pitch) = (rows.beta[0].len(), rows.skip.len());
        let [beta_blanks, beta_labels] = &mut rows.beta;
        let [next_blanks, next_labels] = &mut rows.next;
        let (beta_blanks, beta_labels) = (&mut beta_blanks[..width], &mut beta_labels[..width]);
        beta_blanks.fill(T::LOWEST);
        beta_labels.fill(T::LOWEST);
        // An alignment ends with the last label or with the blank behind it.
        beta_blanks[target.len()] = T::ZERO;
        if !target.is_empty() {
            beta_labels[target.len()] = T::ZERO;
        }
        next_labels[width] = T::LOWEST;
        let skip = &rows.skip[1..][..width];
        vectorize_choices(
            #[inline(always)]
            || {
                for (g, &log_p) in gradient.iter_mut().zip(&*rows.log_p) {
                    *g = probability(log_p);
                }
                let (mut shift, mut shift_of_beta) = (T::ZERO, 0.0);
                for (t, &frame) in frames.iter().enumerate().rev() {
                    let row = (t + 1) * pitch + 1;
                    let (blanks, labels) = (&rows.blanks[row..][..width], &mut rows.labels[row..][..width]);
                    let scale = T::of(shifts[t + 1] + shift_of_beta - log_p);
                    shift_of_beta += shift.as_f64();
                    let log_p = &rows.log_p[frame * self.classes..][..self.classes];
                    let blank = log_p[self.blank] - shift;
                    let emitted = &rows.emitted[t * width..][..width];
                    let mut sums = [T::ZERO; LANES];
                    for i in (0..width).step_by(LANES) {
                        let (beta_blank, beta_label) = (load(beta_blanks, i), load(beta_labels, i));
                        let (alpha_blank, alpha_label) = (load(blanks, i), load(labels, i));
                        let emitted = load(emitted, i);
                        sums = each(|k| sums[k] + probability(alpha_blank[k] + beta_blank[k] + scale));
                        // The posteriors of labels take the place of alpha.
                        store(each(|k| probability(alpha_label[k] + beta_label[k] + scale)), labels, i);
                        store(each(|k| beta_blank[k] + blank), next_blanks, i);
                        store(each(|k| beta_label[k] + (emitted[k] - shift)), next_labels, i);
                    }
                    let mut highest_lanes = [T::LOWEST; LANES];
                    for i in (0..width).step_by(LANES) {
                        let (blank_here, label_here) = (load(next_blanks, i), load(next_labels, i));
                        let (label_right, skip) = (load(next_labels, i + 1), load(skip, i));
                        let to_blanks = each(|k| ln_sum_of_two(blank_here[k], label_right[k]));
                        let to_labels =
                            each(|k| ln_sum_of_three(label_here[k], blank_here[k], label_right[k] + skip[k]));
                        highest_lanes = each(|k| larger(larger(to_blanks[k], to_labels[k]), highest_lanes[k]));
                        store(to_blanks, beta_blanks, i);
                        store(to_labels, beta_labels, i);
                    }
                    shift = highest_of(&highest_lanes);
                    let gradient = &mut gradient[frame * self.classes..][..self.classes];
                    gradient[self.blank] -= sums.into_iter().sum();
                    for (&label, &posterior) in target.iter().zip(&labels[1..]) {
                        gradient[label] -= posterior;
                    }
                }
            },
        );
        let mut absent = gradient.chunks_exact_mut(self.classes).enumerate();
        for &frame in frames.iter().chain(&[self.frames]) {
            // Frames are in order.
            absent.by_ref().take_while(|(place, _)| *place != frame).for_each(|(_, gradient)| gradient.fill(T::ZERO));
        }
    }
}

/// The loss NaN, and the gradients NaN at the sample's frames.
#[cold]
fn not_a_number<T: Float>(frames: &[usize], classes: usize, gradient: Option<&mut [T]>) -> T {
    let nan = T::of(f64::NAN);
    if let Some(gradient) = gradient {
        gradient.fill(T::ZERO);
        for &frame in frames {
            gradient[frame * classes..][..classes].fill(nan);
        }
    }
    nan
}

#[inline(always)]
fn larger<T: Float>(a: T, b: T) -> T {
    if a > b { a } else { b }
}

/// ln(e^a + e^b); -inf where both are.
#[inline(always)]
fn ln_sum_of_two<T: Float>(a: T, b: T) -> T {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    high + Math::ln(T::ONE + exp_bounded(low - finite(high)))
}

/// ln(e^a + e^b + e^c); -inf where all are.
#[inline(always)]
fn ln_sum_of_three<T: Float>(a: T, b: T, c: T) -> T {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    let (middle, high) = if c < high { (c, high) } else { (high, c) };
    let shift = finite(high);
    high + Math::ln(T::ONE + exp_bounded(low - shift) + exp_bounded(middle - shift))
}

/// x, or 0 where it is -inf: -inf less -inf would be NaN.
#[inline(always)]
fn finite<T: Float>(x: T) -> T {
    if x == T::LOWEST { T::ZERO } else { x }
}

/// ln of what counts as no probability beside 1, in f64 too. Below, the exponential would compute with subnormal numbers, which
/// takes some 150 cycles: half of the time of all.
const NOTHING: f64 = -80.0;

/// e^x for x <= 0, but at least e^-80.
#[inline(always)]
fn exp_bounded<T: Float>(x: T) -> T {
    T::exp_nonpositive(larger(x, T::of(NOTHING)))
}

/// e^x for x <= 0, and 0 below e^-80; 1 where rounding has made x larger than 0, which may be far where logits are huge.
#[inline(always)]
fn probability<T: Float>(x: T) -> T {
    let p = exp_bounded(if x > T::ZERO { T::ZERO } else { x });
    if x < T::of(NOTHING) { T::ZERO } else { p }
}

/// Some elements of a row. Loops over arrays of known length are compiled to vectors; of as many slices as a step reads and writes,
/// the compiler would have to prove first that they do not overlap.
#[inline(always)]
fn load<T: Float>(row: &[T], start: usize) -> [T; LANES] {
    *row[start..].first_chunk().expect("rows are as long as they were made")
}

#[inline(always)]
fn store<T: Float>(values: [T; LANES], row: &mut [T], start: usize) {
    row[start..][..LANES].copy_from_slice(&values);
}

/// The values of `f` at each lane.
#[inline(always)]
fn each<T: Float>(f: impl Fn(usize) -> T) -> [T; LANES] {
    let mut values = [T::ZERO; LANES];
    for (k, value) in values.iter_mut().enumerate() {
        *value = f(k);
    }
    values
}

#[inline(always)]
fn highest_of<T: Float>(lanes: &[T; LANES]) -> T {
    lanes.iter().fold(T::LOWEST, |highest, &x| larger(x, highest))
}
