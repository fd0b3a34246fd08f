//! Operators that compute number by number, with broadcasting.

use gradus_autograd::{Op, Var};
use gradus_tensor::{Float, Number, SELU_ALPHA, SELU_SCALE, Shape, Tensor};

use super::super::proto::element;
use super::call::{Call, Outputs, broadcast, floats, ints, mask};
use super::value::{Kind, Value, Whole};

/// Two inputs of one kind whose shapes broadcast together.
enum Pair<'a, T: Float> {
    Floats(&'a Var<T>, Var<T>),
    Ints(&'a Tensor<i64>, Tensor<i64>, Whole),
    Masks(&'a Tensor<bool>, Tensor<bool>),
}

/// The second input. In opset 6 its axes were those of the first from `axis` on, or its last ones.
fn right<T: Float>(call: &Call<'_, T>) -> Result<Value<T>, String> {
    let (a, b) = (call.value(0)?.shape(), call.value(1)?);
    if call.opset >= 7 || a == b.shape() {
        return Ok(b.clone());
    }
    if !call.flag("broadcast", false)? && call.node.op != "PRelu" {
        return Err("inputs of different shapes need broadcast = 1 in opset 6".to_owned());
    }
    // A slope for each channel.
    let of_channels = call.node.op == "PRelu" && b.shape().len() == 1 && a.len() > 1;
    let axis = match call.has("axis") || of_channels {
        true => super::call::place(call.int("axis", 1)?, a.len())?,
        false => return Ok(b.clone()),
    };
    let behind = a.len().checked_sub(axis + b.shape().len());
    let behind = behind.ok_or_else(|| format!("{} does not fit {a} from axis {axis} on", b.shape()))?;
    Ok(b.reshape(b.shape().join(&vec![1; behind])))
}

fn pair<'a, T: Float>(call: &Call<'a, T>) -> Result<Pair<'a, T>, String> {
    let (a, b) = (call.value(0)?, right(call)?);
    broadcast(a.shape(), b.shape())?;
    match (a, b) {
        (Value::Floats(a), Value::Floats(b)) => Ok(Pair::Floats(a, b)),
        (Value::Ints(a, whole), Value::Ints(b, other)) if *whole == other => Ok(Pair::Ints(a, b, *whole)),
        (Value::Mask(a), Value::Mask(b)) => Ok(Pair::Masks(a, b)),
        (a, b) => Err(format!("both inputs should be of one type, found {} and {}", a.kind().name(), b.kind().name())),
    }
}

fn no_masks<X>() -> Result<X, String> {
    Err("does not take masks".to_owned())
}

pub(crate) fn add<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    match pair(call)? {
        Pair::Floats(a, b) => floats(a + b),
        Pair::Ints(a, b, whole) => ints(&a.clone().zip_map(&b, i64::wrapping_add), whole),
        Pair::Masks(..) => no_masks(),
    }
}

pub(crate) fn sub<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    match pair(call)? {
        Pair::Floats(a, b) => floats(a - b),
        Pair::Ints(a, b, whole) => ints(&a.clone().zip_map(&b, i64::wrapping_sub), whole),
        Pair::Masks(..) => no_masks(),
    }
}

pub(crate) fn mul<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    match pair(call)? {
        Pair::Floats(a, b) => floats(a * b),
        Pair::Ints(a, b, whole) => ints(&a.clone().zip_map(&b, i64::wrapping_mul), whole),
        Pair::Masks(..) => no_masks(),
    }
}

/// Whole numbers are divided towards 0.
pub(crate) fn div<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    match pair(call)? {
        Pair::Floats(a, b) => floats(a / b),
        Pair::Ints(_, b, _) if b.iter().any(|number| number == 0) => Err("divides whole numbers by 0".to_owned()),
        Pair::Ints(a, b, whole) => ints(&a.clone().zip_map(&b, i64::wrapping_div), whole),
        Pair::Masks(..) => no_masks(),
    }
}

