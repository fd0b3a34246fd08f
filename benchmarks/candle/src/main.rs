//! candle: the set is put in a fresh order once an epoch, a batch is a narrow view of it.

#[path = "../../common.rs"]
mod common;

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::{
    AdamW, Conv2d, Dropout, Linear, Module, ModuleT, Optimizer, ParamsAdamW, VarBuilder, VarMap, loss, ops,
};
use common::{CLASSES, HIDDEN, LEARNING_RATE, Network, Options, PIXELS, Random};

/// From images as rows to scores.
struct Dense {
    hidden: Linear,
    scores: Linear,
}

impl Dense {
    fn new(weights: VarBuilder) -> Result<Self> {
        Ok(Self {
            hidden: candle_nn::linear(PIXELS, HIDDEN, weights.pp("hidden"))?,
            scores: candle_nn::linear(HIDDEN, CLASSES, weights.pp("scores"))?,
        })
    }
}

impl ModuleT for Dense {
    fn forward_t(&self, images: &Tensor, _train: bool) -> Result<Tensor> {
        self.scores.forward(&self.hidden.forward(images)?.relu()?)
    }
}

/// From images as rows to scores.
struct Convnet {
    first: Conv2d,
    second: Conv2d,
    dropout: Dropout,
    scores: Linear,
}

impl Convnet {
    fn new(weights: VarBuilder) -> Result<Self> {
        Ok(Self {
            first: candle_nn::conv2d(1, 32, 3, Default::default(), weights.pp("first"))?,
            second: candle_nn::conv2d(32, 64, 3, Default::default(), weights.pp("second"))?,
            dropout: Dropout::new(0.5),
            scores: candle_nn::linear(5 * 5 * 64, CLASSES, weights.pp("scores"))?,
        })
    }
}

impl ModuleT for Convnet {
    fn forward_t(&self, images: &Tensor, train: bool) -> Result<Tensor> {
        let x = images.reshape(((), 1, 28, 28))?;
        let x = self.first.forward(&x)?.relu()?.max_pool2d(2)?;
        // The last row and column, which the pooling leaves out, are cut off before it: its derivative takes for granted
        // that the size is a multiple of the window's.
        let x = self.second.forward(&x)?.narrow(2, 0, 10)?.narrow(3, 0, 10)?.relu()?.max_pool2d(2)?;
        self.scores.forward(&self.dropout.forward(&x.flatten_from(1)?, train)?)
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    let (train, test) = common::mnist(&options.data);
    let device = Device::Cpu;
    let total = train.len();
    let labels: Vec<u32> = train.labels.iter().map(|&label| u32::from(label)).collect();
    let labels = Tensor::from_vec(labels, total, &device)?;
    let images = Tensor::from_vec(train.images, (total, PIXELS), &device)?;

    let weights = VarMap::new();
    let builder = VarBuilder::from_varmap(&weights, DType::F32, &device);
    let network: Box<dyn ModuleT> = match options.network {
        Network::Dense => Box::new(Dense::new(builder)?),
        Network::Convnet => Box::new(Convnet::new(builder)?),
    };
    // AdamW without its decay is Adam.
    let config = ParamsAdamW { lr: LEARNING_RATE, weight_decay: 0.0, ..ParamsAdamW::default() };
    let mut adam = AdamW::new(weights.all_vars(), config)?;
    let mut order: Vec<u32> = (0..total as u32).collect();
    let mut random = Random(options.seed);

    let mut epoch = |rows: usize| -> Result<()> {
        random.shuffle(&mut order);
        let shuffled = Tensor::from_slice(&order[..rows], rows, &device)?;
        let (images, labels) = (images.index_select(&shuffled, 0)?, labels.index_select(&shuffled, 0)?);
        let mut sum = 0.0;
        let batch = options.network.batch();
        for start in (0..rows).step_by(batch) {
            let count = batch.min(rows - start);
            let x = images.narrow(0, start, count)?;
            let y = labels.narrow(0, start, count)?;
            let loss = loss::cross_entropy(&network.forward_t(&x, true)?, &y)?;
            sum += loss.to_scalar::<f32>()?;
            adam.backward_step(&loss)?;
        }
        assert!(sum.is_finite());
        Ok(())
    };
    let training = common::time_epochs(&options, total, |rows| epoch(rows).unwrap());

    let scores = |images: &[f32]| {
        let x = Tensor::from_slice(images, (images.len() / PIXELS, PIXELS), &device).unwrap();
        network.forward_t(&x, false).unwrap()
    };
    let numbers = |x: Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let accuracy = common::accuracy(&test.images, &test.labels, |images| numbers(scores(images)));
    let predict_us = common::time_predict(|i| {
        std::hint::black_box(numbers(ops::softmax(&scores(test.image(i)), D::Minus1).unwrap()));
    });
    common::report("0.11.1", &training, accuracy, predict_us);
    Ok(())
}
