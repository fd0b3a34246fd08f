//! The networks of `fixtures/pytorch/make_models.py`.

use gradus_interchange::pytorch::Mapping;
use gradus_nn::*;

fn norm() -> BatchNormalization {
    BatchNormalization::new().epsilon(1e-5).momentum(0.9)
}

fn block(inputs: usize, filters: usize, stride: usize) -> Residual {
    let conv = |stride: usize| Conv2D::new(filters, 3).strides(stride).use_bias(false);
    let body = Sequential::new()
        .add_named("pad1", ZeroPadding2D::new([(1, 1), (1, 1)]))
        .add_named("conv1", conv(stride))
        .add_named("bn1", norm())
        .add_named("relu", Activation::Relu)
        .add_named("conv2", conv(1).padding(Padding::Same))
        .add_named("bn2", norm());
    let block = Residual::new(body).activation(Activation::Relu);
    if stride == 1 && inputs == filters {
        return block;
    }
    block.shortcut(Sequential::new().add(Conv2D::new(filters, 1).strides(stride).use_bias(false)).add(norm()))
}

/// The network of He et al. 2015, as torchvision has it.
pub fn resnet18(width: usize, classes: usize) -> Sequential {
    let mut network = Sequential::new()
        .add_named("pad", ZeroPadding2D::new([(3, 3), (3, 3)]))
        .add_named("conv1", Conv2D::new(width, 7).strides(2).use_bias(false))
        .add_named("bn1", norm())
        .add_named("relu", Activation::Relu)
        // No number is below 0 here, so zeros do not change a maximum.
        .add_named("pad2", ZeroPadding2D::new([(1, 1), (1, 1)]))
        .add_named("maxpool", MaxPooling2D::new(3).strides(2));
    let mut inputs = width;
    for (layer, filters) in [width, 2 * width, 4 * width, 8 * width].into_iter().enumerate() {
        let stride = if layer == 0 { 1 } else { 2 };
        let blocks = Sequential::new().add(block(inputs, filters, stride)).add(block(filters, filters, 1));
        network = network.add_named(&format!("layer{}", layer + 1), blocks);
        inputs = filters;
    }
    network.add_named("mean", GlobalAveragePooling2D::new()).add_named("fc", Dense::new(classes))
}

/// The modules of torchvision's ResNet-18 in [`resnet18`].
pub fn resnet18_mapping() -> Mapping {
    let mut mapping = Mapping::new();
    for layer in 1..=4 {
        for block in 0..2 {
            let (theirs, ours) = (format!("layer{layer}.{block}"), format!("layer{layer}/{block}"));
            mapping = mapping.module(&theirs, format!("{ours}/body"));
            if layer > 1 && block == 0 {
                mapping = mapping.module(format!("{theirs}.downsample"), format!("{ours}/shortcut"));
            }
        }
    }
    mapping
}

/// A text classifier: ids, two bidirectional LSTMs, the last outputs of both ways.
pub fn classifier(words: usize, features: usize, units: usize, classes: usize) -> Sequential {
    Sequential::new()
        .add_named("embedding", Embedding::new(words, features))
        .add_named("lstm_0", Bidirectional::new(LSTM::new(units).return_sequences(true)))
        .add_named("lstm_1", Bidirectional::new(LSTM::new(units)))
        .add_named("fc", Dense::new(classes))
}

/// The modules of the classifier in PyTorch.
pub fn classifier_mapping() -> Mapping {
    Mapping::new().stack("lstm", ["lstm_0", "lstm_1"])
}