/// The remainder has the sign of the divisor, or with `fmod` that of the dividend.
pub(crate) fn modulo<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let fmod = call.flag("fmod", false)?;
    match pair(call)? {
        Pair::Floats(a, b) => {
            let of = |a: T, b: T| if fmod { a % b } else { Number::modulo(a, b) };
            let value = a.value().clone().zip_map(b.value(), of);
            // a less a whole multiple of b.
            let quotient = (a.value() - &value) / b.value();
            floats(Op::new("mod", value).input(a, |g| g).input(&b, move |g| -(g * quotient)).finish())
        }
        Pair::Ints(_, b, _) if b.iter().any(|number| number == 0) => Err("divides whole numbers by 0".to_owned()),
        Pair::Ints(a, b, whole) => {
            let of = |a: i64, b: i64| if fmod { a.wrapping_rem(b) } else { Number::modulo(a, b) };
            ints(&a.clone().zip_map(&b, of), whole)
        }
        Pair::Masks(..) => no_masks(),
    }
}

/// The result has the type of the base.
pub(crate) fn pow<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let (base, exponent) = (call.value(0)?, right(call)?);
    broadcast(base.shape(), exponent.shape())?;
    match (base, &exponent) {
        (Value::Floats(a), Value::Floats(b)) if b.value().size() == 1 && !b.is_recorded() && b.ndim() == 0 => {
            let exponent = b.value().item();
            let two = T::of(2.0);
            floats(if exponent == two { a.square() } else { a.pow(exponent) })
        }
        (Value::Floats(a), Value::Floats(b)) => floats(a.pow(b)),
        (Value::Floats(a), Value::Ints(b, _)) => floats(a.pow(Var::from(b.to::<T>()))),
        (Value::Ints(a, whole), Value::Ints(b, _)) => {
            let of = |a: i64, b: i64| match u32::try_from(b) {
                Ok(exponent) => a.wrapping_pow(exponent),
                Err(_) => (a as f64).powf(b as f64) as i64,
            };
            ints(&a.clone().zip_map(b, of), *whole)
        }
        (Value::Ints(a, whole), Value::Floats(b)) => {
            let power = a.to::<f64>().zip_map(b.value().to::<f64>(), f64::powf);
            ints(&power.to::<i64>(), *whole)
        }
        _ => no_masks(),
    }
}

macro_rules! comparisons {
    ($($name:ident)*) => {$(
        pub(crate) fn $name<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
            match pair(call)? {
                Pair::Floats(a, b) => mask(a.value().$name(b.value())),
                Pair::Ints(a, b, _) => mask(a.$name(&b)),
                Pair::Masks(a, b) => mask(a.$name(&b)),
            }
        }
    )*};
}
comparisons!(equal less less_equal greater greater_equal);

macro_rules! logic {
    ($($name:ident)*) => {$(
        pub(crate) fn $name<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
            match pair(call)? {
                Pair::Masks(a, b) => mask(a.$name(&b)),
                _ => Err("takes masks".to_owned()),
            }
        }
    )*};
}
logic!(logical_and logical_or logical_xor);

pub(crate) fn not<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    mask(call.mask(0)?.logical_not())
}

fn bits<T: Float>(call: &Call<'_, T>, of: impl Fn(i64, i64) -> i64 + Sync) -> Outputs<T> {
    match pair(call)? {
        Pair::Ints(a, b, whole) => ints(&a.clone().zip_map(&b, of), whole),
        _ => Err("takes whole numbers".to_owned()),
    }
}

pub(crate) fn bitwise_and<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    bits(call, |a, b| a & b)
}

pub(crate) fn bitwise_or<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    bits(call, |a, b| a | b)
}

pub(crate) fn bitwise_xor<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    bits(call, |a, b| a ^ b)
}

pub(crate) fn bit_shift<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let left = match call.text("direction", "")? {
        "LEFT" => true,
        "RIGHT" => false,
        other => return Err(format!("the direction should be LEFT or RIGHT, found {other:?}")),
    };
    // A shift by as many bits as there are leaves none.
    bits(call, |a, b| match u32::try_from(b).ok().filter(|b| *b < 63) {
        Some(b) => {
            if left {
                a.wrapping_shl(b)
            } else {
                a >> b
            }
        }
        None => 0,
    })
}

pub(crate) fn bitwise_not<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    match call.value(0)? {
        Value::Ints(_, Whole::U64) => Err("does not take uint64: the results are 2^63 and more".to_owned()),
        Value::Ints(a, whole) => ints(&a.map(|a| !a), *whole),
        _ => Err("takes whole numbers".to_owned()),
    }
}

