//! burn on a CPU backend, flex or ndarray: the set is put in a fresh order once an epoch, a batch is a view of it.

#[path = "../../common.rs"]
mod common;

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig, Relu};
use burn::optim::{AdamConfig, GradientsParams};
use burn::prelude::*;
use burn::tensor::activation::softmax;
use common::{CLASSES, HIDDEN, LEARNING_RATE, Options, PIXELS, Random};

#[derive(Module, Debug)]
enum Network {
    Dense(Dense),
    Convnet(Convnet),
}

impl Network {
    fn new(kind: common::Network, device: &Device) -> Self {
        match kind {
            common::Network::Dense => Self::Dense(Dense::new(device)),
            common::Network::Convnet => Self::Convnet(Convnet::new(device)),
        }
    }

    /// From images as rows to scores.
    fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Dense(network) => network.forward(images),
            Self::Convnet(network) => network.forward(images),
        }
    }
}

#[derive(Module, Debug)]
struct Dense {
    hidden: Linear,
    activation: Relu,
    scores: Linear,
}

impl Dense {
    fn new(device: &Device) -> Self {
        Self {
            hidden: LinearConfig::new(PIXELS, HIDDEN).init(device),
            activation: Relu::new(),
            scores: LinearConfig::new(HIDDEN, CLASSES).init(device),
        }
    }

    fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        self.scores.forward(self.activation.forward(self.hidden.forward(images)))
    }
}

#[derive(Module, Debug)]
struct Convnet {
    first: Conv2d,
    second: Conv2d,
    activation: Relu,
    pool: MaxPool2d,
    dropout: Dropout,
    scores: Linear,
}

impl Convnet {
    fn new(device: &Device) -> Self {
        Self {
            first: Conv2dConfig::new([1, 32], [3, 3]).init(device),
            second: Conv2dConfig::new([32, 64], [3, 3]).init(device),
            activation: Relu::new(),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            dropout: DropoutConfig::new(0.5).init(),
            scores: LinearConfig::new(5 * 5 * 64, CLASSES).init(device),
        }
    }

    fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        let count = images.dims()[0];
        let mut x = images.reshape([count, 1, 28, 28]);
        for conv in [&self.first, &self.second] {
            x = self.pool.forward(self.activation.forward(conv.forward(x)));
        }
        self.scores.forward(self.dropout.forward(x.flatten(1, 3)))
    }
}

fn main() {
    let options = Options::parse();
    let (train, test) = common::mnist(&options.data);
    let plain = match options.setting.as_str() {
        "" | "flex" => Device::flex(),
        #[allow(deprecated)] // burn says so, and still has it
        "ndarray" => Device::ndarray(),
        other => panic!("--setting wants flex or ndarray, not {other}"),
    };
    plain.seed(options.seed);
    let device = plain.clone().autodiff();
    let rows = |values: Vec<f32>, device: &Device| {
        let shape = [values.len() / PIXELS, PIXELS];
        Tensor::<2>::from_data(TensorData::new(values, shape), device)
    };
    let total = train.len();
    let labels: Vec<i32> = train.labels.iter().map(|&label| i32::from(label)).collect();
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [total]), &device);
    let images = rows(train.images, &device);

    let mut network = Some(Network::new(options.network, &device));
    let loss: CrossEntropyLoss = CrossEntropyLossConfig::new().init(&device);
    let mut adam = AdamConfig::new().with_epsilon(1e-7).init();
    let mut order: Vec<u32> = (0..total as u32).collect();
    let mut random = Random(options.seed);

    let training = common::time_epochs(&options, total, |rows| {
        random.shuffle(&mut order);
        let shuffled: Vec<i32> = order[..rows].iter().map(|&row| row as i32).collect();
        let shuffled = Tensor::<1, Int>::from_data(TensorData::new(shuffled, [rows]), &device);
        let images = images.clone().select(0, shuffled.clone());
        let labels = labels.clone().select(0, shuffled);
        // Moved through the step, so that the weights have one owner and can change in place.
        let mut current = network.take().unwrap();
        let mut sum = 0.0;
        let batch = options.network.batch();
        for start in (0..rows).step_by(batch) {
            let count = batch.min(rows - start);
            let x = images.clone().narrow(0, start, count);
            let y = labels.clone().narrow(0, start, count);
            let loss = loss.forward(current.forward(x), y);
            sum += loss.clone().into_scalar::<f32>();
            let grads = GradientsParams::from_grads(loss.backward(), &current);
            current = adam.step(LEARNING_RATE, current, grads);
        }
        assert!(sum.is_finite());
        network = Some(current);
    });

    let network = network.unwrap().valid();
    let accuracy = common::accuracy(&test.images, &test.labels, |images| {
        network.forward(rows(images.to_vec(), &plain)).into_data().to_vec::<f32>().unwrap()
    });
    let predict_us = common::time_predict(|i| {
        let image = rows(test.image(i).to_vec(), &plain);
        std::hint::black_box(softmax(network.forward(image), 1).into_data());
    });
    common::report("0.22.1", &training, accuracy, predict_us);
}
