//! The body of a request to predict, read straight into tensors.

use gradus_nn::{InputInfo, ValueKind};
use gradus_tensor::{AnyTensor, Columns, Tensor};

use crate::json::{Reader, Result, Step, shortened};

/// The signature that models are served under, as TensorFlow Serving names it.
pub(crate) const SIGNATURE: &str = "serving_default";

/// How a request lists its samples, and so how it is answered.
///
/// ```
/// use gradus_nn::{Dense, Model, Sequential};
/// use gradus_serve::{Bounds, Format, PredictRequest};
/// let model = Model::build(Sequential::new().add(Dense::new(1)), [2], 42)?;
/// let read = |body: &str| PredictRequest::read(body.as_bytes(), model.inputs(), Bounds::default()).unwrap();
/// assert_eq!(read(r#"{"instances": [[1, 2]]}"#).format, Format::Rows);
/// assert_eq!(read(r#"{"inputs": [[1, 2]]}"#).format, Format::Columns);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `{"instances": [..]}`: sample by sample. Answered by `{"predictions": [..]}`.
    Rows,
    /// `{"inputs": ..}`: input by input. Answered by `{"outputs": ..}`.
    Columns,
}

/// What the body of a request to predict holds.
#[derive(Clone, Debug)]
pub struct PredictRequest {
    /// How the samples are listed.
    pub format: Format,
    /// The number of samples.
    pub samples: usize,
    /// A column for each input, in the order of the inputs and under their names.
    pub inputs: Columns,
}

/// What a request may ask for.
///
/// ```
/// use gradus_nn::{Dense, Model, Sequential};
/// use gradus_serve::{Bounds, PredictRequest};
/// let model = Model::build(Sequential::new().add(Dense::new(1)), [2], 42)?;
/// let one_sample = Bounds { samples: 1, ..Bounds::default() };
/// let body = br#"{"instances": [[1, 2], [3, 4]]}"#;
/// assert!(PredictRequest::read(body, model.inputs(), one_sample).is_err());
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The most samples of one request.
    pub samples: usize,
    /// The longest that an axis may be whose length the model leaves free.
    pub length: usize,
}

impl Default for Bounds {
    /// Any number of samples that the body has room for, 4096 places along a free axis.
    fn default() -> Self {
        Bounds { samples: usize::MAX, length: 4096 }
    }
}

impl PredictRequest {
    /// Reads the JSON of a request for a model with these inputs, in TensorFlow Serving's row format or its column format.
    ///
    /// ```
    /// use gradus_nn::{Dense, Model, Sequential};
    /// use gradus_serve::{Bounds, PredictRequest};
    /// let model = Model::build(Sequential::new().add(Dense::new(1)), [2], 42)?;
    /// let read = |body: &str| PredictRequest::read(body.as_bytes(), model.inputs(), Bounds::default());
    /// assert_eq!(read(r#"{"instances": [[1, 2], [3, 4], [5, 6]]}"#).unwrap().samples, 3);
    /// let error = read(r#"{"instances": [[1, 2], [3, "four"]]}"#).unwrap_err();
    /// assert_eq!(error, "instances[1][1], byte 27: found a string, expected a number");
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the text is no JSON, or does not give each input in its shape and kind: the place, what was found there and what
    /// was expected.
    pub fn read(body: &[u8], inputs: &[InputInfo], bounds: Bounds) -> Result<Self> {
        let mut reader = Reader::new(body);
        let mut columns: Vec<Column<'_>> = inputs.iter().map(|input| Column::new(input, bounds)).collect();
        let format = reader.request(|reader, samples| match samples {
            Samples::Instances => rows(reader, &mut columns),
            Samples::Inputs => whole(reader, &mut columns),
        })?;
        let samples = columns.first().map_or(0, |column| column.samples);
        if samples == 0 {
            return Err("the request has no samples; give at least one".to_owned());
        }
        if let Some(other) = columns.iter().find(|column| column.samples != samples) {
            let (first, name) = (&columns[0].input.name, &other.input.name);
            let count = other.samples;
            return Err(format!(
                "the input {first:?} has {samples} samples, {name:?} has {count}; give as many of each"
            ));
        }
        let with = |inputs: Columns, column: Column<'_>| inputs.with(&column.input.name.clone(), column.tensor());
        Ok(PredictRequest { format, samples, inputs: columns.into_iter().fold(Columns::new(), with) })
    }
}

/// How the samples of a body are listed that are read next.
pub(crate) enum Samples {
    /// One after the other.
    Instances,
    /// Input by input.
    Inputs,
}

