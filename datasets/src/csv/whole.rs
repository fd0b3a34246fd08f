//! A CSV file as a table: columns of numbers and of texts, read by all cores.

use gradus_tensor::{Tensor, team};

use super::blocks::BLOCK_BYTES;
use super::fields::Head;
use super::missing::Missing;
use super::number::plain_number;
use super::quotes::{closing, records};
use super::{Csv, CsvColumn, Options, no_row, read_rows};
use crate::error::{DatasetError, Result};
use crate::table::{Table, TableColumn, Texts};

/// The bytes that a thread reads at a time.
const CHUNK_BYTES: usize = if cfg!(fuzzing) { 1 << 5 } else { 1 << 20 };

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
    /// whose name is empty. If [`inputs`](Csv::inputs) or targets are chosen, the table has these columns alone, in this order.
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
        let Csv { mut source, options, .. } = self;
        let text = source.read_up_to(u64::MAX)?;
        read(&text, &options).map_err(|error| error.in_file(source.name()))
    }
}

/// The table in a text.
fn read(text: &[u8], options: &Options) -> Result<Table> {
    let start = beginning(text, options.delimiter);
    let head = Head::find(start, options)?;
    let names: Vec<String> = head.first.iter().enumerate().map(|(place, name)| head.name(place, name)).collect();
    let place = |column: &CsvColumn| place_of(column, &names);
    let mut kinds = vec![Kind::Numbers; names.len()];
    for column in &options.texts {
        kinds[place(column)?] = Kind::Texts;
    }
    let chosen: Vec<&CsvColumn> = options.inputs.iter().chain(&options.targets).flatten().collect();
    let chosen: Vec<usize> = match &options.inputs {
        None => (0..names.len()).collect(),
        Some(_) => chosen.into_iter().map(place).collect::<Result<_>>()?,
    };
    let reader = Reader { options, head: &head, missing: &Missing::new(options.missing.clone()) };
    // What the first rows say of the columns is mostly true of all.
    if let Ok(chunk) = reader.chunk(start, true, &kinds) {
        chunk.correct(&mut kinds);
    }
    let mut columns = loop {
        let chunks = reader.chunks(text, &kinds)?;
        if !chunks.iter().any(|chunk| chunk.correct(&mut kinds)) {
            break joined(chunks, &kinds);
        }
    };
    if columns[0].len() == 0 {
        return Err(no_row());
    }
    let taken = |place: usize| (names[place].clone(), columns[place].clone());
    let table = Table::new(chosen.into_iter().map(taken));
    columns.clear();
    table
}

