//! Layers that merge several inputs into one output, element by element.

use gradus_autograd::Var;
use gradus_tensor::{Shape, broadcast_shapes};
use serde::{Deserialize, Serialize};

use super::support::prelude::*;
use super::support::sum;

/// The shape of the output: along each axis the inputs have the same length, or length 1.
fn merged_shape<T: Float>(build: &Build<'_, T>) -> Result<Shape> {
    let inputs = build.several_inputs()?;
    let mut shape = inputs[0].clone();
    for &other in &inputs[1..] {
        match broadcast_shapes(&shape, other) {
            Ok(broadcast) if other.len() == shape.len() => shape = broadcast,
            _ => {
                let shapes: Vec<String> = inputs.iter().map(|shape| shape.to_string()).collect();
                let problem = format!("merges inputs of one shape, found {}", shapes.join(", "));
                return Err(build.error(problem, "make the shapes agree, or the lengths that differ 1"));
            }
        }
    }
    Ok(shape)
}

macro_rules! merge {
    ($(#[$doc:meta])+ $Name:ident, $kind:literal, $merge:expr) => {
        $(#[$doc])+
        ///
        /// Shapes: two or more inputs of the same shape, which is the output's too. A length of 1 is broadcast to the
        /// others'.
        #[derive(Clone, Debug, Serialize, Deserialize)]
        pub struct $Name;

        impl Layer for $Name {
            const KIND: &'static str = $kind;
            compiled_here!();

            fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
                Ok(Built::merging(merged_shape(build)?, |_, inputs| $merge(inputs)))
            }
        }
    };
}

merge! {
    /// The sum of the inputs, element by element.
    ///
    /// ```
    /// use gradus_nn::{Activation, Add, Dense, Graph};
    /// let mut graph = Graph::builder();
    /// let x = graph.input();
    /// let y = graph.add(Dense::new(8).activation(Activation::Relu), [x]);
    /// let sum = graph.add(Add, [x, y]);
    /// let network = graph.output(sum);
    /// ```
    Add, "Add", sum
}
merge! {
    /// The product of the inputs, element by element.
    Multiply, "Multiply", |inputs| fold(inputs, |a, b| a * b)
}
merge! {
    /// The mean of the inputs, element by element.
    Average, "Average", average
}
merge! {
    /// The maximum of the inputs, element by element. Equal elements share the gradient.
    Maximum, "Maximum", |inputs| fold(inputs, |a, b| a.maximum(b))
}
merge! {
    /// The minimum of the inputs, element by element. Equal elements share the gradient.
    Minimum, "Minimum", |inputs| fold(inputs, |a, b| a.minimum(b))
}

fn average<T: Float>(inputs: Vec<Var<T>>) -> Var<T> {
    let share = T::of(1.0 / inputs.len() as f64);
    sum(inputs) * share
}

fn fold<T: Float>(inputs: Vec<Var<T>>, merge: impl Fn(Var<T>, Var<T>) -> Var<T>) -> Var<T> {
    inputs.into_iter().reduce(merge).expect("build saw two inputs or more")
}

/// The first input minus the second, element by element.
///
/// Shapes: two inputs of the same shape, which is the output's too. A length of 1 is broadcast to the other's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subtract;

impl Layer for Subtract {
    const KIND: &'static str = "Subtract";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let count = build.inputs().len();
        if count != 2 {
            let problem = format!("takes two inputs, found {count}");
            return Err(build.error(problem, "feed it with what to subtract from, and what to subtract"));
        }
        Ok(Built::merging(merged_shape(build)?, |_, inputs| &inputs[0] - &inputs[1]))
    }
}