impl Reader<'_> {
    /// Reads the body of a request; `read` reads its samples.
    pub(crate) fn request(&mut self, mut read: impl FnMut(&mut Self, Samples) -> Result<()>) -> Result<Format> {
        let mut format = None;
        self.object("an object with \"instances\" or \"inputs\"", |reader, key| match key {
            "instances" | "inputs" if format.is_some() => Err(format!(
                "the body has {key:?} besides another list of samples; give \"instances\" or \"inputs\" once"
            )),
            "instances" => {
                format = Some(Format::Rows);
                read(reader, Samples::Instances)
            }
            "inputs" => {
                format = Some(Format::Columns);
                read(reader, Samples::Inputs)
            }
            "signature_name" if reader.null() => Ok(()),
            "signature_name" => match &*reader.string()? {
                "" | SIGNATURE => Ok(()),
                name => {
                    let name = shortened(name);
                    Err(format!("there is no signature \"{name}\"; leave signature_name out, or give {SIGNATURE:?}"))
                }
            },
            _ => reader.skip(),
        })?;
        self.end()?;
        format.ok_or_else(|| "the body has neither \"instances\" nor \"inputs\"; give one of them".to_owned())
    }
}

/// The samples one after the other: each a value, or an object with a value for each input.
fn rows(reader: &mut Reader<'_>, columns: &mut [Column<'_>]) -> Result<()> {
    let most = columns.first().map_or(0, |column| column.bounds.samples);
    reader.list("a list of samples", |reader, place| {
        if place == most {
            return Err(too_many(most));
        }
        if reader.peek() == Some(b'{') {
            return named(reader, columns, &mut |column, reader| column.sample(reader), true);
        }
        match &mut *columns {
            [column] => column.sample(reader),
            several => {
                let expected = format!("an object with the inputs {}", names(several));
                Err(reader.error(&expected))
            }
        }
    })?;
    Ok(())
}

/// All samples of each input: a list for the only one, or an object with a list for each.
fn whole(reader: &mut Reader<'_>, columns: &mut [Column<'_>]) -> Result<()> {
    if reader.peek() == Some(b'{') {
        return named(reader, columns, &mut |column, reader| column.all(reader), false);
    }
    match columns {
        [column] => column.all(reader),
        several => {
            let expected = format!("an object with the inputs {}", names(several));
            Err(reader.error(&expected))
        }
    }
}

