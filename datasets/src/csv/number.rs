//! Numbers as most files write them, read quickly.

/// The powers of ten that an f64 holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];
/// Whole numbers up to this one are exact as f64.
const EXACT: u64 = 1 << 53;

/// The number that a text is, if it is a sign, digits and perhaps a point with digits behind, few enough that one division rounds as
/// it should (Clinger 1990): the f64 nearest to it. `None` for all other texts, numbers among them: those with an exponent, with many
/// digits, with a zero before other digits.
#[inline]
pub(super) fn plain_number(text: &[u8]) -> Option<f64> {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    // 19 digits fit into 64 bits.
    if digits.is_empty() || digits.len() > 20 || matches!(digits, [b'0', b'0'..=b'9', ..] | [b'.', ..] | [.., b'.']) {
        return None;
    }
    let (mut number, mut behind, mut has_point) = (0_u64, 0, false);
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
            behind += usize::from(has_point);
        } else if byte == b'.' && !has_point {
            has_point = true;
        } else {
            return None;
        }
    }
    if number > EXACT || digits.len() - usize::from(has_point) > 19 {
        return None;
    }
    let number = number as f64 / POWERS[behind];
    Some(if is_negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn other_texts_are_left_to_others() {
        for text in [
            "",
            "-",
            ".",
            "1.",
            ".5",
            "-.5",
            "01",
            "-01",
            "1e5",
            "1.2.3",
            "+1",
            " 1",
            "1 ",
            "0x1",
            "inf",
            "9007199254740993",
        ] {
            assert_eq!(plain_number(text.as_bytes()), None, "{text}");
        }
        assert_eq!(plain_number(b"99999999999999999999"), None);
        assert_eq!(plain_number(b"-0").map(f64::to_bits), Some((-0.0_f64).to_bits()));
        assert_eq!(plain_number(b"0.0000000000000000001"), None);
        assert_eq!(plain_number(b"0.000000000000000001"), Some(1e-18));
    }

    proptest! {
        #[test]
        fn numbers_are_those_of_the_standard_library(text in "-?(0|[1-9][0-9]{0,18})(\\.[0-9]{1,18})?") {
            if let Some(number) = plain_number(text.as_bytes()) {
                prop_assert_eq!(number.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{}", text);
            }
        }

        #[test]
        fn short_numbers_are_read(number in -1_000_000_000_i64..1_000_000_000, places in 0_usize..6) {
            let text = format!("{:.*}", places, number as f64 / 1e3);
            prop_assert_eq!(plain_number(text.as_bytes()), text.parse().ok(), "{}", text);
        }

        #[test]
        fn any_bytes_may_be_asked(bytes in prop::collection::vec(any::<u8>(), 0..30)) {
            plain_number(&bytes);
        }
    }
}
