//! A model's file: it is refused, or the model that it gives comes back from the file that it writes.
#![no_main]

use gradus_nn::{LayerKinds, Model};
use gradus_tensor::safetensors::File;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = File::from_bytes(bytes) else { return };
    let kinds = LayerKinds::standard();
    let Ok(model) = Model::<f32>::from_safetensors(&file, &kinds) else { return };
    _ = model.summary().to_string();
    let written = model.to_safetensors().unwrap().to_bytes().unwrap();
    let again = Model::<f32>::from_safetensors(&File::from_bytes(&written[..]).unwrap(), &kinds).unwrap();
    assert_eq!(again.to_safetensors().unwrap().to_bytes().unwrap(), written);
});
