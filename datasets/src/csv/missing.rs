//! The texts that stand for a missing value.

use crate::decimal::Decimal;

/// The texts that stand for a missing value unless a program names others: those of pandas, and the question mark of the
/// UCI repository.
const DEFAULTS: [&str; 15] = [
    "?", "na", "n/a", "nan", "-nan", "null", "none", "<na>", "#n/a", "#na", "#n/a n/a", "1.#ind", "-1.#ind", "1.#qnan",
    "-1.#qnan",
];

/// The texts that stand for a missing value, besides an empty field.
pub(super) struct Missing {
    texts: Vec<String>,
    /// Those of the texts that are numbers.
    numbers: Vec<Decimal>,
    /// Whether a text begins with this byte, small or large.
    firsts: [bool; 256],
}

impl Missing {
    pub fn new(texts: Option<Vec<String>>) -> Missing {
        let texts = texts.unwrap_or_else(|| DEFAULTS.map(str::to_owned).to_vec());
        let numbers = texts.iter().filter_map(|text| Decimal::parse(text.trim())).collect();
        let mut firsts = [false; 256];
        for byte in texts.iter().filter_map(|text| text.trim().bytes().next()) {
            firsts[usize::from(byte.to_ascii_lowercase())] = true;
            firsts[usize::from(byte.to_ascii_uppercase())] = true;
        }
        Missing { texts, numbers, firsts }
    }

    /// Whether a field means that its value is missing. Letters may be large or small, and numbers written in any way.
    pub fn holds(&self, field: &str) -> bool {
        let Some(first) = field.bytes().next() else { return true };
        let same = |text: &String| field.eq_ignore_ascii_case(text.trim());
        // Most fields begin otherwise.
        self.firsts[usize::from(first)] && self.texts.iter().any(same) || self.holds_number(field)
    }

    /// Whether there are numbers that mean that a value is missing.
    #[inline]
    pub fn has_numbers(&self) -> bool {
        !self.numbers.is_empty()
    }

    /// Whether a field is a number that means that its value is missing.
    #[inline]
    pub fn holds_number(&self, field: &str) -> bool {
        self.has_numbers() && Decimal::parse(field).is_some_and(|number| self.numbers.contains(&number))
    }
}
