//! What a model's file says of its network, without the weights: all layers are built, up to the point where weights are
//! looked for. A text whose weights are given too is a whole model.
#![no_main]

use gradus_nn::{LayerKinds, Model};
use gradus_tensor::safetensors::{File, Writer};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let bytes = Writer::new().metadata("gradus", text).to_bytes().unwrap();
    let file = File::from_bytes(bytes).unwrap();
    let loaded = Model::<f32>::from_safetensors(&file, &LayerKinds::standard());
    if let Ok(model) = loaded {
        assert!(model.params().is_empty());
    }
});
