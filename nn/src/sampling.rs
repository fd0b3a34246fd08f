//! The choice of the next id from a network's logits: the largest, or drawn by temperature, top k and top p.

use gradus_tensor::{Float, Generator, Tensor};

use crate::error::{Error, Result};

/// How the next id is chosen from logits, one for each id.
///
/// Logits are divided by the temperature; then the `top_k` largest stay, and of these the fewest whose probabilities add up to
/// `top_p` (nucleus sampling, Holtzman et al., arXiv:1904.09751); one of the rest is drawn by its probability.
///
/// ```
/// use gradus_nn::Sampler;
/// use gradus_tensor::{Generator, Tensor};
/// // A "network" that always expects the id after the last one, of five.
/// let step = |ids: &[i64]| {
///     let next = (ids[ids.len() - 1] + 1) % 5;
///     Ok(Tensor::<i64>::arange(0, 5, 1).equal(next).to::<f32>() * 9.0)
/// };
/// let mut generator = Generator::new(42);
/// assert_eq!(Sampler::greedy().generate(&[2], 4, None, &mut generator, step)?, [2, 3, 4, 0, 1]);
/// // The id 0 ends the sequence.
/// let drawn = Sampler::random().temperature(0.7).top_k(2).top_p(0.9);
/// assert_eq!(drawn.generate(&[2], 9, Some(0), &mut generator, step)?, [2, 3, 4, 0]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[doc(alias("GreedySampler", "RandomSampler", "TopKSampler", "TopPSampler", "nucleus"))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    /// 0 for the largest logit.
    temperature: f64,
    top_k: Option<usize>,
    top_p: Option<f64>,
}

impl Sampler {
    /// The id of the largest logit; the first one of several.
    pub fn greedy() -> Self {
        Sampler { temperature: 0.0, top_k: None, top_p: None }
    }

    /// Any id, drawn by its probability.
    pub fn random() -> Self {
        Sampler { temperature: 1.0, top_k: None, top_p: None }
    }

    /// Sets the temperature, by which logits are divided: below 1 likely ids are drawn more often, above 1 less often. At 0
    /// the choice is greedy.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    pub fn temperature(self, temperature: f64) -> Self {
        let fits = temperature >= 0.0 && temperature.is_finite();
        assert!(fits, "temperature: it must be 0 or more and finite: {temperature}");
        Sampler { temperature, ..self }
    }

    /// Only the `k` ids with the largest logits are drawn.
    ///
    /// ```
    /// use gradus_nn::Sampler;
    /// use gradus_tensor::{Generator, Tensor};
    /// let (logits, mut generator) = (Tensor::new([0.0, 3.0, 2.5, 1.0]), Generator::new(1));
    /// let id = Sampler::random().top_k(2).pick(&logits, &mut generator)?;
    /// assert!(id == 1 || id == 2);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    ///
    /// # Panics
    /// If `k` is 0.
    #[track_caller]
    pub fn top_k(self, k: usize) -> Self {
        assert!(k > 0, "top_k: at least one id must be left: 0");
        Sampler { top_k: Some(k), ..self }
    }

    /// Only the likeliest ids are drawn, as many as it takes for their probabilities to add up to `p`.
    ///
    /// ```
    /// use gradus_nn::Sampler;
    /// use gradus_tensor::{Generator, Tensor};
    /// // Probabilities of 0.5, 0.3 and 0.2: the first two are needed for 0.7.
    /// let (logits, mut generator) = (Tensor::new([0.5, 0.3, 0.2]).ln(), Generator::new(1));
    /// assert!(Sampler::random().top_p(0.7).pick(&logits, &mut generator)? < 2);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    ///
    /// # Panics
    /// Unless 0 < `p` <= 1.
    #[track_caller]
    pub fn top_p(self, p: f64) -> Self {
        assert!(p > 0.0 && p <= 1.0, "top_p: it must be above 0 and at most 1: {p}");
        Sampler { top_p: Some(p), ..self }
    }

    /// The next id, from the logits of all ids, `[vocabulary]`.
    ///
    /// # Errors
    /// If a logit is NaN, or there is none above minus infinity.
    pub fn pick<T: Float>(&self, logits: &Tensor<T>, generator: &mut Generator) -> Result<usize> {
        let is_greedy = self.temperature == 0.0;
        let ranked = best(logits, if is_greedy { 1 } else { self.top_k.unwrap_or(usize::MAX) })?;
        if is_greedy {
            return Ok(ranked[0].0);
        }
        let largest = ranked[0].1;
        let mut weights: Vec<f64> = ranked.iter().map(|(_, logit)| weight(*logit, largest, self.temperature)).collect();
        if let Some(p) = self.top_p {
            let enough = p * weights.iter().sum::<f64>();
            let mut sum = 0.0;
            let more = weights.iter().position(|weight| {
                sum += weight;
                sum >= enough
            });
            weights.truncate(more.map_or(weights.len(), |last| last + 1));
        }
        let mut rest = generator.next_f64() * weights.iter().sum::<f64>();
        let drawn = weights.iter().position(|weight| {
            rest -= weight;
            rest < 0.0
        });
        // Rounding may leave a little behind the last one.
        Ok(ranked[drawn.unwrap_or(weights.len() - 1)].0)
    }

    /// The prompt, and up to `count` ids chosen one after the other. `step` gives the logits `[vocabulary]` of the id after a
    /// sequence; with the id `end` the sequence ends. A network that reads the prompt needs at least one id, such as one that stands
    /// for the start.
    ///
    /// # Errors
    /// What `step` finds wrong, and if its logits are NaN or all minus infinity.
    pub fn generate<T: Float>(
        &self,
        prompt: &[i64],
        count: usize,
        end: Option<i64>,
        generator: &mut Generator,
        mut step: impl FnMut(&[i64]) -> Result<Tensor<T>>,
    ) -> Result<Vec<i64>> {
        let mut ids = prompt.to_vec();
        for _ in 0..count {
            let next = self.pick(&step(&ids)?, generator)? as i64;
            ids.push(next);
            if Some(next) == end {
                break;
            }
        }
        Ok(ids)
    }
}

