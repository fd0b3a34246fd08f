//! The order in which Keras has the layers of a functional model. It numbers layers of one class in it, and by these numbers it
//! finds their weights again.

use std::collections::HashMap;

use crate::network::{Network, What};

/// The layers of a network in Keras's order: for each, the numbers of its calls among the network's layers.
///
/// Keras walks from the outputs back to the inputs. First come the layers that are furthest from an output; among those that
/// are as far, the one that the walk has met first. Its `map_graph` is the source.
pub(super) fn in_keras_order(network: &Network) -> Vec<Vec<usize>> {
    let by_name: HashMap<&str, usize> =
        network.layers.iter().enumerate().map(|(index, layer)| (&*layer.name, index)).collect();
    // A layer is known by its first call.
    let first = |index: usize| match &network.layers[index].what {
        What::Shares(of) => by_name.get(&**of).copied().unwrap_or(index),
        What::Layer { .. } => index,
    };
    let feeds: Vec<Vec<usize>> = network
        .layers
        .iter()
        .map(|layer| layer.inputs.iter().filter_map(|input| by_name.get(&*input.of).copied()).collect())
        .collect();
    let count = network.layers.len();
    // The walk: each call behind those that feed it.
    let (mut met, mut finished, mut calls) = (HashMap::new(), vec![false; count], Vec::new());
    for (_, output) in &network.outputs {
        let Some(&output) = by_name.get(&*output.of) else { continue };
        let mut path = vec![(output, 0)];
        while let Some((index, next)) = path.pop() {
            if finished[index] {
                continue;
            }
            if next == 0 {
                let number = met.len();
                met.entry(first(index)).or_insert(number);
            }
            match feeds[index].get(next) {
                Some(&before) => {
                    path.push((index, next + 1));
                    path.push((before, 0));
                }
                None => {
                    finished[index] = true;
                    calls.push(index);
                }
            }
        }
    }
    let (mut of_calls, mut of_layers) = (vec![0; count], HashMap::new());
    for &index in calls.iter().rev() {
        let of_layer = of_layers.entry(first(index)).or_insert(0);
        let depth = of_calls[index].max(*of_layer);
        (of_calls[index], *of_layer) = (depth, depth);
        for &before in &feeds[index] {
            of_calls[before] = of_calls[before].max(depth + 1);
        }
    }
    let mut layers: Vec<usize> = of_layers.keys().copied().collect();
    layers.sort_by_key(|layer| (std::cmp::Reverse(of_layers[layer]), met[layer]));
    let mut of_layer: HashMap<usize, Vec<usize>> = HashMap::new();
    (0..count).for_each(|index| of_layer.entry(first(index)).or_default().push(index));
    layers.into_iter().map(|layer| of_layer.remove(&layer).unwrap_or_default()).collect()
}

/// Two layers of a list of which neither depends on the other, if there are any. Keras's order has the layer that comes first
/// in every order only where one depends on the other.
pub(super) fn side_by_side(network: &Network, layers: &[usize]) -> Option<(usize, usize)> {
    let by_name: HashMap<&str, usize> =
        network.layers.iter().enumerate().map(|(index, layer)| (&*layer.name, index)).collect();
    layers.windows(2).map(|pair| (pair[0], pair[1])).find(|&(before, behind)| {
        let (mut seen, mut from) = (vec![false; network.layers.len()], vec![behind]);
        while let Some(index) = from.pop() {
            if !std::mem::replace(&mut seen[index], true) {
                from.extend(network.layers[index].inputs.iter().filter_map(|input| by_name.get(&*input.of).copied()));
            }
        }
        !seen[before]
    })
}
