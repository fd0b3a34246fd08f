//! Normalisation of features: the computation of the normalising layers.

use std::sync::Arc;

use gradus_autograd::{Constraint, Var};
use gradus_tensor::{Float, Moments, Shape, Standardization, Tensor};

use super::weights::weight_with_options;
use crate::epilogue::{Epilogue, Supports};
use crate::error::Result;
use crate::initializers::Initializer;
use crate::layer::{Build, Built, Context, ParamId};
use crate::mask::MaskRule;
use crate::shard::{Shard, add};

/// The feature axes of a normalising layer's input: it has a gamma and a beta for each place on them.
#[derive(Clone)]
pub(in crate::layers) struct FeatureAxes {
    /// The shape of the weights: the lengths of the axes, in ascending order of these.
    pub shape: Shape,
    /// The order of all axes that puts the feature axes last; `None` if they are.
    order: Option<Vec<isize>>,
    /// Whether the first axis of a sample, along which it may have a mask, is none of them.
    keep_first: bool,
}

impl FeatureAxes {
    /// These axes of the one input, counted as Keras does: from 1, or from -1, the last, down.
    pub fn new<T: Float>(axes: &[isize], build: &Build<'_, T>) -> Result<Self> {
        let input = build.input()?;
        let mut places = axes.iter().map(|&axis| build.axis(axis)).collect::<Result<Vec<usize>>>()?;
        places.sort_unstable();
        if places.is_empty() {
            return Err(build.error("needs an axis to normalise, found none", "-1 is the last"));
        }
        if places.windows(2).any(|pair| pair[0] == pair[1]) {
            let problem = format!("the axes {axes:?} name one of samples of shape {input} twice");
            return Err(build.error(problem, "name each axis once"));
        }
        let others = (0..=input.len()).filter(|axis| !places.contains(axis));
        let order: Vec<isize> = others.chain(places.iter().copied()).map(|axis| axis as isize).collect();
        let shape = places.iter().map(|&axis| input[axis - 1]).collect();
        let keep_first = places[0] != 1;
        Ok(FeatureAxes { shape, order: (!order.is_sorted()).then_some(order), keep_first })
    }

    /// The rule of a layer that normalises along these axes alone, each of the other places without the others.
    pub fn mask_rule(&self) -> MaskRule {
        MaskRule::kept_if(self.keep_first)
    }

    /// Whether the features are the channels: the last axis alone.
    pub fn are_channels(&self) -> bool {
        self.order.is_none() && self.shape.len() == 1
    }

    /// The result of `compute`, which takes x with the features as one axis, the last, and keeps its shape.
    pub fn as_channels<T: Float>(&self, x: &Var<T>, compute: impl FnOnce(&Var<T>) -> Var<T>) -> Var<T> {
        if self.are_channels() {
            return compute(x);
        }
        let turned = self.order.as_ref().map_or_else(|| x.clone(), |order| x.permute(order));
        let places = turned.shape().len() - self.shape.len();
        let y = compute(&turned.reshape([&turned.shape()[..places], &[self.shape.size()]].concat()));
        let y = y.reshape(turned.shape());
        match &self.order {
            None => y,
            Some(order) => {
                let mut back = vec![0; order.len()];
                order.iter().enumerate().for_each(|(place, &axis)| back[axis as usize] = place as isize);
                y.permute(back)
            }
        }
    }
}

/// gamma and beta of y = gamma x + beta, the last step of a normalisation, for each feature; either may be absent.
#[derive(Clone)]
pub(in crate::layers) struct GammaBeta {
    gamma: Option<ParamId>,
    beta: Option<ParamId>,
    size: usize,
}

impl GammaBeta {
    /// Registers gamma if the layer scales, and beta if it centres, each with its constraint.
    pub fn new<T: Float>(
        (scale, on_gamma): (bool, Option<&Constraint>),
        (center, on_beta): (bool, Option<&Constraint>),
        features: &FeatureAxes,
        build: &mut Build<'_, T>,
    ) -> Result<Self> {
        let mut weight = |name, initializer, constraint: Option<&Constraint>| {
            weight_with_options(build, name, &features.shape, (initializer, None, constraint.cloned()))
        };
        let gamma = scale.then(|| weight("gamma", Initializer::Ones, on_gamma)).transpose()?;
        let beta = center.then(|| weight("beta", Initializer::Zeros, on_beta)).transpose()?;
        Ok(GammaBeta { gamma, beta, size: features.shape.size() })
    }

    /// Registers gamma alone, under the name that Keras gives it where there is no beta.
    pub fn scale<T: Float>(features: &FeatureAxes, build: &mut Build<'_, T>) -> Result<Self> {
        let gamma = build.weight("scale", &features.shape, Initializer::Ones)?;
        Ok(GammaBeta { gamma: Some(gamma), beta: None, size: features.shape.size() })
    }

