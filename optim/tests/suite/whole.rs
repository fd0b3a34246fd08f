//! Rules that need the whole weight: LAMB, Adafactor and Muon against traces, and three that a program might add.

use gradus_autograd::Params;
use gradus_optim::{Adafactor, IntoOptimizer, Lamb, Muon, Optimizer, Rule, Sgd, Slot, Weight};
use gradus_tensor::{Float, Generator, Shape, Tensor};

/// The trace of this title in `traces/whole.txt`: the elements of the parameter after each step.
fn trace(title: &str) -> Vec<Vec<f64>> {
    let mut lines = include_str!("../traces/whole.txt").lines();
    assert!(lines.any(|line| line.strip_prefix("## ") == Some(title)), "there is no trace {title:?}");
    let rows = lines.take_while(|line| line.starts_with('['));
    rows.map(|row| row.trim_matches(['[', ']']).split(", ").map(|number| number.parse().unwrap()).collect()).collect()
}

/// The parameters that the traces start from, by name.
fn starts() -> [(&'static str, Tensor<f64>); 4] {
    let matrix = Tensor::from([[1.0, -2.0, 0.5], [-0.25, 0.75, 3.0]]);
    [
        ("matrix", matrix.clone()),
        ("vector", Tensor::from([1.0, -2.0, 0.5])),
        ("two matrices", Tensor::stack(&[matrix.clone(), matrix.flip(0) * 0.5 + 0.125], 0)),
        ("zeros", matrix.zeros_like()),
    ]
}

/// Follows the traces of this rule from every start: g = 2 p + t 0.1 cos(i), t = 1, 2, ..
#[track_caller]
fn follow<R: Rule>(title: &str, optimizer: Optimizer<R, f64>) {
    for (name, start) in starts() {
        let slopes = Tensor::arange(0.0, start.size() as f64, 1.0).cos().reshape(start.shape()) * 0.1;
        let (mut optimizer, mut params) = (optimizer.clone(), Params::new());
        params.add("p", start);
        let trace = trace(&format!("{title} | {name}"));
        assert_eq!(trace.len(), 8, "{title}, {name}");
        for (t, expected) in trace.iter().enumerate() {
            let gradient = &params[0].value * 2.0 + &slopes * (t + 1) as f64;
            optimizer.step(&mut params, &[Some(gradient)].into_iter().collect());
            for (p, e) in params[0].value.iter().zip(expected) {
                let problem = format!("{title}, {name}: step {t} gives {:?}, not {expected:?}", params[0].value);
                assert!((p - e).abs() < 1e-12, "{problem}");
            }
        }
    }
}

#[test]
fn lamb() {
    let lamb = || Lamb::default().learning_rate(0.1);
    follow("lamb", lamb());
    follow("lamb weight_decay=0.1", lamb().weight_decay(0.1));
    let other = Lamb::default().beta_1(0.5).beta_2(0.75).epsilon(1e-2).learning_rate(0.1);
    follow("lamb beta=(0.5,0.75) eps=1e-2", other);
}

#[test]
fn adafactor() {
    let adafactor = || Adafactor::default().learning_rate(0.5);
    follow("adafactor", adafactor());
    follow("adafactor weight_decay=0.1", adafactor().weight_decay(0.1));
    let other = Adafactor::default().clip_threshold(0.5).beta_2_decay(-0.5).learning_rate(0.5);
    follow("adafactor clip_threshold=0.5 beta_2_decay=-0.5", other);
    follow("adafactor epsilon=(0.01,2)", Adafactor::default().epsilon_1(0.01).epsilon_2(2.0).learning_rate(0.5));
}

#[test]
fn muon() {
    let muon = || Muon::default().learning_rate(0.1).weight_decay(0.0);
    follow("muon", muon());
    follow("muon weight_decay=0.1", muon().weight_decay(0.1));
    let other = Muon::default().momentum(0.5).nesterov(false).ns_steps(3).rms_rate(0.4).learning_rate(0.1);
    follow("muon momentum=0.5 not nesterov ns_steps=3 rms_rate=0.4", other.weight_decay(0.0));
}

#[test]
fn muon_takes_matrices_of_layers() {
    // By which slots there are; matrices have their singular values near 1 after a step at a learning rate that makes up for
    // their size.
    let shapes = |optimizer: Muon, weights: &[(&str, &[usize])]| -> Vec<bool> {
        let mut params = Params::<f64>::new();
        weights.iter().for_each(|(path, shape)| _ = params.add(*path, Generator::new(1).normal(*shape, 0.0, 1.0)));
        let grads = params.iter().map(|param| Some(param.value.clone())).collect();
        let mut optimizer = Optimizer::from(optimizer);
        optimizer.step(&mut params, &grads);
        let has = |slot: &str| optimizer.state().slots.iter().any(|(name, _)| name == slot);
        weights.iter().map(|(path, _)| !has(&format!("{path}/velocity"))).collect()
    };
    let weights: [(&str, &[usize]); 9] = [
        ("0/embeddings", &[5, 4]),
        ("1/kernel", &[4, 6]),
        ("1/bias", &[6]),
        ("2/bias", &[2, 6]),
        ("3/query/kernel", &[4, 2, 3]),
        ("4/kernel", &[3, 3, 2, 4]),
        ("9/kernel", &[4, 2]),
        ("10/kernel", &[4, 0]),
        ("11/gamma", &[]),
    ];
    let expected = [false, true, false, false, true, true, true, true, false];
    assert_eq!(shapes(Muon::default(), &weights), expected);
    let excluded = [false, true, false, false, true, true, false, true, false];
    assert_eq!(shapes(Muon::default().exclude_layers(["9", "1"]).exclude_layers(["9"]), &weights), excluded);
}

#[test]
fn muon_steps_are_orthogonal_for_gradients_of_any_size() {
    // A kernel [3, 3, 2, 4] is a matrix of 18 rows and 4 columns: its columns are orthogonal after a step. With singular values of
    // 0.7 to 1.2, their squares are 0.49 to 1.44.
    for size in [1e-30_f32, 1.0, 1e38] {
        let gradient = Generator::new(4).uniform::<f32>([3, 3, 2, 4], -1.0..1.0) * size;
        let mut params = Params::new();
        params.add("kernel", Tensor::<f32>::zeros([3, 3, 2, 4]));
        let rate = (0.2 * 18_f64.sqrt()).recip();
        let mut optimizer = Muon::default().learning_rate(rate).weight_decay(0.0);
        optimizer.step(&mut params, &[Some(gradient)].into_iter().collect());
        let step = params[0].value.reshape([18, 4]);
        let square = step.t().matmul(&step);
        for row in 0..4 {
            for column in 0..4 {
                let (found, is_diagonal) = (square.get([row, column]), row == column);
                // A gradient far below 1e-7 counts less, as in Keras.
                let expected = if size < 1e-7 {
                    -1e-3..1e-3
                } else if is_diagonal {
                    0.45..1.5
                } else {
                    -0.3..0.3
                };
                assert!(expected.contains(&found), "{size}: {square:?}");
            }
        }
    }
}

#[test]
fn adafactor_leaves_a_weight_whose_row_and_column_have_no_gradient() {
    // By hand: r = [1e-30, 2], c = [1e-30, 2], so u = 2 / sqrt(2 2 / 1) = 1, and the weights have the rms 1. In f32 the
    // product of the small averages is 0.
    let mut params = Params::new();
    params.add("p", Tensor::<f32>::ones([2, 2]));
    let gradient = Tensor::new([[0.0, 0.0], [0.0, 2.0]]);
    let mut optimizer = Adafactor::default().learning_rate(0.5);
    optimizer.step(&mut params, &[Some(gradient)].into_iter().collect());
    assert_eq!(params[0].value, Tensor::new([[1.0, 1.0], [1.0, 0.5]]));
}

#[test]
fn slots_of_other_shapes_are_written_and_read() {
    let mut params = Params::<f64>::new();
    params.add("kernel", Tensor::ones([4, 2, 3]));
    params.add("bias", Tensor::ones([3]));
    let grads = params.iter().map(|param| Some(param.value.clone())).collect();
    let mut optimizer = Optimizer::from(Adafactor::default());
    optimizer.step(&mut params, &grads);
    let state = optimizer.state();
    let shapes: Vec<_> = state.slots.iter().map(|(name, slot)| (&name[..], slot.shape().to_vec())).collect();
    let expected =
        [("kernel/row_average", vec![4, 2]), ("kernel/column_average", vec![4, 3]), ("bias/velocity", vec![3])];
    assert_eq!(shapes, expected);
    let mut other = Optimizer::from(Adafactor::default());
    other.restore(&params, state.clone()).unwrap();
    assert_eq!(other.state(), state);
}

/// Clipping and decay of a rule for whole weights are those of an elementwise one: a rule that does what SGD does.
#[derive(Clone, Debug)]
struct WholeSgd;

impl Rule for WholeSgd {
    const LEARNING_RATE: f64 = 0.01;

    fn slots(&self, _: &str, _: &Shape) -> Vec<Slot> {
        vec![]
    }

    fn apply<T: Float>(&self, _: u64, learning_rate: f64, weight: Weight<'_, T>) {
        let (value, gradient, _) = weight.transformed();
        *value -= gradient * T::of(learning_rate);
    }
}

#[test]
fn transforms_are_those_of_elementwise_rules() {
    fn end<R: Rule>(optimizer: Optimizer<R, f64>) -> Vec<f64> {
        let mut optimizer = optimizer.learning_rate(0.1).weight_decay(0.5).l2(0.25);
        let mut params = Params::new();
        params.add("p", Tensor::from([[10.0, 20.0], [30.0, 40.0]]));
        // A view, which nobody may write to.
        let gradient = Tensor::from([[3.0, -4.0], [12.0, 0.5]]).t();
        optimizer.step(&mut params, &[Some(gradient.clone())].into_iter().collect());
        assert_eq!(gradient, Tensor::from([[3.0, 12.0], [-4.0, 0.5]]));
        params[0].value.to_vec()
    }
    assert_eq!(end(WholeSgd.clip_value(3.5)), end(Sgd::default().clip_value(3.5)));
    assert_eq!(end(WholeSgd.clip_norm(2.0)), end(Sgd::default().clip_norm(2.0)));
}

fn norm<T: Float>(x: &Tensor<T>) -> f64 {
    x.norm(..).item().as_f64()
}

/// LARS: a step of SGD at the rate lr trust |p| / |g|. You, Gitman and Ginsburg 2017, "Large Batch Training of Convolutional
/// Networks", equation 6.
#[derive(Clone, Debug)]
struct Lars {
    trust: f64,
    sgd: Sgd,
}

impl Rule for Lars {
    const LEARNING_RATE: f64 = 0.1;

    fn slots(&self, path: &str, shape: &Shape) -> Vec<Slot> {
        self.sgd.slots(path, shape)
    }

    fn apply<T: Float>(&self, step: u64, learning_rate: f64, weight: Weight<'_, T>) {
        let path = weight.path();
        let (value, gradient, slots) = weight.transformed();
        let (length, slope) = (norm(value), norm(&gradient));
        let ratio = if length > 0.0 && slope > 0.0 { self.trust * length / slope } else { 1.0 };
        self.sgd.apply(step, learning_rate * ratio, Weight::new(path, value, &gradient, slots));
    }
}

/// Another rule's steps, and a moving average of the weights that they lead to.
#[derive(Clone, Debug)]
struct Averaged<R> {
    keep: f64,
    rule: R,
}

impl<R: Rule> Rule for Averaged<R> {
    const LEARNING_RATE: f64 = R::LEARNING_RATE;
    const WEIGHT_DECAY: f64 = R::WEIGHT_DECAY;

    fn slots(&self, path: &str, shape: &Shape) -> Vec<Slot> {
        let mut slots = self.rule.slots(path, shape);
        slots.push(Slot::zeros("average", shape));
        slots
    }

    fn apply<T: Float>(&self, step: u64, learning_rate: f64, weight: Weight<'_, T>) {
        let path = weight.path();
        let (value, gradient, slots) = weight.transformed();
        let (average, slots) = slots.split_last_mut().expect("the slot of the average");
        if step == 1 {
            *average = value.clone();
        }
        self.rule.apply(step, learning_rate, Weight::new(path, value, &gradient, slots));
        *average *= T::of(self.keep);
        *average += &*value * T::of(1.0 - self.keep);
    }
}

/// The parameter after steps along these gradients, and the last slot.
fn steps<R: Rule>(optimizer: Optimizer<R, f64>, start: Tensor<f64>, gradients: &[Tensor<f64>]) -> [Tensor<f64>; 2] {
    let (mut optimizer, mut params) = (optimizer, Params::new());
    params.add("p", start);
    for gradient in gradients {
        optimizer.step(&mut params, &[Some(gradient.clone())].into_iter().collect());
    }
    let slot = optimizer.state().slots.pop().expect("a slot").1;
    [params[0].value.clone(), slot]
}

#[test]
fn rules_that_a_program_adds() {
    // |p| = 5, |g| = 10: the rate is 0.5 times 0.5. Then momentum: v = 0.5 (-1.5, -2) - 0.25 |p| / |g| (6, 8).
    let lars = Lars { trust: 0.5, sgd: Sgd::default().momentum(0.5) };
    let gradient = Tensor::from([6.0, 8.0]);
    let [p, v] = steps(lars.learning_rate(1.0), Tensor::from([3.0, 4.0]), &[gradient.clone(), gradient]);
    assert!(v.allclose(&Tensor::from([-0.75 - 0.75, -1.0 - 1.0]), 1e-12, 0.0), "{v:?}");
    assert!(p.allclose(&Tensor::from([0.0, 0.0]), 0.0, 1e-12), "{p:?}");

    // p: 4, 3, 1; the average: 4, 3.5, 2.25.
    let averaged = Averaged { keep: 0.5, rule: Sgd::default() };
    let gradients = [Tensor::from([1.0]), Tensor::from([2.0])];
    let [p, average] = steps(averaged.learning_rate(1.0), Tensor::from([4.0]), &gradients);
    assert_eq!((p.item(), average.item()), (1.0, 2.25));
}