/// e^((logit - largest) / temperature), 1 for an infinite logit.
fn weight(logit: f64, largest: f64, temperature: f64) -> f64 {
    if logit == largest { 1.0 } else { ((logit - largest) / temperature).exp() }
}

/// So many ids with their logits, or all if there are fewer: the largest first, ids of equal logits in order.
pub(crate) fn best<T: Float>(logits: &Tensor<T>, count: usize) -> Result<Vec<(usize, f64)>> {
    if logits.ndim() != 1 {
        let problem = format!("logits have the shape {}, [vocabulary] is needed", logits.shape());
        return Err(Error::new("sampling", problem, "give the logits of the last position alone"));
    }
    let mut ranked: Vec<(usize, f64)> = logits.iter().map(T::as_f64).enumerate().collect();
    if let Some((id, _)) = ranked.iter().find(|(_, logit)| logit.is_nan()) {
        let problem = format!("the logit of id {id} is NaN");
        return Err(Error::new("sampling", problem, "look for a loss that was not finite in training"));
    }
    let order = |(i, a): &(usize, f64), (j, b): &(usize, f64)| b.total_cmp(a).then(i.cmp(j));
    if count < ranked.len() {
        // A vocabulary need not be sorted for its best few.
        ranked.select_nth_unstable_by(count, order);
        ranked.truncate(count);
    }
    ranked.sort_unstable_by(order);
    if ranked.first().is_none_or(|(_, logit)| *logit == f64::NEG_INFINITY) {
        let problem = "no id has a logit above minus infinity";
        return Err(Error::new("sampling", problem, "leave at least one id that may come next"));
    }
    Ok(ranked)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Logarithms of these probabilities, so that shares can be computed by hand.
    fn logits(probabilities: &[f64]) -> Tensor<f64> {
        probabilities.iter().map(|p| p.ln()).collect()
    }

    /// How often each id is drawn, in parts of all.
    fn shares(sampler: Sampler, probabilities: &[f64]) -> Vec<f64> {
        const DRAWS: usize = 20_000;
        let (logits, mut generator) = (logits(probabilities), Generator::new(5));
        let mut counts = vec![0.0; probabilities.len()];
        for _ in 0..DRAWS {
            counts[sampler.pick(&logits, &mut generator).unwrap()] += 1.0 / DRAWS as f64;
        }
        counts
    }

    #[track_caller]
    fn near(found: &[f64], expected: &[f64]) {
        // Four standard deviations of a share of a half are 0.014.
        let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.015 && (*b > 0.0 || *a == 0.0));
        assert!(near, "{found:?}, not {expected:?}");
    }

    #[test]
    fn the_best_few_are_the_first_of_all() {
        let logits = Tensor::from([2.0, -1.0, 2.0, f64::NEG_INFINITY, 3.0, 2.0, 0.0]);
        let all = best(&logits, usize::MAX).unwrap();
        assert_eq!(all.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [4, 0, 2, 5, 6, 1, 3]);
        for count in 1..9 {
            assert_eq!(best(&logits, count).unwrap(), all[..count.min(7)]);
        }
    }

    #[test]
    fn shares_are_those_by_hand() {
        let p = [0.1, 0.4, 0.2, 0.3];
        near(&shares(Sampler::random(), &p), &p);
        near(&shares(Sampler::greedy(), &p), &[0.0, 1.0, 0.0, 0.0]);
        near(&shares(Sampler::random().temperature(0.0), &p), &[0.0, 1.0, 0.0, 0.0]);
        // The two largest: 4 to 3.
        near(&shares(Sampler::random().top_k(2), &p), &[0.0, 4.0 / 7.0, 0.0, 3.0 / 7.0]);
        near(&shares(Sampler::random().top_k(9), &p), &p);
        // 0.4 + 0.3 < 0.8 <= 0.4 + 0.3 + 0.2.
        near(&shares(Sampler::random().top_p(0.8), &p), &[0.0, 4.0 / 9.0, 2.0 / 9.0, 3.0 / 9.0]);
        near(&shares(Sampler::random().top_p(1e-9), &p), &[0.0, 1.0, 0.0, 0.0]);
        near(&shares(Sampler::random().top_p(1.0), &p), &p);
        // At a temperature of 1/2 probabilities are squared: 1, 16, 4 and 9 of 30. Of these 25/30 is the nucleus of 0.8.
        near(&shares(Sampler::random().temperature(0.5), &p), &[1.0 / 30.0, 16.0 / 30.0, 4.0 / 30.0, 9.0 / 30.0]);
        let nucleus = Sampler::random().temperature(0.5).top_p(0.8);
        near(&shares(nucleus, &p), &[0.0, 16.0 / 25.0, 0.0, 9.0 / 25.0]);
        // The share of the nucleus is that of what top k leaves: 0.4 of 0.7 is enough for a half.
        near(&shares(Sampler::random().top_k(2).top_p(0.5), &p), &[0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn infinite_logits_and_equal_ones() {
        let mut generator = Generator::new(1);
        let mut pick = |sampler: Sampler, logits: &[f32]| sampler.pick(&Tensor::from(logits.to_vec()), &mut generator);
        let inf = f32::INFINITY;
        assert_eq!(pick(Sampler::random(), &[0.0, inf, 3.0]).unwrap(), 1);
        assert_eq!(pick(Sampler::random(), &[-inf, -inf, -7.0]).unwrap(), 2);
        assert_eq!(pick(Sampler::greedy(), &[1.0, 3.0, 3.0]).unwrap(), 1);
        let nan = pick(Sampler::greedy(), &[1.0, f32::NAN]).unwrap_err().to_string();
        assert!(nan.contains("the logit of id 1 is NaN"), "{nan}");
        assert!(pick(Sampler::random(), &[-inf]).is_err() && pick(Sampler::random(), &[]).is_err());
    }

    #[test]
    fn the_same_seed_draws_the_same_sequence() {
        let step = |ids: &[i64]| Ok(Tensor::<f64>::linspace(0.0, ids.len() as f64 % 3.0, 50));
        let draw = |seed| Sampler::random().generate(&[1], 30, None, &mut Generator::new(seed), step).unwrap();
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
        let failing = |_: &[i64]| Err::<Tensor, _>(Error::new("step", "no", "try again"));
        assert!(Sampler::greedy().generate(&[], 1, None, &mut Generator::new(0), failing).is_err());
    }
}
