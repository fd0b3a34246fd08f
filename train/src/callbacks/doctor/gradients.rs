//! Gradients that vanish or explode from the last layer to the first.

use std::collections::BTreeMap;

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use super::anatomy::Anatomy;
use super::{Diagnosis, WINDOW};
use crate::examination::Examination;
use crate::finding::FindingKind;

/// How large the gradient is at the end of each layer with a kernel, beside that at the last such layer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Gradients {
    batches: usize,
    /// The smallest and the largest ratio.
    ratios: BTreeMap<String, (f64, f64)>,
}

/// The factor beyond which gradients vanish or explode. In networks that learn it was found to be below 100.
const TOO_MUCH: f64 = 1e4;

impl Gradients {
    pub fn see<T: Float>(&mut self, anatomy: &Anatomy, examination: &Examination<T>) -> Option<Diagnosis> {
        let norm = |path: &str| Some(examination.layers.get(path)?.gradient.as_ref()?.norm_f64());
        let layers = anatomy.layers.iter().filter(|layer| layer.has_kernel);
        let norms: Vec<(&str, f64)> = layers.filter_map(|layer| Some((&*layer.path, norm(&layer.path)?))).collect();
        let &(last, of_last) = norms.last()?;
        // A gradient of 0 is that of a network that has nothing to learn, or whose units are dead.
        if norms.iter().any(|(_, norm)| *norm == 0.0) {
            return None;
        }
        for (path, norm) in &norms {
            let (least, most) = self.ratios.entry((*path).to_owned()).or_insert((f64::MAX, 0.0));
            (*least, *most) = (least.min(norm / of_last), most.max(norm / of_last));
        }
        self.batches += 1;
        if self.batches < WINDOW {
            return None;
        }
        let Gradients { ratios, .. } = std::mem::take(self);
        // In every one of the batches.
        let of_layers = ratios.iter().filter_map(|(path, (least, most))| match () {
            () if *most < 1.0 / TOO_MUCH => Some((path, *most)),
            () if *least > TOO_MUCH => Some((path, *least)),
            () => None,
        });
        let (path, ratio) = of_layers.max_by(|a, b| a.1.ln().abs().total_cmp(&b.1.ln().abs()))?;
        let (layer, last) = (anatomy.layer(path)?.name(), anatomy.layer(last)?.name());
        let (kind, factor, change, hint) = if ratio < 1.0 {
            let hint = "use ReLU instead of sigmoid or tanh, or a BatchNormalization behind each layer";
            (FindingKind::VanishingGradients, 1.0 / ratio, "smaller", hint)
        } else {
            let hint = "begin with smaller weights, or clip the gradients by clip_global_norm(1.0)";
            (FindingKind::ExplodingGradients, ratio, "larger", hint)
        };
        let problem = format!("gradients are {factor:.0e} times {change} at {layer} than at {last}");
        Some(Diagnosis { kind, place: Some(path.clone()), problem, hint })
    }
}
