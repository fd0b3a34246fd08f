//! Models that have all layers among them, small ones. The fuzz targets begin with them, too.

use gradus_nn::{
    Activation, AdaptiveAveragePooling2D, AdaptiveMaxPooling1D, Add, Average, AveragePooling2D, BatchNormalization,
    Concatenate, Conv1D, Conv2D, Conv2DTranspose, Conv3D, Cropping2D, Dense, DepthwiseConv2D, Dropout, ELU, Embedding,
    Flatten, GaussianDropout, GaussianNoise, GlobalAveragePooling1D, GlobalAveragePooling3D, GlobalMaxPooling2D, Graph,
    GroupNormalization, InstanceNormalization, LayerHandle, LayerNormalization, LeakyReLU, MaxPooling2D, MaxPooling3D,
    Maximum, Minimum, Model, Multiply, Normalization, PReLU, Padding, Permute, RMSNormalization, ReLU,
    ReflectionPadding2D, RepeatVector, ReplicationPadding2D, Rescaling, Reshape, Residual, SeparableConv2D, Sequential,
    Softmax, SpatialDropout2D, Subtract, UpSampling2D, UpSampling3D, ZeroPadding2D, ZeroPadding3D,
};

/// One of each.
pub fn models() -> Vec<Model> {
    let chain = Sequential::new;
    let build = |network: Sequential, shape: &[usize]| Model::build(network, shape, 1).unwrap();
    let pictures = chain()
        .add(Rescaling::new(0.5))
        .add(Conv2D::new(2, [2, 2]).padding(Padding::Same).dilation_rate([2, 2]))
        .add(BatchNormalization::new())
        .add(ReLU::new())
        .add(MaxPooling2D::new([2, 2]))
        .add(DepthwiseConv2D::new([2, 2]).padding(Padding::Same))
        .add(Conv2DTranspose::new(2, [3, 3]).strides([2, 2]))
        .add(SeparableConv2D::new(2, [3, 3]))
        .add(GroupNormalization::new().groups(2))
        .add(InstanceNormalization::new())
        .add(ZeroPadding2D::new([(1, 1), (0, 1)]))
        .add(ReflectionPadding2D::new([(1, 1), (0, 1)]))
        .add(ReplicationPadding2D::new([(1, 1), (0, 1)]))
        .add(Cropping2D::new([(1, 0), (0, 1)]))
        .add(UpSampling2D::new([2, 2]))
        .add(AveragePooling2D::new([2, 2]))
        .add(SpatialDropout2D::new(0.5))
        .add(AdaptiveAveragePooling2D::new([4, 4]))
        .add(GlobalMaxPooling2D::new());
    let volumes = chain()
        .add(Activation::Tanh)
        .add(Conv3D::new(2, [2, 1, 2]))
        .add(UpSampling3D::new([1, 2, 1]))
        .add(MaxPooling3D::new([1, 2, 1]))
        .add(ZeroPadding3D::new([(1, 0), (0, 1), (0, 0)]))
        .add(GlobalAveragePooling3D::new());
    let rows = chain()
        .add(Dense::new(4).activation(Activation::Relu))
        .add(LayerNormalization::new())
        .add(RMSNormalization::new())
        .add(PReLU::new())
        .add(ELU::default())
        .add(LeakyReLU::default())
        .add(GaussianDropout::new(0.1))
        .add(GaussianNoise::new(0.1))
        .add(Dropout::new(0.1))
        .add(RepeatVector::new(3))
        .add(Permute::new([2, 1]))
        .add(Reshape::new([-1, 6]))
        .add(Conv1D::new(2, [1]))
        .add(AdaptiveMaxPooling1D::new([1]))
        .add(Flatten)
        .add(Residual::new(Dense::new(2)))
        .add(Softmax::new());
    let words = chain().add(Embedding::new(5, 2)).add(GlobalAveragePooling1D::new()).add(Dense::new(1));
    let scaled = chain().add(Normalization::new(vec![0.5, 1.0], vec![1.0, 2.0])).add(Dense::new(1));
    let mut graph = Graph::builder();
    let (a, b) = (graph.input_named("a"), graph.input_named("b"));
    let tower = LayerHandle::new(chain().add(Dense::new(2)));
    let (c, d) = (graph.add(&tower, [a]), graph.add(&tower, [b]));
    let sum = graph.add(Add, [c, d]);
    let parts = [
        graph.add(Subtract, [sum, c]),
        graph.add(Multiply, [sum, c]),
        graph.add(Average, [sum, c]),
        graph.add(Maximum, [sum, c]),
        graph.add(Minimum, [sum, c]),
    ];
    let all = graph.add(Concatenate::new(), parts);
    let out = graph.add_named("out", Dense::new(2), [all]);
    let mut branches = Model::build(graph.outputs([("all", all), ("out", out)]), ([3], [3]), 1).unwrap();
    branches.freeze("out").unwrap();
    let plain = build(chain().add(Dense::new(2)), &[3]);
    let named = plain.with_class_names(["a", "b"]).unwrap();
    let prepared = named.with_preprocessing(chain().add(Rescaling::new(0.5)), [3]).unwrap();
    vec![
        build(pictures, &[8, 8, 2]),
        build(volumes, &[3, 3, 3, 1]),
        build(rows, &[3]),
        Model::build(words, [None], 1).unwrap(),
        build(scaled, &[2]),
        branches,
        prepared,
    ]
}
