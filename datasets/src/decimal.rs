//! Numbers in labels and in names, compared by their exact values.

use std::cmp::Ordering;

/// A decimal number of any length, such as `12`, `-0.5` or `1e3`; `1`, `1.0` and `01` are equal.
///
/// Two long numbers that are one number in f64 still differ here, so labels never fall together by rounding.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Decimal {
    negative: bool,
    /// The power of ten of the first digit, counted from the point: 1 for 1 to 9, 0 for 0.1.
    magnitude: i64,
    /// The digits without zeros at the ends; none for 0.
    digits: String,
}

impl Decimal {
    /// The number that the text is: a sign, digits with or without a point, an exponent. Neither infinity nor NaN is one.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (negative, unsigned) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, i64::from(exponent.parse::<i32>().ok()?)),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = [whole, fraction].concat();
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let significant = digits.trim_start_matches('0');
        if significant.is_empty() {
            return Some(Decimal { negative: false, magnitude: 0, digits: String::new() });
        }
        let magnitude = exponent + whole.len() as i64 - (digits.len() - significant.len()) as i64;
        Some(Decimal { negative, magnitude, digits: significant.trim_end_matches('0').to_owned() })
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Decimal| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        // Digits behind the point compare as text does: 0.12 is less than 0.125 and more than 0.1.
        let size = |number: &Decimal| (number.magnitude, number.digits.clone());
        sign(self).cmp(&sign(other)).then_with(|| match self.negative {
            true => size(other).cmp(&size(self)),
            false => size(self).cmp(&size(other)),
        })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn one_value_has_many_texts() {
        for texts in [&["1", "1.0", "01", "+1", "1e0", "0.1e1", "10e-1", "1."][..], &["0", "-0", "0.0", ".0", "0e9"]] {
            assert!(texts.iter().all(|text| of(text) == of(texts[0])), "{texts:?}");
        }
        // One number in f64: 2^53 + 1 is rounded.
        assert!(of("9007199254740992") < of("9007199254740993"));
        assert!(of("0.1") < of("0.10000000000000000001"));
    }

    #[test]
    fn what_is_no_number_is_text() {
        for text in
            ["", "-", "+", ".", "e5", "1e", "1e+", "1,000", "1 2", "0x10", "inf", "NaN", "--1", "1.2.3", "1_0", "١"]
        {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
        assert_eq!(Decimal::parse("1e99999999999"), None);
    }

    proptest! {
        #[test]
        fn numbers_are_ordered_by_value(a in -2000_i64..2000, b in -2000_i64..2000) {
            let text = |n: i64| format!("{:?}", n as f64 / 16.0);
            prop_assert_eq!(of(&text(a)).cmp(&of(&text(b))), a.cmp(&b));
            prop_assert_eq!(of(&a.to_string()).cmp(&of(&format!("{b}.00"))), a.cmp(&b));
        }

        #[test]
        fn any_text_may_be_asked(text in "[-+0-9.eE]{0,8}") {
            let as_f64: Option<f64> = text.parse().ok();
            prop_assert_eq!(Decimal::parse(&text).is_some(), as_f64.is_some(), "{}", text);
        }
    }
}
