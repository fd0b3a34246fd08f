use gradus_tensor::{Float, Shape, Tensor};

use super::*;
use crate::rule::{Rule, Slot, Weight};
use crate::transform::has_part_of;

options! {
    /// Muon: steps of matrices whose singular values are all about 1, by the momentum of [`Sgd`]; [`Adam`] for all other weights.
    ///
    /// m = momentum m + g; of u = g + momentum m with the singular value decomposition U S Vᵀ it takes U Vᵀ:
    /// p -= lr rms_rate sqrt(max(rows, columns)) U Vᵀ. So a step goes as far along the directions in which gradients are small as
    /// along those in which they are large. It computes no decomposition: `ns_steps` times X = a X + b (X Xᵀ) X + c (X Xᵀ)² X with
    /// a, b, c = 3.4445, -4.775, 2.0315 (a Newton-Schulz iteration), from X = u / |u|, bring all but the smallest singular values
    /// to between 0.7 and 1.2.
    ///
    /// Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; the length of a step, which goes with the
    /// learning rates and decays of Adam, is that of Liu et al. 2025, "Muon is Scalable for LLM Training", arXiv:2502.16982.
    ///
    /// Adam computes the steps of vectors, biases, tables of embeddings (weights whose own names are `bias` and `embeddings`) and
    /// of [excluded](Muon::exclude_layers) layers. A weight of more than two axes is the matrix closest to a square that joins its
    /// first axes and its last ones: a kernel `[3, 3, 64, 128]` is one of 576 by 128, that of an attention `[256, 8, 32]` one of 256
    /// by 256. (In Keras's Muon, Adam computes these, and a bias of two axes, as a GRU has, is a matrix.)
    ///
    /// Slots: `momentum`, or those of Adam. Learning rate: 0.001. Weight decay: 0.004, of all weights.
    ///
    /// ```
    /// use gradus_optim::{Adam, IntoOptimizer, Muon, OneCycle, Optimizer};
    /// // The last layer, here "9", gives logits: its columns are classes, as the rows of a table are ids.
    /// let muon = Muon::default().exclude_layers(["9"]).adam(Adam::default().beta_2(0.99));
    /// let optimizer: Optimizer<Muon> = muon.learning_rate(OneCycle::new(0.003, 5000));
    /// ```
    pub struct Muon {
        /// The share of itself that the sum of the gradients keeps at each step; 0.95 by default.
        ///
        /// # Panics
        /// Unless 0 <= `momentum` < 1.
        #[check(fraction)]
        momentum: f64 = 0.95,
        /// Whether u looks a step ahead, as by default; else it is m itself.
        nesterov: bool = true,
        /// How many times the iteration is computed; 5 by default.
        ns_steps: usize = 5,
        /// The root of the mean of the squares of a step's elements, for a learning rate of 1; 0.2 by default, as Adam's are.
        ///
        /// # Panics
        /// If it is not greater than 0.
        #[check(positive)]
        rms_rate: f64 = 0.2,
        /// The rule of the weights that are no matrices.
        adam: Adam = Adam::default(),
        /// Its learning rate, divided by that of the matrices; 1 by default.
        ///
        /// # Panics
        /// If it is negative or not finite.
        #[check(not_negative)]
        adam_lr_ratio: f64 = 1.0,
        /// The layers whose weights are no matrices: those that have one of these names as a part of their path, such as the last
        /// layer of a classifier.
        exclude_layers: Vec<String> = Vec::new(),
    }
}

impl Muon {
    fn sgd(&self) -> Sgd {
        Sgd::default().momentum(self.momentum).nesterov(self.nesterov)
    }

    /// The numbers of rows and columns, if the weight is a matrix.
    fn matrix(&self, path: &str, shape: &Shape) -> Option<[usize; 2]> {
        let name = path.rsplit('/').next();
        if matches!(name, Some("bias" | "embeddings")) || has_part_of(path, &self.exclude_layers) {
            return None;
        }
        let cuts = (1..shape.len()).map(|cut| [&shape[..cut], &shape[cut..]].map(|axes| axes.iter().product()));
        cuts.min_by_key(|[rows, columns]: &[usize; 2]| rows.max(columns) / rows.min(columns).max(&1))
    }
}

impl Rule for Muon {
    const LEARNING_RATE: f64 = 0.001;
    const WEIGHT_DECAY: f64 = <AdamW as Rule>::WEIGHT_DECAY;

    fn slots(&self, path: &str, shape: &Shape) -> Vec<Slot> {
        match self.matrix(path, shape) {
            Some(_) => self.sgd().slots(path, shape),
            None => self.adam.slots(path, shape),
        }
    }

    fn apply<T: Float>(&self, step: u64, learning_rate: f64, weight: Weight<'_, T>) {
        let path = weight.path();
        let Some([rows, columns]) = self.matrix(path, weight.shape()) else {
            return self.adam.apply(step, learning_rate * self.adam_lr_ratio, weight);
        };
        let (value, gradient, slots) = weight.transformed();
        // A step of SGD from 0 at a learning rate of 1 is -u.
        let mut direction = value.zeros_like();
        self.sgd().apply(step, 1.0, Weight::new(path, &mut direction, &gradient, slots));
        let direction = orthogonalized(direction.reshape([rows, columns]), self.ns_steps);
        let length = self.rms_rate * (rows.max(columns) as f64).sqrt();
        *value += direction.reshape(value.shape()) * T::of(learning_rate * length);
    }
}

/// A matrix with about the same singular vectors, and singular values of about 1.
fn orthogonalized<T: Float>(matrix: Tensor<T>, steps: usize) -> Tensor<T> {
    let [a, b, c] = [3.4445, -4.775, 2.0315].map(T::of);
    // In two factors, since 1 / |u| may be below the least number.
    let factor = T::of((matrix.norm_f64() + 1e-7).sqrt().recip());
    let mut x = matrix * factor * factor;
    let is_wide = x.shape()[0] <= x.shape()[1];
    let unit = Tensor::eye(x.shape()[0].min(x.shape()[1])) * a;
    for _ in 0..steps {
        let square = if is_wide { x.matmul(&x.t()) } else { x.t().matmul(&x) };
        let factor = &unit + square.matmul(&square) * c + square * b;
        x = if is_wide { factor.matmul(&x) } else { x.matmul(&factor) };
    }
    x
}
