//! Rows of a table in requests, for models whose inputs are made of one by a preparation.

use gradus_datasets::{Preparation, Table, TableColumn};
use gradus_nn::Model;

use crate::json::{Reader, Result, shortened};
use crate::request::{Bounds, Format, Samples, too_many};

/// The preparation of tables that a model holds, if it holds one.
///
/// ```
/// use gradus_datasets::{FeatureSpace, Number, Preparation, Table, TableColumn};
/// use gradus_nn::{Dense, Model, Sequential};
/// let table = Table::new([("age", TableColumn::from([20.0, 40.0]))]).unwrap();
/// let of_table = FeatureSpace::new().feature("age", Number::standard()).adapt(&table).unwrap();
/// let model = Model::build(Sequential::new().add(Dense::new(1)), [of_table.width()], 42)?;
/// assert_eq!(gradus_serve::preparation(&model), Ok(None));
/// let model = model.with_preparation(Preparation::NAME, &of_table)?;
/// assert_eq!(gradus_serve::preparation(&model), Ok(Some(of_table)));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// If it is of another type, or makes other inputs than the model takes.
pub fn preparation(model: &Model) -> Result<Option<Preparation>> {
    if !model.info().preparations.contains_key(Preparation::NAME) {
        return Ok(None);
    }
    let preparation: Preparation = model.preparation(Preparation::NAME).map_err(|error| error.to_string())?;
    let inputs = model.raw_inputs();
    let ids = preparation.id_inputs().count();
    let made = ids + usize::from(preparation.width() > 0);
    let takes_width = inputs.iter().any(|input| input.shape[..] == [Some(preparation.width())]);
    if made != inputs.len() || (ids < made && !takes_width) {
        let width = preparation.width();
        return Err(format!(
            "the preparation of tables makes {made} inputs, with {width} numbers of a row; the model takes others: build it for \
             `preparation.width()`, and with an input for each column of ids"
        ));
    }
    Ok(Some(preparation))
}

/// A column of the table that a request is.
struct Column<'p> {
    name: &'p str,
    entries: Entries,
}

enum Entries {
    Numbers(Vec<f64>),
    Texts(Vec<String>),
}

impl Column<'_> {
    fn len(&self) -> usize {
        match &self.entries {
            Entries::Numbers(numbers) => numbers.len(),
            Entries::Texts(texts) => texts.len(),
        }
    }

    /// Appends an entry that is missing.
    fn skip(&mut self) {
        match &mut self.entries {
            Entries::Numbers(numbers) => numbers.push(f64::NAN),
            Entries::Texts(texts) => texts.push(String::new()),
        }
    }

    /// Reads an entry; null is one that is missing.
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        if reader.null() {
            self.skip();
            return Ok(());
        }
        match &mut self.entries {
            Entries::Numbers(numbers) => numbers.push(reader.f64()?),
            // A code may be written as a number, and true as itself.
            Entries::Texts(texts) => texts.push(match reader.peek() {
                Some(b'"') => reader.string()?,
                Some(b't' | b'f') => reader.bool()?.to_string(),
                Some(b'-' | b'0'..=b'9') => reader.f64()?.to_string(),
                _ => return Err(reader.error("a text")),
            }),
        }
        Ok(())
    }
}

