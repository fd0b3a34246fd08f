//! How numbers are spread, as TensorBoard draws it.

use gradus_tensor::Tensor;

use super::message::Message;

/// The number of buckets of a histogram, Keras's.
const BUCKETS: usize = 30;

/// How many numbers lie in each of 30 buckets of one width, from the least to the greatest. Numbers that are not finite lie in
/// none.
#[derive(Debug, PartialEq)]
pub(super) struct Histogram {
    min: f64,
    max: f64,
    sum: f64,
    sum_squares: f64,
    /// The right ends of the buckets. A number at an end lies in the bucket behind it; the greatest lies in the last.
    limits: Vec<f64>,
    counts: Vec<f64>,
}

impl Histogram {
    /// The histogram of these numbers. If they are all the same, it has one bucket, without numbers none.
    pub fn new(values: &Tensor<f64>) -> Self {
        let values = || values.iter().filter(|value| value.is_finite());
        let (mut min, mut max, mut sum, mut sum_squares) = (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0.0);
        for value in values() {
            (min, max) = (min.min(value), max.max(value));
            sum += value;
            sum_squares += value * value;
        }
        if min > max {
            return Histogram { min: 0.0, max: 0.0, sum, sum_squares, limits: Vec::new(), counts: Vec::new() };
        }
        // Halves, since the distance of the greatest numbers is infinite.
        let range = 0.5 * max - 0.5 * min;
        let buckets = if range > 0.0 { BUCKETS } else { 1 };
        let mut counts = vec![0.0; buckets];
        for value in values() {
            let share = if range > 0.0 { (0.5 * value - 0.5 * min) / range } else { 0.0 };
            counts[((share * buckets as f64) as usize).min(buckets - 1)] += 1.0;
        }
        let limit = |bucket: usize| {
            let share = bucket as f64 / buckets as f64;
            (min * (1.0 - share) + max * share).clamp(min, max)
        };
        let limits = (1..buckets).map(limit).chain([max]).collect();
        Histogram { min, max, sum, sum_squares, limits, counts }
    }

    /// The message `HistogramProto`.
    pub fn message(&self) -> Message {
        let count = self.counts.iter().fold(0.0, |sum, count| sum + count);
        let message = Message::new().double(1, self.min).double(2, self.max).double(3, count);
        let message = message.double(4, self.sum).double(5, self.sum_squares);
        message.doubles(6, &self.limits).doubles(7, &self.counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Histogram {
        Histogram::new(&Tensor::from(values))
    }

    #[test]
    fn numbers_are_counted_in_thirty_buckets() {
        // By hand: buckets of the width 1 from 0 to 30.
        let histogram = of(&[0.0, 0.5, 1.0, 29.0, 29.5, 30.0]);
        let mut counts = vec![0.0; 30];
        (counts[0], counts[1], counts[29]) = (2.0, 1.0, 3.0);
        assert_eq!(histogram.counts, counts);
        assert!(histogram.limits.iter().zip(1..).all(|(limit, end)| (limit - f64::from(end)).abs() < 1e-12));
        assert_eq!((histogram.min, histogram.max, histogram.sum), (0.0, 30.0, 90.0));
        assert_eq!(histogram.sum_squares, 0.25 + 1.0 + 841.0 + 870.25 + 900.0);
    }

    #[test]
    fn what_is_not_finite_lies_in_no_bucket() {
        let (nan, infinite) = (f64::NAN, f64::INFINITY);
        assert_eq!(of(&[nan, 1.0, infinite, 2.0, -infinite]), of(&[1.0, 2.0]));
        for empty in [of(&[]), of(&[nan, infinite])] {
            assert_eq!((empty.min, empty.max, empty.limits.len(), empty.counts.len()), (0.0, 0.0, 0, 0));
        }
    }

    #[test]
    fn one_value_has_one_bucket_and_the_greatest_distance_thirty() {
        let same = of(&[-2.5; 4]);
        assert_eq!((same.min, same.max, &same.limits[..], &same.counts[..]), (-2.5, -2.5, &[-2.5][..], &[4.0][..]));
        let wide = of(&[f64::MIN, 0.0, f64::MAX]);
        assert_eq!((wide.counts[0], wide.counts[15], wide.counts[29]), (1.0, 1.0, 1.0));
        assert!(wide.limits.is_sorted() && wide.limits.iter().all(|limit| limit.is_finite()));
        // The least distance that there is.
        let (zero, tiny) = (0.0, f64::from_bits(1));
        assert_eq!(of(&[zero, tiny]).counts.iter().sum::<f64>(), 2.0);
    }
}
