//! A CSV file as a table: columns of numbers and of texts, read by all cores.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gradus_tensor::{Tensor, team};

use super::blocks::BLOCK_BYTES;
use super::column::place_of_index;
use super::fields::Head;
use super::missing::Missing;
use super::number::plain_number;
use super::quotes::{Quote, TextField, TextFields, mark_length, records};
use super::{Csv, CsvColumn, Options, no_row, read_rows};
use crate::error::{DatasetError, Result};
use crate::plain_file::PlainFile;
use crate::table::{Joined, Table, TableColumn};

/// The bytes that a thread reads at a time: they stay in the cache.
const CHUNK_BYTES: usize = if cfg!(any(fuzzing, test)) { 1 << 5 } else { 1 << 18 };
/// The samples of a file that say how long its rows are, and the bytes of each.
const SAMPLES: u64 = 16;
const SAMPLE_BYTES: u64 = if cfg!(any(fuzzing, test)) { 1 << 3 } else { 1 << 14 };
/// The room for rows beyond those that the samples promise: it costs less than to move columns that are too short.
const LIKELY_MARGIN: f64 = 1.03;

impl Csv<'_> {
    /// The columns that are read as texts by [`table`](Csv::table), also if all their entries are numbers: codes, for example.
    pub fn texts(self, columns: impl IntoIterator<Item = impl Into<CsvColumn>>) -> Self {
        Csv { options: Options { texts: columns.into_iter().map(Into::into).collect(), ..self.options }, ..self }
    }

    /// The whole file as a [`Table`]: columns of numbers, and columns of texts.
    ///
    /// A column is numbers if each of its entries is one or is missing ([`missing`](Csv::missing) says which texts mean that). Numbers
    /// with a zero before other digits, such as the postcode 01067, are codes, and make a column of texts; so does
    /// [`texts`](Csv::texts). Numbers are read as f64. Without a header the columns are named "0", "1", and so on, as is a column
    /// whose name is empty. If [`inputs`](Csv::inputs) are chosen, the table has these columns and the targets alone, in this order.
    ///
    /// ```
    /// use gradus_datasets::{ByteSource, Csv};
    /// let text = "name,postcode,rooms\n\"Smith, Ann\",01067,3\nLee,NA,\n";
    /// let table = Csv::new(ByteSource::new(text.as_bytes(), "people")?).table()?;
    /// assert_eq!(table.texts("name")?.get(0), "Smith, Ann");
    /// assert_eq!(table.texts("postcode")?.iter().collect::<Vec<_>>(), ["01067", ""]);
    /// assert_eq!(table.column("rooms")?.missing(), 1);
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    ///
    /// # Errors
    /// If a row has too many or too few fields, the text is not UTF-8, a quote is left open, or there is no row.
    pub fn table(self) -> Result<Table> {
        let Csv { mut source, path, options } = self;
        let name = source.name().to_owned();
        let missing = Missing::new(options.missing.clone());
        let read = || match path.filter(|_| !source.is_packed()) {
            // A plain file is never in memory as a whole.
            Some(path) => {
                let file = PlainFile::open(&path)?;
                Reader { options: &options, missing: &missing, bytes: &file, length: file.length()? }.read()
            }
            None => {
                let text = source.read_up_to(u64::MAX)?;
                let length = text.len() as u64;
                Reader { options: &options, missing: &missing, bytes: &text.as_slice(), length }.read()
            }
        };
        read().map_err(|error| error.in_file(name))
    }
}

/// What a table is read from.
trait Bytes: Sync {
    /// Appends the `count` bytes from a place on, or fewer at the end.
    fn append(&self, place: u64, count: u64, bytes: &mut Vec<u8>) -> Result<()>;
}

impl Bytes for PlainFile {
    fn append(&self, place: u64, count: u64, bytes: &mut Vec<u8>) -> Result<()> {
        PlainFile::append(self, place, count, bytes).map(|_| ())
    }
}

impl Bytes for &[u8] {
    fn append(&self, place: u64, count: u64, bytes: &mut Vec<u8>) -> Result<()> {
        let rest = &self[(place as usize).min(self.len())..];
        bytes.extend_from_slice(&rest[..rest.len().min(count as usize)]);
        Ok(())
    }
}

impl Head {
    /// The name of a column: that of the first line, or its place.
    fn name(&self, place: usize, name: &str) -> String {
        if self.has_names && !name.is_empty() { name.to_owned() } else { place.to_string() }
    }
}

