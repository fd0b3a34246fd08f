//! Training on several ranks, which are threads here.

use std::path::PathBuf;

use gradus_datasets::{Augment, Dataset, IndexedDataset};
use gradus_distributed::{Communicator, Reduction, threads};
use gradus_nn::losses::SparseCategoricalCrossentropy;
use gradus_nn::{
    Activation, BatchNormalization, Conv2D, Dense, Dropout, Flatten, GlobalAveragePooling2D, Graph, Model, Regularizer,
    Sequential,
};
use gradus_optim::{Adam, IntoOptimizer, Sgd};
use gradus_tensor::{Generator, Tensor};
use gradus_train::callbacks::{Checkpoint, EarlyStopping, on_batch_begin, on_batch_end};
use gradus_train::metrics::{Accuracy, Auc};
use gradus_train::{Fit, History, Ranks, Run, Trainer};

type Ranked = Box<dyn Communicator>;

/// Pictures of 8 by 8 and their classes, of which there are three.
fn pictures(count: usize) -> Dataset<f32, i64> {
    let mut generator = Generator::new(7);
    let labels = generator.integers([count], 0..3);
    let noise: Tensor = generator.normal([count, 8, 8, 1], 0.0, 1.0);
    let level = labels.to::<f32>().reshape([count, 1, 1, 1]);
    Dataset::new(noise + level, labels).unwrap()
}

fn dense() -> Graph {
    let hidden = Dense::new(17).activation(Activation::Relu).kernel_regularizer(Regularizer::L2(1e-3));
    Sequential::new().add(Flatten).add(hidden).add(Dense::new(3).activation(Activation::Softmax)).into()
}

/// With all that looks at a whole batch.
fn convnet() -> Graph {
    Sequential::new()
        .add(Conv2D::new(5, 3))
        .add(BatchNormalization::new())
        .add(gradus_nn::ReLU::new())
        .add(Dropout::new(0.25))
        .add(Conv2D::new(7, 3))
        .add(BatchNormalization::new())
        .add(GlobalAveragePooling2D::new())
        .add(Dense::new(3).activation(Activation::Softmax))
        .into()
}

fn fit() -> Fit {
    Fit { epochs: 2, batch_size: 32, validation_split: 0.2, verbose: false, ..Fit::default() }
}

/// The bits of all weights and states, and of all that was measured.
fn bits(model: &Model, history: &History) -> (Vec<u32>, Vec<u64>) {
    let params = model.params().iter().flat_map(|param| param.value.to_vec()).map(f32::to_bits);
    let logs = history.logs.iter().flat_map(|logs| logs.iter().map(|(_, value)| value.to_bits()).collect::<Vec<_>>());
    (params.collect(), logs.collect())
}

/// Trains on so many ranks; all must have the same.
fn train_on(ranks: usize, network: fn() -> Graph, data: &Dataset<f32, i64>) -> (Vec<u32>, Vec<u64>) {
    let mut all = threads::run(ranks, |communicator: Ranked| {
        let model = Model::build(network(), [8, 8, 1], 42).unwrap();
        let mut trainer = Trainer::new(model, SparseCategoricalCrossentropy::default(), Adam::default())
            .metric(Accuracy::default())
            .seed(3)
            .distributed(Ranks::new(communicator));
        let history = trainer.fit(data, fit()).unwrap();
        bits(trainer.model(), &history)
    });
    assert!(all.iter().all(|one| *one == all[0]), "{ranks} ranks differ from each other");
    all.swap_remove(0)
}

#[test]
fn weights_are_the_same_for_any_number_of_ranks() {
    // The last batch of an epoch has 8 samples, or 4, which are fewer than the shards.
    for (samples, network) in [(130, dense as fn() -> Graph), (130, convnet), (125, convnet)] {
        let data = pictures(samples);
        let expected = train_on(1, network, &data);
        for ranks in [2, 3, 4, 5, 8] {
            assert!(train_on(ranks, network, &data) == expected, "{ranks} ranks");
        }
    }
}

#[test]
fn augmented_pictures_are_the_same_for_any_number_of_ranks() {
    let data = pictures(100).augment(Augment::new().flip_horizontal().shift(0.2)).unwrap();
    let expected = train_on(1, convnet, &data);
    for ranks in [2, 3, 8] {
        assert!(train_on(ranks, convnet, &data) == expected, "{ranks} ranks");
    }
}

