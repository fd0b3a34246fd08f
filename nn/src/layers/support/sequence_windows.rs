//! Windows over sequences, of which some positions may be padding, and which may come part by part.

use gradus_autograd::Var;
use gradus_tensor::{Float, Shape, Tensor};

use super::Spatial;
use crate::context::Context;
use crate::error::Result;
use crate::layer::{Build, Built};
use crate::mask::MaskRule;
use crate::parts::{PartRule, unknown};
use crate::value::Values;

impl<const N: usize> Spatial<'_, N> {
    /// The layer of these windows for sequences as well.
    ///
    /// With a mask there are zeros where a position is padding, as beyond the ends of a sequence. So its outputs depend neither on
    /// padding nor on how much of it there is. Of a sequence that comes part by part it remembers the last positions, into which
    /// the windows of the next part reach.
    ///
    /// `lengths` are those of the output. Without a mask and parts it is the layer as it is.
    pub fn over_sequences<T: Float>(&self, lengths: &Shape, built: Built<T>, build: &Build<'_, T>) -> Result<Built<T>> {
        let [input] = build.inputs() else { return Ok(built) };
        let (is_masked, is_in_parts) = (input.is_masked(), input.is_in_parts());
        if !is_masked && !is_in_parts {
            return Ok(built);
        }
        if is_masked && (self.strides[0] != 1 || lengths[0] != input.shape[0]) {
            let problem = format!(
                "some positions of its input are padding, by a mask, and its {} outputs have other places than the {} inputs",
                lengths[0], input.shape[0]
            );
            let hint = "take Padding::Same or Padding::Causal and a stride of 1, or end the mask before it by a layer that knows \
                        masks, such as GlobalAveragePooling1D";
            return Err(build.error(problem, hint));
        }
        // How many positions before its own a window reaches.
        let reach = self.dilation[0] * (self.size[0] - 1);
        let sees_no_later = self.widths(&input.shape, build)?[0] == (reach, 0_usize);
        if is_in_parts && (N > 1 || self.strides[0] != 1 || !sees_no_later) {
            return Err(unknown(build));
        }
        let layer = is_in_parts.then_some(build.number());
        let outputs = built.outputs.iter().cloned();
        let outputs = outputs.map(|output| if is_masked { output.masked() } else { output });
        let outputs = outputs.map(|output| if is_in_parts { output.in_parts() } else { output }).collect();
        // Without an epilogue: its computation would see neither the mask nor the positions before.
        let compute = move |context: &mut Context<'_, T>, inputs: Values<T>| {
            let (x, mask) = (inputs[0].floats(), inputs.mask(0).cloned());
            let x = match &mask {
                Some(mask) => Var::where_(&mask.reshape(mask.shape().join(&vec![1; x.ndim() - 2])), x, T::ZERO),
                None => x.clone(),
            };
            let Some(layer) = layer else { return built.run(context, x).with_mask(0, mask) };
            let x = and_before(context, layer, reach, x.value());
            let y = built.run(context, Var::from(x))[0].floats().value().slice(1, reach as isize..);
            Values::from(Var::from(y)).with_mask(0, mask)
        };
        let built = Built::of_values(outputs, compute).mask_rule(MaskRule::Known);
        Ok(if is_in_parts { built.part_rule(PartRule::Known) } else { built })
    }
}

/// A part `[n, length, channels]` behind the last `reach` positions of the parts before, or zeros. Its own last positions are
/// remembered.
fn and_before<T: Float>(context: &mut Context<'_, T>, layer: usize, reach: usize, part: &Tensor<T>) -> Tensor<T> {
    let &[n, _, channels] = &part.shape()[..] else { unreachable!("checked when it was built") };
    let states = &mut context.memory().states;
    let before = states.remove(&layer).and_then(|mut states| states.pop());
    let before = before.unwrap_or_else(|| Tensor::zeros([n, reach, channels]));
    let both = Tensor::concat(&[before, part.clone()], 1);
    let last = both.shape()[1] - reach;
    states.insert(layer, vec![both.slice(1, last as isize..).contiguous()]);
    both
}
