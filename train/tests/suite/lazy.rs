//! Training on data that are read while they are used: by index, and as streams.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use gradus_autograd::Params;
use gradus_datasets::{
    DataSource, Dataset, DatasetError, IndexedDataset, Result as DataResult, StreamDataset, balanced_class_weights,
};
use gradus_nn::losses::SparseCategoricalCrossentropy;
use gradus_nn::{Activation, Dense, Model, Sequential};
use gradus_optim::{Sgd, State};
use gradus_tensor::{Generator, Tensor};
use gradus_train::callbacks::*;
use gradus_train::metrics::SparseCategoricalAccuracy;
use gradus_train::state::Status;
use gradus_train::{Error, Fit, Trainer, TrainingState};
use serde::{Deserialize, Serialize};

use crate::common::{fit, line, trainer, values, weights};
use crate::pictures::{
    BATCHES, Outcome, Pictures, outcome, picture_model, picture_optimizer, picture_trainer, pictures, temporary,
    trainer_of,
};

/// The pictures to train on, the last batch of which is smaller; and those to validate on.
fn parts() -> (Dataset, Dataset) {
    pictures().split_at(10)
}

/// Sample i as files have it: a picture, and a label.
fn sample(i: usize) -> DataResult<(Tensor, Tensor)> {
    let pictures = parts().0;
    Ok((pictures.inputs().select(0, i as isize), pictures.targets().select(0, i as isize)))
}

fn by_index() -> IndexedDataset {
    IndexedDataset::from_fn(10, sample).unwrap().augment(pictures().augmentation().unwrap().clone()).unwrap()
}

fn stream(buffer: usize) -> StreamDataset {
    let stream = StreamDataset::new(|| Ok((0..10).map(sample))).shuffle_buffer(buffer);
    stream.augment(pictures().augmentation().unwrap().clone()).unwrap()
}

/// Makes data anew, as in another program.
type Made = fn() -> Box<dyn DataSource>;

/// Every kind of data.
const KINDS: [(&str, Made); 5] = [
    ("memory", || Box::new(parts().0)),
    ("index", || Box::new(by_index())),
    ("bucketed", || Box::new(by_index().bucketed((0..10).map(|i| i * 7 % 5)).unwrap())),
    ("stream", || Box::new(stream(4))),
    ("whole-stream", || Box::new(stream(100))),
];

/// Settings with every callback that remembers.
fn callbacks(log: &str, prefetch: usize) -> Fit {
    Fit { validation_split: 0.0, epochs: 3, workers: 2, ..crate::pictures::callbacks(&temporary(log), prefetch) }
}

#[derive(Serialize, Deserialize)]
struct Written {
    params: Params,
    optimizer: State,
    training: TrainingState,
}

/// The trainer in another program: all goes through JSON.
fn in_another_program(trainer: &Pictures) -> Pictures {
    let (params, optimizer) = (trainer.model().params().clone(), trainer.optimizer().state());
    let written = Written { params, optimizer, training: trainer.state().clone() };
    let json = serde_json::to_string(&written).unwrap();
    assert!(!json.contains("Listed"), "orders are written as seeds: {json}");
    let written: Written = serde_json::from_str(&json).unwrap();
    let (mut model, mut optimizer) = (picture_model(), picture_optimizer());
    model.params_mut().assign(&written.params).unwrap();
    optimizer.restore(model.params(), written.optimizer).unwrap();
    let mut trainer = trainer_of(model, optimizer);
    trainer.restore(written.training);
    trainer
}

fn in_one(data: &dyn DataSource, log: &str, prefetch: usize) -> Outcome {
    let mut trainer = picture_trainer();
    let history = trainer.fit_validated(data, &parts().1, callbacks(log, prefetch)).unwrap();
    outcome(&trainer, history, &temporary(log))
}

/// Pauses behind the hook of this number in the run: the beginning of each epoch, its batches, its end.
fn pause_at(place: usize) -> [Box<dyn Callback>; 3] {
    let hooks = Arc::new(Mutex::new(0));
    let pause = move |run: &mut Run<'_>| {
        let mut hooks = hooks.lock().unwrap();
        if *hooks == place {
            run.pause(place.to_string());
        }
        *hooks += 1;
        Ok(())
    };
    [Box::new(on_epoch_begin(pause.clone())), Box::new(on_batch_end(pause.clone())), Box::new(on_epoch_end(pause))]
}

