//! The ops that are timed alone, with their gradients.

use burn::nn::loss::{CTCLossConfig, Reduction};
use burn::prelude::*;
use burn::tensor::activation::log_softmax;
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;

use crate::VERSION;
use crate::step::{self, Options, ctc};

/// Whether there is an op of this name.
pub fn time(options: &Options, device: &Device) -> bool {
    if let Some((shape, causal)) = step::attention_named(&options.network) {
        time_attention(options, shape, causal, device);
    } else if options.network == "ctc" {
        time_ctc(options, device);
    } else {
        return false;
    }
    true
}

fn time_attention(options: &Options, shape: [usize; 4], causal: bool, device: &Device) {
    let count = shape.iter().product();
    // Heads before positions.
    let [q, k, v, g] = [0, 1, 2, 3].map(|seed| {
        let x = Tensor::<4>::from_data(TensorData::new(step::numbers(seed, count), shape), device).swap_dims(1, 2);
        Tensor::<4>::from_data(x.into_data(), device)
    });
    let how = AttentionModuleOptions { is_causal: causal, ..Default::default() };
    let call = || {
        let inputs = [&q, &k, &v].map(|x| x.clone().require_grad());
        let [q, k, v] = inputs.clone();
        let mut gradients = (attention(q, k, v, None, None, how) * g.clone()).sum().backward();
        inputs.iter().map(|x| x.grad_remove(&mut gradients).unwrap()).collect()
    };
    step::time_calls(options, VERSION, call, numbers);
}

fn time_ctc(options: &Options, device: &Device) {
    let shape = [ctc::SAMPLES, ctc::FRAMES, ctc::CLASSES];
    let logits = TensorData::new(step::numbers(0, shape.iter().product()), shape);
    // Frames before samples.
    let logits = Tensor::<3>::from_data(Tensor::<3>::from_data(logits, device).swap_dims(0, 1).into_data(), device);
    let labels: Vec<i32> = ctc::labels(1).into_iter().map(|label| label as i32).collect();
    let labels = Tensor::<2, Int>::from_data(TensorData::new(labels, [ctc::SAMPLES, ctc::LABELS]), device);
    let lengths = |length| Tensor::<1, Int>::full([ctc::SAMPLES], length as i32, device);
    let (frames, counts) = (lengths(ctc::FRAMES), lengths(ctc::LABELS));
    let loss = CTCLossConfig::new().init();
    let call = || {
        let logits = logits.clone().require_grad();
        let rows = log_softmax(logits.clone(), 2);
        let sum = loss.forward_with_reduction(rows, labels.clone(), frames.clone(), counts.clone(), Reduction::Sum);
        let mut gradients = (sum / ctc::SAMPLES as f32).backward();
        vec![logits.grad_remove(&mut gradients).unwrap()]
    };
    step::time_calls(options, VERSION, call, numbers);
}

fn numbers<const D: usize>(gradient: Tensor<D>) -> Vec<f32> {
    gradient.into_data().try_to_vec().unwrap()
}
