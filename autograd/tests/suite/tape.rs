//! What a tape promises: which gradients come back, what is refused, what is freed, and how it grows.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use gradus_autograd::{
    Gradients, Grads, Op, Param, Params, Tape, Var, grad, grads_as_they_come, try_value_and_grad, value_and_grad,
};
use gradus_tensor::{Convolution, Pooling, Tensor};

#[test]
fn an_input_used_twice_gets_both_gradients() {
    let tape = Tape::new();
    let x = tape.var(Tensor::new([2.0, 3.0]));
    // x^2 + 4 x, so 2 x + 4.
    let y = (&x * &x + &x * 4.0).sum(..);
    assert_eq!(tape.backward(&y).of(&x), Tensor::new([8.0, 10.0]));
}

#[test]
fn no_gradient_flows_where_it_is_stopped() {
    let tape = Tape::new();
    let x = tape.var(Tensor::new([2.0, 3.0]));
    let y = (&x * x.square().stop_gradient()).sum(..);
    assert_eq!(tape.backward(&y).of(&x), Tensor::new([4.0, 9.0]));
    let tape = Tape::new();
    let x = tape.var(Tensor::new(2.0));
    assert_eq!(tape.backward(&x.stop_gradient()).of(&x), Tensor::new(0.0));
}

#[test]
fn gradients_have_the_shape_of_their_variable() {
    for (a, b) in [([2, 3].into(), [3].into()), ([2, 1].into(), [1, 3].into()), (vec![], [4, 1].into())] {
        let (a, b): (Vec<usize>, Vec<usize>) = (a, b);
        let tape = Tape::new();
        let (x, y) = (tape.var(Tensor::<f32>::ones(a)), tape.var(Tensor::ones(b)));
        let z = &x * &y;
        let gradients = tape.backward(&z.sum(..));
        let count = |var: &Var| Tensor::full(var.shape(), (z.value().size() / var.value().size()) as f32);
        assert_eq!(gradients.of(&x), count(&x));
        assert_eq!(gradients.of(&y), count(&y));
    }
}

#[test]
fn frozen_and_unused_parameters_get_nothing() {
    let mut params = Params::new();
    for name in ["used", "frozen", "unused"] {
        params.add(name, Tensor::new([2.0]));
    }
    params.add_state("state", Tensor::new([2.0]));
    params.freeze("frozen");
    let (loss, grads) = value_and_grad(&params, |v| (&v[0] * &v[1] * &v[3]).sum(..));
    assert_eq!(loss, 8.0);
    assert_eq!(grads.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, false, false]);
    assert_eq!(grads[0], Some(Tensor::new([4.0])));
    // A loss that depends on no parameter at all.
    assert!(grad(&params, |_| Var::from(1.0)).iter().all(Option::is_none));
}

/// The loss and the gradients of [`grads_as_they_come`], and the order in which they came. Each comes at most once.
fn as_they_come(params: &Params<f64>, loss: impl FnOnce(&[Var<f64>]) -> Var<f64>) -> (f64, Grads<f64>, Vec<usize>) {
    let (mut grads, mut order) = (vec![None; params.len()], Vec::new());
    let done = |index: usize, gradient| {
        assert!(grads[index].replace(gradient).is_none(), "parameter {index} came twice");
        order.push(index);
    };
    let (value, ()) = grads_as_they_come(params, |vars| Ok::<_, ()>((loss(vars), ())), done).unwrap();
    (value, grads.into_iter().collect(), order)
}

/// Parameters `[3]` of these names, with numbers that have many digits.
fn params_of(names: &[&str]) -> Params<f64> {
    let mut params = Params::new();
    for (place, &name) in names.iter().enumerate() {
        let weight = Tensor::<f64>::linspace(0.3, 0.9, 3) / (place as f64 + 0.7);
        match name.starts_with("state") {
            true => _ = params.add_state(name, weight),
            false => _ = params.add(name, weight),
        }
    }
    params
}

