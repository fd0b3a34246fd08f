//! Columns of dates as features.

use std::f64::consts::TAU;

use gradus_tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::column::{TableColumn, Texts};
use super::feature::{Input, Strided};
use super::number::{Impute, Number, Scaled};
use crate::error::{DatasetError, Place, Result};

/// A column of dates as a feature of five numbers: the days since 1970-01-01, with mean 0 and standard deviation 1; the place in
/// the year as sine and cosine, so that December is beside January; and the day of the week as sine and cosine.
///
/// Dates are ISO 8601, `2024-02-29`, perhaps with a time behind: `2024-02-29 18:30` or `2024-02-29T18:30:05.25Z`. Other forms have
/// a [`format`](Date::format). A date that is missing is an error unless [`impute`](Date::impute) says what stands for it.
///
/// ```
/// use gradus_datasets::{Date, FeatureSpace, Table, TableColumn};
/// let table = Table::new([("joined", TableColumn::from(["31.12.2023", "02.01.2024"]))])?;
/// let preparation = FeatureSpace::new().feature("joined", Date::new().format("%d.%m.%Y")).adapt(&table)?;
/// let features = preparation.prepare(&table)?[0].to::<f32>();
/// assert_eq!((features.shape()[1], features.get([0, 0]), features.get([1, 0])), (5, -1.0, 1.0));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Date {
    /// `None` for ISO 8601.
    format: Option<String>,
    impute: Option<Impute>,
    hour: bool,
}

/// The numbers of a date behind its days.
const CYCLES: [&str; 3] = ["in the year", "in the week", "in the day"];

impl Date {
    /// Dates of ISO 8601.
    pub fn new() -> Self {
        Date::default()
    }

    /// The form of the dates, as `strptime` takes it: `%Y` a year of four digits, `%y` of two (69 to 99 are 1969 to 1999), `%m`
    /// the month, `%d` the day, `%H`, `%M` and `%S` the time, `%b` and `%B` the month's English name, short and whole, `%%` a
    /// percent sign. All other letters stand for themselves.
    ///
    /// # Panics
    /// If the format has another code, or none for a year.
    #[track_caller]
    pub fn format(self, format: &str) -> Self {
        let parts = format.replace("%%", "");
        let codes: Vec<Option<char>> = parts.split('%').skip(1).map(|code| code.chars().next()).collect();
        let is_known = codes.iter().all(|code| code.is_some_and(|code| "YymdHMSbB".contains(code)));
        assert!(is_known, "format: {format:?} has a code other than %Y %y %m %d %H %M %S %b %B %%");
        let has_year = codes.iter().any(|code| matches!(code, Some('Y' | 'y')));
        assert!(has_year, "format: {format:?} has no code for the year, %Y or %y");
        Date { format: Some(format.to_owned()), ..self }
    }

    /// What stands for a date that is missing. The number of [`Impute::Value`] counts days since 1970-01-01.
    pub fn impute(self, impute: Impute) -> Self {
        Date { impute: Some(impute), ..self }
    }

    /// Whether the time of the day is two numbers more, as sine and cosine.
    pub fn hour(self, hour: bool) -> Self {
        Date { hour, ..self }
    }

    pub(super) fn adapt(&self, texts: &Texts) -> Result<Dated> {
        let days: Tensor<f64> = self.days(texts)?.into();
        let scaled = Number::standard();
        let scaled = if let Some(impute) = self.impute { scaled.impute(impute) } else { scaled };
        self.check_missing(&days)?;
        Ok(Dated { date: self.clone(), scaled: scaled.adapt(&days)? })
    }

    /// Refuses dates that are missing, if nothing stands for them.
    fn check_missing(&self, days: &Tensor<f64>) -> Result<()> {
        match days.iter().position(f64::is_nan) {
            Some(row) if self.impute.is_none() => {
                let hint = "say by `Date::impute` what stands for it, or leave the row out";
                Err(DatasetError::new("a date that is missing", "one in every row", hint).at(Place::Sample(row)))
            }
            _ => Ok(()),
        }
    }

