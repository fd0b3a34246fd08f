//! Products of matrices.

use gradus_autograd::Var;
use gradus_tensor::{Float, Shape};

use super::call::{Call, Outputs, broadcast, floats, sized};

/// The shape of the product of values of two shapes.
pub(crate) fn product_shape(a: &Shape, b: &Shape) -> Result<Shape, String> {
    let (Some(&inner), Some(&last)) = (a.last(), b.last()) else {
        return Err("takes matrices, found a single number".to_owned());
    };
    let rows = if b.len() == 1 { last } else { b[b.len() - 2] };
    if inner != rows {
        return Err(format!("the inner lengths {inner} and {rows} differ"));
    }
    let stack = |shape: &Shape| Shape::from(&shape[..shape.len().saturating_sub(2)]);
    let mut shape = broadcast(&stack(a), &stack(b))?;
    shape = if a.len() > 1 { shape.join(&a[a.len() - 2..a.len() - 1]) } else { shape };
    shape = if b.len() > 1 { shape.join(&[last]) } else { shape };
    sized(&shape)
}

pub(crate) fn matmul<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let (a, b) = (call.floats(0)?, call.floats(1)?);
    product_shape(a.shape(), b.shape())?;
    floats(a.matmul(b))
}

/// alpha A B + beta C
pub(crate) fn gemm<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let (a, b) = (call.floats(0)?, call.floats(1)?);
    if a.ndim() != 2 || b.ndim() != 2 {
        return Err("takes two matrices".to_owned());
    }
    let turned = |x: &Var<T>, turn: bool| if turn { x.t() } else { x.clone() };
    let (a, b) = (turned(a, call.flag("transA", false)?), turned(b, call.flag("transB", false)?));
    let (alpha, beta) = (call.float("alpha", 1.0)?, call.float("beta", 1.0)?);
    let shape = product_shape(a.shape(), b.shape())?;
    let bias = call.optional_floats(2)?.filter(|_| beta != 0.0);
    if let Some(bias) = bias
        && broadcast(bias.shape(), &shape)? != shape
    {
        return Err(format!("C of shape {} does not broadcast to {shape}", bias.shape()));
    }
    if let Some(y) = call.outline(&shape) {
        return Ok(vec![y]);
    }
    let scaled = |x: Var<T>, factor: f64| if factor == 1.0 { x } else { x * T::of(factor) };
    floats(match bias {
        Some(bias) if alpha == 1.0 && beta == 1.0 && bias.shape()[..] == shape[1..] => a.matmul_biased(&b, bias, false),
        Some(bias) => scaled(a.matmul(&b), alpha) + scaled(bias.clone(), beta),
        None => scaled(a.matmul(&b), alpha),
    })
}

pub(crate) fn einsum<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let operands = (0..call.inputs.len()).map(|index| call.floats(index)).collect::<Result<Vec<_>, _>>()?;
    let equation = call.text("equation", "")?;
    check_equation(equation, &operands)?;
    floats(Var::einsum(equation, &operands))
}

/// Checks an equation, and that the operands fit it.
fn check_equation<T: Float>(equation: &str, operands: &[&Var<T>]) -> Result<(), String> {
    let text: String = equation.chars().filter(|c| *c != ' ').collect();
    let (inputs, output) = text.split_once("->").map_or((&*text, None), |(inputs, output)| (inputs, Some(output)));
    let terms: Vec<&str> = inputs.split(',').collect();
    if terms.len() != operands.len() {
        return Err(format!("the equation {equation:?} has {} operands, found {}", terms.len(), operands.len()));
    }
    // A letter's length, and those of the axes of the ellipsis, counted from the last.
    let mut lengths: Vec<(char, usize)> = Vec::new();
    let mut ellipsis = Shape::from([]);
    let mut has_ellipsis = false;
    for (term, operand) in terms.iter().zip(operands) {
        let (before, after, dots) = read_term(term, equation)?;
        let named = before.len() + after.len();
        let rank = operand.ndim();
        if named > rank || (!dots && named != rank) {
            return Err(format!("{term:?} of {equation:?} does not name the axes of the shape {}", operand.shape()));
        }
        has_ellipsis |= dots;
        let between = rank - after.len();
        ellipsis = broadcast(&ellipsis, &Shape::from(&operand.shape()[before.len()..between]))?;
        let axes = before.iter().zip(operand.shape().iter()).chain(after.iter().zip(&operand.shape()[between..]));
        for (&letter, &length) in axes {
            match lengths.iter_mut().find(|(known, _)| *known == letter) {
                None => lengths.push((letter, length)),
                Some((_, known)) if *known == length => {}
                Some((_, known)) => {
                    return Err(format!("the axes {letter:?} of {equation:?} have lengths {known} and {length}"));
                }
            }
        }
    }
    let shape = match output {
        None => lengths.iter().map(|(_, length)| *length).collect::<Vec<usize>>(),
        Some(term) => {
            let (before, after, dots) = read_term(term, equation)?;
            let letters: Vec<char> = before.into_iter().chain(after).collect();
            let wrong = letters.iter().enumerate().find(|(place, letter)| {
                letters[..*place].contains(letter) || !lengths.iter().any(|(known, _)| known == *letter)
            });
            if wrong.is_some() || (has_ellipsis && !ellipsis.is_empty() && !dots) || (dots && !has_ellipsis) {
                return Err(format!("the output of {equation:?} should name axes of the inputs, each once"));
            }
            letters
                .iter()
                .filter_map(|letter| lengths.iter().find(|(known, _)| known == letter).map(|(_, length)| *length))
                .collect()
        }
    };
    sized(&ellipsis.join(&shape))?;
    Ok(())
}

/// The letters before and behind the ellipsis of a term, and whether there is one.
fn read_term(term: &str, equation: &str) -> Result<(Vec<char>, Vec<char>, bool), String> {
    let (before, after, dots) =
        term.split_once("...").map_or((term, "", false), |(before, after)| (before, after, true));
    if before.chars().chain(after.chars()).all(|letter| letter.is_ascii_alphabetic()) {
        return Ok((before.chars().collect(), after.chars().collect(), dots));
    }
    Err(format!("{equation:?} is no equation of letters, commas and an arrow"))
}
