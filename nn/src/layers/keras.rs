//! The layers' numbers against Keras.
//!
//! Outputs, and gradients of the sum of output times a fixed cotangent, of keras 3.15.1 on jax 0.10.2 in float64; of the
//! normalising layers, which compute in float32 there, the formula in float64 held against them.
#![allow(clippy::excessive_precision, clippy::unreadable_literal)]

use gradus_autograd::{Tape, Var};
use gradus_tensor::{Generator, Tensor};

use crate::{
    Activation, BatchNorm, Dense, Dropout, Embedding, GaussianDropout, GaussianNoise, Layer, LayerNorm, Model,
    Normalization, Rescaling, Sequential,
};

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

/// gamma and beta of the normalising layers.
fn set_affine(model: &mut Model<f64>) {
    set(model, "0/gamma", Tensor::from([1.5, 0.8, -0.6]));
    set(model, "0/beta", Tensor::from([0.1, -0.2, 0.3]));
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
    let (output, updates) = model.run(&weights, &x, training.then_some(&mut Generator::new(0)));
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

/// The numbers of a normalising layer, whose first two parameters are gamma and beta.
struct Expected {
    output: Tensor<f64>,
    grad_x: Tensor<f64>,
    grad_gamma: Tensor<f64>,
    grad_beta: Tensor<f64>,
}

impl Expected {
    #[track_caller]
    fn check(&self, found: &Found) {
        close(&found.output, &self.output);
        close(&found.grad_x, &self.grad_x);
        close(&found.grads[0], &self.grad_gamma);
        close(&found.grads[1], &self.grad_beta);
    }
}

#[test]
fn layer_normalization() {
    let expected = Expected {
        output: Tensor::from([
            [0.17647439587882252, -1.199265439483281, -0.41885932126093167],
            [1.9890184556406882, -0.2592633240985315, 1.0111598891823768],
            [-2.002893469149621, 0.24060625067896835, -0.21070269965062233],
            [2.125488644956706, -1.0300949955471694, 0.4876242113223054],
        ]),
        grad_x: Tensor::from([
            [0.7580282853467644, -0.35549189266020276, -0.4025363926865616],
            [-0.11694221407939204, 0.2578765617160973, -0.1409343476367052],
            [-0.13610103060012158, 1.0062077521259984, -0.8701067215258773],
            [-0.012712955279932936, -0.029820703834241374, 0.04253365911417428],
        ]),
        grad_gamma: Tensor::from([1.7960020661245462, 2.0803607130779858, 1.5071576610413988]),
        grad_beta: Tensor::from([0.4, -0.19999999999999996, 1.4500000000000002]),
    };
    let mut flat = model(LayerNorm::new(), x());
    set_affine(&mut flat);
    expected.check(&run(&flat, &x(), &g3(), true));

    // The same rows as [2, 2, 3]: Keras gives the same numbers.
    let split = |tensor: Tensor<f64>| tensor.reshape([2, 2, 3]);
    let mut deep = model(LayerNorm::new(), split(x()));
    set_affine(&mut deep);
    let expected = Expected { output: split(expected.output), grad_x: split(expected.grad_x), ..expected };
    expected.check(&run(&deep, &split(x()), &split(g3()), false));
}

#[test]
fn batch_normalization() {
    let mut model = model(BatchNorm::new().momentum(0.99), x());
    set_affine(&mut model);
    let (x, cotangent) = (x(), g3());
    for (training, x, expected, moving) in [
        (
            true,
            x.clone(),
            Expected {
                output: Tensor::from([
                    [-0.5841255257457417, -1.2390979549884646, -0.5014113209448756],
                    [0.9361534203559063, 0.2453276949950562, 1.1163909718036584],
                    [-1.9523765772372252, 0.8390979549884647, 0.03785610997130234],
                    [2.00034868262706, -0.6453276949950563, 0.547164239169915],
                ]),
                grad_x: Tensor::from([
                    [1.107180036787279, -0.04573287898954591, 0.3085414993541425],
                    [0.21773486600947325, 0.5568205167038415, 0.18183980573761155],
                    [-0.7832130441126132, -0.35011396100605974, -0.4327427719278949],
                    [-0.541701858684139, -0.16097367670823587, -0.057638533163859196],
                ]),
                grad_gamma: Tensor::from([1.1250064201152195, 2.783298093719101, 1.055441233425066]),
                grad_beta: Tensor::from([0.4, -0.19999999999999996, 1.4500000000000002]),
            },
            Some((
                [0.009500000000000008, -0.001500000000000001, 0.006625000000000007],
                [0.999725, 0.996525, 1.0000171875],
            )),
        ),
        (
            false,
            x.clone(),
            Expected {
                output: Tensor::from([
                    [0.83548343556066, -1.1599887220209195, -0.8954171728265219],
                    [2.3349399810462055, 0.04149904020801601, 0.7237595333284209],
                    [-0.5140274553763309, 0.5220941450995902, -0.3556916041082077],
                    [3.3845595628860874, -0.6793936171293453, 0.15404921079242248],
                ]),
                grad_x: Tensor::from([
                    [1.0496195818398815, -0.800991841485957, -0.11993901527073653],
                    [0.5997826181942182, 0.7208926573373613, 0.17990852290610476],
                    [-1.1995652363884364, 0.4004959207429785, -0.719634091624419],
                    [0.14994565454855455, -0.4805951048915742, -0.2098932767237889],
                ]),
                grad_gamma: Tensor::from([1.4856615452670785, 2.2825263762944203, 2.0068733261938867]),
                grad_beta: Tensor::from([0.4, -0.19999999999999996, 1.4500000000000002]),
            },
            None,
        ),
        (
            true,
            &x * 2.0 + 1.0,
            Expected {
                output: Tensor::from([
                    [-0.5843892087486899, -1.2396947376288308, -0.5017112035788185],
                    [0.9364756995817316, 0.24558345898378475, 1.116696459720479],
                    [-1.9531676262460693, 0.8396947376288308, 0.03775801752094715],
                    [2.001081135413027, -0.6455834589837847, 0.5472567263373928],
                ]),
                grad_x: Tensor::from([
                    [0.5538785963376057, -0.022365449162575983, 0.15440754087443834],
                    [0.10881747378031079, 0.2783498185519582, 0.09087338250194414],
                    [-0.3915318372332519, -0.17567164371910607, -0.21642648855513014],
                    [-0.2711642328846646, -0.08031272567027614, -0.028854434821252384],
                ]),
                grad_gamma: Tensor::from([1.1254400321645117, 2.784896618648654, 1.0558361723144722]),
                grad_beta: Tensor::from([0.4, -0.19999999999999996, 1.4500000000000002]),
            },
            Some((
                [0.038405000000000036, 0.005515000000000004, 0.02980875000000003],
                [1.02862775, 1.01265975, 1.030085765625],
            )),
        ),
    ] {
        let found = run(&model, &x, &cotangent, training);
        expected.check(&found);
        if let Some((mean, variance)) = moving {
            for (state, value) in found.updates {
                model.params_mut()[state].value = value;
            }
            close(&model.params().get("0/moving_mean").unwrap().value, &Tensor::from(mean));
            close(&model.params().get("0/moving_variance").unwrap().value, &Tensor::from(variance));
        }
    }
}

#[test]
fn batch_normalization_of_three_axes() {
    let mut model = model(BatchNorm::new().momentum(0.9), x().reshape([2, 2, 3]));
    set_affine(&mut model);
    let (x, cotangent) = (x().reshape([2, 2, 3]), g3().reshape([2, 2, 3]));
    for (training, x, expected, moving) in [
        (
            true,
            x.clone(),
            Expected {
                output: Tensor::from([
                    [
                        [-0.5841255257457417, -1.2390979549884644, -0.5014113209448756],
                        [0.9361534203559063, 0.24532769499505613, 1.1163909718036584],
                    ],
                    [
                        [-1.9523765772372252, 0.8390979549884645, 0.03785610997130234],
                        [2.00034868262706, -0.6453276949950562, 0.547164239169915],
                    ],
                ]),
                grad_x: Tensor::from([
                    [
                        [1.107180036787279, -0.04573287898954584, 0.3085414993541425],
                        [0.21773486600947328, 0.5568205167038415, 0.18183980573761155],
                    ],
                    [
                        [-0.783213044112613, -0.35011396100605974, -0.4327427719278949],
                        [-0.541701858684139, -0.16097367670823584, -0.057638533163859196],
                    ],
                ]),
                grad_gamma: Tensor::from([1.1250064201152195, 2.783298093719101, 1.055441233425066]),
                grad_beta: Tensor::from([0.4, -0.19999999999999996, 1.4499999999999997]),
            },
            Some(([0.09499999999999999, -0.014999999999999993, 0.06624999999999999], [0.99725, 0.96525, 1.000171875])),
        ),
        (
            false,
            x.clone(),
            Expected {
                output: Tensor::from([
                    [
                        [0.7080322611947856, -1.1644141724330117, -0.8595707629430545],
                        [2.2093464863670955, 0.05636326102649675, 0.7594808517673513],
                    ],
                    [
                        [-0.6431505414602934, 0.5446742344103002, -0.3198868913729193],
                        [3.2602664439877125, -0.6761031990492082, 0.18981454288776403],
                    ],
                ]),
                grad_x: Tensor::from([
                    [
                        [1.050919957620617, -0.813851622306339, -0.11992974923780783],
                        [0.600525690068924, 0.7324664600757052, 0.1798946238567117],
                    ],
                    [
                        [-1.201051380137848, 0.4069258111531695, -0.7195784954268468],
                        [0.150131422517231, -0.48831097338380336, -0.20987706116616367],
                    ],
                ]),
                grad_gamma: Tensor::from([1.453272169966796, 2.3164251799894173, 1.9203126462593365]),
                grad_beta: Tensor::from([0.4, -0.19999999999999996, 1.4499999999999997]),
            },
            None,
        ),
        (
            true,
            &x * 2.0 + 1.0,
            Expected {
                output: Tensor::from([
                    [
                        [-0.5843892087486899, -1.2396947376288308, -0.5017112035788185],
                        [0.9364756995817316, 0.24558345898378475, 1.116696459720479],
                    ],
                    [
                        [-1.9531676262460693, 0.8396947376288308, 0.03775801752094715],
                        [2.001081135413027, -0.6455834589837847, 0.5472567263373928],
                    ],
                ]),
                grad_x: Tensor::from([
                    [
                        [0.5538785963376057, -0.022365449162575983, 0.15440754087443834],
                        [0.10881747378031079, 0.2783498185519582, 0.09087338250194416],
                    ],
                    [
                        [-0.3915318372332519, -0.17567164371910607, -0.21642648855513014],
                        [-0.2711642328846646, -0.08031272567027614, -0.028854434821252384],
                    ],
                ]),
                grad_gamma: Tensor::from([1.1254400321645117, 2.784896618648654, 1.0558361723144722]),
                grad_beta: Tensor::from([0.4, -0.19999999999999996, 1.4499999999999997]),
            },
            Some((
                [0.37549999999999994, 0.05649999999999999, 0.29212499999999997],
                [1.286525, 1.129725, 1.3008421874999998],
            )),
        ),
    ] {
        let found = run(&model, &x, &cotangent, training);
        expected.check(&found);
        if let Some((mean, variance)) = moving {
            for (state, value) in found.updates {
                model.params_mut()[state].value = value;
            }
            close(&model.params().get("0/moving_mean").unwrap().value, &Tensor::from(mean));
            close(&model.params().get("0/moving_variance").unwrap().value, &Tensor::from(variance));
        }
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
