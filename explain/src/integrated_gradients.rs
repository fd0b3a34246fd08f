//! Attributions by the gradients along a path.

use gradus_autograd::Var;
use gradus_nn::{Error, Model, Observer, Result};
use gradus_tensor::{Columns, Float, Tensor};

use crate::attributions::{Attribution, Attributions};
use crate::sources::sources;
use crate::target::{Settled, Target};

/// Integrated gradients: (x_i - b_i) times the mean of df/dx_i on the straight line from a baseline b to the input x. Sundararajan et
/// al. 2017, "Axiomatic Attribution for Deep Networks", arXiv:1703.01365.
///
/// The attributions sum up to f(x) - f(b), as far as the mean over some steps is that over the line; [`Integrated::gaps`] says what is
/// missing. Of ids the line is that of the vectors which an `Embedding` makes of them. The baseline is 0 unless one is given.
///
/// ```
/// use gradus_explain::{IntegratedGradients, Target};
/// use gradus_nn::{Activation, Dense, Model, Sequential};
/// use gradus_tensor::Tensor;
/// let network = Sequential::new().add(Dense::new(8).activation(Activation::Tanh)).add(Dense::new(1));
/// let model = Model::build(network, [3], 42)?;
/// let explained = IntegratedGradients::new().explain(&model, Tensor::new([[2.0, -1.0, 0.5]]), &Target::predicted())?;
/// assert!(explained.gaps().abs().max(..).item() < 1e-3);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct IntegratedGradients<T: Float = f32> {
    steps: usize,
    rule: Rule,
    baselines: Vec<(Option<String>, Tensor<T>)>,
}

/// How the mean over the line is taken from gradients at some places of it.
///
/// ```
/// use gradus_explain::{IntegratedGradients, Rule, Target};
/// use gradus_nn::{Dense, Model, Sequential};
/// use gradus_tensor::Tensor;
/// let model = Model::build(Sequential::new().add(Dense::new(1)), [2], 42)?;
/// let by_ends = IntegratedGradients::new().steps(4).rule(Rule::Trapezoid);
/// let explained = by_ends.explain(&model, Tensor::new([[2.0, -1.0]]), &Target::predicted())?;
/// // The gradient of a line is the same everywhere, so every rule is exact.
/// assert!(explained.gaps().abs().max(..).item() < 1e-5);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// The middles of the steps, each as much as the others.
    #[default]
    Midpoint,
    /// The ends of the steps; the first and the last half as much as the others. It takes one gradient more.
    Trapezoid,
}

impl Rule {
    /// The places from 0 to 1, and the weight of each; the weights sum up to 1.
    fn places(self, steps: usize) -> Vec<(f64, f64)> {
        let all = steps as f64;
        match self {
            Rule::Midpoint => (0..steps).map(|step| ((step as f64 + 0.5) / all, 1.0 / all)).collect(),
            Rule::Trapezoid => {
                let weight = |step: usize| if step == 0 || step == steps { 0.5 / all } else { 1.0 / all };
                (0..=steps).map(|step| (step as f64 / all, weight(step))).collect()
            }
        }
    }
}

/// The attributions of [`IntegratedGradients`], and what they should sum up to.
///
/// ```
/// use gradus_explain::{IntegratedGradients, Target};
/// use gradus_nn::{Dense, Model, Sequential};
/// use gradus_tensor::Tensor;
/// let model = Model::build(Sequential::new().add(Dense::new(1)), [2], 42)?;
/// let explained = IntegratedGradients::new().explain(&model, Tensor::new([[2.0, -1.0]]), &Target::predicted())?;
/// // At the baseline, which is 0, the model gives its bias.
/// assert_eq!(explained.baseline_numbers.to_vec(), [0.0]);
/// assert_eq!(explained.attributions.values().shape(), &[1, 2]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Integrated<T: Float = f32> {
    /// The attributions.
    pub attributions: Attributions<T>,
    /// The numbers of the baseline, `[n]`.
    pub baseline_numbers: Tensor<T>,
}

impl<T: Float> Integrated<T> {
    /// f(x) - f(b) - the sum of the attributions, of each sample, `[n]`. More steps make it smaller.
    pub fn gaps(&self) -> Tensor<T> {
        &self.attributions.numbers - &self.baseline_numbers - self.attributions.sums()
    }
}

impl<T: Float> IntegratedGradients<T> {
    /// From a baseline of 0, by 50 steps.
    pub fn new() -> Self {
        IntegratedGradients { steps: 50, rule: Rule::Midpoint, baselines: Vec::new() }
    }

    /// How many steps the line has; 50 by default.
    ///
    /// # Panics
    /// If there are none.
    #[track_caller]
    pub fn steps(self, steps: usize) -> Self {
        assert!(steps > 0, "steps: the line has at least one step, found 0");
        IntegratedGradients { steps, ..self }
    }

    /// How the mean over the line is taken; from the middles of the steps by default.
    pub fn rule(self, rule: Rule) -> Self {
        IntegratedGradients { rule, ..self }
    }

    /// The input that stands for nothing, in the inputs' shape or one that is broadcast to it: a black picture, the mean of a
    /// column. Of a model of several inputs it is that of all.
    pub fn baseline(mut self, baseline: impl Into<Tensor<T>>) -> Self {
        self.baselines.push((None, baseline.into()));
        self
    }

