//! IDX files whose samples are read when they are used.

use std::io::Read;
use std::path::Path;

use gradus_tensor::{Shape, Tensor};

use super::element::IdxElement;
use super::read::{Header, refuse_end};
use crate::batch::Batch;
use crate::error::{DatasetError, Place, Result};
use crate::indexed::{IndexedDataset, IndexedSource};
use crate::plain_file::PlainFile;
use crate::source::{ByteSource, check_memory};
use crate::stream::StreamDataset;

/// The samples of two plain IDX files, inputs and targets, read by their indices whenever they are used: the files may be larger
/// than memory.
///
/// ```
/// use gradus_datasets::idx;
/// use gradus_tensor::Tensor;
/// let path = |name| std::env::temp_dir().join(format!("gradus-{}-{name}.idx", std::process::id()));
/// idx::write(path("x"), &Tensor::from([[1_u8, 2], [3, 4], [5, 6]]))?;
/// idx::write(path("y"), &Tensor::from([0_u8, 1, 0]))?;
/// let data = idx::by_index::<u8, u8>(path("x"), path("y"))?;
/// assert_eq!(data.read(&[2, 0])?.inputs, Tensor::from([[5_u8, 6], [1, 2]]));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If a file is missing, damaged, packed, or of another element type, or there is not one target for each input.
pub fn by_index<X: IdxElement, Y: IdxElement>(
    inputs: impl AsRef<Path>,
    targets: impl AsRef<Path>,
) -> Result<IndexedDataset<X, Y>> {
    let (inputs, targets) = (Rows::open::<X>(inputs.as_ref())?, Rows::open::<Y>(targets.as_ref())?);
    check_counts(&inputs.shape, &targets.shape)?;
    IndexedDataset::new(Pair { inputs, targets, types: std::marker::PhantomData::<fn() -> (X, Y)> })
}

/// As [`by_index`], one sample after the other; the files may be gzip'd.
///
/// ```
/// use gradus_datasets::{DataSource, Pass, idx};
/// use gradus_tensor::Tensor;
/// let path = |name| std::env::temp_dir().join(format!("gradus-stream-{}-{name}.idx.gz", std::process::id()));
/// idx::write(path("x"), &Tensor::from([[1_u8, 2], [3, 4], [5, 6]]))?;
/// idx::write(path("y"), &Tensor::from([0_u8, 1, 0]))?;
/// let data = idx::stream::<u8, u8>(path("x"), path("y"))?;
/// let labels: Vec<Vec<u8>> =
///     data.batches(&Pass::new(2, data.order(None)))?.map(|batch| batch.unwrap().targets.to_vec()).collect();
/// assert_eq!(labels, [vec![0, 1], vec![0]]);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If a file is missing, of another element type, or its header is damaged, or there is not one target for each input. That it
/// is cut off is found in training.
pub fn stream<X: IdxElement, Y: IdxElement>(
    inputs: impl AsRef<Path>,
    targets: impl AsRef<Path>,
) -> Result<StreamDataset<X, Y>> {
    let (inputs, targets) = (inputs.as_ref().to_owned(), targets.as_ref().to_owned());
    let open = move || {
        let (inputs, targets) = (Walk::<X>::open(&inputs)?, Walk::<Y>::open(&targets)?);
        check_counts(&inputs.header.shape, &targets.header.shape)?;
        Ok(Pairs { inputs, targets })
    };
    open()?;
    Ok(StreamDataset::new(open))
}

fn check_counts(inputs: &Shape, targets: &Shape) -> Result<()> {
    match (inputs.first(), targets.first()) {
        (Some(samples), Some(others)) if samples == others => Ok(()),
        _ => Err(DatasetError::new(
            format!("inputs of shape {inputs} with targets of shape {targets}"),
            "first axes of the same length, an entry for each sample",
            "check that the two files belong together",
        )),
    }
}

/// The entries of the first axis of a file.
struct Rows {
    file: PlainFile,
    shape: Shape,
    /// The bytes before the first entry, and of each.
    header_bytes: u64,
    row_bytes: usize,
}

impl Rows {
    fn open<T: IdxElement>(path: &Path) -> Result<Rows> {
        let file = PlainFile::open(path)?;
        let header = Header::read_as::<T>(&mut ByteSource::open(path)?)?;
        let there = file.length()?.saturating_sub(header.own_bytes);
        if there != header.element_bytes {
            return Err(
                refuse_end(&header, there.min(header.element_bytes), there > header.element_bytes).in_file(path)
            );
        }
        let row_bytes = row_bytes::<T>(&header, path)?;
        Ok(Rows { file, shape: header.shape, header_bytes: header.own_bytes, row_bytes })
    }

