//! Fully connected layers, tables of vectors for ids, and padding told by values.

use gradus_nn::{Activation, CategoryMode, Result};
use gradus_tensor::Tensor;
use serde::Deserialize;
use serde_json::Value as Json;

use super::elementwise::activate;
use super::graph::{Length, Value, int};
use super::place::Place;
use crate::onnx::proto::element;

/// Dense.
pub(super) fn dense(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        units: usize,
        activation: Activation,
        use_bias: bool,
    }
    let Options { units, activation, use_bias } = place.options(config)?;
    let x = place.one(inputs)?.clone();
    Ok(vec![dense_of(place, &x, units, activation, use_bias)?])
}

/// activation(x . kernel + bias)
pub(super) fn dense_of(
    place: &mut Place<'_>,
    x: &Value,
    units: usize,
    activation: Activation,
    use_bias: bool,
) -> Result<Value> {
    let kernel = place.written("kernel")?;
    let bias = if use_bias { Some(place.written("bias")?) } else { None };
    let y = place.product(x, &kernel, bias.as_deref(), units);
    Ok(activate(place, activation, &y))
}

/// Options of tables of vectors; not all have all of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(alias = "vocabulary_size")]
    input_dim: usize,
    #[serde(alias = "embedding_dim")]
    output_dim: usize,
    mask_zero: bool,
    /// The positions that a TokenAndPositionEmbedding knows.
    #[serde(default)]
    sequence_length: usize,
}

/// Embedding.
pub(super) fn embedding(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    let table: Table = place.options(config)?;
    let ids = place.one(inputs)?.clone();
    let weight = place.written("embeddings")?;
    Ok(vec![looked_up(place, &ids, &weight, &table)])
}

/// The vectors of ids, with the mask of those that are not 0 if there is to be one.
fn looked_up(place: &mut Place<'_>, ids: &Value, weight: &str, table: &Table) -> Value {
    let ids = place.plain(ids);
    let name = place.node("Gather", &[weight, &ids.name], vec![int("axis", 0)]);
    let mut shape = ids.shape.clone();
    shape.push(Length::Is(table.output_dim));
    let mask = if table.mask_zero {
        let zero = place.graph.long(0);
        let is_zero = place.node("Equal", &[&ids.name, &zero], vec![]);
        let is_there = place.node("Not", &[&is_zero], vec![]);
        place.common_mask([&Some(is_there), &ids.mask])
    } else {
        ids.mask.clone()
    };
    Value::new(name, shape).with_mask(mask)
}

/// ReversibleEmbedding: from ids to vectors, and from vectors to logits of the ids.
pub(super) fn reversible(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    let table: Table = place.options(config)?;
    let x = place.one(inputs)?.clone();
    if x.element == element::FLOAT {
        let kernel = place.turned("embeddings", "turned", |weight| Ok(weight.t()))?;
        return Ok(vec![place.product(&x, &kernel, None, table.input_dim).with_mask(x.mask)]);
    }
    let weight = place.written("embeddings")?;
    Ok(vec![looked_up(place, &x, &weight, &table)])
}

/// TokenAndPositionEmbedding: the vector of an id and that of its place.
pub(super) fn token_and_position(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    let table: Table = place.options(config)?;
    let ids = place.one(inputs)?.clone();
    let tokens = place.written("token_embedding/embeddings")?;
    let rows = first_rows(place, "position_embedding/embeddings", &ids, table.sequence_length)?;
    let vectors = looked_up(place, &ids, &tokens, &table);
    Ok(vec![place.each("Add", &vectors, &[&rows], vec![])])
}

/// PositionEmbedding: for each sample the vectors of the places.
pub(super) fn position(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        sequence_length: usize,
    }
    let Options { sequence_length } = place.options(config)?;
    let x = place.one(inputs)?.clone();
    let rows = first_rows(place, "embeddings", &x, sequence_length)?;
    Ok(vec![for_each_sample(place, &rows, &x)])
}

/// The first rows of a table, as many as sequences have positions.
fn first_rows(place: &mut Place<'_>, weight: &str, x: &Value, most: usize) -> Result<String> {
    let rows = place.written(weight)?;
    if x.length(1) == Some(most) {
        return Ok(rows);
    }
    let (zero, length) = (place.graph.longs(&[0]), place.length(x, 1));
    Ok(place.node("Slice", &[&rows, &zero, &length, &zero], vec![]))
}

/// A table `[length, features]` for each sample of a batch of sequences.
pub(super) fn for_each_sample(place: &mut Place<'_>, rows: &str, x: &Value) -> Value {
    let batch = place.length(x, 0);
    let ones = place.graph.longs(&[1, 1]);
    let lengths = place.node("Concat", &[&batch, &ones], vec![int("axis", 0)]);
    let name = place.node("Expand", &[rows, &lengths], vec![]);
    Value::new(name, x.shape.clone())
}

/// CategoryEncoding: ids as vectors of zeros and ones, or of counts.
pub(super) fn categories(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        num_tokens: usize,
        output_mode: CategoryMode,
    }
    let Options { num_tokens, output_mode } = place.options(config)?;
    let ids = place.one(inputs)?;
    let mut ids = place.plain(ids);
    if output_mode == CategoryMode::OneHot && ids.length(ids.rank()) == Some(1) {
        ids.name = place.squeezed(&ids.name, -1);
        ids.shape.pop();
    }
    let depth = place.graph.long(num_tokens as i64);
    let values = place.graph.table(&Tensor::new([0.0, 1.0]));
    let rows = place.node("OneHot", &[&ids.name, &depth, &values], vec![int("axis", -1)]);
    if output_mode == CategoryMode::OneHot || ids.rank() == 0 {
        let shape = ids.shape.iter().cloned().chain([Length::Is(num_tokens)]).collect();
        return Ok(vec![Value::new(rows, shape)]);
    }
    let op = if output_mode == CategoryMode::Count { "ReduceSum" } else { "ReduceMax" };
    Ok(vec![Value::new(place.reduced(op, &rows, &[1], false), vec![Length::Is(num_tokens)])])
}

/// Masking: positions whose features are all of one value are padding.
pub(super) fn masking(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        mask_value: f64,
    }
    let Options { mask_value } = place.options(config)?;
    let x = place.one(inputs)?;
    let x = place.plain(x);
    let is_value = place.with_number("Equal", &x, mask_value).name;
    let is_other = place.node("Not", &[&is_value], vec![]);
    let counted = place.counted(&is_other);
    let count = place.reduced("ReduceSum", &counted, &[2], false);
    let zero = place.graph.long(0);
    let is_there = place.node("Greater", &[&count, &zero], vec![]);
    let mask = place.common_mask([&Some(is_there), &x.mask]);
    let y = mask.as_ref().map_or_else(|| x.clone(), |mask| place.cleared(&x, mask));
    Ok(vec![y.with_mask(mask)])
}
