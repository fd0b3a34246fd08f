//! Models written as ONNX files.

mod attention;
mod bidirectional;
mod convolution;
mod elementwise;
mod features;
mod graph;
mod moves;
mod nested;
mod normalization;
mod place;
mod pooling;
mod positions;
mod recurrent;
mod steps;
mod there;

use std::collections::{BTreeSet, HashMap};
use std::io::Write;
use std::path::Path;

use gradus_nn::{Error, InputInfo, LayerSummary, Model, OutputInfo, Result, ValueKind};
use gradus_tensor::{Float, Tensor, write_atomically};
use serde_json::Value as Json;

use self::graph::{GraphWriter, Length, Value, info, lengths};
use self::place::Place;
use super::proto::{ModelProto, element};
use crate::network::Network;

/// Writes a model as an ONNX file, for inference in any runtime that reads ONNX.
///
/// The file computes what [`predict_all`](Model::predict_all) does. Inputs and outputs have the model's names, order and shapes: channels
/// come last, the axis of samples is called `batch`, and free lengths have names. Ids are whole numbers of 64 bits, all other numbers
/// are of 32 bits. Weights are within the file. Dropout and noise are left out; a batch normalisation computes with its moving
/// statistics. What makes inputs of raw data, or ids of text, is not part of the file.
///
/// Masks are written: positions that an `Embedding` with `mask_zero` or a `Masking` calls padding are left out by the layers behind it,
/// as they are here.
///
/// The file names the oldest version of the operators that has all of those in it: 15 for most convolutional networks, 18 with means
/// over axes, 20 with GELU, 21 with group normalisation. An output that is called as an input has `_output` behind its name, one without
/// a name is called `output`.
///
/// ```
/// use gradus_interchange::onnx;
/// use gradus_nn::{Activation, Conv2D, Dense, GlobalAveragePooling2D, Model, Padding, Sequential};
///
/// let network = Sequential::new()
///     .add(Conv2D::new(8, 3).padding(Padding::Same).activation(Activation::Relu))
///     .add(GlobalAveragePooling2D::new())
///     .add(Dense::new(10).activation(Activation::Softmax));
/// let model = Model::build(network, [28, 28, 1], 42)?;
/// let path = std::env::temp_dir().join(format!("gradus_{}.onnx", std::process::id()));
/// onnx::save(&model, &path)?;
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// If the network has layers that ONNX cannot hold, all of which are named: a `Lambda`, a layer of the program's own, or a layer whose
/// windows vary with a free length. If there are more than 2 GiB of weights. If the file cannot be written; then an older one stays as
/// it was.
pub fn save<T: Float>(model: &Model<T>, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let bytes = to_bytes(model)?;
    write_atomically(path, |file| file.write_all(&bytes)).map_err(|error| {
        let problem = format!("the file cannot be written: {error}");
        Error::new(path.display().to_string(), problem, "check the folder and the disk")
    })
}

/// The ONNX file of a model, as [`save`] writes it.
///
/// ```
/// use gradus_interchange::onnx;
/// use gradus_nn::{Dense, Lambda, Model, Sequential};
/// let model = Model::build(Sequential::new().add(Dense::new(2)), [3], 42)?;
/// let bytes = onnx::to_bytes(&model)?;
/// assert!(bytes.len() < 500);
///
/// // A function of the program cannot be written.
/// let network = Sequential::new().add(Lambda::new("twice", |x| x * 2.0));
/// let error = onnx::to_bytes(&Model::build(network, [3], 42)?).unwrap_err();
/// assert!(error.to_string().contains("0 (Lambda)"));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// If the network has layers that ONNX cannot hold, or more than 2 GiB of weights.
pub fn to_bytes<T: Float>(model: &Model<T>) -> Result<Vec<u8>> {
    Ok(to_proto(model)?.to_bytes())
}

/// What no graph can hold: layers of kinds that are not known, and axes of length 0, which would stand for others in a `Reshape`.
fn check<T: Float>(model: &Model<T>, layers: &[LayerSummary]) -> Result<()> {
    let unknown: BTreeSet<String> = layers.iter().filter(|layer| row(layer.kind).is_none()).map(named).collect();
    if !unknown.is_empty() {
        let unknown: Vec<String> = unknown.into_iter().collect();
        let problem = format!("ONNX cannot hold these layers: {}", unknown.join(", "));
        let hint = "write them with layers of this crate, or save the model by Model::save";
        return Err(Error::new("onnx", problem, hint));
    }
    let inputs = model.inputs().iter().map(|input| (format!("the input {}", input.name), &input.shape));
    let outputs = layers.iter().flat_map(|layer| layer.outputs.iter().map(move |shape| (named(layer), shape)));
    match inputs.chain(outputs).find(|(_, shape)| shape.contains(&Some(0))) {
        None => Ok(()),
        Some((name, shape)) => {
            let problem = format!("there are no elements in {name} of shape {shape}");
            Err(Error::new("onnx", problem, "give axes a length of 1 or more"))
        }
    }
}

