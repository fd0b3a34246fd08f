//! A checkpoint: a run goes on from it, or it is refused.
#![no_main]

use std::path::PathBuf;

use gradus_fuzz::{data, fit, trainer};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // In memory, where the system has files there.
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let path = folder.join(format!("gradus_fuzz_checkpoint_{}", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    let mut trainer = trainer();
    if trainer.resume(&path).is_ok() {
        _ = trainer.fit(&data(), fit());
    }
});
