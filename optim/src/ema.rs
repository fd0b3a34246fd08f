//! Moving averages of weights.

use gradus_tensor::{Float, Tensor, update};

/// How weights are averaged over the steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ema {
    /// The share of itself that an average keeps at each step.
    pub momentum: f64,
    /// The number of steps after which weights become their averages, again and again.
    pub overwrite_frequency: Option<u64>,
}

impl Ema {
    /// Takes a weight, as it is after a step, into its average. The first one is the average.
    pub fn update<T: Float>(self, average: &mut Option<Tensor<T>>, weight: &Tensor<T>) {
        let Some(average) = average else {
            *average = Some(weight.clone());
            return;
        };
        let (keep, take) = (T::of(self.momentum), T::of(1.0 - self.momentum));
        update(
            average,
            weight,
            &mut [],
            #[inline(always)]
            |averages: &mut [T], weights: &[T], []: [&mut [T]; 0]| {
                for (average, &weight) in averages.iter_mut().zip(weights) {
                    *average = keep * *average + take * weight;
                }
            },
        );
    }

    /// Whether weights become their averages after this step, counted from 1.
    pub fn overwrites(self, step: u64) -> bool {
        self.overwrite_frequency.is_some_and(|frequency| step.is_multiple_of(frequency))
    }
}