fn to_proto<T: Float>(model: &Model<T>) -> Result<ModelProto> {
    let summary = model.summary();
    check(model, &summary.layers)?;
    let network = Network::of(model.network())?;
    let weights = |name: &str| -> Option<Tensor<f32>> { Some(model.params().get(name)?.value.to()) };
    let mut graph = GraphWriter::default();
    let mut inputs = Vec::new();
    for input in model.inputs() {
        graph.reserve(&input.name);
        inputs.push(given(input));
    }
    let named = |output: &OutputInfo| match &*output.name {
        // A tensor without a name would be none.
        "" => graph.unique("output".to_owned()),
        name if graph.reserve(name) => name.to_owned(),
        name => graph.unique(format!("{name}_output")),
    };
    let output_names: Vec<String> = model.outputs().iter().map(named).collect();
    let layers: HashMap<&str, &LayerSummary> = summary.layers.iter().map(|layer| (&*layer.path, layer)).collect();
    let mut problems = Vec::new();
    let mut place = Place {
        graph: &mut graph,
        weights: &weights,
        layers: &layers,
        problems: &mut problems,
        path: String::new(),
        weights_path: String::new(),
        kind: "Graph".to_owned(),
    };
    let outputs = nested::walk(&mut place, &network, &inputs)?;
    if !place.problems.is_empty() {
        return Err(all_of(problems));
    }
    let mut finished = Vec::new();
    for ((output, name), value) in model.outputs().iter().zip(output_names).zip(outputs) {
        let value = place.plain(&value);
        if !value.shape.iter().map(Length::fixed).eq(output.shape.iter().copied()) {
            let (found, expected) = (value.shape, &output.shape);
            let problem = format!("the output {:?} would have the shape {found:?}, not {expected}", output.name);
            return Err(Error::new("onnx", problem, "this is a mistake of the writer: file an issue"));
        }
        finished.push((name, value));
    }
    let infos = inputs.iter().map(|input| info(input.name.clone(), input)).collect();
    let (graph, opset, ir_version) = graph.finish(infos, finished)?;
    Ok(ModelProto {
        ir_version,
        producer_name: "gradus".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        opset_import: vec![(String::new(), opset)],
        graph,
        ..ModelProto::default()
    })
}

/// What an input of the model is in the graph.
fn given(input: &InputInfo) -> Value {
    let element = match input.kind {
        ValueKind::Floats => element::FLOAT,
        ValueKind::Ids { .. } => element::INT64,
        ValueKind::Mask => element::BOOL,
    };
    Value { element, ..Value::new(input.name.clone(), lengths(&input.name, &input.shape)) }
}

/// A layer as errors name it.
fn named(layer: &LayerSummary) -> String {
    format!("{} ({})", layer.path, layer.kind)
}

/// One error that says all problems.
fn all_of(mut problems: Vec<Error>) -> Error {
    if problems.len() == 1 {
        return problems.remove(0);
    }
    let texts: Vec<String> = problems.iter().map(Error::to_string).collect();
    let hint = "write them with other layers, or save the model by Model::save";
    Error::new("onnx", format!("{} layers cannot be written: {}", texts.len(), texts.join(" | ")), hint)
}

/// What a layer does about the masks of its inputs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Masks {
    /// It computes each position alone: its outputs have the positions that all of its inputs have.
    Kept,
    /// It reads them, and says which its outputs have.
    Read,
    /// It knows none; a model in which it gets one cannot be built.
    Unknown,
}

