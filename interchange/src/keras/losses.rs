//! Our losses as Keras's.

use std::any::Any;

use gradus_nn::losses::{
    BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy, CategoricalFocalCrossentropy,
    CategoricalHinge, CosineSimilarity, Hinge, Huber, KLDivergence, LogCosh, Loss, MeanAbsoluteError,
    MeanAbsolutePercentageError, MeanSquaredError, MeanSquaredLogarithmicError, Poisson, SparseCategoricalCrossentropy,
    SquaredHinge,
};
use serde_json::{Value as Json, json};

use super::fields::object_of;
use super::rules::{Known, data_of, known};

// Keras's Dice and Tversky take the whole batch as one picture, its CTC gives an impossible target a finite loss.
const LOSSES: &[Known] = &[
    ("MeanSquaredError", data_of::<MeanSquaredError>),
    ("MeanAbsoluteError", data_of::<MeanAbsoluteError>),
    ("MeanAbsolutePercentageError", data_of::<MeanAbsolutePercentageError>),
    ("MeanSquaredLogarithmicError", data_of::<MeanSquaredLogarithmicError>),
    ("LogCosh", data_of::<LogCosh>),
    ("Poisson", data_of::<Poisson>),
    ("Huber", data_of::<Huber>),
    ("Hinge", data_of::<Hinge>),
    ("SquaredHinge", data_of::<SquaredHinge>),
    ("CategoricalHinge", data_of::<CategoricalHinge>),
    ("KLDivergence", data_of::<KLDivergence>),
    ("CosineSimilarity", data_of::<CosineSimilarity>),
    ("BinaryCrossentropy", data_of::<BinaryCrossentropy>),
    ("BinaryFocalCrossentropy", data_of::<BinaryFocalCrossentropy>),
    ("CategoricalCrossentropy", data_of::<CategoricalCrossentropy>),
    ("CategoricalFocalCrossentropy", data_of::<CategoricalFocalCrossentropy>),
    ("SparseCategoricalCrossentropy", data_of::<SparseCategoricalCrossentropy>),
];

/// The object of a loss.
///
/// # Errors
/// If Keras lacks it, or an option.
pub(super) fn loss<L: Loss>(loss: &L) -> Result<Json, String> {
    let Some((class, mut config)) = known(LOSSES, loss as &dyn Any) else {
        return Err(format!("Keras has no such loss as {:?}", loss.name()));
    };
    if class == "SparseCategoricalCrossentropy" && config.remove("label_smoothing") != Some(json!(0.0)) {
        return Err(format!("Keras's loss {class} has no option label_smoothing: take CategoricalCrossentropy"));
    }
    if class == "BinaryFocalCrossentropy" {
        config.insert("apply_class_balancing".to_owned(), json!(!config["alpha"].is_null()));
        config.retain(|_, value| !value.is_null());
    }
    config.insert("reduction".to_owned(), json!("sum_over_batch_size"));
    Ok(object_of("keras.losses", class, Json::Object(config)))
}