#[test]
fn data_that_are_read_by_index_give_the_same() {
    let train = |ranks: usize, workers: usize| {
        let data = pictures(90);
        let read = move |index: usize| {
            let (x, y) = (data.inputs().select(0, index as isize), data.targets().select(0, index as isize));
            Ok((x, y))
        };
        let data = IndexedDataset::from_fn(90, read).unwrap();
        let mut all = threads::run(ranks, |communicator: Ranked| {
            let model = Model::build(convnet(), [8, 8, 1], 42).unwrap();
            let mut trainer = Trainer::new(model, SparseCategoricalCrossentropy::default(), Adam::default())
                .metric(Accuracy::default())
                .distributed(Ranks::new(communicator));
            let history = trainer.fit(&data, Fit { prefetch: 3, workers, ..fit() }).unwrap();
            bits(trainer.model(), &history)
        });
        all.swap_remove(0)
    };
    let expected = train(1, 1);
    for ranks in [2, 3] {
        assert!(train(ranks, 2) == expected, "{ranks} ranks");
    }
}

/// The loss of a batch that is cut is that of the whole, up to rounding; so are the gradients, and the statistics of a batch
/// normalisation.
#[test]
fn a_cut_batch_is_trained_on_as_a_whole_one() {
    let data = pictures(64);
    let train = |distributed: bool, reduction: Reduction| {
        threads::run(if distributed { 2 } else { 1 }, |communicator: Ranked| {
            let network = Sequential::new()
                .add(Conv2D::new(5, 3).kernel_regularizer(Regularizer::L2(0.01)))
                .add(BatchNormalization::new())
                .add(GlobalAveragePooling2D::new())
                .add(Dense::new(3).activation(Activation::Softmax));
            let model = Model::build_as(network, [8, 8, 1], 42).unwrap();
            let rule = Sgd::default().learning_rate(0.1);
            let mut trainer: Trainer<_, _, f64> = Trainer::new(model, SparseCategoricalCrossentropy::default(), rule);
            if distributed {
                trainer = trainer.distributed(Ranks::new(communicator).reduction(reduction));
            }
            let weights = Some(vec![1.0, 2.0, 0.5]);
            let fit = Fit { epochs: 3, shuffle: false, class_weights: weights, verbose: false, ..Fit::default() };
            let history = trainer.fit(&data, fit).unwrap();
            let params: Vec<f64> = trainer.model().params().iter().flat_map(|param| param.value.to_vec()).collect();
            (params, history.get("loss"))
        })
        .swap_remove(0)
    };
    let (weights, losses) = train(false, Reduction::Exact);
    for reduction in [Reduction::Exact, Reduction::Fast] {
        let (found, of_cut) = train(true, reduction);
        let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9 * (1.0 + a.abs()));
        assert!(near(&weights, &found), "{reduction:?}: {weights:?}, {found:?}");
        assert!(near(&losses, &of_cut), "{reduction:?}: {losses:?}, {of_cut:?}");
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("gradus_distributed_{name}_{}", std::process::id()));
    _ = std::fs::remove_dir_all(&folder);
    folder
}

#[test]
fn a_run_goes_on_with_another_number_of_ranks() {
    let folder = folder("resume");
    let data = pictures(130);
    let expected = train_on(1, convnet, &data);
    let trainer = |communicator: Ranked| {
        let model = Model::build(convnet(), [8, 8, 1], 42).unwrap();
        Trainer::new(model, SparseCategoricalCrossentropy::default(), Adam::default())
            .metric(Accuracy::default())
            .seed(3)
            .distributed(Ranks::new(communicator))
    };
    threads::run(2, |communicator: Ranked| {
        let pause = on_batch_end(|run: &mut Run<'_>| {
            // One rank alone decides, as by its clock.
            if run.epoch == 1 && run.batch == 2 {
                run.pause("enough for today");
            }
            Ok(())
        });
        let is_last = communicator.rank() == 1;
        let mut trainer = trainer(communicator);
        let fit = fit().callback(Checkpoint::new(&folder));
        trainer.fit(&data, if is_last { fit.callback(pause) } else { fit }).unwrap();
        assert_eq!(trainer.state().epoch.as_ref().unwrap().batch, 2);
    });
    let found = threads::run(4, |communicator: Ranked| {
        let is_main = communicator.rank() == 0;
        let mut trainer = trainer(communicator);
        // The folder is on the machine of the first rank.
        if is_main {
            trainer.resume(&folder).unwrap().expect("there is a checkpoint");
        }
        let history = trainer.fit(&data, fit().callback(Checkpoint::new(&folder))).unwrap();
        bits(trainer.model(), &history)
    });
    assert!(found.iter().all(|one| *one == expected));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn all_ranks_stop_where_one_does() {
    let data = pictures(64);
    let stopped = threads::run(3, |communicator: Ranked| {
        let is_last = communicator.rank() == 2;
        let stop = on_batch_begin(move |run: &mut Run<'_>| {
            if is_last && run.batch == 1 {
                run.stop("the time is up");
            }
            Ok(())
        });
        let model = Model::build(dense(), [8, 8, 1], 42).unwrap();
        let mut trainer = Trainer::new(model, SparseCategoricalCrossentropy::default(), Sgd::default())
            .distributed(Ranks::new(communicator));
        let early = EarlyStopping::new("loss");
        let history =
            trainer.fit(&data, Fit { validation_split: 0.0, ..fit() }.callback(stop).callback(early)).unwrap();
        (history.stopped.unwrap(), trainer.optimizer().steps())
    });
    assert_eq!(stopped, vec![("the time is up".to_owned(), 1); 3]);
}

