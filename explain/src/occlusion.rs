//! What happens to the answer if a part of the input is hidden.

use gradus_autograd::Var;
use gradus_nn::{Error, Model, Result};
use gradus_tensor::{Columns, Float, Shape, Tensor};

use crate::attributions::{Attribution, Attributions};
use crate::sources::only_source;
use crate::target::Target;

/// Occlusion: f(x) - f(x without a patch), as the patch moves over the input. Zeiler and Fergus 2013, arXiv:1311.2901.
///
/// The patch has a length for each of the first axes of a sample, and hides all that lies behind them: `[4, 4]` hides squares of a
/// picture in all its channels, `[1]` one column of a table or the vector of one word. A place's attribution is the mean over the
/// patches that hid it. It needs no gradients and as many predictions as there are patches.
///
/// ```
/// use gradus_explain::{Occlusion, Target};
/// use gradus_nn::{Dense, Flatten, Model, Sequential};
/// use gradus_tensor::Tensor;
/// let model = Model::build(Sequential::new().add(Flatten).add(Dense::new(2)), [6, 6, 1], 42)?;
/// let pictures = Tensor::<f32>::ones([3, 6, 6, 1]);
/// let explained = Occlusion::new(&[2, 2]).explain(&model, &pictures, &Target::class(1))?;
/// assert_eq!(explained.values().shape(), &[3, 6, 6]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Occlusion {
    patch: Vec<usize>,
    stride: Option<Vec<usize>>,
    fill: f64,
    at: Option<String>,
}

impl Occlusion {
    /// By patches of these lengths.
    ///
    /// # Panics
    /// If there are none, or one is 0.
    #[track_caller]
    pub fn new(patch: &[usize]) -> Self {
        assert!(
            !patch.is_empty() && !patch.contains(&0),
            "Occlusion: a patch has lengths of 1 or more, found {patch:?}"
        );
        Occlusion { patch: patch.to_vec(), stride: None, fill: 0.0, at: None }
    }

    /// How far the patch moves along each axis; by its own length by default. The last patch ends where the axis ends.
    ///
    /// # Panics
    /// If there is not one for each length of the patch, or one is 0.
    #[track_caller]
    pub fn stride(self, stride: &[usize]) -> Self {
        let fits = stride.len() == self.patch.len() && !stride.contains(&0);
        assert!(fits, "stride: one of 1 or more for each of {} axes is needed, found {stride:?}", self.patch.len());
        Occlusion { stride: Some(stride.to_vec()), ..self }
    }

    /// What stands in the place of what is hidden; 0 by default.
    pub fn fill(self, fill: f64) -> Self {
        Occlusion { fill, ..self }
    }

    /// Hides parts of the input of this name, or of the output of the layer at this path. By default of the only input of floats or the
    /// only `Embedding`.
    pub fn at(self, path: &str) -> Self {
        Occlusion { at: Some(path.to_owned()), ..self }
    }

