//! Attention, and the rotation of positions.

use gradus_autograd::Var;
use gradus_tensor::{Attention, Float, Shape, Tensor};

use super::call::{Call, Outputs, broadcast, floats, sized};
use super::value::{Kind, Value, concat};

/// Floats as `[n, heads, length, size]`, from that or from `[n, length, heads size]`.
fn in_heads<T: Float>(x: &Var<T>, heads: i64, what: &str) -> Result<Var<T>, String> {
    match x.shape()[..] {
        [_, _, _, _] => Ok(x.clone()),
        [n, length, width] => {
            let heads = usize::try_from(heads).ok().filter(|heads| *heads > 0 && width.is_multiple_of(*heads));
            let heads = heads.ok_or_else(|| format!("{what} of {width} features are not of so many heads"))?;
            Ok(x.reshape([n, length, heads, width / heads]).swap_axes(1, 2))
        }
        _ => Err(format!("{what} should have three or four axes, found {}", x.shape())),
    }
}

/// A new part behind one of before.
fn behind<T: Float>(past: Option<&Var<T>>, new: Var<T>) -> Result<Var<T>, String> {
    let Some(past) = past else { return Ok(new) };
    match concat(&[&Value::Floats(past.clone()), &Value::Floats(new)], 2)? {
        Value::Floats(all) => Ok(all),
        _ => Err("keys and values should be floats".to_owned()),
    }
}

/// Which keys are seen by which queries, and what is added to the scores.
struct Masks<T: Float> {
    seen: Option<Tensor<bool>>,
    added: Option<Var<T>>,
}

/// A query that sees no key gets zeros.
pub(crate) fn attention<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let is_flat = call.floats(0)?.ndim() == 3;
    let (q_heads, kv_heads) = (call.int("q_num_heads", 0)?, call.int("kv_num_heads", 0)?);
    let q = in_heads(call.floats(0)?, q_heads, "the queries")?;
    let past = call.optional_floats(4)?;
    let k = behind(past, in_heads(call.floats(1)?, kv_heads, "the keys")?)?;
    let v = behind(call.optional_floats(5)?, in_heads(call.floats(2)?, kv_heads, "the values")?)?;
    let (&[n, heads, tq, d], &[kn, kv, tk, kd], &[vn, v_heads, vt, dv]) =
        (&q.shape()[..], &k.shape()[..], &v.shape()[..])
    else {
        return Err("queries, keys and values should have as many axes".to_owned());
    };
    if kn != n || vn != n || kd != d || v_heads != kv || vt != tk || kv == 0 || !heads.is_multiple_of(kv) || d == 0 {
        return Err(format!(
            "queries {}, keys {} and values {} do not fit each other",
            q.shape(),
            k.shape(),
            v.shape()
        ));
    }
    sized(&Shape::from([n, heads, tq, tk]))?;
    let scale = match call.has("scale") {
        true => call.float("scale", 0.0)?,
        false => 1.0 / (d as f64).sqrt(),
    };
    let softcap = call.float("softcap", 0.0)?;
    let is_causal = call.flag("is_causal", false)?;
    let past_length = past.map_or(0, |past| past.shape()[2]);
    let shape = Shape::from([n, heads, tq, tk]);
    let masks = masks(call, &shape)?;
    if call.trial && !call.wants(3) {
        let output = if is_flat { Shape::from([n, tq, heads * dv]) } else { Shape::from([n, heads, tq, dv]) };
        return Ok(vec![Value::zeros(Kind::Floats, &output), Value::Floats(k), Value::Floats(v)]);
    }
    let is_aligned = tk - past_length == tq;
    let plain = softcap == 0.0 && masks.added.is_none() && (!is_causal || is_aligned) && !call.wants(3) && tk > 0;
    let (y, scores) = if plain {
        let how = Attention::new().scale(scale).causal(is_causal);
        let how = masks.seen.map_or(how.clone(), |seen| how.mask(seen));
        let y = q.swap_axes(1, 2).attention(&k.swap_axes(1, 2), &v.swap_axes(1, 2), &how);
        (y.swap_axes(1, 2), None)
    } else {
        let masks = if is_causal { masks.and(causal(tq, tk, past_length)) } else { masks };
        let (y, scores) = by_parts(call, &q, [&repeated(&k, heads), &repeated(&v, heads)], &masks, scale, softcap)?;
        (y, Some(scores))
    };
    let y = if is_flat { y.swap_axes(1, 2).reshape([n, tq, heads * dv]) } else { y };
    let mut outputs = vec![Value::Floats(y), Value::Floats(k), Value::Floats(v)];
    outputs.extend(scores.map(Value::Floats));
    Ok(outputs)
}

/// Attention of which the scores are asked for, or to which something is added: the output and the scores.
fn by_parts<T: Float>(
    call: &Call<'_, T>,
    q: &Var<T>,
    [k, v]: [&Var<T>; 2],
    masks: &Masks<T>,
    scale: f64,
    softcap: f64,
) -> Result<(Var<T>, Var<T>), String> {
    let raw = (q * T::of(scale)).matmul(&k.swap_axes(2, 3));
    let capped = if softcap > 0.0 { (&raw / T::of(softcap)).tanh() * T::of(softcap) } else { raw.clone() };
    let biased = masks.added.as_ref().map_or_else(|| capped.clone(), |added| &capped + added);
    let biased = match &masks.seen {
        Some(seen) => Var::where_(seen, biased, T::LOWEST),
        None => biased,
    };
    // A row in which no key is seen.
    let is_blind = biased.value().greater(T::LOWEST).any(gradus_tensor::keepdims(3)).logical_not();
    let weights = Var::where_(&is_blind, T::ZERO, &biased).softmax(3);
    let weights = Var::where_(&is_blind, T::ZERO, weights);
    let y = weights.matmul(v);
    let scores = match call.int("qk_matmul_output_mode", 0)? {
        0 => raw,
        1 => capped,
        2 => biased,
        3 => weights,
        other => return Err(format!("the qk_matmul_output_mode {other} is not known")),
    };
    Ok((y, scores))
}