#[test]
fn evaluation_and_prediction_are_those_of_one_rank() {
    // Five batches, of which the last is smaller.
    let data = pictures(256 * 4 + 100);
    let binary = Dataset::new(data.inputs().clone(), data.targets().equal(1).to::<f32>().reshape([1124, 1])).unwrap();
    let evaluate = |ranks: usize| {
        let all = threads::run(ranks, |communicator: Ranked| {
            let network = Sequential::new().add(Flatten).add(Dense::new(1).activation(Activation::Sigmoid));
            let model = Model::build(network, [8, 8, 1], 42).unwrap();
            let loss = gradus_nn::losses::BinaryCrossentropy::default();
            let mut trainer =
                Trainer::new(model, loss, Sgd::default()).metric(Auc::default()).distributed(Ranks::new(communicator));
            let scores = trainer.evaluate(&binary).unwrap();
            let scores = scores.iter().map(|(name, value)| (name.to_owned(), value.to_bits())).collect::<Vec<_>>();
            let outputs = trainer.predict_batches(&binary, 100).unwrap().map(|outputs| outputs.unwrap().to_vec());
            (scores, outputs.collect::<Vec<_>>())
        });
        assert!(all.iter().all(|one| *one == all[0]));
        all[0].clone()
    };
    let expected = evaluate(1);
    assert_eq!((expected.0.len(), expected.1.len(), expected.1[11].len()), (2, 12, 24));
    for ranks in [2, 3, 7] {
        assert_eq!(evaluate(ranks), expected, "{ranks} ranks");
    }
}

/// The messages of all ranks, where rank 1 does something else.
fn messages(ranks: usize, at: impl Fn(Ranked) -> gradus_train::Result<History> + Sync) -> Vec<String> {
    let of = |communicator: Ranked| at(communicator).expect_err("the ranks do not fit each other").to_string();
    threads::run(ranks, of)
}

fn fit_dense(communicator: Ranked, units: usize, data: &Dataset<f32, i64>, fit: Fit) -> gradus_train::Result<History> {
    let network =
        Sequential::new().add(Flatten).add(Dense::new(units)).add(Dense::new(3).activation(Activation::Softmax));
    let model = Model::build(network, [8, 8, 1], 42)?;
    let loss = SparseCategoricalCrossentropy::default();
    Trainer::new(model, loss, Sgd::default()).distributed(Ranks::new(communicator)).fit(data, fit)
}

#[test]
fn ranks_that_do_not_fit_each_other_say_which_and_why() {
    // Of 64 and 66, a fifth is held out.
    let data = pictures(64);
    let other = pictures(66);
    let all = messages(3, |communicator: Ranked| {
        let data = if communicator.rank() == 1 { &other } else { &data };
        fit_dense(communicator, 4, data, fit())
    });
    let expected = "fit: rank 1 has another number of samples than rank 0: 52, not 51; start the same program with the same data \
                    on all ranks";
    assert_eq!(all, [expected; 3]);

    let shuffled = data.shuffle(1);
    let all = messages(3, |communicator: Ranked| {
        let data = if communicator.rank() == 2 { &shuffled } else { &data };
        fit_dense(communicator, 4, data, fit())
    });
    assert!(all.iter().all(|message| message.starts_with("fit: rank 2 has another data set than rank 0")), "{all:?}");

    let all = messages(2, |communicator: Ranked| {
        let units = 4 + communicator.rank();
        fit_dense(communicator, units, &data, fit())
    });
    let problem = "the model is another: network/1/config/units was 4, now 5";
    assert!(all.iter().all(|message| message.starts_with("rank 1: ") && message.contains(problem)), "{all:?}");

    let all = messages(2, |communicator: Ranked| {
        let batch_size = 32 << communicator.rank();
        fit_dense(communicator, 4, &data, Fit { batch_size, ..fit() })
    });
    assert!(all.iter().all(|message| message.starts_with("fit: rank 1 has another plan than rank 0")), "{all:?}");
}

