//! The layers' numbers against Keras.
//!
//! Outputs, and gradients of the sum of output times a fixed cotangent, of keras 3.15.1 on jax 0.10.2 in float64.
#![allow(clippy::excessive_precision, clippy::unreadable_literal)]

use gradus_autograd::{Tape, Var};
use gradus_tensor::{Generator, Tensor};

use crate::{
    Activation, Dense, Dropout, Embedding, GaussianDropout, GaussianNoise, Layer, Model, Normalization, Rescaling,
    Sequential, SpatialDropout2D,
};

mod normalize;
mod spatial;
mod windows;

fn x() -> Tensor<f64> {
    Tensor::from([[0.5, -1.2, 2.0], [1.5, 0.3, -0.7], [-0.4, 0.9, 1.1], [2.2, -0.6, 0.25]])
}

fn g2() -> Tensor<f64> {
    Tensor::from([[1.0, -0.5], [0.3, 0.8], [-1.1, 0.2], [0.6, -0.9]])
}

fn g3() -> Tensor<f64> {
    Tensor::from([[0.7, -1.0, 0.2], [0.4, 0.9, -0.3], [-0.8, 0.5, 1.2], [0.1, -0.6, 0.35]])
}

fn model(layer: impl Layer, x: Tensor<f64>) -> Model<f64> {
    Model::build_as(Sequential::new().add(layer), &x.shape()[1..], 0).unwrap()
}

fn set(model: &mut Model<f64>, name: &str, value: Tensor<f64>) {
    let param = model.params_mut().get_mut(name).unwrap();
    assert_eq!(param.value.shape(), value.shape());
    param.value = value;
}

/// What a layer computes: its output, the gradients by the input and by each parameter, the next states.
struct Found {
    output: Tensor<f64>,
    grad_x: Tensor<f64>,
    grads: Vec<Tensor<f64>>,
    updates: Vec<(usize, Tensor<f64>)>,
}

fn run(model: &Model<f64>, x: &Tensor<f64>, cotangent: &Tensor<f64>, training: bool) -> Found {
    let tape = Tape::new();
    let x = tape.var(x.clone());
    let weights: Vec<Var<f64>> = model.params().iter().map(|param| tape.var(param.value.clone())).collect();
    let (output, updates) = model.run(&weights, x.clone(), training.then_some(&mut Generator::new(0)));
    let value = output.value().clone();
    let gradients = tape.backward(&(output * cotangent).sum(..));
    let grads = weights.iter().map(|weight| gradients.of(weight)).collect();
    Found { output: value, grad_x: gradients.of(&x), grads, updates }
}

#[track_caller]
fn close(found: &Tensor<f64>, expected: &Tensor<f64>) {
    assert!(found.shape() == expected.shape() && found.allclose(expected, 1e-12, 1e-14), "{found:?}, {expected:?}");
}

#[test]
fn dense() {
    for (activation, output, grad_x, grad_kernel, grad_bias) in [
        (
            Activation::Linear,
            [
                [-1.7199999999999998, 0.39999999999999986],
                [0.94, -1.1400000000000001],
                [0.6800000000000002, 1.1800000000000002],
                [-0.19499999999999998, -1.205],
            ],
            [
                [0.4, 0.8500000000000001, -0.6499999999999999],
                [-0.26000000000000006, 0.73, 0.47],
                [-0.30000000000000004, -1.11, 0.47000000000000003],
                [0.48000000000000004, 0.21000000000000002, -0.8099999999999999],
            ],
            [[2.71, -1.11], [-2.46, 1.56], [0.7299999999999999, -1.5650000000000002]],
            [0.7999999999999999, -0.4],
        ),
        (
            Activation::Relu,
            [[0.0, 0.39999999999999986], [0.94, 0.0], [0.6800000000000002, 1.1800000000000002], [0.0, 0.0]],
            [
                [0.2, -0.25, -0.35],
                [0.06, 0.33, -0.09],
                [-0.30000000000000004, -1.11, 0.47000000000000003],
                [0.0, 0.0, 0.0],
            ],
            [[0.89, -0.33], [-0.9000000000000001, 0.78], [-1.4200000000000002, -0.7799999999999999]],
            [-0.8, -0.3],
        ),
        (
            Activation::Tanh,
            [
                [-0.9378630316806652, 0.3799489622552248],
                [0.7352222529158691, -0.8144140937656859],
                [0.5915193954318165, 0.8274516110081667],
                [-0.19256539859357566, -0.8351733637441745],
            ],
            [
                [0.1952103439775859, -0.08145546933286762, -0.3355974552704377],
                [-0.08018660451122248, 0.2863097923600402, 0.14721828147689903],
                [-0.16824896357735442, -0.7550944306978549, 0.2586799219948314],
                [0.22444499096894632, 0.4994078007730599, -0.3638911771777211],
            ],
            [
                [1.824056797284614, -0.4339811783191504],
                [-1.0933996200694613, 0.8142988297839108],
                [-0.49784729129031186, -1.0428953929455915],
            ],
            [0.12088326049986797, -0.3676077868949543],
        ),
        (
            Activation::Softmax,
            [
                [0.1071680704865282, 0.8928319295134717],
                [0.8889440332885924, 0.11105596671140755],
                [0.37754066879814546, 0.6224593312018546],
                [0.7330201492388576, 0.26697985076114245],
            ],
            [
                [0.08611476763925044, 0.08611476763925047, -0.14352461273208406],
                [-0.029616761690760697, -0.029616761690760725, 0.04936126948460116],
                [-0.1833028955172437, -0.18330289551724377, 0.30550482586207284],
                [0.1761314490438305, 0.17613144904383057, -0.2935524150730508],
            ],
            [
                [0.7657376456446814, -0.7657376456446813],
                [-0.6381237084435774, 0.6381237084435772],
                [0.05893490942337152, -0.05893490942337146],
            ],
            [0.08221093245846087, -0.08221093245846087],
        ),
    ] {
        let mut model = model(Dense::new(2).activation(activation), x());
        set(&mut model, "0/kernel", Tensor::from([[0.2, -0.4], [1.1, 0.5], [-0.3, 0.7]]));
        set(&mut model, "0/bias", Tensor::from([0.1, -0.2]));
        let found = run(&model, &x(), &g2(), false);
        close(&found.output, &Tensor::from(output));
        close(&found.grad_x, &Tensor::from(grad_x));
        close(&found.grads[0], &Tensor::from(grad_kernel));
        close(&found.grads[1], &Tensor::from(grad_bias));
    }
}

