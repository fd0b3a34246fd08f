//! A table in words.

use std::fmt;

use super::{Table, TableColumn};

/// The most columns, and the most characters of an entry, that are shown.
const COLUMNS: usize = 40;
const CHARACTERS: usize = 20;

impl fmt::Display for Table {
    /// A line for each column: its name, what it holds, how many entries are missing, and the range of its numbers, or how many
    /// different texts it has and which is the most frequent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows, {} columns", self.len(), self.columns.len())?;
        let width = self.names().take(COLUMNS).map(|name| shortened(name).chars().count()).max().unwrap_or(0);
        for (name, column) in self.columns().take(COLUMNS) {
            write!(f, "\n{:width$}  {:7}  ", shortened(name), kind(column))?;
            match column.missing() {
                0 => write!(f, "none missing")?,
                missing => write!(f, "{missing} missing")?,
            }
            write!(f, ", {}", summary(column))?;
        }
        if self.columns.len() > COLUMNS {
            write!(f, "\n.. and {} columns more", self.columns.len() - COLUMNS)?;
        }
        Ok(())
    }
}

fn kind(column: &TableColumn) -> &'static str {
    if let TableColumn::Numbers(_) = column { "numbers" } else { "texts" }
}

fn summary(column: &TableColumn) -> String {
    match column {
        TableColumn::Numbers(numbers) => {
            let (mut count, mut sum, mut least, mut most) = (0_usize, 0.0, f64::INFINITY, f64::NEG_INFINITY);
            for number in numbers.iter().filter(|number| !number.is_nan()) {
                (count, sum, least, most) = (count + 1, sum + number, least.min(number), most.max(number));
            }
            if count == 0 {
                "no number".to_owned()
            } else {
                format!("{least} to {most}, mean {:.6}", sum / count as f64)
            }
        }
        TableColumn::Texts(texts) => {
            let mut counts = texts.counts();
            counts.remove("");
            match counts.iter().max_by_key(|&(text, count)| (count, std::cmp::Reverse(text))) {
                None => "no text".to_owned(),
                Some((text, count)) => format!("{} different, {:?} {count} times", counts.len(), shortened(text)),
            }
        }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text.to_owned(),
    }
}
