//! Where in a network something was the first that is not finite.

use std::fmt;

use gradus_autograd::Fault;
use gradus_tensor::Float;

use crate::observer::Observations;

/// Where in a training pass a value or a gradient was the first that is NaN or infinite: [`Observations::origin`]. It prints as a
/// clause: `the op ln in layer 1 (Logarithm) was the first to give -inf`.
///
/// ```
/// use gradus_nn::Origin;
/// let origin = Origin { layer: Some(("1".to_owned(), "Logarithm")), op: Some("ln"), value: Some(f64::NEG_INFINITY), in_gradient: false };
/// assert_eq!(origin.to_string(), "the op ln in layer 1 (Logarithm) was the first to give -inf");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// The layer by its path, and its kind; `None` for the loss.
    pub layer: Option<(String, &'static str)>,
    /// The op, if the layer computes by something that is trained.
    pub op: Option<&'static str>,
    /// What the layer gives; `None` if its output is finite, and a derivative is not.
    pub value: Option<f64>,
    /// Whether it is a gradient, on the way back from the loss.
    pub in_gradient: bool,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Origin { layer, op, value, in_gradient } = self;
        let layer = layer.as_ref().map(|(path, kind)| format!("layer {path} ({kind})"));
        let place = layer.as_deref().unwrap_or("the loss");
        let place = op.map_or_else(|| place.to_owned(), |op| format!("the op {op} in {place}"));
        match value {
            _ if *in_gradient => {
                write!(f, "on the way back, the derivative of {place} was the first that is not finite")
            }
            Some(value) => write!(f, "{place} was the first to give {value}"),
            None => write!(f, "{place} was the first that is not finite"),
        }
    }
}

impl<T: Float> Observations<T> {
    /// Where a value, or else a gradient, was the first that is NaN or infinite, in the order in which they were computed. All
    /// inputs and layers must be observed, in a pass that is [checked](crate::Observer::checked).
    ///
    /// A value within a layer may be infinite by intent, as where attention leaves something out; so the first layer is sought
    /// whose output is not finite, and then the op within it.
    ///
    /// ```
    /// use gradus_nn::{Dense, Model, Sequential, losses::MeanSquaredError};
    /// use gradus_tensor::{Generator, Tensor};
    /// let mut model = Model::build(Sequential::new().add(Dense::new(2)).add(Dense::new(1)), [1], 42)?;
    /// model.params_mut()[0].value *= 1e38;
    /// let (x, y) = (Tensor::new([[1e30]]), Tensor::new([[0.0]]));
    /// let (_, seen) = model.observer().checked().grad(&x, &y, None, &MeanSquaredError, &mut Generator::new(0))?;
    /// let origin = seen.origin().unwrap();
    /// assert_eq!(origin.layer, Some(("0".to_owned(), "Dense")));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub fn origin(&self) -> Option<Origin> {
        let mut values = self.faults().iter().filter(|fault| !fault.in_gradient);
        // The place on the tape of the latest value that was seen.
        let mut before = None;
        for seen in self {
            let value = seen.value.iter().find(|value| !value.is_finite());
            if let Some(value) = value {
                // What a constant is computed by is on no tape.
                let within = |fault: &&Fault| Some(fault.node) > before && Some(fault.node) <= seen.node;
                let op = values.find(within).map(|fault| fault.op);
                let layer = Some((seen.path.clone(), seen.kind));
                return Some(Origin { layer, op, value: Some(value.as_f64()), in_gradient: false });
            }
            before = before.max(seen.node);
        }
        if let Some(fault) = values.find(|fault| Some(fault.node) > before) {
            return Some(Origin { layer: None, op: Some(fault.op), value: None, in_gradient: false });
        }
        let fault = self.faults().iter().find(|fault| fault.in_gradient)?;
        let seen = self.iter().find(|seen| seen.node >= Some(fault.node));
        let layer = seen.map(|seen| (seen.path.clone(), seen.kind));
        Some(Origin { layer, op: Some(fault.op), value: None, in_gradient: true })
    }
}