fn place_of(column: &CsvColumn, names: &[String]) -> Result<usize> {
    let place = match column {
        CsvColumn::Name(name) => names.iter().position(|other| other == name),
        CsvColumn::Index(index) => place_of_index(*index, names.len()),
    };
    place.ok_or_else(|| {
        let expected = format!("one of the columns {names:?}");
        DatasetError::new(column.to_string(), expected, "correct the name, or check the delimiter")
    })
}

/// What a column holds.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Numbers,
    Texts,
}

/// The entries of a column in some rows.
enum Entries {
    Numbers(Vec<f64>),
    Texts(Joined),
}

/// Some rows, column by column.
struct Chunk {
    columns: Vec<Entries>,
    /// The columns of numbers that hold another text.
    wrong: Vec<bool>,
}

impl Chunk {
    fn new(kinds: &[Kind]) -> Chunk {
        let entries = |kind: &Kind| match kind {
            Kind::Numbers => Entries::Numbers(Vec::new()),
            Kind::Texts => Entries::Texts(Joined::default()),
        };
        Chunk { columns: kinds.iter().map(entries).collect(), wrong: vec![false; kinds.len()] }
    }

    /// Appends a field to its column.
    #[inline]
    fn push(&mut self, column: usize, field: &str, missing: &Missing) {
        match &mut self.columns[column] {
            Entries::Numbers(numbers) => numbers.push(match plain_number(field.as_bytes()) {
                None if field.is_empty() => f64::NAN,
                Some(number) if !missing.has_numbers() => number,
                _ => slow_number(field, missing).unwrap_or_else(|| {
                    self.wrong[column] = true;
                    f64::NAN
                }),
            }),
            Entries::Texts(texts) => {
                let field = trimmed(field);
                texts.push(if missing.holds(field) { "" } else { field });
            }
        }
    }

    /// Takes all rows out, and leaves their memory to others.
    fn clear(&mut self) {
        for entries in &mut self.columns {
            match entries {
                Entries::Numbers(numbers) => numbers.clear(),
                Entries::Texts(texts) => texts.clear(),
            }
        }
        self.wrong.fill(false);
    }
}

/// A column as far as it has been read.
enum Column {
    /// The numbers, and how many of them have been read.
    Numbers(Tensor<f64>, usize),
    Texts(Joined),
}

impl Column {
    /// An empty column with room for so many rows.
    fn new(kind: Kind, rows: usize) -> Column {
        match kind {
            Kind::Numbers => Column::Numbers(Tensor::zeros([rows]), 0),
            Kind::Texts => Column::Texts(Joined::with_capacity(rows)),
        }
    }

    fn append(&mut self, entries: &Entries) {
        match (self, entries) {
            (Column::Numbers(numbers, count), Entries::Numbers(more)) => {
                let (start, end) = (*count, *count + more.len());
                if end > numbers.size() {
                    let mut larger = Tensor::zeros([end + end / 2]);
                    larger.as_mut_slice()[..start].copy_from_slice(&numbers.as_mut_slice()[..start]);
                    *numbers = larger;
                }
                numbers.as_mut_slice()[start..end].copy_from_slice(more);
                *count = end;
            }
            (Column::Texts(texts), Entries::Texts(more)) => texts.append(more),
            _ => unreachable!("a chunk has the columns of its table"),
        }
    }

    fn finish(self) -> TableColumn {
        match self {
            Column::Numbers(numbers, count) => {
                let own = numbers.slice(0, ..count);
                // A little room may stay behind the last number.
                let is_small = numbers.size() - count <= count / 8;
                if is_small { own.into() } else { own.iter().collect::<Tensor<f64>>().into() }
            }
            Column::Texts(texts) => texts.finish().into(),
        }
    }
}

/// The columns of a table as far as they have been read: chunks come in any order, and are appended in that of the file.
struct Columns {
    columns: Vec<Column>,
    /// The columns of numbers that hold another text.
    wrong: Vec<bool>,
    /// The number of chunks that have been appended.
    appended: usize,
    /// Chunks before which another one is missing.
    waiting: BTreeMap<usize, Chunk>,
    /// Chunks that have been appended: fresh memory costs more than what is read into it.
    idle: Vec<Chunk>,
}

