//! Where attributions are counted: at inputs of floats, and where ids have become vectors.

use gradus_nn::{Error, Model, Result};
use gradus_tensor::{Columns, Float};

/// The kinds of layers in which ids become vectors.
const EMBEDDINGS: [&str; 3] = ["Embedding", "ReversibleEmbedding", "TokenAndPositionEmbedding"];

/// The paths at which a model's inputs are numbers: its inputs of floats, and the layers that make vectors of its ids, those within
/// others among them. `op` begins the message.
pub(crate) fn sources<T: Float>(op: &str, model: &Model<T>, inputs: &Columns) -> Result<Vec<String>> {
    // A table that goes back from vectors to ids is no source.
    let layers = model.summary().layers;
    let goes_back = |path: &str| layers.iter().any(|layer| layer.path == path && layer.shares.is_some());
    // One sample shows all that is there. (Not all columns need have one: this is checked where the batch is computed.)
    let has_one = !inputs.is_empty() && inputs.iter().all(|column| column.shape().first().is_some_and(|&n| n > 0));
    let some = if has_one { inputs.rows(0..1) } else { inputs.clone() };
    let (_, seen) = model.observer().predict_all(some)?;
    let is_source = |path: &str, kind: &str| {
        kind == "Input" || EMBEDDINGS.contains(&kind) && !(kind == "ReversibleEmbedding" && goes_back(path))
    };
    let found = seen.iter().filter(|observed| is_source(&observed.path, observed.kind));
    let found: Vec<String> = found.map(|observed| observed.path.clone()).collect();
    if found.is_empty() {
        let problem = "the model has neither inputs of floats nor an Embedding";
        return Err(Error::new(op, problem, "look at its layers by Model::observer"));
    }
    Ok(found)
}

/// The one source of a model.
pub(crate) fn only_source<T: Float>(op: &str, model: &Model<T>, inputs: &Columns) -> Result<String> {
    let mut found = sources(op, model, inputs)?;
    match found.len() {
        1 => Ok(found.swap_remove(0)),
        _ => {
            let problem = format!("the model has several inputs of numbers: {}", found.join(", "));
            Err(Error::new(op, problem, "name one by at(..)"))
        }
    }
}
