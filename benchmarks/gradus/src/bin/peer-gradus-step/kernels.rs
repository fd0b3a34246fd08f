//! The ops that are timed alone, with their gradients.

use gradus::prelude::*;
use gradus::tensor::Attention;

use crate::step::{self, Options, ctc};

/// Whether there is an op of this name.
pub fn time(options: &Options) -> bool {
    if let Some((shape, causal)) = step::attention_named(&options.network) {
        time_attention(options, shape, Attention::new().causal(causal));
    } else if options.network == "ctc" {
        time_ctc(options);
    } else {
        return false;
    }
    true
}

fn time_attention(options: &Options, shape: [usize; 4], how: Attention) {
    let count = shape.iter().product();
    let [q, k, v, g] = [0, 1, 2, 3].map(|seed| Tensor::from_vec(step::numbers(seed, count), shape).unwrap());
    let call = || {
        let (y, sums) = q.attention(&k, &v, &how);
        Vec::from(q.attention_gradient(&g, &k, &v, &how, &y, &sums))
    };
    step::time_calls(options, "this repository", call, |gradient: Tensor| gradient.iter().collect());
}

fn time_ctc(options: &Options) {
    let shape = [ctc::SAMPLES, ctc::FRAMES, ctc::CLASSES];
    let logits = Tensor::from_vec(step::numbers(0, shape.iter().product()), shape).unwrap();
    let labels: Vec<usize> = ctc::labels(1).into_iter().map(|label| label as usize).collect();
    let targets: Vec<&[usize]> = labels.chunks(ctc::LABELS).collect();
    let call = || {
        let (_, gradient) = logits.ctc_loss_and_gradient(None, &targets, 0);
        vec![gradient / ctc::SAMPLES as f32]
    };
    step::time_calls(options, "this repository", call, |gradient: Tensor| gradient.iter().collect());
}