impl Columns {
    /// Empty columns with room for so many rows.
    fn new(kinds: &[Kind], rows: usize) -> Columns {
        let mut columns: Vec<(Kind, Option<Column>)> = kinds.iter().map(|&kind| (kind, None)).collect();
        team::for_each(&mut columns, |(kind, column)| *column = Some(Column::new(*kind, rows)));
        Columns {
            columns: columns.into_iter().filter_map(|(_, column)| column).collect(),
            wrong: vec![false; kinds.len()],
            appended: 0,
            waiting: BTreeMap::new(),
            idle: Vec::new(),
        }
    }

    /// Appends the chunk of this number, once all before it are there. Returns an empty chunk, if there is one.
    fn append(&mut self, number: usize, chunk: Chunk) -> Option<Chunk> {
        self.waiting.insert(number, chunk);
        while let Some(mut chunk) = self.waiting.remove(&self.appended) {
            self.columns.iter_mut().zip(&chunk.columns).for_each(|(column, entries)| column.append(entries));
            self.wrong.iter_mut().zip(&chunk.wrong).for_each(|(all, wrong)| *all |= wrong);
            chunk.clear();
            self.idle.push(chunk);
            self.appended += 1;
        }
        self.idle.pop()
    }

    /// The columns, or `None` if texts are among the numbers of some: these become columns of texts.
    fn finish(self, kinds: &mut [Kind]) -> Option<Vec<TableColumn>> {
        match correct(kinds, &self.wrong) {
            true => None,
            false => Some(self.columns.into_iter().map(Column::finish).collect()),
        }
    }
}

/// The rows of a text, handed out in chunks, in order.
struct Chunks<'r> {
    bytes: &'r dyn Bytes,
    /// The place of the next byte.
    place: u64,
    /// The first bytes of the next chunk.
    rest: Vec<u8>,
    /// The number of chunks that have been handed out.
    count: usize,
    has_ended: bool,
    is_irregular: bool,
}

impl<'r> Chunks<'r> {
    fn new(bytes: &'r dyn Bytes, place: u64) -> Chunks<'r> {
        Chunks { bytes, place, rest: Vec::new(), count: 0, has_ended: false, is_irregular: false }
    }

    /// Reads the next rows into `text`, and returns the number of the chunk, if there is one.
    fn next(&mut self, text: &mut Vec<u8>) -> Result<Option<usize>, Irregular> {
        text.clear();
        text.append(&mut self.rest);
        while !self.has_ended {
            let searched = text.len();
            // A long row is looked at a few times only.
            self.bytes.append(self.place, CHUNK_BYTES.max(searched) as u64, text)?;
            let read = &text[searched..];
            self.place += read.len() as u64;
            self.has_ended = read.is_empty();
            if let Some(end) = read.iter().rposition(|&byte| byte == b'\n') {
                self.rest.extend_from_slice(&read[end + 1..]);
                text.truncate(searched + end + 1);
                break;
            }
        }
        if text.is_empty() {
            return Ok(None);
        }
        self.count += 1;
        Ok(Some(self.count - 1))
    }

    /// Ends the reading, because a chunk is irregular.
    fn refuse(&mut self) {
        self.rest.clear();
        (self.has_ended, self.is_irregular) = (true, true);
    }
}

/// The value of a mutex. A thread that panicked with it does not matter: its panic ends the reading.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A field without the spaces around it.
#[inline]
fn trimmed(field: &str) -> &str {
    let is_letter = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_graphic);
    let bytes = field.as_bytes();
    if is_letter(bytes.first()) && is_letter(bytes.last()) { field } else { field.trim() }
}

/// Turns columns with other texts among their numbers into texts; returns whether there was one.
fn correct(kinds: &mut [Kind], wrong: &[bool]) -> bool {
    wrong.iter().zip(kinds).filter(|(wrong, _)| **wrong).map(|(_, kind)| *kind = Kind::Texts).count() > 0
}

/// A number of any form, or NaN if it is missing; `None` for another text.
#[cold]
fn slow_number(field: &str, missing: &Missing) -> Option<f64> {
    let field = field.trim();
    if missing.holds(field) {
        return Some(f64::NAN);
    }
    let digits = field.strip_prefix(['-', '+']).unwrap_or(field).as_bytes();
    let is_code = digits.len() > 1 && digits[0] == b'0' && digits[1].is_ascii_digit();
    let is_number = digits.first().is_some_and(|first| first.is_ascii_digit() || *first == b'.');
    if is_number && !is_code { field.parse().ok().filter(|number: &f64| number.is_finite()) } else { None }
}

