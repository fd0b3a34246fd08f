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

/// The number with which a text begins, and its length, if it is one that [`plain_number`] takes, and one of the 16 bytes from there on
/// ends it. Where a number ends and where its point is are hard for a processor to guess: here it need not, as it looks at all bytes
/// at once.
#[inline]
pub(super) fn short_number(text: &[u8]) -> Option<(f64, usize)> {
    let bytes = text.first_chunk().copied().unwrap_or_else(|| {
        let mut bytes = [0; 16];
        bytes[..text.len()].copy_from_slice(text);
        bytes
    });
    let is_negative = bytes[0] == b'-';
    // The value of each digit, the first in the lowest byte. Places are numbers of bits.
    let digits = (u128::from_le_bytes(bytes) ^ in_all(b'0')) >> (8 * u32::from(is_negative));
    // The highest bit of each byte that is not one of 0 to 9.
    let others = (((digits & in_all(0x7f)) + in_all(0x7f - 9)) | digits) & in_all(0x80);
    let whole = others.trailing_zeros() & !7;
    let behind = (others & others.wrapping_sub(1)).trailing_zeros() & !7;
    let has_point = digits.checked_shr(whole)? as u8 == b'.' ^ b'0';
    let end = if has_point { behind } else { whole };
    let is_code = whole > 8 && digits as u8 == 0;
    if whole == 0 || end == 128 || is_code || has_point && end == whole + 8 {
        return None;
    }
    let before_point = (1 << whole) - 1;
    let (joined, count) = match has_point {
        true => (digits & before_point | digits >> 8 & !before_point, end - 8),
        false => (digits, end),
    };
    // The last digit in the highest byte, with zeros before the first one.
    let digits = joined << (128 - count);
    let number = eight_digits(digits as u64) * 100_000_000 + eight_digits((digits >> 64) as u64);
    let number = number as f64 / POWERS[(count - whole) as usize / 8];
    let number = f64::from_bits(number.to_bits() | u64::from(is_negative) << 63);
    Some((number, end as usize / 8 + usize::from(is_negative)))
}

/// This byte in all bytes.
const fn in_all(byte: u8) -> u128 {
    u128::from_ne_bytes([byte; 16])
}

/// The number of eight digits, the first in the lowest byte.
#[inline]
fn eight_digits(digits: u64) -> u64 {
    // Two digits, then four, then all: the factors are 10, 100 and 10 000 beside a 1.
    let pairs = digits.wrapping_mul((10 << 8) + 1) >> 8 & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul((100 << 16) + 1) >> 16 & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul((10_000 << 32) + 1) >> 32
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
            if let Some((number, length)) = short_number(&bytes) {
                prop_assert_eq!(plain_number(&bytes[..length]).map(f64::to_bits), Some(number.to_bits()));
            }
        }

        #[test]
        fn short_numbers_are_plain_ones(text in "-?[0-9]{0,9}\\.?[0-9]{0,9}", behind in "[,\r\n ex]?[-.0-9]{0,9}") {
            let plain = plain_number(text.as_bytes()).map(f64::to_bits);
            let found = short_number(format!("{text}{behind}").as_bytes());
            if behind.starts_with(|first: char| !"-.".contains(first) && !first.is_ascii_digit()) {
                let is_short = text.len() < 16;
                let expected = plain.filter(|_| is_short).map(|number| (number, text.len()));
                prop_assert_eq!(found.map(|(number, length)| (number.to_bits(), length)), expected);
            }
        }
    }
}
