//! Derivatives held against finite differences.

use std::fmt;

use gradus_tensor::Tensor;

use crate::tape::Tape;
use crate::var::Var;

/// Checks the derivatives of `f` at `inputs` against central differences.
///
/// For a random weighting u of the outputs and a random direction v of the inputs, the gradient of <u, f(x)> along v
/// must equal (<u, f(x + hv)> - <u, f(x - hv)>) / 2h. Each input is also moved on its own, so that the error names the
/// input whose derivative is wrong. `f` may return any shape, and should be smooth within 1e-5 of the inputs.
///
/// ```
/// use gradus_autograd::gradcheck;
/// use gradus_tensor::Tensor;
/// gradcheck(&[Tensor::from([0.5, 1.5])], |x| x[0].tanh()).unwrap();
/// ```
///
/// # Errors
/// If a derivative differs by more than 1e-6 relative to the larger of the two or 1: which input, and both numbers.
#[track_caller]
pub fn gradcheck(inputs: &[Tensor<f64>], f: impl Fn(&[Var<f64>]) -> Var<f64>) -> Result<(), Box<GradientMismatch>> {
    const STEP: f64 = 1e-5;
    const TOLERANCE: f64 = 1e-6;
    const DIRECTIONS: usize = 2;

    let tape = Tape::new();
    let vars: Vec<Var<f64>> = inputs.iter().map(|x| tape.var(x.clone())).collect();
    let output = f(&vars);
    let weighting = spread(output.value(), 0);
    let loss = (&output * Var::from(&weighting)).sum(..);
    let gradients = tape.backward(&loss);
    let gradients: Vec<Tensor<f64>> = vars.iter().map(|var| gradients.of(var)).collect();

    let value_at = |moved: &[Tensor<f64>]| {
        let constants: Vec<Var<f64>> = moved.iter().map(Var::from).collect();
        (f(&constants).value() * &weighting).sum(..).item()
    };
    for direction in 1..=DIRECTIONS {
        for (index, gradient) in gradients.iter().enumerate() {
            let along = spread(&inputs[index], direction);
            let analytic = (gradient * &along).sum(..).item();
            let mut moved = inputs.to_vec();
            moved[index] = &inputs[index] + &along * STEP;
            let above = value_at(&moved);
            moved[index] = &inputs[index] - &along * STEP;
            let below = value_at(&moved);
            let numeric = (above - below) / (2.0 * STEP);
            let scale = analytic.abs().max(numeric.abs()).max(1.0);
            let difference = (analytic - numeric).abs();
            if difference > TOLERANCE * scale || difference.is_nan() {
                let shape = inputs[index].shape().clone();
                return Err(Box::new(GradientMismatch { input: index, shape, analytic, numeric }));
            }
        }
    }
    Ok(())
}

/// Numbers in -1..1 in the shape of `like`, spread by multiples of the golden ratio; another stream for each `seed`.
fn spread(like: &Tensor<f64>, seed: usize) -> Tensor<f64> {
    let numbers: Tensor<f64> = (0..like.size())
        .map(|i| 2.0 * ((i + 1 + 1009 * seed) as f64 * 0.618_033_988_749_894_9).fract() - 1.0)
        .collect();
    numbers.reshape(like.shape())
}

/// A derivative that finite differences contradict.
///
/// ```
/// use gradus_autograd::{Op, gradcheck};
/// use gradus_tensor::Tensor;
/// // The derivative of x^2 is 2 x, not x.
/// let error = gradcheck(&[Tensor::from([3.0])], |x| {
///     let value = x[0].value().clone();
///     Op::new("square", &value * &value).input(&x[0], move |g| g * value).finish()
/// });
/// let error = error.unwrap_err();
/// assert!(error.input == 0 && (error.numeric / error.analytic - 2.0).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GradientMismatch {
    /// The index of the input whose derivative is wrong.
    pub input: usize,
    /// The shape of that input.
    pub shape: gradus_tensor::Shape,
    /// The gradient along the direction, from the derivative.
    pub analytic: f64,
    /// The gradient along the direction, from central differences.
    pub numeric: f64,
}

impl fmt::Display for GradientMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GradientMismatch { input, shape, analytic, numeric } = self;
        write!(
            f,
            "gradcheck: the derivative of input {input} is wrong: {analytic} by its rule, {numeric} by differences: {shape}"
        )
    }
}

impl std::error::Error for GradientMismatch {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Op;

    #[test]
    fn a_wrong_derivative_is_told_by_its_input() {
        let product = |a: &Var<f64>, b: &Var<f64>| {
            let (x, y) = (a.value().clone(), b.value().clone());
            Op::new("wrong", &x * &y).input(a, move |g| g * y).input(b, move |g| g * x * 1.001).finish()
        };
        let inputs = [Tensor::from([1.0, 2.0]), Tensor::from([3.0, 4.0])];
        let error = gradcheck(&inputs, |v| product(&v[0], &v[1])).unwrap_err();
        assert_eq!(error.input, 1);
        assert!(error.to_string().starts_with("gradcheck: the derivative of input 1 is wrong"));
    }
}