/// A text that the quick reading does not take: the careful one reads it, or says what is wrong with it.
struct Irregular;

impl From<DatasetError> for Irregular {
    fn from(_: DatasetError) -> Irregular {
        // It comes again in the careful reading.
        Irregular
    }
}

struct Reader<'r> {
    options: &'r Options,
    missing: &'r Missing,
    bytes: &'r dyn Bytes,
    length: u64,
}

impl Reader<'_> {
    fn read(&self) -> Result<Table> {
        let mut start = Vec::new();
        self.bytes.append(0, BLOCK_BYTES, &mut start)?;
        let mut first = None;
        let mut records = |text: &[u8], is_all| {
            records(text, self.options.delimiter, true, is_all, |record| _ = first.get_or_insert(record.end))
        };
        match records(&start, start.len() as u64 == self.length) {
            0 => {
                self.bytes.append(start.len() as u64, u64::MAX, &mut start)?;
                records(&start, true);
            }
            end => start.truncate(end),
        }
        let head = Head::find(&start, self.options)?;
        let names: Vec<String> = head.first.iter().enumerate().map(|(place, name)| head.name(place, name)).collect();
        let place = |column: &CsvColumn| place_of(column, &names);
        let mut kinds = vec![Kind::Numbers; names.len()];
        for column in &self.options.texts {
            kinds[place(column)?] = Kind::Texts;
        }
        let chosen: Vec<usize> = match &self.options.inputs {
            None => (0..names.len()).collect(),
            Some(inputs) => {
                let columns = inputs.iter().chain(self.options.targets.iter().flatten());
                columns.map(place).collect::<Result<_>>()?
            }
        };
        // The rows begin behind the header.
        let rows = if head.has_names { first.unwrap_or(start.len()) } else { mark_length(&start) };
        let columns = match self.columns(&start[rows..], rows as u64, &mut kinds) {
            Ok(columns) => columns,
            Err(Irregular) => self.careful(&mut kinds)?,
        };
        if columns[0].len() == 0 {
            return Err(no_row());
        }
        Table::new(chosen.into_iter().map(|place| (names[place].clone(), columns[place].clone())))
    }

    /// All columns of the rows from a place on, read by the threads chunk by chunk. `start` are the first rows.
    fn columns(&self, start: &[u8], place: u64, kinds: &mut [Kind]) -> Result<Vec<TableColumn>, Irregular> {
        // What the first rows say of the columns is mostly true of all.
        let mut chunk = Chunk::new(kinds);
        self.fill(start, &mut chunk)?;
        correct(kinds, &chunk.wrong);
        let rows = self.likely_rows(place)?;
        let tasks = self.length.div_ceil(CHUNK_BYTES as u64).clamp(1, team::threads() as u64) as usize;
        loop {
            let chunks = Mutex::new(Chunks::new(self.bytes, place));
            let columns = Mutex::new(Columns::new(kinds, rows));
            team::run(tasks, |_| {
                if let Err(Irregular) = self.read_chunks(kinds, &chunks, &columns) {
                    lock(&chunks).refuse();
                }
            });
            if lock(&chunks).is_irregular {
                return Err(Irregular);
            }
            let columns = columns.into_inner().unwrap_or_else(PoisonError::into_inner);
            if let Some(columns) = columns.finish(kinds) {
                return Ok(columns);
            }
        }
    }

    /// Reads chunks until none is left. A thread waits for another one only while that one copies bytes.
    fn read_chunks(
        &self,
        kinds: &[Kind],
        chunks: &Mutex<Chunks<'_>>,
        columns: &Mutex<Columns>,
    ) -> Result<(), Irregular> {
        let mut text = Vec::new();
        let mut idle = None;
        loop {
            let Some(number) = lock(chunks).next(&mut text)? else { return Ok(()) };
            let mut chunk = idle.unwrap_or_else(|| Chunk::new(kinds));
            self.fill(&text, &mut chunk)?;
            idle = lock(columns).append(number, chunk);
        }
    }

    /// About how many rows there are from a place on, rather too many than too few: samples say how long rows are.
    fn likely_rows(&self, place: u64) -> Result<usize> {
        let length = self.length.saturating_sub(place);
        let mut samples = Vec::new();
        for place in (place..self.length).step_by((length / SAMPLES).max(SAMPLE_BYTES) as usize) {
            self.bytes.append(place, SAMPLE_BYTES, &mut samples)?;
        }
        let ends = |byte: u8| byte == b'\n' || byte == b'\r';
        let rows = samples.windows(2).filter(|pair| !ends(pair[0]) && ends(pair[1])).count();
        Ok((rows as f64 * length as f64 / samples.len().max(1) as f64 * LIKELY_MARGIN) as usize + 1)
    }

    /// All columns by the reader that takes all forms of CSV, and has an error for all else.
    fn careful(&self, kinds: &mut [Kind]) -> Result<Vec<TableColumn>> {
        let mut text = Vec::new();
        self.bytes.append(0, u64::MAX, &mut text)?;
        let all = (0..kinds.len()).map(|place| CsvColumn::Index(place as isize)).collect();
        let options = Options { inputs: Some(all), targets: Some(Vec::new()), ..self.options.clone() };
        // What is wrong with the file as a whole is said before what is wrong with a row.
        let head = Head::find(&text, &options)?;
        loop {
            let mut chunk = Chunk::new(kinds);
            let (rows, _) = read_rows(&text, &options, &head, true, false, |fields, _| {
                fields.texts().enumerate().for_each(|(column, field)| chunk.push(column, field, self.missing));
                Ok(())
            })?;
            let mut columns = Columns::new(kinds, rows);
            columns.append(0, chunk);
            if let Some(columns) = columns.finish(kinds) {
                return Ok(columns);
            }
        }
    }

    /// Appends the rows of a text, which begins where a row does, to a chunk.
    fn fill(&self, bytes: &[u8], chunk: &mut Chunk) -> Result<(), Irregular> {
        let delimiter = self.options.delimiter;
        let text = str::from_utf8(bytes).map_err(|_| Irregular)?;
        if !delimiter.is_ascii() || matches!(delimiter, b'"' | b'\n' | b'\r') || bytes.contains(&0) {
            return Err(Irregular);
        }
        let columns = chunk.columns.len();
        // Numbers without a look at their text: none of them is missing, and none goes on behind the delimiter.
        let are_quick = !self.missing.has_numbers() && !matches!(delimiter, b'0'..=b'9' | b'.' | b'-');
        let mut fields = TextFields::new(bytes, delimiter, false);
        // The empty field behind a delimiter with which the text ends.
        let behind = || TextField { bytes: bytes.len()..bytes.len(), quote: Quote::None };
        while fields.skip_line_ends() {
            for column in 0..columns {
                let number = match &mut chunk.columns[column] {
                    Entries::Numbers(numbers) if are_quick => {
                        fields.next_number().inspect(|(number, _)| numbers.push(*number))
                    }
                    _ => None,
                };
                let end = match number {
                    Some((_, end)) => end,
                    None => {
                        let field = fields.next().unwrap_or_else(behind);
                        let end = field.bytes.end;
                        chunk.push(column, &content(text, field)?, self.missing);
                        end
                    }
                };
                let is_last = column + 1 == columns;
                let ends_row = bytes.get(end) != Some(&delimiter);
                if is_last != ends_row {
                    return Err(Irregular);
                }
            }
        }
        Ok(())
    }
}

