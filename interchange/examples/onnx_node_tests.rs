//! Runs the cases of ONNX's own test suite: `onnx_node_tests FOLDER`, where FOLDER holds `test_*/model.onnx` and beside each
//! `test_data_set_*/input_*.pb` and `output_*.pb`. Prints a line for each case: passed, failed or refused, its name, and why.
//!
//! conformance/onnx_nodes.py runs it and counts by operator.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use gradus_interchange::onnx::{OnnxFile, read_tensor};
use gradus_tensor::AnyTensor;

const RELATIVE: f64 = 1e-3;
const ABSOLUTE: f64 = 1e-5;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("give the folder of the test cases")?;
    let only = std::env::args().nth(2).unwrap_or_default();
    let mut cases: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    cases.sort();
    for case in cases.iter().filter(|case| case.join("model.onnx").is_file()) {
        let name = case.file_name().unwrap_or_default().to_string_lossy();
        if !name.contains(&only) {
            continue;
        }
        let (outcome, why) = match outcome(case) {
            Outcome::Passed => ("passed", String::new()),
            Outcome::Failed(why) => ("failed", why),
            Outcome::Refused(why) => ("refused", why),
        };
        println!("{outcome}\t{name}\t{}", why.replace(['\n', '\t'], " "));
    }
    Ok(())
}

enum Outcome {
    Passed,
    Failed(String),
    Refused(String),
}

fn outcome(case: &Path) -> Outcome {
    let file = match OnnxFile::open(case.join("model.onnx")) {
        Ok(file) => file,
        Err(error) => return Outcome::Refused(error.to_string()),
    };
    for set in 0.. {
        let data = case.join(format!("test_data_set_{set}"));
        if !data.is_dir() {
            return if set > 0 { Outcome::Passed } else { Outcome::Failed("there are no data".to_owned()) };
        }
        let computed = run(&file, &data);
        let outputs = match computed {
            Ok(outputs) => outputs,
            Err(error) => return Outcome::Refused(error.to_string()),
        };
        for (index, found) in outputs.iter().enumerate() {
            let expected = match read_tensor(data.join(format!("output_{index}.pb"))) {
                Ok((_, expected)) => expected,
                Err(error) => return Outcome::Refused(error.to_string()),
            };
            if let Some(difference) = difference(found, &expected) {
                return Outcome::Failed(format!("output {index}: {difference}"));
            }
        }
    }
    Outcome::Passed
}

fn run(file: &OnnxFile, data: &Path) -> gradus_nn::Result<Vec<AnyTensor>> {
    let mut inputs = Vec::new();
    for (index, input) in file.inputs().iter().enumerate() {
        let (_, tensor) = read_tensor(data.join(format!("input_{index}.pb")))?;
        inputs.push((input.name.as_str(), tensor));
    }
    let is_double = file.inputs().iter().chain(file.outputs()).any(|value| value.element == "float64");
    if is_double { file.run_as::<f64>(&inputs) } else { file.run(&inputs) }
}

fn difference(found: &AnyTensor, expected: &AnyTensor) -> Option<String> {
    if found.shape() != expected.shape() {
        return Some(format!("the shape {} is expected, found {}", expected.shape(), found.shape()));
    }
    let kind = |tensor: &AnyTensor| (tensor.is_float(), tensor.element() == "bool");
    if kind(found) != kind(expected) {
        return Some(format!("{} are expected, found {}", expected.element(), found.element()));
    }
    let pairs = found.to::<f64>().iter().zip(expected.to::<f64>().iter()).enumerate();
    let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= ABSOLUTE + RELATIVE * b.abs();
    let wrong: Vec<_> = pairs.filter(|(_, (a, b))| !same(*a, *b)).collect();
    let (place, (a, b)) = wrong.first()?;
    Some(format!(
        "{} of {} elements differ, the first at {place}: {b} is expected, found {a}",
        wrong.len(),
        found.shape().size()
    ))
}
