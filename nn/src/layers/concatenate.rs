//! Inputs joined along an axis.

use gradus_autograd::Var;

use super::support::common;
use super::support::prelude::*;

options! {
    /// The inputs joined one after the other along an axis, the last by default.
    ///
    /// Shapes: two or more that differ along that axis at most, where the output's length is their sum.
    ///
    /// ```
    /// use gradus_nn::{Concatenate, Dense, Graph};
    /// let mut graph = Graph::builder();
    /// let x = graph.input();
    /// let features = graph.add(Dense::new(8), [x]);
    /// let all = graph.add(Concatenate::new(), [x, features]);
    /// let network = graph.output(all);
    /// ```
    #[doc(alias = "cat")]
    pub struct Concatenate {
        /// The inputs joined along the last axis.
        pub fn new();
        /// The axis: counted from 1, since axis 0 is the batch, or from -1, the last, down.
        axis: isize = -1,
    }
}

impl Layer for Concatenate {
    const KIND: &'static str = "Concatenate";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let inputs = build.several_inputs()?;
        let axis = build.axis_of(inputs[0], self.axis)?;
        let mut output = inputs[0].clone();
        for &other in &inputs[1..] {
            let fits = other.len() == output.len()
                && (1..=output.len()).all(|place| place == axis || other[place - 1] == output[place - 1]);
            if !fits {
                let shapes: Vec<String> = inputs.iter().map(|shape| shape.to_string()).collect();
                let problem =
                    format!("joins along axis {axis} inputs that agree along the others, found {}", shapes.join(", "));
                return Err(build.error(problem, "make the shapes agree, or join along another axis"));
            }
            output[axis - 1] += other[axis - 1];
        }
        let rule = MaskRule::kept_if(axis != 1);
        Ok(Built::merging(output, move |_, inputs| Var::concat(&inputs, axis as isize)).mask_rule(rule))
    }

    fn output_activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        vec![common(inputs)]
    }
}
