//! What is lost where numbers are stored as floats of two bytes.

use std::fmt;

use crate::columns::AnyTensor;
use crate::element::Float;
use crate::stored::{BF16, F16, Half};
use crate::tensor::Tensor;

/// How floats are stored in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stored {
    /// As they are.
    #[default]
    AsIs,
    /// In two bytes as IEEE 754's binary16: three digits, up to 65,504, beyond that infinity.
    F16,
    /// In two bytes as bfloat16: two digits, and the range of f32.
    Bf16,
}

impl Stored {
    /// The format, unless numbers are stored as they are.
    pub(super) fn half(self) -> Option<Half> {
        match self {
            Stored::AsIs => None,
            Stored::F16 => Some(F16),
            Stored::Bf16 => Some(BF16),
        }
    }

    /// What the floats of these tensors lose when they are stored so; whole numbers lose nothing.
    ///
    /// ```
    /// use gradus_tensor::{AnyTensor, Tensor, safetensors::Stored};
    /// let weights = AnyTensor::from(Tensor::new([0.1, 70_000.0, 0.5]));
    /// let loss = Stored::F16.loss([&weights]);
    /// assert_eq!((loss.elements, loss.became_infinite), (3, 1));
    /// assert_eq!(loss.largest_error, f64::from(0.1_f32) - 0.0999755859375);
    /// assert_eq!(Stored::AsIs.loss([&weights]).largest_error, 0.0);
    /// ```
    pub fn loss<'a>(self, tensors: impl IntoIterator<Item = &'a AnyTensor>) -> StorageLoss {
        let mut loss = StorageLoss { stored: self, ..StorageLoss::default() };
        let mut sum = 0.0;
        for tensor in tensors {
            match tensor {
                AnyTensor::F32(floats) => sum += loss.add(floats),
                AnyTensor::F64(floats) => sum += loss.add(floats),
                _ => {}
            }
        }
        let finite = loss.elements - loss.became_infinite - loss.not_finite;
        loss.mean_error = if finite > 0 { sum / finite as f64 } else { 0.0 };
        loss
    }
}

/// What floats lose by the form in which they are stored ([`Stored::loss`]). Errors are absolute: |stored - given|.
///
/// ```
/// use gradus_tensor::safetensors::Stored;
/// use gradus_tensor::{AnyTensor, Tensor};
/// // bfloat16 has 8 bits of a number: 257 becomes 256.
/// let loss = Stored::Bf16.loss([&AnyTensor::from(Tensor::new([257.0, 1.5]))]);
/// assert_eq!((loss.largest_error, loss.mean_error), (1.0, 0.5));
/// println!("{loss}");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StorageLoss {
    /// The form.
    pub stored: Stored,
    /// The number of floats.
    pub elements: usize,
    /// The largest error of a number that stayed finite.
    pub largest_error: f64,
    /// The mean error of the numbers that stayed finite.
    pub mean_error: f64,
    /// How many finite numbers became infinite, because they are beyond the largest number of the form.
    pub became_infinite: usize,
    /// How many numbers other than 0 became 0, because they are smaller than half the smallest number of the form.
    pub became_zero: usize,
    /// How many were NaN or infinite before; they stay so.
    pub not_finite: usize,
}

impl StorageLoss {
    /// Takes a tensor in and returns the sum of its errors.
    fn add<T: Float>(&mut self, floats: &Tensor<T>) -> f64 {
        self.elements += floats.size();
        let Some(half) = self.stored.half() else {
            self.not_finite += floats.iter().filter(|x| !x.as_f64().is_finite()).count();
            return 0.0;
        };
        let flat = floats.contiguous();
        let mut sum = 0.0;
        for x in flat.as_slice().expect("just made contiguous") {
            let x = x.as_f64();
            let stored = f64::from(half.decode(half.encode(x)));
            if !x.is_finite() {
                self.not_finite += 1;
            } else if stored.is_infinite() {
                self.became_infinite += 1;
            } else {
                self.became_zero += usize::from(stored == 0.0 && x != 0.0);
                let error = (stored - x).abs();
                self.largest_error = self.largest_error.max(error);
                sum += error;
            }
        }
        sum
    }
}

impl fmt::Display for StorageLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.stored {
            Stored::AsIs => return write!(f, "{} numbers as they are", self.elements),
            Stored::F16 => "f16",
            Stored::Bf16 => "bf16",
        };
        let StorageLoss { elements, largest_error, mean_error, became_infinite, became_zero, .. } = self;
        write!(
            f,
            "{elements} numbers as {name}: largest error {largest_error:.2e}, mean error {mean_error:.2e}, {became_infinite} \
             became infinite, {became_zero} became 0"
        )
    }
}
