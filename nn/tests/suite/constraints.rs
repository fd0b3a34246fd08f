//! Constraints on weights: Keras's numbers, and how options of layers reach the parameters.

use gradus_autograd::Params;
use gradus_nn::*;
use gradus_tensor::Tensor;

fn constraint(name: &str) -> Constraint {
    match name {
        "non_neg" => Constraint::non_neg(),
        "max_norm" => Constraint::max_norm(1.5),
        "max_norm of rows" => Constraint::max_norm(1.5).axis(1),
        "max_norm of filters" => Constraint::max_norm(2.5).axes([0, 1, 2]),
        "unit_norm" | "unit_norm of a bias" => Constraint::unit_norm(),
        "unit_norm of filters" => Constraint::unit_norm().axes([0, 1, -2]),
        "min_max_norm" => Constraint::min_max_norm(1.6, 1.9),
        "min_max_norm at a rate" => Constraint::min_max_norm(1.6, 1.9).rate(0.25).axis(-1),
        other => panic!("reference/constraints.txt has {other:?}, of which nothing is known here"),
    }
}

#[test]
fn constrained_weights_are_those_of_keras() {
    let lines = include_str!("../reference/constraints.txt").lines();
    let mut count = 0;
    for line in lines {
        let [name, shape, numbers] = line.split("; ").collect::<Vec<_>>().try_into().unwrap();
        let shape: Vec<usize> = shape.split(' ').map(|length| length.parse().unwrap()).collect();
        let expected: Tensor<f64> = numbers.split(' ').map(|number| number.parse().unwrap()).collect();
        let elements = (0..expected.size()).map(|i| ((7 * i + 3) % 11) as f64 / 4.0 - 1.25);
        let mut weight = Tensor::from_iter(elements).reshape(&shape[..]);
        constraint(name).apply(&mut weight);
        // Keras adds 1e-7 to each norm.
        assert!(weight.allclose(&expected.reshape(&shape[..]), 1e-6, 1e-8), "{name}: {weight}");
        count += 1;
    }
    assert_eq!(count, 9);
}

/// The names of the parameters with a constraint, and the constraints.
fn constrained(params: &Params) -> Vec<(&str, &Constraint)> {
    params.iter().filter_map(|param| Some((&*param.name, param.constraint.as_ref()?))).collect()
}

