//! The whole range of f32 against double precision, and the special values.

use super::{Math, MathOfRuns};
use core::f32::consts::LN_2;

const INF: f32 = f32::INFINITY;
const TINY: f32 = f32::MIN_POSITIVE;
const SUBNORMAL: f32 = 1e-40;

/// The distance of `got` from `exact` in units in the last place of the f32 nearest to `exact`.
fn ulps(got: f32, exact: f64) -> f64 {
    let nearest = exact as f32;
    if nearest.is_nan() || nearest.is_infinite() || got.is_nan() || got.is_infinite() {
        let same = got == nearest || got.is_nan() && nearest.is_nan();
        return if same { 0.0 } else { f64::INFINITY };
    }
    let exponent = (nearest.abs().to_bits() >> 23).max(1) as i32;
    (f64::from(got) - exact).abs() / 2.0_f64.powi(exponent - 150)
}

/// Holds `f` against `exact` at every 16411th bit pattern of f32, and at every 1021st where most numbers are used,
/// 2^-10 <= |x| < 2^5.
#[track_caller]
fn assert_within(bound: f64, f: fn(f32) -> f32, exact: fn(f64) -> f64) {
    let used = (1.0_f32 / 1024.0).to_bits()..32.0_f32.to_bits();
    let patterns = (0..1 << 31).step_by(16_411).chain(used.step_by(1021));
    for x in patterns.flat_map(|bits| [f32::from_bits(bits), -f32::from_bits(bits)]) {
        let (got, exact) = (f(x), exact(f64::from(x)));
        let error = ulps(got, exact);
        assert!(error <= bound, "f({x:e}) is {got:e}, exactly {exact:e}: {error} ULP");
    }
}

/// Same value and same sign, or both NaN.
#[track_caller]
fn assert_table(f: fn(f32) -> f32, table: &[(f32, f32)]) {
    for &(x, expected) in table {
        let got = f(x);
        let same = got.to_bits() == expected.to_bits() || got.is_nan() && expected.is_nan();
        assert!(same, "f({x:e}) is {got:e}, not {expected:e}");
    }
}

#[test]
fn exp_is_within_1_1_ulp() {
    assert_within(1.1, Math::exp, f64::exp);
    let least = f32::from_bits(1);
    let table = [(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0), (f32::NAN, f32::NAN), (88.8, INF), (-103.9, least)];
    assert_table(Math::exp, &table);
    assert_table(Math::exp, &[(SUBNORMAL, 1.0), (f32::MAX, INF), (f32::MIN, 0.0), (-104.0, 0.0)]);
}

#[test]
fn exp_nonpositive_stops_at_the_smallest_normal_number() {
    // Not f64::max, which would drop NaN.
    let exact = |x: f64| match (-x.abs()).exp() {
        e if e < f64::from(TINY) => f64::from(TINY),
        e => e,
    };
    assert_within(1.1, |x| MathOfRuns::exp_nonpositive(-x.abs()), exact);
    let table = [(0.0, 1.0), (-0.0, 1.0), (-INF, TINY), (-1e4, TINY), (f32::NAN, f32::NAN)];
    assert_table(MathOfRuns::exp_nonpositive, &table);
}

#[test]
fn expm1_is_within_2_ulp() {
    assert_within(2.0, Math::expm1, f64::exp_m1);
    let table = [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -1.0), (f32::NAN, f32::NAN), (-SUBNORMAL, -SUBNORMAL)];
    assert_table(Math::expm1, &table);
}

#[test]
fn ln_is_within_1_ulp() {
    assert_within(1.0, Math::ln, f64::ln);
    let table = [(0.0, -INF), (-0.0, -INF), (1.0, 0.0), (2.0, LN_2), (INF, INF), (-INF, f32::NAN), (-1.0, f32::NAN)];
    assert_table(Math::ln, &table);
    assert_table(Math::ln, &[(f32::NAN, f32::NAN), (-SUBNORMAL, f32::NAN), (f32::from_bits(1), -149.0 * LN_2)]);
}

#[test]
fn ln1p_is_within_2_ulp() {
    assert_within(2.0, Math::ln1p, f64::ln_1p);
    let table = [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-1.0, -INF), (-1.1, f32::NAN), (-INF, f32::NAN)];
    assert_table(Math::ln1p, &table);
    assert_table(Math::ln1p, &[(f32::NAN, f32::NAN), (SUBNORMAL, SUBNORMAL), (f32::MAX, 88.722_84)]);
}

#[test]
fn tanh_is_within_2_ulp() {
    assert_within(2.0, Math::tanh, f64::tanh);
    let table = [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (f32::NAN, f32::NAN), (-SUBNORMAL, -SUBNORMAL)];
    assert_table(Math::tanh, &table);
}

