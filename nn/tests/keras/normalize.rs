//! The normalising layers against PyTorch, which is held against Keras by the script.

use gradus_nn::*;
use gradus_tensor::{Generator, Tensor};

use crate::{Alone, close, lines, values};

/// The layer that a line of normalize.txt is named for.
fn layer(name: &str) -> Sequential {
    let network = Sequential::new();
    match name {
        "groups 2" => network.add(GroupNormalization::new().groups(2)),
        "groups 3, axis 1" => network.add(GroupNormalization::new().groups(3).axis(1).epsilon(0.1)),
        "groups -1" => network.add(GroupNormalization::new().groups(-1)),
        "groups of vectors" => network.add(GroupNormalization::new().groups(2)),
        "instance" => network.add(InstanceNormalization::new()),
        "instance 1" => network.add(InstanceNormalization::new().epsilon(0.1)),
        "rms" => network.add(RMSNormalization::new()),
        "rms, axis 1" => network.add(RMSNormalization::new().axis(1).epsilon(0.1)),
        "rms, axes 1 and 2" => network.add(RMSNormalization::new().axes([1, 2])),
        "layer" => network.add(LayerNormalization::new()),
        "layer of three axes" => network.add(LayerNormalization::new().epsilon(0.1)),
        "layer, axis 1" => network.add(LayerNormalization::new().axis(1)),
        "layer, axes 1 and 2" => network.add(LayerNormalization::new().axes([-1, 1])),
        "layer, axes 1 and 3" => network.add(LayerNormalization::new().axes([3, 1])),
        "batch" => network.add(BatchNormalization::new()),
        "batch of three axes" => network.add(BatchNormalization::new().momentum(0.9)),
        "batch, axis 1" => network.add(BatchNormalization::new().axis(1).momentum(0.9).epsilon(0.1)),
        name => panic!("no layer is named {name:?}"),
    }
}

#[test]
fn normalising_layers_and_their_gradients() {
    let lines = lines(include_str!("../reference/normalize.txt"));
    assert_eq!(lines.len(), 20);
    for line in lines {
        let x = values(&line.input, 1);
        let (layer_name, is_predicting) =
            line.name.strip_suffix(", predicting").map_or((line.name, false), |name| (name, true));
        let mut alone = Alone::new(layer(layer_name), &x).with_values();
        if is_predicting {
            alone.set("layer/0/moving_mean", values(&line.other, 5));
            alone.set("layer/0/moving_variance", values(&line.other, 6).square() + 1.0);
            // With frozen states a batch normalisation in training computes as when predicting.
            for param in alone.model.params_mut().iter_mut() {
                param.frozen = param.name.contains("moving");
            }
        }
        close(line.name, &alone.train(&values(&line.input, 2)), &line.numbers);
        if is_predicting {
            let y = alone.model.predict(&alone.input).unwrap();
            close(line.name, &[y], &line.numbers[..1]);
        }
    }
}

#[test]
fn a_frozen_batch_normalization_keeps_its_statistics() {
    let x = values([4, 3], 1);
    let mut alone = Alone::new(BatchNormalization::new(), &x);
    // The output, the gradients by x, gamma and beta, and two states.
    assert_eq!(alone.train(&x).len(), 6);
    // As in Keras, a frozen gamma leaves the layer training.
    alone.model.params_mut().freeze("layer/gamma");
    assert_eq!(alone.train(&x).len(), 5);
    // Keras with `trainable = False`: training is as predicting, and the moving statistics stay.
    alone.model.freeze("layer").unwrap();
    let found = alone.train(&x);
    assert_eq!(found.len(), 2);
    // By hand: a mean of 0, and a variance of 1 with epsilon.
    close("frozen", &found[..1], &[&x / 1.001_f64.sqrt()]);
}

/// By definition: normalising an axis is normalising it as the last one.
#[test]
fn every_axis_is_normalised_alike() {
    for shape in [&[5, 3][..], &[4, 2, 3], &[3, 2, 4, 5], &[2, 3, 1, 2, 3]] {
        let mut generator = Generator::new(7);
        let (x, cotangent) = (generator.normal(shape, 1.0, 2.0), generator.normal(shape, 0.0, 1.0));
        let last = shape.len() as isize - 1;
        for axis in 1..=last {
            for is_frozen in [true, false] {
                let swapped = |tensor: &Tensor<f64>| tensor.swap_axes(axis, last);
                let found = |layer: BatchNormalization, x: &Tensor<f64>, cotangent: &Tensor<f64>| {
                    let mut alone = Alone::new(layer, x);
                    for param in alone.model.params_mut().iter_mut() {
                        param.frozen = is_frozen && param.name.contains("moving");
                    }
                    alone.train(cotangent)
                };
                let direct = found(BatchNormalization::new().axis(axis - last - 1), &x, &cotangent);
                let mut as_last = found(BatchNormalization::new(), &swapped(&x), &swapped(&cotangent));
                as_last[..2].iter_mut().for_each(|tensor| *tensor = swapped(tensor));
                close(&format!("{shape:?}, axis {axis}"), &direct, &as_last);
            }
        }
    }
}
