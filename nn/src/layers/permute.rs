//! The axes of samples in another order.

use gradus_tensor::Shape;

use super::support::prelude::*;

options! {
    /// The axes of each sample in another order: `Permute::new([2, 1])` turns `[n, a, b]` into `[n, b, a]`.
    ///
    /// As in Keras, axes count from 1, since axis 0 is the batch, which stays in its place.
    ///
    /// ```
    /// use gradus_nn::{Model, Permute, Sequential};
    /// // Pictures with their channels first, as PyTorch has them, become pictures with their channels last.
    /// let model = Model::build(Sequential::new().add(Permute::new([2, 3, 1])), [3, 28, 30], 42)?;
    /// assert_eq!(model.output_shape(), &[28, 30, 3]);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct Permute {
        /// A layer whose output has the input's axis `dims[i - 1]` as its axis `i`.
        pub fn new(dims: Vec<usize>);
    }
}

impl Layer for Permute {
    const KIND: &'static str = "Permute";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let (dims, input) = (&self.dims, build.input()?);
        let each_once = dims.len() == input.len() && (1..=input.len()).all(|axis| dims.contains(&axis));
        if !each_once {
            let problem = format!("the axes {dims:?} are no order of those of samples of shape {input}");
            return Err(build.error(problem, "name each axis once, counted from 1"));
        }
        let output: Shape = dims.iter().map(|&axis| input[axis - 1]).collect();
        let order: Vec<isize> = std::iter::once(0).chain(dims.iter().map(|&axis| axis as isize)).collect();
        let rule = MaskRule::kept_if(dims.first() == Some(&1));
        Ok(Built::new(output, move |_, x| x.permute(&order)).mask_rule(rule))
    }

    fn output_activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        inputs.to_vec()
    }
}
