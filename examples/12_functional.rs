//! Lesson 12. Several inputs and outputs: a network reads support tickets, sends each to a department, and says how
//! urgent it is.
//!
//! It is the example of Keras's guide to the functional API, on made-up tickets. A ticket has a title and a body, which
//! are lists of word numbers (ids), and tags. Title and body go through one tower of layers, whose weights they share.
//!
//!     cargo run --release --example functional

use gradus::prelude::*;

const DEPARTMENTS: i64 = 4;
/// The words that each department's tickets are about.
const TOPIC: i64 = 50;
/// A further word: "urgent".
const URGENT: i64 = DEPARTMENTS * TOPIC;

/// Tickets, and for each its department and whether it has priority.
///
/// A ticket has priority if its title says "urgent" or its first tag is set. Of its words, one in five is about its
/// department.
fn tickets(count: usize, seed: u64) -> Result<Dataset<Columns, Columns>> {
    let mut generator = Generator::new(seed);
    let department = generator.integers([count], 0..DEPARTMENTS);
    let mut text = |length: usize| {
        let topical = generator.bernoulli([count, length], 0.2).to::<i64>();
        let topic = department.unsqueeze(-1) * TOPIC + generator.integers([count, length], 0..TOPIC);
        let any = generator.integers([count, length], 0..DEPARTMENTS * TOPIC);
        &topical * topic + (1 - topical) * any
    };
    let (mut title, body) = (text(6), text(40));
    let tags: Tensor = generator.bernoulli([count, 3], 0.2).to();
    let urgent = generator.bernoulli([count], 0.3).to_vec();
    let mut priority = tags.select(1, 0).to_vec();
    for (sample, _) in urgent.iter().enumerate().filter(|(_, urgent)| **urgent) {
        title.as_mut_slice()[6 * sample + sample % 6] = URGENT;
        priority[sample] = 1.0;
    }
    let priority = Tensor::from(priority).reshape([count, 1]);
    let inputs = Columns::new().with("title", title).with("body", body).with("tags", tags);
    let targets = Columns::new().with("priority", priority).with("department", department);
    Ok(Dataset::new(inputs, targets)?)
}

/// Title, body and tags to priority and department.
fn network() -> Graph {
    let mut graph = Graph::builder();
    let (title, body, tags) = (graph.input_named("title"), graph.input_named("body"), graph.input_named("tags"));
    // One tower for both texts, however long they are: the mean of what the words stand for.
    let words = Embedding::new(URGENT as usize + 1, 16);
    let tower = LayerHandle::new(Sequential::new().add(words).add(GlobalAveragePooling1D::new()));
    let title = graph.add_named("text", &tower, [title]);
    let body = graph.add_named("text_of_body", &tower, [body]);
    let all = graph.add(Concatenate::new(), [title, body, tags]);
    let hidden = graph.add(Dense::new(32).activation(Activation::Relu), [all]);
    let priority = graph.add_named("priority", Dense::new(1).activation(Activation::Sigmoid), [hidden]);
    let department = Dense::new(DEPARTMENTS as usize).activation(Activation::Softmax);
    let department = graph.add_named("department", department, [hidden]);
    graph.outputs([priority, department])
}

fn main() -> Result<()> {
    let (train, test) = (tickets(4000, 1)?, tickets(1000, 2)?);
    // The bodies of the tickets may have any number of words.
    let inputs = [Input::named("title", [6]), Input::named("body", [None]), Input::named("tags", [3])];
    let model = Model::build(network(), inputs.clone(), 42)?;
    println!("{}\n", model.summary());

    // Each output has a loss of its own; that of the department counts less.
    let losses = Losses::new()
        .add("priority", BinaryCrossentropy::default())
        .add("department", SparseCategoricalCrossentropy::default())
        .weighted(0.5);
    let mut trainer = Trainer::new(model, losses, Adam::default().learning_rate(0.01))
        .metric_for("priority", BinaryAccuracy::default())
        .metric_for("department", Accuracy::default());
    trainer.fit(&train, Fit { epochs: 5, ..Fit::default() })?;

    println!("\nnew tickets:");
    for (name, value) in trainer.evaluate(&test)?.iter() {
        println!("  {name:30} {value:.4}");
    }

    // The network as JSON, and a new model with the trained weights.
    let model = trainer.into_model();
    let copy = Graph::from_json(&model.network().to_json()?)?;
    let mut copy = Model::build(copy, inputs, 0)?;
    copy.params_mut().assign(model.params())?;
    assert_eq!(copy.predict_all(test.inputs())?, model.predict_all(test.inputs())?);

    // A ticket with a body of three words, all about department 2.
    let title = Tensor::from([[100, 3, URGENT, 120, 101, 88]]);
    let body = Tensor::from([[110, 123, 149]]);
    let ticket = Columns::new().with("title", title).with("body", body).with("tags", Tensor::new([[0.0, 1.0, 0.0]]));
    let outputs = copy.predict_all(&ticket)?;
    println!("\na short ticket: priority {:.3}, departments {:.3?}", outputs[0].item(), outputs[1].to_vec());

    // A word that the embedding does not know is an error that names the sample and the place.
    let wrong = Columns::new()
        .with("title", Tensor::from([[1, 2, 3, 4, 5, 6]]))
        .with("body", Tensor::from([[7, 8, 900]]))
        .with("tags", Tensor::<f32>::zeros([1, 3]));
    println!("an unknown word: {}", copy.predict_all(wrong).unwrap_err());
    Ok(())
}