/// Reads the rows of a request: `{"instances": [{"age": 31, "city": "Rome"}, ..]}`, or `{"inputs": {"age": [31, ..], ..}}`. What is
/// null or left out is missing; the column that is predicted may be given, and is passed over.
///
/// ```
/// use gradus_datasets::{FeatureSpace, Number, Table, TableColumn};
/// use gradus_serve::{Bounds, read_table};
/// let table = Table::new([("age", TableColumn::from([20.0, 40.0]))]).unwrap();
/// let preparation = FeatureSpace::new().feature("age", Number::standard()).adapt(&table).unwrap();
/// let (_, rows) = read_table(br#"{"instances": [{"age": 31}, {"age": 50}]}"#, &preparation, Bounds::default()).unwrap();
/// assert_eq!(preparation.prepare(&rows).unwrap()[0].to::<f32>().to_vec(), [0.1, 2.0]);
/// ```
///
/// # Errors
/// If the text is no JSON, a column is not one of the table, or an entry is of the other kind.
pub fn read_table(body: &[u8], preparation: &Preparation, bounds: Bounds) -> Result<(Format, Table)> {
    let mut reader = Reader::new(body);
    let columns = preparation.columns();
    let expected = columns.iter().map(|(name, _)| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    let column = |&(name, is_number): &(_, bool)| {
        let entries = if is_number { Entries::Numbers(Vec::new()) } else { Entries::Texts(Vec::new()) };
        Column { name, entries }
    };
    let mut columns: Vec<Column<'_>> = columns.iter().map(column).collect();
    let target = preparation.target();
    let mut given = 0;
    let format = reader.request(|reader, samples| match samples {
        Samples::Instances => {
            reader.list("a list of rows", |reader, row| {
                if row == bounds.samples {
                    return Err(too_many(row));
                }
                if reader.peek() != Some(b'{') {
                    return Err(reader.error(&format!("a row, an object with the columns {expected}")));
                }
                reader.object("a row", |reader, key| {
                    entry(reader, key, &mut columns, target, &expected, |column, reader| {
                        if column.len() > row {
                            return Err(format!("{}: the column is given twice; give it once", reader.place()));
                        }
                        column.read(reader)
                    })
                })?;
                columns.iter_mut().filter(|column| column.len() == row).for_each(Column::skip);
                given = row + 1;
                Ok(())
            })?;
            Ok(())
        }
        Samples::Inputs => reader.object("an object with a list for each column", |reader, key| {
            entry(reader, key, &mut columns, target, &expected, |column, reader| {
                if column.len() > 0 {
                    return Err(format!("{}: the column is given twice; give it once", reader.place()));
                }
                reader.list("a list of entries", |reader, row| {
                    if row == bounds.samples { Err(too_many(row)) } else { column.read(reader) }
                })?;
                Ok(())
            })
        }),
    })?;
    let rows = columns.iter().map(Column::len).max().unwrap_or(0).max(given);
    if rows == 0 {
        return Err("the request has no rows; give at least one".to_owned());
    }
    if let Some(short) = columns.iter_mut().find(|column| !matches!(column.len(), 0) && column.len() != rows) {
        let (name, count) = (short.name, short.len());
        return Err(format!("the column {name:?} has {count} rows, another one {rows}; give as many of each"));
    }
    for column in columns.iter_mut().filter(|column| column.len() == 0) {
        (0..rows).for_each(|_| column.skip());
    }
    let table = Table::new(columns.into_iter().map(|column| {
        let entries = match column.entries {
            Entries::Numbers(numbers) => TableColumn::from(numbers),
            Entries::Texts(texts) => TableColumn::from(texts),
        };
        (column.name, entries)
    }));
    Ok((format, table.map_err(|error| error.to_string())?))
}

/// Hands the column of this name to `read`.
fn entry(
    reader: &mut Reader<'_>,
    key: &str,
    columns: &mut [Column<'_>],
    target: Option<&str>,
    expected: &str,
    read: impl FnOnce(&mut Column<'_>, &mut Reader<'_>) -> Result<()>,
) -> Result<()> {
    match columns.iter_mut().find(|column| column.name == key) {
        Some(column) => read(column, reader),
        None if target == Some(key) => reader.skip(),
        None => {
            reader.path.pop();
            let (place, key) = (reader.place(), shortened(key));
            Err(format!("{place}: the table has no column \"{key}\"; give its columns: {expected}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use gradus_datasets::{Category, FeatureSpace, Impute, Number, Target};

    use super::*;

    fn preparation_of_two() -> Preparation {
        let table = Table::new([
            ("age", TableColumn::from([20.0, 40.0])),
            ("city", TableColumn::from(["Rome", "Paris"])),
            ("stays", TableColumn::from(["no", "yes"])),
        ]);
        FeatureSpace::new()
            .feature("age", Number::standard().impute(Impute::Mean))
            .feature("city", Category::one_hot())
            .target("stays", Target::binary())
            .adapt(&table.unwrap())
            .unwrap()
    }

    fn read(body: &str) -> Result<Vec<f32>> {
        let preparation = preparation_of_two();
        let (_, table) = read_table(body.as_bytes(), &preparation, Bounds { samples: 3, length: 4 })?;
        preparation.prepare(&table).map(|inputs| inputs[0].to::<f32>().to_vec()).map_err(|error| error.to_string())
    }

    #[test]
    fn rows_are_objects_or_columns() {
        let rows = r#"{"instances": [{"age": 40, "city": "Rome", "stays": "no"}, {"city": null}, {"age": 2e1, "city": "Oslo"}]}"#;
        assert_eq!(read(rows), Ok(vec![1.0, 1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0]));
        let columns = r#"{"inputs": {"city": ["Paris", "Rome"], "age": [null, 40]}}"#;
        assert_eq!(read(columns), Ok(vec![0.0, 0.0, 1.0, 1.0, 1.0, 0.0]));
        assert_eq!(read(r#"{"instances": [{}]}"#), Ok(vec![0.0; 3]));
        assert_eq!(read(r#"{"inputs": {"age": [20]}}"#), Ok(vec![-1.0, 0.0, 0.0]));
    }

    #[test]
    fn what_is_no_row_is_refused() {
        for (body, error) in [
            (r#"{"instances": [{"age": "old"}]}"#, "instances[0].age, byte 23: found a string, expected a number"),
            (r#"{"instances": [{"city": [1]}]}"#, "instances[0].city, byte 24: found a list, expected a text"),
            (
                r#"{"instances": [{"age": 1}, {"aeg": 1}]}"#,
                "instances[1]: the table has no column \"aeg\"; give its columns: \"age\", \"city\"",
            ),
            (
                r#"{"instances": [[1, 2]]}"#,
                "instances[0], byte 15: found a list, expected a row, an object with the columns \"age\", \"city\"",
            ),
            (r#"{"instances": [{"age": 1, "age": 2}]}"#, "instances[0].age: the column is given twice; give it once"),
            (r#"{"instances": []}"#, "the request has no rows; give at least one"),
            (
                r#"{"inputs": {"age": [1, 2], "city": ["Rome"]}}"#,
                "the column \"city\" has 1 rows, another one 2; give as many of each",
            ),
            (
                r#"{"instances": [{}, {}, {}, {}]}"#,
                "the request has more than 3 samples; send several requests, or let the server take more",
            ),
            (r#"{"rows": []}"#, "the body has neither \"instances\" nor \"inputs\"; give one of them"),
        ] {
            assert_eq!(read(body).unwrap_err(), error, "{body}");
        }
    }
}