#[test]
fn gradients_come_as_they_are_complete() {
    type Loss = fn(&[Var<f64>]) -> Var<f64>;
    let losses: [(&str, Loss, &[usize]); 9] = [
        ("a chain", |v| (((&v[1] * 2.0).tanh() * &v[3]).tanh() * &v[4]).tanh().sum(..), &[4, 3, 1]),
        // The weight 1 is used early and late, so it is the last.
        ("a shared weight", |v| (((&v[1] * &v[3]).tanh() * &v[4]).tanh() * &v[1]).sum(..), &[4, 3, 1]),
        ("a weight that meets itself", |v| (&v[1] * &v[1] + &v[3]).sum(..), &[3, 1]),
        ("a joint derivative", |v| (&v[4] * v[1].affine(&v[3], &v[1], false)).sum(..), &[4, 3, 1]),
        (
            "an op beside the loss",
            |v| {
                let loss = (&v[3] * &v[1].exp()).sum(..);
                // Recorded behind the loss, of which it is no part.
                _ = (&loss * &v[4]).exp();
                loss
            },
            &[3, 1],
        ),
        (
            "a weight that only others use",
            |v| {
                _ = (&v[4] * &v[3]).exp();
                v[3].square().sum(..)
            },
            &[3],
        ),
        ("a stopped gradient", |v| (&v[1] * v[3].stop_gradient()).sum(..), &[1]),
        ("a constant", |_| Var::from(Tensor::scalar(4.0)), &[]),
        ("a frozen weight and a state", |v| (&v[2] * &v[0] * &v[3]).sum(..), &[3]),
    ];
    let mut params = params_of(&["frozen", "a", "state", "b", "c"]);
    params.freeze("frozen");
    for (what, loss, expected) in losses {
        let (value, grads, order) = as_they_come(&params, loss);
        let whole = value_and_grad(&params, loss);
        assert_eq!((value, grads.iter().collect::<Vec<_>>()), (whole.0, whole.1.iter().collect()), "{what}");
        assert_eq!(order, expected, "{what}");
    }
}

#[test]
fn a_gradient_comes_while_the_sweep_goes_on() {
    let params = params_of(&["first", "last"]);
    let log = Arc::new(Mutex::new(Vec::new()));
    let noted = |what: &'static str, x: &Var<f64>| {
        let log = Arc::clone(&log);
        let derivative = move |g: Tensor<f64>| {
            log.lock().unwrap().push(what);
            g
        };
        Op::new("noted", x.value().clone()).input(x, derivative).finish()
    };
    let loss = |v: &[Var<f64>]| {
        let first = noted("first op", &v[0]);
        Ok::<_, ()>(((noted("last op", &(&first * &v[1]))).sum(..), ()))
    };
    grads_as_they_come(&params, loss, |index, _| log.lock().unwrap().push(["first", "last"][index])).unwrap();
    assert_eq!(*log.lock().unwrap(), ["last op", "last", "first op", "first"]);
}

#[test]
fn a_loss_that_is_a_parameter_has_its_gradient() {
    let mut params = Params::<f64>::new();
    params.add("other", Tensor::scalar(1.0));
    params.add("loss", Tensor::scalar(5.0));
    let (value, grads, order) = as_they_come(&params, |v| v[1].clone());
    assert_eq!((value, order), (5.0, vec![1]));
    assert_eq!(grads[1], Some(Tensor::scalar(1.0)));
}

#[test]
fn an_error_of_the_loss_is_handed_on_before_any_gradient() {
    let params = params_of(&["a"]);
    let failing = |v: &[Var<f64>]| {
        _ = v[0].exp();
        Err::<(Var<f64>, ()), _>("bad label")
    };
    let found = grads_as_they_come(&params, failing, |_, _| panic!("a gradient came"));
    assert_eq!(found.unwrap_err(), "bad label");
}

#[test]
#[should_panic = "backward: the loss must be a single number"]
fn a_loss_of_several_numbers_has_no_gradients_to_come() {
    as_they_come(&params_of(&["a"]), |v| v[0].exp());
}

#[test]
fn nobody_holds_the_weights_when_the_gradients_are_there() {
    let mut params = Params::new();
    params.add("kernel", Tensor::new([[1.0, 2.0], [3.0, 4.0]]));
    params.add("bias", Tensor::new([1.0, 2.0]));
    let before: Vec<_> = params.iter().map(|param| param.value.as_slice().unwrap().as_ptr()).collect();
    let input = Var::from(Tensor::new([[1.0, 0.5]]));
    let pass = try_value_and_grad(&params, |v| {
        let output = (input.matmul(&v[0]) + &v[1]).relu();
        Ok::<_, ()>((output.square().mean(..), output.into_value()))
    });
    let (_, predictions, grads) = pass.unwrap();
    assert_eq!(predictions, Tensor::new([[3.5, 6.0]]));
    for (index, param) in params.iter_mut().enumerate() {
        assert!(param.value.owns_elements(), "{} is shared", param.name);
        param.value -= grads[index].as_ref().unwrap();
        assert_eq!(param.value.as_slice().unwrap().as_ptr(), before[index]);
    }
}

#[test]
fn what_is_kept_across_steps_can_go_to_another_thread() {
    fn check<T: Send + Sync>() {}
    check::<Params<f32>>();
    check::<Param<f64>>();
    check::<Grads<f64>>();
}

