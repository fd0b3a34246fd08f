//! Files as they are written, read back and looked at.

use std::collections::HashSet;

use gradus_nn::*;
use gradus_tensor::{AnyTensor, Float, Tensor};
use serde::{Deserialize, Serialize};

use super::cases::{self, Case};
use super::*;
use crate::onnx::OnnxFile;
use crate::onnx::proto::{AttributeValue, Dimension, GraphProto, TensorData};

/// What is wrong with a file: names that are not unique or not there, versions, outputs without shapes.
fn check(case: &Case) {
    let name = &case.name;
    let bytes = match to_bytes(&case.model) {
        Ok(bytes) => bytes,
        // Windows and pictures whose places vary with a free length.
        Err(error) if name.ends_with("_free") && error.to_string().contains("a free ") => return,
        Err(error) => panic!("{name}: {error}"),
    };
    let model = ModelProto::read(&&bytes[..]).unwrap();
    assert_eq!(model.opset_import.len(), 1, "{name}");
    let (opset, version) = (model.opset_import[0].1, model.ir_version);
    assert!(
        [(13, 7), (14, 7), (15, 8), (17, 8), (18, 8), (20, 9), (21, 10)].contains(&(opset, version)),
        "{name}: {opset} {version}"
    );
    let graph = model.graph;
    let mut known: HashSet<String> = HashSet::from([String::new()]);
    for tensor in &graph.initializers {
        let TensorData::InFile(run) = tensor.data else { panic!("{name}: {} is not raw", tensor.name) };
        let size = match tensor.data_type {
            element::FLOAT => 4,
            element::INT64 => 8,
            element::BOOL => 1,
            other => panic!("{name}: {} is of type {other}", tensor.name),
        };
        assert_eq!((run.end - run.begin) as i64, size * tensor.dims.iter().product::<i64>(), "{name}: {}", tensor.name);
        assert!(known.insert(tensor.name.clone()), "{name}: {} is there twice", tensor.name);
    }
    for input in &graph.inputs {
        assert!(known.insert(input.name.clone()), "{name}: {} is there twice", input.name);
    }
    let mut used: HashSet<String> = HashSet::new();
    check_nodes(name, &graph, known.clone(), &mut HashSet::new(), &mut used);
    known.extend(graph.nodes.iter().flat_map(|node| node.outputs.iter().cloned()));
    for tensor in &graph.initializers {
        assert!(used.contains(&tensor.name), "{name}: nobody takes {}", tensor.name);
    }
    assert_eq!(graph.outputs.len(), case.model.outputs().len());
    for (output, expected) in graph.outputs.iter().zip(case.model.outputs()) {
        assert!(known.contains(&output.name), "{name}: the output {} is not there", output.name);
        let lengths = output.shape.as_ref().unwrap();
        assert_eq!(lengths[0], Dimension::Free("batch".to_owned()));
        let fits = |(found, expected): (&Dimension, &Option<usize>)| match (found, expected) {
            (Dimension::Length(found), Some(expected)) => *found == *expected as i64,
            (Dimension::Free(name), None) => !name.is_empty(),
            _ => false,
        };
        assert!(lengths[1..].iter().zip(expected.shape.iter()).all(fits), "{name}: {lengths:?}");
    }
}

/// What is wrong with the nodes of a graph, in which these tensors are known.
fn check_nodes<'g>(
    name: &str,
    graph: &'g GraphProto,
    mut known: HashSet<String>,
    nodes: &mut HashSet<&'g str>,
    used: &mut HashSet<String>,
) {
    for node in &graph.nodes {
        assert!(nodes.insert(&node.name), "{name}: two nodes are called {}", node.name);
        for input in &node.inputs {
            assert!(known.contains(input), "{name}: {} takes {input:?}, which is not there", node.name);
            used.insert(input.clone());
        }
        for attribute in &node.attributes {
            assert_ne!(attribute.name, "auto_pad", "{name}: padding is explicit");
            if let AttributeValue::Graph(body) = &attribute.value {
                let mut known = known.clone();
                for input in &body.inputs {
                    assert!(known.insert(input.name.clone()), "{name}: {} is there twice", input.name);
                }
                check_nodes(name, body, known, nodes, used);
            }
        }
        for output in &node.outputs {
            assert!(known.insert(output.clone()), "{name}: {output} is there twice");
        }
    }
    used.extend(graph.outputs.iter().map(|output| output.name.clone()));
    for node in &graph.nodes {
        assert!(node.outputs.iter().any(|output| used.contains(output)), "{name}: nobody takes {}", node.name);
    }
}

#[test]
fn files_of_all_layers_are_sound() {
    cases::layers().iter().for_each(check);
}

