//! The rows of a CSV file as a stream.

use std::path::{Path, PathBuf};

use gradus_tensor::{Samples, Tensor};

use super::blocks::{Block, Blocks};
use super::{Csv, Options};
use crate::classes::ClassIndex;
use crate::error::{DatasetError, Result};
use crate::stream::StreamDataset;

impl Csv<'static> {
    /// As [`regression`](Csv::regression), row by row whenever the data are used: the file, plain or gzip'd, may be larger than
    /// memory. The checks are the same. Whether the first line is a header is found by its first block of rows.
    ///
    /// ```no_run
    /// use gradus_datasets::Csv;
    /// let houses = Csv::open("houses.csv.gz")?.target("price").regression_stream()?.shuffle_buffer(10_000);
    /// let (validation, train) = (houses.take(5000), houses.skip(5000));
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    ///
    /// # Errors
    /// As of `regression`, for the first block of rows; those behind it are read in training.
    pub fn regression_stream(self) -> Result<StreamDataset> {
        self.options.check_targets().map_err(|error| error.in_file(self.source.name()))?;
        self.stream(None, |row| (Tensor::from(row.inputs), Tensor::from(row.targets)))
    }

    /// As [`classification`](Csv::classification), row by row whenever the data are used: the file, plain or gzip'd, may be
    /// larger than memory. Without [`class_names`](Csv::class_names) the file is first read once for the labels in it.
    ///
    /// # Errors
    /// As of `classification`, for the first block of rows, or for all rows where the labels are looked for.
    pub fn classification_stream(self) -> Result<StreamDataset<f32, i64>> {
        let path = self.path_to_read_again("stream")?;
        let mut classes = self.options.classes().map_err(|error| error.in_file(&path))?;
        if self.options.class_names.is_none() {
            let mut blocks = Blocks::open(&path, &self.options)?;
            while let Some(block) = blocks.next()? {
                blocks.read(&block, false, |_, target| target.label(&mut classes))?;
                classes.take_labels();
            }
        }
        let (_, names) = classes.finish();
        let stream = self.stream(Some(names.clone()), |row| (Tensor::from(row.inputs), Tensor::scalar(row.label)))?;
        Ok(stream.with_class_names(names))
    }

    /// The samples made of each row. With names of classes the targets are labels, else numbers.
    fn stream<A: Samples, B: Samples>(
        self,
        classes: Option<Vec<String>>,
        sample: fn(Row<'_>) -> (A, B),
    ) -> Result<StreamDataset<A::Type, B::Type>> {
        let (path, options) = (self.path_to_read_again("stream")?, self.options);
        let open = move || Ok(Rows { reader: Reader::open(&path, &options, classes.clone())?, sample });
        let mut first = open()?.reader;
        first.load(0)?;
        match first.error {
            None => Ok(StreamDataset::new(open)),
            Some(error) => Err(error),
        }
    }

    /// The path of the file.
    pub(super) fn path_to_read_again(&self, what: &str) -> Result<PathBuf> {
        self.path.clone().ok_or_else(|| {
            let found = format!("a {what} of bytes that can be read once");
            let error = DatasetError::new(found, "a file", "name the file by `Csv::open`");
            error.in_file(self.source.name())
        })
    }
}

/// The numbers of a row, and its label if it has one.
struct Row<'r> {
    inputs: &'r [f32],
    targets: &'r [f32],
    label: i64,
}

/// The samples of a file.
struct Rows<A, B> {
    reader: Reader,
    sample: fn(Row<'_>) -> (A, B),
}

impl<A, B> Iterator for Rows<A, B> {
    type Item = Result<(A, B)>;

    fn next(&mut self) -> Option<Result<(A, B)>> {
        self.nth(0)
    }

    /// Goes past rows without reading their numbers.
    fn nth(&mut self, count: usize) -> Option<Result<(A, B)>> {
        match self.reader.load(count) {
            Ok(()) => self.reader.row().map(|row| Ok((self.sample)(row))),
            Err(error) => Some(Err(error)),
        }
    }
}

/// A reader of rows, with those of a block.
struct Reader {
    blocks: Blocks,
    classes: Option<ClassIndex>,
    inputs: Vec<f32>,
    targets: Vec<f32>,
    labels: Vec<usize>,
    widths: [usize; 2],
    /// The rows of the block, and how many of them have come.
    rows: usize,
    next: usize,
    /// The error behind the rows of the block.
    error: Option<DatasetError>,
}

impl Reader {
    fn open(path: &Path, options: &Options, classes: Option<Vec<String>>) -> Result<Reader> {
        Ok(Reader {
            blocks: Blocks::open(path, options)?,
            classes: classes.map(|names| ClassIndex::new(Some(names))).transpose()?,
            inputs: Vec::new(),
            targets: Vec::new(),
            labels: Vec::new(),
            widths: [0, 0],
            rows: 0,
            next: 0,
            error: None,
        })
    }

    /// Goes past `skip` rows, and on to the block of the next one.
    fn load(&mut self, mut skip: usize) -> Result<()> {
        while skip >= self.rows - self.next {
            skip -= self.rows - self.next;
            self.next = self.rows;
            if let Some(error) = self.error.take() {
                return Err(error);
            }
            let Some(block) = self.blocks.next()? else { return Ok(()) };
            skip -= self.read(&block, skip);
        }
        self.next += skip;
        Ok(())
    }

    /// Goes past up to `skip` rows of a block, of which it returns the number, and reads the others up to the first error.
    fn read(&mut self, block: &Block, skip: usize) -> usize {
        let Reader { blocks, classes, inputs, targets, .. } = self;
        inputs.clear();
        targets.clear();
        // The rows, and the numbers of whole ones.
        let (mut passed, mut rows, mut whole) = (0, 0, [0, 0]);
        let read = blocks.read(block, classes.is_none(), |input_fields, target_fields| {
            if passed < skip {
                passed += 1;
                return Ok(());
            }
            input_fields.numbers(inputs)?;
            match classes {
                Some(classes) => target_fields.label(classes)?,
                None => target_fields.numbers(targets)?,
            }
            (rows, whole) = (rows + 1, [inputs.len(), targets.len()]);
            Ok(())
        });
        self.widths = whole.map(|numbers| numbers / rows.max(1));
        (self.rows, self.next, self.error) = (rows, 0, read.err());
        self.labels = self.classes.as_mut().map(ClassIndex::take_labels).unwrap_or_default();
        passed
    }

    /// The next row of the block, if there is one.
    fn row(&mut self) -> Option<Row<'_>> {
        if self.next >= self.rows {
            return None;
        }
        let (row, [width, target_width]) = (self.next, self.widths);
        self.next += 1;
        Some(Row {
            inputs: &self.inputs[row * width..(row + 1) * width],
            targets: &self.targets[row * target_width..(row + 1) * target_width],
            label: self.labels.get(row).map_or(0, |&label| label as i64),
        })
    }
}
