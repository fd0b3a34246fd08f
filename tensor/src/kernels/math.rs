//! Elementary functions, written so that the compiler vectorises them.

/// placeholder
#[allow(missing_docs)]
pub trait Math: Copy {
    fn exp(self) -> Self;
    fn expm1(self) -> Self;
    fn ln(self) -> Self;
    fn ln1p(self) -> Self;
    fn sqrt(self) -> Self;
    fn sin(self) -> Self;
    fn cos(self) -> Self;
    fn tan(self) -> Self;
    fn tanh(self) -> Self;
    fn sigmoid(self) -> Self;
    fn softplus(self) -> Self;
    fn erf(self) -> Self;
    fn gelu(self) -> Self;
    fn round_even(self) -> Self;
    fn pow(self, y: Self) -> Self;
}
macro_rules! m {
    ($t:ident) => {
        impl Math for $t {
            fn exp(self) -> Self {
                $t::exp(self)
            }
            fn expm1(self) -> Self {
                self.exp_m1()
            }
            fn ln(self) -> Self {
                $t::ln(self)
            }
            fn ln1p(self) -> Self {
                self.ln_1p()
            }
            fn sqrt(self) -> Self {
                $t::sqrt(self)
            }
            fn sin(self) -> Self {
                $t::sin(self)
            }
            fn cos(self) -> Self {
                $t::cos(self)
            }
            fn tan(self) -> Self {
                $t::tan(self)
            }
            fn tanh(self) -> Self {
                $t::tanh(self)
            }
            fn sigmoid(self) -> Self {
                1.0 / (1.0 + $t::exp(-self))
            }
            fn softplus(self) -> Self {
                self.max(0.0) + (-self.abs()).exp().ln_1p()
            }
            fn erf(self) -> Self {
                libm::erf(self as f64) as $t
            }
            fn gelu(self) -> Self {
                0.5 * self * (1.0 + Math::erf(self * (0.5 as $t).sqrt()))
            }
            fn round_even(self) -> Self {
                self.round_ties_even()
            }
            fn pow(self, y: Self) -> Self {
                self.powf(y)
            }
        }
    };
}
m!(f32);
m!(f64);