#[test]
fn a_run_goes_on_from_any_place_on_any_threads() {
    let in_pool = |threads: usize, run: &mut (dyn FnMut() + Send)| {
        rayon_core::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run)
    };
    let mut of_memory = None;
    for (name, data) in KINDS {
        let (one, paused) = (format!("lazy-{name}.csv"), format!("lazy-{name}-paused.csv"));
        let expected = in_one(&*data(), &one, 0);
        assert_eq!(expected.2.epochs, [0, 1, 2]);
        // By index, data have the same batches as in memory.
        let memory = of_memory.get_or_insert_with(|| expected.clone());
        assert_eq!(name == "memory" || name == "index", *memory == expected, "{name}");
        for threads in [1, 2] {
            in_pool(threads, &mut || assert!(in_one(&*data(), &one, 2) == expected, "{name}, {threads} threads"));
        }
        for place in 0..3 * (BATCHES + 2) {
            let mut first = picture_trainer();
            let mut fit = callbacks(&paused, place % 3);
            fit.callbacks.extend(pause_at(place));
            first.fit_validated(&*data(), &parts().1, fit).unwrap();
            assert_eq!(first.state().status, Status::Paused(place.to_string()), "{name}");
            let mut second = in_another_program(&first);
            let mut go_on = || {
                let fit = callbacks(&paused, (place + 1) % 3);
                let history = second.fit_validated(&*data(), &parts().1, fit).unwrap();
                let found = outcome(&second, history, &temporary(&paused));
                assert!(found == expected, "{name}, paused at {place}");
            };
            in_pool(1 + place % 2, &mut go_on);
        }
    }
}

#[test]
fn a_run_goes_on_only_with_the_data_that_it_had() {
    let paused = |data: &dyn DataSource, place: usize| {
        let mut trainer = picture_trainer();
        let mut fit = callbacks("lazy-refused.csv", 0);
        fit.callbacks.extend(pause_at(place));
        trainer.fit_validated(data, &parts().1, fit).unwrap();
        in_another_program(&trainer)
    };
    let refusal = |mut trainer: Pictures, data: &dyn DataSource| {
        let before = trainer.state().clone();
        let fit = callbacks("lazy-refused.csv", 0);
        let error = trainer.fit_validated(data, &parts().1, fit).unwrap_err().to_string();
        (error, *trainer.state() == before)
    };
    let hint = "give the data and the batch_size of the run that was paused";
    let second_epoch = BATCHES + 3;
    assert_eq!(
        refusal(paused(&by_index(), 1), &by_index().take(9)).0,
        format!(
            "fit: the run that goes on has used 4 of 10 samples in 1 batches, found 9 samples in batches of 4; {hint}"
        )
    );
    assert_eq!(
        refusal(paused(&stream(4), 1), &stream(5)),
        (
            format!(
                "fit: the run that goes on has shuffled its stream through a buffer of 4 samples, found one of 5; {hint}"
            ),
            true
        )
    );
    assert_eq!(
        refusal(paused(&stream(4), second_epoch), &by_index()).0,
        format!("fit: the run that goes on has data that are a stream, found samples with indices; {hint}")
    );
    assert_eq!(
        refusal(paused(&by_index(), second_epoch), &stream(4)).0,
        format!("fit: the run that goes on has data that are samples with indices, found a stream; {hint}")
    );
    // The length of a stream is known in the second epoch; a stream that is shorter is found at its end.
    let (error, _) = refusal(paused(&stream(4), second_epoch), &stream(4).take(9));
    assert!(
        error.starts_with("found the end of the stream after 9 samples, expected the 10 samples of an earlier pass")
    );
    let known = stream(4).take(9);
    trainer_of_pictures_evaluates(&known);
    assert_eq!(
        refusal(paused(&stream(4), second_epoch), &known).0,
        format!(
            "fit: the run that goes on has used 4 of 10 samples in 1 batches, found 9 samples in batches of 4; {hint}"
        )
    );
    let mut other_batches = paused(&stream(4), 2);
    let fit = Fit { batch_size: 3, ..callbacks("lazy-refused.csv", 0) };
    assert_eq!(
        other_batches.fit_validated(&stream(4), &parts().1, fit).unwrap_err().to_string(),
        format!(
            "fit: the run that goes on has used 8 of an unknown number of samples in 2 batches, found an unknown number of \
             samples in batches of 3; {hint}"
        )
    );
    // A validation split of a stream is refused before anything is read.
    let split = Fit { validation_split: 0.1, ..callbacks("lazy-refused.csv", 0) };
    let error = picture_trainer().fit(&stream(4), split).unwrap_err().to_string();
    assert!(error.starts_with("found a validation split of 0.1 of a stream"), "{error}");
}

