//! Sequences of which some steps are padding.
//!
//! The recurrent operators of ONNX know padding at the end of sequences alone. So the steps that are there are moved to the front, and the
//! outputs back to their places. What an operator computes behind them is not used.

use super::graph::{Value, int};
use super::place::Place;
use crate::onnx::proto::element;

/// Which steps of sequences are there, and how they are moved to the front and back.
pub(super) struct There {
    /// The number of steps that are there, up to each place, `[n, steps]`.
    counts: String,
    /// The steps that are there, then the others, `[n, steps, 1]`.
    order: String,
}

impl There {
    pub fn new(place: &mut Place<'_>, x: &Value, mask: &str) -> Self {
        // In 32 bits, and places as floats, which all runtimes add up and sort.
        let counted = place.cast(mask, element::INT32);
        let axis = place.graph.long(1);
        let counts = place.node("CumSum", &[&counted, &axis], vec![]);
        let counts = place.cast(&counts, element::INT64);
        // Those that are there by their places, the others behind them all.
        let (places, steps) = (place.places(x, 1), place.length(x, 1));
        let [places_of, count] = [&places, &steps].map(|numbers| place.cast(numbers, element::FLOAT));
        let behind = place.node("Add", &[&places_of, &count], vec![]);
        let keys = place.node("Where", &[mask, &places_of, &behind], vec![]);
        let attributes = vec![int("axis", 1), int("largest", 0), int("sorted", 1)];
        let order = place.nodes("TopK", &[&keys, &steps], attributes, 2).remove(1);
        let order = place.unsqueezed(&order, 2);
        There { counts, order }
    }

    /// Sequences `[n, steps, features]` with the steps that are there at the front.
    pub fn to_front(&self, place: &mut Place<'_>, x: &Value) -> Value {
        let name = place.node("GatherND", &[&x.name, &self.order], vec![int("batch_dims", 1)]);
        Value { name, mask: None, ..x.clone() }
    }

    /// The last of the outputs `[n, steps, units]` that there are, `[n, units]`; the first state where no step is there.
    pub fn last(&self, place: &mut Place<'_>, y: &str, before: &str) -> String {
        let count = place.slice(&self.counts, 1, [-1, i64::MAX, 1]);
        let last = self.taken(place, y, &count, before);
        place.squeezed(&last, 1)
    }

    /// Outputs `[n, steps, units]` at their places. A step that is not there has that of the step before, or the first state; or 0.
    pub fn to_places(&self, place: &mut Place<'_>, y: &str, before: &str, mask: &str, is_cleared: bool) -> String {
        let y = self.taken(place, y, &self.counts, before);
        if !is_cleared {
            return y;
        }
        let (mask, zero) = (place.unsqueezed(mask, 2), place.graph.number(0.0));
        place.node("Where", &[&mask, &y, &zero], vec![])
    }

    /// For each of these counts `[n, places]` the output of the last of so many steps; for 0 the state before them, or the number 0.
    fn taken(&self, place: &mut Place<'_>, y: &str, counts: &str, before: &str) -> String {
        let (zero, one) = (place.graph.long(0), place.graph.long(1));
        let last = place.node("Sub", &[counts, &one], vec![]);
        let last = place.node("Max", &[&last, &zero], vec![]);
        let last = place.unsqueezed(&last, 2);
        let y = place.node("GatherND", &[y, &last], vec![int("batch_dims", 1)]);
        let is_any = place.node("Greater", &[counts, &zero], vec![]);
        let is_any = place.unsqueezed(&is_any, 2);
        let number = place.graph.number(0.0);
        let before = if before == number { number } else { place.unsqueezed(before, 1) };
        place.node("Where", &[&is_any, &y, &before], vec![])
    }
}
