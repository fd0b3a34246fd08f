//! The normalising layers. They compute in float32 there: the numbers are the formula's in float64, held against them.

use gradus_tensor::{Generator, Shape, Tensor};

use super::windows::values;
use super::{Found, close, g3, model, run, set, x};
use crate::{BatchNorm, GroupNorm, InstanceNorm, LayerNorm, Model, RMSNorm, Sequential};

/// gamma and beta of the normalising layers.
fn set_affine(model: &mut Model<f64>) {
    set(model, "0/gamma", Tensor::from([1.5, 0.8, -0.6]));
    set(model, "0/beta", Tensor::from([0.1, -0.2, 0.3]));
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

/// Numbers for inputs of four axes, [2, 3, 2, 2]: those of [`x`] and 2 x + 1, with a cotangent made likewise.
fn images() -> (Tensor<f64>, Tensor<f64>) {
    let stack = |a: Tensor<f64>, b: Tensor<f64>| Tensor::concat(&[a, b], 0).reshape([2, 3, 2, 2]);
    (stack(x(), x() * 2.0 + 1.0), stack(g3(), -g3() * 0.5 + 0.1))
}

#[test]
fn batch_normalization_of_channels_first() {
    let (x, cotangent) = images();
    let mut model = model(BatchNorm::new().axis(1).momentum(0.9), x.clone());
    set_affine(&mut model);
    let training = Expected {
        output: Tensor::from([
            [
                [[-0.6457005209737336, -1.853025173978826], [0.4195859375601715, 0.06449045138220313]],
                [[-0.37125850107948605, -1.0923469266773216], [-0.8760203989979709, 0.06139455427921536]],
                [[0.4637407199016458, 0.10795841493016847], [1.0135861003121107, 0.7386634101068783]],
            ],
            [
                [[0.4195859375601715, -1.9950633684500136], [2.5501588546279823, 1.8399678822720453]],
                [[0.5661564521977003, -0.8760203989979709], [-0.44336734363926966, 1.431462562915103]],
                [[-0.21548004413481087, -0.9270446540777655], [0.8842107166861191, 0.3343653362756541]],
            ],
        ]),
        grad_x: Tensor::from([
            [
                [[0.4474200140843358, -0.7613424134598935], [0.09359315249972353, 0.2352084721064589]],
                [[0.5989590738238848, -0.2682235840695857], [-0.6282048327156832, 0.3116496318903911]],
                [[-0.3446572997760756, -0.002066910260919347], [0.25791943224611064, -0.059540856718231464]],
            ],
            [
                [[-0.225992785060448, 0.37479399236382444], [-0.0459077927847517, -0.11777263974924942]],
                [[-0.2999619468445217, 0.12893801416204423], [0.3103360488671437, -0.1534924051136734]],
                [[0.180003514763231, -0.0242714686351497], [-0.07031608698480366, 0.06292967536583814]],
            ],
        ]),
        grad_gamma: Tensor::from([-0.020122077550084716, -0.023097363632430645, -0.5502665242373725]),
        grad_beta: Tensor::from([0.55, 0.55, 0.9250000000000002]),
    };
    let found = run(&model, &x, &cotangent, true);
    training.check(&found);
    for (state, value) in found.updates {
        model.params_mut()[state].value = value;
    }
    close(&model.params().get("0/moving_mean").unwrap().value, &Tensor::from([0.155, 0.05375, 0.16062500000000002]));
    close(&model.params().get("0/moving_variance").unwrap().value, &Tensor::from([1.346, 1.022984375, 1.24402734375]));
    let prediction = Expected {
        output: Tensor::from([
            [
                [[0.5458887923515976, -1.6512443873519265], [2.484535715619413, 1.8383200745301416]],
                [[-0.005320796255765814, -0.7958962429328589], [-0.558723608929731, 0.46902447175049006]],
                [[-0.20512725643840174, -0.7966269046962771], [0.7090085635964969, 0.2519406535790476]],
            ],
            [
                [[2.484535715619413, -1.9097306437876354], [6.3618295621550445, 5.0693982799765]],
                [[1.0224272844244553, -0.5587236089297309], [-0.08437834092347517, 1.971117820436967]],
                [[-1.3343538576579823, -2.517353154173734], [0.49391778241181483, -0.4202180376230837]],
            ],
        ]),
        grad_x: Tensor::from([
            [
                [[0.9047018975249805, -1.2924312821785437], [0.25848625643570877, 0.5169725128714175]],
                [[0.7115179020093838, -0.23717263400312794], [-0.6324603573416745, 0.39528772333854656]],
                [[-0.6452723435540461, -0.05377269529617051], [0.32263617177702303, -0.18820443353659677]],
            ],
            [
                [[-0.3231078205446359, 0.7754587693071262], [0.0, -0.12924312821785439]],
                [[-0.2767014063369826, 0.19764386166927328], [0.39528772333854656, -0.11858631700156397]],
                [[0.2688634764808525, -0.026886347648085254], [-0.21509078118468203, 0.040329521472127865]],
            ],
        ]),
        grad_gamma: Tensor::from([0.6244597145059331, 0.23760497995052943, 0.28358095115696574]),
        grad_beta: Tensor::from([0.55, 0.55, 0.9250000000000002]),
    };
    prediction.check(&run(&model, &x, &cotangent, false));
    // Keras with `trainable = False`: training is as predicting, and the moving statistics stay.
    model.freeze("0").unwrap();
    let found = run(&model, &x, &cotangent, true);
    prediction.check(&found);
    assert!(found.updates.is_empty());
    model.unfreeze("0").unwrap();
    assert_eq!(run(&model, &x, &cotangent, true).updates.len(), 2);
    // Keras's frozen `gamma` alone leaves the layer training.
    model.params_mut().freeze("0/gamma");
    assert_eq!(run(&model, &x, &cotangent, true).updates.len(), 2);
}

#[test]
fn layer_normalization_over_chosen_axes() {
    let six = [1.5, 0.8, -0.6, 0.1, -0.2, 0.3];
    let other_six = [-0.4, 0.5, 0.2, 0.9, -0.7, 1.1];
    let affine = |model: &mut Model<f64>, gamma: &[f64], beta: &[f64], shape: &[usize]| {
        set(model, "0/gamma", Tensor::from(gamma).reshape(shape));
        set(model, "0/beta", Tensor::from(beta).reshape(shape));
    };

    let split = |tensor: Tensor<f64>| tensor.reshape([2, 2, 3]);
    let mut one = model(LayerNorm::new().axis(1), split(x()));
    affine(&mut one, &[1.5, 0.8], &[0.1, -0.2], &[2]);
    let expected = Expected {
        output: Tensor::from([
            [
                [-1.3970089701046235, -1.3986684418147899, 1.5995886466397353],
                [0.5984047840557993, 0.5992898356345548, -0.999780611541192],
            ],
            [
                [-1.3995564098675735, 1.59866844181479, 1.5958649128773046],
                [0.5997634185960392, -0.9992898356345548, -0.9977946202012291],
            ],
        ]),
        grad_x: Tensor::from([
            [
                [0.002902567193031391, -0.002624110374310318, 0.00010964911043886971],
                [-0.0029025671930316133, 0.0026241103743102068, -0.00010964911043886971],
            ],
            [
                [-0.00029104796200563054, 0.0014538989911718203, 0.009818613195464287],
                [0.00029104796200563054, -0.0014538989911718203, -0.009818613195464732],
            ],
        ]),
        grad_gamma: Tensor::from([2.9964647575491465, 1.948723844157104]),
        grad_beta: Tensor::from([0.7999999999999998, 0.85]),
    };
    expected.check(&run(&one, &split(x()), &split(g3()), true));

    let expected = Expected {
        output: Tensor::from([
            [
                [-0.26642237552453807, -0.6398623955239424, -0.6548967966429566],
                [0.9979569246153388, -0.6821896500699384, 0.8061292261539837],
            ],
            [
                [-1.9324501308794262, 0.7724355788230093, -0.1300661820355688],
                [1.0702722367643807, -0.4537601499099725, 0.9978366579413717],
            ],
        ]),
        grad_x: Tensor::from([
            [
                [0.9339487621929602, -0.4425869603622167, -0.3470052198705141],
                [-0.12483958337839761, -0.12951462368517824, 0.10999762510334639],
            ],
            [
                [-0.8903189065900299, 0.5959864037245114, -0.6068470632971101],
                [-0.0028882931062864936, 0.5220803902954448, 0.38198746897347],
            ],
        ]),
        grad_gamma: Tensor::from([
            [0.879642961224243, 1.5951002311693085, 0.9450979629521232],
            [0.5620999352257359, 0.6585729755848052, 0.17468020811094986],
        ]),
        grad_beta: Tensor::from([[-0.10000000000000009, -0.5, 1.4], [0.5, 0.30000000000000004, 0.04999999999999999]]),
    };
    for axes in [[1, 2], [-1, -2]] {
        let mut both = model(LayerNorm::new().axes(axes), split(x()));
        affine(&mut both, &six, &other_six, &[2, 3]);
        expected.check(&run(&both, &split(x()), &split(g3()), true));
    }

    let (x, cotangent) = images();
    let mut apart = model(LayerNorm::new().axes([3, 1]), x.clone());
    affine(&mut apart, &six, &other_six, &[3, 2]);
    let expected = Expected {
        output: Tensor::from([
            [
                [[-0.22134468045308156, -0.6195733358273559], [1.7947186599810423, 1.2499717257260567]],
                [[0.23573106390938373, 0.8047171629083102], [0.8360741505573799, 0.9306647317761823]],
                [[-0.8310139010010735, 1.5913021287540259], [-0.44592079385449007, 0.9869785600249285]],
            ],
            [
                [[-0.221291197655525, -0.6199084946920437], [1.7956289609398883, 1.2502827906445289]],
                [[0.235741760468895, 0.8046886387496133], [0.8363379743083268, 0.9306774505520543]],
                [[-0.8310531217192817, 1.5914492064473065], [-0.4458154097115498, 0.9869316822509998]],
            ],
        ]),
        grad_x: Tensor::from([
            [
                [[0.9956161272327441, -0.3862579804232973], [0.06078054239770536, 0.08672669089766888]],
                [[-0.3928480633825574, 0.2219510003755875], [0.27363648271293484, -0.19123842720629186]],
                [[-0.25224748319298185, -0.18621360060949502], [-0.102886359383139, -0.1270189294188782]],
            ],
            [
                [[-0.19553924749396967, 0.11147488687462034], [-0.0011307159032642802, -0.027129646669822087]],
                [[0.057001678212151456, -0.06975463148553612], [-0.0817500547877835, 0.02634139993397851]],
                [[0.04313954845811515, 0.05367776543461888], [0.04037695929046809, 0.04329205813642324]],
            ],
        ]),
        grad_gamma: Tensor::from([
            [0.34621683672862175, 0.8407358127976244],
            [0.2850699865623473, 0.15487759120193256],
            [0.7123190395678661, 0.14208431012555955],
        ]),
        grad_beta: Tensor::from([
            [0.6499999999999999, -0.09999999999999998],
            [0.25, 0.30000000000000004],
            [0.5, 0.425],
        ]),
    };
    expected.check(&run(&apart, &x, &cotangent, true));
}

/// By definition: normalising an axis is normalising it as the last one.
#[test]
fn every_axis_is_normalised_alike() {
    for shape in [&[5, 3][..], &[4, 2, 3], &[3, 2, 4, 5], &[2, 3, 1, 2, 3]] {
        let mut generator = Generator::new(7);
        let (x, cotangent) = (generator.normal(shape, 1.0, 2.0), generator.normal(shape, 0.0, 1.0));
        let last = shape.len() as isize - 1;
        for axis in 1..=last {
            for training in [true, false] {
                let turn = |tensor: &Tensor<f64>| tensor.swap_axes(axis, last);
                let direct = run(&model(BatchNorm::new().axis(axis - last - 1), x.clone()), &x, &cotangent, training);
                let turned = run(&model(BatchNorm::new(), turn(&x)), &turn(&x), &turn(&cotangent), training);
                close(&direct.output, &turn(&turned.output));
                close(&direct.grad_x, &turn(&turned.grad_x));
                for (direct, turned) in direct.grads.iter().zip(&turned.grads) {
                    close(direct, turned);
                }
                for ((_, direct), (_, turned)) in direct.updates.iter().zip(&turned.updates) {
                    close(direct, turned);
                }
            }
        }
    }
}

/// The layer that a line of normalize.txt is named for.
fn layer(name: &str) -> Sequential {
    let network = Sequential::new();
    match name {
        "groups 2" => network.add(GroupNorm::new().groups(2)),
        "groups 3, axis 1" => network.add(GroupNorm::new().groups(3).axis(1).epsilon(0.1)),
        "groups -1" => network.add(GroupNorm::new().groups(-1)),
        "groups of vectors" => network.add(GroupNorm::new().groups(2)),
        "instance" => network.add(InstanceNorm::new()),
        "instance 1" => network.add(InstanceNorm::new().epsilon(0.1)),
        "rms" => network.add(RMSNorm::new()),
        "rms, axis 1" => network.add(RMSNorm::new().axis(1).epsilon(0.1)),
        "rms, axes 1 and 2" => network.add(RMSNorm::new().axes([1, 2])),
        name => panic!("no layer is named {name:?}"),
    }
}

/// What normalize.py has written: torch 2.15.0, held against keras 3.15.1.
#[test]
fn group_instance_and_rms_normalization() {
    let lines = include_str!("normalize.txt").lines();
    assert_eq!(lines.clone().count(), 9);
    for line in lines {
        let parts: Vec<&str> = line.split("; ").collect();
        let lengths = |part: usize| parts[part].split(' ').map(|length| length.parse().unwrap()).collect::<Shape>();
        let (input, weights) = (lengths(1), lengths(2));
        let x = values(input.clone(), 1);
        let mut model = model(layer(parts[0]), x.clone());
        let trainable = model.params().iter().map(|param| param.name.clone()).collect::<Vec<String>>();
        for (name, seed) in trainable.iter().zip([3, 4]) {
            set(&mut model, name, values(weights.clone(), seed));
        }
        let found = run(&model, &x, &values(input.clone(), 2), true);
        let all = [&[found.output, found.grad_x], &found.grads[..]].concat();
        assert_eq!(all.len(), parts.len() - 3, "{}", parts[0]);
        for (found, expected) in all.iter().zip(&parts[3..]) {
            let expected: Tensor<f64> = expected.split(' ').map(|number| number.parse::<f64>().unwrap()).collect();
            assert!(found.flatten().allclose(&expected, 1e-12, 1e-13), "{}: {found:?}\n{expected:?}", parts[0]);
        }
    }
}