/// What writes a layer: from its options and inputs to its outputs.
type WriteLayer = fn(&mut Place<'_>, &Json, &[Value]) -> Result<Vec<Value>>;

/// How a layer of this kind is written; `None` if it cannot be.
fn row(kind: &str) -> Option<(Masks, WriteLayer)> {
    use Masks::{Kept, Read, Unknown};
    Some(match kind {
        "Sequential" | "Graph" => (Read, nested::network),
        "Residual" => (Read, nested::residual),
        "TimeDistributed" => (Read, nested::time_distributed),
        "Activation" => (Kept, elementwise::activation),
        "ELU" => (Kept, elementwise::elu),
        "LeakyReLU" => (Kept, elementwise::leaky_relu),
        "PReLU" => (Kept, elementwise::prelu),
        "ReLU" => (Kept, elementwise::relu),
        "Softmax" => (Kept, elementwise::softmax),
        "UnitNormalization" => (Kept, elementwise::unit_normalization),
        "Rescaling" => (Kept, elementwise::rescaling),
        "Normalization" => (Kept, elementwise::normalization),
        "Dropout" | "GaussianDropout" | "GaussianNoise" | "Identity" | "SpatialDropout1D" | "SpatialDropout2D"
        | "SpatialDropout3D" => (Kept, elementwise::nothing),
        "Add" | "Average" | "Maximum" | "Minimum" | "Multiply" | "Subtract" => {
            (Kept, |place, _, inputs| elementwise::merge(place, inputs))
        }
        "Concatenate" => (Kept, moves::concatenate),
        "Dense" => (Kept, features::dense),
        "Embedding" => (Read, features::embedding),
        "ReversibleEmbedding" => (Read, features::reversible),
        "TokenAndPositionEmbedding" => (Read, features::token_and_position),
        "PositionEmbedding" => (Kept, features::position),
        "SinePositionEncoding" => (Kept, positions::sines),
        "RotaryEmbedding" => (Kept, positions::rotary),
        "CategoryEncoding" => (Unknown, features::categories),
        "Masking" => (Read, features::masking),
        "Conv1D" | "Conv2D" | "Conv3D" => (Kept, convolution::conv),
        "DepthwiseConv1D" | "DepthwiseConv2D" => (Kept, convolution::depthwise),
        "SeparableConv1D" | "SeparableConv2D" => (Kept, convolution::separable),
        "Conv1DTranspose" | "Conv2DTranspose" | "Conv3DTranspose" => (Unknown, convolution::transposed),
        "MaxPooling1D" | "MaxPooling2D" | "MaxPooling3D" | "AveragePooling1D" | "AveragePooling2D"
        | "AveragePooling3D" => (Unknown, pooling::pool),
        "GlobalMaxPooling1D"
        | "GlobalMaxPooling2D"
        | "GlobalMaxPooling3D"
        | "GlobalAveragePooling1D"
        | "GlobalAveragePooling2D"
        | "GlobalAveragePooling3D" => (Read, pooling::global),
        "AdaptiveMaxPooling1D"
        | "AdaptiveMaxPooling2D"
        | "AdaptiveMaxPooling3D"
        | "AdaptiveAveragePooling1D"
        | "AdaptiveAveragePooling2D"
        | "AdaptiveAveragePooling3D" => (Unknown, pooling::adaptive),
        "BatchNormalization" => (Kept, normalization::batch),
        "LayerNormalization" => (Kept, normalization::layer),
        "RMSNormalization" => (Kept, normalization::root_mean_square),
        "GroupNormalization" => (Unknown, normalization::group),
        "InstanceNormalization" => (Unknown, normalization::instance),
        "Flatten" => (Unknown, moves::flatten),
        "Reshape" => (Kept, moves::reshape),
        "Permute" => (Kept, moves::permute),
        "RepeatVector" => (Unknown, moves::repeat_vector),
        "ZeroPadding1D"
        | "ZeroPadding2D"
        | "ZeroPadding3D"
        | "ReflectionPadding1D"
        | "ReflectionPadding2D"
        | "ReflectionPadding3D"
        | "ReplicationPadding1D"
        | "ReplicationPadding2D"
        | "ReplicationPadding3D" => (Unknown, moves::padding),
        "Cropping1D" | "Cropping2D" | "Cropping3D" => (Unknown, moves::cropping),
        "CenterCrop" => (Unknown, moves::center_crop),
        "Resizing" => (Unknown, moves::resizing),
        "UpSampling1D" | "UpSampling2D" | "UpSampling3D" => (Unknown, moves::up_sampling),
        "LSTM" | "GRU" | "SimpleRNN" => (Read, recurrent::recurrent),
        "Bidirectional" => (Read, bidirectional::bidirectional),
        "MultiHeadAttention" => (Read, attention::multi_head),
        "GroupQueryAttention" => (Read, attention::grouped_query),
        "TransformerEncoder" | "TransformerDecoder" => (Read, attention::transformer),
        _ => return None,
    })
}

#[cfg(test)]
mod cases;
#[cfg(test)]
mod tests;
