//! Lesson 2. Gradients: how a result changes with its inputs, computed backwards along the tape.
//!
//!     cargo run --example gradients

use gradus::prelude::*;

fn main() -> Result<()> {
    // A var on a tape: ops on it are recorded, so that gradients can be computed backwards.
    let tape = Tape::new();
    let x = tape.var(Tensor::new([0.0, 1.0, 2.0]));
    let y = (x.square() * 3.0 + &x).sum(..);
    println!("y = sum of 3 x^2 + x = {}", y.value());
    println!("its gradient, 6 x + 1: {}\n", tape.backward(&y).of(&x));

    // Weights live in Params. `value_and_grad` lends them to a closure and returns a loss with its gradients.
    // Here: find the lowest point of the parabola (w - 3)^2 + 1 by small steps downhill.
    let mut params = Params::new();
    params.add("w", Tensor::new(0.0));
    for step in 0..=20 {
        let (loss, grads) = value_and_grad(&params, |weights| (&weights[0] - 3.0).square() + 1.0);
        if step % 5 == 0 {
            println!("step {step:2}: w = {:.4}, loss = {loss:.4}", params[0].value.item());
        }
        let gradient = grads[0].as_ref().expect("the loss depends on w");
        params[0].value -= gradient * 0.2;
    }

    // Every derivative of the library is checked against finite differences. Yours can be, too.
    // An op is its value and one derivative for each input.
    let cube = |x: &Var<f64>| {
        let value = x.value().clone();
        Op::new("cube", &value * &value * &value).input(x, move |g| g * value.square() * 3.0).finish()
    };
    let at = Tensor::from([-1.5, 0.5, 2.0]);
    gradcheck(std::slice::from_ref(&at), |x| cube(&x[0]))?;
    println!("\nThe derivative of x^3 is right.");

    let wrong = |x: &Var<f64>| {
        let value = x.value().clone();
        Op::new("cube", &value * &value * &value).input(x, move |g| g * value.square() * 2.0).finish()
    };
    let error = gradcheck(&[at], |x| wrong(&x[0])).expect_err("2 x^2 is not its derivative");
    println!("With 2 x^2 for 3 x^2 the check says:\n  {error}");
    Ok(())
}
