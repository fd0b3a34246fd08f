//! What the layers that pad, crop, resize and pool say of wrong shapes and numbers.

use gradus_nn::{
    AdaptiveMaxPooling2D, AveragePooling1D, Cropping1D, Cropping2D, GlobalAveragePooling2D, GlobalMaxPooling1D, Layer,
    Model, ReflectionPadding1D, ReflectionPadding2D, ReplicationPadding1D, Sequential, UpSampling2D, ZeroPadding2D,
};

/// What building the layer for samples of this shape says.
#[track_caller]
fn refused(layer: impl Layer, input: &[usize], expected: &str) {
    let error = Model::build(Sequential::new().add(layer), input, 0).err().expect("the layer is wrong");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn padding() {
    refused(
        ZeroPadding2D::new([(1, 1), (1, 1)]),
        &[28, 28],
        "layer 0 (ZeroPadding2D): needs samples of shape [height, width, channels], found [28, 28]; add an axis of one \
         channel: Reshape it, or unsqueeze(-1) the data",
    );
    refused(
        ReflectionPadding2D::new([(1, 1), (0, 4)]),
        &[4, 4, 3],
        "layer 0 (ReflectionPadding2D): samples of shape [4, 4, 3] are too small to be continued by [(1, 1), (0, 4)]; \
         pad by less than the length of each axis: the edge itself is not repeated",
    );
    refused(
        ReflectionPadding1D::new([(0, 0)]),
        &[0, 3],
        "layer 0 (ReflectionPadding1D): samples of shape [0, 3] are too small to be continued by [(0, 0)]; \
         pad by less than the length of each axis: the edge itself is not repeated",
    );
    refused(
        ReplicationPadding1D::new([(1, 0)]),
        &[0, 3],
        "layer 0 (ReplicationPadding1D): samples of shape [0, 3] are too small to be continued by [(1, 0)]; \
         give samples that have an edge to repeat",
    );
    refused(
        ZeroPadding2D::new([(usize::MAX, 1), (0, 0)]),
        &[4, 4, 3],
        "layer 0 (ZeroPadding2D): no memory holds samples of shape [4, 4, 3] padded by \
         [(18446744073709551615, 1), (0, 0)]; pad by less",
    );
}

#[test]
fn cropping() {
    refused(
        Cropping2D::new([(1, 1), (2, 3)]),
        &[4, 5, 3],
        "layer 0 (Cropping2D): nothing is left of samples of shape [4, 5, 3] without [(1, 1), (2, 3)]; \
         crop less than there is along each axis",
    );
    refused(
        Cropping1D::new([(0, 0)]),
        &[4],
        "layer 0 (Cropping1D): needs samples of shape [length, channels], found [4]; add an axis of one channel: \
         Reshape it, or unsqueeze(-1) the data",
    );
}

#[test]
fn up_sampling() {
    refused(
        UpSampling2D::new([2, 0]),
        &[4, 4, 3],
        "layer 0 (UpSampling2D): the size must be 1 or more along each axis, found [2, 0]; 1 leaves an axis as it is",
    );
    refused(
        UpSampling2D::new([2, usize::MAX]),
        &[4, 4, 3],
        "layer 0 (UpSampling2D): no memory holds samples of shape [4, 4, 3] enlarged by [2, 18446744073709551615]; \
         enlarge them by less",
    );
    refused(
        UpSampling2D::new([2, 2]),
        &[4, 0, 3],
        "layer 0 (UpSampling2D): there is nothing in samples of shape [4, 0, 3]; give samples without an axis of length 0",
    );
}

#[test]
fn pooling() {
    refused(
        AdaptiveMaxPooling2D::new([0, 1]),
        &[4, 4, 3],
        "layer 0 (AdaptiveMaxPooling2D): output_size must be 1 or more along each axis, found [0, 1]; \
         1 is one window over all",
    );
    refused(
        GlobalMaxPooling1D::new(),
        &[0, 3],
        "layer 0 (GlobalMaxPooling1D): there is nothing in samples of shape [0, 3]; give samples without an axis of length 0",
    );
    refused(
        GlobalAveragePooling2D::new(),
        &[4, 4, 3, 1],
        "layer 0 (GlobalAveragePooling2D): needs samples of shape [height, width, channels], found [4, 4, 3, 1]; \
         reshape the data, or take the layer for another number of axes",
    );
    // An output that is larger than the input is what PyTorch allows, too.
    let model = Model::build(Sequential::new().add(AdaptiveMaxPooling2D::new([5, 1])), [2, 3, 1], 0).unwrap();
    assert_eq!(model.output_shape(), &[5, 1, 1]);
    refused(
        AveragePooling1D::new([0]),
        &[4, 3],
        "layer 0 (AveragePooling1D): pool_size must be 1 or more along each axis, found [0]; 1 is the least",
    );
}

#[test]
fn numbers_from_files() {
    let message = |kind: &str, config: &str| {
        let json = format!(r#"[{{"name": "edge", "layer": "{kind}", "config": {config}}}]"#);
        Sequential::from_json(&json).unwrap_err().to_string()
    };
    assert_eq!(
        message("ZeroPadding2D", r#"{"padding": [[-1, 0], [0, 0]]}"#),
        "from_json: layer edge (ZeroPadding2D): invalid value: integer `-1`, expected usize; \
         compare it with what to_json writes"
    );
    assert_eq!(
        message("Cropping1D", r#"{"cropping": [[1, 2], [3, 4]]}"#),
        "from_json: layer edge (Cropping1D): invalid length 2, expected fewer elements in array; \
         compare it with what to_json writes"
    );
    assert_eq!(
        message("UpSampling1D", r#"{"size": [2], "interpolation": "bicubic"}"#),
        "from_json: layer edge (UpSampling1D): unknown variant `bicubic`, expected `nearest` or `linear`; \
         compare it with what to_json writes"
    );
}