#[test]
fn each_weight_has_the_constraint_that_its_option_says() {
    let (first, second, third) = (Constraint::max_norm(1.0), Constraint::non_neg(), Constraint::unit_norm());
    let (a, b, c) = (|| first.clone(), || second.clone(), || third.clone());
    let check = |network: Sequential, input: &[usize], expected: &[(&str, &Constraint)]| {
        // In JSON, too.
        let read = Sequential::from_json(&network.to_json().unwrap()).unwrap();
        for network in [network, read] {
            let model = Model::build(network, PartialShape::from(input), 1).unwrap();
            assert_eq!(constrained(model.params()), expected);
        }
    };
    let of = Sequential::new;
    check(
        of().add(Dense::new(3).kernel_constraint(a()).bias_constraint(b())),
        &[4],
        &[("0/kernel", &first), ("0/bias", &second)],
    );
    check(of().add(Dense::new(3).bias_constraint(b()).use_bias(false)), &[4], &[]);
    check(
        of().add(Conv2D::new(3, 2).kernel_constraint(a()).bias_constraint(b())),
        &[4, 4, 2],
        &[("0/kernel", &first), ("0/bias", &second)],
    );
    check(
        of().add(Conv1DTranspose::new(3, 2).kernel_constraint(a()).bias_constraint(b())),
        &[4, 2],
        &[("0/kernel", &first), ("0/bias", &second)],
    );
    check(
        of().add(DepthwiseConv2D::new(2).depthwise_constraint(a()).bias_constraint(b())),
        &[4, 4, 2],
        &[("0/kernel", &first), ("0/bias", &second)],
    );
    check(
        of().add(SeparableConv1D::new(3, 2).depthwise_constraint(a()).pointwise_constraint(c()).bias_constraint(b())),
        &[4, 2],
        &[("0/depthwise_kernel", &first), ("0/pointwise_kernel", &third), ("0/bias", &second)],
    );
    check(of().add(Embedding::new(5, 3).embeddings_constraint(a())), &[4], &[("0/embeddings", &first)]);
    let both_ways = LayerHandle::new(ReversibleEmbedding::new(5, 3).embeddings_constraint(a()));
    check(of().add(&both_ways).add(&both_ways), &[4], &[("0/embeddings", &first)]);
    check(of().add(PReLU::new().alpha_constraint(b())), &[4], &[("0/alpha", &second)]);
    let all_of_lstm = LSTM::new(2).kernel_constraint(a()).recurrent_constraint(c()).bias_constraint(b());
    let recurrent = [("0/kernel", &first), ("0/recurrent_kernel", &third), ("0/bias", &second)];
    check(of().add(all_of_lstm), &[4, 3], &recurrent);
    let all_of_gru = GRU::new(2).kernel_constraint(a()).recurrent_constraint(c()).bias_constraint(b());
    check(of().add(all_of_gru), &[4, 3], &recurrent);
    let all_of_simple = SimpleRNN::new(2).kernel_constraint(a()).recurrent_constraint(c()).bias_constraint(b());
    check(of().add(all_of_simple), &[4, 3], &recurrent);
    let norms = [("0/gamma", &first), ("0/beta", &second)];
    check(of().add(BatchNormalization::new().gamma_constraint(a()).beta_constraint(b())), &[4], &norms);
    check(of().add(LayerNormalization::new().gamma_constraint(a()).beta_constraint(b())), &[4], &norms);
    check(of().add(GroupNormalization::new().groups(2).gamma_constraint(a()).beta_constraint(b())), &[4], &norms);
    let of_heads: Vec<String> = ["query", "key", "value", "attention_output"]
        .iter()
        .flat_map(|projection| ["kernel", "bias"].map(|weight| format!("0/{projection}/{weight}")))
        .collect();
    let of_heads: Vec<(&str, &Constraint)> =
        of_heads.iter().map(String::as_str).zip([&first, &second].into_iter().cycle()).collect();
    check(of().add(MultiHeadAttention::new(2, 3).kernel_constraint(a()).bias_constraint(b())), &[4, 2], &of_heads);
    check(
        of().add(GroupedQueryAttention::new(3, 2, 1).kernel_constraint(a()).bias_constraint(b())),
        &[4, 2],
        &of_heads,
    );
}

#[test]
fn a_constraint_along_an_axis_that_is_not_there_is_refused() {
    let filters = Constraint::max_norm(1.0).axes([0, 1, 2]);
    let network = Sequential::new().add(Conv2D::new(3, 2)).add(Flatten).add(Dense::new(2).kernel_constraint(filters));
    assert_eq!(
        Model::build(network, [4, 4, 1], 0).err().unwrap().to_string(),
        "layer 2 (Dense): a constraint along axis 2 of a weight of shape [27, 2]; count the axes of the weight from 0, or from -1, \
         the last"
    );
}

#[test]
fn a_file_with_a_bound_that_is_none_is_refused() {
    let json = Sequential::new().add(Dense::new(2).kernel_constraint(Constraint::max_norm(1.5))).to_json().unwrap();
    let error = Sequential::from_json(&json.replace("1.5", "-1.5")).unwrap_err().to_string();
    assert!(error.contains("max_norm: a finite bound that is not negative is needed, not -1.5"), "{error}");
}

#[test]
fn weights_of_a_model_that_others_were_copied_into_keep_their_constraints() {
    let network = || Sequential::new().add(Dense::new(2).kernel_constraint(Constraint::unit_norm()));
    let free = Model::build(Sequential::new().add(Dense::new(2)), [3], 1).unwrap();
    let mut model = Model::build(network(), [3], 2).unwrap();
    model.copy_weights_from(&free, &Matching::new()).unwrap();
    assert_eq!(model.params()[0].value, free.params()[0].value);
    assert_eq!(constrained(model.params()), [("0/kernel", &Constraint::unit_norm())]);
}
