//! CIF: categories of named values, once or in loops (S. R. Hall and others, Acta Crystallographica A47, 1991).

use crate::error::{DatasetError, Result};
use crate::source::ByteSource;
use crate::text_lines::TextLines;

/// A word of the file. A value in quotes is never a keyword, nor one that says that nothing is there.
#[derive(Debug)]
struct Token {
    text: String,
    is_quoted: bool,
}

impl Token {
    fn is_keyword(&self, keyword: &str) -> bool {
        !self.is_quoted && self.text.get(..keyword.len()).is_some_and(|start| start.eq_ignore_ascii_case(keyword))
    }

    fn is_name(&self) -> bool {
        !self.is_quoted && self.text.starts_with('_')
    }

    fn is_value(&self) -> bool {
        let keywords = ["data_", "loop_", "save_", "global_", "stop_"];
        !self.is_name() && !keywords.iter().any(|keyword| self.is_keyword(keyword))
    }

    /// The text, or nothing where the file has `.` or `?`.
    fn value(self) -> Option<String> {
        (self.is_quoted || !matches!(&*self.text, "." | "?")).then_some(self.text)
    }
}

/// Values of one category, in the order of their names.
pub(super) struct Row<'a> {
    /// The names with their category: `_atom_site.id`.
    pub names: &'a [String],
    pub values: &'a [Option<String>],
}

impl<'a> Row<'a> {
    /// Whether the names are those of a category: `_atom_site`.
    pub fn is_of(&self, category: &str) -> bool {
        self.names.first().and_then(|name| name.split_once('.')).is_some_and(|(of, _)| of == category)
    }

    /// The value of the name behind the category's.
    pub fn get(&self, item: &str) -> Option<&'a str> {
        let is_item = |name: &String| name.split_once('.').is_some_and(|(_, of)| of == item);
        let place = self.names.iter().position(is_item)?;
        self.values[place].as_deref()
    }
}

/// The rows of a file's first block of data.
pub(super) struct CifRows<'a> {
    lines: TextLines<'a>,
    /// The words that were read and not used so far, the next one last.
    words: Vec<Token>,
    names: Vec<String>,
    values: Vec<Option<String>>,
    in_loop: bool,
    blocks: usize,
}

impl<'a> CifRows<'a> {
    pub fn new(source: ByteSource<'a>) -> Self {
        let lines = TextLines::new(source);
        CifRows { lines, words: Vec::new(), names: Vec::new(), values: Vec::new(), in_loop: false, blocks: 0 }
    }

    pub fn lines(&self) -> &TextLines<'a> {
        &self.lines
    }

    /// The next row of a loop, or the values of a category that stand by themselves.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>> {
        self.values.clear();
        loop {
            let Some(token) = self.token()? else { return self.ended() };
            if self.in_loop && token.is_value() {
                self.values.push(token.value());
                if self.values.len() == self.names.len() {
                    return Ok(Some(Row { names: &self.names, values: &self.values }));
                }
                continue;
            }
            if self.in_loop && !self.values.is_empty() {
                return Err(self.cut_off());
            }
            let is_single = !self.in_loop && !self.values.is_empty();
            if is_single && !(token.is_name() && same_category(&token.text, &self.names[0])) {
                self.words.push(token);
                return Ok(Some(Row { names: &self.names, values: &self.values }));
            }
            if !is_single {
                self.names.clear();
                self.in_loop = false;
            }
            if token.is_keyword("loop_") {
                self.begin_loop()?;
            } else if token.is_keyword("data_") {
                self.blocks += 1;
                if self.blocks > 1 {
                    return Ok(None);
                }
            } else if token.is_name() {
                match self.token()? {
                    Some(value) if value.is_value() => {
                        self.names.push(token.text);
                        self.values.push(value.value());
                    }
                    _ => {
                        return Err(
                            self.damaged(&format!("{} without a value", token.text), "a value behind each name")
                        );
                    }
                }
            } else if token.is_value() {
                let found = format!("the value {:?} without a name", token.text.chars().take(40).collect::<String>());
                return Err(self.damaged(&found, "a name before each value; a PDB file is read by `read_pdb`"));
            }
        }
    }

    fn begin_loop(&mut self) -> Result<()> {
        self.in_loop = true;
        while let Some(token) = self.token()? {
            if !token.is_name() {
                self.words.push(token);
                break;
            }
            self.names.push(token.text);
        }
        if self.names.is_empty() { Err(self.damaged("a loop without names", "names behind `loop_`")) } else { Ok(()) }
    }

    fn ended(&mut self) -> Result<Option<Row<'_>>> {
        if self.values.is_empty() {
            return Ok(None);
        }
        if self.in_loop {
            return Err(self.cut_off());
        }
        // A last category of single values.
        Ok(Some(Row { names: &self.names, values: &self.values }))
    }

    fn cut_off(&self) -> DatasetError {
        let found = format!("a row of {} values", self.values.len());
        self.damaged(&found, &format!("{}, one for each name of the loop", self.names.len()))
    }

    fn damaged(&self, found: &str, expected: &str) -> DatasetError {
        self.lines.error(DatasetError::new(found, expected, "the file is damaged: get it again"))
    }

    /// The next word of the file.
    fn token(&mut self) -> Result<Option<Token>> {
        while self.words.is_empty() {
            let Some(line) = self.lines.next_line()? else { return Ok(None) };
            if let Some(first) = line.strip_prefix(';') {
                let mut text = first.to_owned();
                loop {
                    match self.lines.next_line()? {
                        Some(line) if line.starts_with(';') => break,
                        Some(line) => {
                            text.push('\n');
                            text.push_str(line);
                        }
                        None => return Err(self.damaged("the end within a text", "`;` on a line of its own")),
                    }
                }
                self.words.push(Token { text, is_quoted: true });
            } else {
                let words = words(line);
                match words {
                    Some(words) => self.words = words,
                    None => return Err(self.damaged("a quote that is not closed", "a closing quote on the same line")),
                }
                self.words.reverse();
            }
        }
        Ok(self.words.pop())
    }
}

fn same_category(name: &str, other: &str) -> bool {
    name.split('.').next() == other.split('.').next()
}

/// The words of a line; `None` if a quote is not closed.
fn words(line: &str) -> Option<Vec<Token>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii_start();
    while let Some(first) = rest.chars().next() {
        if first == '#' {
            break;
        }
        if first == '\'' || first == '"' {
            // A quote within a word does not close it.
            let is_end = |place: usize| rest[place + 1..].chars().next().is_none_or(|next| next.is_ascii_whitespace());
            let end = rest.match_indices(first).map(|(place, _)| place).skip(1).find(|&place| is_end(place))?;
            words.push(Token { text: rest[1..end].to_owned(), is_quoted: true });
            rest = rest[end + 1..].trim_ascii_start();
        } else {
            let end = rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len());
            words.push(Token { text: rest[..end].to_owned(), is_quoted: false });
            rest = rest[end..].trim_ascii_start();
        }
    }
    Some(words)
}
