//! Training of gradus on ranks that are processes, joined by MPI: `mpirun -n 2 peer-gradus-ranks --network convnet`.
//!
//! | option | meaning | default |
//! |---|---|---|
//! | `--network NAME` | `convnet` on MNIST, or `wide`: three Dense(2048) on random numbers | `convnet` |
//! | `--reduction NAME` | `exact`, `fast`, or `none`: one process without ranks | `exact` |
//! | `--shards N` | shards of a batch | 8 |
//! | `--bucket-mib N` | how much is exchanged at once | 4 |
//! | `--batch N` | samples of a batch, over all ranks | 128 |
//! | `--steps N` | steps of an epoch | 50 |
//! | `--epochs N` | timed epochs, after one that is not | 2 |
//! | `--data FOLDER` | where MNIST is | `datasets/data/mnist` |
//!
//! Rank 0 prints a line of JSON.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use gradus::distributed::{Reduction, mpi};
use gradus::prelude::*;

const CLASSES: usize = 10;
const WIDTH: usize = 2048;

struct Options {
    network: String,
    /// `None` without ranks.
    reduction: Option<Reduction>,
    shards: usize,
    bucket_mib: usize,
    batch: usize,
    steps: usize,
    epochs: usize,
    data: String,
}

impl Options {
    fn parse() -> Result<Self> {
        let (network, data) = ("convnet".to_owned(), "datasets/data/mnist".to_owned());
        let reduction = Some(Reduction::Exact);
        let mut options =
            Options { network, reduction, shards: 8, bucket_mib: 4, batch: 128, steps: 50, epochs: 2, data };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} wants a value"))?;
            match &*name {
                "--network" => options.network = value,
                "--reduction" => {
                    options.reduction = match &*value {
                        "exact" => Some(Reduction::Exact),
                        "fast" => Some(Reduction::Fast),
                        "none" => None,
                        _ => Err(format!("--reduction wants exact, fast or none, not {value}"))?,
                    }
                }
                "--shards" => options.shards = value.parse()?,
                "--bucket-mib" => options.bucket_mib = value.parse()?,
                "--batch" => options.batch = value.parse()?,
                "--steps" => options.steps = value.parse()?,
                "--epochs" => options.epochs = value.parse()?,
                "--data" => options.data = value,
                _ => Err(format!("{name} is not an option"))?,
            }
        }
        Ok(options)
    }
}

fn main() -> Result<()> {
    let options = Options::parse()?;
    let ranks = options.reduction.map(|reduction| -> Result<Ranks> {
        let ranks = Ranks::new(mpi::world()?).shards(options.shards).reduction(reduction);
        Ok(ranks.bucket_bytes(options.bucket_mib << 20))
    });
    let (network, data) = match &*options.network {
        "convnet" => convnet(&options)?,
        "wide" => wide(&options)?,
        other => Err(format!("no network is named {other}"))?,
    };
    train(network, &data, ranks.transpose()?, &options)
}

fn convnet(options: &Options) -> Result<(Sequential, Dataset)> {
    let pictures = |x: Tensor<u8>| {
        let rows = x.shape()[0];
        (x.to::<f32>() / 255.0).reshape([rows, 28, 28, 1])
    };
    let mnist = mnist::load_from(&options.data)?.map_inputs(pictures);
    let data = mnist.map_targets(|y| y.one_hot::<f32>(CLASSES)).train;
    let network = Sequential::new()
        .add(Conv2D::new(32, [3, 3]).activation(Activation::Relu))
        .add(MaxPooling2D::new([2, 2]))
        .add(Conv2D::new(64, [3, 3]).activation(Activation::Relu))
        .add(MaxPooling2D::new([2, 2]))
        .add(Flatten)
        .add(Dropout::new(0.5))
        .add(Dense::new(CLASSES).activation(Activation::Softmax));
    Ok((network, data.take(options.steps * options.batch)))
}

fn wide(options: &Options) -> Result<(Sequential, Dataset)> {
    let rows = options.steps * options.batch;
    let mut generator = Generator::new(7);
    let labels = generator.integers([rows], 0..CLASSES as i64).one_hot::<f32>(CLASSES);
    let hidden = || Dense::new(WIDTH).activation(Activation::Relu);
    let network = Sequential::new()
        .add(hidden())
        .add(hidden())
        .add(hidden())
        .add(Dense::new(CLASSES).activation(Activation::Softmax));
    Ok((network, Dataset::new(generator.normal([rows, WIDTH], 0.0, 1.0), labels)?))
}

