//! Elementwise functions of one var: `name: saved |g, saved| gradient`, where saved is the input x or the output y.

use gradus_tensor::{Float, Math, SELU_ALPHA, SELU_SCALE};

use crate::op::Op;
use crate::var::Var;

macro_rules! unary {
    ($($(#[$doc:meta])+ $name:ident($($parameter:ident)?): $saved:ident |$g:ident, $s:ident| $derivative:expr;)*) => {
        impl<T: Float> Var<T> {
            $(
                $(#[$doc])+
                pub fn $name(&self $(, $parameter: T)?) -> Var<T> {
                    let y = self.value().$name($($parameter)?);
                    let saved = unary!(@ $saved, self, y);
                    Op::new(stringify!($name), y)
                        .input(self, move |g| g.zip_map(saved, #[inline(always)] |$g, $s| $derivative))
                        .finish()
                }
            )*
        }
    };
    (@ input, $self:ident, $y:ident) => { $self.value().clone() };
    (@ output, $self:ident, $y:ident) => { $y.clone() };
}

unary! {
    /// |x|; the derivative at 0 is taken as 0.
    abs(): input |g, x| if x > T::ZERO { g } else if x < T::ZERO { -g } else { T::ZERO };
    /// e^x
    exp(): output |g, y| g * y;
    /// e^x - 1, accurate near 0.
    expm1(): output |g, y| g * (y + T::ONE);
    /// Natural logarithm.
    ln(): input |g, x| g / x;
    /// ln(1 + x), accurate near 0.
    ln1p(): input |g, x| g / (x + T::ONE);
    /// Square root.
    sqrt(): output |g, y| g / (y + y);
    /// 1 / sqrt(x)
    rsqrt(): output |g, y| T::of(-0.5) * g * y * y * y;
    /// x^2
    square(): input |g, x| g * (x + x);
    /// 1 / x
    recip(): output |g, y| -g * y * y;
    /// Tangent of x in radians.
    tan(): output |g, y| g * (T::ONE + y * y);
    /// Hyperbolic tangent.
    tanh(): output |g, y| g * (T::ONE - y * y);
    /// 1 / (1 + e^-x)
    sigmoid(): output |g, y| g * y * (T::ONE - y);
    /// ln(1 + e^x), without overflow.
    softplus(): input |g, x| g * Math::sigmoid(x);
    /// max(x, 0); the derivative at 0 is taken as 0.
    relu(): output |g, y| if y > T::ZERO { g } else { T::ZERO };
    /// x where positive, else `slope` x.
    leaky_relu(slope): input |g, x| if x > T::ZERO { g } else { slope * g };
    /// x where positive, else `alpha` (e^x - 1).
    elu(alpha): input |g, x| {
        let below = g * alpha * Math::exp(x);
        if x > T::ZERO { g } else { below }
    };
    /// The self-normalising [`elu`](Var::elu).
    selu(): input |g, x| {
        let below = T::of(SELU_ALPHA) * Math::exp(x);
        g * T::of(SELU_SCALE) * if x > T::ZERO { T::ONE } else { below }
    };
    /// The Gaussian error linear unit: x/2 (1 + erf(x / sqrt 2)).
    gelu(): input |g, x| {
        // The normal distribution: its integral up to x, and x times its density.
        let below = T::of(0.5) * (T::ONE + Math::erf(x * T::of(std::f64::consts::FRAC_1_SQRT_2)));
        let density = T::of(0.398_942_280_401_432_7) * Math::exp(T::of(-0.5) * x * x);
        g * (below + x * density)
    };
    /// The approximation of [`gelu`](Var::gelu) by tanh.
    gelu_tanh(): input |g, x| {
        let (scale, cubic) = (T::of(0.797_884_560_802_865_4), T::of(0.044_715));
        let t = Math::tanh(scale * (x + cubic * x * x * x));
        let inner = scale * (T::ONE + T::of(3.0) * cubic * x * x);
        g * T::of(0.5) * (T::ONE + t + x * (T::ONE - t * t) * inner)
    };
    /// The sigmoid linear unit, or swish: x sigmoid(x).
    silu(): input |g, x| {
        let s = Math::sigmoid(x);
        g * s * (T::ONE + x * (T::ONE - s))
    };
    /// The error function.
    erf(): input |g, x| g * T::of(std::f64::consts::FRAC_2_SQRT_PI) * Math::exp(-x * x);
}

// Angles are reduced for a run of elements at a time, which a function of one element cannot do.
impl<T: Float> Var<T> {
    /// Sine of x in radians.
    pub fn sin(&self) -> Var<T> {
        let x = self.value().clone();
        Op::new("sin", x.sin()).input(self, move |g| g * x.cos()).finish()
    }

    /// Cosine of x in radians.
    pub fn cos(&self) -> Var<T> {
        let x = self.value().clone();
        Op::new("cos", x.cos()).input(self, move |g| -(g * x.sin())).finish()
    }
}