#[test]
fn embedding() {
    let ids = Tensor::from([[0.0, 2.0, 2.0], [4.0, 1.0, 0.0]]);
    let mut model = model(Embedding::new(5, 3), ids.clone());
    set(
        &mut model,
        "0/embeddings",
        Tensor::from([
            [-0.5, -0.4, -0.3],
            [-0.2, -0.09999999999999998, 0.0],
            [0.09999999999999998, 0.19999999999999996, 0.30000000000000004],
            [0.4, 0.5, 0.6000000000000001],
            [0.7, 0.8, 0.8999999999999999],
        ]),
    );
    let cotangent = Tensor::from([
        [[0.0, 0.1, 0.2], [0.3, 0.4, 0.5], [0.6, 0.7, 0.8]],
        [[0.9, 1.0, 1.1], [1.2, 1.3, 1.4], [1.5, 1.6, 1.7]],
    ]);
    let found = run(&model, &ids, &cotangent, true);
    close(
        &found.output,
        &Tensor::from([
            [
                [-0.5, -0.4, -0.3],
                [0.09999999999999998, 0.19999999999999996, 0.30000000000000004],
                [0.09999999999999998, 0.19999999999999996, 0.30000000000000004],
            ],
            [[0.7, 0.8, 0.8999999999999999], [-0.2, -0.09999999999999998, 0.0], [-0.5, -0.4, -0.3]],
        ]),
    );
    close(
        &found.grads[0],
        &Tensor::from([
            [1.5, 1.7000000000000002, 1.9],
            [1.2, 1.3, 1.4],
            [0.8999999999999999, 1.1, 1.3],
            [0.0, 0.0, 0.0],
            [0.9, 1.0, 1.1],
        ]),
    );
    close(&found.grad_x, &Tensor::zeros([2, 3]));
}

/// The mean, the standard deviation and the share of zeros of what a layer makes of 100,000 ones in training.
fn moments_in_training(layer: impl Layer) -> [f64; 3] {
    let ones = Tensor::ones([100, 1000]);
    let y = run(&model(layer, ones.clone()), &ones, &ones, true).output;
    [y.mean(..).item(), y.std(..).item(), y.equal(0.0).to::<f64>().mean(..).item()]
}

#[track_caller]
fn near(found: [f64; 3], expected: [f64; 3]) {
    let near = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 0.01);
    assert!(near, "{found:?}, {expected:?}");
}

#[test]
fn noise_has_the_moments_that_keras_documents() {
    // By hand: a share of 0.75 is 1 / 0.75 and the rest 0, so the variance is 0.25 / 0.75, also GaussianDropout's.
    near(moments_in_training(Dropout::new(0.25)), [1.0, (1.0_f64 / 3.0).sqrt(), 0.25]);
    near(moments_in_training(GaussianDropout::new(0.25)), [1.0, (1.0_f64 / 3.0).sqrt(), 0.0]);
    near(moments_in_training(GaussianNoise::new(0.5)), [1.0, 0.5, 0.0]);
}

#[test]
fn spatial_dropout_drops_whole_channels() {
    let ones = Tensor::ones([50, 3, 2, 40]);
    let y = run(&model(SpatialDropout2D::new(0.25), ones.clone()), &ones, &ones, true).output;
    // Of each channel of each sample all places are alike: 0, or 1 / 0.75.
    let channels = y.slice(1, ..1).slice(2, ..1);
    assert_eq!(y, channels.broadcast_to(y.shape()));
    assert_eq!(y.max(..).item(), 1.0 / 0.75);
    assert_eq!(y.min(..).item(), 0.0);
    assert!((channels.equal(0.0).to::<f64>().mean(..).item() - 0.25).abs() < 0.03);
}

#[test]
fn normalization_and_rescaling() {
    let layer = Normalization::adapt(&x()).unwrap();
    close(&layer.mean().into(), &Tensor::from([0.9500000000000001, -0.14999999999999997, 0.6625000000000001]));
    close(&layer.variance().into(), &Tensor::from([0.9725, 0.6525, 1.00171875]));
    let expected = [
        [-0.4563181139070545, -1.2998673672393632, 1.336352065485073],
        [0.5577221392197331, 0.5570860145311556, -1.361330608765168],
        [-1.3689543417211634, 1.2998673672393632, 0.4371245074016594],
        [1.2675503164084845, -0.5570860145311556, -0.4121459641215647],
    ];
    close(&model(layer, x()).predict(&x()).unwrap(), &Tensor::from(expected));

    let bytes = Tensor::from([[0.0, 51.0, 255.0]]);
    let output = model(Rescaling::new(1.0 / 255.0).offset(-0.5), bytes.clone()).predict(&bytes).unwrap();
    close(&output, &Tensor::from([[-0.5, -0.3, 0.5]]));
}