#[test]
fn files_of_networks_are_sound() {
    cases::networks().iter().for_each(check);
}

/// Each file is read by the other half of this module, and computes what the model does.
#[test]
fn files_are_read_back() {
    let path = std::env::temp_dir().join(format!("gradus_onnx_back_{}.onnx", std::process::id()));
    let mut scans = 0;
    for case in cases::layers().into_iter().chain(cases::networks()) {
        let name = &case.name;
        let Ok(bytes) = to_bytes(&case.model) else { continue };
        std::fs::write(&path, &bytes).unwrap();
        let file = OnnxFile::open(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        scans += usize::from(file.program().operators().iter().any(|(op, _)| op == "Scan"));
        let names = file.inputs().iter().map(|input| &*input.name);
        let inputs: Vec<(&str, AnyTensor)> = names.zip(case.inputs.iter().cloned()).collect();
        let found = file.run(&inputs).unwrap_or_else(|error| panic!("{name}: {error}"));
        for (found, expected) in found.iter().zip(&case.outputs) {
            let found = found.to::<f32>();
            assert!(found.shape() == expected.shape() && found.allclose(expected, 1e-4, 1e-5), "{name}");
        }
    }
    assert!(scans > 10, "only {scans} files have a Scan");
    std::fs::remove_file(&path).unwrap();
}

/// Writes the models, inputs and outputs for `conformance/onnx_runtime.py`, into the folder that the variable names.
#[test]
fn cases_are_written_for_other_runtimes() {
    let Some(folder) = std::env::var_os("GRADUS_ONNX_CASES") else { return };
    for case in cases::layers().into_iter().chain(cases::networks()) {
        let folder = Path::new(&folder).join(&case.name);
        std::fs::create_dir_all(&folder).unwrap();
        match save(&case.model, folder.join("model.onnx")) {
            Ok(()) => {}
            Err(error) => {
                std::fs::write(folder.join("refused.txt"), error.to_string()).unwrap();
                continue;
            }
        }
        for (place, input) in case.inputs.iter().enumerate() {
            let path = folder.join(format!("input_{place}.npy"));
            match input.element() {
                "i64" => input.to::<i64>().save_npy(path),
                "bool" => input.to::<bool>().save_npy(path),
                _ => input.to::<f32>().save_npy(path),
            }
            .unwrap();
        }
        for (place, output) in case.outputs.iter().enumerate() {
            output.save_npy(folder.join(format!("output_{place}.npy"))).unwrap();
        }
    }
}

#[test]
fn every_kind_of_layer_is_written() {
    let missing: Vec<&str> = LayerKinds::standard().names().filter(|kind| row(kind).is_none()).collect();
    assert!(missing.is_empty(), "these kinds are not written: {missing:?}");
    let tried: HashSet<&str> =
        cases::layers().iter().flat_map(|case| case.model.summary().layers).map(|layer| layer.kind).collect();
    let untried: Vec<&str> = LayerKinds::standard().names().filter(|kind| !tried.contains(kind)).collect();
    assert!(untried.is_empty(), "these kinds have no case: {untried:?}");
}

/// The graph of a network, with the numbers of its tensors.
struct Written {
    bytes: Vec<u8>,
    model: ModelProto,
}

impl Written {
    fn of(network: impl Into<Graph>, inputs: impl Into<Inputs>, weights: &[(&str, Tensor<f32>)]) -> Self {
        let mut model = Model::build(network, inputs, 0).unwrap();
        for (name, value) in weights {
            model.params_mut().get_mut(name).unwrap().value = value.clone();
        }
        let bytes = to_bytes(&model).unwrap();
        let model = ModelProto::read(&&bytes[..]).unwrap();
        Written { bytes, model }
    }

    fn versions(&self) -> (i64, i64) {
        (self.model.opset_import[0].1, self.model.ir_version)
    }

    fn ops(&self) -> Vec<&str> {
        self.model.graph.nodes.iter().map(|node| &*node.op_type).collect()
    }

    /// The shape and the numbers of a tensor.
    fn tensor(&self, name: &str) -> (&[i64], Vec<f32>) {
        let tensor = self.model.graph.initializers.iter().find(|tensor| tensor.name == name).unwrap();
        let TensorData::InFile(run) = tensor.data else { panic!("{name} is not raw") };
        let numbers = self.bytes[run.begin..run.end].as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        (&tensor.dims, numbers.collect())
    }
}

/// 0, 1, 2, .. in this shape.
fn counted(shape: &[usize]) -> Tensor<f32> {
    Tensor::arange(0.0, shape.iter().product::<usize>() as f32, 1.0).reshape(shape)
}

#[test]
fn kernels_begin_with_their_filters() {
    // Two places, one channel, three filters.
    let conv = Sequential::new().add(Conv1D::new(3, [2]));
    let written = Written::of(conv, [4, 1], &[("0/kernel", counted(&[2, 1, 3]))]);
    assert_eq!(written.tensor("0/kernel"), (&[3, 1, 2][..], vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0]));
    // One place, two channels, each with two filters.
    let depthwise = Sequential::new().add(DepthwiseConv1D::new([1]).depth_multiplier(2));
    let written = Written::of(depthwise, [4, 2], &[("0/kernel", counted(&[1, 2, 2]))]);
    assert_eq!(written.tensor("0/kernel"), (&[4, 1, 1][..], vec![0.0, 1.0, 2.0, 3.0]));
    // Two places, three filters, one channel.
    let transposed = Sequential::new().add(Conv1DTranspose::new(3, [2]));
    let written = Written::of(transposed, [4, 1], &[("0/kernel", counted(&[2, 3, 1]))]);
    assert_eq!(written.tensor("0/kernel"), (&[1, 3, 2][..], vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0]));
}

