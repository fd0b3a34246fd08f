//! A checkpoint: a run goes on from it, or it is refused.
#![no_main]

use gradus_fuzz::{FuzzFile, data, fit, trainer};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let file = FuzzFile::new("checkpoint", bytes);
    let mut trainer = trainer();
    if trainer.resume(file.path()).is_ok() {
        _ = trainer.fit(&data(), fit());
    }
});
