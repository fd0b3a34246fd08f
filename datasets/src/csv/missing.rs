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
    /// The texts by their first byte, in lower case: most fields begin otherwise.
    texts: Vec<Vec<String>>,
    /// Those of the texts that are numbers.
    numbers: Vec<Decimal>,
}

impl Missing {
    pub fn new(texts: Option<Vec<String>>) -> Missing {
        let all = texts.unwrap_or_else(|| DEFAULTS.map(str::to_owned).to_vec());
        let (mut texts, mut numbers) = (vec![Vec::new(); 256], Vec::new());
        for text in all.iter().map(|text| text.trim()) {
            if let Some(first) = text.bytes().next() {
                texts[usize::from(first.to_ascii_lowercase())].push(text.to_owned());
            }
            numbers.extend(Decimal::parse(text));
        }
        Missing { texts, numbers }
    }

    /// Whether a field means that its value is missing. Letters may be large or small, and numbers written in any way.
    pub fn holds(&self, field: &str) -> bool {
        let Some(first) = field.bytes().next() else { return true };
        let texts = &self.texts[usize::from(first.to_ascii_lowercase())];
        texts.iter().any(|text| field.eq_ignore_ascii_case(text)) || self.holds_number(field)
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
