//! Cross-entropy between one-hot targets and class probabilities.

use gradus_autograd::{Op, Var};
use gradus_tensor::{Float, Tensor, keepdims};
use serde::{Deserialize, Serialize};

use super::{Loss, same_shape};
use crate::error::Result;

/// -sum_i t_i ln p_i over the last axis, with one-hot targets t and probabilities p.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct CategoricalCrossentropy {
    from_logits: bool,
}

impl CategoricalCrossentropy {
    /// On logits, the numbers before a softmax, rather than on probabilities.
    pub fn from_logits(self, from_logits: bool) -> Self {
        CategoricalCrossentropy { from_logits }
    }
}

impl Loss for CategoricalCrossentropy {
    fn name(&self) -> &'static str {
        "categorical_crossentropy"
    }

    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
        same_shape(self.name(), targets, outputs, "make targets one-hot by to_categorical, or use the sparse loss")?;
        let t = targets.clone();
        if self.from_logits {
            let logs = outputs.value().log_softmax(-1);
            let loss = -(targets * &logs).sum(-1);
            return Ok(Op::new("categorical_crossentropy", loss)
                .input(outputs, move |g| {
                    let mass = t.sum(keepdims(-1));
                    (logs.exp() * mass - t) * g.unsqueeze(-1)
                })
                .finish());
        }
        let tiny = T::min_positive_value();
        let p = outputs.value().maximum(tiny);
        let loss = -(targets * p.ln()).sum(-1);
        Ok(Op::new("categorical_crossentropy", loss).input(outputs, move |g| -(t / p) * g.unsqueeze(-1)).finish())
    }
}
