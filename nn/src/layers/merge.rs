//! Layers that merge several inputs into one output, element by element.

use gradus_autograd::Var;
use gradus_tensor::{Shape, broadcast_shapes};
use serde::{Deserialize, Serialize};

use super::support::prelude::*;
use super::support::{common, of_sum, sum};

/// The shape of the output: along each axis the inputs have the same length, or length 1. And what becomes of masks, which
/// cannot be broadcast.
fn merged<T: Float>(build: &Build<'_, T>) -> Result<(Shape, MaskRule)> {
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
    let rule = MaskRule::kept_if(build.inputs().iter().all(|input| input.shape.first() == shape.first()));
    Ok((shape, rule))
}

macro_rules! merge {
    ($(#[$doc:meta])+ $Name:ident, $kind:literal, $merge:expr, $activation:path) => {
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
                let (shape, rule) = merged(build)?;
                Ok(Built::merging(shape, |_, inputs| $merge(inputs)).mask_rule(rule))
            }

            fn output_activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
                vec![$activation(inputs)]
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
    Add, "Add", sum, of_sum
}
merge! {
    /// The product of the inputs, element by element.
    ///
    /// ```
    /// use gradus_nn::{Activation, Dense, Graph, Model, Multiply};
    /// // A gate: numbers in 0 to 1 say how much of each feature goes on.
    /// let mut graph = Graph::builder();
    /// let x = graph.input();
    /// let gate = graph.add(Dense::new(8).activation(Activation::Sigmoid), [x]);
    /// let gated = graph.add(Multiply, [x, gate]);
    /// assert_eq!(Model::build(graph.output(gated), [8], 42)?.output_shape(), &[8]);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    Multiply, "Multiply", |inputs| fold(inputs, |a, b| a * b), of_product
}
merge! {
    /// The mean of the inputs, element by element.
    ///
    /// ```
    /// use gradus_nn::{Average, Graph, Model};
    /// use gradus_tensor::{Columns, Tensor};
    /// let mut graph = Graph::builder();
    /// let (a, b) = (graph.input(), graph.input());
    /// let mean = graph.add(Average, [a, b]);
    /// let model = Model::build(graph.output(mean), ([2], [2]), 42)?;
    /// let inputs = Columns::from((Tensor::new([[1.0, 4.0]]), Tensor::new([[3.0, 0.0]])));
    /// assert_eq!(model.predict(inputs)?, Tensor::new([[2.0, 2.0]]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    Average, "Average", average, common
}
merge! {
    /// The maximum of the inputs, element by element. Equal elements share the gradient.
    ///
    /// ```
    /// use gradus_nn::{Dense, Graph, Maximum, Model};
    /// // Maxout (Goodfellow et al., arXiv:1302.4389): of two linear layers the larger output.
    /// let mut graph = Graph::builder();
    /// let x = graph.input();
    /// let (a, b) = (graph.add(Dense::new(8), [x]), graph.add(Dense::new(8), [x]));
    /// let largest = graph.add(Maximum, [a, b]);
    /// assert_eq!(Model::build(graph.output(largest), [4], 42)?.output_shape(), &[8]);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    Maximum, "Maximum", |inputs| fold(inputs, |a, b| a.maximum(b)), common
}
merge! {
    /// The minimum of the inputs, element by element. Equal elements share the gradient.
    ///
    /// ```
    /// use gradus_nn::{Graph, Minimum, Model};
    /// use gradus_tensor::{Columns, Tensor};
    /// let mut graph = Graph::builder();
    /// let (a, b) = (graph.input(), graph.input());
    /// let least = graph.add(Minimum, [a, b]);
    /// let model = Model::build(graph.output(least), ([2], [2]), 42)?;
    /// let inputs = Columns::from((Tensor::new([[1.0, 4.0]]), Tensor::new([[3.0, 0.0]])));
    /// assert_eq!(model.predict(inputs)?, Tensor::new([[1.0, 0.0]]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    Minimum, "Minimum", |inputs| fold(inputs, |a, b| a.minimum(b)), common
}

/// A product may be a square, or a mixture of probabilities: nothing is known of it.
fn of_product(_inputs: &[Option<Activation>]) -> Option<Activation> {
    None
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
///
/// ```
/// use gradus_nn::{Graph, Model, Subtract};
/// use gradus_tensor::{Columns, Tensor};
/// let mut graph = Graph::builder();
/// let (a, b) = (graph.input(), graph.input());
/// let difference = graph.add(Subtract, [a, b]);
/// let model = Model::build(graph.output(difference), ([2], [1]), 42)?;
/// // The length 1 of the second input is broadcast.
/// let inputs = Columns::from((Tensor::new([[5.0, 4.0]]), Tensor::new([[3.0]])));
/// assert_eq!(model.predict(inputs)?, Tensor::new([[2.0, 1.0]]));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
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
        let (shape, rule) = merged(build)?;
        Ok(Built::merging(shape, |_, inputs| &inputs[0] - &inputs[1]).mask_rule(rule))
    }

    fn output_activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        vec![of_sum(inputs)]
    }
}
