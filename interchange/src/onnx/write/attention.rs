//! Attention and the blocks of transformers, in products and softmaxes.

use gradus_nn::{Activation, Result};
use gradus_tensor::Tensor;
use serde::Deserialize;
use serde_json::Value as Json;

use super::features::dense_of;
use super::graph::{Length, Target, Value};
use super::place::Place;
use super::positions::rotated;

/// What the layers of attention have in common.
struct Attention {
    heads: usize,
    kv_heads: usize,
    key_dim: usize,
    value_dim: usize,
    /// The features of the output; those of the query if it is not said.
    output: Option<usize>,
    use_bias: bool,
    causal: bool,
    takes_mask: bool,
    scores: bool,
    rope_max_wavelength: Option<f64>,
}

/// MultiHeadAttention.
pub(super) fn multi_head(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        num_heads: usize,
        key_dim: usize,
        value_dim: Option<usize>,
        use_bias: bool,
        output_shape: Option<usize>,
        use_causal_mask: bool,
        use_attention_mask: bool,
        return_attention_scores: bool,
        rope_max_wavelength: Option<f64>,
    }
    let options: Options = place.options(config)?;
    let attention = Attention {
        heads: options.num_heads,
        kv_heads: options.num_heads,
        key_dim: options.key_dim,
        value_dim: options.value_dim.unwrap_or(options.key_dim),
        output: options.output_shape,
        use_bias: options.use_bias,
        causal: options.use_causal_mask,
        takes_mask: options.use_attention_mask,
        scores: options.return_attention_scores,
        rope_max_wavelength: options.rope_max_wavelength,
    };
    attention.write(place, inputs)
}

/// GroupedQueryAttention.
pub(super) fn grouped_query(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        head_dim: usize,
        num_query_heads: usize,
        num_key_value_heads: usize,
        use_bias: bool,
        use_causal_mask: bool,
        use_attention_mask: bool,
        return_attention_scores: bool,
        rope_max_wavelength: Option<f64>,
    }
    let options: Options = place.options(config)?;
    let attention = Attention {
        heads: options.num_query_heads,
        kv_heads: options.num_key_value_heads,
        key_dim: options.head_dim,
        value_dim: options.head_dim,
        output: None,
        use_bias: options.use_bias,
        causal: options.use_causal_mask,
        takes_mask: options.use_attention_mask,
        scores: options.return_attention_scores,
        rope_max_wavelength: options.rope_max_wavelength,
    };
    attention.write(place, inputs)
}

impl Attention {
    fn write(&self, place: &mut Place<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
        let count = inputs.len() - usize::from(self.takes_mask).min(inputs.len());
        if !(1..=3).contains(&count) {
            return Err(place.error(format!("takes a query, a value and a key, found {count} sequences"), ""));
        }
        let (query, value, key) = (&inputs[0], &inputs[1.min(count - 1)], &inputs[count - 1]);
        let width = match self.output {
            Some(width) => Some(width),
            None => query.length(2),
        };
        let width = width.ok_or_else(|| place.error("the number of its features is free", "fix it"))?;
        let Attention { heads, kv_heads, .. } = *self;
        let group = heads / kv_heads;

        let queries = self.heads(place, "query", query, heads, self.key_dim)?;
        let queries = self.turned(place, &queries);
        let keys = self.heads(place, "key", key, kv_heads, self.key_dim)?;
        let keys = self.turned(place, &keys);
        let values = self.heads(place, "value", value, kv_heads, self.value_dim)?;
        // `[n, kv_heads, group, length, d]`, so that the heads of a group meet the same keys.
        let queries = self.cut(place, &queries, [kv_heads, group], self.key_dim);
        let queries = place.transposed(&queries, &[0, 2, 3, 1, 4]);
        let scale = place.graph.number((self.key_dim.max(1) as f64).sqrt().recip());
        let queries = place.node("Mul", &[&queries, &scale], vec![]);
        let keys = self.cut(place, &keys, [kv_heads, 1], self.key_dim);
        let keys = place.transposed(&keys, &[0, 2, 3, 4, 1]);
        let values = self.cut(place, &values, [kv_heads, 1], self.value_dim);
        let values = place.transposed(&values, &[0, 2, 3, 1, 4]);
        let scores = place.node("MatMul", &[&queries, &keys], vec![]);
        let seen = self.seen(place, inputs, count)?;
        let weights = match &seen {
            None => place.softmax(&scores, -1),
            // A large number and not infinity: the softmax of a query that sees no key must not be NaN. It becomes 0 afterwards.
            Some(seen) => {
                let (lowest, zero) = (place.graph.number(-1e30), place.graph.number(0.0));
                let scores = place.node("Where", &[seen, &scores, &lowest], vec![]);
                let weights = place.softmax(&scores, -1);
                place.node("Where", &[seen, &weights, &zero], vec![])
            }
        };
        let attended = place.node("MatMul", &[&weights, &values], vec![]);
        let attended = place.transposed(&attended, &[0, 3, 1, 2, 4]);
        let from = heads * self.value_dim;
        let attended = Value::new(attended, vec![query.shape[0].clone()]);
        let to = [Target::Of(&attended, 0), Target::Of(query, 1), Target::Is(from)];
        let attended = place.reshaped(&attended, &to, vec![query.shape[0].clone(), Length::Is(from)]);
        let y = self.projected(place, "attention_output", &attended, from, width)?;
        let mut outputs = vec![y.with_mask(query.mask.clone())];
        if self.scores {
            let shape = vec![Length::Is(heads), query.shape[0].clone(), key.shape[0].clone()];
            let weights = Value::new(weights, shape.clone());
            let to = [Target::Of(&weights, 0), Target::Is(heads), Target::Of(query, 1), Target::Of(key, 1)];
            outputs.push(place.reshaped(&weights, &to, shape));
        }
        Ok(outputs)
    }