/// Each head of keys or values as often as queries share it.
fn repeated<T: Float>(x: &Var<T>, heads: usize) -> Var<T> {
    match x.shape()[..] {
        [n, kv, length, size] if kv != heads => {
            let times = heads / kv;
            x.unsqueeze(2).broadcast_to([n, kv, times, length, size]).reshape([n, heads, length, size])
        }
        _ => x.clone(),
    }
}

/// The masks that are given, for scores of this shape.
fn masks<T: Float>(call: &Call<'_, T>, shape: &Shape) -> Result<Masks<T>, String> {
    let (n, tk) = (shape[0], shape[3]);
    let mut masks = Masks { seen: None, added: None };
    if let Some(mask) = call.optional(3) {
        let length = mask.shape().last().copied().unwrap_or(tk);
        // A mask that is shorter hides the keys behind it.
        let mut widths = vec![(0, 0); mask.shape().len()];
        if let Some(last) = widths.last_mut() {
            last.1 = tk.saturating_sub(length);
        }
        let mut padded = mask.shape().to_vec();
        padded.iter_mut().zip(&widths).for_each(|(length, (_, after))| *length += after);
        if &broadcast(&padded.into(), shape)? != shape {
            return Err(format!("a mask of shape {} does not broadcast to {shape}", mask.shape()));
        }
        match mask {
            Value::Mask(seen) => masks.seen = Some(seen.pad(&widths, false)),
            Value::Floats(added) => masks.added = Some(added.pad(&widths, T::LOWEST)),
            Value::Ints(..) => return Err("the mask should be floats or bools".to_owned()),
        }
    }
    if let Some(lengths) = call.optional_list(6)? {
        if lengths.len() != n {
            return Err(format!("a length for each of {n} samples is needed, found {}", lengths.len()));
        }
        let there = lengths.iter().flat_map(|&length| (0..tk as i64).map(move |key| key < length));
        masks = masks.and(there.collect::<Tensor<bool>>().reshape([n, 1, 1, tk]));
    }
    Ok(masks)
}

/// Query i sees the keys up to the one at its own place, behind those of before.
fn causal(tq: usize, tk: usize, past: usize) -> Tensor<bool> {
    let seen = (0..tq).flat_map(|query| (0..tk).map(move |key| key <= past + query));
    seen.collect::<Tensor<bool>>().reshape([tq, tk])
}

impl<T: Float> Masks<T> {
    fn and(self, seen: Tensor<bool>) -> Self {
        let seen = match self.seen {
            Some(before) => before & seen,
            None => seen,
        };
        Masks { seen: Some(seen), ..self }
    }
}

/// Pairs of features turned by angles that grow with the position, whose cosines and sines are given.
pub(crate) fn rotary<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let input = call.floats(0)?;
    let heads = call.int("num_heads", 0)?;
    let x = in_heads(input, heads, "the input")?;
    let &[n, count, length, size] = &x.shape()[..] else { return Err("takes three or four axes".to_owned()) };
    let turned = match usize::try_from(call.int("rotary_embedding_dim", 0)?) {
        Ok(0) => size,
        Ok(turned) if turned <= size => turned,
        _ => return Err(format!("rotary_embedding_dim is more than the {size} features of a head")),
    };
    if !turned.is_multiple_of(2) {
        return Err(format!("an even number of features is turned, found {turned}"));
    }
    let half = turned / 2;
    let table = |index: usize| -> Result<Var<T>, String> {
        let table = call.floats(index)?;
        let chosen = match call.optional(3) {
            None => table.clone(),
            Some(_) => {
                let ids = call.ints(3)?;
                let rows = table.shape().first().copied().unwrap_or(0) as i64;
                if table.ndim() != 2 || ids.iter().any(|id| id < 0 || id >= rows) {
                    return Err(format!("a position is outside the table of {}", table.shape()));
                }
                table.index_select(0, ids)
            }
        };
        if chosen.shape() != &[n, length, half] {
            return Err(format!(
                "cosines and sines of shape [{n}, {length}, {half}] are needed, found {}",
                chosen.shape()
            ));
        }
        Ok(chosen.unsqueeze(1))
    };
    let (cos, sin) = (table(1)?, table(2)?);
    let (rotated, rest) = (x.slice(3, 0..turned), x.slice(3, turned..size));
    let rotated = if call.flag("interleaved", false)? {
        let pairs = rotated.reshape([n, count, length, half, 2]);
        let (a, b) = (pairs.select(4, 0), pairs.select(4, 1));
        Var::stack(&[&a * &cos - &b * &sin, a * sin + b * cos], 4).reshape([n, count, length, turned])
    } else {
        let (a, b) = (rotated.slice(3, 0..half), rotated.slice(3, half..turned));
        Var::concat(&[&a * &cos - &b * &sin, a * sin + b * cos], 3)
    };
    let y = Var::concat(&[rotated, rest], 3);
    floats(if input.ndim() == 3 { y.swap_axes(1, 2).reshape(input.shape()) } else { y })
}
