//! A file of Keras: it is refused, or the model that it gives can be described and asked.
#![no_main]

use gradus_fuzz::{FuzzFile, ask};
use gradus_interchange::keras;
use gradus_nn::WeightSource;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let file = FuzzFile::new("keras", bytes);
    if let Ok(variables) = keras::variables(file.path()) {
        variables.names().iter().for_each(|name| _ = variables.read(name));
    }
    if let Ok(loaded) = keras::load(file.path()) {
        ask(&loaded.model);
    }
});
