//! A CSV file as a table: columns of numbers and of texts, read by all cores.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

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
use crate::table::{Table, TableColumn, Texts};

/// The bytes that a thread reads at a time: they stay in the cache.
const CHUNK_BYTES: usize = if cfg!(any(fuzzing, test)) { 1 << 5 } else { 1 << 18 };

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
            // A plain file is read by each thread where it needs it, and is never in memory as a whole.
            Some(path) => {
                let file = PlainFile::open(&path)?;
                Reader::new(&options, &missing, &file, file.length()?).read()
            }
            None => {
                let text = source.read_up_to(u64::MAX)?;
                Reader::new(&options, &missing, &text.as_slice(), text.len() as u64).read()
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
enum Entries<'e> {
    /// The place of the numbers, which are as many as the rows.
    Numbers(&'e mut [f64]),
    Texts {
        text: String,
        ends: Vec<usize>,
    },
}

/// Some rows, column by column.
struct Chunk<'e> {
    columns: Vec<Entries<'e>>,
    /// The columns of numbers that hold another text.
    wrong: Vec<bool>,
}

impl<'e> Chunk<'e> {
    /// A place for so many rows: `rest` are the places of the columns' numbers, of which it takes the first.
    fn new(kinds: &[Kind], rest: &mut [&'e mut [f64]], rows: usize) -> Chunk<'e> {
        let entries = |(kind, rest): (&Kind, &mut &'e mut [f64])| match kind {
            Kind::Numbers => {
                let (own, others) = std::mem::take(rest).split_at_mut(rows);
                *rest = others;
                Entries::Numbers(own)
            }
            Kind::Texts => Entries::Texts { text: String::new(), ends: Vec::new() },
        };
        Chunk { columns: kinds.iter().zip(rest).map(entries).collect(), wrong: vec![false; kinds.len()] }
    }

    /// Sets a field of a row; rows come in order.
    #[inline]
    fn set(&mut self, row: usize, column: usize, field: &str, missing: &Missing) {
        match &mut self.columns[column] {
            Entries::Numbers(numbers) => {
                numbers[row] = match plain_number(field.as_bytes()) {
                    None if field.is_empty() => f64::NAN,
                    Some(number) if !missing.has_numbers() => number,
                    _ => slow_number(field, missing).unwrap_or_else(|| {
                        self.wrong[column] = true;
                        f64::NAN
                    }),
                };
            }
            Entries::Texts { text, ends } => {
                let field = trimmed(field);
                if !missing.holds(field) {
                    text.push_str(field);
                }
                ends.push(text.len());
            }
        }
    }
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
    /// The memory of chunks that have been read: fresh memory costs more than what is read into it.
    idle: Mutex<Vec<Vec<u8>>>,
}

impl<'r> Reader<'r> {
    fn new(options: &'r Options, missing: &'r Missing, bytes: &'r dyn Bytes, length: u64) -> Self {
        Reader { options, missing, bytes, length, idle: Mutex::default() }
    }

    fn read(&self) -> Result<Table> {
        let mut start = Vec::new();
        self.bytes.append(0, BLOCK_BYTES, &mut start)?;
        let is_all = start.len() as u64 == self.length;
        match records(&start, self.options.delimiter, true, is_all, |_| {}) {
            0 => self.bytes.append(start.len() as u64, u64::MAX, &mut start)?,
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
        // What the first rows say of the columns is mostly true of all.
        let _ = self.columns_of(&start, &head, &mut kinds);
        let columns = match self.columns(&head, &mut kinds) {
            Ok(columns) => columns,
            Err(Irregular) => self.careful(&mut kinds)?,
        };
        if columns[0].len() == 0 {
            return Err(no_row());
        }
        Table::new(chosen.into_iter().map(|place| (names[place].clone(), columns[place].clone())))
    }

    /// All columns, read by the threads chunk by chunk.
    fn columns(&self, head: &Head, kinds: &mut [Kind]) -> Result<Vec<TableColumn>, Irregular> {
        struct Task<'e> {
            chunk: usize,
            rows: usize,
            read: Result<Chunk<'e>, Irregular>,
        }
        let tasks = self.length.div_ceil(CHUNK_BYTES as u64) as usize;
        let mut rows: Vec<(usize, Result<usize, Irregular>)> = (0..tasks).map(|chunk| (chunk, Ok(0))).collect();
        team::for_each(&mut rows, |(chunk, rows)| *rows = self.with_chunk(*chunk, |text| Ok(count_rows(text))));
        let rows: Vec<usize> = rows.into_iter().map(|(_, rows)| rows).collect::<Result<_, _>>()?;
        let all = rows.iter().sum::<usize>().saturating_sub(usize::from(head.has_names));
        loop {
            let mut numbers = numbers(kinds, all);
            let mut rest: Vec<&mut [f64]> = numbers.iter_mut().map(|numbers| numbers.as_mut_slice()).collect();
            let mut tasks: Vec<Task<'_>> = Vec::with_capacity(tasks);
            // The header is the first line that is not empty.
            let with_header = rows.iter().position(|&rows| rows > 0).filter(|_| head.has_names);
            for (chunk, &counted) in rows.iter().enumerate() {
                let rows = counted - usize::from(with_header == Some(chunk));
                tasks.push(Task { chunk, rows, read: Ok(Chunk::new(kinds, &mut rest, rows)) });
            }
            team::for_each(&mut tasks, |task| {
                let Ok(chunk) = &mut task.read else { return };
                let is_header = with_header == Some(task.chunk);
                let read = self.with_chunk(task.chunk, |text| self.fill(text, is_header, task.rows, chunk));
                if let Err(error) = read {
                    task.read = Err(error);
                }
            });
            let chunks: Vec<Chunk<'_>> = tasks.into_iter().map(|task| task.read).collect::<Result<_, _>>()?;
            let mut is_right = true;
            for chunk in &chunks {
                is_right &= !correct(kinds, &chunk.wrong);
            }
            if is_right {
                let texts = texts(chunks, kinds.len());
                return Ok(columns(kinds, numbers, texts));
            }
        }
    }

    /// The columns of a text of whole rows, which begins with the first line of the file.
    fn columns_of(&self, text: &[u8], head: &Head, kinds: &mut [Kind]) -> Result<Vec<TableColumn>, Irregular> {
        Reader::new(self.options, self.missing, &text, text.len() as u64).columns(head, kinds)
    }

    /// Hands the rows of the chunk of this number to `take`: those that begin within its bytes.
    fn with_chunk<R>(&self, chunk: usize, take: impl FnOnce(&[u8]) -> Result<R, Irregular>) -> Result<R, Irregular> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = idle().pop().unwrap_or_default();
        text.clear();
        let taken = self.append_chunk(chunk, &mut text).map_err(Irregular::from).and_then(|rows| take(&text[rows]));
        idle().push(text);
        taken
    }

    /// Reads the bytes of a chunk, and returns where its rows stand among them.
    fn append_chunk(&self, chunk: usize, text: &mut Vec<u8>) -> Result<Range<usize>> {
        let start = (chunk * CHUNK_BYTES) as u64;
        // The byte before says whether a row begins with the first.
        let from = start.saturating_sub(1);
        let mut count = (CHUNK_BYTES + CHUNK_BYTES / 16) as u64;
        self.bytes.append(from, count, text)?;
        let first = match chunk {
            0 => mark_length(text),
            _ => text.iter().position(|&byte| byte == b'\n').map_or(text.len(), |end| end + 1),
        };
        let own = (start - from) as usize + CHUNK_BYTES;
        if first >= own {
            return Ok(0..0);
        }
        // A row that begins within the chunk may end far behind it.
        let mut searched = own - 1;
        loop {
            if let Some(end) = text.get(searched..).and_then(|behind| behind.iter().position(|&byte| byte == b'\n')) {
                return Ok(first..searched + end + 1);
            }
            let read = text.len();
            if from + read as u64 >= self.length {
                return Ok(first..read);
            }
            searched = searched.max(read);
            count *= 2;
            self.bytes.append(from + read as u64, count, text)?;
            if text.len() == read {
                return Ok(first..read);
            }
        }
    }

    /// All columns by the reader that takes all forms of CSV, and has an error for all else.
    fn careful(&self, kinds: &mut [Kind]) -> Result<Vec<TableColumn>> {
        let mut text = Vec::new();
        self.bytes.append(0, u64::MAX, &mut text)?;
        let all = (0..kinds.len()).map(|place| CsvColumn::Index(place as isize)).collect();
        let options = Options { inputs: Some(all), targets: Some(Vec::new()), ..self.options.clone() };
        // What is wrong with the file as a whole is said before what is wrong with a row.
        let head = Head::find(&text, &options)?;
        let (rows, _) = read_rows(&text, &options, &head, true, false, |_, _| Ok(()))?;
        loop {
            let mut numbers = numbers(kinds, rows);
            let mut rest: Vec<&mut [f64]> = numbers.iter_mut().map(|numbers| numbers.as_mut_slice()).collect();
            let mut chunk = Chunk::new(kinds, &mut rest, rows);
            let mut row = 0;
            read_rows(&text, &options, &head, true, false, |fields, _| {
                fields.texts().enumerate().for_each(|(column, field)| chunk.set(row, column, field, self.missing));
                row += 1;
                Ok(())
            })?;
            if !correct(kinds, &chunk.wrong) {
                let texts = texts(vec![chunk], kinds.len());
                return Ok(columns(kinds, numbers, texts));
            }
        }
    }

    /// Reads the rows of a text, which begins where a row does, into a chunk of so many rows. `is_header` says whether the first of
    /// them is the header.
    fn fill(&self, bytes: &[u8], mut is_header: bool, rows: usize, chunk: &mut Chunk<'_>) -> Result<(), Irregular> {
        let delimiter = self.options.delimiter;
        let text = str::from_utf8(bytes).map_err(|_| Irregular)?;
        if !delimiter.is_ascii() || matches!(delimiter, b'"' | b'\n' | b'\r') || bytes.contains(&0) {
            return Err(Irregular);
        }
        let columns = chunk.columns.len();
        let mut row = 0;
        let mut fields = TextFields::new(bytes, delimiter, false);
        // The empty field behind a delimiter with which the text ends.
        let behind = || TextField { bytes: bytes.len()..bytes.len(), quote: Quote::None };
        while fields.skip_line_ends() {
            if row == rows && !is_header {
                return Err(Irregular);
            }
            for column in 0..columns {
                let TextField { bytes: Range { start, end }, quote } = fields.next().unwrap_or_else(behind);
                let is_last = column + 1 == columns;
                let ends_row = bytes.get(end) != Some(&delimiter);
                if is_last != ends_row {
                    return Err(Irregular);
                }
                let field = match quote {
                    Quote::None => Cow::Borrowed(&text[start..end]),
                    Quote::Around(Range { start: open, end: close }) => unquoted(&text[open + 1..close])?,
                    Quote::Before { .. } | Quote::Unclosed { .. } => return Err(Irregular),
                };
                if !is_header {
                    chunk.set(row, column, &field, self.missing);
                }
            }
            row += usize::from(!is_header);
            is_header = false;
        }
        if row == rows { Ok(()) } else { Err(Irregular) }
    }
}

/// The number of lines that are not empty.
fn count_rows(text: &[u8]) -> usize {
    let ends = |byte: u8| byte == b'\n' || byte == b'\r';
    let begin = |pair: &[u8]| usize::from(ends(pair[0]) && !ends(pair[1]));
    // Sums of a byte are quick.
    let behind: usize = text.windows(2).map(begin).sum();
    behind + usize::from(text.first().is_some_and(|&first| !ends(first)))
}

/// A place for the numbers of each column of numbers.
fn numbers(kinds: &[Kind], rows: usize) -> Vec<Tensor<f64>> {
    kinds.iter().map(|kind| Tensor::zeros([if *kind == Kind::Numbers { rows } else { 0 }])).collect()
}

/// The texts of each column of texts, of all chunks.
fn texts(chunks: Vec<Chunk<'_>>, columns: usize) -> Vec<Texts> {
    /// The texts of a chunk, one behind the other, and where each ends.
    type Part = (String, Vec<usize>);
    #[derive(Clone, Default)]
    struct Column {
        parts: Vec<Part>,
        joined: Texts,
    }
    let mut all = vec![Column::default(); columns];
    for chunk in chunks {
        for (entries, column) in chunk.columns.into_iter().zip(&mut all) {
            if let Entries::Texts { text, ends } = entries {
                column.parts.push((text, ends));
            }
        }
    }
    team::for_each(&mut all, |Column { parts, joined }| {
        let mut text = String::with_capacity(parts.iter().map(|(text, _)| text.len()).sum());
        let mut ends = Vec::with_capacity(parts.iter().map(|(_, ends)| ends.len()).sum());
        for (part, part_ends) in &*parts {
            ends.extend(part_ends.iter().map(|end| text.len() + end));
            text.push_str(part);
        }
        *joined = Texts::of_parts(text, ends);
    });
    all.into_iter().map(|column| column.joined).collect()
}

fn columns(kinds: &[Kind], numbers: Vec<Tensor<f64>>, texts: Vec<Texts>) -> Vec<TableColumn> {
    let column = |((kind, numbers), texts): ((&Kind, Tensor<f64>), Texts)| match kind {
        Kind::Numbers => numbers.into(),
        Kind::Texts => texts.into(),
    };
    kinds.iter().zip(numbers).zip(texts).map(column).collect()
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
            rows in prop::collection::vec(prop::collection::vec(field(), 3), 1..20),
            ends in prop::collection::vec(prop_oneof![Just("\n"), Just("\r\n"), Just("\n\n"), Just("\r")], 20),
            is_last_open: bool,
        ) {
            let mut text = "first,second,third\n".to_owned();
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
            let reader = Reader::new(&options, &missing, &bytes, bytes.len() as u64);
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