/// The first rows of a text, whole ones.
fn beginning(text: &[u8], delimiter: u8) -> &[u8] {
    let first = &text[..text.len().min(BLOCK_BYTES as usize)];
    match records(first, delimiter, true, first.len() == text.len(), |_| {}) {
        0 => text,
        end => &text[..end],
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
        CsvColumn::Index(index) => {
            let place = if *index < 0 { index.wrapping_add_unsigned(names.len()) } else { *index };
            usize::try_from(place).ok().filter(|&place| place < names.len())
        }
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
    Texts { text: String, ends: Vec<usize> },
}

/// Some rows, column by column.
struct Chunk {
    columns: Vec<Entries>,
    /// The columns of numbers that hold another text.
    wrong: Vec<bool>,
}

impl Chunk {
    fn new(kinds: &[Kind], bytes: usize) -> Chunk {
        // A field has some eight bytes; what is too little grows, and what is too much is given back.
        let rows = bytes / (8 * kinds.len());
        let entries = |kind: &Kind| match kind {
            Kind::Numbers => Entries::Numbers(Vec::with_capacity(rows)),
            Kind::Texts => Entries::Texts { text: String::new(), ends: Vec::with_capacity(rows) },
        };
        Chunk { columns: kinds.iter().map(entries).collect(), wrong: vec![false; kinds.len()] }
    }

    /// Appends a field.
    #[inline]
    fn push(&mut self, column: usize, field: &str, missing: &Missing) {
        match &mut self.columns[column] {
            Entries::Numbers(numbers) => {
                let plain = plain_number(field.as_bytes());
                let number = match plain {
                    Some(number) if !missing.has_numbers() => number,
                    _ => slow_number(field, missing).unwrap_or_else(|| {
                        self.wrong[column] = true;
                        f64::NAN
                    }),
                };
                numbers.push(number);
            }
            Entries::Texts { text, ends } => {
                let field = field.trim();
                if !missing.holds(field) {
                    text.push_str(field);
                }
                ends.push(text.len());
            }
        }
    }

    /// Turns columns with other texts among their numbers into texts; returns whether there was one.
    fn correct(&self, kinds: &mut [Kind]) -> bool {
        self.wrong.iter().zip(kinds).filter(|(wrong, _)| **wrong).map(|(_, kind)| *kind = Kind::Texts).count() > 0
    }
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

struct Reader<'r> {
    options: &'r Options,
    head: &'r Head,
    missing: &'r Missing,
}

impl Reader<'_> {
    /// The rows of a text in chunks.
    fn chunks(&self, text: &[u8], kinds: &[Kind]) -> Result<Vec<Chunk>> {
        struct Task<'t> {
            text: &'t [u8],
            read: Result<Chunk, Irregular>,
        }
        // Within the quick reading every end of a line ends a row. Where a quoted field holds one, the chunk before it has a quote
        // that is not closed.
        let mut tasks = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let whole = rest.get(CHUNK_BYTES..).and_then(|behind| behind.iter().position(|&byte| byte == b'\n'));
            let (chunk, behind) = rest.split_at(whole.map_or(rest.len(), |end| CHUNK_BYTES + end + 1));
            tasks.push((tasks.is_empty(), Task { text: chunk, read: Err(Irregular) }));
            rest = behind;
        }
        team::for_each(&mut tasks, |(is_first, task)| task.read = self.chunk(task.text, *is_first, kinds));
        match tasks.into_iter().map(|(_, task)| task.read).collect() {
            Ok(chunks) => Ok(chunks),
            Err(Irregular) => self.careful(text, kinds).map(|chunk| vec![chunk]),
        }
    }

    /// The rows of a text by the reader that takes all forms of CSV, and has an error for all else.
    fn careful(&self, text: &[u8], kinds: &[Kind]) -> Result<Chunk> {
        let mut chunk = Chunk::new(kinds, text.len());
        let all = (0..kinds.len()).map(|place| CsvColumn::Index(place as isize)).collect();
        let options = Options { inputs: Some(all), targets: Some(Vec::new()), ..self.options.clone() };
        // What is wrong with the file as a whole is said before what is wrong with a row.
        let head = Head::find(text, &options)?;
        read_rows(text, &options, &head, true, false, |fields, _| {
            fields.texts().enumerate().for_each(|(column, field)| chunk.push(column, field, self.missing));
            Ok(())
        })?;
        Ok(chunk)
    }

    /// The rows of a chunk, which begins where a row does. `is_first` says whether that is the first line of the file.
    fn chunk(&self, bytes: &[u8], is_first: bool, kinds: &[Kind]) -> Result<Chunk, Irregular> {
        let delimiter = self.options.delimiter;
        let text = str::from_utf8(bytes).map_err(|_| Irregular)?;
        if !delimiter.is_ascii() || matches!(delimiter, b'"' | b'\n' | b'\r') || bytes.contains(&0) {
            return Err(Irregular);
        }
        let has_quotes = bytes.contains(&b'"');
        let mut chunk = Chunk::new(kinds, bytes.len());
        let mut at = if is_first && text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let mut is_header = is_first && self.head.has_names;
        while at < bytes.len() {
            if matches!(bytes[at], b'\n' | b'\r') {
                at += 1;
                continue;
            }
            for column in 0..kinds.len() {
                let mut end = at + length(&bytes[at..], delimiter);
                let quoted = if has_quotes { quoted(bytes, at, delimiter)? } else { None };
                if let Some(quoted) = &quoted {
                    end = quoted.end;
                }
                if !is_header {
                    match quoted {
                        None => chunk.push(column, &text[at..end], self.missing),
                        Some(Quoted { inner, .. }) => {
                            let inner = &text[inner];
                            match inner.contains('"') {
                                true => chunk.push(column, &inner.replace("\"\"", "\""), self.missing),
                                false => chunk.push(column, inner, self.missing),
                            }
                        }
                    }
                }
                let is_last = column + 1 == kinds.len();
                let ends_row = bytes.get(end) != Some(&delimiter);
                if is_last != ends_row {
                    return Err(Irregular);
                }
                at = end + 1;
            }
            is_header = false;
        }
        Ok(chunk)
    }
}

