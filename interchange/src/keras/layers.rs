//! The table of layers: for each of Keras's classes our kind, its options, and where its weights are. A further layer is a row.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value as Json, json};

use super::fields::{Field, How, Wrong, field, same};

/// A layer of Keras and of ours.
#[derive(Clone, Copy, Debug)]
pub(super) struct LayerRow {
    /// The class, as files name it.
    pub class: &'static str,
    /// Our kind.
    pub kind: &'static str,
    /// The options, in groups.
    pub fields: &'static [&'static [Field]],
    /// The weights, in the order of Keras's variables.
    pub weights: &'static [Weight],
    /// The layers within it.
    pub inner: &'static [Inner],
    /// The arguments of the call that may be tensors, in the order of our inputs.
    pub arguments: &'static [&'static str],
    /// How the class is called in Python, where that is not the name in files: weights are found by it.
    pub python: Option<&'static str>,
    /// What is to be done with our data after reading, and before writing.
    pub read: fn(&mut Map<String, Json>) -> Result<(), Wrong>,
    pub write: fn(&mut Map<String, Json>) -> Result<(), Wrong>,
}

/// A weight or a state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weight {
    /// Our name, beneath the layer's path.
    pub name: &'static str,
    /// The part of Keras's layer whose variable it is; empty for the layer itself.
    pub part: &'static str,
    /// Our option without which there is no such weight; empty if it is always there.
    pub option: &'static str,
    pub kind: WeightKind,
}

/// What a variable of Keras is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WeightKind {
    Trained,
    State,
    /// A list of numbers in our layer's data; only there if the data lack it.
    Option,
    /// A variable that we have no use for.
    Unused,
    /// Another variable's values, which Keras's paths lead to a second time; older files have them once.
    Copy,
}

/// A layer within a layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inner {
    /// The option that holds it, in Keras's config and in our data, and where its weights are in Keras's files and in ours.
    pub keras: &'static str,
    pub ours: &'static str,
    pub path: &'static str,
    pub prefix: &'static str,
}

/// A row with nothing but the names.
const fn plain(class: &'static str) -> LayerRow {
    LayerRow {
        class,
        kind: class,
        fields: &[],
        weights: &[],
        inner: &[],
        arguments: &["inputs"],
        python: None,
        read: |_| Ok(()),
        write: |_| Ok(()),
    }
}