    /// gamma and beta as vectors, with the epilogue's scale and shift in them.
    pub fn values<T: Float>(&self, context: &Context<'_, T>, epilogue: &Epilogue<T>) -> [Var<T>; 2] {
        let line = |weight: &Var<T>| if weight.shape().len() == 1 { weight.clone() } else { weight.flatten() };
        let gamma = self.gamma.map_or_else(|| Tensor::ones([self.size]).into(), |gamma| line(context.weight(gamma)));
        let beta = self.beta.map_or_else(|| Tensor::zeros([self.size]).into(), |beta| line(context.weight(beta)));
        match &epilogue.affine {
            None => [gamma, beta],
            Some((scale, shift)) => [gamma * scale, beta * scale + shift],
        }
    }
}

/// y = gamma standardize(x) + beta.
#[derive(Clone)]
pub(in crate::layers) struct Normalizer {
    pub features: FeatureAxes,
    pub weights: GammaBeta,
    pub how: Standardization,
}

impl Normalizer {
    /// The computation with an epilogue, and the moments.
    pub fn compute<T: Float>(
        &self,
        context: &Context<'_, T>,
        x: &Var<T>,
        epilogue: &Epilogue<T>,
    ) -> (Var<T>, Moments<T>) {
        let [gamma, beta] = self.weights.values(context, epilogue);
        let mut moments = None;
        let y = self.features.as_channels(x, |x| {
            let (y, found) = x.standardize(&gamma, &beta, &self.how.relu(epilogue.relu));
            moments = Some(found);
            y
        });
        (y, moments.expect("the computation was called"))
    }

    /// As [`compute`](Self::compute), of channels in one shard of a batch, with the moments of the whole batch. `None` if no shard has an
    /// element.
    pub fn compute_in_shard<T: Float>(
        &self,
        context: &Context<'_, T>,
        x: &Var<T>,
        epilogue: &Epilogue<T>,
        shard: Arc<dyn Shard>,
    ) -> Option<(Var<T>, Moments<T>)> {
        let [gamma, beta] = self.weights.values(context, epilogue);
        let (how, mut moments) = (self.how.relu(epilogue.relu), None);
        let y = self.features.as_channels(x, |x| {
            let Some((found, count)) = moments_of_batch(x.value(), &*shard) else { return x.clone() };
            let means = move |sums| means_of_batch(sums, count, &*shard);
            let y = x.standardize_with(&gamma, &beta, &found, &how, means);
            moments = Some(found);
            y
        });
        Some((y, moments?))
    }

    /// The layer of this computation alone.
    pub fn layer<T: Float>(self, build: &Build<'_, T>) -> Result<Built<T>> {
        let supports = if self.features.are_channels() { Supports::ELEMENTWISE } else { Supports::NOTHING };
        Ok(Built::with_epilogue(build.input()?, supports, move |context, x, epilogue| {
            self.compute(context, x, epilogue).0
        }))
    }
}

/// The moments of the channels of the whole batch, of which x is a shard, and the number of elements that each channel has in it. `None`
/// if there are none.
fn moments_of_batch<T: Float>(x: &Tensor<T>, shard: &dyn Shard) -> Option<(Moments<T>, f64)> {
    let own = x.channel_moments();
    let channels = own.mean.size();
    let count = (x.size() / channels.max(1)) as f64;
    // The moments of no elements are NaN.
    let number = |of_one: T, factor: f64| if count == 0.0 { 0.0 } else { of_one.as_f64() * factor };
    let mut numbers = vec![count];
    numbers.extend(own.mean.iter().map(|mean| number(mean, 1.0)));
    numbers.extend(own.variance.iter().map(|variance| number(variance, count)));
    let merged = shard.merge(numbers, merge_moments);
    let (count, (means, squares)) = (merged[0], merged[1..].split_at(channels));
    let tensor = |numbers: &[f64], divisor: f64| numbers.iter().map(|number| T::of(number / divisor)).collect();
    (count > 0.0).then(|| (Moments { mean: tensor(means, 1.0), variance: tensor(squares, count) }, count))
}

/// Merges moments: the count, then the mean of each channel, then the sum of the squared distances from it. Chan, Golub and LeVeque 1983,
/// "Algorithms for computing the sample variance", formula 2.1.
#[allow(clippy::ptr_arg)] // It is a `Merge`.
fn merge_moments(left: &mut Vec<f64>, right: &[f64]) {
    assert_eq!(left.len(), right.len(), "the shards of a batch have come to different merges");
    let (counts, channels) = ([left[0], right[0]], (left.len() - 1) / 2);
    let count = counts[0] + counts[1];
    if count == 0.0 {
        return;
    }
    left[0] = count;
    for channel in 1..=channels {
        let away = right[channel] - left[channel];
        left[channel] += away * (counts[1] / count);
        left[channels + channel] += right[channels + channel] + away * away * (counts[0] * counts[1] / count);
    }
}

/// The sums of all shards, each over the number of elements that a channel has in the batch.
fn means_of_batch<T: Float>([sums, products]: [Tensor<T>; 2], count: f64, shard: &dyn Shard) -> [Tensor<T>; 2] {
    let numbers = sums.iter().chain(products.iter()).map(T::as_f64).collect();
    let merged = shard.merge(numbers, add);
    let (sums, products) = merged.split_at(sums.size());
    [sums, products].map(|sums| sums.iter().map(|sum| T::of(sum / count)).collect())
}