    /// Explains each sample of a batch: attributions `[n, ..]` over the axes of the patch.
    ///
    /// # Errors
    /// If the inputs are none of the model's, the target is none of its outputs, or the patch is larger than a sample.
    pub fn explain<T: Float>(
        &self,
        model: &Model<T>,
        inputs: impl Into<Columns>,
        target: &Target<T>,
    ) -> Result<Attributions<T>> {
        const OP: &str = "Occlusion";
        let inputs = inputs.into();
        let settled = target.settle(OP, model, &inputs)?;
        let path = match &self.at {
            Some(path) => path.clone(),
            None => only_source(OP, model, &inputs)?,
        };
        let (outputs, seen) = model.observer().of([&*path]).predict_all(&inputs)?;
        let (value, mask) = (&seen[&path].value, seen[&path].mask.clone());
        let patches = Patches::new(value.shape(), &self.patch, self.stride.as_deref())?;
        let outputs: Vec<Var<T>> = outputs.into_iter().map(Var::from).collect();
        let numbers = settled.numbers(&outputs, 1).into_value();
        let (samples, area) = (value.shape()[0], patches.axes.iter().product::<usize>());
        let (mut sums, mut counts) = (vec![0.0; samples * area], vec![0_u32; area]);
        // Some patches at once: many small batches would be slow.
        const AT_ONCE: usize = 64;
        for group in patches.starts.chunks((AT_ONCE / samples.max(1)).max(1)) {
            let hidden: Vec<Vec<bool>> = group.iter().map(|start| patches.hidden(start)).collect();
            let copies = hidden.iter().map(|hidden| {
                let ones = vec![1; value.ndim() - 1 - patches.axes.len()];
                let hidden = Tensor::from(hidden.clone()).reshape([&patches.axes[..], &ones].concat());
                hidden.where_(T::of(self.fill), value)
            });
            let copies = Tensor::concat(&copies.collect::<Vec<_>>(), 0);
            let rows: Vec<usize> = (0..group.len()).flat_map(|_| 0..samples).collect();
            let (outputs, _) = model.observer().of([]).replace(&path, copies).predict_all(inputs.take_rows(&rows))?;
            let outputs: Vec<Var<T>> = outputs.into_iter().map(Var::from).collect();
            let without = settled.numbers(&outputs, group.len()).into_value();
            for (hidden, without) in hidden.iter().zip(without.to_vec().chunks(samples.max(1))) {
                let places = (0..area).filter(|&place| hidden[place]);
                for place in places {
                    counts[place] += 1;
                    for (sample, (with, without)) in numbers.iter().zip(without).enumerate() {
                        sums[sample * area + place] += with.as_f64() - without.as_f64();
                    }
                }
            }
        }
        let mean = |(place, sum): (usize, &f64)| T::of(sum / f64::from(counts[place % area]));
        let means: Vec<T> = sums.iter().enumerate().map(mean).collect();
        let values = Tensor::from(means).reshape([&[samples], &patches.axes[..]].concat());
        let list = vec![Attribution { path, values, mask }];
        Ok(Attributions { explained: settled.names, numbers, list })
    }
}

/// Where a patch lies in samples.
struct Patches {
    /// The lengths of the axes along which it moves.
    axes: Vec<usize>,
    patch: Vec<usize>,
    starts: Vec<Vec<usize>>,
}

impl Patches {
    fn new(value: &Shape, patch: &[usize], stride: Option<&[usize]>) -> Result<Self> {
        let sample = &value[1..];
        let fits = sample.len() >= patch.len() && patch.iter().zip(sample).all(|(patch, length)| patch <= length);
        if !fits {
            let problem = format!("a patch {patch:?} does not fit into samples of shape {}", Shape::from(sample));
            return Err(Error::new("Occlusion", problem, "give a length for each axis of positions, or fewer"));
        }
        let axes = sample[..patch.len()].to_vec();
        let mut starts = vec![Vec::new()];
        for (axis, &length) in axes.iter().enumerate() {
            let last = length - patch[axis];
            let along = (0..last).step_by(stride.unwrap_or(patch)[axis]).chain([last]);
            let along: Vec<usize> = along.collect();
            starts =
                starts.iter().flat_map(|start| along.iter().map(move |&next| [&start[..], &[next]].concat())).collect();
        }
        Ok(Patches { axes, patch: patch.to_vec(), starts })
    }

    /// For each place of a sample whether the patch that starts there hides it.
    fn hidden(&self, start: &[usize]) -> Vec<bool> {
        let mut hidden = vec![true];
        for (axis, &length) in self.axes.iter().enumerate() {
            let within = |place: usize| (start[axis]..start[axis] + self.patch[axis]).contains(&place);
            hidden = hidden.iter().flat_map(|&outer| (0..length).map(move |place| outer && within(place))).collect();
        }
        hidden
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_cover_each_place() {
        let shape = Shape::from([2, 5, 4, 3]);
        let patches = Patches::new(&shape, &[2, 3], Some(&[2, 2])).unwrap();
        // Along 5 places by 2: 0, 2, and 3, where the last patch ends with the axis. Along 4 places of 3: 0 and 1.
        assert_eq!(patches.starts, [[0, 0], [0, 1], [2, 0], [2, 1], [3, 0], [3, 1]]);
        let hidden = patches.hidden(&[3, 1]);
        let expected: Vec<bool> = (0..20).map(|place| place / 4 >= 3 && place % 4 >= 1).collect();
        assert_eq!(hidden, expected);
        let covered = |place: usize| patches.starts.iter().any(|start| patches.hidden(start)[place]);
        assert!((0..20).all(covered));
    }
}