const fn with(class: &'static str, fields: &'static [&'static [Field]]) -> LayerRow {
    LayerRow { fields, ..plain(class) }
}

const fn weighted(class: &'static str, fields: &'static [&'static [Field]], weights: &'static [Weight]) -> LayerRow {
    LayerRow { fields, weights, ..plain(class) }
}

const fn weight(name: &'static str) -> Weight {
    Weight { name, part: "", option: "", kind: WeightKind::Trained }
}

const fn weight_if(name: &'static str, option: &'static str) -> Weight {
    Weight { option, ..weight(name) }
}

const fn part(part: &'static str, name: &'static str, option: &'static str) -> Weight {
    Weight { name, part, option, kind: WeightKind::Trained }
}

const fn state(name: &'static str) -> Weight {
    Weight { kind: WeightKind::State, ..weight(name) }
}

const fn option(name: &'static str) -> Weight {
    Weight { kind: WeightKind::Option, ..weight(name) }
}

const CHANNELS_LAST: &[Field] = &[field("data_format", How::Always("\"channels_last\""))];
const SEED: &[Field] = &[field("seed", How::Ignored)];
const ACTIVATION: Field = field("activation", How::Activation);
const USE_BIAS: Field = same("use_bias");
const KERNEL: &[Field] = &[
    field("kernel_initializer", How::Initializer),
    field("kernel_regularizer", How::Regularizer),
    field("kernel_constraint", How::Constraint),
];
const BIAS: &[Field] = &[
    USE_BIAS,
    field("bias_initializer", How::Initializer),
    field("bias_regularizer", How::Regularizer),
    field("bias_constraint", How::Constraint),
];
const DEPTHWISE: &[Field] = &[
    field("depthwise_initializer", How::Initializer),
    field("depthwise_regularizer", How::Regularizer),
    field("depthwise_constraint", How::Constraint),
];
const POINTWISE: &[Field] = &[
    field("pointwise_initializer", How::Initializer),
    field("pointwise_regularizer", How::Regularizer),
    field("pointwise_constraint", How::Constraint),
];
const WINDOWS: &[Field] = &[
    field("kernel_size", How::PerAxis),
    field("strides", How::PerAxis),
    field("padding", How::Word),
    field("dilation_rate", How::PerAxis),
    ACTIVATION,
    field("data_format", How::Always("\"channels_last\"")),
];
/// Older files say of separable and depthwise layers that they have one group.
const CONV: &[&[Field]] = &[&[same("filters"), same("groups")], WINDOWS, KERNEL, BIAS];
const CONV_TRANSPOSE: &[&[Field]] =
    &[&[same("filters"), field("output_padding", How::PerAxis), field("groups", How::Ignored)], WINDOWS, KERNEL, BIAS];
const DEPTHWISE_CONV: &[&[Field]] =
    &[&[same("depth_multiplier"), field("groups", How::Ignored)], WINDOWS, DEPTHWISE, BIAS, UNUSED_KERNEL];
const SEPARABLE_CONV: &[&[Field]] = &[
    &[same("filters"), same("depth_multiplier"), field("groups", How::Ignored)],
    WINDOWS,
    DEPTHWISE,
    POINTWISE,
    BIAS,
    UNUSED_KERNEL,
];
/// Older files say how a kernel begins that these layers lack.
const UNUSED_KERNEL: &[Field] = &[
    field("kernel_initializer", How::Ignored),
    field("kernel_regularizer", How::Ignored),
    field("kernel_constraint", How::Ignored),
];
const KERNEL_AND_BIAS: &[Weight] = &[weight("kernel"), weight_if("bias", "use_bias")];
const SEPARABLE: &[Weight] = &[weight("depthwise_kernel"), weight("pointwise_kernel"), weight_if("bias", "use_bias")];
const POOL: &[&[Field]] =
    &[&[field("pool_size", How::PerAxis), field("strides", How::PerAxis), field("padding", How::Word)], CHANNELS_LAST];
const GLOBAL_POOL: &[&[Field]] = &[&[same("keepdims")], CHANNELS_LAST];
const ADAPTIVE_POOL: &[&[Field]] = &[&[field("output_size", How::PerAxis)], CHANNELS_LAST];
const CROPPING: &[&[Field]] = &[&[field("cropping", How::Pairs)], CHANNELS_LAST];
const PADDING: &[&[Field]] = &[&[field("padding", How::Pairs)], CHANNELS_LAST];
const RATE: &[&[Field]] = &[&[same("rate")], SEED];
const SPATIAL_DROPOUT: &[&[Field]] = &[&[same("rate")], SEED, CHANNELS_LAST];
const GAMMA_BETA: &[Field] = &[
    same("epsilon"),
    same("center"),
    same("scale"),
    field("gamma_constraint", How::Constraint),
    field("beta_constraint", How::Constraint),
    field("gamma_initializer", How::Ignored),
    field("beta_initializer", How::Ignored),
];
const GAMMA_AND_BETA: &[Weight] = &[weight_if("gamma", "scale"), weight_if("beta", "center")];
const EMBEDDING: &[Field] = &[
    same("input_dim"),
    same("output_dim"),
    same("mask_zero"),
    field("embeddings_initializer", How::Initializer),
    field("embeddings_regularizer", How::Regularizer),
    field("embeddings_constraint", How::Constraint),
    field("input_length", How::Ignored),
];
const RECURRENT: &[Field] = &[
    same("units"),
    ACTIVATION,
    field("recurrent_initializer", How::Initializer),
    field("recurrent_regularizer", How::Regularizer),
    field("recurrent_constraint", How::Constraint),
    same("dropout"),
    same("recurrent_dropout"),
    same("return_sequences"),
    same("return_state"),
    same("go_backwards"),
    same("zero_output_for_mask"),
    field("unroll", How::Ignored),
    field("implementation", How::Ignored),
    field("seed", How::Ignored),
];
const RECURRENT_ACTIVATION: Field = field("recurrent_activation", How::Activation);
const CELL: &[Weight] =
    &[part("cell", "kernel", ""), part("cell", "recurrent_kernel", ""), part("cell", "bias", "use_bias")];
const ATTENTION: &[Field] = &[
    same("dropout"),
    field("use_causal_mask", How::CallFlag),
    // In Keras a call is given a mask or none.
    field("use_attention_mask", How::CallFlag),
    field("return_attention_scores", How::CallFlag),
    field("rope_max_wavelength", How::OursAlone("null")),
    field("seed", How::Ignored),
];
const ATTENTION_ARGUMENTS: &[&str] = &["query", "value", "key", "attention_mask"];

const fn recurrent(class: &'static str, fields: &'static [&'static [Field]]) -> LayerRow {
    LayerRow { arguments: &["sequences", "initial_state"], ..weighted(class, fields, CELL) }
}

/// All rows.
pub(super) const ROWS: &[LayerRow] = &[
    weighted("Dense", &[&[same("units"), ACTIVATION], KERNEL, BIAS], KERNEL_AND_BIAS),
    weighted("Conv1D", CONV, KERNEL_AND_BIAS),
    weighted("Conv2D", CONV, KERNEL_AND_BIAS),
    weighted("Conv3D", CONV, KERNEL_AND_BIAS),
    weighted("Conv1DTranspose", CONV_TRANSPOSE, KERNEL_AND_BIAS),
    weighted("Conv2DTranspose", CONV_TRANSPOSE, KERNEL_AND_BIAS),
    weighted("Conv3DTranspose", CONV_TRANSPOSE, KERNEL_AND_BIAS),
    weighted("DepthwiseConv1D", DEPTHWISE_CONV, KERNEL_AND_BIAS),
    weighted("DepthwiseConv2D", DEPTHWISE_CONV, KERNEL_AND_BIAS),
    weighted("SeparableConv1D", SEPARABLE_CONV, SEPARABLE),
    weighted("SeparableConv2D", SEPARABLE_CONV, SEPARABLE),
    with("MaxPooling1D", POOL),
    with("MaxPooling2D", POOL),
    with("MaxPooling3D", POOL),
    with("AveragePooling1D", POOL),
    with("AveragePooling2D", POOL),
    with("AveragePooling3D", POOL),
    with("GlobalMaxPooling1D", GLOBAL_POOL),
    with("GlobalMaxPooling2D", GLOBAL_POOL),
    with("GlobalMaxPooling3D", GLOBAL_POOL),
    with("GlobalAveragePooling1D", GLOBAL_POOL),
    with("GlobalAveragePooling2D", GLOBAL_POOL),
    with("GlobalAveragePooling3D", GLOBAL_POOL),
    with("AdaptiveMaxPooling1D", ADAPTIVE_POOL),
    with("AdaptiveMaxPooling2D", ADAPTIVE_POOL),
    with("AdaptiveMaxPooling3D", ADAPTIVE_POOL),
    with("AdaptiveAveragePooling1D", ADAPTIVE_POOL),
    with("AdaptiveAveragePooling2D", ADAPTIVE_POOL),
    with("AdaptiveAveragePooling3D", ADAPTIVE_POOL),
    weighted(
        "BatchNormalization",
        &[
            &[
                field("axis", How::Axis),
                same("momentum"),
                field("moving_mean_initializer", How::Ignored),
                field("moving_variance_initializer", How::Ignored),
                field("renorm_momentum", How::Ignored),
            ],
            GAMMA_BETA,
        ],
        &[weight_if("gamma", "scale"), weight_if("beta", "center"), state("moving_mean"), state("moving_variance")],
    ),
    weighted("LayerNormalization", &[&[field("axis", How::Axes)], GAMMA_BETA], GAMMA_AND_BETA),
    weighted("GroupNormalization", &[&[same("groups"), same("axis")], GAMMA_BETA], GAMMA_AND_BETA),
    // Ours with a group for each channel, which Keras's GroupNormalization has as -1 groups.
    LayerRow {
        kind: "InstanceNormalization",
        write: |ours| {
            ours.insert("groups".to_owned(), json!(-1));
            Ok(())
        },
        ..weighted("GroupNormalization", &[&[same("groups")], GAMMA_BETA], GAMMA_AND_BETA)
    },
    with("UnitNormalization", &[&[field("axis", How::Axis)]]),
    weighted("RMSNormalization", &[&[field("axis", How::Axes), same("epsilon")]], &[weight("scale")]),
    weighted("Embedding", &[EMBEDDING], &[weight("embeddings")]),
    weighted(
        "ReversibleEmbedding",
        &[EMBEDDING, &[field("tie_weights", How::Always("true")), field("reverse_dtype", How::Ignored)]],
        &[weight("embeddings")],
    ),
    recurrent("SimpleRNN", &[RECURRENT, KERNEL, BIAS]),
    recurrent("LSTM", &[RECURRENT, KERNEL, BIAS, &[RECURRENT_ACTIVATION, same("unit_forget_bias")]]),
    recurrent("GRU", &[RECURRENT, KERNEL, BIAS, &[RECURRENT_ACTIVATION, same("reset_after")]]),
    LayerRow {
        fields: &[&[same("merge_mode")]],
        inner: &[
            Inner { keras: "layer", ours: "layer", path: "forward_layer", prefix: "forward" },
            Inner { keras: "backward_layer", ours: "backward_layer", path: "backward_layer", prefix: "backward" },
        ],
        arguments: &["sequences", "initial_state"],
        read: bidirectional_read,
        write: bidirectional_write,
        ..plain("Bidirectional")
    },
    LayerRow {
        inner: &[Inner { keras: "layer", ours: "layer", path: "layer", prefix: "layer" }],
        ..plain("TimeDistributed")
    },
    LayerRow {
        arguments: ATTENTION_ARGUMENTS,
        ..weighted(
            "MultiHeadAttention",
            &[
                &[
                    same("num_heads"),
                    same("key_dim"),
                    same("value_dim"),
                    field("output_shape", How::Axis),
                    // Of sequences the positions are the one axis there is.
                    field("attention_axes", How::Ignored),
                ],
                ATTENTION,
                KERNEL,
                BIAS,
            ],
            &[
                part("query_dense", "query/kernel", ""),
                part("query_dense", "query/bias", "use_bias"),
                part("key_dense", "key/kernel", ""),
                part("key_dense", "key/bias", "use_bias"),
                part("value_dense", "value/kernel", ""),
                part("value_dense", "value/bias", "use_bias"),
                part("output_dense", "attention_output/kernel", ""),
                part("output_dense", "attention_output/bias", "use_bias"),
            ],
        )
    },
    LayerRow {
        arguments: ATTENTION_ARGUMENTS,
        python: Some("GroupedQueryAttention"),
        ..weighted(
            "GroupQueryAttention",
            &[&[same("head_dim"), same("num_query_heads"), same("num_key_value_heads")], ATTENTION, KERNEL, BIAS],
            &[
                part("_query_dense", "query/kernel", ""),
                part("_query_dense", "query/bias", "use_bias"),
                part("_key_dense", "key/kernel", ""),
                part("_key_dense", "key/bias", "use_bias"),
                part("_value_dense", "value/kernel", ""),
                part("_value_dense", "value/bias", "use_bias"),
                part("_output_dense", "attention_output/kernel", ""),
                part("_output_dense", "attention_output/bias", "use_bias"),
            ],
        )
    },
    plain("Add"),
    plain("Average"),
    plain("Maximum"),
    plain("Minimum"),
    plain("Multiply"),
    plain("Subtract"),
    with("Concatenate", &[&[same("axis")]]),
    with("Flatten", &[CHANNELS_LAST]),
    with("Reshape", &[&[field("target_shape", How::Lengths)]]),
    with("Permute", &[&[same("dims")]]),
    with("RepeatVector", &[&[same("n")]]),
    with("Cropping1D", &[&[field("cropping", How::Pairs)]]),
    with("Cropping2D", CROPPING),
    with("Cropping3D", CROPPING),
    with("ZeroPadding1D", &[&[field("padding", How::Pairs), field("data_format", How::Accepted("\"channels_last\""))]]),
    with("ZeroPadding2D", PADDING),
    with("ZeroPadding3D", PADDING),
    LayerRow {
        write: up_sampling_1d,
        ..with("UpSampling1D", &[&[field("size", How::PerAxis), field("interpolation", How::OursAlone("\"nearest\""))]])
    },
    with("UpSampling2D", &[&[field("size", How::PerAxis), field("interpolation", How::Interpolation)], CHANNELS_LAST]),
    with(
        "UpSampling3D",
        &[&[field("size", How::PerAxis), field("interpolation", How::OursAlone("\"nearest\""))], CHANNELS_LAST],
    ),
    with(
        "Resizing",
        &[
            &[
                same("height"),
                same("width"),
                field("interpolation", How::Interpolation),
                same("crop_to_aspect_ratio"),
                same("pad_to_aspect_ratio"),
                field("fill_mode", How::Always("\"constant\"")),
                same("fill_value"),
            ],
            CHANNELS_LAST,
        ],
    ),
    with("CenterCrop", &[&[same("height"), same("width")], CHANNELS_LAST]),
    with("Rescaling", &[&[same("scale"), same("offset")]]),
    LayerRow {
        read: normalization,
        ..weighted(
            "Normalization",
            &[&[field("axis", How::Always("-1")), same("mean"), same("variance")]],
            &[option("mean"), option("variance"), Weight { kind: WeightKind::Unused, ..weight("count") }],
        )
    },
    with("Masking", &[&[field("mask_value", How::Or("0.0"))]]),
    with("Dropout", RATE),
    with("GaussianDropout", RATE),
    with("SpatialDropout1D", RATE),
    with("SpatialDropout2D", SPATIAL_DROPOUT),
    with("SpatialDropout3D", SPATIAL_DROPOUT),
    with("GaussianNoise", &[&[same("stddev")], SEED]),
    with("ReLU", &[&[same("max_value"), same("negative_slope"), same("threshold")]]),
    with("LeakyReLU", &[&[field("negative_slope", How::Or("0.3"))]]),
    with("ELU", &[&[field("alpha", How::Or("1.0"))]]),
    with("Softmax", &[&[same("axis")]]),
    weighted(
        "PReLU",
        &[&[
            field("alpha_initializer", How::Initializer),
            field("alpha_regularizer", How::Regularizer),
            field("alpha_constraint", How::Constraint),
            field("shared_axes", How::Axes),
        ]],
        &[weight("alpha")],
    ),
    with("Activation", &[&[ACTIVATION]]),
    plain("Identity"),
    with("CategoryEncoding", &[&[same("num_tokens"), same("output_mode"), field("count_weights", How::Ignored)]]),
];

static BY_CLASS: LazyLock<BTreeMap<&str, &LayerRow>> = LazyLock::new(|| {
    // Of two rows of one class the first is read.
    ROWS.iter().rev().map(|row| (row.class, row)).collect()
});

static BY_KIND: LazyLock<BTreeMap<&str, &LayerRow>> =
    LazyLock::new(|| ROWS.iter().map(|row| (row.kind, row)).collect());

/// The row of one of Keras's classes.
pub(super) fn of_class(class: &str) -> Option<&'static LayerRow> {
    BY_CLASS.get(class).copied()
}

/// The row of one of our kinds.
pub(super) fn of_kind(kind: &str) -> Option<&'static LayerRow> {
    BY_KIND.get(kind).copied()
}

/// Keras gives the layer of the way back `go_backwards`; ours is given the sequences in reverse and walks forwards.
fn turn(layer: &mut Json) -> Result<(), Wrong> {
    match layer.pointer_mut("/config/go_backwards") {
        Some(Json::Bool(backwards)) => {
            *backwards = !*backwards;
            Ok(())
        }
        _ => Err("the layer is none that walks along sequences".to_owned()),
    }
}

fn bidirectional_read(ours: &mut Map<String, Json>) -> Result<(), Wrong> {
    if let Some(Json::Null) = ours.get("merge_mode") {
        ours.insert("merge_mode".to_owned(), json!("none"));
    }
    if let Some(layer) = ours.get_mut("backward_layer")
        && !layer.is_null()
    {
        turn(layer)?;
        if ours.get("layer") == ours.get("backward_layer") {
            ours.insert("backward_layer".to_owned(), Json::Null);
        }
    }
    Ok(())
}

fn bidirectional_write(ours: &mut Map<String, Json>) -> Result<(), Wrong> {
    if ours.get("merge_mode") == Some(&json!("none")) {
        ours.insert("merge_mode".to_owned(), Json::Null);
    }
    if ours.get("backward_layer").is_none_or(Json::is_null) {
        let layer = ours.get("layer").cloned().unwrap_or_default();
        ours.insert("backward_layer".to_owned(), layer);
    }
    ours.get_mut("backward_layer").map_or(Ok(()), turn)
}

/// Keras writes the factor of the one axis without a list.
fn up_sampling_1d(ours: &mut Map<String, Json>) -> Result<(), Wrong> {
    if let Some(size) = ours.get("size").and_then(|size| size.get(0)).cloned() {
        ours.insert("size".to_owned(), size);
    }
    Ok(())
}

/// Keras divides by 1e-7 at least, where ours leaves features without a variance as they are.
fn normalization(ours: &mut Map<String, Json>) -> Result<(), Wrong> {
    for name in ["mean", "variance"] {
        let value = ours.entry(name).or_insert(Json::Null);
        // An array within arrays, [[[1, 2]]], has its features along the last axis.
        while let Some([inner @ Json::Array(_)]) = value.as_array().map(Vec::as_slice) {
            *value = inner.clone();
        }
        if value.is_number() {
            *value = json!([value]);
        }
        let Some(values) = value.as_array_mut().filter(|values| values.iter().all(Json::is_number)) else {
            return Err(format!("{name} is {value}, not a number for each feature of the last axis"));
        };
        if name == "variance" {
            for value in values {
                *value = json!(value.as_f64().unwrap_or_default().max(1e-14));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use gradus_nn::LayerKinds;

    use super::*;

    /// Kinds of ours that Keras lacks.
    const OURS_ALONE: &[&str] = &[
        "Graph",
        "PositionEmbedding",
        "ReflectionPadding1D",
        "ReflectionPadding2D",
        "ReflectionPadding3D",
        "ReplicationPadding1D",
        "ReplicationPadding2D",
        "ReplicationPadding3D",
        "Residual",
        "RotaryEmbedding",
        "Sequential",
        "SinePositionEncoding",
        "TokenAndPositionEmbedding",
        "TransformerDecoder",
        "TransformerEncoder",
    ];

    #[test]
    fn every_kind_of_layer_has_a_row() {
        let kinds = LayerKinds::standard();
        let known: Vec<&str> = kinds.names().collect();
        for row in ROWS {
            assert!(known.contains(&row.kind), "there is no kind {}", row.kind);
        }
        for kind in known {
            assert_eq!(of_kind(kind).is_none(), OURS_ALONE.contains(&kind), "{kind}");
        }
    }
}
