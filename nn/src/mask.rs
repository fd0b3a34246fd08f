//! Masks: which positions of sequences are there, what layers do about it, and how losses see only these.

use std::sync::Arc;

use gradus_autograd::Var;
use gradus_tensor::{Element, Float, Tensor};

use crate::build::Build;
use crate::built::Built;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::value::{Spec, Values};

/// What a layer does about the masks of its inputs.
///
/// A mask is `[n, length]`, beside a value `[n, length, ..]`: true where the position is there, false where it is padding.
/// An [`Embedding`](crate::Embedding) with `mask_zero` or a [`Masking`](crate::Masking) makes it, and it travels with the
/// value from layer to layer.
///
/// A layer that mixes positions reads the mask itself:
///
/// ```
/// use gradus_nn::{Build, Built, Dense, Layer, MaskRule, Masking, Model, Result, Sequential, Spec};
/// use gradus_tensor::{Float, Tensor};
/// use serde::{Deserialize, Serialize};
///
/// /// The sum of the positions that are there: `[n, length, features]` to `[n, features]`.
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct Sum;
///
/// impl Layer for Sum {
///     const KIND: &'static str = "Sum";
///
///     fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
///         let shape = build.input()?[1..].to_vec();
///         let built = Built::of_values(vec![Spec::floats(shape)], |_, inputs| {
///             let x = inputs[0].floats();
///             match inputs.mask(0) {
///                 Some(mask) => (x * &mask.to::<T>().unsqueeze(-1)).sum(1).into(),
///                 None => x.sum(1).into(),
///             }
///         });
///         Ok(built.mask_rule(MaskRule::Known))
///     }
/// }
///
/// // Positions of -1 alone are padding.
/// let model = Model::build(Sequential::new().add(Masking::new(-1.0)).add(Sum), [3, 1], 42)?;
/// assert_eq!(model.predict(&Tensor::new([[[5.0], [7.0], [-1.0]]]))?, Tensor::new([[12.0]]));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskRule {
    /// Nothing is said: an input with a mask is an error when the network is built.
    Unsaid,
    /// The layer computes each position without the others, so its outputs have the mask of its inputs.
    Kept,
    /// The computation reads [`Values::mask`], and its outputs have masks where it says so by [`Spec::masked`].
    Known,
}

impl MaskRule {
    /// `Kept` for a layer that computes each position without the others on inputs of such a shape, else `Unsaid`.
    pub fn kept_if(keeps: bool) -> Self {
        if keeps { MaskRule::Kept } else { MaskRule::Unsaid }
    }
}

/// The layer with what its rule says about the masks of its inputs.
pub(crate) fn settle<T: Float>(build: &Build<'_, T>, built: Built<T>) -> Result<Built<T>> {
    let is_masked = build.inputs().iter().any(Spec::is_masked);
    match built.mask_rule {
        MaskRule::Known => Ok(built),
        _ if !is_masked => Ok(built),
        MaskRule::Unsaid => {
            let problem = "some positions of its input are padding, by a mask, and the layer does not know masks";
            Err(build.error(problem, UNSAID))
        }
        MaskRule::Kept => {
            let Built { outputs, forward, .. } = built;
            let outputs = outputs.into_iter().map(Spec::masked).collect();
            let forward = move |context: &mut Context<'_, T>, inputs: Values<T>| {
                let mask = inputs.common_mask();
                let outputs = forward(context, inputs);
                (0..outputs.len()).fold(outputs, |outputs, index| outputs.with_mask(index, mask.clone()))
            };
            Ok(Built { outputs, forward: Arc::new(forward), ..built })
        }
    }
}

/// The positions of a mask that another mask, if there is one, has as well.
pub(crate) fn and_mask(mask: Tensor<bool>, other: Option<&Tensor<bool>>) -> Tensor<bool> {
    match other {
        Some(other) => &mask & other,
        None => mask,
    }
}

const UNSAID: &str = "end the mask before it by a layer that knows masks, such as GlobalAveragePooling1D, or make none; a \
                      layer of your own says by Built::mask_rule what it does about masks";

/// The positions that are there in a batch of sequences, of which losses and metrics take the rows alone.
///
/// ```
/// use gradus_nn::Positions;
/// use gradus_tensor::Tensor;
/// let positions = Positions::of(&Tensor::from([[true, true, false], [true, false, false]]));
/// let words = Tensor::new([[7.0, 4.0, 0.0], [5.0, 0.0, 0.0]]);
/// assert_eq!(positions.of_targets("example", &words)?, Tensor::new([7.0, 4.0, 5.0]));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Positions {
    /// Samples and length.
    shape: [usize; 2],
    /// The positions, as rows of a value of which the first two axes are one.
    rows: Vec<usize>,
}

