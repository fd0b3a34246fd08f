//! Attention with its projections: what the layers of attention share.

use gradus_autograd::Var;
use gradus_tensor::{Attention, Float, Shape, Tensor};

use super::checks;
use super::rotate::{Angles, rotated};
use super::weights::{WeightOptions, weight_with_options};
use crate::context::Context;
use crate::error::Result;
use crate::layer::{Build, Built, ParamId};
use crate::mask::{MaskRule, and_mask};
use crate::memory::KeyValueCache;
use crate::parts::{Flow, PartRule};
use crate::value::{Spec, Value, ValueKind, Values};

/// The options of a layer of attention.
#[derive(Clone)]
pub(in crate::layers) struct AttentionOptions {
    pub heads: usize,
    pub kv_heads: usize,
    pub key_dim: usize,
    pub value_dim: usize,
    /// The length of the output; that of a query if it is not given.
    pub output: Option<usize>,
    pub use_bias: bool,
    pub dropout: f64,
    pub causal: bool,
    pub scores: bool,
    pub takes_mask: bool,
    pub rope_max_wavelength: Option<f64>,
    /// Of all projections.
    pub kernel: WeightOptions,
    pub bias: WeightOptions,
}

/// x . kernel + bias, from features to heads of some length, or back.
#[derive(Clone, Copy)]
struct Projection {
    kernel: ParamId,
    bias: Option<ParamId>,
    /// The lengths of the last axis or axes of the result.
    to: [usize; 2],
    /// The length of the axes that the kernel takes together.
    from: usize,
}

impl Projection {
    /// Registers the weights: a kernel `[from, heads, length]` and a bias `[heads, length]`.
    fn to_heads<T: Float>(
        build: &mut Build<'_, T>,
        name: &str,
        from: usize,
        to: [usize; 2],
        options: &AttentionOptions,
    ) -> Result<Self> {
        Self::new(build, name, vec![from, to[0], to[1]], to.to_vec(), (from, to), options)
    }

    fn new<T: Float>(
        build: &mut Build<'_, T>,
        name: &str,
        kernel: Vec<usize>,
        bias: Vec<usize>,
        (from, to): (usize, [usize; 2]),
        options: &AttentionOptions,
    ) -> Result<Self> {
        let kernel = weight_with_options(build, &format!("{name}/kernel"), kernel, options.kernel.clone())?;
        let bias = match options.use_bias {
            true => Some(weight_with_options(build, &format!("{name}/bias"), bias, options.bias.clone())?),
            false => None,
        };
        Ok(Projection { kernel, bias, to, from })
    }

    /// x `[n, t, from]` to `[n, t, heads * length]`.
    fn apply<T: Float>(&self, context: &Context<'_, T>, x: &Var<T>) -> Var<T> {
        let width = self.to[0] * self.to[1];
        let kernel = context.weight(self.kernel).reshape([self.from, width]);
        match self.bias {
            Some(bias) => x.matmul_biased(&kernel, &context.weight(bias).reshape([width]), false),
            None => x.matmul(&kernel),
        }
    }

    /// As [`apply`](Projection::apply), with the heads as an axis.
    fn heads<T: Float>(&self, context: &Context<'_, T>, x: &Var<T>) -> Var<T> {
        let [n, t] = [x.shape()[0], x.shape()[1]];
        self.apply(context, x).reshape([n, t, self.to[0], self.to[1]])
    }
}

/// The inputs of a layer of attention: queries, values and keys, and perhaps a mask.
struct Inputs<'a> {
    query: &'a Shape,
    value: &'a Shape,
    key: &'a Shape,
    /// The number of sequences.
    count: usize,
}

