use gradus_tensor::{Float, Math, Shape, Tensor, keepdims};

use super::*;
use crate::rule::{Rule, Slot, Weight};

options! {
    /// Adafactor: steps by the weight's own size, with an average of g² that is kept for rows and columns only:
    /// p -= max(epsilon_2, rms(p)) min(lr, 1 / sqrt(t)) û.
    ///
    /// û is u = g / sqrt(v), divided by max(1, rms(u) / clip_threshold); rms(x) is the root of the mean of x². For a weight
    /// of two or more axes, v = r c / mean(r), where r and c are moving averages of g² + epsilon_1, the means along the last
    /// axis and along the one before it; else v is that moving average itself. The averages keep 1 - t^beta_2_decay of
    /// themselves.
    ///
    /// Shazeer and Stern 2018, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", algorithms 4 to 6, with the
    /// step size of Keras (the paper: min(0.01, 1 / sqrt(t))). A matrix of m by n elements needs m + n numbers, not 2 m n as
    /// for Adam.
    ///
    /// Slots: `row_average` and `column_average`, or `velocity` for fewer than two axes. Learning rate: 0.001.
    ///
    /// ```
    /// use gradus_autograd::{Grads, Params};
    /// use gradus_optim::{Adafactor, IntoOptimizer};
    /// use gradus_tensor::Tensor;
    /// let mut params = Params::new();
    /// params.add("w", Tensor::full([4, 3], 2.0));
    /// let mut optimizer = Adafactor::default().learning_rate(0.125);
    /// optimizer.step(&mut params, &Grads::from_iter([Some(Tensor::full([4, 3], 0.1))]));
    /// // The first step is the learning rate times the weight's rms, 2.
    /// assert!(params[0].value.allclose(&Tensor::full([4, 3], 1.75), 1e-5, 0.0));
    /// // 4 + 3 numbers for 12 elements.
    /// assert_eq!(optimizer.state().slots.iter().map(|(_, slot)| slot.size()).sum::<usize>(), 7);
    /// ```
    pub struct Adafactor {
        /// The power of the step number that the averages do not keep of themselves; -0.8 by default.
        ///
        /// # Panics
        /// If it is greater than 0 or not finite.
        #[check(not_positive)]
        beta_2_decay: f64 = -0.8,
        /// The number added to squared gradients, which keeps the division away from 0; 1e-30 by default.
        ///
        /// # Panics
        /// If it is negative or not finite.
        #[check(not_negative)]
        epsilon_1: f64 = 1e-30,
        /// The least size of a weight that a step is relative to; 0.001 by default.
        ///
        /// # Panics
        /// If it is negative or not finite.
        #[check(not_negative)]
        epsilon_2: f64 = 1e-3,
        /// The largest rms of u; 1 by default.
        ///
        /// # Panics
        /// If it is not greater than 0.
        #[check(positive)]
        clip_threshold: f64 = 1.0,
    }
}

impl Rule for Adafactor {
    const LEARNING_RATE: f64 = 0.001;

    fn slots(&self, _: &str, shape: &Shape) -> Vec<Slot> {
        match &shape[..] {
            [leading @ .., rows, columns] => vec![
                Slot::zeros("row_average", [leading, &[*rows]].concat()),
                Slot::zeros("column_average", [leading, &[*columns]].concat()),
            ],
            _ => vec![Slot::zeros("velocity", shape)],
        }
    }

    fn apply<T: Float>(&self, step: u64, learning_rate: f64, weight: Weight<'_, T>) {
        let (value, mut gradient, slots) = weight.transformed();
        let take = (step as f64).powf(self.beta_2_decay);
        let average = |slot: &mut Tensor<T>, x: Tensor<T>| {
            *slot *= T::of(1.0 - take);
            *slot += x * T::of(take);
        };
        let mut means = self.means(&gradient, slots.len());
        // An infinite square would stay in the averages, and the weight would never move again.
        if means.iter().any(|mean| !mean.sum(..).item().is_finite())
            && let Some(scaled) = with_finite_squares(&gradient)
        {
            gradient = scaled;
            means = self.means(&gradient, slots.len());
        }
        slots.iter_mut().zip(means).for_each(|(slot, mean)| average(slot, mean));
        let direction = match slots {
            // Root by root: where a row and a column had no gradient yet, r c is less than the least f32.
            [rows, columns] => {
                let by_columns = gradient / columns.sqrt().unsqueeze(-2);
                by_columns * rows.mean(keepdims(-1)).sqrt().unsqueeze(-1) / rows.sqrt().unsqueeze(-1)
            }
            [velocity] => gradient / velocity.sqrt(),
            _ => unreachable!("one slot, or one for rows and one for columns"),
        };
        let clip = (rms(&direction) / self.clip_threshold).max(1.0);
        let size = rms(value).max(self.epsilon_2) * learning_rate.min((step as f64).sqrt().recip());
        *value -= direction * T::of(size / clip);
    }
}

impl Adafactor {
    /// The means of g² + epsilon_1 along the last axis and along the one before it, for two slots; for one slot g² + epsilon_1
    /// itself.
    fn means<T: Float>(&self, gradient: &Tensor<T>, slots: usize) -> Vec<Tensor<T>> {
        let squares = gradient.square() + T::of(self.epsilon_1);
        if slots == 1 { vec![squares] } else { vec![squares.mean(-1), squares.mean(-2)] }
    }
}

/// The gradient times a number that makes the sum of its squares finite; `None` if an element is not finite. The step does
/// not depend on such a number, but for what the averages hold of the steps before.
fn with_finite_squares<T: Float>(gradient: &Tensor<T>) -> Option<Tensor<T>> {
    let largest = gradient.abs().max(..).item();
    let most = Math::sqrt(T::max_value() / T::of(4.0 * gradient.size() as f64));
    (largest.is_finite() && largest > most).then(|| gradient * (most / largest))
}

/// The root of the mean of the squares.
fn rms<T: Float>(x: &Tensor<T>) -> f64 {
    let squares = x.square().mean(..).item();
    if squares.is_finite() && squares > T::min_positive_value() / T::epsilon() {
        return squares.as_f64().sqrt();
    }
    x.norm_f64() / (x.size() as f64).sqrt()
}
