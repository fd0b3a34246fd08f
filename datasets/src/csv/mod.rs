//! CSV: tables of numbers and class labels.

mod column;
mod table;

use std::path::Path;

use ::csv::{ReaderBuilder, StringRecord, Trim};
use gradus_tensor::Tensor;

use crate::classes::ClassIndex;
use crate::dataset::Dataset;
use crate::error::{DatasetError, Result};
use crate::source::ByteSource;
pub use column::CsvColumn;
use table::{Fields, Table, malformed};

/// A CSV file and the options for reading it; the last call reads it: `regression`, `classification` or `tensor`.
///
/// By default the first line names the columns, fields are separated by commas, the last column is the target and all
/// others are inputs. The file may be gzip'd. Every error names the file, the line and the column.
///
/// ```
/// use gradus_datasets::{Csv, ByteSource};
/// let text = "height,width,kind\n1.5,2,cat\n2.5,4,dog\n1,2.5,cat\n";
/// let animals = Csv::new(ByteSource::new(text.as_bytes(), "animals")?).classification()?;
/// assert_eq!(animals.inputs().shape(), &[3, 2]);
/// assert_eq!(animals.targets().to_vec(), [0, 1, 0]);
/// assert_eq!(animals.class_names().unwrap(), ["cat", "dog"]);
///
/// let sizes = Csv::new(ByteSource::new(text.as_bytes(), "animals")?).inputs(["height"]).target("width").regression()?;
/// assert_eq!(sizes.targets().shape(), &[3, 1]);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Debug)]
pub struct Csv<'a> {
    source: ByteSource<'a>,
    delimiter: u8,
    /// `None`: a header is expected, and a first line of numbers alone is an error.
    header: Option<bool>,
    inputs: Option<Vec<CsvColumn>>,
    targets: Option<Vec<CsvColumn>>,
    class_names: Option<Vec<String>>,
}

impl Csv<'static> {
    /// The CSV file at `path`, plain or gzip'd.
    ///
    /// # Errors
    /// If the file is missing or cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        ByteSource::open(path).map(Csv::new)
    }
}

impl<'a> Csv<'a> {
    /// The CSV text of any source of bytes.
    pub fn new(source: ByteSource<'a>) -> Self {
        Csv { source, delimiter: b',', header: None, inputs: None, targets: None, class_names: None }
    }

    /// Whether the first line names the columns; by default it does.
    pub fn header(self, header: bool) -> Self {
        Csv { header: Some(header), ..self }
    }

    /// The byte between two fields: `b';'`, `b'\t'`.
    pub fn delimiter(self, delimiter: u8) -> Self {
        Csv { delimiter, ..self }
    }

    /// The columns to predict from, in this order; by default all but the target.
    pub fn inputs(self, columns: impl IntoIterator<Item = impl Into<CsvColumn>>) -> Self {
        Csv { inputs: Some(columns.into_iter().map(Into::into).collect()), ..self }
    }

    /// The column to predict; by default the last one.
    pub fn target(self, column: impl Into<CsvColumn>) -> Self {
        self.targets([column])
    }

    /// The columns to predict, for a regression of several numbers.
    pub fn targets(self, columns: impl IntoIterator<Item = impl Into<CsvColumn>>) -> Self {
        Csv { targets: Some(columns.into_iter().map(Into::into).collect()), ..self }
    }

    /// The classes 0, 1, ... by their labels in the file. Without them, classes are the labels that occur, sorted: as
    /// numbers if all are whole numbers, else as text. A test set needs the names of its training set.
    pub fn class_names(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Csv { class_names: Some(names.into_iter().map(Into::into).collect()), ..self }
    }

    /// All input columns as one tensor, `[rows, columns]`; by default all columns of the file.
    ///
    /// # Errors
    /// If a field is not a finite number, a row has too many or too few, or there is no row.
    pub fn tensor(mut self) -> Result<Tensor> {
        self.targets.get_or_insert_default();
        let mut numbers = Vec::new();
        let (rows, [width, _]) = self.read(|inputs, _| inputs.numbers(&mut numbers))?;
        Ok(filled(numbers, rows, width))
    }

    /// Input columns `[rows, columns]`, and target columns that are numbers `[rows, targets]`.
    ///
    /// # Errors
    /// If a field is not a finite number, a row has too many or too few, or there is no row.
    pub fn regression(self) -> Result<Dataset> {
        if self.targets.as_ref().is_some_and(Vec::is_empty) {
            let error = DatasetError::new("no target column", "at least one", "choose one, or read a `tensor`");
            return Err(error.in_file(self.source.name()));
        }
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        let (rows, [width, target_width]) = self.read(|input_fields, target_fields| {
            input_fields.numbers(&mut inputs)?;
            target_fields.numbers(&mut targets)
        })?;
        Dataset::new(filled(inputs, rows, width), filled(targets, rows, target_width))
    }

    /// Input columns `[rows, columns]`, and a target column of labels, text or numbers, as classes 0, 1, ... `[rows]`.
    ///
    /// # Errors
    /// If an input is not a finite number, a label is missing or not among the class names, a row has too many or too
    /// few fields, or there is no row.
    pub fn classification(mut self) -> Result<Dataset<f32, i64>> {
        let mut inputs = Vec::new();
        let mut classes = ClassIndex::new(self.class_names.take());
        let name = self.source.name().to_owned();
        if let Some(targets @ ([] | [_, _, ..])) = self.targets.as_deref() {
            let found = format!("{} target columns", targets.len());
            return Err(DatasetError::new(found, "one column of class labels", "choose one").in_file(name));
        }
        let (rows, [width, _]) = self.read(|input_fields, target_field| {
            input_fields.numbers(&mut inputs)?;
            target_field.label(&mut classes)
        })?;
        let (labels, class_names) = classes.finish();
        Ok(Dataset::new(filled(inputs, rows, width), labels)?.with_class_names(class_names))
    }

    /// Hands the input and target fields of every row to `take`; returns the number of rows and of each row's fields.
    fn read(self, mut take: impl FnMut(Fields<'_>, Fields<'_>) -> Result<()>) -> Result<(usize, [usize; 2])> {
        let Csv { mut source, delimiter, header, inputs, targets, .. } = self;
        let text = source.read_up_to(u64::MAX)?;
        let read = || {
            let mut reader = ReaderBuilder::new()
                .delimiter(delimiter)
                .has_headers(header != Some(false))
                .trim(Trim::All)
                .from_reader(&text[..]);
            let table = Table::begin(&text, &mut reader, header, inputs, targets)?;
            let mut record = StringRecord::new();
            let mut rows = 0;
            while reader.read_record(&mut record).map_err(|error| malformed(error, &text))? {
                take(table.fields(&record, &table.inputs), table.fields(&record, &table.targets))?;
                rows += 1;
            }
            if rows == 0 {
                return Err(DatasetError::new("no row", "at least one row of data", "check that the file is complete"));
            }
            Ok((rows, [table.inputs.len(), table.targets.len()]))
        };
        read().map_err(|error| error.in_file(source.name()))
    }
}

fn filled(numbers: Vec<f32>, rows: usize, width: usize) -> Tensor {
    Tensor::from(numbers).reshape([rows, width])
}