/// What a field of the text says.
fn content(text: &str, field: TextField) -> Result<Cow<'_, str>, Irregular> {
    match field.quote {
        Quote::None => Ok(Cow::Borrowed(&text[field.bytes])),
        Quote::Around(Range { start: open, end: close }) => unquoted(&text[open + 1..close]),
        Quote::Before { .. } | Quote::Unclosed { .. } => Err(Irregular),
    }
}

/// What the text between two quotes says, if it is on one line.
fn unquoted(text: &str) -> Result<Cow<'_, str>, Irregular> {
    match text {
        _ if text.contains(['\n', '\r']) => Err(Irregular),
        _ if text.contains('"') => Ok(Cow::Owned(text.replace("\"\"", "\""))),
        _ => Ok(Cow::Borrowed(text)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::source::ByteSource;

    fn csv(text: &str) -> Csv<'_> {
        Csv::new(ByteSource::new(text.as_bytes(), "table").unwrap())
    }

    /// The texts of a column.
    fn texts(table: &Table, column: &str) -> Vec<String> {
        table.texts(column).unwrap().iter().map(str::to_owned).collect()
    }

    #[test]
    fn columns_are_numbers_or_texts() {
        let text = "a,b,c,d,e,\n1,x,01067,,1e3,2\n-2.5,NA,2,nan,.5,3\n?,\"y, \"\"z\"\"\",3,, +7 ,4\n";
        let table = csv(text).table().unwrap();
        assert_eq!(table.names().collect::<Vec<_>>(), ["a", "b", "c", "d", "e", "5"]);
        let numbers = |name| table.numbers(name).unwrap().to_vec();
        assert_eq!(numbers("a")[..2], [1.0, -2.5]);
        assert!(numbers("a")[2].is_nan());
        assert_eq!(texts(&table, "b"), ["x", "", "y, \"z\""]);
        assert_eq!(texts(&table, "c"), ["01067", "2", "3"]);
        assert_eq!((table.column("d").unwrap().missing(), numbers("e")), (3, vec![1000.0, 0.5, 7.0]));
        assert_eq!(numbers("5"), [2.0, 3.0, 4.0]);
    }

    #[test]
    fn columns_are_chosen_and_kept_as_texts() {
        let text = "a;b;c\n1;2;3\n4;5;6\n";
        let table = csv(text).delimiter(b';').texts(["b"]).inputs(["c", "b"]).table().unwrap();
        assert_eq!(table.names().collect::<Vec<_>>(), ["c", "b"]);
        assert!(matches!(table.column("b").unwrap(), TableColumn::Texts(_)));
        let without_header = csv("1,2\n3,4\n").header(false).table().unwrap();
        assert_eq!(without_header.numbers("1").unwrap().to_vec(), [2.0, 4.0]);
        let marked = csv("\u{feff}1,2\n3,4\n").header(false).table().unwrap();
        assert_eq!(marked.numbers("0").unwrap().to_vec(), [1.0, 3.0]);
        let missing = csv("a\n-999\n1\nNA\n").missing(["-999.0"]).table().unwrap();
        assert_eq!(texts(&missing, "a"), ["", "1", "NA"]);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let message = |text: &str| csv(text).table().unwrap_err().to_string();
        assert_eq!(
            message("a,b\n1,2\n3\n"),
            "table, line 3, column 2: found 1 fields, expected 2, as on the first line; complete the row, or quote fields that \
             hold a delimiter"
        );
        assert_eq!(
            message("a,b\n1,2\n3,\"4\n"),
            "table, line 3, column 2: found a quote that is never closed, expected a field whose quotes stand around it; close the \
             quote where the field ends, or remove it; a quote within a quoted field is written twice"
        );
        assert_eq!(
            message("a,a\n1,2\n"),
            "table: found two columns of the name \"a\", expected a name of its own for each; rename one of them"
        );
        assert!(message("a,b\n").contains("no row") && message("").contains("an empty file"));
        let error = csv("a,b\n1,2\n").texts(["c"]).table().unwrap_err().to_string();
        assert_eq!(
            error,
            "table: found column \"c\", expected one of the columns [\"a\", \"b\"]; correct the name, or check the delimiter"
        );
    }

    #[test]
    fn a_text_far_behind_makes_a_column_of_texts() {
        let mut text = "a,b\n".to_owned();
        (0..1000).for_each(|row| text.push_str(&format!("{row},{row}\n")));
        text.push_str("1000,none of these\n");
        let table = csv(&text).table().unwrap();
        assert_eq!(texts(&table, "b")[999..], ["999", "none of these"]);
        assert_eq!(table.numbers("a").unwrap().sum(..).item(), 500_500.0);
    }

    /// What `read` returns on all threads, after a check that it returns the same on one: a task of a team has no other.
    fn on_one_thread_and_all<R: Send + PartialEq + std::fmt::Debug>(read: impl Fn() -> R + Sync) -> R {
        let mut alone = [None, None];
        team::for_each(&mut alone, |alone| *alone = Some(read()));
        let read = read();
        assert!(alone.iter().all(|alone| alone.as_ref() == Some(&read)), "{alone:?}, {read:?}");
        read
    }

    #[test]
    fn rows_may_be_of_very_different_lengths() {
        let short: String = (0..2000).map(|row| format!("{row},\n")).collect();
        let long: String = (2000..2300).map(|row| format!("{row},{}\n", "x".repeat(row % 97 * 3))).collect();
        for text in [format!("a,b\n{short}{long}"), format!("a,b\n{long}{short}")] {
            let (numbers, letters) = on_one_thread_and_all(|| {
                let table = csv(&text).table().unwrap();
                (table.numbers("a").unwrap().to_vec(), texts(&table, "b"))
            });
            let rows: Vec<(&str, &str)> = text.lines().skip(1).filter_map(|line| line.split_once(',')).collect();
            assert_eq!(numbers, rows.iter().map(|(number, _)| number.parse().unwrap()).collect::<Vec<f64>>());
            assert_eq!(letters, rows.iter().map(|(_, letters)| *letters).collect::<Vec<_>>());
        }
    }

    #[test]
    fn chunks_are_appended_in_order_whatever_room_there_is() {
        let (kinds, missing) = ([Kind::Numbers, Kind::Texts], Missing::new(None));
        for room in [0, 1, 5, 6, 7, 1000] {
            let mut columns = Columns::new(&kinds, room);
            for number in [2, 0, 1] {
                let mut chunk = Chunk::new(&kinds);
                for row in 2 * number..2 * number + 2 {
                    (0..2).for_each(|column| chunk.push(column, &row.to_string(), &missing));
                }
                columns.append(number, chunk);
            }
            let columns = columns.finish(&mut kinds.clone()).unwrap();
            let numbers = vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
            assert_eq!(columns, [numbers.into(), TableColumn::from(["0", "1", "2", "3", "4", "5"])], "room for {room}");
        }
    }

    #[test]
    fn an_error_far_behind_ends_the_reading() {
        let rows: String = (0..3000).map(|row| format!("{row},{row}\n")).collect();
        for (bad, found) in [("1,2,3\n", "line 3002"), ("1,\"2\n", "a quote that is never closed")] {
            let text = format!("a,b\n{rows}{bad}{rows}");
            let message = on_one_thread_and_all(|| csv(&text).table().unwrap_err().to_string());
            assert!(message.contains(found), "{message}");
        }
    }

    #[test]
    fn a_delimiter_may_be_a_part_of_numbers() {
        for delimiter in [b'.', b'-', b'5'] {
            let text = "a,b\n1,2\n3,4\n".replace(',', str::from_utf8(&[delimiter]).unwrap());
            let table = csv(&text).delimiter(delimiter).table().unwrap();
            assert_eq!(table.numbers("a").unwrap().to_vec(), [1.0, 3.0]);
            assert_eq!(table.numbers("b").unwrap().to_vec(), [2.0, 4.0]);
        }
    }

    /// A field as files have it, and what it says.
    fn field() -> impl Strategy<Value = String> {
        prop_oneof![
            "-?[0-9]{1,4}(\\.[0-9]{1,3})?",
            "[a-z]{0,3}",
            Just("NA".to_owned()),
            " ?[a-zäß]{1,9} ?",
            "\"[a-z,\r\n]{0,4}(\"\")?[a-z]{0,2}\"",
            "\"[a-z, ]{0,6}\" ?",
            "[0-9]\"",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_quick_reading_is_the_careful_one(
            header in prop_oneof![
                Just("first,second,third\n"),
                Just("\u{feff}first,second,third\r\n"),
                Just("\n\r\n \"first\" ,second,third\r"),
            ],
            rows in prop::collection::vec(prop::collection::vec(field(), 3), 1..20),
            ends in prop::collection::vec(prop_oneof![Just("\n"), Just("\r\n"), Just("\n\n"), Just("\r")], 20),
            is_last_open: bool,
        ) {
            let mut text = header.to_owned();
            for (row, end) in rows.iter().zip(ends) {
                text.push_str(&row.join(","));
                text.push_str(end);
            }
            if is_last_open {
                text.truncate(text.trim_end_matches(['\r', '\n']).len());
            }
            let options = csv("").options;
            let missing = Missing::new(None);
            let bytes = text.as_bytes();
            let reader = Reader { options: &options, missing: &missing, bytes: &bytes, length: bytes.len() as u64 };
            let mut kinds = vec![Kind::Numbers; 3];
            let careful = reader.careful(&mut kinds);
            let read = reader.read();
            match careful {
                Ok(columns) => {
                    let table = read.unwrap();
                    for (name, column) in ["first", "second", "third"].iter().zip(columns) {
                        let read = table.column(name).unwrap();
                        prop_assert_eq!(format!("{:?}", read), format!("{:?}", column), "{:?}", text);
                    }
                }
                Err(error) => prop_assert_eq!(read.map_err(|error| error.to_string()).unwrap_err(), error.to_string()),
            }
        }
    }
}
