//! Models written for Keras. `tests/reference/keras_round_trip.py` loads what the last test writes.

use gradus_interchange::keras;
use gradus_nn::*;
use gradus_tensor::{Columns, Generator, Tensor};

use crate::{Expected, READ, fixture};

fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("gradus_keras_{name}_{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn models_come_back_as_keras_has_them() {
    let folder = std::env::var("GRADUS_KERAS_FOLDER").map_or_else(|_| folder("back"), Into::into);
    for name in READ.iter().filter(|name| **name != "masked") {
        let model = keras::load(fixture(&format!("{name}.keras"))).unwrap().model;
        let path = folder.join(format!("{name}.keras"));
        keras::save(&model, &path).unwrap();
        keras::save_weights(&model, folder.join(format!("{name}.weights.h5"))).unwrap();
        let again = keras::load(&path).unwrap().model;
        let order: Vec<&str> = again.outputs().iter().map(|output| &*output.name).collect();
        println!("{name}: {order:?}");
        Expected::of(name).check(name, &again);
        std::fs::copy(fixture(&format!("{name}.json")), folder.join(format!("{name}.json"))).unwrap();
    }
}
