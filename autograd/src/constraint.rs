//! Constraints: what holds of a weight after each step of an optimiser.

use gradus_tensor::{Axes, Float, Shape, Tensor, keepdims};
use serde::{Deserialize, Serialize};

/// What holds of a weight after each step: no element is negative, or norms are bounded.
///
/// A [`Param`](crate::Param) holds it, and the optimiser applies it after its step, as Keras does. A norm is that of the elements
/// along some axes: of a kernel `[features, units]` those along axis 0 are the weights of a unit, which is the default. Of the
/// kernel `[height, width, channels, filters]` of a convolution, the weights of a filter lie along the axes 0, 1 and 2.
///
/// ```
/// use gradus_autograd::Constraint;
/// use gradus_tensor::Tensor;
/// let mut kernel = Tensor::new([[3.0, 0.6], [4.0, -0.8]]);
/// Constraint::max_norm(2.5).apply(&mut kernel); // The columns have the norms 5 and 1.
/// assert_eq!(kernel, Tensor::new([[1.5, 0.6], [2.0, -0.8]]));
/// Constraint::non_neg().apply(&mut kernel);
/// assert_eq!(kernel, Tensor::new([[1.5, 0.6], [2.0, 0.0]]));
/// ```
///
/// Keras adds 1e-7 to each norm, by which weights within the bounds become a little smaller at each step. Here they stay as
/// they are, and so do weights whose norm is 0, which have no direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Kind", into = "Kind")]
pub struct Constraint(Kind);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
enum Kind {
    NonNeg,
    MaxNorm { max_value: f64, axis: Vec<isize> },
    UnitNorm { axis: Vec<isize> },
    MinMaxNorm { min_value: f64, max_value: f64, rate: f64, axis: Vec<isize> },
}

impl Constraint {
    /// No element is negative: negative ones become 0.
    #[doc(alias = "NonNeg")]
    pub fn non_neg() -> Self {
        Constraint(Kind::NonNeg)
    }

    /// Norms are at most `max_value`: w min(1, max_value / |w|). Srivastava et al. 2014, "Dropout", have such a bound.
    ///
    /// # Panics
    /// If the bound is negative or not finite.
    #[track_caller]
    #[doc(alias = "MaxNorm")]
    pub fn max_norm(max_value: f64) -> Self {
        Constraint(Kind::MaxNorm { max_value, axis: vec![0] }).checked()
    }

    /// Norms are 1: w / |w|.
    #[doc(alias = "UnitNorm")]
    pub fn unit_norm() -> Self {
        Constraint(Kind::UnitNorm { axis: vec![0] })
    }

    /// Norms lie between two bounds: w clip(|w|, min_value, max_value) / |w|.
    ///
    /// # Panics
    /// If a bound is negative or not finite, or the first is greater than the second.
    #[track_caller]
    #[doc(alias = "MinMaxNorm")]
    pub fn min_max_norm(min_value: f64, max_value: f64) -> Self {
        Constraint(Kind::MinMaxNorm { min_value, max_value, rate: 1.0, axis: vec![0] }).checked()
    }

    /// The share of the way to the bounds that a norm goes in a step, 1 by default.
    ///
    /// # Panics
    /// If it is not from 0 to 1, or the constraint is not one of [`min_max_norm`](Constraint::min_max_norm).
    #[track_caller]
    pub fn rate(mut self, share: f64) -> Self {
        match &mut self.0 {
            Kind::MinMaxNorm { rate, .. } => *rate = share,
            kind => panic!("rate: only Constraint::min_max_norm has a rate, found {kind:?}"),
        }
        self.checked()
    }

    /// The axis along which norms are taken, counted from 0, or from -1, the last, down; 0 by default.
    ///
    /// # Panics
    /// If the constraint has no norms: that of [`non_neg`](Constraint::non_neg).
    #[track_caller]
    pub fn axis(self, axis: isize) -> Self {
        self.axes([axis])
    }

    /// As [`axis`](Constraint::axis), for several axes: `[0, 1, 2]` of the kernel of a convolution over pictures.
    ///
    /// # Panics
    /// As `axis`.
    #[track_caller]
    pub fn axes(mut self, axes: impl AsRef<[isize]>) -> Self {
        match &mut self.0 {
            Kind::NonNeg => panic!("axis: Constraint::non_neg has no axis, it is one of each element"),
            Kind::MaxNorm { axis, .. } | Kind::UnitNorm { axis } | Kind::MinMaxNorm { axis, .. } => {
                *axis = axes.as_ref().to_vec();
            }
        }
        self
    }

    /// What is wrong with the constraint for weights of this shape, if they lack one of its axes, or it has one twice.
    pub fn problem_of(&self, shape: &Shape) -> Option<String> {
        let axes = self.0.axes();
        let places = axes.iter().map(|&axis| if axis < 0 { axis + shape.len() as isize } else { axis });
        let places: Vec<isize> = places.collect();
        let axis = |place: usize| axes[place];
        for (number, place) in places.iter().enumerate() {
            if !(0..shape.len() as isize).contains(place) {
                return Some(format!("a constraint along axis {} of a weight of shape {shape}", axis(number)));
            }
            if places[..number].contains(place) {
                return Some(format!("a constraint along axis {} twice, of a weight of shape {shape}", axis(number)));
            }
        }
        None
    }

