//! A safetensors file: what is read is what the format's own reader reads.
#![no_main]

use gradus_tensor::safetensors::File;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = File::from_bytes(bytes) else { return };
    let theirs = safetensors::SafeTensors::deserialize(bytes).expect("the crate reads what is read here");
    for name in file.names() {
        let (info, view) = (file.info(name).unwrap(), theirs.tensor(name).unwrap());
        assert_eq!((&info.shape[..], info.bytes), (view.shape(), view.data().len()));
        match file.read(name) {
            Ok(tensor) => assert_eq!((tensor.shape(), Some(tensor.element())), (&info.shape, info.element)),
            Err(_) => assert_eq!(info.element, None),
        }
    }
});
