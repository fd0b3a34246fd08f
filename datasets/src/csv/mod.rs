//! CSV: tables of numbers, class labels and texts.

mod blocks;
mod by_index;
mod column;
mod fields;
mod header;
mod lines;
mod missing;
mod number;
mod quotes;
mod streamed;
mod whole;

use std::path::{Path, PathBuf};

use ::csv::{Reader, ReaderBuilder, StringRecord, Trim};
use gradus_tensor::Tensor;

use crate::classes::ClassIndex;
use crate::dataset::Dataset;
use crate::error::{DatasetError, Result};
use crate::formats::Format;
use crate::source::ByteSource;
pub use column::CsvColumn;
use fields::{Fields, FileColumns, Head, malformed};
use missing::Missing;
use quotes::Quotes;

/// A CSV file and the options for reading it; the last call reads it: `regression`, `classification` or `tensor`,
/// and `table` if columns hold texts or entries are missing.
///
/// By default the first line names the columns, fields are separated by commas, the last column is the target and all
/// others are inputs. The text is UTF-8, and the file may be gzip'd. Every error names the file, the line and the column.
///
/// A first line with a number in a column of numbers may be a row; it is refused until [`header`](Csv::header) says which
/// it is. Spaces around a field are no part of it. A quoted field may hold delimiters and go over several lines. A quote that
/// is left open would swallow rows, so these are refused: a quote that is never closed, text behind a closing quote, and a
/// quoted field all of whose lines look like rows, with as many fields and with numbers in the columns of numbers.
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
    /// The file, if it can be opened again.
    path: Option<PathBuf>,
    options: Options,
}

#[derive(Clone, Debug)]
struct Options {
    delimiter: u8,
    /// `None`: a header is expected, and a number in it above a column of numbers is an error.
    header: Option<bool>,
    inputs: Option<Vec<CsvColumn>>,
    targets: Option<Vec<CsvColumn>>,
    class_names: Option<Vec<String>>,
    missing: Option<Vec<String>>,
    /// The columns that a table reads as texts, whatever they hold.
    texts: Vec<CsvColumn>,
}

impl Csv<'static> {
    /// The CSV file at `path`, plain or gzip'd.
    ///
    /// # Errors
    /// If the file is missing or cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Ok(Csv { path: Some(path.to_owned()), ..Csv::new(ByteSource::open(path)?) })
    }
}

impl<'a> Csv<'a> {
    /// The CSV text of any source of bytes.
    pub fn new(source: ByteSource<'a>) -> Self {
        let options = Options {
            delimiter: b',',
            header: None,
            inputs: None,
            targets: None,
            class_names: None,
            missing: None,
            texts: Vec::new(),
        };
        Csv { source, path: None, options }
    }

    /// Whether the first line names the columns; by default it does, and must not look like a row.
    pub fn header(self, header: bool) -> Self {
        Csv { options: Options { header: Some(header), ..self.options }, ..self }
    }

    /// The byte between two fields: `b';'`, `b'\t'`.
    pub fn delimiter(self, delimiter: u8) -> Self {
        Csv { options: Options { delimiter, ..self.options }, ..self }
    }

    /// The columns to predict from, in this order; by default all but the target.
    pub fn inputs(self, columns: impl IntoIterator<Item = impl Into<CsvColumn>>) -> Self {
        Csv { options: Options { inputs: Some(columns.into_iter().map(Into::into).collect()), ..self.options }, ..self }
    }

    /// The column to predict; by default the last one.
    pub fn target(self, column: impl Into<CsvColumn>) -> Self {
        self.targets([column])
    }

    /// The columns to predict, for a regression of several numbers.
    pub fn targets(self, columns: impl IntoIterator<Item = impl Into<CsvColumn>>) -> Self {
        Csv {
            options: Options { targets: Some(columns.into_iter().map(Into::into).collect()), ..self.options },
            ..self
        }
    }

    /// The classes 0, 1, ... by their labels in the file. A test set needs the names of its training set.
    ///
    /// A label is looked for among the names as text, and then, if it is a number, by its value. Without names, classes
    /// are the labels that occur, sorted: numbers by value, and then texts. Numbers of one value, such as 1, 1.0 and 01, are
    /// one class, which has the shortest of their texts as its name; where they are codes, names given here keep them apart.
    pub fn class_names(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Csv {
            options: Options { class_names: Some(names.into_iter().map(Into::into).collect()), ..self.options },
            ..self
        }
    }

    /// The texts that stand for a missing value, besides an empty field, in place of the usual ones: `?`, `NA`, `N/A`, `NaN`,
    /// `null`, `None` and the others of pandas. Letters may be large or small, and numbers written in any way: `-999` is
    /// `-999.0` too. A missing value is an error. A text that [`class_names`](Csv::class_names) holds is a class.
    ///
    /// ```
    /// use gradus_datasets::{Csv, ByteSource};
    /// let text = "height,masonry\n1.5,None\n2,Brick\n";
    /// let csv = || Csv::new(ByteSource::new(text.as_bytes(), "houses").unwrap());
    /// assert!(csv().classification().is_err());
    /// assert_eq!(csv().missing(["?", "-999"]).classification()?.class_names().unwrap(), ["Brick", "None"]);
    /// assert_eq!(csv().class_names(["None", "Brick"]).classification()?.targets().to_vec(), [0, 1]);
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    pub fn missing(self, texts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Csv { options: Options { missing: Some(texts.into_iter().map(Into::into).collect()), ..self.options }, ..self }
    }