    /// Changes a weight so that the constraint holds. NaN stays NaN.
    ///
    /// # Panics
    /// If the weight lacks an axis of the constraint.
    #[track_caller]
    pub fn apply<T: Float>(&self, weight: &mut Tensor<T>) {
        let bounds: Box<dyn Fn(f64) -> f64 + Sync> = match self.0 {
            Kind::NonNeg => {
                // NaN is not less than 0, and stays.
                weight.map_assign(|x| if x < T::ZERO { T::ZERO } else { x });
                return;
            }
            Kind::MaxNorm { max_value, .. } => Box::new(move |norm: f64| norm.min(max_value)),
            Kind::UnitNorm { .. } => Box::new(|_| 1.0),
            Kind::MinMaxNorm { min_value, max_value, rate, .. } => {
                Box::new(move |norm| rate * norm.clamp(min_value, max_value) + (1.0 - rate) * norm)
            }
        };
        let axes: Axes = self.0.axes().iter().copied().collect();
        // Those without a direction, and those within the bounds, have the factor 1. That of NaN is NaN.
        let factor = |norm: T| {
            let norm = norm.as_f64();
            let bound = bounds(norm);
            if norm == 0.0 || norm == bound { T::ONE } else { T::of(bound / norm) }
        };
        let factors = weight.norm(keepdims(axes)).map(factor);
        if factors.iter().any(|factor| factor != T::ONE) {
            *weight *= factors;
        }
    }

    #[track_caller]
    fn checked(self) -> Self {
        match self.0.check() {
            Ok(()) => self,
            Err(problem) => panic!("{problem}"),
        }
    }
}

impl Kind {
    fn axes(&self) -> &[isize] {
        match self {
            Kind::NonNeg => &[],
            Kind::MaxNorm { axis, .. } | Kind::UnitNorm { axis } | Kind::MinMaxNorm { axis, .. } => axis,
        }
    }

    /// What is wrong with the numbers.
    fn check(&self) -> Result<(), String> {
        let (name, low, high, rate) = match *self {
            Kind::NonNeg | Kind::UnitNorm { .. } => return Ok(()),
            Kind::MaxNorm { max_value, .. } => ("max_norm", 0.0, max_value, 1.0),
            Kind::MinMaxNorm { min_value, max_value, rate, .. } => ("min_max_norm", min_value, max_value, rate),
        };
        if !(low.is_finite() && low >= 0.0 && high.is_finite() && high >= 0.0) {
            let bound = if low.is_finite() && low >= 0.0 { high } else { low };
            return Err(format!("{name}: a finite bound that is not negative is needed, not {bound}"));
        }
        if low > high {
            return Err(format!("{name}: the first bound is at most the second, found {low} and {high}"));
        }
        if !(0.0..=1.0).contains(&rate) {
            return Err(format!("{name}: a rate from 0 to 1 is needed, not {rate}"));
        }
        Ok(())
    }
}

impl From<Constraint> for Kind {
    fn from(constraint: Constraint) -> Self {
        constraint.0
    }
}

impl TryFrom<Kind> for Constraint {
    type Error = String;

