//! Models that Keras has written.

use gradus_interchange::keras;

use crate::{Expected, READ, fixture};

#[test]
fn models_predict_what_keras_does() {
    let mut failed = Vec::new();
    for name in READ {
        match keras::load(fixture(&format!("{name}.keras"))) {
            Ok(loaded) => Expected::of(name).check(name, &loaded.model),
            Err(error) => failed.push(error.to_string()),
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn older_files_predict_what_keras_does() {
    for name in ["legacy", "legacy_chain"] {
        let loaded = keras::load(fixture(&format!("{name}.h5"))).unwrap();
        Expected::of(name).check(name, &loaded.model);
    }
}

/// The message of a file that is refused.
fn refusal(name: &str) -> String {
    let error = keras::load(fixture(name)).err().unwrap().to_string();
    error.split_once(&format!("{name}: ")).unwrap().1.to_owned()
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    assert_eq!(refusal("lacking.keras"), "");
    assert_eq!(refusal("quantized.keras"), "");
    assert_eq!(refusal("two_masks.keras"), "");
    assert_eq!(refusal("weights.weights.h5"), "");
    assert_eq!(refusal("make.py"), "");
}
