use std::collections::HashSet;

use super::cases::{self, Case};
use super::*;
use crate::onnx::proto::{Dimension, TensorData};
use gradus_nn::*;

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
    assert!([(18, 8), (20, 9), (21, 10)].contains(&(opset, version)), "{name}: {opset} {version}");
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
    let mut nodes = HashSet::new();
    let mut used: HashSet<String> = graph.outputs.iter().map(|output| output.name.clone()).collect();
    for node in &graph.nodes {
        assert!(nodes.insert(node.name.clone()), "{name}: two nodes are called {}", node.name);
        for input in &node.inputs {
            assert!(known.contains(input), "{name}: {} takes {input:?}, which is not there", node.name);
            used.insert(input.clone());
        }
        for output in &node.outputs {
            assert!(known.insert(output.clone()), "{name}: {output} is there twice");
        }
        let unknown = node.attributes.iter().find(|attribute| attribute.name == "auto_pad");
        assert_eq!(unknown, None, "{name}: padding is explicit");
    }
    for node in &graph.nodes {
        assert!(node.outputs.iter().any(|output| used.contains(output)), "{name}: nobody takes {}", node.name);
    }
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

#[test]
fn files_of_all_layers_are_sound() {
    cases::layers().iter().for_each(check);
}

#[test]
fn files_of_networks_are_sound() {
    cases::networks().iter().for_each(check);
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