fn train(network: Sequential, data: &Dataset, ranks: Option<Ranks>, options: &Options) -> Result<()> {
    let shape = data.inputs().shape()[1..].to_vec();
    let model = Model::build(network, &shape[..], 42)?;
    let adam = Optimizer::from(Adam::default()).learning_rate(1e-3);
    let mut trainer = Trainer::new(model, CategoricalCrossentropy::default(), adam).distributed(ranks);
    let traffic = |trainer: &Trainer<_, _>| trainer.ranks().map(Ranks::traffic).unwrap_or_default();

    let fit = |epochs| Fit { epochs, batch_size: options.batch, verbose: false, ..Fit::default() };
    trainer.fit(data, fit(1))?;
    let before = traffic(&trainer);
    let ends = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&ends);
    let timed = fit(options.epochs).callback(on_batch_end(move |_: &mut Run<'_>| {
        note.lock().unwrap().push(Instant::now());
        Ok(())
    }));
    let cpu = cpu_seconds();
    trainer.fit(data, timed)?;
    let cpu = cpu_seconds() - cpu;
    let after = traffic(&trainer);

    let ends = ends.lock().unwrap();
    let mut steps: Vec<f64> = ends.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1e3).collect();
    let mean = steps.iter().sum::<f64>() / steps.len() as f64;
    steps.sort_by(f64::total_cmp);

    let count = (options.epochs * options.steps) as f64;
    let weights: usize = trainer.model().params().iter().map(|param| param.value.size()).sum();
    let own = Measured {
        sent: (after.bytes - before.bytes) as f64 / count,
        exchanged: (after.seconds - before.seconds) / count * 1e3,
        waited: (after.waited - before.waited) / count * 1e3,
        cpu: cpu / count * 1e3,
        hash: hash(trainer.model()),
    };
    let all = match trainer.ranks() {
        Some(ranks) => ranks.communicator().all_gather(&own.to_bytes())?,
        None => vec![own.to_bytes()],
    };
    let all: Vec<Measured> = all.iter().map(|bytes| Measured::from_bytes(bytes)).collect();
    if trainer.ranks().is_none_or(|ranks| ranks.rank() == 0) {
        // The first rank also sends all weights at the beginning of a run.
        let Measured { sent, exchanged, waited, hash, .. } = all[all.len() - 1];
        let cpu: f64 = all.iter().map(|rank| rank.cpu).sum();
        let (median, quick) = (steps[steps.len() / 2], steps[steps.len() / 10]);
        println!(
            "{{\"ranks\": {}, \"step_ms\": {median:.4}, \"mean_step_ms\": {mean:.4}, \"quick_step_ms\": {quick:.4}, \
             \"cpu_ms\": {cpu:.4}, \"sent_bytes\": {sent:.0}, \"gradient_bytes\": {}, \"exchanged_ms\": {exchanged:.4}, \
             \"waited_ms\": {waited:.4}, \"hash\": \"{hash:016x}\", \"same_weights\": {}}}",
            all.len(),
            weights * size_of::<f32>(),
            all.iter().all(|rank| rank.hash == hash)
        );
    }
    Ok(())
}

/// What a rank has measured, for a step.
struct Measured {
    sent: f64,
    /// In milliseconds, as all times here.
    exchanged: f64,
    waited: f64,
    cpu: f64,
    /// Of the weights.
    hash: u64,
}

impl Measured {
    fn to_bytes(&self) -> Vec<u8> {
        let Measured { sent, exchanged, waited, cpu, hash } = *self;
        let words = [sent.to_bits(), exchanged.to_bits(), waited.to_bits(), cpu.to_bits(), hash];
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let word = |place: usize| u64::from_le_bytes(bytes[place * 8..][..8].try_into().expect("a word has 8 bytes"));
        let number = |place| f64::from_bits(word(place));
        Measured { sent: number(0), exchanged: number(1), waited: number(2), cpu: number(3), hash: word(4) }
    }
}

/// The seconds that all threads of this process have computed so far; 0 where the system does not say.
fn cpu_seconds() -> f64 {
    // Behind the name, which ends in the last parenthesis; 100 ticks are a second.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default();
    fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The hash FNV-1a of all weights.
fn hash(model: &Model) -> u64 {
    let weights = model.params().iter().flat_map(|param| param.value.to_vec());
    let bytes = weights.flat_map(|weight| weight.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
