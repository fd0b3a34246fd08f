//! Activation functions: elementwise functions between the layers of a network. Names and defaults are Keras's.

use crate::formula::Real;
use crate::pointwise;

/// The negative side's limit in `selu`: elu's alpha.
pub const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
/// The factor of `selu`.
pub const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

/// The rows, handed to the macro `make`.
#[doc(hidden)]
#[macro_export]
macro_rules! activation_functions {
    ($make:ident) => {
        $make! {
            /// 1 / (1 + e^-x)
            pub static SIGMOID = sigmoid(x): x.sigmoid(),
                derivative |g, y| g * y * (N::ONE - y);
            /// ln sigmoid(x), without underflow.
            pub static LOG_SIGMOID = log_sigmoid(x): -(-x).softplus(),
                derivative |g| g * (-x).sigmoid();
            /// ln(1 + e^x), without overflow.
            pub static SOFTPLUS = softplus(x): x.softplus(),
                derivative |g| g * x.sigmoid();
            /// The Gaussian error linear unit: x/2 (1 + erf(x / sqrt 2)). Hendrycks and Gimpel, arXiv:1606.08415.
            pub static GELU = gelu(x): x.gelu(),
                derivative |g| {
                    // The normal distribution: its integral up to x, and x times its density.
                    let below = N::of(0.5) * (N::ONE + (x * N::of(std::f64::consts::FRAC_1_SQRT_2)).erf());
                    let density = N::of(0.398_942_280_401_432_7) * (N::of(-0.5) * x * x).exp();
                    g * (below + vanishing(x, density))
                };
            /// The approximation of gelu by tanh: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
            pub static GELU_TANH = gelu_tanh(x): x.gelu_tanh(),
                derivative |g| {
                    let (scale, cubic) = (N::of(0.797_884_560_802_865_4), N::of(0.044_715));
                    let t = (scale * (x + cubic * x * x * x)).tanh();
                    let inner = scale * (N::ONE + N::of(3.0 * 0.044_715) * x * x);
                    g * N::of(0.5) * (N::ONE + t + vanishing(x * inner, N::ONE - t * t))
                };
            /// The sigmoid linear unit, or swish: x sigmoid(x).
            pub static SILU = silu(x): x.silu(),
                derivative |g| {
                    let s = x.sigmoid();
                    g * (s + vanishing(x, s * (N::ONE - s)))
                };
            /// x tanh(softplus(x)), 0 at minus infinity. Misra, arXiv:1908.08681.
            pub static MISH = mish(x): {
                    // From -1000 on tanh is 0; the bound keeps minus infinity times zero out.
                    N::select(x.less(N::of(-1000.0)), N::of(-1000.0), x) * x.softplus().tanh()
                },
                derivative |g| {
                    let t = x.softplus().tanh();
                    g * (t + vanishing(x, x.sigmoid() * (N::ONE - t * t)))
                };
            /// x where positive, else `slope` x.
            pub static LEAKY_RELU = leaky_relu(x; slope): N::select(x.greater(N::ZERO), x, slope * x),
                derivative |g| N::select(x.greater(N::ZERO), g, slope * g);
            /// min(max(x, 0), 6); NaN stays. The derivative at 0 and 6 is taken as 0.
            pub static RELU6 = relu6(x): within(x, N::ZERO, N::of(6.0)),
                derivative |g| N::select(x.less_equal(N::ZERO) | x.greater_equal(N::of(6.0)), N::ZERO, g);
            /// `max_value` where x reaches it, x from `threshold` on, and below that `slope` (x - `threshold`). The
            /// derivative at `threshold` is taken as `slope`, at `max_value` as 0.
            pub static RELU_WITH = relu_with(x; max_value, slope, threshold): {
                    let below = N::select(x.greater_equal(threshold), x, slope * (x - threshold));
                    N::select(x.greater_equal(max_value), max_value, below)
                },
                derivative |g| {
                    let risen = N::select(x.greater_equal(max_value), N::ZERO, g);
                    N::select(x.greater(threshold), risen, g * slope)
                };
            /// x where positive, else `alpha` (e^x - 1). Clevert et al., arXiv:1511.07289.
            pub static ELU = elu(x; alpha): N::select(x.greater(N::ZERO), x, alpha * x.expm1()),
                derivative |g| N::select(x.greater(N::ZERO), g, g * alpha * x.exp());
            /// 1.0507 times elu with alpha 1.6733, which keeps mean 0 and variance 1. Klambauer et al., arXiv:1706.02515.
            pub static SELU = selu(x): {
                    let below = N::of(SELU_ALPHA) * x.expm1();
                    N::of(SELU_SCALE) * N::select(x.greater(N::ZERO), x, below)
                },
                derivative |g| {
                    let below = N::of(SELU_ALPHA) * x.exp();
                    g * N::of(SELU_SCALE) * N::select(x.greater(N::ZERO), N::ONE, below)
                };
            /// x where positive, else `alpha` (e^(x / alpha) - 1), whose slope is continuous. Barron, arXiv:1704.07483.
            pub static CELU = celu(x; alpha): N::select(x.greater(N::ZERO), x, alpha * (x / alpha).expm1()),
                derivative |g| N::select(x.greater(N::ZERO), g, g * (x / alpha).exp());
            /// x / (1 + |x|)
            pub static SOFTSIGN = softsign(x): x / (x.magnitude() + N::ONE),
                derivative |g| {
                    let d = x.magnitude() + N::ONE;
                    g / (d * d)
                };
            /// (x + sqrt(x^2 + b)) / 2, computed without cancellation. Barron, arXiv:2112.11687.
            pub static SQUAREPLUS = squareplus(x; b): {
                    let root = root(x, b);
                    N::of(0.5) * N::select(x.less(N::ZERO), b / (root - x), x + root)
                },
                derivative |g| {
                    let root = root(x, b);
                    g * N::of(0.5) * N::select(x.less(N::ZERO), b / (root - x) / root, N::select(x.equal(root), N::of(2.0), N::ONE + x / root))
                };
            /// 0 up to -1, x from 1 on, (x + 1)^2 / 4 between.
            pub static SPARSE_PLUS = sparse_plus(x): {
                    let y = N::of(0.5) * (x + N::ONE);
                    N::select(x.less_equal(-N::ONE), N::ZERO, N::select(x.greater_equal(N::ONE), x, y * y))
                },
                derivative |g| {
                    let slope = N::of(0.5) * (x + N::ONE);
                    N::select(x.less_equal(-N::ONE), N::ZERO, N::select(x.greater_equal(N::ONE), g, g * slope))
                };
            /// x/6 + 1/2, within 0 and 1. The derivative at the ends is taken as 0.
            pub static HARD_SIGMOID = hard_sigmoid(x): within(N::of(1.0 / 6.0) * x + N::of(0.5), N::ZERO, N::ONE),
                derivative |g| {
                    let y = N::of(1.0 / 6.0) * x + N::of(0.5);
                    N::select(y.less_equal(N::ZERO) | y.greater_equal(N::ONE), N::ZERO, g * N::of(1.0 / 6.0))
                };
            /// (x + 1)/2, within 0 and 1. The derivative at the ends is taken as 0.
            pub static SPARSE_SIGMOID = sparse_sigmoid(x): within(N::of(0.5) * x + N::of(0.5), N::ZERO, N::ONE),
                derivative |g| {
                    N::select(x.less_equal(-N::ONE) | x.greater_equal(N::ONE), N::ZERO, g * N::of(0.5))
                };
            /// x hard_sigmoid(x), also called hard swish: 0 at minus infinity. Howard et al., arXiv:1905.02244.
            pub static HARD_SILU = hard_silu(x): {
                    let y = N::of(1.0 / 6.0) * x + N::of(0.5);
                    N::select(y.less_equal(N::ZERO), N::ZERO, N::select(y.greater_equal(N::ONE), x, x * y))
                },
                derivative |g| {
                    let y = N::of(1.0 / 6.0) * x + N::of(0.5);
                    let slope = y + N::of(1.0 / 6.0) * x;
                    N::select(y.less_equal(N::ZERO), N::ZERO, N::select(y.greater_equal(N::ONE), g, g * slope))
                };
            /// x, within -1 and 1. The derivative at the ends is taken as 0.
            pub static HARD_TANH = hard_tanh(x): within(x, -N::ONE, N::ONE),
                derivative |g| N::select(x.less_equal(-N::ONE) | x.greater_equal(N::ONE), N::ZERO, g);
            /// x - tanh(x)
            pub static TANH_SHRINK = tanh_shrink(x): x - x.tanh(),
                derivative |g| {
                    let t = x.tanh();
                    g * t * t
                };
            /// 0 where |x| <= `threshold`, else x.
            pub static HARD_SHRINK = hard_shrink(x; threshold): {
                    N::select(x.magnitude().less_equal(threshold), N::ZERO, x)
                },
                derivative |g| N::select(x.magnitude().less_equal(threshold), N::ZERO, g);
            /// 0 where |x| <= `threshold`, else x brought nearer to 0 by it.
            pub static SOFT_SHRINK = soft_shrink(x; threshold): {
                    let shrunk = N::select(x.greater(N::ZERO), x - threshold, x + threshold);
                    N::select(x.magnitude().less_equal(threshold), N::ZERO, shrunk)
                },
                derivative |g| N::select(x.magnitude().less_equal(threshold), N::ZERO, g);
            /// x where it is above the `threshold`, else the `default_value`.
            pub static THRESHOLD = threshold(x; threshold, default_value): {
                    N::select(x.less_equal(threshold), default_value, x)
                },
                derivative |g| N::select(x.less_equal(threshold), N::ZERO, g);
        }
    };
}

activation_functions!(pointwise);

/// x times a slope that vanishes faster than x grows: 0 where the slope is 0, at an infinite x too.
#[inline(always)]
fn vanishing<N: Real>(x: N, slope: N) -> N {
    N::select(slope.equal(N::ZERO), N::ZERO, x * slope)
}

/// sqrt(x^2 + b), which does not overflow.
#[inline(always)]
fn root<N: Real>(x: N, b: N) -> N {
    let size = x.magnitude();
    // From there on b is lost in the rounding of x^2.
    N::select(size.greater(N::of(1e9)), size, (x * x + b).sqrt())
}

/// x brought into `low..=high`; NaN stays.
#[inline(always)]
fn within<N: Real>(x: N, low: N, high: N) -> N {
    N::select(x.less(low), low, N::select(x.greater(high), high, x))
}