#[test]
fn each_rank_needs_a_shard() {
    let data = pictures(64);
    let all = messages(3, |communicator: Ranked| {
        let model = Model::build(dense(), [8, 8, 1], 42)?;
        let ranks = Ranks::new(communicator).shards(2);
        Trainer::new(model, SparseCategoricalCrossentropy::default(), Sgd::default())
            .distributed(ranks)
            .fit(&data, fit())
    });
    let expected = "distributed: a batch is cut into 2 shards, and there are 3 ranks; give at least as many shards by \
                    Ranks::shards, or start fewer ranks";
    assert_eq!(all, [expected; 3]);
}

#[test]
fn an_error_of_one_rank_is_one_of_all() {
    let data = pictures(64);
    // A label that there is not, among the samples of the last rank. In the preview nobody sees it.
    let read = move |index: usize| {
        let label = if index == 31 { 9 } else { data.targets().get([index]) };
        Ok((data.inputs().select(0, index as isize), Tensor::scalar(label)))
    };
    let data = IndexedDataset::from_fn(64, read).unwrap();
    let all = threads::run(2, |communicator: Ranked| {
        let model = Model::build(dense(), [8, 8, 1], 42).unwrap();
        let mut trainer = Trainer::new(model, SparseCategoricalCrossentropy::default(), Sgd::default())
            .distributed(Ranks::new(communicator));
        let fit = Fit { shuffle: false, verbose: false, ..Fit::default() };
        trainer.fit(&data, fit).unwrap_err().to_string()
    });
    assert!(all.iter().all(|message| message.contains("sample 31") && message.contains('9')), "{all:?}");
    assert!(all[0].contains("rank 1"), "{all:?}");

    // A loss that is not finite is one at all ranks, and the rank with the sample says why.
    let nan = pictures(64);
    let inputs = Tensor::concat(&[nan.inputs().slice(0, ..63), Tensor::full([1, 8, 8, 1], f32::NAN)], 0);
    let nan = Dataset::new(inputs, nan.targets().clone()).unwrap();
    let all = messages(2, |communicator: Ranked| {
        fit_dense(communicator, 4, &nan, Fit { shuffle: false, verbose: false, ..Fit::default() })
    });
    let expected = "rank 1: fit: the loss became NaN in epoch 1, batch 2: sample 63 has NaN among its inputs; mend the sample or \
                    leave it out; the callback TerminateOnNaN ends the run without an error";
    assert_eq!(all, [expected; 2]);
}

#[test]
fn a_rank_that_panics_leaves_none_waiting() {
    let data = pictures(64);
    let all = std::panic::catch_unwind(|| {
        threads::run(3, |communicator: Ranked| {
            let is_second = communicator.rank() == 1;
            let panics = on_batch_end(move |run: &mut Run<'_>| {
                assert!(!(is_second && run.batch == 1), "the disk is on fire");
                Ok(())
            });
            fit_dense(communicator, 4, &data, fit().callback(panics)).map_err(|error| error.to_string())
        })
    });
    let panic = all.expect_err("the panic goes on");
    let message = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|&s| s.into()));
    assert_eq!(message.as_deref(), Some("the disk is on fire"));
}

#[test]
fn a_step_sends_each_gradient_once_to_each_half() {
    // 2 (p - 1) / p of the gradients' bytes, for two ranks as many bytes as they have.
    let data = pictures(32);
    let sent = |reduction: Reduction| {
        let all = threads::run(2, |communicator: Ranked| {
            let model = Model::build(dense(), [8, 8, 1], 42).unwrap();
            let mut trainer = Trainer::new(model, SparseCategoricalCrossentropy::default(), Sgd::default())
                .distributed(Ranks::new(communicator).reduction(reduction));
            let mut sent = |epochs| {
                let before = trainer.ranks().unwrap().traffic().bytes;
                trainer.fit(&data, Fit { epochs, verbose: false, ..Fit::default() }).unwrap();
                trainer.ranks().unwrap().traffic().bytes - before
            };
            let (one, two) = (sent(1), sent(2));
            (two - one, trainer.model().params().size_of(|_| true))
        });
        all[0]
    };
    for reduction in [Reduction::Exact, Reduction::Fast] {
        let (bytes, weights) = sent(reduction);
        let bytes = bytes as f64 / (4 * weights) as f64;
        // What the ranks agree on besides is little beside a network of this size, and less beside others.
        assert!((1.0..1.25).contains(&bytes), "{reduction:?}: {bytes}");
    }
}
