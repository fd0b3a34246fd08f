//! A question to a model of which nothing is known.

use gradus_nn::{Model, ValueKind};
use gradus_tensor::{AnyTensor, Columns, Tensor};

/// Describes a model and predicts for a sample of zeros, if the model says that it computes no more than a few megabytes.
pub fn ask(model: &Model) {
    _ = model.summary().to_string();
    if model.widest() > 1 << 20 {
        return;
    }
    let mut columns = Columns::new();
    for input in model.inputs() {
        let shape: Vec<usize> = [1].into_iter().chain(input.shape.iter().map(|length| length.unwrap_or(3))).collect();
        if shape.iter().try_fold(1_usize, |size, &length| size.checked_mul(length)).is_none_or(|size| size > 1 << 20) {
            return;
        }
        let zeros: AnyTensor = match input.kind {
            ValueKind::Floats => Tensor::<f32>::zeros(shape).into(),
            ValueKind::Ids { .. } => Tensor::<i64>::zeros(shape).into(),
            ValueKind::Mask => Tensor::<bool>::full(shape, true).into(),
        };
        columns = columns.with(&input.name, zeros);
    }
    _ = model.predict_all(columns);
}
