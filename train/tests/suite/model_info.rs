//! What a trainer notes in its model.

use gradus_nn::losses::{BinaryCrossentropy, Losses, MeanSquaredError};
use gradus_nn::{Activation, Dense, Graph, Model, Sequential};
use gradus_optim::Sgd;
use gradus_train::Trainer;
use gradus_train::metrics::{Accuracy, MeanAbsoluteError, Named};

#[test]
fn loss_and_metrics_are_noted_by_name() {
    let model = Model::build(Sequential::new().add(Dense::new(1)), [3], 0).unwrap();
    let trainer = Trainer::new(model, MeanSquaredError, Sgd::default())
        .metric(MeanAbsoluteError::default())
        .metric(Named::new("second", MeanAbsoluteError::default()));
    let info = trainer.model().info();
    assert_eq!(info.losses, [("0".to_owned(), "mean_squared_error".to_owned())].into());
    assert_eq!(info.metrics, ["mean_absolute_error", "second"]);
    // A model that was trained before, under another loss.
    let trainer = Trainer::new(trainer.model().clone(), BinaryCrossentropy::default(), Sgd::default());
    assert_eq!(
        (&*trainer.model().info().losses["0"], trainer.model().info().metrics.len()),
        ("binary_crossentropy", 0)
    );
}

#[test]
fn losses_of_several_outputs_are_noted_by_output() {
    let mut graph = Graph::builder();
    let x = graph.input();
    let urgent = graph.add_named("urgent", Dense::new(1).activation(Activation::Sigmoid), [x]);
    let hours = graph.add_named("hours", Dense::new(1), [x]);
    let model = Model::build(graph.outputs([urgent, hours]), [3], 0).unwrap();
    let losses = Losses::new().add("urgent", BinaryCrossentropy::default()).add("hours", MeanSquaredError);
    let trainer = Trainer::new(model, losses, Sgd::default()).metric_for("urgent", Accuracy::default());
    let info = trainer.model().info();
    let expected = [("hours", "mean_squared_error"), ("urgent", "binary_crossentropy")];
    assert_eq!(info.losses, expected.map(|(output, loss)| (output.to_owned(), loss.to_owned())).into());
    assert_eq!(info.metrics, ["urgent_accuracy"]);
}
