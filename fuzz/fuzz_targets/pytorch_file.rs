//! A file of PyTorch, safetensors or NumPy: it is refused, or each tensor can be read or is refused.
#![no_main]

use gradus_interchange::pytorch::StateDict;
use gradus_nn::WeightSource;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(state) = StateDict::from_bytes(bytes) else { return };
    for name in state.names() {
        let info = state.info(&name).expect("a tensor that is named");
        if let Ok(tensor) = state.read(&name) {
            assert_eq!(tensor.shape(), &info.shape);
        }
    }
});
