//! Checks that columns hold the same samples, and the names of columns in messages.

use gradus_tensor::{Columns, Shape};

use crate::error::{DatasetError, Result};

/// Whether a column is one of the inputs or one of the targets.
#[derive(Clone, Copy)]
pub(crate) enum Role {
    Inputs,
    Targets,
}

impl Role {
    /// A column as messages name it: `inputs` where it is the only one, `input "title"` or, without a name, `input 1`.
    pub fn describe(self, columns: &Columns, index: usize) -> String {
        let (all, one) = match self {
            Role::Inputs => ("inputs", "input"),
            Role::Targets => ("targets", "target"),
        };
        match columns.names().nth(index).flatten() {
            Some(name) => format!("{one} {name:?}"),
            None if columns.len() == 1 => all.to_owned(),
            None => format!("{one} {index}"),
        }
    }

    /// Each column as messages name it, and its shape.
    fn shapes(self, columns: &Columns) -> impl Iterator<Item = (String, &Shape)> {
        columns.iter().enumerate().map(move |(index, tensor)| (self.describe(columns, index), tensor.shape()))
    }
}

/// Checks that there are inputs and targets, and that the first axis of each counts the same samples, at least one.
pub(crate) fn check_counts(inputs: &Columns, targets: &Columns) -> Result<()> {
    for (what, columns) in [("input", inputs), ("target", targets)] {
        if columns.is_empty() {
            let hint = "add one by `Columns::with`";
            return Err(DatasetError::new(format!("no {what} column"), "at least one", hint));
        }
    }
    let shapes: Vec<(String, &Shape)> = Role::Inputs.shapes(inputs).chain(Role::Targets.shapes(targets)).collect();
    let count = shapes[0].1.first();
    if let Some(place) = shapes.iter().position(|(_, shape)| shape.is_empty() || shape.first() != count) {
        // A first column without an axis is named beside the second.
        let ((a, a_shape), (b, b_shape)) = (&shapes[0], &shapes[place.max(1)]);
        return Err(DatasetError::new(
            format!("{a} of shape {a_shape} with {b} of shape {b_shape}"),
            "first axes of the same length, an entry for each sample",
            "check how the two were read or sliced",
        ));
    }
    if count == Some(&0) {
        return Err(DatasetError::new(
            format!("no sample, {} of shape {}", shapes[0].0, shapes[0].1),
            "at least one sample",
            "check how the data were read or filtered",
        ));
    }
    Ok(())
}

/// The shapes of columns as messages list them: `[8, 1]`, or `"title" [8, 5], "price" [8]`.
pub(crate) fn shapes(columns: &Columns) -> String {
    let shape = |(name, shape): (Option<&str>, &Shape)| match name {
        Some(name) => format!("{name:?} {shape}"),
        None => shape.to_string(),
    };
    let list: Vec<String> = columns.names().zip(columns.iter().map(|tensor| tensor.shape())).map(shape).collect();
    if list.is_empty() { "no column".to_owned() } else { list.join(", ") }
}

/// Panics if mapped columns hold another number of samples than `count`; `before` lists the shapes that they had.
#[track_caller]
pub(crate) fn check_mapped(op: &str, count: usize, before: &str, after: &Columns) {
    if after.is_empty() || after.iter().any(|tensor| tensor.shape().first() != Some(&count)) {
        panic!("{op}: the first axis must still count the samples: {before} became {}", shapes(after));
    }
}