    /// The days since 1970 of each date; NaN where it is missing.
    pub(super) fn days(&self, texts: &Texts) -> Result<Vec<f64>> {
        let day = |(row, text): (usize, &str)| {
            if text.is_empty() {
                return Ok(f64::NAN);
            }
            let day = match &self.format {
                None => iso(text),
                Some(format) => formatted(text, format),
            };
            day.ok_or_else(|| {
                let expected = match &self.format {
                    None => "a date such as 2024-02-29 or 2024-02-29 18:30".to_owned(),
                    Some(format) => format!("a date of the form {format:?}"),
                };
                let hint = "correct it, or say by `format` how dates are written";
                DatasetError::new(format!("{text:?}"), expected, hint).at(Place::Sample(row))
            })
        };
        texts.iter().enumerate().map(day).collect()
    }
}

/// A date and a time, in days since 1970-01-01.
fn days_since_1970([year, month, day]: [i64; 3], [hour, minute, second]: [f64; 3]) -> Option<f64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let february = if leap { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(usize::try_from(month).ok()?.checked_sub(1)?)?;
    let time = hour < 24.0 && minute < 60.0 && second < 61.0;
    if !(1..=length).contains(&day) || !(1..=9999).contains(&year) || !time {
        return None;
    }
    let before = year - 1;
    let leap_days = before / 4 - before / 100 + before / 400;
    let in_year: i64 = lengths[..month as usize - 1].iter().sum();
    // 719,162 days lie between the first days of the years 1 and 1970.
    let days = before * 365 + leap_days + in_year + day - 1 - 719_162;
    Some(days as f64 + (hour * 3600.0 + minute * 60.0 + second) / 86_400.0)
}

/// A date of ISO 8601, perhaps with a time.
fn iso(text: &str) -> Option<f64> {
    let (date, time) = match text.find(['T', ' ']) {
        Some(at) => (&text[..at], text[at + 1..].strip_suffix('Z').unwrap_or(&text[at + 1..])),
        None => (text, "00:00"),
    };
    let mut parts = date.split('-').map(whole);
    let date = [parts.next()??, parts.next()??, parts.next()??];
    let mut times = time.split(':').map(number);
    let clock = [times.next()??, times.next()??, times.next().unwrap_or(Some(0.0))?];
    if parts.next().is_some() || times.next().is_some() || clock[0].fract() + clock[1].fract() != 0.0 {
        return None;
    }
    days_since_1970(date, clock)
}

fn whole(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

fn number(text: &str) -> Option<f64> {
    let is_number = text.starts_with(|first: char| first.is_ascii_digit())
        && text.len() <= 20
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_number { text.parse().ok().filter(|number: &f64| number.is_finite()) } else { None }
}

/// A date of a form that `strptime` takes.
fn formatted(text: &str, format: &str) -> Option<f64> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let (mut date, mut time) = ([1970, 1, 1], [0.0; 3]);
    let mut rest = text;
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        let code = if letter == '%' { letters.next()? } else { '%' };
        if letter != '%' || code == '%' {
            rest = rest.strip_prefix(letter)?;
            continue;
        }
        if let 'b' | 'B' = code {
            let length = rest.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(rest.len());
            let name = rest[..length].to_ascii_lowercase();
            let fits = |month: &str| *month == *name || code == 'b' && name.len() == 3 && month.starts_with(&*name);
            date[1] = 1 + MONTHS.iter().position(|month| fits(month))? as i64;
            rest = &rest[length..];
            continue;
        }
        let most = if code == 'Y' { 4 } else { 2 };
        let digits = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let value = whole(&rest[..digits])?;
        rest = &rest[digits..];
        match code {
            'Y' => date[0] = value,
            'y' => date[0] = if value < 69 { 2000 + value } else { 1900 + value },
            'm' => date[1] = value,
            'd' => date[2] = value,
            'H' => time[0] = value as f64,
            'M' => time[1] = value as f64,
            _ => time[2] = value as f64,
        }
    }
    if rest.is_empty() { days_since_1970(date, time) } else { None }
}

