//! The rows of a CSV file by their indices.

use gradus_tensor::Tensor;

use super::blocks::Blocks;
use super::fields::{Fields, Head};
use super::quotes::records;
use super::{Csv, Options, filled, read_rows};
use crate::batch::Batch;
use crate::classes::ClassIndex;
use crate::error::{DatasetError, Place, Result};
use crate::indexed::{IndexedDataset, IndexedSource};
use crate::plain_file::PlainFile;

impl Csv<'static> {
    /// As [`regression`](Csv::regression), with rows that are read whenever they are used: the file may be larger than memory.
    /// It is read and checked once; in memory are then the places of its rows, 8 bytes each.
    ///
    /// ```no_run
    /// use gradus_datasets::Csv;
    /// let (train, test) = Csv::open("houses.csv")?.target("price").regression_by_index()?.validation_split(0.1)?;
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    ///
    /// # Errors
    /// As of `regression`; and if the file is packed.
    pub fn regression_by_index(self) -> Result<IndexedDataset> {
        self.options.check_targets().map_err(|error| error.in_file(self.source.name()))?;
        let mut numbers = Vec::new();
        let rows = Rows::find(&self, true, |inputs, targets| {
            numbers.clear();
            inputs.numbers(&mut numbers)?;
            targets.numbers(&mut numbers)
        })?;
        IndexedDataset::new(Numbers(rows))
    }

    /// As [`classification`](Csv::classification), with rows that are read whenever they are used: the file may be larger than
    /// memory. It is read and checked once; in memory are then the places of its rows, 8 bytes each.
    ///
    /// # Errors
    /// As of `classification`; and if the file is packed.
    pub fn classification_by_index(self) -> Result<IndexedDataset<f32, i64>> {
        let name = self.source.name();
        let (mut numbers, mut classes) = (Vec::new(), self.options.classes().map_err(|error| error.in_file(name))?);
        let rows = Rows::find(&self, false, |inputs, target| {
            numbers.clear();
            inputs.numbers(&mut numbers)?;
            target.label(&mut classes)?;
            classes.take_labels();
            Ok(())
        })?;
        let (_, names) = classes.finish();
        Ok(IndexedDataset::new(Labelled { rows, names: names.clone() })?.with_class_names(names))
    }
}

/// The places of the rows of a file.
struct Rows {
    file: PlainFile,
    options: Options,
    head: Head,
    numeric: bool,
    starts: Vec<u64>,
    end: u64,
}

impl Rows {
    /// Finds the rows, and hands each to `check`.
    fn find(
        csv: &Csv<'static>,
        numeric: bool,
        mut check: impl FnMut(Fields<'_>, Fields<'_>) -> Result<()>,
    ) -> Result<Rows> {
        let (path, options) = (csv.path_to_read_again("data set by index")?, csv.options.clone());
        let file = PlainFile::open(&path)?;
        let mut blocks = Blocks::open(&path, &options)?;
        let mut starts = Vec::new();
        while let Some(block) = blocks.next()? {
            let before = starts.len();
            records(&block.text, options.delimiter, block.is_first, true, |bytes| {
                starts.push(block.offset + bytes.start as u64);
            });
            if block.is_first && blocks.head().is_some_and(|head| head.has_names) {
                starts.remove(before);
            }
            let (rows, _) = blocks.read(&block, numeric, &mut check)?;
            if rows != starts.len() - before {
                let found = format!("{rows} rows in {} lines", starts.len() - before);
                let error = DatasetError::new(found, "a line for each row", "read the file as a stream");
                return Err(error.in_file(path));
            }
        }
        let (Some(head), end) = (blocks.head().cloned(), blocks.bytes()) else {
            return Err(super::no_row().in_file(path));
        };
        Ok(Rows { file, options, head, numeric, starts, end })
    }

    /// Hands the fields of each of these rows to `take`.
    fn read(
        &self,
        indices: &[usize],
        mut take: impl FnMut(Fields<'_>, Fields<'_>) -> Result<()>,
    ) -> Result<[usize; 2]> {
        let text = self.text(indices)?;
        let mut taken = 0;
        let counted = |inputs: Fields<'_>, targets: Fields<'_>| {
            take(inputs, targets)?;
            taken += 1;
            Ok(())
        };
        let error = match read_rows(&text, &self.options, &self.head, false, self.numeric, counted) {
            Ok((rows, widths)) if rows == indices.len() => return Ok(widths),
            Ok((rows, _)) => DatasetError::new(
                format!("{rows} rows"),
                format!("the {} rows that were found before", indices.len()),
                CHANGED,
            ),
            Err(error) => {
                let index = indices[taken.min(indices.len() - 1)];
                DatasetError::new(error.found(), error.expected(), CHANGED).at(Place::Sample(index))
            }
        };
        Err(error.in_file(self.file.path()))
    }

    /// The bytes of these rows, one after the other.
    fn text(&self, indices: &[usize]) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        for &index in indices {
            let start = self.starts[index];
            let end = self.starts.get(index + 1).copied().unwrap_or(self.end);
            self.file.append(start, end - start, &mut text)?;
            if text.last().is_some_and(|byte| !matches!(byte, b'\r' | b'\n')) {
                text.push(b'\n');
            }
        }
        Ok(text)
    }
}

const CHANGED: &str = "the file was changed since its rows were found: make the data set again";

/// Rows of inputs and targets that are numbers.
struct Numbers(Rows);

impl IndexedSource for Numbers {
    type X = f32;
    type Y = f32;

    fn len(&self) -> usize {
        self.0.starts.len()
    }

    fn read(&self, indices: &[usize]) -> Result<Batch> {
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        let [width, target_width] = self.0.read(indices, |input_fields, target_fields| {
            input_fields.numbers(&mut inputs)?;
            target_fields.numbers(&mut targets)
        })?;
        let rows = indices.len();
        Ok(Batch { inputs: filled(inputs, rows, width), targets: filled(targets, rows, target_width), weights: None })
    }
}

/// Rows of inputs that are numbers, and a label.
struct Labelled {
    rows: Rows,
    names: Vec<String>,
}

impl IndexedSource for Labelled {
    type X = f32;
    type Y = i64;

    fn len(&self) -> usize {
        self.rows.starts.len()
    }

    fn read(&self, indices: &[usize]) -> Result<Batch<f32, i64>> {
        let (mut inputs, mut classes) = (Vec::new(), ClassIndex::new(Some(self.names.clone()))?);
        let [width, _] = self.rows.read(indices, |input_fields, target_field| {
            input_fields.numbers(&mut inputs)?;
            target_field.label(&mut classes)
        })?;
        let targets: Tensor<i64> = classes.take_labels().into_iter().map(|label| label as i64).collect();
        Ok(Batch { inputs: filled(inputs, indices.len(), width), targets, weights: None })
    }
}