#[test]
fn gates_stand_as_onnx_has_them() {
    // i, f, c, o of one unit become i, o, f, c.
    let lstm = Sequential::new().add(LSTM::new(1));
    let written = Written::of(lstm, [3, 1], &[("0/kernel", counted(&[1, 4])), ("0/bias", counted(&[4]))]);
    assert_eq!(written.tensor("0/kernel"), (&[1, 4, 1][..], vec![0.0, 3.0, 1.0, 2.0]));
    assert_eq!(written.tensor("0/bias"), (&[1, 8][..], vec![0.0, 3.0, 1.0, 2.0, 0.0, 0.0, 0.0, 0.0]));
    // z, r, h stay, and the second row of biases is that of the states.
    let gru = Sequential::new().add(GRU::new(1));
    let written = Written::of(gru, [3, 1], &[("0/bias", counted(&[2, 3]))]);
    assert_eq!(written.tensor("0/bias"), (&[1, 6][..], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]));
    let of = |reset_after: bool| {
        let written = Written::of(Sequential::new().add(GRU::new(1).reset_after(reset_after)), [3, 1], &[]);
        let node = written.model.graph.nodes.iter().find(|node| node.op_type == "GRU").unwrap().clone();
        let attribute = |name: &str| node.attributes.iter().find(|attribute| attribute.name == name).cloned();
        (attribute("linear_before_reset").unwrap().value, attribute("layout"))
    };
    assert_eq!(of(true), (AttributeValue::Int(1), None));
    assert_eq!(of(false), (AttributeValue::Int(0), None));
}

#[test]
fn between_convolutions_nothing_is_turned() {
    let conv = || Conv2D::new(2, 3).padding(Padding::Same);
    let block = Sequential::new().add(conv()).add(BatchNormalization::new()).add(Activation::Relu);
    let network = Sequential::new().add(conv()).add(Residual::new(block)).add(MaxPooling2D::new(2)).add(conv());
    let turned = |network: Sequential| {
        let written = Written::of(network, [8, 8, 1], &[]);
        written.ops().iter().filter(|op| **op == "Transpose").count()
    };
    // The input and the output.
    assert_eq!(turned(network.clone()), 2);
    assert_eq!(turned(network.add(GlobalMaxPooling2D::new()).add(Dense::new(2))), 1);
}

#[test]
fn the_oldest_version_with_all_operators_is_named() {
    let versions = |layer: LayerHandle| Written::of(Sequential::new().add(&layer), [4, 4], &[]).versions();
    assert_eq!(versions(LayerHandle::new(Dense::new(2))), (13, 7));
    assert_eq!(versions(LayerHandle::new(LayerNormalization::new())), (17, 8));
    assert_eq!(versions(LayerHandle::new(GlobalMaxPooling1D::new())), (18, 8));
    assert_eq!(versions(LayerHandle::new(Activation::Gelu)), (20, 9));
    assert_eq!(versions(LayerHandle::new(GroupNormalization::new().groups(2))), (21, 10));
    // A group for each channel is an older operator.
    assert_eq!(versions(LayerHandle::new(GroupNormalization::new().groups(-1))), (13, 7));
}

#[test]
fn shared_weights_are_written_once() {
    let tower = LayerHandle::new(Dense::new(4));
    let written = Written::of(Sequential::new().add(&tower).add(&tower), [4], &[]);
    let names: Vec<&str> = written.model.graph.initializers.iter().map(|tensor| &*tensor.name).collect();
    assert_eq!(names, ["0/kernel", "0/bias"]);
    assert_eq!(written.ops(), ["Gemm", "Gemm"]);
}

