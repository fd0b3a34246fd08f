//! Ops that a user writes stand beside those of the crate.

use gradus_autograd::{Op, Params, Tape, Var, gradcheck, value_and_grad};
use gradus_tensor::{Float, Tensor};

/// x^3, elementwise: a custom op in a few lines.
fn cube<T: Float>(x: &Var<T>) -> Var<T> {
    let saved = x.value().clone();
    Op::new("cube", saved.map(|x| x * x * x))
        .input(x, move |g| g.zip_map(saved, |g, x| T::of(3.0) * g * x * x))
        .finish()
}

/// a b^2, elementwise and broadcast, of which only the second derivative needs both inputs.
fn weigh<T: Float>(a: &Var<T>, b: &Var<T>) -> Var<T> {
    let (x, y) = (a.value().clone(), b.value().clone());
    let square = y.square();
    Op::new("weigh", &x * &square).input(a, move |g| g * square).input(b, move |g| g * x * y * T::of(2.0)).finish()
}

#[test]
fn a_custom_op_passes_the_gradient_check() {
    gradcheck(&[Tensor::from([[0.5, -1.5], [2.0, 0.1]])], |v| cube(&v[0])).unwrap();
    // Its rule does not mention broadcasting, the sweep sums down.
    let inputs = [Tensor::from([[0.5], [-1.5], [2.0]]), Tensor::from([0.3, 0.7])];
    gradcheck(&inputs, |v| weigh(&v[0], &v[1])).unwrap();
}

#[test]
fn a_custom_op_trains() {
    let mut params = Params::new();
    params.add("w", Tensor::new([2.0, -1.0]));
    let (loss, grads) = value_and_grad(&params, |w| cube(&w[0]).sum(..));
    assert_eq!(loss, 7.0);
    assert_eq!(grads[0], Some(Tensor::new([12.0, 3.0])));
}

#[test]
fn a_custom_op_carries_its_name() {
    let tape = Tape::new();
    let x = tape.var(Tensor::new(1.0));
    assert_eq!(cube(&x).op(), Some("cube"));
    assert_eq!(cube(&Var::from(1.0_f32)).op(), None);
}

#[test]
fn a_derivative_by_parts_adds_up() {
    fn head<T: Float>(x: &Var<T>, count: usize) -> Var<T> {
        Op::new("head", x.value().slice(0, ..count))
            .input_part(x, move |g, sum| sum.slice_add_assign(0, ..count, &g))
            .finish()
    }
    let tape = Tape::new();
    let x = tape.var(Tensor::new([1.0, 2.0, 3.0]));
    let y = head(&x, 2).sum(..) + head(&x, 1).sum(..) + x.sum(..);
    assert_eq!(tape.backward(&y).of(&x), Tensor::new([3.0, 2.0, 1.0]));
}
