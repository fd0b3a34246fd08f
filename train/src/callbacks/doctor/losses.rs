//! Losses that do not fall because the steps are too large.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Diagnosis, median};
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
        self.medians().is_some_and(|(before, now)| now <= 0.5 * before)
    }

    /// The medians of the first and of the last losses, if there are any.
    fn medians(&self) -> Option<(f64, f64)> {
        median(self.first.iter().copied()).zip(median(self.last.iter().copied()))
    }

    /// Whether the steps are too large; `change` is the share of itself by which a kernel changes in a step.
    pub fn diagnose(&self, change: Option<f64>) -> Option<Diagnosis> {
        let change = change.filter(|_| self.count >= 2 * LAST)?;
        let (before, now) = self.medians()?;
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