#[test]
#[should_panic(expected = "mul: the inputs were recorded on two different tapes")]
fn an_op_on_two_tapes_is_refused() {
    let (one, other) = (Tape::new(), Tape::new());
    let _ = one.var(Tensor::new(1.0)) * other.var(Tensor::new(2.0));
}

#[test]
#[should_panic(
    expected = "exp: an input belongs to a tape that a backward sweep has consumed; record each step on a new"
)]
fn a_consumed_tape_records_no_more() {
    let tape = Tape::new();
    let x = tape.var(Tensor::new(1.0));
    let _ = tape.backward(&x.square());
    let _ = x.exp();
}

#[test]
#[should_panic(expected = "backward: the loss must be a single number, take its sum or mean first: [2]")]
fn a_loss_of_several_numbers_is_refused() {
    let tape = Tape::new();
    let x = tape.var(Tensor::new([1.0, 2.0]));
    let _ = tape.backward(&x.exp());
}

#[test]
#[should_panic(expected = "backward: the loss was computed on another tape")]
fn a_loss_of_another_tape_is_refused() {
    let x = Tape::new().var(Tensor::new(1.0));
    let _ = Tape::new().backward(&x);
}

/// The gradients of a tape with a variable on it, and what is not that: a result, a constant.
fn gradients() -> (Gradients, Var, Var) {
    let tape = Tape::new();
    let x = tape.var(Tensor::new(3.0));
    let y = x.square();
    (tape.backward(&y), y, Var::from(1.0))
}

#[test]
#[should_panic(expected = "of: the gradient of a result is not kept, only that of a variable: []")]
fn a_result_has_no_gradient() {
    let (gradients, result, _) = gradients();
    gradients.of(&result);
}

#[test]
#[should_panic(expected = "of: a constant has no gradient; make it a variable of the tape first: []")]
fn a_constant_has_no_gradient() {
    let (gradients, _, constant) = gradients();
    gradients.of(&constant);
}

#[test]
#[should_panic(expected = "of: this is a variable of another tape: []")]
fn a_variable_of_another_tape_has_no_gradient() {
    gradients().0.of(&Tape::new().var(Tensor::new(3.0)));
}

#[test]
fn saved_tensors_are_freed_during_the_sweep() {
    const DEPTH: usize = 10;
    let (tape, alive, most) = (Tape::new(), Arc::new(()), Arc::new(AtomicUsize::new(0)));
    let mut y = tape.var(Tensor::new(1.0));
    let x = y.clone();
    for depth in 1..=DEPTH {
        let (token, most) = (Arc::clone(&alive), Arc::clone(&most));
        y = Op::new("witness", y.value().clone())
            .input(&y, move |g| {
                // The op that runs first is the last recorded. Those before it wait, those after it are gone.
                assert_eq!(Arc::strong_count(&token), depth + 1);
                most.fetch_max(Arc::strong_count(&token), Ordering::Relaxed);
                g
            })
            .finish();
    }
    assert_eq!(Arc::strong_count(&alive), DEPTH + 1);
    let gradients = tape.backward(&y);
    assert_eq!(most.load(Ordering::Relaxed), DEPTH + 1);
    assert_eq!(Arc::strong_count(&alive), 1);
    assert_eq!(gradients.of(&x), Tensor::new(1.0));
    // What a chain of ops saves is let go with it, too, though its end is still held.
    let saved = Tensor::new([1.0, 2.0]);
    let tape = Tape::new();
    let z = (tape.var(Tensor::new([3.0, 4.0])) * &saved).sum(..);
    assert!(!saved.owns_elements());
    let _ = tape.backward(&z);
    assert!(saved.owns_elements());
}

#[test]
fn a_derivative_that_nobody_needs_saves_nothing() {
    let tape = Tape::new();
    let (weight, data) = (tape.var(Tensor::new([3.0, 4.0])), Tensor::new([1.0, 2.0]));
    let product = Var::from(&data) * weight.value();
    assert!(!product.is_recorded());
    drop(product);
    assert!(data.owns_elements());
    // The product's derivative by the weight saves the data; that by the data, which is a constant, no weight.
    let weights = Tensor::new([3.0, 4.0]);
    let product = tape.var(weights.clone()) * Var::from(&data);
    assert!(product.is_recorded() && !data.owns_elements() && weights.owns_elements());
}

/// a b^2 for vectors, by one derivative; `seen` gets what that is told.
fn joint_product(a: &Var, b: &Var, seen: &Arc<Mutex<[bool; 2]>>) -> Var {
    let (x, y, seen) = (a.value().clone(), b.value().clone(), Arc::clone(seen));
    Op::new("joint_product", &x * y.square())
        .joint([a, b], move |g, wanted| {
            *seen.lock().unwrap() = wanted;
            // All are computed here, wanted or not.
            [&g * y.square(), g * x * y * 2.0]
        })
        .finish()
}

