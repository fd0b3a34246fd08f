//! Programs that do not compile, and what the compiler says of them: the mistakes of newcomers, each with what leads to the fix.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The newest library of this name beside this test, the one that it was linked with.
fn library(name: &str) -> (PathBuf, PathBuf) {
    let folder = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let files = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    let is_library = |file: &PathBuf| {
        let text = file.file_name().unwrap().to_string_lossy();
        text.starts_with(&format!("lib{name}-")) && text.ends_with(".rlib")
    };
    let newest = files.filter(is_library).max_by_key(|file| file.metadata().unwrap().modified().unwrap());
    (newest.expect("the library is beside its tests"), folder)
}

/// What the compiler says of a program with these lines; nothing if it compiles.
fn compile(lines: &str) -> String {
    let (library, dependencies) = library("gradus");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_errors");
    fs::create_dir_all(&folder).unwrap();
    let name = format!("program_{:x}", lines.bytes().fold(7_u64, |hash, byte| hash.wrapping_mul(31) ^ u64::from(byte)));
    let program = folder.join(&name).with_extension("rs");
    let mut source =
        "#![allow(unused)]\nuse gradus::prelude::*;\nuse gradus::train::metrics::{self, Metric};\n".to_owned();
    source += &format!("fn model() -> Model {{ unimplemented!() }}\nfn main() -> Result<()> {{\n{lines}\nOk(())\n}}\n");
    fs::write(&program, source).unwrap();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command.args(["--edition", "2024", "--emit=metadata", "--color", "never"]);
    command.arg("-L").arg(format!("dependency={}", dependencies.display()));
    command.arg("--extern").arg(format!("gradus={}", library.display()));
    command.arg("-o").arg(folder.join(&name).with_extension("rmeta")).arg(&program);
    let output = command.output().expect("the compiler that has compiled this test");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.success(), text.is_empty(), "{text}");
    text
}

#[test]
fn mistakes_lead_to_the_fix() {
    // What is written, what the compiler must say, and what is right.
    let mistakes = [
        (
            "Trainer::new(model(), MeanSquaredError, Adam::default()).metric(MeanAbsoluteError::default());",
            "is no metric",
            "`metrics::MeanAbsoluteError::default()` is the metric",
            "Trainer::new(model(), MeanSquaredError, Adam::default()).metric(metrics::MeanAbsoluteError::default());",
        ),
        (
            "Trainer::new(model(), \"mse\", Adam::default()).fit(&iris::load()?, Fit::default());",
            "`&str` is no loss",
            "give a loss, such as `MeanSquaredError`",
            "Trainer::new(model(), MeanSquaredError, Adam::default()).fit(&iris::load()?, Fit::default());",
        ),
        (
            "let x: Tensor = Tensor::new(vec![1.0, 2.0]);",
            "is no nested array of `f32`",
            "a Vec becomes a tensor by `Tensor::from(vec)`",
            "let x: Tensor = Tensor::from(vec![1.0, 2.0]);",
        ),
        (
            "Tensor::new([1.0, 2.0]).slice(0, 1);",
            "`{integer}` is no range of an axis",
            "one place of an axis is taken by `select(axis, place)`",
            "Tensor::new([1.0, 2.0]).select(0, 1);",
        ),
        (
            "Conv2D::new(32, [3]);",
            "is no number for each of 2 axes",
            "give one number for all axes",
            "Conv2D::new(32, 3); Conv2D::new(32, [3, 5]); Conv1D::new(32, [3]); MaxPooling2D::new(2).strides(1);",
        ),
        (
            "Sequential::new().add(128);",
            "is no layer",
            "give a layer, such as `Dense::new(10)`",
            "Sequential::new().add(Dense::new(128));",
        ),
        (
            "Adam::default().learning_rate::<f32>(\"cosine\");",
            "is no learning rate",
            "`CosineDecay::new(0.001, 1000)`",
            "Adam::default().learning_rate::<f32>(CosineDecay::new(0.001, 1000));",
        ),
        (
            "Fit::<f32>::default().callback(\"early stopping\");",
            "is no callback",
            "`EarlyStopping::new(\"val_loss\")`",
            "Fit::<f32>::default().callback(EarlyStopping::new(\"val_loss\"));",
        ),
    ];
    let mut errors = String::new();
    for (mistake, problem, hint, right) in mistakes {
        let error = compile(mistake);
        errors += &error;
        assert!(error.contains(problem) && error.contains(hint), "{mistake}\n{error}");
        assert_eq!(compile(right), "", "{right}");
    }
    // The book shows some of these lines.
    let shown = include_str!("../book/src/errors.md").split("```compiler\n").skip(1);
    let shown: Vec<&str> =
        shown.filter_map(|block| block.split_once("```")).flat_map(|(block, _)| block.lines()).collect();
    assert!(shown.len() >= 8, "only {} lines found in the book", shown.len());
    shown.into_iter().for_each(|line| assert!(errors.contains(line), "the compiler does not say: {line}"));
}

#[test]
fn what_a_metric_has_measured_needs_no_annotation() {
    let lines = "let mut accuracy = BinaryAccuracy::default();
        accuracy.update(&Tensor::new([[1.0]]), &Tensor::new([[0.7]]), None)?;
        println!(\"{}\", accuracy.result());
        accuracy.reset();";
    assert_eq!(compile(lines), "");
}