    /// The baseline of the input of this name, or of the layer at this path, in which ids become vectors.
    pub fn baseline_of(mut self, path: &str, baseline: impl Into<Tensor<T>>) -> Self {
        self.baselines.push((Some(path.to_owned()), baseline.into()));
        self
    }

    /// Explains each sample of a batch.
    ///
    /// # Errors
    /// If the inputs are none of the model's, the target is none of its outputs, or a baseline has another shape.
    pub fn explain(&self, model: &Model<T>, inputs: impl Into<Columns>, target: &Target<T>) -> Result<Integrated<T>> {
        const OP: &str = "IntegratedGradients";
        let inputs = &inputs.into();
        let settled = target.settle(OP, model, inputs)?;
        let paths = sources(OP, model, inputs)?;
        if let Some(unknown) = self.baselines.iter().flat_map(|(path, _)| path).find(|path| !paths.contains(path)) {
            let problem = format!("there is a baseline of {unknown:?}, attributions are at {}", paths.join(", "));
            return Err(Error::new(OP, problem, "name one of these"));
        }
        let observer = model.observer().of(paths.iter().map(String::as_str));
        let (outputs, seen) = observer.predict_all(inputs)?;
        let mut lines = Vec::new();
        for observed in seen.into_iter().filter(|observed| observed.output == 0) {
            let from = self.baseline_at(&observed.path, &observed.value)?;
            let along = &observed.value - &from;
            lines.push(Line { path: observed.path, from, along, mask: observed.mask });
        }
        let numbers = |outputs: Vec<Tensor<T>>| {
            let outputs: Vec<Var<T>> = outputs.into_iter().map(Var::from).collect();
            settled.numbers(&outputs, 1).into_value()
        };
        let (at_baseline, _) = at(&model.observer().of([]), &lines, 0.0).predict_all(inputs)?;
        let mut sums: Vec<Tensor<T>> = lines.iter().map(|line| line.along.zeros_like()).collect();
        for (place, weight) in self.rule.places(self.steps) {
            let gradients = gradients(&at(&observer, &lines, place), inputs, &settled, &lines)?;
            for (sum, gradient) in sums.iter_mut().zip(gradients).filter_map(|(sum, gradient)| Some((sum, gradient?))) {
                *sum += gradient * T::of(weight);
            }
        }
        let of_line = |(line, mean): (Line<T>, Tensor<T>)| {
            let Line { path, along, mask, .. } = line;
            Attribution { path, values: along * mean, mask }
        };
        let (numbers, baseline_numbers) = (numbers(outputs), numbers(at_baseline));
        let list = lines.into_iter().zip(sums).map(of_line).collect();
        Ok(Integrated { attributions: Attributions { explained: settled.names, numbers, list }, baseline_numbers })
    }

    /// The baseline at a place, in the shape of its value.
    fn baseline_at(&self, path: &str, value: &Tensor<T>) -> Result<Tensor<T>> {
        let own = |of: &Option<String>| of.as_deref() == Some(path);
        let given = self.baselines.iter().rev().find(|(of, _)| own(of));
        let given = given.or_else(|| self.baselines.iter().rev().find(|(of, _)| of.is_none()));
        let Some((_, baseline)) = given else { return Ok(value.zeros_like()) };
        baseline.try_broadcast_to(value.shape()).map_err(|_| {
            let problem =
                format!("the baseline of {path:?} has the shape {}, its value {}", baseline.shape(), value.shape());
            Error::new("IntegratedGradients", problem, "give a baseline of this shape, or one that is broadcast to it")
        })
    }
}

impl<T: Float> Default for IntegratedGradients<T> {
    fn default() -> Self {
        IntegratedGradients::new()
    }
}

/// The line from the baseline to the value at one place.
struct Line<T: Float> {
    path: String,
    from: Tensor<T>,
    along: Tensor<T>,
    mask: Option<Tensor<bool>>,
}

/// The observer of a network that is given what lies at this place of the lines, from 0 to 1.
fn at<'a, T: Float>(observer: &Observer<'a, T>, lines: &[Line<T>], place: f64) -> Observer<'a, T> {
    lines.iter().fold(observer.clone(), |observer, Line { path, from, along, .. }| {
        observer.replace(path, from + along * T::of(place))
    })
}

/// The gradient at each line.
fn gradients<T: Float>(
    observer: &Observer<'_, T>,
    inputs: &Columns,
    settled: &Settled<T>,
    lines: &[Line<T>],
) -> Result<Vec<Option<Tensor<T>>>> {
    let (_, seen) = settled.differentiate(observer, inputs)?;
    Ok(lines.iter().map(|line| seen[&line.path].gradient.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_integrate_lines_exactly() {
        // The mean of 3 t + 1 from 0 to 1 is 2.5; that of t^2 is 1/3, which they meet up to 1/24 h^2 and 1/12 h^2 times 2.
        for (rule, error) in [(Rule::Midpoint, -1.0 / 12.0), (Rule::Trapezoid, 1.0 / 6.0)] {
            let mean = |f: fn(f64) -> f64| rule.places(4).iter().map(|(t, weight)| weight * f(*t)).sum::<f64>();
            assert!((mean(|t| 3.0 * t + 1.0) - 2.5).abs() < 1e-15);
            assert!((mean(|t| t * t) - (1.0 / 3.0 + error / 16.0)).abs() < 1e-15);
        }
    }
}
