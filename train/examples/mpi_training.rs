//! Training on ranks that are processes, for `.ci/mpi`: `mpirun -n 4 mpi_training weights convnet`.
//!
//! | arguments | what |
//! |---|---|
//! | `weights NETWORK` | trains `dense`, `convnet` or `augmented`; prints a hash of weights and measurements |
//! | `pause FOLDER` | as `weights convnet`, which rank 1 pauses in the second epoch |
//! | `resume FOLDER` | goes on from there |
//! | `killed FOLDER` | rank 1 is killed in the second epoch |
//! | `panics`, `other-data`, `other-model`, `bad-sample` | rank 1 fails |

use gradus_datasets::{Augment, DataSource, Dataset, IndexedDataset};
use gradus_nn::losses::SparseCategoricalCrossentropy;
use gradus_nn::{
    Activation, BatchNormalization, Conv2D, Dense, Dropout, Flatten, GlobalAveragePooling2D, Graph, Model, ReLU,
    Sequential,
};
use gradus_optim::Adam;
use gradus_tensor::{Generator, Tensor};
use gradus_train::callbacks::{Checkpoint, on_batch_end};
use gradus_train::metrics::Accuracy;
use gradus_train::{Error, Fit, History, Ranks, Result, Run, Trainer};

const USAGE: &str = "say what to do: the first lines of mpi_training.rs list it";

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(action), argument) = (arguments.next(), arguments.next()) else {
        return Err(Error::new("mpi_training", "there are no arguments", USAGE));
    };
    let ranks = Ranks::new(gradus_distributed::mpi::world()?);
    let rank = ranks.rank();
    let is_other = rank == 1;
    let folder = argument.clone().unwrap_or_default();
    let checkpoint = || Checkpoint::new(&folder).every_steps(3);
    let mut data: Box<dyn DataSource> = Box::new(pictures(130));
    let mut network = convnet(3);
    let mut fit = Fit { epochs: 2, validation_split: 0.2, verbose: false, ..Fit::default() };
    match (&*action, argument.as_deref()) {
        ("weights", Some("convnet")) => {}
        ("weights", Some("dense")) => network = dense(),
        ("weights", Some("augmented")) => data = Box::new(pictures(130).augment(Augment::new().shift(0.2))?),
        ("pause", Some(_)) => {
            fit = fit.callback(checkpoint()).callback(at_once(is_other, |run| run.pause("the night")))
        }
        ("resume", Some(_)) => fit = fit.callback(checkpoint()),
        ("killed", Some(_)) => fit = fit.callback(checkpoint()).callback(at_once(is_other, |_| kill())),
        ("panics", None) => fit = fit.callback(at_once(is_other, |_| panic!("the disk is on fire"))),
        ("other-data", None) => data = Box::new(pictures(130 + 10 * rank)),
        ("other-model", None) => network = convnet(3 + rank),
        ("bad-sample", None) => {
            let pictures = pictures(64);
            let read = move |index: usize| match index {
                31 => Err(gradus_datasets::DatasetError::new("a torn picture", "a whole one", "mend it")),
                _ => Ok((pictures.inputs().select(0, index as isize), pictures.targets().select(0, index as isize))),
            };
            data = Box::new(IndexedDataset::from_fn(64, read)?);
            (fit.shuffle, fit.validation_split) = (false, 0.0);
        }
        _ => return Err(Error::new("mpi_training", format!("{action:?} is none of its actions"), USAGE)),
    }
    let model = Model::build(network, [8, 8, 1], 42)?;
    let mut trainer = Trainer::new(model, SparseCategoricalCrossentropy::default(), Adam::default())
        .metric(Accuracy::default())
        .distributed(ranks);
    // The checkpoints may be on the machine of the first rank alone.
    if action == "resume" && rank == 0 {
        let resumed = trainer.resume(&folder)?;
        println!("{}", resumed.map_or("no checkpoint".to_owned(), |resumed| format!("{} steps", resumed.step)));
    }
    let history = trainer.fit(&*data, fit)?;
    // Every rank has the same, or the lines differ.
    println!("Weights: {:016x}", hash(trainer.model(), &history));
    Ok(())
}

/// Pictures of 8 by 8 and their classes, of which there are three.
fn pictures(count: usize) -> Dataset<f32, i64> {
    let mut generator = Generator::new(7);
    let labels = generator.integers([count], 0..3);
    let noise: Tensor = generator.normal([count, 8, 8, 1], 0.0, 1.0);
    let level = labels.to::<f32>().reshape([count, 1, 1, 1]);
    Dataset::new(noise + level, labels).expect("there are as many labels as pictures")
}

fn dense() -> Graph {
    let hidden = Dense::new(17).activation(Activation::Relu);
    Sequential::new().add(Flatten).add(hidden).add(Dense::new(3).activation(Activation::Softmax)).into()
}

/// With all that looks at a whole batch.
fn convnet(kernel: usize) -> Graph {
    Sequential::new()
        .add(Conv2D::new(5, kernel))
        .add(BatchNormalization::new())
        .add(ReLU::new())
        .add(Dropout::new(0.25))
        .add(Conv2D::new(7, 3))
        .add(BatchNormalization::new())
        .add(GlobalAveragePooling2D::new())
        .add(Dense::new(3).activation(Activation::Softmax))
        .into()
}

/// Something that happens once, in the second epoch, at one rank.
fn at_once(here: bool, mut event: impl FnMut(&mut Run<'_>) + Send + 'static) -> impl gradus_train::Callback {
    on_batch_end(move |run: &mut Run<'_>| {
        if here && run.epoch == 1 && run.batch == 2 {
            event(run);
        }
        Ok(())
    })
}

/// Ends this process as `kill -9` does.
fn kill() {
    let id = std::process::id().to_string();
    let killed = std::process::Command::new("kill").args(["-9", &id]).status();
    panic!("kill -9 {id} has not ended this process: {killed:?}");
}

/// The hash FNV-1a of all weights, states and measurements.
fn hash(model: &Model, history: &History) -> u64 {
    let weights =
        model.params().iter().flat_map(|param| param.value.to_vec()).map(|weight| u64::from(weight.to_bits()));
    let measured =
        history.logs.iter().flat_map(|logs| logs.iter().map(|(_, value)| value.to_bits()).collect::<Vec<_>>());
    let words = weights.chain(measured);
    words
        .flat_map(u64::to_le_bytes)
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