#[test]
fn inputs_and_outputs_have_the_names_of_the_model() {
    let mut graph = Graph::builder();
    let x = graph.input();
    let y = graph.add(Dense::new(2), [x]);
    // One output is called as the input, one is the input itself.
    let network = graph.outputs([("input", y), ("again", y), ("raw", x), ("", y)]);
    let written = Written::of(network, [Some(3)], &[]);
    let names: Vec<&str> = written.model.graph.outputs.iter().map(|output| &*output.name).collect();
    assert_eq!(names, ["input_output", "again", "raw", "output"]);
    assert_eq!(written.ops(), ["Gemm", "Identity", "Identity", "Identity"]);

    let words = Sequential::new().add(Embedding::new(5, 2)).add(LSTM::new(3).return_sequences(true));
    let written = Written::of(words, [None], &[]);
    let free = |name: &str| Dimension::Free(name.to_owned());
    let (input, output) = (&written.model.graph.inputs[0], &written.model.graph.outputs[0]);
    assert_eq!((&*input.name, input.elem_type), ("input", element::INT64));
    assert_eq!(input.shape, Some(vec![free("batch"), free("input_length_1")]));
    // It is as long as the input.
    assert_eq!(output.shape, Some(vec![free("batch"), free("input_length_1"), Dimension::Length(3)]));
}

#[test]
fn weights_of_64_bits_are_written_in_32() {
    let model = Model::<f64>::build_as(Sequential::new().add(Dense::new(2)), [3], 0).unwrap();
    let bytes = to_bytes(&model).unwrap();
    let written = ModelProto::read(&&bytes[..]).unwrap();
    assert!(written.graph.initializers.iter().all(|tensor| tensor.data_type == element::FLOAT));
}

#[test]
fn a_file_is_written_whole_or_not_at_all() {
    let model = Model::build(Sequential::new().add(Dense::new(2)), [3], 0).unwrap();
    let path = std::env::temp_dir().join(format!("gradus_onnx_{}.onnx", std::process::id()));
    save(&model, &path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), to_bytes(&model).unwrap());
    std::fs::remove_file(&path).unwrap();
    let missing = path.with_extension("").join("model.onnx");
    let error = save(&model, &missing).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: the file cannot be written: ", missing.display())), "{error}");
}

/// y = 2 x, a layer of the program's own.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Twice;

impl Layer for Twice {
    const KIND: &'static str = "Twice";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        Ok(Built::new(build.input()?, |_, x| x * T::of(2.0)))
    }
}

/// A layer of the program's own that is called as another.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct OtherRescaling {
    scale: f64,
    offset: f64,
    power: f64,
}

impl Layer for OtherRescaling {
    const KIND: &'static str = "Rescaling";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        Ok(Built::new(build.input()?, |_, x| x.clone()))
    }
}

fn refusal(network: impl Into<Graph>, inputs: impl Into<Inputs>) -> String {
    to_bytes(&Model::build(network, inputs, 0).unwrap()).unwrap_err().to_string()
}

#[test]
fn what_cannot_be_written_is_named_at_once() {
    let body = Sequential::new().add(Twice).add(Lambda::new("half", |x| x * 0.5));
    let network = Sequential::new().add(Dense::new(2)).add_named("block", body).add_named("last", Twice);
    let hint = "write them with layers of this crate, or save the model by Model::save";
    let named = "block/0 (Twice), block/1 (Lambda), last (Twice)";
    assert_eq!(refusal(network, [3]), format!("onnx: ONNX cannot hold these layers: {named}; {hint}"));

    // Layers that can be written, but not for free lengths.
    let mut graph = Graph::builder();
    let x = graph.input();
    let three = graph.add_named("three", AdaptiveMaxPooling1D::new([3]), [x]);
    let inner = Sequential::new().add(Dense::new(2)).add(AdaptiveAveragePooling1D::new([2]));
    let two = graph.add_named("inner", inner, [x]);
    let error = refusal(graph.outputs([three, two]), [None, Some(4)]);
    assert!(
        error.starts_with("onnx: 2 layers cannot be written: onnx: layer three (AdaptiveMaxPooling1D): "),
        "{error}"
    );
    assert!(error.contains(" | onnx: layer inner/1 (AdaptiveAveragePooling1D): "), "{error}");

    // An option that the writer does not know may change what the layer computes.
    let error = refusal(Sequential::new().add(OtherRescaling { scale: 1.0, offset: 0.0, power: 2.0 }), [3]);
    let problem = "onnx: layer 0 (Rescaling): its options are not written: unknown field `power`";
    assert!(error.starts_with(problem), "{error}");

    let error = refusal(Sequential::new().add(Dense::new(2)), [0]);
    assert!(error.starts_with("onnx: there are no elements in the input input of shape [0]"), "{error}");
}
