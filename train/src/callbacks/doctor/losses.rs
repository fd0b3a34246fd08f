//! Losses that do not fall because the steps are too large.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Diagnosis;
use crate::finding::FindingKind;

/// The losses of the first batches and of the last ones.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Losses {
    first: Vec<f64>,
    last: VecDeque<f64>,
    count: usize,
}

/// How many losses stand for the beginning.
const FIRST: usize = 4;
/// And how many for the present.
const LAST: usize = 32;

impl Losses {
    /// The loss of one more batch.
    pub fn add(&mut self, loss: f64) {
        if !loss.is_finite() {
            return;
        }
        self.count += 1;
        if self.first.len() < FIRST {
            self.first.push(loss);
        }
        if self.last.len() == LAST {
            self.last.pop_front();
        }
        self.last.push_back(loss);
    }

    /// Whether the loss is half of what it was, or less.
    pub fn have_fallen(&self) -> bool {
        !self.last.is_empty() && median(&self.last) <= 0.5 * median(&self.first)
    }

    /// Whether the steps are too large; `change` is the share of itself by which a kernel changes in a step.
    pub fn diagnose(&self, change: Option<f64>) -> Option<Diagnosis> {
        let change = change.filter(|_| self.count >= 2 * LAST)?;
        let (before, now) = (median(&self.first), median(&self.last));
        let rises = before > 0.0 && now > 3.0 * before && change > 0.01;
        let stays = before > 0.0 && now > 0.9 * before && change > 0.1;
        (rises || stays).then(|| Diagnosis {
            kind: FindingKind::HighLearningRate,
            place: None,
            problem: format!(
                "the loss was {before:.3} in the first batches and is {now:.3}, while a kernel changes by {:.0} % of itself in a \
                 step",
                100.0 * change
            ),
            hint: "lower the learning rate, to a tenth for a start",
        })
    }
}

fn median<'a>(losses: impl IntoIterator<Item = &'a f64>) -> f64 {
    let mut losses: Vec<f64> = losses.into_iter().copied().collect();
    losses.sort_by(f64::total_cmp);
    losses.get(losses.len() / 2).copied().unwrap_or(f64::NAN)
}