impl Positions {
    /// Those that are true in a mask `[n, length]`.
    ///
    /// # Panics
    /// If the mask has not two axes.
    #[track_caller]
    pub fn of(mask: &Tensor<bool>) -> Self {
        let &[samples, length] = &mask.shape()[..] else {
            panic!("Positions::of: a mask has the shape [n, length], found {}", mask.shape());
        };
        let shape = [samples, length];
        let rows = mask.iter().enumerate().filter_map(|(row, is_there)| is_there.then_some(row)).collect();
        Positions { shape, rows }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The sample of each position.
    pub fn samples(&self) -> impl Iterator<Item = usize> {
        let length = self.shape[1];
        self.rows.iter().map(move |row| row / length)
    }

    /// The rows of outputs `[n, length, ..]` at the positions, `[count, ..]`.
    ///
    /// # Panics
    /// If there is not a row for each position.
    #[track_caller]
    pub fn of_outputs<T: Float>(&self, outputs: &Var<T>) -> Var<T> {
        let joined = outputs.reshape(self.joined(outputs.shape()));
        if self.are_all() { joined } else { joined.take_rows(&self.rows) }
    }

    /// The inverse of [`of_outputs`](Positions::of_outputs): rows `[count, ..]` at their positions, zeros elsewhere,
    /// `[n, length, ..]`.
    pub(crate) fn spread<T: Float>(&self, rows: &Var<T>) -> Var<T> {
        let [samples, length] = self.shape;
        let shape = [&self.shape[..], &rows.shape()[1..]].concat();
        if self.are_all() {
            return rows.reshape(shape);
        }
        if self.is_empty() {
            // Zeros that still depend on the rows: a layer before them may have to take part in the backward sweep.
            return rows.sum(0).broadcast_to(shape);
        }
        let (mut row_of, mut is_there) = (vec![0; samples * length], vec![false; samples * length]);
        for (row, &place) in self.rows.iter().enumerate() {
            (row_of[place], is_there[place]) = (row, true);
        }
        let ones = vec![1; shape.len() - 2];
        let mask = Tensor::from(is_there).reshape([&self.shape[..], &ones].concat());
        Var::where_(&mask, rows.take_rows(&row_of).reshape(shape), T::ZERO)
    }

    /// The rows of targets `[n, length, ..]` at the positions, `[count, ..]`.
    ///
    /// # Errors
    /// If there is not a target for each position.
    pub fn of_targets<T: Float>(&self, name: &str, targets: &Tensor<T>) -> Result<Tensor<T>> {
        let [samples, length] = self.shape;
        if targets.ndim() < 2 || targets.shape()[..2] != self.shape {
            let problem = format!(
                "outputs with a mask need a target for each position, [{samples}, {length}, ..], found {}",
                targets.shape()
            );
            let hint = "pad the targets as the inputs, or let a layer such as GlobalAveragePooling1D make one vector of each \
                        sequence";
            return Err(Error::new(name, problem, hint));
        }
        Ok(self.take(targets))
    }

    /// The rows of a tensor `[n, length, ..]` at the positions, `[count, ..]`.
    ///
    /// # Panics
    /// If there is not a row for each position.
    #[track_caller]
    pub fn take<T: Element>(&self, x: &Tensor<T>) -> Tensor<T> {
        let joined = x.reshape(self.joined(x.shape()));
        if self.are_all() { joined } else { joined.take_rows(&self.rows) }
    }

    /// For each position the weight of its sample.
    ///
    /// # Errors
    /// If there is not a weight for each sample.
    pub fn of_weights<T: Float>(&self, name: &str, weights: &Tensor<T>) -> Result<Tensor<T>> {
        let samples = self.shape[0];
        if *weights.shape() != [samples] {
            let problem = format!("sample weights must have the shape [{samples}], found {}", weights.shape());
            return Err(Error::new(name, problem, "give one weight for each sample"));
        }
        Ok(weights.take_rows(&self.samples().collect::<Vec<_>>()))
    }

    /// Whether no position is padding.
    fn are_all(&self) -> bool {
        self.rows.len() == self.shape[0] * self.shape[1]
    }

    /// The shape of a value of which the first two axes are one.
    fn joined(&self, shape: &[usize]) -> Vec<usize> {
        [&[self.shape[0] * self.shape[1]], &shape[2..]].concat()
    }
}