/// An object with a value for each input, read by `read`. What no input is called is refused if `strict`, else passed over,
/// as TensorFlow Serving does.
fn named(
    reader: &mut Reader<'_>,
    columns: &mut [Column<'_>],
    read: &mut dyn FnMut(&mut Column<'_>, &mut Reader<'_>) -> Result<()>,
    strict: bool,
) -> Result<()> {
    let mut given = vec![false; columns.len()];
    let expected = names(columns);
    reader.object("an object", |reader, key| match columns.iter().position(|column| column.input.name == key) {
        Some(place) if given[place] => Err(format!("{}: the input is given twice; give it once", reader.place())),
        Some(place) => {
            given[place] = true;
            read(&mut columns[place], reader)
        }
        None if key == "b64" => {
            reader.path.pop();
            Err(format!(
                "{}: found bytes ({{\"b64\": ..}}), which the model does not decode; give its inputs \
                             ({expected}) as numbers in lists",
                reader.place()
            ))
        }
        None if strict => {
            reader.path.pop();
            let key = shortened(key);
            Err(format!("{}: the model has no input \"{key}\"; give its inputs: {expected}", reader.place()))
        }
        None => reader.skip(),
    })?;
    match given.iter().position(|given| !given) {
        None => Ok(()),
        Some(place) => {
            let name = &columns[place].input.name;
            Err(format!("{}: the input {name:?} is missing; give all of {expected}", reader.place()))
        }
    }
}

pub(crate) fn too_many(most: usize) -> String {
    format!("the request has more than {most} samples; send several requests, or let the server take more")
}

fn names(columns: &[Column<'_>]) -> String {
    let names: Vec<String> = columns.iter().map(|column| format!("{:?}", column.input.name)).collect();
    names.join(", ")
}

/// One input of the model, and what has been read for it.
struct Column<'a> {
    input: &'a InputInfo,
    bounds: Bounds,
    /// The lengths of the axes behind that of the samples; `None` for a free one until the first sample tells it.
    lengths: Vec<Option<usize>>,
    samples: usize,
    elements: Elements,
}

/// The elements of a column, one after the other.
enum Elements {
    Floats(Vec<f32>),
    /// Ids below this number.
    Ids(Vec<i64>, usize),
    Mask(Vec<bool>),
}

impl<'a> Column<'a> {
    fn new(input: &'a InputInfo, bounds: Bounds) -> Self {
        let elements = match input.kind {
            ValueKind::Floats => Elements::Floats(Vec::new()),
            ValueKind::Ids { count } => Elements::Ids(Vec::new(), count),
            ValueKind::Mask => Elements::Mask(Vec::new()),
        };
        Column { input, bounds, lengths: input.shape.to_vec(), samples: 0, elements }
    }

    /// Reads a list of samples.
    fn all(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        let most = self.bounds.samples;
        reader.list(
            "a list of samples",
            |reader, place| {
                if place == most { Err(too_many(most)) } else { self.sample(reader) }
            },
        )?;
        Ok(())
    }

    /// Reads one sample.
    fn sample(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        self.samples += 1;
        self.axis(reader, 0)
    }

    /// Reads the lists along an axis, or an element behind the last.
    fn axis(&mut self, reader: &mut Reader<'_>, axis: usize) -> Result<()> {
        if axis == self.lengths.len() {
            return self.element(reader);
        }
        if reader.peek() != Some(b'[') {
            let expected = match axis {
                0 => format!("a sample of shape {}, as nested lists", self.input.shape),
                _ => format!("a list: samples have the shape {}", self.input.shape),
            };
            return Err(reader.error(&expected));
        }
        let length = self.lengths[axis];
        let most = length.unwrap_or(self.bounds.length);
        let is_last = axis + 1 == self.lengths.len();
        let found = reader.list("a list", |reader, place| {
            if place == most {
                return self.too_long(reader, axis, length);
            }
            if is_last { self.element(reader) } else { self.axis(reader, axis + 1) }
        })?;
        if length.is_some_and(|length| length != found) || (length.is_none() && found == 0) {
            return Err(self.wrong_length(reader, axis, found));
        }
        self.lengths[axis] = Some(found);
        Ok(())
    }

    fn element(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        if reader.peek() == Some(b'[') {
            let shape = &self.input.shape;
            return Err(reader.error(&format!("a number: samples have the shape {shape}, and lists go no deeper")));
        }
        match &mut self.elements {
            Elements::Floats(floats) => floats.push(reader.f32()?),
            Elements::Mask(mask) => mask.push(reader.bool()?),
            Elements::Ids(ids, count) => {
                let id = reader.i64()?;
                if usize::try_from(id).map_or(true, |id| id >= *count) {
                    let known = match count {
                        0 => "knows no ids".to_owned(),
                        count => format!("knows the ids 0 to {}", *count - 1),
                    };
                    return Err(format!("{}: found the id {id}; the model {known}", reader.place()));
                }
                ids.push(id);
            }
        }
        Ok(())
    }

    /// The error of a list with more elements than it may have: how many there are, if the list is short enough to count.
    fn too_long(&self, reader: &mut Reader<'_>, axis: usize, length: Option<usize>) -> Result<()> {
        let place = match reader.path.pop() {
            Some(Step::Place(place)) => place,
            _ => 0,
        };
        match length {
            Some(_) => Err(self.wrong_length(reader, axis, format!("more than {place}"))),
            None => Err(format!(
                "{}: found a list of more than {place}, the longest that this server takes; shorten it, or let the server \
                 take longer ones",
                reader.place()
            )),
        }
    }

    fn wrong_length(&self, reader: &Reader<'_>, axis: usize, found: impl std::fmt::Display) -> String {
        let shape = &self.input.shape;
        let expected = match (self.lengths[axis], shape[axis]) {
            (Some(length), Some(_)) => format!("{length}: samples have the shape {shape}"),
            (Some(length), None) => format!("{length}, as the first has; samples of one request have one length"),
            (None, _) => "at least one".to_owned(),
        };
        // A sample too few lists deep is most often a batch without its list.
        format!("{}: found a list of {found}, expected {expected}", reader.place())
    }

    fn tensor(self) -> AnyTensor {
        let lengths = self.lengths.iter().map(|length| length.unwrap_or(0));
        let shape: Vec<usize> = std::iter::once(self.samples).chain(lengths).collect();
        match self.elements {
            Elements::Floats(floats) => Tensor::from(floats).reshape(shape).into(),
            Elements::Ids(ids, _) => Tensor::from(ids).reshape(shape).into(),
            Elements::Mask(mask) => Tensor::from(mask).reshape(shape).into(),
        }
    }
}