    fn read<T: IdxElement>(&self, indices: &[usize]) -> Result<Tensor<T>> {
        // A file may be as long as its header says and still hold nothing but gaps. The elements take memory as the bytes do.
        let memory = self.row_bytes.checked_mul(2).and_then(|bytes| bytes.checked_mul(indices.len()));
        check_memory(memory).map_err(|error| error.in_file(self.file.path()))?;
        let row_bytes = self.row_bytes as u64;
        let mut bytes = Vec::with_capacity(indices.len() * self.row_bytes);
        for &index in indices {
            let start = self.header_bytes + index as u64 * row_bytes;
            let read = self.file.append(start, row_bytes, &mut bytes)?;
            if read < row_bytes {
                let hint = "the file was cut off since it was opened: make the data set again";
                let error =
                    DatasetError::new("the end of the file", format!("the {row_bytes} bytes of the sample"), hint);
                return Err(error.in_file(self.file.path()).at(Place::Sample(index)));
            }
        }
        Ok(T::decode(&bytes).reshape(with_rows(&self.shape, indices.len())))
    }
}

/// The bytes of each entry of the first axis.
///
/// # Errors
/// If they have none: the header of a file without elements may claim any number of samples.
fn row_bytes<T: IdxElement>(header: &Header, path: &Path) -> Result<usize> {
    match header.shape.iter().skip(1).product::<usize>() * size_of::<T>() {
        0 => Err(DatasetError::new(
            format!("samples without elements, shape {}", header.shape),
            "samples of at least one element",
            "check how the file was written",
        )
        .in_file(path)),
        bytes => Ok(bytes),
    }
}

fn with_rows(shape: &Shape, rows: usize) -> Shape {
    [&[rows], &shape[1..]].concat().into()
}

struct Pair<X, Y> {
    inputs: Rows,
    targets: Rows,
    types: std::marker::PhantomData<fn() -> (X, Y)>,
}

impl<X: IdxElement, Y: IdxElement> IndexedSource for Pair<X, Y> {
    type X = X;
    type Y = Y;

    fn len(&self) -> usize {
        self.inputs.shape[0]
    }

    fn read(&self, indices: &[usize]) -> Result<Batch<X, Y>> {
        Ok(Batch { inputs: self.inputs.read(indices)?, targets: self.targets.read(indices)?, weights: None })
    }
}

/// The entries of the first axis of a file, one after the other.
struct Walk<T> {
    source: ByteSource<'static>,
    header: Header,
    row_bytes: usize,
    /// The number of entries that have come.
    next: usize,
    element: std::marker::PhantomData<T>,
}

impl<T: IdxElement> Walk<T> {
    fn open(path: &Path) -> Result<Self> {
        let mut source = ByteSource::open(path)?;
        let header = Header::read_as::<T>(&mut source)?;
        let row_bytes = row_bytes::<T>(&header, path)?;
        Ok(Walk { source, header, row_bytes, next: 0, element: std::marker::PhantomData })
    }

    fn ends(&mut self, read: usize) -> DatasetError {
        let there = self.next as u64 * self.row_bytes as u64 + read as u64;
        refuse_end(&self.header, there.min(self.header.element_bytes), there > self.header.element_bytes)
            .in_file(self.source.name())
    }

    /// Goes past `skip` entries and reads the next one.
    fn row(&mut self, skip: usize) -> Result<Option<Tensor<T>>> {
        let samples = self.header.shape[0];
        let skip = skip.min(samples - self.next);
        let bytes = skip as u64 * self.row_bytes as u64;
        let mut past = self.source.by_ref().take(bytes);
        let passed = std::io::copy(&mut past, &mut std::io::sink()).map_err(|error| self.source.error(&error))?;
        if passed < bytes {
            return Err(self.ends(passed as usize));
        }
        self.next += skip;
        if self.next == samples {
            let more = self.source.read_up_to(1)?;
            return if more.is_empty() { Ok(None) } else { Err(self.ends(1)) };
        }
        let bytes = self.source.read_up_to(self.row_bytes as u64)?;
        if bytes.len() < self.row_bytes {
            return Err(self.ends(bytes.len()));
        }
        self.next += 1;
        check_memory(Some(bytes.len())).map_err(|error| error.in_file(self.source.name()))?;
        Ok(Some(T::decode(&bytes).reshape(&self.header.shape[1..])))
    }
}

struct Pairs<X, Y> {
    inputs: Walk<X>,
    targets: Walk<Y>,
}

impl<X: IdxElement, Y: IdxElement> Iterator for Pairs<X, Y> {
    type Item = Result<(Tensor<X>, Tensor<Y>)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.nth(0)
    }

    /// Goes past entries without decoding them.
    fn nth(&mut self, count: usize) -> Option<Self::Item> {
        let mut pair = || Ok(self.inputs.row(count)?.zip(self.targets.row(count)?));
        pair().transpose()
    }
}
