//! Layers that walk along sequences from either end.

use gradus_nn::{MergeMode, Result};
use serde::Deserialize;
use serde_json::Value as Json;

use super::elementwise::merge_two;
use super::graph::{Value, int};
use super::nested::inner;
use super::place::Place;
use super::recurrent::{Options, turned, walk};

/// Bidirectional.
pub(super) fn bidirectional(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wrapper {
        layer: Json,
        backward_layer: Option<Json>,
        merge_mode: MergeMode,
    }
    let Wrapper { layer, backward_layer, merge_mode } = place.options(config)?;
    let backward_layer = backward_layer.as_ref().unwrap_or(&layer);
    let Some((x, states)) = inputs.split_first() else { return Err(place.error("it has no inputs", "")) };
    let (of_there, of_back) = states.split_at(states.len() / 2);
    let there = inner(place, "forward", &layer, &[std::slice::from_ref(x), of_there].concat())?;
    let back = way_back(place, backward_layer, x, of_back)?;
    let mask = there.first().and_then(|output| output.mask.clone());
    let (mut there, mut back) = (there.into_iter(), back.into_iter());
    let (Some(a), Some(b)) = (there.next(), back.next()) else {
        return Err(place.error("its layer has no output", ""));
    };
    let ways = [a, b].map(|way| match &mask {
        Some(mask) if way.rank() == x.rank() => place.cleared(&way, mask),
        _ => way,
    });
    let [a, b] = &ways;
    let mut outputs = match merge_mode {
        MergeMode::None => ways.to_vec(),
        MergeMode::Concat => {
            let (a, b) = (a.clone(), place.arranged(b, &a.order));
            let axis = a.place(a.rank()) as i64;
            let mut joined = a.clone();
            joined.name = place.node("Concat", &[&a.name, &b.name], vec![int("axis", axis)]);
            if let Some(last) = joined.shape.last_mut() {
                *last = last.map(format!("{}_features", place.path), |length| 2 * length);
            }
            vec![joined]
        }
        MergeMode::Mul => vec![merge_two(place, "Mul", a, b)?],
        MergeMode::Sum => vec![merge_two(place, "Add", a, b)?],
        MergeMode::Ave => {
            let sum = merge_two(place, "Add", a, b)?;
            vec![place.with_number("Mul", &sum, 0.5)]
        }
    };
    for output in &mut outputs {
        output.mask.clone_from(&mask);
    }
    Ok(outputs.into_iter().chain(there).chain(back).collect())
}

/// The outputs of the layer that walks from the end, those of steps at the places of their steps.
fn way_back(place: &mut Place<'_>, layer: &Json, x: &Value, states: &[Value]) -> Result<Vec<Value>> {
    let kind = layer["layer"].as_str().unwrap_or_default();
    if ["LSTM", "GRU", "SimpleRNN"].contains(&kind) && x.mask.is_none() {
        let mut place = place.within("backward", None, kind);
        let options: Options = place.options(&layer["config"])?;
        if !options.go_backwards {
            return walk(&mut place, &options, &[std::slice::from_ref(x), states].concat(), true);
        }
    }
    let turned = turned(place, x);
    let mut outputs = inner(place, "backward", layer, &[&[turned], states].concat())?;
    let Some(output) = outputs.first_mut() else { return Ok(outputs) };
    if output.rank() != x.rank() || output.rank() == 0 {
        return Ok(outputs);
    }
    // As many axes, and as many steps: outputs of steps.
    let (found, steps) = (&output.shape[0], &x.shape[0]);
    if found == steps {
        let plain = place.plain(output);
        *output = Value { name: place.flipped(&plain.name, 1), ..plain };
    } else if found.fixed().is_none() || steps.fixed().is_none() {
        let problem = "whether its layer gives an output for each step varies with a free length";
        return Err(place.error(problem, "fix the length"));
    }
    Ok(outputs)
}
