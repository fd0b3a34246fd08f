//! Dense, Embedding and activation-like layers against Keras.

use gradus_nn::*;
use gradus_tensor::Tensor;

use crate::{Alone, close, lines, values};

/// The layer that a line of layers.txt is named for.
fn layer(name: &str) -> Sequential {
    let network = Sequential::new();
    match name {
        "dense linear" => network.add(Dense::new(2)),
        "dense relu" => network.add(Dense::new(2).activation(Activation::Relu)),
        "dense tanh" => network.add(Dense::new(2).activation(Activation::Tanh)),
        "dense softmax" => network.add(Dense::new(2).activation(Activation::Softmax)),
        "dense without bias" => network.add(Dense::new(3).use_bias(false)),
        "reversible embedding, in reverse" => network.add(ReversibleEmbedding::new(5, 3)),
        "elu" => network.add(ELU::new(0.5)),
        "leaky relu" => network.add(LeakyReLU::default()),
        "prelu" => network.add(PReLU::new()),
        "prelu, shared axes" => network.add(PReLU::new().shared_axes([1])),
        "relu, options" => network.add(ReLU::new().max_value(1.0).negative_slope(0.1).threshold(0.25)),
        "softmax, axis 1" => network.add(Softmax::new().axis(1)),
        "unit normalization" => network.add(UnitNormalization::new()),
        "unit normalization, axis 1" => network.add(UnitNormalization::new().axis(1)),
        "identity" => network.add(Identity),
        "rescaling" => network.add(Rescaling::new(1.0 / 255.0).offset(-0.5)),
        "normalization" => network.add(Normalization::adapt(&values([4, 3], 5)).unwrap()),
        name => panic!("no layer is named {name:?}"),
    }
}

#[test]
fn layers_and_their_gradients() {
    let lines = lines(include_str!("../reference/layers.txt"));
    assert!(lines.len() >= 14);
    for line in lines.iter().filter(|line| line.name != "embedding") {
        let alone = Alone::new(layer(line.name), &(values(&line.input, 1) + 0.125)).with_values();
        close(line.name, &alone.train(&values(&line.other, 2)), &line.numbers);
    }
}

#[test]
fn embedding() {
    let lines = lines(include_str!("../reference/layers.txt"));
    let line = lines.iter().find(|line| line.name == "embedding").unwrap();
    let ids = Tensor::from([[0.0, 1.0, 2.0], [3.0, 4.0, 0.0]]);
    for network in [Sequential::new().add(Embedding::new(5, 3)), Sequential::new().add(ReversibleEmbedding::new(5, 3))]
    {
        let alone = Alone::of_ids(network, ids.clone()).with_values();
        close(line.name, &alone.train(&values(&line.other, 2)), &line.numbers);
    }
}

#[test]
fn category_encoding() {
    // Keras 3.15.1: CategoryEncoding(4, output_mode)([[0, 1], [0, 0], [1, 2], [3, 1]]).
    let ids = Tensor::from([[0_i64, 1], [0, 0], [1, 2], [3, 1]]);
    let encoded = |mode: CategoryMode, ids: &Tensor<i64>| {
        let layer = CategoryEncoding::new(4).output_mode(mode);
        let model = Model::build(Sequential::new().add(layer), ids.shape()[1..].to_vec(), 1).unwrap();
        model.predict(ids.clone()).unwrap()
    };
    let multi_hot = [[1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]];
    assert_eq!(encoded(CategoryMode::MultiHot, &ids), Tensor::new(multi_hot));
    let count = [[1.0, 1.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]];
    assert_eq!(encoded(CategoryMode::Count, &ids), Tensor::new(count));
    assert_eq!(encoded(CategoryMode::OneHot, &ids).shape(), &[4, 2, 4]);
    let one = Tensor::from([[3_i64], [2]]);
    assert_eq!(encoded(CategoryMode::OneHot, &one), Tensor::new([[0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0]]));
    assert_eq!(encoded(CategoryMode::MultiHot, &one.squeeze(-1)), encoded(CategoryMode::OneHot, &one));
}
