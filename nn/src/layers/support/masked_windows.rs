//! Masks of sequences under windows.

use gradus_autograd::Var;
use gradus_tensor::{Float, Shape};

use super::Spatial;
use crate::context::Context;
use crate::error::Result;
use crate::layer::{Build, Built};
use crate::mask::MaskRule;
use crate::value::{Spec, Values};

impl<const N: usize> Spatial<'_, N> {
    /// The layer of these windows, with its mask: as beyond the ends of a sequence, there are zeros where a position is padding.
    /// So its outputs depend neither on padding nor on how much of it there is.
    ///
    /// `lengths` are those of the output. Without a mask it is the layer as it is.
    pub fn masked<T: Float>(&self, lengths: &Shape, built: Built<T>, build: &Build<'_, T>) -> Result<Built<T>> {
        let [input] = build.inputs() else { return Ok(built) };
        if !input.is_masked() {
            return Ok(built);
        }
        if self.strides[0] != 1 || lengths[0] != input.shape[0] {
            let problem = format!(
                "some positions of its input are padding, by a mask, and its {} outputs have other places than the {} inputs",
                lengths[0], input.shape[0]
            );
            let hint = "take Padding::Same or Padding::Causal and a stride of 1, or end the mask before it by a layer that knows \
                        masks, such as GlobalAveragePooling1D";
            return Err(build.error(problem, hint));
        }
        let outputs = built.outputs.iter().cloned().map(Spec::masked).collect();
        // Without an epilogue: its computation would not see the mask.
        let compute = move |context: &mut Context<'_, T>, inputs: Values<T>| {
            let (x, mask) = (inputs[0].floats(), inputs.mask(0).cloned());
            let x = match &mask {
                Some(mask) => Var::where_(&mask.reshape(mask.shape().join(&vec![1; x.ndim() - 2])), x, T::ZERO),
                None => x.clone(),
            };
            built.run(context, x).with_mask(0, mask)
        };
        Ok(Built::of_values(outputs, compute).mask_rule(MaskRule::Known))
    }
}