impl<'a> Inputs<'a> {
    fn new<T: Float>(build: &Build<'a, T>, takes_mask: bool) -> Result<Self> {
        let count = build.inputs().len() - usize::from(takes_mask).min(build.inputs().len());
        if !(1..=3).contains(&count) {
            let problem = format!("takes a query, a value and a key, found {count} sequences");
            return Err(build.error(problem, "feed it with [query], [query, value] or [query, value, key]"));
        }
        let mut shapes = Vec::new();
        for index in 0..count {
            let shape = build.input_as(index, ValueKind::Floats)?;
            if shape.len() != 2 {
                let problem = format!("takes sequences of shape [length, features], found {shape}");
                return Err(build.error(problem, "join other axes by a Reshape"));
            }
            shapes.push(shape);
        }
        let (query, value) = (shapes[0], shapes[1.min(count - 1)]);
        let key = if count == 3 { shapes[2] } else { value };
        if key[0] != value[0] {
            let problem = format!("keys and values have different lengths: {key} and {value}");
            return Err(build.error(problem, "give a key for each value"));
        }
        if takes_mask {
            let mask = build.input_as(count, ValueKind::Mask)?;
            if **mask != [query[0], key[0]] {
                let expected: Shape = [query[0], key[0]].into();
                let problem = format!("the mask has shape {mask}, {expected} is needed");
                return Err(build.error(problem, "say for each query which keys it sees"));
            }
        }
        Ok(Inputs { query, value, key, count })
    }
}

/// The layer of attention with these options, on the inputs that feed it.
pub(in crate::layers) fn attention_layer<T: Float>(
    build: &mut Build<'_, T>,
    options: AttentionOptions,
) -> Result<Built<T>> {
    let Inputs { query, value, key, count } = Inputs::new(build, options.takes_mask)?;
    let AttentionOptions { heads, kv_heads, key_dim, value_dim, .. } = options;
    let width = options.output.unwrap_or(query[1]);
    if value_dim == 0 || width == 0 {
        let problem = format!("values and outputs need at least one number, found {value_dim} and {width}");
        return Err(build.error(problem, "give a value_dim and an output_shape of 1 or more, or leave them out"));
    }
    if let Some(wavelength) = options.rope_max_wavelength {
        checks::positive("rope_max_wavelength", wavelength).map_err(|(problem, hint)| build.error(problem, hint))?;
    }
    let angles = options.rope_max_wavelength.map(|wavelength| Angles::new(wavelength, 1.0, key_dim));
    if angles.is_some() && !key_dim.is_multiple_of(2) {
        let problem = format!("rotary positions turn pairs of numbers, found a key_dim of {key_dim}");
        return Err(build.error(problem, "give an even key_dim"));
    }
    let parts = Parts::new(build, &options, count)?;
    let to_query = Projection::to_heads(build, "query", query[1], [heads, key_dim], &options)?;
    let to_key = Projection::to_heads(build, "key", key[1], [kv_heads, key_dim], &options)?;
    let to_value = Projection::to_heads(build, "value", value[1], [kv_heads, value_dim], &options)?;
    let from = heads * value_dim;
    let kernel = vec![heads, value_dim, width];
    let to_output = Projection::new(build, "attention_output", kernel, vec![width], (from, [1, width]), &options)?;

    let mut outputs = vec![Spec::floats([query[0], width])];
    if build.inputs()[0].is_masked() {
        outputs[0] = outputs[0].clone().masked();
    }
    if parts.queries {
        outputs[0] = outputs[0].clone().in_parts();
    }
    if options.scores {
        let scores = Spec::floats([heads, query[0], key[0]]);
        outputs.push(if parts.are_some() { scores.flowing(Flow::Never) } else { scores });
    }
    let scale = (key_dim.max(1) as f64).sqrt().recip();
    let (observed, kind) = (build.inner_path("attention_scores"), build.kind());
    let built = Built::of_values(outputs, move |context, inputs| {
        let sequence = |index: usize| inputs[index.min(count - 1)].floats();
        let (x, from_value) = (sequence(0), sequence(1));
        let from_key = if count == 3 { sequence(2) } else { from_value };
        let first = if parts.queries { context.memory().go_on(parts.layer, x.shape()[1]) } else { 0 };
        let turn = |heads: Var<T>, first: usize| match &angles {
            Some(angles) => rotated(&heads, angles, first),
            None => heads,
        };
        let query = turn(to_query.heads(context, x), first);
        // Of keys and values that come whole those of the first call.
        let mut cache = parts.are_some().then(|| context.memory().attention.remove(&parts.layer)).flatten();
        let keys_and_values = match &mut cache {
            Some(cache) if !parts.keys => {
                (Var::from(cache.keys.all()), Var::from(cache.values.all()), cache.mask.clone())
            }
            _ => {
                let first = cache.as_ref().map_or(0, |cache| cache.keys.len());
                let key = turn(to_key.heads(context, from_key), first);
                let value = to_value.heads(context, from_value);
                // Keys are there where both keys and values are.
                let masks = (1.min(count - 1)..count).filter_map(|index| inputs.mask(index));
                let mask = masks.cloned().reduce(|all, mask| and_mask(all, Some(&mask)));
                if parts.are_some() {
                    let cache = KeyValueCache::and(&mut cache, key.value(), value.value(), mask);
                    (Var::from(cache.keys.all()), Var::from(cache.values.all()), cache.mask.clone())
                } else {
                    (key, value, mask)
                }
            }
        };
        if let Some(cache) = cache {
            context.memory().attention.insert(parts.layer, cache);
        }
        let (key, value, mask) = keys_and_values;
        let mut how = Attention::new().scale(scale).causal(options.causal);
        if let Some(mask) = mask {
            how = how.key_mask(mask);
        }
        if options.takes_mask {
            how = how.mask(inputs[count].mask().unsqueeze(1));
        }
        if options.dropout > 0.0
            && let Some(generator) = context.training()
        {
            how = how.dropout(options.dropout, generator.next_u64());
        }
        let attended = query.attention(&key, &value, &how);
        if let Some(path) = &observed {
            context.observe_inner(path, kind, || query.value().attention_weights(key.value(), &how));
        }
        let [n, t] = [x.shape()[0], x.shape()[1]];
        let y = to_output.apply(context, &attended.reshape([n, t, from]));
        let mut results = vec![Value::Floats(y)];
        if options.scores {
            let weights: Tensor<T> = query.value().attention_weights(key.value(), &how);
            results.push(Value::Floats(weights.into()));
        }
        results.into_iter().collect::<Values<T>>().with_mask(0, inputs.mask(0).cloned())
    });
    Ok(built.mask_rule(MaskRule::Known).part_rule(PartRule::Known))
}