#[test]
fn a_joint_derivative_gives_each_input_its_own_gradient() {
    let (a, b) = (Tensor::new([1.0, 2.0]), Tensor::new([3.0, 4.0]));
    let (by_a, by_b) = (Tensor::new([9.0, 16.0]), Tensor::new([6.0, 16.0]));
    let seen = Arc::new(Mutex::new([false; 2]));
    let tape = Tape::new();
    let (x, y) = (tape.var(a.clone()), tape.var(b.clone()));
    // Another use of y: its gradients add up.
    let loss = (joint_product(&x, &y, &seen) + &y).sum(..);
    let gradients = tape.backward(&loss);
    assert_eq!((gradients.of(&x), gradients.of(&y)), (by_a.clone(), &by_b + 1.0));
    assert_eq!(*seen.lock().unwrap(), [true, true]);
    // A gradient that goes to a constant is dropped.
    for first in [true, false] {
        let tape = Tape::new();
        let variable = tape.var(if first { a.clone() } else { b.clone() });
        let constant = Var::from(if first { &b } else { &a });
        let (x, y) = if first { (&variable, &constant) } else { (&constant, &variable) };
        let loss = joint_product(x, y, &seen).sum(..);
        assert_eq!(tape.backward(&loss).of(&variable), if first { by_a.clone() } else { by_b.clone() });
        assert_eq!(*seen.lock().unwrap(), [first, !first]);
    }
    // Broadcast inputs get the sum, and the same variable twice both gradients: a^3 has the derivative 3 a^2.
    let tape = Tape::new();
    let (x, y) = (tape.var(Tensor::new(1.0)), tape.var(b));
    let gradients = tape.backward(&joint_product(&x, &y, &seen).sum(..));
    assert_eq!((gradients.of(&x), gradients.of(&y)), (Tensor::new(25.0), Tensor::new([6.0, 8.0])));
    let tape = Tape::new();
    let x = tape.var(a);
    assert_eq!(tape.backward(&joint_product(&x, &x, &seen).sum(..)).of(&x), Tensor::new([3.0, 12.0]));
}

#[test]
fn a_joint_derivative_of_constants_is_dropped_and_the_last_one_owns_its_gradient() {
    let saved = Tensor::new([1.0, 2.0]);
    let kept = saved.clone();
    let constant = Var::from(Tensor::new([3.0, 4.0]));
    let y = Op::new("free", constant.value().clone()).joint([&constant], move |g, _| [g * kept]).finish();
    assert!(!y.is_recorded() && saved.owns_elements());

    let tape = Tape::new();
    let x = tape.var(Tensor::new([3.0, 4.0]));
    let derivative = |g: Tensor, _| {
        assert!(g.owns_elements(), "the gradient can be computed in");
        [g]
    };
    let y = Op::new("in place", x.value().clone()).joint([&x], derivative).finish();
    let _ = tape.backward(&(y * 2.0).sum(..));
}

#[test]
fn a_convolution_saves_what_its_derivatives_need() {
    let convolution = Convolution::new(1);
    let (x, kernel) = (Tensor::<f32>::ones([1, 5, 1]), Tensor::ones([2, 1, 3]));
    let tape = Tape::new();
    let pooling = Pooling::new(&[2]);
    let bias = tape.var(Tensor::zeros([3]));
    // By the bias alone: neither the input nor the kernel.
    let y = Var::from(&x).convolve_pooled(&Var::from(&kernel), Some(&bias), true, &convolution, &pooling);
    assert!(y.is_recorded() && x.owns_elements() && kernel.owns_elements());
    // By the kernel: the input.
    let weights = tape.var(kernel.clone());
    let y = Var::from(&x).convolve(&weights, &convolution);
    drop(weights);
    assert!(y.is_recorded() && !x.owns_elements() && kernel.owns_elements());
}

#[test]
fn a_chain_of_100_000_ops_does_not_overflow_the_stack() {
    // A small stack: nothing may recurse along the chain, dropping an unused tape included.
    let run = || {
        let tape = Tape::new();
        drop((0..100_000).fold(tape.var(Tensor::new(1.0)), |y, _| -y));
        drop(tape);
        let tape = Tape::new();
        let x = tape.var(Tensor::from([1.0_f64, 1.0]));
        let y = (0..100_000).fold(x.clone(), |y, _| -y);
        assert_eq!(tape.backward(&y.sum(..)).of(&x), Tensor::from([1.0, 1.0]));
    };
    std::thread::Builder::new().stack_size(128 << 10).spawn(run).unwrap().join().unwrap();
}
