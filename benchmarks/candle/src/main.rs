//! candle: the set is put in a fresh order once an epoch, a batch is a narrow view of it.

#[path = "../../common.rs"]
mod common;

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::{AdamW, Module, Optimizer, ParamsAdamW, VarBuilder, VarMap, loss, ops};
use common::{BATCH, CLASSES, HIDDEN, LEARNING_RATE, Options, PIXELS, Random};

fn main() -> Result<()> {
    let options = Options::parse();
    let (train, test) = common::mnist(&options.data);
    let device = Device::Cpu;
    let images = Tensor::from_slice(&train.images, (train.len(), PIXELS), &device)?;
    let labels: Vec<u32> = train.labels.iter().map(|&label| u32::from(label)).collect();
    let labels = Tensor::from_vec(labels, train.len(), &device)?;

    let weights = VarMap::new();
    let builder = VarBuilder::from_varmap(&weights, DType::F32, &device);
    let network = candle_nn::seq()
        .add(candle_nn::linear(PIXELS, HIDDEN, builder.pp("hidden"))?)
        .add(candle_nn::Activation::Relu)
        .add(candle_nn::linear(HIDDEN, CLASSES, builder.pp("scores"))?);
    // AdamW without its decay is Adam.
    let config = ParamsAdamW { lr: LEARNING_RATE, weight_decay: 0.0, ..ParamsAdamW::default() };
    let mut adam = AdamW::new(weights.all_vars(), config)?;
    let mut order: Vec<u32> = (0..train.len() as u32).collect();
    let mut random = Random(options.seed);

    let mut epoch = || -> Result<()> {
        random.shuffle(&mut order);
        let rows = Tensor::from_slice(&order, order.len(), &device)?;
        let (images, labels) = (images.index_select(&rows, 0)?, labels.index_select(&rows, 0)?);
        let mut sum = 0.0;
        for start in (0..order.len()).step_by(BATCH) {
            let x = images.narrow(0, start, BATCH)?;
            let y = labels.narrow(0, start, BATCH)?;
            let loss = loss::cross_entropy(&network.forward(&x)?, &y)?;
            sum += loss.to_scalar::<f32>()?;
            adam.backward_step(&loss)?;
        }
        assert!(sum.is_finite());
        Ok(())
    };
    let epochs = common::time_epochs(options.epochs, || epoch().unwrap());

    let x = Tensor::from_slice(&test.images, (test.len(), PIXELS), &device)?;
    let scores = network.forward(&x)?.flatten_all()?.to_vec1::<f32>()?;
    let predict_us = common::time_predict(|i| {
        let x = Tensor::from_slice(test.image(i), (1, PIXELS), &device).unwrap();
        let scores = network.forward(&x).unwrap();
        let row = ops::softmax(&scores, D::Minus1).unwrap();
        std::hint::black_box(row.flatten_all().unwrap().to_vec1::<f32>().unwrap());
    });
    common::report("0.11.1", &epochs, common::accuracy(&scores, &test.labels), predict_us);
    Ok(())
}