    /// x . kernel + bias, where kernel and bias have an axis of heads.
    fn projected(&self, place: &mut Place<'_>, name: &str, x: &Value, from: usize, to: usize) -> Result<Value> {
        let flat = |shape: Vec<usize>| move |weight: Tensor<f32>| Ok(weight.reshape(shape));
        let kernel = place.turned(&format!("{name}/kernel"), "flat", flat(vec![from, to]))?;
        let bias = match self.use_bias {
            true => Some(place.turned(&format!("{name}/bias"), "flat", flat(vec![to]))?),
            false => None,
        };
        Ok(place.product(x, &kernel, bias.as_deref(), to))
    }

    /// The heads of a sequence, `[n, length, heads, d]`.
    fn heads(&self, place: &mut Place<'_>, name: &str, x: &Value, heads: usize, d: usize) -> Result<Value> {
        let from = x.length(2).ok_or_else(|| place.error("the number of its features is free", "fix it"))?;
        let y = self.projected(place, name, x, from, heads * d)?;
        let to = [Target::Of(&y, 0), Target::Of(&y, 1), Target::Is(heads), Target::Is(d)];
        let shape = vec![y.shape[0].clone(), Length::Is(heads), Length::Is(d)];
        Ok(place.reshaped(&y, &to, shape))
    }

    /// Heads turned by the angles of their positions, if the layer does that.
    fn turned(&self, place: &mut Place<'_>, heads: &Value) -> Value {
        match self.rope_max_wavelength {
            Some(wavelength) => rotated(place, heads, wavelength, 1.0),
            None => heads.clone(),
        }
    }

    /// Heads in groups, `[n, length, kv_heads, group, d]`.
    fn cut(&self, place: &mut Place<'_>, heads: &Value, [kv_heads, group]: [usize; 2], d: usize) -> String {
        let to = [Target::Of(heads, 0), Target::Of(heads, 1), Target::Is(kv_heads), Target::Is(group), Target::Is(d)];
        let lengths = [kv_heads, group, d].map(Length::Is);
        let shape = std::iter::once(heads.shape[0].clone()).chain(lengths).collect();
        place.reshaped(heads, &to, shape).name
    }

    /// Which keys each query sees, in a shape that broadcasts to `[n, kv_heads, group, queries, keys]`; `None` if all.
    fn seen(&self, place: &mut Place<'_>, inputs: &[Value], count: usize) -> Result<Option<String>> {
        let (query, key) = (&inputs[0], &inputs[count - 1]);
        // Keys are there where both keys and values are.
        let masks: Vec<Option<String>> =
            inputs[1.min(count - 1)..count].iter().map(|input| input.mask.clone()).collect();
        let mut seen = Vec::new();
        if let Some(mask) = place.common_mask(&masks) {
            let axes = place.graph.longs(&[1, 2, 3]);
            seen.push(Some(place.node("Unsqueeze", &[&mask, &axes], vec![])));
        }
        if self.takes_mask {
            let mask = &inputs[count];
            let axes = place.graph.longs(&[1, 2]);
            let plain = place.plain(mask);
            seen.push(Some(place.node("Unsqueeze", &[&plain.name, &axes], vec![])));
        }
        if self.causal {
            seen.push(Some(causal(place, query, key)));
        }
        Ok(place.common_mask(&seen))
    }
}

