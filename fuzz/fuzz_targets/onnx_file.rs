//! An ONNX file: it is refused, or the model that it gives can be described and asked.
#![no_main]

use gradus_fuzz::{FuzzFile, ask};
use gradus_interchange::onnx::OnnxFile;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let file = FuzzFile::new("onnx", bytes);
    let Ok(opened) = OnnxFile::open(file.path()) else { return };
    if let Ok(model) = opened.model() {
        ask(&model);
    }
});
