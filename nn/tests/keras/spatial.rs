//! Padding, cropping, up-sampling, global and adaptive pooling against Keras, and against PyTorch where Keras has no such
//! layer or rounds to f32.

use gradus_nn::*;

use crate::{Alone, close, lines, values};

/// The layer that a line of spatial.txt is named for.
fn layer(name: &str) -> Sequential {
    let smooth = Interpolation::Linear;
    let network = Sequential::new();
    match name {
        "zeros 1" => network.add(ZeroPadding1D::new([(2, 1)])),
        "zeros 2" => network.add(ZeroPadding2D::new([(1, 0), (0, 2)])),
        "zeros 3" => network.add(ZeroPadding3D::new([(1, 0), (0, 1), (0, 2)])),
        "reflection 1" => network.add(ReflectionPadding1D::new([(3, 1)])),
        "reflection 2" => network.add(ReflectionPadding2D::new([(1, 0), (2, 1)])),
        "reflection 3" => network.add(ReflectionPadding3D::new([(1, 1), (0, 1), (1, 0)])),
        "replication 1" => network.add(ReplicationPadding1D::new([(3, 1)])),
        "replication 2" => network.add(ReplicationPadding2D::new([(1, 0), (2, 1)])),
        "replication 3" => network.add(ReplicationPadding3D::new([(2, 1), (0, 1), (1, 0)])),
        "cropping 1" => network.add(Cropping1D::new([(1, 2)])),
        "cropping 2" => network.add(Cropping2D::new([(1, 0), (0, 2)])),
        "cropping 3" => network.add(Cropping3D::new([(0, 1), (1, 0), (1, 1)])),
        "nearest 1" => network.add(UpSampling1D::new([3])),
        "nearest 2" => network.add(UpSampling2D::new([2, 3])),
        "nearest 3" => network.add(UpSampling3D::new([2, 1, 3])),
        "linear 1" => network.add(UpSampling1D::new([4]).interpolation(smooth)),
        "linear 2" => network.add(UpSampling2D::new([2, 3]).interpolation(smooth)),
        "linear 3" => network.add(UpSampling3D::new([2, 3, 1]).interpolation(smooth)),
        "resizing" => network.add(Resizing::new(5, 2)),
        "resizing nearest" => network.add(Resizing::new(2, 7).interpolation(Interpolation::Nearest)),
        "resizing with proportions" => network.add(Resizing::new(4, 4).crop_to_aspect_ratio(true)),
        "resizing with edges above" => network.add(Resizing::new(4, 4).pad_to_aspect_ratio(true).fill_value(0.25)),
        "resizing with edges beside" => {
            network.add(Resizing::new(3, 5).pad_to_aspect_ratio(true).interpolation(Interpolation::Nearest))
        }
        "center crop" => network.add(CenterCrop::new(2, 3)),
        "center crop of less" => network.add(CenterCrop::new(4, 3)),
        "global max 1" => network.add(GlobalMaxPooling1D::new()),
        "global max 2" => network.add(GlobalMaxPooling2D::new().keepdims(true)),
        "global max 3" => network.add(GlobalMaxPooling3D::new()),
        "global mean 1" => network.add(GlobalAveragePooling1D::new().keepdims(true)),
        "global mean 2" => network.add(GlobalAveragePooling2D::new()),
        "global mean 3" => network.add(GlobalAveragePooling3D::new().keepdims(true)),
        "adaptive max 1" => network.add(AdaptiveMaxPooling1D::new([3])),
        "adaptive max 2" => network.add(AdaptiveMaxPooling2D::new([3, 5])),
        "adaptive max 3" => network.add(AdaptiveMaxPooling3D::new([2, 3, 1])),
        "adaptive mean 1" => network.add(AdaptiveAveragePooling1D::new([3])),
        "adaptive mean 2" => network.add(AdaptiveAveragePooling2D::new([3, 5])),
        "adaptive mean 3" => network.add(AdaptiveAveragePooling3D::new([2, 3, 1])),
        name => panic!("no layer is named {name:?}"),
    }
}

#[test]
fn spatial_layers_and_their_gradients() {
    let lines = lines(include_str!("../reference/spatial.txt"));
    assert_eq!(lines.len(), 37);
    for line in lines {
        let alone = Alone::new(layer(line.name), &values(&line.input, 1));
        close(line.name, &alone.train(&values(&line.other, 2)), &line.numbers);
    }
}