#[test]
fn sigmoid_is_within_2_ulp() {
    assert_within(2.0, Math::sigmoid, Math::sigmoid);
    let table = [(0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (-INF, 0.0), (f32::NAN, f32::NAN), (-200.0, 0.0)];
    assert_table(Math::sigmoid, &table);
}

#[test]
fn softplus_is_within_2_ulp() {
    assert_within(2.0, Math::softplus, Math::softplus);
    let table = [(0.0, LN_2), (-0.0, LN_2), (INF, INF), (-INF, 0.0), (f32::NAN, f32::NAN), (f32::MAX, f32::MAX)];
    assert_table(Math::softplus, &table);
}

#[test]
fn silu_is_within_4_ulp() {
    assert_within(4.0, Math::silu, Math::silu);
    assert_table(Math::silu, &[(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -0.0), (f32::NAN, f32::NAN)]);
}

#[test]
fn erf_is_within_2_ulp() {
    assert_within(2.0, Math::erf, libm::erf);
    let table = [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (f32::NAN, f32::NAN), (TINY, 1.326_403_3e-38)];
    assert_table(Math::erf, &table);
}

#[test]
fn gelu_is_within_8_ulp_into_its_tail() {
    assert_within(8.0, Math::gelu, Math::gelu);
    assert_table(Math::gelu, &[(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -0.0), (f32::NAN, f32::NAN)]);
}

#[test]
fn gelu_tanh_is_accurate_where_it_is_not_vanishing() {
    // The exponent is rounded, which shows in the result in proportion to its size.
    assert_within(400.0, Math::gelu_tanh, Math::gelu_tanh);
    assert_within(4.0, |x| Math::gelu_tanh(x.max(-1.0)), |x| Math::gelu_tanh(x.max(-1.0)));
    assert_within(32.0, |x| Math::gelu_tanh(x.max(-4.0)), |x| Math::gelu_tanh(x.max(-4.0)));
    assert_table(Math::gelu_tanh, &[(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -0.0), (f32::NAN, f32::NAN)]);
}

/// Holds a function of runs of elements against `exact` as [`assert_within`] does, large and small angles mixed.
#[track_caller]
fn assert_each_within(bound: f64, f: fn(&[f32], &mut [f32]), exact: fn(f64) -> f64) {
    let used = (1.0_f32 / 1024.0).to_bits()..(1e9_f32).to_bits();
    let patterns = (0..1 << 31).step_by(16_411).chain(used.step_by(1021));
    let near_zeros = (1..20_000).map(|n| (f64::from(n) * core::f64::consts::FRAC_PI_2) as f32);
    let x: Vec<f32> = patterns.map(f32::from_bits).chain(near_zeros).flat_map(|x| [x, -x]).collect();
    let mut out = vec![0.0; x.len()];
    f(&x, &mut out);
    for (&x, got) in x.iter().zip(out) {
        let exact = exact(f64::from(x));
        let error = ulps(got, exact);
        assert!(error <= bound, "f({x:e}) is {got:e}, exactly {exact:e}: {error} ULP");
        assert!(got.is_nan() || got.is_sign_negative() == exact.is_sign_negative(), "f({x:e}) is {got:e}");
    }
}

#[test]
fn sin_cos_and_tan_are_within_2_ulp_at_any_angle() {
    assert_each_within(2.0, MathOfRuns::sin_each, f64::sin);
    assert_each_within(2.0, MathOfRuns::cos_each, f64::cos);
    assert_each_within(2.0, MathOfRuns::tan_each, f64::tan);
    let mut out = [0.0; 4];
    f32::sin_each(&[INF, -INF, f32::NAN, -0.0], &mut out);
    assert!(out[..3].iter().all(|y| y.is_nan()) && out[3].to_bits() == (-0.0_f32).to_bits());
}

#[test]
fn pow_is_within_1_ulp_for_any_base() {
    for y in [0.5, 1.7, -2.5, 3.0, -1.0, 150.0, 1e-3] {
        for bits in (0..1 << 31).step_by(199_999) {
            for x in [f32::from_bits(bits), -f32::from_bits(bits)] {
                let (got, exact) = (Math::pow(x, y), f64::from(x).powf(f64::from(y)));
                assert!(ulps(got, exact) <= 0.6, "pow({x:e}, {y}) is {got:e}, exactly {exact:e}");
            }
        }
    }
}

#[test]
fn pow_has_the_special_values_of_ieee_754() {
    let values = [0.0, 0.3, 0.5, 1.0, 2.0, 3.0, 1e10, 1e30, INF, f32::NAN, TINY, SUBNORMAL, 16_777_215.0, 33_554_434.0];
    let signed = || values.into_iter().flat_map(|value| [value, -value]);
    for (x, y) in signed().flat_map(|x| signed().map(move |y| (x, y))) {
        // The standard library's double precision agrees on all of them, the sign of zero included.
        let (got, expected) = (Math::pow(x, y), f64::from(x).powf(f64::from(y)) as f32);
        let same = got.is_sign_negative() == expected.is_sign_negative() && ulps(got, f64::from(expected)) <= 1.0;
        assert!(same || got.is_nan() && expected.is_nan(), "pow({x:e}, {y:e}) is {got:e}, not {expected:e}");
    }
}

#[test]
fn doubles_keep_their_limits_at_minus_infinity() {
    for f in [Math::silu, Math::gelu, Math::gelu_tanh] as [fn(f64) -> f64; 3] {
        assert_eq!(f(f64::NEG_INFINITY), 0.0);
        assert_eq!(f(f64::INFINITY), f64::INFINITY);
        assert!(f(f64::NAN).is_nan());
    }
    // Abramowitz and Stegun, table 26.1: Phi(-2) = 0.0227501319481792.
    assert!((Math::gelu(-2.0_f64) + 2.0 * 0.022_750_131_948_179_2).abs() < 1e-15);
}

#[test]
fn exp2_nonpositive_is_within_1_1_ulp_and_never_subnormal() {
    let exact = |x: f64| if -x.abs() < -126.0 { 0.0 } else { (-x.abs()).exp2() };
    assert_within(1.1, |x| MathOfRuns::exp2_nonpositive(-x.abs()), exact);
    let table = [(0.0, 1.0), (-1.0, 0.5), (-126.0, TINY), (-126.1, 0.0), (-INF, 0.0), (f32::NAN, f32::NAN)];
    assert_table(MathOfRuns::exp2_nonpositive, &table);
}