    /// All input columns as one tensor, `[rows, columns]`; by default all columns of the file.
    ///
    /// # Errors
    /// If a field is not a finite number, a row has too many or too few, or there is no row.
    pub fn tensor(mut self) -> Result<Tensor> {
        self.options.targets.get_or_insert_default();
        let mut numbers = Vec::new();
        let (rows, [width, _]) = self.read(false, |inputs, _| inputs.numbers(&mut numbers))?;
        Ok(filled(numbers, rows, width))
    }

    /// Input columns `[rows, columns]`, and target columns that are numbers `[rows, targets]`.
    ///
    /// # Errors
    /// If a field is not a finite number, a row has too many or too few, or there is no row.
    pub fn regression(self) -> Result<Dataset> {
        self.options.check_targets().map_err(|error| error.in_file(self.source.name()))?;
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        let (rows, [width, target_width]) = self.read(true, |input_fields, target_fields| {
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
    pub fn classification(self) -> Result<Dataset<f32, i64>> {
        let mut inputs = Vec::new();
        let name = self.source.name().to_owned();
        let mut classes = self.options.classes().map_err(|error| error.in_file(&name))?;
        let (rows, [width, _]) = self.read(false, |input_fields, target_field| {
            input_fields.numbers(&mut inputs)?;
            target_field.label(&mut classes)
        })?;
        let (labels, class_names) = classes.finish();
        Ok(Dataset::new(filled(inputs, rows, width), labels)?.with_class_names(class_names))
    }

    /// Hands the input and target fields of every row to `take`; returns the number of rows and of each row's fields.
    /// `numeric` says whether the targets are numbers.
    fn read(
        self,
        numeric: bool,
        mut take: impl FnMut(Fields<'_>, Fields<'_>) -> Result<()>,
    ) -> Result<(usize, [usize; 2])> {
        let Csv { mut source, options, .. } = self;
        let text = source.read_up_to(u64::MAX)?;
        let mut read = || {
            let head = Head::find(&text, &options)?;
            let (rows, widths) = read_rows(&text, &options, &head, true, numeric, &mut take)?;
            if rows == 0 { Err(no_row()) } else { Ok((rows, widths)) }
        };
        read().map_err(|error| error.in_file(source.name()))
    }
}

impl Options {
    /// Checks the targets of a regression.
    fn check_targets(&self) -> Result<()> {
        match self.targets.as_deref() {
            Some([]) => Err(DatasetError::new("no target column", "at least one", "choose one, or read a `tensor`")),
            _ => Ok(()),
        }
    }

    /// The classes of a classification: those that have names.
    fn classes(&self) -> Result<ClassIndex> {
        let classes = ClassIndex::new(self.class_names.clone())?;
        match self.targets.as_deref() {
            Some(targets @ ([] | [_, _, ..])) => {
                let found = format!("{} target columns", targets.len());
                Err(DatasetError::new(found, "one column of class labels", "choose one"))
            }
            _ => Ok(classes),
        }
    }
}

impl Head {
    /// The first line of a text that begins with it.
    fn find(text: &[u8], options: &Options) -> Result<Head> {
        if let Some(format) = Format::of_no_text(text) {
            return Err(format.refused(TABLE));
        }
        let delimiter = options.delimiter;
        let quotes = Quotes::find(text, delimiter, true)?;
        let text = &quotes.text[..];
        let has_names = options.header != Some(false);
        let first = reader(text, delimiter, has_names).headers().map_err(|error| malformed(error, text))?.clone();
        if first.is_empty() {
            return Err(DatasetError::new("an empty file", "rows of fields", "check that the file is complete"));
        }
        if options.header.is_none() {
            let missing = Missing::new(options.missing.clone());
            header::check(&first, &mut reader(text, delimiter, true), &missing)?;
        }
        Ok(Head { first, has_names })
    }
}

/// Hands the input and target fields of every row of a text to `take`; returns the number of rows and of each row's fields.
/// `is_first` says whether the text begins with the first line of the file, `numeric` whether the targets are numbers.
fn read_rows(
    text: &[u8],
    options: &Options,
    head: &Head,
    is_first: bool,
    numeric: bool,
    mut take: impl FnMut(Fields<'_>, Fields<'_>) -> Result<()>,
) -> Result<(usize, [usize; 2])> {
    let delimiter = options.delimiter;
    let quotes = Quotes::find(text, delimiter, is_first)?;
    let text = &quotes.text[..];
    let table = FileColumns::new(text, head, is_first, options)?;
    let number_columns = [&table.inputs[..], if numeric { &table.targets } else { &[] }].concat();
    quotes.check_rows(delimiter, table.width, &number_columns)?;
    let mut reader = reader(text, delimiter, is_first && head.has_names);
    // Behind the first line an error of a row has the right place.
    reader.headers().map_err(|error| malformed(error, text))?;
    let mut record = StringRecord::new();
    let mut rows = 0;
    while reader.read_record(&mut record).map_err(|error| malformed(error, text))? {
        table.check_width(&record)?;
        take(table.fields(&record, &table.inputs), table.fields(&record, &table.targets))?;
        rows += 1;
    }
    Ok((rows, [table.inputs.len(), table.targets.len()]))
}

/// What is expected of a file.
const TABLE: &str = "a table as text, CSV";

fn no_row() -> DatasetError {
    DatasetError::new("no row", "at least one row of data", "check that the file is complete")
}

fn reader(text: &[u8], delimiter: u8, has_names: bool) -> Reader<&[u8]> {
    ReaderBuilder::new().delimiter(delimiter).has_headers(has_names).flexible(true).trim(Trim::All).from_reader(text)
}

fn filled(numbers: Vec<f32>, rows: usize, width: usize) -> Tensor {
    Tensor::from(numbers).reshape([rows, width])
}