/// What comes part by part to a layer of attention.
#[derive(Clone, Copy)]
struct Parts {
    queries: bool,
    keys: bool,
    layer: usize,
}

impl Parts {
    /// Of the inputs of a layer; an error where parts would give something else than the whole.
    fn new<T: Float>(build: &Build<'_, T>, options: &AttentionOptions, count: usize) -> Result<Self> {
        let inputs = build.inputs();
        let flow = |index: usize| inputs[index.min(count - 1)].flow;
        let (queries, keys) = (flow(0) == Flow::Part, flow(1) == Flow::Part);
        let parts = Parts { queries, keys, layer: build.number() };
        if !parts.are_some() {
            return Ok(parts);
        }
        let hint = "call predict with whole sequences";
        if flow(1) != flow(2) && count == 3 {
            return Err(build.error("of keys and values one comes part by part, the other does not", hint));
        }
        if keys && options.takes_mask {
            let problem = "takes a mask of queries and keys, of which it is given a part";
            return Err(build.error(problem, "set use_causal_mask instead, or call predict with whole sequences"));
        }
        if queries && !keys && flow(1) != Flow::Whole {
            return Err(build.error("keys and values change from part to part", hint));
        }
        if queries && keys && !options.causal {
            let problem = "each position sees later ones, and is given a part of the sequence";
            return Err(build.error(problem, "set use_causal_mask, or call predict with whole sequences"));
        }
        if queries != keys && options.causal {
            let problem =
                "of queries and keys, which a causal mask aligns, one comes part by part and the other does not";
            return Err(build.error(problem, "leave out use_causal_mask, or call predict with whole sequences"));
        }
        Ok(parts)
    }

    fn are_some(self) -> bool {
        self.queries || self.keys
    }
}