/// A table `[queries, keys]`: each query sees the keys up to its place; the last query stands at the place of the last key.
fn causal(place: &mut Place<'_>, query: &Value, key: &Value) -> String {
    if let (Some(queries), Some(keys)) = (query.length(1), key.length(1)) {
        let seen = (0..queries * keys).map(|i| i % keys + queries <= i / keys + keys);
        return place.graph.truths(&[queries, keys], seen);
    }
    let (of_queries, of_keys) = (place.places(query, 1), place.places(key, 1));
    let (queries, keys) = (place.length(query, 1), place.length(key, 1));
    let ahead = place.node("Sub", &[&keys, &queries], vec![]);
    let of_queries = place.node("Add", &[&of_queries, &ahead], vec![]);
    let of_queries = place.unsqueezed(&of_queries, 1);
    place.node("GreaterOrEqual", &[&of_queries, &of_keys], vec![])
}

/// TransformerEncoder and TransformerDecoder.
pub(super) fn transformer(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        intermediate_dim: usize,
        num_heads: usize,
        activation: Activation,
        layer_norm_epsilon: f64,
        normalize_first: bool,
        #[serde(default)]
        use_causal_mask: bool,
        return_attention_scores: bool,
    }
    let options: Options = place.options(config)?;
    let Some(x) = inputs.first() else { return Err(place.error("it has no inputs", "")) };
    let x = place.plain(x);
    let features = x.length(2).ok_or_else(|| place.error("the number of its features is free", "fix it"))?;
    let attention = |causal: bool, scores: bool| Attention {
        heads: options.num_heads,
        kv_heads: options.num_heads,
        key_dim: features / options.num_heads,
        value_dim: features / options.num_heads,
        output: None,
        use_bias: true,
        causal,
        takes_mask: false,
        scores,
        rope_max_wavelength: None,
    };
    let mask = x.mask.clone();
    // x + body(x), normalised before or after; and what the body gives besides.
    type Body<'b> = dyn Fn(&mut Place<'_>, &Value) -> Result<Vec<Value>> + 'b;
    let part = |place: &mut Place<'_>, norm: &str, x: &Value, body: &Body<'_>| -> Result<(Value, Option<Value>)> {
        let normed = |place: &mut Place<'_>, x: &Value| -> Result<Value> {
            let [gamma, beta] = ["gamma", "beta"].map(|weight| place.written(&format!("{norm}/{weight}")));
            Ok(place.layer_normalization(x, 2, [Some(&gamma?), Some(&beta?)], options.layer_norm_epsilon))
        };
        let input = if options.normalize_first { normed(place, x)? } else { x.clone() };
        let mut outputs = body(place, &input.with_mask(mask.clone()))?.into_iter();
        let y = outputs.next().ok_or_else(|| place.error("a part has no output", ""))?;
        let y = place.each("Add", &y, &[&x.name], vec![]);
        Ok((if options.normalize_first { y } else { normed(place, &y)? }, outputs.next()))
    };
    let of_other = inputs.get(1);
    let own_scores = options.return_attention_scores && of_other.is_none();
    let itself = attention(options.use_causal_mask, own_scores);
    let (mut y, mut scores) = part(place, "self_attention_layer_norm", &x, &|place, x| {
        itself.write(&mut place.within("self_attention", None, "MultiHeadAttention"), std::slice::from_ref(x))
    })?;
    if let Some(encoded) = of_other {
        let attention = attention(false, options.return_attention_scores);
        (y, scores) = part(place, "cross_attention_layer_norm", &y, &|place, x| {
            let mut place = place.within("cross_attention", None, "MultiHeadAttention");
            attention.write(&mut place, &[x.clone(), encoded.clone()])
        })?;
    }
    let (y, _) = part(place, "feedforward_layer_norm", &y, &|place, x| {
        let mut inner = place.within("feedforward_intermediate_dense", None, "Dense");
        let hidden = dense_of(&mut inner, x, options.intermediate_dim, options.activation, true)?;
        let mut inner = place.within("feedforward_output_dense", None, "Dense");
        Ok(vec![dense_of(&mut inner, &hidden, features, Activation::Linear, true)?])
    })?;
    Ok(std::iter::once(y.with_mask(mask)).chain(scores).collect())
}
