//! Networks, and layers around other layers.

use std::collections::HashMap;

use gradus_nn::{Activation, Result};
use serde::Deserialize;
use serde_json::Value as Json;

use super::elementwise::{activate, merge_two};
use super::graph::{Length, Target, Value, lengths};
use super::place::{Place, join};
use super::{Masks, row};
use crate::network::{Network, What};

/// Writes a layer; its place is within that of the network or layer around it.
pub(super) fn layer(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    let Some((masks, write)) = row(&place.kind) else {
        return Err(place.error("ONNX cannot hold such a layer", "write it with layers of this crate"));
    };
    if masks == Masks::Unknown && inputs.iter().any(|input| input.mask.is_some()) {
        return Err(place.error("it is given a mask, which is not written for it", "end the mask before it"));
    }
    let mut outputs = write(place, config, inputs)?;
    if masks == Masks::Kept {
        let mask = place.common_mask(inputs.iter().map(|input| &input.mask));
        outputs.iter_mut().for_each(|output| output.mask.clone_from(&mask));
    }
    // The model knows the shapes, but for layers of a network that is used again.
    let Some(known) = place.layers.get(&*place.path) else { return Ok(outputs) };
    for (output, shape) in outputs.iter_mut().zip(&known.outputs) {
        let agrees =
            |(found, expected): (&Length, &Option<usize>)| found.fixed().is_none_or(|found| Some(found) == *expected);
        if output.rank() != shape.len() || !output.shape.iter().zip(shape.iter()).all(agrees) {
            let problem = format!("its output would have the shape {:?}, not {shape}", output.shape);
            return Err(place.error(problem, "this is a mistake of the writer: file an issue"));
        }
        for (found, expected) in output.shape.iter_mut().zip(shape.iter()) {
            if let Some(expected) = expected {
                *found = Length::Is(*expected);
            }
        }
    }
    Ok(outputs)
}

/// A layer within another, from what a `LayerHandle` writes.
pub(super) fn inner(place: &mut Place<'_>, name: &str, handle: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    let kind = handle["layer"].as_str().unwrap_or_default();
    layer(&mut place.within(name, None, kind), &handle["config"], inputs)
}

/// Sequential and Graph: a network within another.
pub(super) fn network(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    walk(place, &Network::from_json(config)?, inputs)
}

/// The outputs of a network. A layer that cannot be written is noted, and the next ones are looked at, so that all are known.
pub(super) fn walk(place: &mut Place<'_>, network: &Network, inputs: &[Value]) -> Result<Vec<Value>> {
    let mut values: HashMap<&str, Vec<Value>> = HashMap::new();
    for (name, input) in network.inputs.iter().zip(inputs) {
        values.insert(name, vec![input.clone()]);
    }
    let find = |place: &Place<'_>, values: &HashMap<&str, Vec<Value>>, of: &str, output: usize| {
        let found = values.get(of).and_then(|outputs| outputs.get(output)).cloned();
        found.ok_or_else(|| place.error(format!("there is no output {output} of {of:?}"), ""))
    };
    for node in &network.layers {
        let mut given = Vec::with_capacity(node.inputs.len());
        for source in &node.inputs {
            given.push(find(place, &values, &source.of, source.output)?);
        }
        let (shares, what) = match &node.what {
            What::Shares(name) => {
                let other = network.layers.iter().find(|other| other.name == *name).map(|other| &other.what);
                (Some(&**name), other)
            }
            what => (None, Some(what)),
        };
        let Some(What::Layer { kind, config }) = what else {
            return Err(place.error(format!("the layer {:?} shares one that there is not", node.name), ""));
        };
        let written = layer(&mut place.within(&node.name, shares, kind), config, &given);
        let outputs = match written {
            Ok(outputs) => outputs,
            Err(error) => {
                let path = join(&place.path, &node.name);
                let Some(known) = place.layers.get(&*path) else { return Err(error) };
                place.problems.push(error);
                known.outputs.iter().map(|shape| Value::new(path.clone(), lengths(&path, shape))).collect()
            }
        };
        values.insert(&node.name, outputs);
    }
    network.outputs.iter().map(|(_, source)| find(place, &values, &source.of, source.output)).collect()
}

/// Residual: layers and a shortcut around them.
pub(super) fn residual(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        body: Json,
        shortcut: Option<Json>,
        activation: Activation,
    }
    let Options { body, shortcut, activation } = place.options(config)?;
    let body = inner(place, "body", &body, inputs)?;
    let around = match &shortcut {
        Some(shortcut) => inner(place, "shortcut", shortcut, inputs)?,
        None => inputs.to_vec(),
    };
    let (body, around) = (place.one(&body)?.clone(), place.one(&around)?.clone());
    let sum = merge_two(place, "Add", &body, &around)?;
    let mask = place.common_mask([&body.mask, &around.mask]);
    Ok(vec![activate(place, activation, &sum).with_mask(mask)])
}

/// TimeDistributed: the steps of all samples are samples of the layer within.
pub(super) fn time_distributed(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        layer: Json,
    }
    let Options { layer } = place.options(config)?;
    let x = place.one(inputs)?;
    let x = place.plain(x);
    let mut to = vec![Target::Rest];
    to.extend((2..=x.rank()).map(|axis| Target::Of(&x, axis)));
    let steps = place.reshaped(&x, &to, x.shape[1..].to_vec());
    let y = inner(place, "layer", &layer, &[steps])?;
    let y = place.one(&y)?;
    let y = place.plain(y);
    let mut to = vec![Target::Of(&x, 0), Target::Of(&x, 1)];
    to.extend((1..=y.rank()).map(|axis| Target::Of(&y, axis)));
    let shape = std::iter::once(&x.shape[0]).chain(&y.shape).cloned().collect();
    Ok(vec![place.reshaped(&y, &to, shape).with_mask(x.mask.clone())])
}