pub(crate) fn where_<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let condition = call.mask(0)?;
    let (a, b) = (call.value(1)?, call.value(2)?);
    broadcast(&broadcast(a.shape(), b.shape())?, condition.shape())?;
    Ok(vec![choose(condition, a, b)?])
}

/// `a` where the condition holds, else `b`. Their shapes broadcast together.
pub(crate) fn choose<T: Float>(condition: &Tensor<bool>, a: &Value<T>, b: &Value<T>) -> Result<Value<T>, String> {
    Ok(match (a, b) {
        (Value::Floats(a), Value::Floats(b)) => Value::Floats(Var::where_(condition, a, b)),
        (Value::Ints(a, whole), Value::Ints(b, other)) if whole == other => Value::Ints(condition.where_(a, b), *whole),
        (Value::Mask(a), Value::Mask(b)) => Value::Mask(condition.where_(a, b)),
        (a, b) => {
            return Err(format!("should choose from one type, found {} and {}", a.kind().name(), b.kind().name()));
        }
    })
}

/// All inputs merged by a function of two.
fn merged<T: Float>(
    call: &Call<'_, T>,
    of_floats: impl Fn(&Var<T>, &Var<T>) -> Var<T>,
    of_ints: impl Fn(i64, i64) -> i64 + Sync,
) -> Outputs<T> {
    let mut merged = call.value(0)?.clone();
    for index in 1..call.inputs.len() {
        let other = call.value(index)?;
        broadcast(merged.shape(), other.shape())?;
        merged = match (&merged, other) {
            (Value::Floats(a), Value::Floats(b)) => Value::Floats(of_floats(a, b)),
            (Value::Ints(a, whole), Value::Ints(b, other)) if whole == other => {
                whole.of(&a.clone().zip_map(b, &of_ints))
            }
            _ => return Err("takes floats or whole numbers of one type".to_owned()),
        };
    }
    Ok(vec![merged])
}

pub(crate) fn min<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    merged(call, |a, b| a.minimum(b), i64::min)
}

pub(crate) fn max<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    merged(call, |a, b| a.maximum(b), i64::max)
}

pub(crate) fn sum<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    merged(call, |a, b| a + b, i64::wrapping_add)
}

pub(crate) fn mean<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    call.floats(0)?;
    match &sum(call)?[..] {
        [Value::Floats(sum)] => floats(sum / T::of(call.inputs.len() as f64)),
        _ => Err("takes floats".to_owned()),
    }
}

macro_rules! functions {
    ($($name:ident)*) => {$(
        pub(crate) fn $name<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
            floats(call.floats(0)?.$name())
        }
    )*};
}
functions!(sqrt exp ln recip erf tanh sigmoid softplus softsign mish hard_silu floor ceil round sin cos tan);

/// A function and its derivative, which tensors have no op of.
macro_rules! elementary {
    ($($name:ident: |$x:ident| $derivative:expr;)*) => {$(
        pub(crate) fn $name<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
            let x = call.floats(0)?;
            let value = x.value().map(|x| num(x).$name());
            let kept = x.value().clone();
            let derivative = move |g: Tensor<T>| {
                g * kept.map(|$x| {
                    let $x = num($x);
                    $derivative
                })
            };
            floats(Op::new(stringify!($name), value).input(x, derivative).finish())
        }
    )*};
}

/// The number as one with all functions of num_traits.
fn num<T: Float>(x: T) -> T {
    x
}

elementary! {
    asin: |x| T::ONE / <T as gradus_tensor::Math>::sqrt(T::ONE - x * x);
    acos: |x| -(T::ONE / <T as gradus_tensor::Math>::sqrt(T::ONE - x * x));
    atan: |x| T::ONE / (T::ONE + x * x);
    sinh: |x| x.cosh();
    cosh: |x| x.sinh();
    asinh: |x| T::ONE / <T as gradus_tensor::Math>::sqrt(x * x + T::ONE);
    acosh: |x| T::ONE / <T as gradus_tensor::Math>::sqrt(x * x - T::ONE);
    atanh: |x| T::ONE / (T::ONE - x * x);
}