fn trainer_of_pictures_evaluates(data: &dyn DataSource) {
    picture_trainer().evaluate(data).unwrap();
}

#[test]
fn data_that_cannot_be_read_end_the_run_and_it_goes_on_once_they_can() {
    let gone = || DatasetError::new("no such file", "a picture", "check the file").in_file("cat/7.png");
    let is_gone = Arc::new(AtomicBool::new(false));
    let reading = |is_gone: Arc<AtomicBool>| {
        move |i: usize| if i == 7 && is_gone.load(Ordering::SeqCst) { Err(gone()) } else { sample(i) }
    };
    let read = reading(Arc::clone(&is_gone));
    let by_index = IndexedDataset::from_fn(10, read.clone()).unwrap();
    let stream = StreamDataset::new(move || Ok((0..10).map(read.clone()))).shuffle_buffer(4);
    let data: [Box<dyn DataSource>; 2] = [Box::new(by_index), Box::new(stream)];
    for data in data {
        for prefetch in [0, 3] {
            is_gone.store(false, Ordering::SeqCst);
            let expected = in_one(&*data, "lazy-gone.csv", 0);
            let mut trainer = picture_trainer();
            let flag = Arc::clone(&is_gone);
            let vanish = on_epoch_end(move |run: &mut Run<'_>| {
                flag.store(run.epoch == 0, Ordering::SeqCst);
                Ok(())
            });
            let fit = callbacks("lazy-gone.csv", prefetch).callback(vanish);
            let error = trainer.fit_validated(&*data, &parts().1, fit).unwrap_err().to_string();
            assert_eq!(error, gone().to_string());
            assert_eq!(trainer.state().status, Status::Failed(error));
            is_gone.store(false, Ordering::SeqCst);
            let failed = trainer.state().clone();
            trainer.restore(failed);
            let history = trainer.fit_validated(&*data, &parts().1, callbacks("lazy-gone.csv", prefetch)).unwrap();
            assert!(outcome(&trainer, history, &temporary("lazy-gone.csv")) == expected);
        }
    }
}

#[test]
fn the_number_of_batches_is_known_once_the_end_was_reached() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = |pause: bool| {
        let see = Arc::clone(&seen);
        on_batch_end(move |run: &mut Run<'_>| {
            see.lock().unwrap().push(run.batches);
            if pause {
                run.pause("to go on");
            }
            Ok(())
        })
    };
    let stream = |buffer| {
        let points = line();
        let open = move || {
            let points = points.clone();
            Ok((0..8).map(move |i| Ok((points.inputs().select(0, i), points.targets().select(0, i)))))
        };
        StreamDataset::new(open).shuffle_buffer(buffer)
    };
    // A buffer of 9 holds all of them, so that the end is reached before the first batch.
    for buffer in [1, 9] {
        // A bar of unknown length is drawn, too.
        trainer().fit(&stream(buffer), Fit { verbose: true, ..fit(2) }.callback(note(false))).unwrap();
        let batches = std::mem::take(&mut *seen.lock().unwrap());
        assert_eq!(batches, [None, None, Some(2), Some(2)]);
        // The same where the run goes on, each time over a stream that has not been read.
        let mut trainer = trainer();
        for _ in 0..4 {
            trainer.fit(&stream(buffer), fit(2).callback(note(true))).unwrap();
        }
        assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), batches);
    }
    let data = stream(1);
    // Sums of full batches do not depend on the kind of data.
    let mut in_memory = crate::common::trainer();
    in_memory.fit(&line(), Fit { shuffle: false, ..fit(2) }).unwrap();
    let mut streamed = crate::common::trainer();
    streamed.fit(&data, Fit { shuffle: false, ..fit(2) }).unwrap();
    assert_eq!(weights(&streamed), weights(&in_memory));
}

