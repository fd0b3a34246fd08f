//! Sequences of which some steps are padding.
//!
//! The recurrent operators of ONNX know padding at the end of sequences alone. So the steps that are there are moved to the front, and the
//! outputs back to their places.

use super::graph::{Value, int};
use super::place::Place;
use crate::onnx::proto::element;

/// Which steps of sequences are there, and how they are moved to the front and back.
pub(super) struct There {
    /// The lengths of the sequences, 1 at least; for the operator, `[n]`.
    pub lengths: String,
    /// Whether there is a step at all, `[n]`.
    pub is_any: String,
    /// The number of steps that are there, up to each place, `[n, steps]`.
    counts: String,
    /// The steps that are there, then the others, `[n, steps, 1]`.
    order: String,
}

impl There {
    pub fn new(place: &mut Place<'_>, x: &Value, mask: &str) -> Self {
        let counted = place.counted(mask);
        let axis = place.graph.long(1);
        let counts = place.node("CumSum", &[&counted, &axis], vec![]);
        let count = place.reduced("ReduceSum", &counted, &[1], false);
        let (zero, one) = (place.graph.long(0), place.graph.long(1));
        let is_any = place.node("Greater", &[&count, &zero], vec![]);
        let lengths = place.node("Max", &[&count, &one], vec![]);
        let lengths = place.cast(&lengths, element::INT32);
        // Those that are there by their places, the others behind them all.
        let places = place.places(x, 1);
        let steps = place.length(x, 1);
        let behind = place.node("Add", &[&places, &steps], vec![]);
        let keys = place.node("Where", &[mask, &places, &behind], vec![]);
        let attributes = vec![int("axis", 1), int("largest", 0), int("sorted", 1)];
        let order = place.nodes("TopK", &[&keys, &steps], attributes, 2).remove(1);
        let order = place.unsqueezed(&order, 2);
        There { lengths, is_any, counts, order }
    }

    /// Sequences `[n, steps, features]` with the steps that are there at the front.
    pub fn to_front(&self, place: &mut Place<'_>, x: &Value) -> Value {
        let name = place.node("GatherND", &[&x.name, &self.order], vec![int("batch_dims", 1)]);
        Value { name, mask: None, ..x.clone() }
    }

    /// Outputs `[n, steps, units]` at their places. A step that is not there has that of the step before, or the first state; or 0.
    pub fn to_places(&self, place: &mut Place<'_>, y: &str, before: &str, mask: &str, is_cleared: bool) -> String {
        let (zero, one) = (place.graph.long(0), place.graph.long(1));
        let last = place.node("Sub", &[&self.counts, &one], vec![]);
        let last = place.node("Max", &[&last, &zero], vec![]);
        let last = place.unsqueezed(&last, 2);
        let y = place.node("GatherND", &[y, &last], vec![int("batch_dims", 1)]);
        let number = place.graph.number(0.0);
        if is_cleared {
            let mask = place.unsqueezed(mask, 2);
            return place.node("Where", &[&mask, &y, &number], vec![]);
        }
        let is_later = place.node("Greater", &[&self.counts, &zero], vec![]);
        let is_later = place.unsqueezed(&is_later, 2);
        let before = if before == number { number } else { place.unsqueezed(before, 1) };
        place.node("Where", &[&is_later, &y, &before], vec![])
    }
}
