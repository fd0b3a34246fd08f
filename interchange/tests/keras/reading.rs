//! Models that Keras has written.

use gradus_interchange::keras;

use crate::{Expected, fixture};

#[test]
fn models_predict_what_keras_does() {
    let names = [
        "spatial_1d",
        "spatial_2d",
        "spatial_3d",
        "normalize",
        "activations",
        "chain",
        "ids",
        "adapted",
        "recurrent",
        "masked",
        "attention",
        "graph",
        "named",
        "twice",
        "bfloat16",
        "normalize_380",
        "graph_380",
        "named_380",
        "twice_380",
    ];
    let mut failed = Vec::new();
    for name in names {
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