/// Numbers with three classes, the first of them common.
fn labelled() -> Dataset<f32, i64> {
    let labels = Tensor::from([0_i64, 0, 0, 0, 1, 0, 2, 0, 0, 1]);
    Dataset::new(Generator::new(3).normal([10, 4], 0.0, 1.0), labels).unwrap()
}

fn labelled_kinds() -> [Box<dyn DataSource>; 3] {
    let one = |i: usize| {
        let data = labelled();
        Ok((data.inputs().select(0, i as isize), data.targets().select(0, i as isize)))
    };
    let stream = StreamDataset::new(move || Ok((0..10).map(one))).shuffle_buffer(1);
    [Box::new(labelled()), Box::new(IndexedDataset::from_fn(10, one).unwrap()), Box::new(stream)]
}

fn classifier() -> Trainer<SparseCategoricalCrossentropy, Sgd> {
    let model = Model::build(Sequential::new().add(Dense::new(3).activation(Activation::Softmax)), [4], 1).unwrap();
    Trainer::new(model, SparseCategoricalCrossentropy::default(), Sgd::default())
        .metric(SparseCategoricalAccuracy::default())
}

#[test]
fn evaluation_prediction_and_class_weights_do_not_depend_on_the_kind_of_data() {
    let scores = classifier().evaluate(&labelled()).unwrap();
    let outputs = classifier().predict(labelled().inputs()).unwrap();
    // 10 / (3 * 7), 10 / (3 * 2), 10 / (3 * 1).
    let balanced = [10.0 / 21.0, 10.0 / 6.0, 10.0 / 3.0];
    let mut trained = None;
    for data in labelled_kinds() {
        assert_eq!(classifier().evaluate(&*data).unwrap(), scores);
        let trainer = classifier();
        let batches: Vec<Tensor> = trainer.predict_batches(&*data, 4).unwrap().map(Result::unwrap).collect();
        assert_eq!(Tensor::concat(&batches, 0), outputs);
        let class_weights = balanced_class_weights(&*data, 3).unwrap();
        assert_eq!(class_weights, balanced);
        let mut trainer = classifier();
        let with_weights = |class_weights| Fit {
            class_weights: Some(class_weights),
            shuffle: false,
            batch_size: 4,
            epochs: 2,
            verbose: false,
            ..Fit::default()
        };
        trainer.fit(&*data, with_weights(class_weights)).unwrap();
        let weights = values(trainer.model().params());
        assert_eq!(*trained.get_or_insert_with(|| weights.clone()), weights);
    }
    let mut unweighted = classifier();
    unweighted
        .fit(&labelled(), Fit { shuffle: false, batch_size: 4, epochs: 2, verbose: false, ..Fit::default() })
        .unwrap();
    assert_ne!(trained, Some(values(unweighted.model().params())));
    assert_eq!(balanced_class_weights(&labelled().to_categorical(3).unwrap(), 3).unwrap(), balanced);
    assert_eq!(balanced_class_weights(&labelled(), 4).unwrap()[3], 0.0);
}

#[test]
fn a_target_that_is_no_class_is_named_by_its_sample() {
    let message = |error: Error| error.to_string();
    let wrong: [Made; 2] = [
        || {
            Box::new(
                IndexedDataset::from_fn(10, |i| Ok((Tensor::<f32>::zeros([4]), Tensor::scalar(i as i64 / 3)))).unwrap(),
            )
        },
        || {
            let rows = || Ok((0..10).map(|i| Ok((Tensor::<f32>::zeros([4]), Tensor::scalar(i as i64 / 3)))));
            Box::new(StreamDataset::new(rows).shuffle_buffer(3))
        },
    ];
    for data in wrong.map(|data| data()) {
        let fit = || Fit { batch_size: 4, verbose: false, ..Fit::default() };
        let error = message(classifier().fit(&*data, fit()).unwrap_err());
        assert!(error.starts_with("fit: sample 9: "), "{error}");
        let weighted = Fit { class_weights: Some(vec![1.0; 3]), ..fit() };
        let error = message(classifier().fit(&*data, weighted).unwrap_err());
        assert!(error.starts_with("fit: sample 9: "), "{error}");
        let error = message(classifier().evaluate(&*data).unwrap_err());
        assert!(error.starts_with("evaluate: sample 9: "), "{error}");
        let error = balanced_class_weights(&*data, 3).unwrap_err().to_string();
        assert!(error.starts_with("sample 9: found label 3"), "{error}");
    }
}