/// A function of floats and of whole numbers.
macro_rules! of_numbers {
    ($($name:ident: $of_ints:expr;)*) => {$(
        pub(crate) fn $name<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
            match call.value(0)? {
                Value::Floats(x) => floats(x.$name()),
                Value::Ints(x, whole) => ints(&x.map($of_ints), *whole),
                Value::Mask(_) => no_masks(),
            }
        }
    )*};
}
of_numbers! {
    abs: i64::wrapping_abs;
    sign: i64::signum;
    relu: |x| x.max(0);
}

pub(crate) fn neg<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    match call.value(0)? {
        Value::Floats(x) => floats(-x),
        Value::Ints(x, whole) => ints(&x.map(i64::wrapping_neg), *whole),
        Value::Mask(_) => no_masks(),
    }
}

pub(crate) fn is_nan<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    mask(call.floats(0)?.value().is_nan())
}

pub(crate) fn is_inf<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let (positive, negative) = (call.flag("detect_positive", true)?, call.flag("detect_negative", true)?);
    let is = move |x: T| (positive && x == T::HIGHEST) || (negative && x == T::LOWEST);
    mask(call.floats(0)?.value().map(is))
}

pub(crate) fn leaky_relu<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    floats(call.floats(0)?.leaky_relu(T::of(call.float("alpha", 0.01)?)))
}

pub(crate) fn prelu<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let (x, slope) = match pair(call)? {
        Pair::Floats(x, slope) => (x, slope),
        Pair::Ints(x, slope, whole) => {
            return ints(&x.clone().zip_map(slope, |x, slope| if x < 0 { x.wrapping_mul(slope) } else { x }), whole);
        }
        Pair::Masks(..) => return no_masks(),
    };
    floats(Var::where_(&x.value().less(T::ZERO), x * slope, x))
}

pub(crate) fn elu<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    floats(call.floats(0)?.elu(T::of(call.float("alpha", 1.0)?)))
}

pub(crate) fn selu<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let (alpha, gamma) = (call.float("alpha", SELU_ALPHA)?, call.float("gamma", SELU_SCALE)?);
    floats(call.floats(0)?.elu(T::of(alpha)) * T::of(gamma))
}

pub(crate) fn celu<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    floats(call.floats(0)?.celu(T::of(call.float("alpha", 1.0)?)))
}

pub(crate) fn hard_sigmoid<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let (alpha, beta) = (call.float("alpha", 0.2)?, call.float("beta", 0.5)?);
    floats((call.floats(0)? * T::of(alpha) + T::of(beta)).clamp(T::ZERO, T::ONE))
}

pub(crate) fn gelu<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.floats(0)?;
    match call.text("approximate", "none")? {
        "none" => floats(x.gelu()),
        "tanh" => floats(x.gelu_tanh()),
        other => Err(format!("approximate should be none or tanh, found {other:?}")),
    }
}

pub(crate) fn swish<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.floats(0)?;
    floats(x * (x * T::of(call.float("alpha", 1.0)?)).sigmoid())
}

pub(crate) fn thresholded_relu<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.floats(0)?;
    floats(Var::where_(&x.value().greater(T::of(call.float("alpha", 1.0)?)), x, T::ZERO))
}

pub(crate) fn shrink<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let (bias, lambda) = (call.float("bias", 0.0)?, call.float("lambd", 0.5)?);
    let of_floats = |x: &Var<T>| {
        let (bias, lambda) = (T::of(bias), T::of(lambda));
        let below = Var::where_(&x.value().less(-lambda), x + bias, T::ZERO);
        Var::where_(&x.value().greater(lambda), x - bias, below)
    };
    match call.value(0)? {
        Value::Floats(x) => floats(of_floats(x)),
        Value::Ints(x, whole) => ints(&of_floats(&Var::from(x.to::<T>())).value().to::<i64>(), *whole),
        Value::Mask(_) => no_masks(),
    }
}

/// The bounds are inputs, before opset 11 attributes. The lower one gives way where they cross.
pub(crate) fn clip<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    match call.value(0)? {
        Value::Floats(x) => {
            let bound = |index: usize, name: &str, none: T| match call.optional_floats(index)? {
                Some(bound) if bound.value().size() == 1 => Ok(bound.value().reshape(Shape::from([])).item()),
                Some(bound) => Err(format!("the bound {name} should be one number, found the shape {}", bound.shape())),
                None => Ok(T::of(call.float(name, gradus_tensor::Element::cast::<f64>(none))?)),
            };
            let (low, high) = (bound(1, "min", T::LOWEST)?, bound(2, "max", T::HIGHEST)?);
            floats(x.clamp(if low > high { high } else { low }, high))
        }
        Value::Ints(x, whole) => {
            let (least, most) = whole.limits();
            let low = call.optional(1).map_or(Ok(least), |_| call.number(1))?;
            let high = call.optional(2).map_or(Ok(most), |_| call.number(2))?;
            ints(&x.map(|x| x.max(low).min(high)), *whole)
        }
        Value::Mask(_) => no_masks(),
    }
}

