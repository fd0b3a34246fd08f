//! burn on its CPU backend, flex: the set is put in a fresh order once an epoch, a batch is a view of it.

#[path = "../../common.rs"]
mod common;

use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::nn::{Linear, LinearConfig, Relu};
use burn::optim::{AdamConfig, GradientsParams};
use burn::prelude::*;
use burn::tensor::activation::softmax;
use common::{BATCH, CLASSES, HIDDEN, LEARNING_RATE, Options, PIXELS, Random};

#[derive(Module, Debug)]
struct Network {
    hidden: Linear,
    activation: Relu,
    scores: Linear,
}

impl Network {
    fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        self.scores.forward(self.activation.forward(self.hidden.forward(images)))
    }
}

fn main() {
    let options = Options::parse();
    let (train, test) = common::mnist(&options.data);
    let plain = Device::flex();
    plain.seed(options.seed);
    let device = plain.clone().autodiff();
    let rows = |values: &[f32], device: &Device| {
        let shape = [values.len() / PIXELS, PIXELS];
        Tensor::<2>::from_data(TensorData::new(values.to_vec(), shape), device)
    };
    let images = rows(&train.images, &device);
    let labels: Vec<i32> = train.labels.iter().map(|&label| i32::from(label)).collect();
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [train.len()]), &device);

    let mut network = Some(Network {
        hidden: LinearConfig::new(PIXELS, HIDDEN).init(&device),
        activation: Relu::new(),
        scores: LinearConfig::new(HIDDEN, CLASSES).init(&device),
    });
    let loss: CrossEntropyLoss = CrossEntropyLossConfig::new().init(&device);
    let mut adam = AdamConfig::new().with_epsilon(1e-7).init();
    let mut order: Vec<u32> = (0..train.len() as u32).collect();
    let mut random = Random(options.seed);

    let epochs = common::time_epochs(options.epochs, || {
        random.shuffle(&mut order);
        let shuffled: Vec<i32> = order.iter().map(|&row| row as i32).collect();
        let shuffled = Tensor::<1, Int>::from_data(TensorData::new(shuffled, [order.len()]), &device);
        let images = images.clone().select(0, shuffled.clone());
        let labels = labels.clone().select(0, shuffled);
        // Moved through the step, so that the weights have one owner and can change in place.
        let mut current = network.take().unwrap();
        let mut sum = 0.0;
        for start in (0..order.len()).step_by(BATCH) {
            let x = images.clone().narrow(0, start, BATCH);
            let y = labels.clone().narrow(0, start, BATCH);
            let loss = loss.forward(current.forward(x), y);
            sum += loss.clone().into_scalar::<f32>();
            let grads = GradientsParams::from_grads(loss.backward(), &current);
            current = adam.step(LEARNING_RATE, current, grads);
        }
        assert!(sum.is_finite());
        network = Some(current);
    });

    let network = network.unwrap().valid();
    let scores = network.forward(rows(&test.images, &plain)).into_data();
    let predict_us = common::time_predict(|i| {
        let image = rows(test.image(i), &plain);
        std::hint::black_box(softmax(network.forward(image), 1).into_data());
    });
    let accuracy = common::accuracy(scores.as_slice::<f32>().unwrap(), &test.labels);
    common::report("0.22.1", &epochs, accuracy, predict_us);
}