/// The length of the field that begins here, without quotes.
#[inline]
fn length(bytes: &[u8], delimiter: u8) -> usize {
    let ends = |&byte: &u8| byte == delimiter || byte == b'\n' || byte == b'\r';
    bytes.iter().position(ends).unwrap_or(bytes.len())
}

/// A quoted field: what stands between the quotes, and where the field ends.
struct Quoted {
    inner: std::ops::Range<usize>,
    end: usize,
}

/// The quoted field that begins here, perhaps behind spaces, if it is one.
fn quoted(bytes: &[u8], at: usize, delimiter: u8) -> Result<Option<Quoted>, Irregular> {
    let spaces = |from: usize| {
        let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t') && **byte != delimiter;
        from + bytes[from..].iter().take_while(is_space).count()
    };
    let open = spaces(at);
    if bytes.get(open) != Some(&b'"') {
        return Ok(None);
    }
    let close = closing(bytes, open).ok_or(Irregular)?;
    let (inner, end) = (open + 1..close, spaces(close + 1));
    let is_plain = !bytes[inner.clone()].iter().any(|byte| matches!(byte, b'\n' | b'\r'));
    if is_plain && bytes.get(end).is_none_or(|byte| *byte == delimiter || matches!(byte, b'\n' | b'\r')) {
        Ok(Some(Quoted { inner, end }))
    } else {
        Err(Irregular)
    }
}

/// The columns of all chunks, one behind the other.
fn joined(chunks: Vec<Chunk>, kinds: &[Kind]) -> Vec<TableColumn> {
    struct Column {
        kind: Kind,
        parts: Vec<Entries>,
        joined: Option<TableColumn>,
    }
    let mut columns: Vec<Column> =
        kinds.iter().map(|&kind| Column { kind, parts: Vec::with_capacity(chunks.len()), joined: None }).collect();
    for chunk in chunks {
        columns.iter_mut().zip(chunk.columns).for_each(|(column, entries)| column.parts.push(entries));
    }
    team::for_each(&mut columns, |column| {
        let parts = std::mem::take(&mut column.parts);
        column.joined = Some(match column.kind {
            Kind::Numbers => numbers(parts).into(),
            Kind::Texts => texts(parts).into(),
        });
    });
    columns.into_iter().filter_map(|column| column.joined).collect()
}

fn numbers(parts: Vec<Entries>) -> Tensor<f64> {
    let parts: Vec<Vec<f64>> = parts
        .into_iter()
        .filter_map(|part| if let Entries::Numbers(part) = part { Some(part) } else { None })
        .collect();
    parts.concat().into()
}

fn texts(parts: Vec<Entries>) -> Texts {
    let bytes =
        |part: &Entries| if let Entries::Texts { text, ends } = part { [text.len(), ends.len()] } else { [0, 0] };
    let [length, count] = parts.iter().map(bytes).fold([0, 0], |sum, part| [sum[0] + part[0], sum[1] + part[1]]);
    let (mut all, mut all_ends) = (String::with_capacity(length), Vec::with_capacity(count));
    for part in &parts {
        if let Entries::Texts { text, ends } = part {
            all_ends.extend(ends.iter().map(|end| all.len() + end));
            all.push_str(text);
        }
    }
    Texts::of_parts(all, all_ends)
}