    fn try_from(kind: Kind) -> Result<Self, String> {
        kind.check().map(|()| Constraint(kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(constraint: &Constraint, mut weight: Tensor) -> Tensor {
        constraint.apply(&mut weight);
        weight
    }

    #[test]
    fn norms_are_brought_within_their_bounds() {
        // By hand: the columns have the norms 5, 1 and 0.
        let kernel = || Tensor::new([[3.0, 0.0, 0.0], [4.0, -1.0, 0.0]]);
        for (constraint, expected) in [
            (Constraint::max_norm(2.0), [[1.2, 0.0, 0.0], [1.6, -1.0, 0.0]]),
            (Constraint::unit_norm(), [[0.6, 0.0, 0.0], [0.8, -1.0, 0.0]]),
            (Constraint::min_max_norm(2.0, 4.0), [[2.4, 0.0, 0.0], [3.2, -2.0, 0.0]]),
            // Half of the way from 5 to 4, and from 1 to 2.
            (Constraint::min_max_norm(2.0, 4.0).rate(0.5), [[2.7, 0.0, 0.0], [3.6, -1.5, 0.0]]),
            (Constraint::non_neg(), [[3.0, 0.0, 0.0], [4.0, 0.0, 0.0]]),
            // The rows have the norms 3 and root 17; all together root 26.
            (Constraint::unit_norm().axis(-1), [[1.0, 0.0, 0.0], [4.0 / 17_f32.sqrt(), -1.0 / 17_f32.sqrt(), 0.0]]),
            (Constraint::max_norm(26_f64.sqrt() / 2.0).axes([0, 1]), [[1.5, 0.0, 0.0], [2.0, -0.5, 0.0]]),
            // Those of single elements.
            (Constraint::max_norm(2.0).axes([]), [[2.0, 0.0, 0.0], [2.0, -1.0, 0.0]]),
        ] {
            let found = applied(&constraint, kernel());
            assert!(found.allclose(&Tensor::new(expected), 1e-6, 0.0), "{constraint:?}: {found}");
        }
    }

    #[test]
    fn weights_within_the_bounds_keep_their_bits() {
        let kernel = Tensor::linspace(-0.7, 0.9, 12).reshape([4, 3]);
        assert_eq!(applied(&Constraint::max_norm(2.0), kernel.clone()), kernel);
        assert_eq!(applied(&Constraint::min_max_norm(0.1, 2.0), kernel.clone()), kernel);
        let once = applied(&Constraint::max_norm(0.5), kernel);
        let twice = applied(&Constraint::max_norm(0.5), once.clone());
        assert!(twice.allclose(&once, 1e-7, 0.0));
    }

    #[test]
    fn numbers_that_are_none_stay_visible() {
        let weight = || Tensor::new([[f32::NAN, 3.0, f32::INFINITY], [1.0, 4.0, 1.0]]);
        let found = applied(&Constraint::max_norm(2.5), weight());
        assert!(found.select(1, 0).is_nan().all(..).item() && found.select(1, 2).is_nan().any(..).item());
        assert_eq!(found.select(1, 1), Tensor::new([1.5, 2.0]));
        assert!(applied(&Constraint::non_neg(), weight()).select(1, 0).is_nan().any(..).item());
        // Norms whose squares overflow are norms.
        let large = applied(&Constraint::unit_norm(), Tensor::new([3e30, 4e30]));
        assert!(large.allclose(&Tensor::new([0.6, 0.8]), 1e-6, 0.0));
    }

    #[test]
    fn views_and_empty_weights_are_weights() {
        let kernel = Tensor::linspace(-2.0, 3.0, 12).reshape([4, 3]);
        let across = applied(&Constraint::max_norm(1.0).axis(1), kernel.t());
        assert_eq!(across.t(), applied(&Constraint::max_norm(1.0), kernel.clone()));
        assert_eq!(applied(&Constraint::unit_norm(), Tensor::zeros([0, 3])).shape(), &[0, 3]);
        assert_eq!(applied(&Constraint::non_neg(), Tensor::zeros([2, 0])).shape(), &[2, 0]);
        assert_eq!(applied(&Constraint::max_norm(1.0), Tensor::new([[5.0]])), Tensor::new([[1.0]]));
    }

    #[test]
    fn a_weight_that_lacks_an_axis_is_refused() {
        let problem = |constraint: Constraint| constraint.problem_of(Tensor::<f32>::zeros([4, 3]).shape());
        assert_eq!(problem(Constraint::max_norm(1.0).axes([0, -1])), None);
        assert_eq!(problem(Constraint::non_neg()), None);
        let of = "a constraint along axis 2 of a weight of shape [4, 3]";
        assert_eq!(problem(Constraint::unit_norm().axis(2)).unwrap(), of);
        let of = "a constraint along axis -1 twice, of a weight of shape [4, 3]";
        assert_eq!(problem(Constraint::unit_norm().axes([1, -1])).unwrap(), of);
    }

    #[test]
    fn constraints_are_written_and_read() {
        for (constraint, json) in [
            (Constraint::non_neg(), r#""NonNeg""#),
            (Constraint::max_norm(2.0), r#"{"MaxNorm":{"max_value":2.0,"axis":[0]}}"#),
            (Constraint::unit_norm().axes([0, 1]), r#"{"UnitNorm":{"axis":[0,1]}}"#),
            (
                Constraint::min_max_norm(0.5, 1.0).rate(0.25),
                r#"{"MinMaxNorm":{"min_value":0.5,"max_value":1.0,"rate":0.25,"axis":[0]}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&constraint).unwrap(), json);
            assert_eq!(serde_json::from_str::<Constraint>(json).unwrap(), constraint);
        }
        let error = serde_json::from_str::<Constraint>(r#"{"MaxNorm":{"max_value":-2.0,"axis":[0]}}"#).unwrap_err();
        assert_eq!(error.to_string(), "max_norm: a finite bound that is not negative is needed, not -2");
    }

    #[test]
    #[should_panic(expected = "min_max_norm: the first bound is at most the second, found 2 and 1")]
    fn bounds_are_in_order() {
        Constraint::min_max_norm(2.0, 1.0);
    }

    #[test]
    #[should_panic(expected = "max_norm: a finite bound that is not negative is needed, not NaN")]
    fn a_bound_is_a_number() {
        Constraint::max_norm(f64::NAN);
    }

    #[test]
    #[should_panic(expected = "min_max_norm: a rate from 0 to 1 is needed, not 1.5")]
    fn a_rate_is_a_share() {
        Constraint::min_max_norm(0.0, 1.0).rate(1.5);
    }

    #[test]
    #[should_panic(expected = "rate: only Constraint::min_max_norm has a rate, found UnitNorm { axis: [0] }")]
    fn only_one_has_a_rate() {
        Constraint::unit_norm().rate(0.5);
    }
}
