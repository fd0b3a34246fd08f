//! A fingerprint of a model's weights.

use gradus::prelude::*;

/// The SHA-256 of the weights, in hexadecimal digits.
pub fn hash(model: &Model) -> String {
    let mut hash = hmac_sha256::Hash::new();
    for weight in model.params().iter().flat_map(|param| param.value.iter()) {
        hash.update(weight.to_le_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
