//! dfdx: shapes in types, a batch copied into a tensor per step, its own Adam.

#[path = "../../common.rs"]
mod common;

use common::{CLASSES, HIDDEN, LEARNING_RATE, Options, PIXELS, Random};
use dfdx::optim::{Adam, AdamConfig};
use dfdx::prelude::*;

const BATCH: usize = 32;

type Network = ((Linear<PIXELS, HIDDEN>, ReLU), Linear<HIDDEN, CLASSES>);

fn main() {
    let options = Options::parse();
    assert!(options.network == common::Network::Dense, "dfdx has convolutional layers only with a nightly compiler");
    let (train, test) = common::mnist(&options.data);
    let targets = train.one_hot();
    // As its own MNIST example does.
    dfdx::flush_denormals_to_zero();

    let device = Cpu::seed_from_u64(options.seed);
    let mut network = device.build_module::<Network, f32>();
    let config = AdamConfig { lr: LEARNING_RATE, ..AdamConfig::default() };
    let mut adam = Adam::new(&network, config);
    let mut grads = Some(network.alloc_grads());
    let mut order: Vec<u32> = (0..train.len() as u32).collect();
    let mut random = Random(options.seed);

    let training = common::time_epochs(&options, train.len(), |rows| {
        random.shuffle(&mut order);
        let mut sum = 0.0;
        for rows in order[..rows].chunks_exact(BATCH) {
            let mut x = Vec::with_capacity(BATCH * PIXELS);
            let mut y = Vec::with_capacity(BATCH * CLASSES);
            for &row in rows {
                x.extend_from_slice(train.image(row as usize));
                y.extend_from_slice(&targets[row as usize * CLASSES..][..CLASSES]);
            }
            let x = device.tensor_from_vec(x, (Const::<BATCH>, Const::<PIXELS>));
            let y = device.tensor_from_vec(y, (Const::<BATCH>, Const::<CLASSES>));
            let logits = network.forward_mut(x.traced(grads.take().unwrap()));
            let loss = cross_entropy_with_logits_loss(logits, y);
            sum += loss.array();
            let mut gradients = loss.backward();
            adam.update(&mut network, &gradients).unwrap();
            network.zero_grads(&mut gradients);
            grads = Some(gradients);
        }
        assert!(sum.is_finite());
    });

    let predict = |image: &[f32]| {
        let x = device.tensor_from_vec(image.to_vec(), (Const::<PIXELS>,));
        network.forward(x).softmax().array()
    };
    let accuracy =
        common::accuracy(&test.images, &test.labels, |images| images.chunks_exact(PIXELS).flat_map(predict).collect());
    let predict_us = common::time_predict(|i| {
        std::hint::black_box(predict(test.image(i)));
    });
    common::report("0.13.0", &training, accuracy, predict_us);
}