pub(crate) fn identity<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    Ok(vec![call.value(0)?.clone()])
}

/// In inference nothing is dropped: the input, and a mask that holds everywhere.
pub(crate) fn dropout<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let x = call.value(0)?;
    if call.optional(2).is_some() && call.mask(2)?.iter().any(|training| training) {
        let ratio =
            call.optional_floats(1)?.map_or(0.5, |ratio| ratio.value().iter().next().map_or(0.5, Float::as_f64));
        if ratio != 0.0 {
            return Err("training_mode is not read: export the network in inference mode".to_owned());
        }
    }
    let there = Tensor::scalar(true).broadcast_to(x.shape());
    let kept = if call.opset < 10 { each_one(x.shape()) } else { Value::Mask(there) };
    Ok(vec![x.clone(), kept])
}

fn each_one<T: Float>(shape: &Shape) -> Value<T> {
    Value::Floats(Var::from(Tensor::scalar(T::ONE).broadcast_to(shape)))
}

pub(crate) fn cast<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let number = call.int("to", 0)?;
    let to = i32::try_from(number).ok().and_then(Kind::of_element);
    let name = || super::value::element_name(number as i32);
    let value = converted(call.value(0)?, to.ok_or_else(|| format!("does not convert to {}", name()))?);
    let (digits, least, most) = match (number as i32, &value) {
        (element::FLOAT16, _) => (10, -14, 65_504.0),
        (element::BFLOAT16, _) => (7, -126, 3.389_531_389_251_535_5e38),
        _ => return Ok(vec![value]),
    };
    match value {
        Value::Floats(x) => {
            let short = x.value().map(|x| T::of(shortened(x.as_f64(), digits, least, most)));
            floats(Op::new("cast", short).input(&x, |g| g).finish())
        }
        other => Ok(vec![other]),
    }
}

/// The nearest number with so many binary digits behind the first, of two equally near ones the even. `least` is the smallest
/// exponent, `most` the largest number.
fn shortened(x: f64, digits: i32, least: i32, most: f64) -> f64 {
    if x == 0.0 || !x.is_finite() {
        return x;
    }
    let exponent = x.abs().log2().floor() as i32;
    let step = 2_f64.powi(exponent.max(least) - digits);
    let short = (x / step).round_ties_even() * step;
    if short.abs() > most { f64::INFINITY.copysign(x) } else { short }
}

pub(crate) fn cast_like<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    Ok(vec![converted(call.value(0)?, call.value(1)?.kind())])
}

/// A value as one of another kind. Floats lose what is behind the point; numbers are true unless they are 0.
pub(crate) fn converted<T: Float>(value: &Value<T>, to: Kind) -> Value<T> {
    match (value, to) {
        (Value::Floats(x), Kind::Floats) => Value::Floats(x.clone()),
        (Value::Mask(x), Kind::Mask) => Value::Mask(x.clone()),
        (Value::Ints(x, _), Kind::Ints(whole)) => whole.of(x),
        (Value::Floats(x), Kind::Ints(whole)) => whole.of(&x.value().to::<i64>()),
        (Value::Mask(x), Kind::Ints(whole)) => Value::Ints(x.to::<i64>(), whole),
        (value, Kind::Floats) => Value::Floats(Var::from(each_as_floats(value))),
        (Value::Floats(x), Kind::Mask) => Value::Mask(x.value().not_equal(T::ZERO)),
        (Value::Ints(x, _), Kind::Mask) => Value::Mask(x.not_equal(0)),
    }
}

fn each_as_floats<T: Float>(value: &Value<T>) -> Tensor<T> {
    match value {
        Value::Floats(x) => x.value().clone(),
        Value::Ints(x, _) => x.to::<T>(),
        Value::Mask(x) => x.to::<T>(),
    }
}