/// A feature of dates that was adapted to a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dated {
    date: Date,
    scaled: Scaled,
}

impl Dated {
    /// How many cycles are asked for.
    fn cycles(&self) -> usize {
        if self.date.hour { 3 } else { 2 }
    }

    pub fn width(&self) -> usize {
        1 + 2 * self.cycles()
    }

    pub fn names(&self, column: &str) -> Vec<String> {
        let cycles = CYCLES.iter().take(self.cycles());
        let waves = cycles.flat_map(|cycle| ["sine", "cosine"].map(|wave| format!("{column} {cycle}, {wave}")));
        std::iter::once(column.to_owned()).chain(waves).collect()
    }

    /// The column as days.
    pub fn days(&self, texts: &Texts) -> Result<TableColumn> {
        let days: Tensor<f64> = self.date.days(texts)?.into();
        self.date.check_missing(&days)?;
        Ok(days.into())
    }

    pub fn write(&self, input: &Input<'_>, out: &mut Strided<'_>) -> Result<()> {
        self.scaled.write(input, out)?;
        for (row, &days) in input.numbers().iter().enumerate() {
            let days = self.scaled.filled(days, input.first() + row)?;
            // A year has 365.2425 days on average. 1970 began on a Thursday, three days behind a Monday; all times of a day are
            // one day of the week.
            let turns = [days / 365.2425, (days + 3.0).floor() / 7.0, days];
            for (cycle, turn) in turns.into_iter().take(self.cycles()).enumerate() {
                let angle = TAU * turn.rem_euclid(1.0);
                out.set(row, 1 + 2 * cycle, libm::sin(angle) as f32);
                out.set(row, 2 + 2 * cycle, libm::cos(angle) as f32);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_days_since_1970() {
        // By Python's datetime: (date(y, m, d) - date(1970, 1, 1)).days.
        let known = [
            ("1970-01-01", 0.0),
            ("1969-12-31", -1.0),
            ("2000-02-29", 11_016.0),
            ("2024-02-29", 19_782.0),
            ("1900-03-01", -25_508.0),
            ("0001-01-01", -719_162.0),
            ("9999-12-31", 2_932_896.0),
            ("2024-02-29 18:00", 19_782.75),
            ("2024-02-29T06:00:00Z", 19_782.25),
        ];
        for (text, days) in known {
            assert_eq!(iso(text), Some(days), "{text}");
        }
        assert_eq!(iso("1970-01-01 00:00:43.2"), Some(0.0005));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "2023-02-29",
            "1900-02-29",
            "2024-13-01",
            "2024-00-01",
            "2024-01-32",
            "2024-1",
            "24:00",
            "2024-01-01 24:00",
            "2024-01-01T",
            "2024-01-01-01",
            "2024-01-01 1:2:3:4",
            "yesterday",
            "2024-01-01 1e1:00",
            "-2024-01-01",
            "١-1-1",
        ] {
            assert_eq!(iso(text), None, "{text}");
        }
    }

    #[test]
    fn dates_have_other_forms() {
        let day = iso("2024-02-29");
        for (text, format) in [
            ("29.02.2024", "%d.%m.%Y"),
            ("2/29/24", "%m/%d/%y"),
            ("20240229", "%Y%m%d"),
            ("29 Feb 2024", "%d %b %Y"),
            ("February 29, 2024", "%B %d, %Y"),
            ("100% 2024-02-29", "100%% %Y-%m-%d"),
        ] {
            assert_eq!(formatted(text, format), day, "{text}");
        }
        assert_eq!(formatted("29.02.2024 18:00:00", "%d.%m.%Y %H:%M:%S"), day.map(|day| day + 0.75));
        for text in ["29.02.", "29.02.2024 ", "29.2x.2024", "x"] {
            assert_eq!(formatted(text, "%d.%m.%Y"), None, "{text}");
        }
        assert_eq!(formatted("29 Fe 2024", "%d %b %Y"), None);
    }

    #[test]
    #[should_panic(expected = "has a code other than")]
    fn a_format_has_known_codes() {
        let _ = Date::new().format("%Y-%j");
    }
}
