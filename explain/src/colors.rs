//! The colours of the pictures.

/// The colour of what raises a number.
const RAISES: [f64; 3] = [200.0, 24.0, 30.0];
/// The colour of what lowers it: blue beside red is told apart by all eyes.
const LOWERS: [f64; 3] = [20.0, 80.0, 200.0];
/// The colour of a large amount without a sign.
const AMOUNT: [f64; 3] = [8.0, 60.0, 140.0];
/// The colour of what is not a number.
const NAN: [u8; 3] = [0, 150, 70];

/// How strongly a part of the whole, from -1 to 1, is coloured: its root, so that small parts are seen.
pub(crate) fn share(part: f64) -> f64 {
    part.signum() * part.abs().min(1.0).sqrt()
}

/// A colour that goes over into another by this share, from 0 to 1.
fn mixed(from: [f64; 3], to: [f64; 3], share: f64) -> [u8; 3] {
    let mix = |(from, to): (f64, f64)| (from + (to - from) * share).round() as u8;
    [mix((from[0], to[0])), mix((from[1], to[1])), mix((from[2], to[2]))]
}

/// The colour of a share from -1 to 1 over a background: red raises, blue lowers.
pub(crate) fn signed(share: f64, background: [f64; 3]) -> [u8; 3] {
    if share.is_nan() {
        return NAN;
    }
    mixed(background, if share < 0.0 { LOWERS } else { RAISES }, 0.92 * share.abs())
}

/// The colour of an amount from 0 to 1, over white.
pub(crate) fn amount(share: f64) -> [u8; 3] {
    if share.is_nan() { NAN } else { mixed([247.0, 249.0, 252.0], AMOUNT, share.max(0.0)) }
}

/// As SVG and HTML write a colour.
pub(crate) fn hex([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// The number of the largest size that is one; 0 if there is none.
pub(crate) fn largest(numbers: impl Iterator<Item = f64>) -> f64 {
    numbers.map(f64::abs).filter(|size| size.is_finite()).fold(0.0, f64::max)
}

/// A number as a part of the largest, from -1 to 1; infinite ones are whole parts, NaN stays.
pub(crate) fn part(number: f64, largest: f64) -> f64 {
    if number.is_infinite() {
        number.signum()
    } else if largest == 0.0 {
        number * 0.0
    } else {
        number / largest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_the_colour_of_the_background() {
        assert_eq!(signed(0.0, [10.0, 20.0, 30.0]), [10, 20, 30]);
        assert_eq!(signed(share(part(f64::NAN, 2.0)), [0.0; 3]), NAN);
        assert!(signed(1.0, [255.0; 3])[0] > signed(1.0, [255.0; 3])[2]);
        assert!(signed(-1.0, [255.0; 3])[2] > signed(-1.0, [255.0; 3])[0]);
        assert_eq!(hex([0, 171, 255]), "#00abff");
    }

    #[test]
    fn parts_of_the_largest_finite_number() {
        let numbers = [f64::NAN, f64::NEG_INFINITY, -4.0, 2.0];
        assert_eq!(largest(numbers.into_iter()), 4.0);
        assert_eq!([part(2.0, 4.0), part(f64::NEG_INFINITY, 4.0), part(0.0, 0.0)], [0.5, -1.0, 0.0]);
        assert!(part(f64::NAN, 4.0).is_nan() && part(f64::NAN, 0.0).is_nan());
    }
}
