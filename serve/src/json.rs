//! A reader of JSON that makes no tree: values go where they belong as they are met, and an error knows its place.
//!
//! It takes what TensorFlow Serving takes: JSON, and besides it the numbers `NaN`, `Infinity` and `-Infinity`, as Python writes
//! them. (serde_json refuses these, and reads an f32 by way of an f64.)

use std::fmt::Write;

/// Lists and objects that are skipped may be nested this deep.
const DEEPEST: usize = 64;
/// The most bytes of a string that is read: a key, a name.
const LONGEST: usize = 64 << 10;

/// What is wrong, and where.
pub(crate) type Result<T> = std::result::Result<T, String>;

/// A step from a value into one of its parts.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The value of this key of an object.
    Key(String),
    /// The value at this place of a list.
    Place(usize),
}

/// A place in a text of JSON.
pub(crate) struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// Where the value that is read stands, for messages: `instances[3][2]`.
    pub(crate) path: Vec<Step>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Reader { text, at: 0, path: Vec::new() }
    }

    /// The next byte that is no white space.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    /// Takes this byte, if it is the next.
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, byte: u8, expected: &str) -> Result<()> {
        if self.take(byte) { Ok(()) } else { Err(self.error(expected)) }
    }

    /// Calls `member` with each key of an object, to read its value.
    pub(crate) fn object(
        &mut self,
        expected: &str,
        mut member: impl FnMut(&mut Self, &str) -> Result<()>,
    ) -> Result<()> {
        self.expect(b'{', expected)?;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.error("a key in quotes"));
            }
            let key = self.string()?;
            self.expect(b':', "a colon behind the key")?;
            self.path.push(Step::Key(key.clone()));
            member(self, &key)?;
            self.path.pop();
            if !self.take(b',') {
                return self.expect(b'}', "a comma or the closing brace of the object");
            }
        }
    }

    /// Calls `element` for each element of a list with its place, to read it; returns how many there are.
    pub(crate) fn list(
        &mut self,
        expected: &str,
        mut element: impl FnMut(&mut Self, usize) -> Result<()>,
    ) -> Result<usize> {
        self.expect(b'[', expected)?;
        if self.take(b']') {
            return Ok(0);
        }
        self.path.push(Step::Place(0));
        let mut count = 0;
        loop {
            *self.path.last_mut().expect("pushed above") = Step::Place(count);
            element(self, count)?;
            count += 1;
            if !self.take(b',') {
                self.path.pop();
                self.expect(b']', "a comma or the closing bracket of the list")?;
                return Ok(count);
            }
        }
    }

    /// A string that is short, such as a name.
    pub(crate) fn string(&mut self) -> Result<String> {
        let (mut string, mut is_short) = (String::new(), true);
        self.characters(|part| {
            is_short &= string.len() + part.len() <= LONGEST;
            string.push_str(if is_short { part } else { "" });
        })?;
        if is_short { Ok(string) } else { Err(self.error(&format!("a string of at most {LONGEST} bytes before this"))) }
    }

    /// Calls `take` with the parts of a string.
    fn characters(&mut self, mut take: impl FnMut(&str)) -> Result<()> {
        self.expect(b'"', "a string")?;
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < b' ');
            let plain = plain.unwrap_or(rest.len());
            self.at += plain;
            take(std::str::from_utf8(&rest[..plain]).map_err(|_| self.error("UTF-8 in a string before this"))?);
            match rest.get(plain) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => take(self.escaped()?.encode_utf8(&mut [0; 4])),
                _ => return Err(self.error("the closing quote of a string")),
            }
        }
    }

    /// The character that an escape, such as `\n` or `\u00e9`, stands for.
    fn escaped(&mut self) -> Result<char> {
        let escape = self.text.get(self.at + 1).copied();
        self.at += 2;
        let character = match escape {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.hexadecimal()?;
                let behind = self.at;
                let second = if (0xd800..0xdc00).contains(&first) && self.text[behind..].starts_with(b"\\u") {
                    self.at += 2;
                    self.hexadecimal()?
                } else {
                    0
                };
                let code = if (0xdc00..0xe000).contains(&second) {
                    0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                } else {
                    self.at = behind;
                    first
                };
                // A half of a pair alone is no character.
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => {
                self.at = (self.at - 1).min(self.text.len());
                return Err(self.error(r#"one of the escapes \" \\ \/ \b \f \n \r \t \u"#));
            }
        };
        Ok(character)
    }

    fn hexadecimal(&mut self) -> Result<u32> {
        let digits = self.text.get(self.at..self.at + 4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let Some(digits) = digits else { return Err(self.error("four hexadecimal digits behind \\u")) };
        self.at += 4;
        let code = digits.iter().fold(0, |code, &digit| code * 16 + char::from(digit).to_digit(16).unwrap_or(0));
        Ok(code)
    }

    /// True or false.
    pub(crate) fn bool(&mut self) -> Result<bool> {
        self.peek();
        for (word, value) in [("true", true), ("false", false)] {
            if self.word(word) {
                return Ok(value);
            }
        }
        Err(self.error("true or false"))
    }

    /// Takes a `null`, if it is next.
    pub(crate) fn null(&mut self) -> bool {
        self.peek();
        self.word("null")
    }

    /// Takes this word, if it is next.
    fn word(&mut self, word: &str) -> bool {
        let is_next = self.text[self.at..].starts_with(word.as_bytes());
        self.at += if is_next { word.len() } else { 0 };
        is_next
    }

    /// A number as the nearest f32.
    pub(crate) fn f32(&mut self) -> Result<f32> {
        self.peek();
        let begin = self.at;
        if let Some(special) = self.not_finite() {
            return Ok(special);
        }
        let text = self.number()?;
        // A whole number of seven digits is exact: a pixel, for instance.
        if text.len() <= 7 && text.iter().all(u8::is_ascii_digit) {
            return Ok(text.iter().fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0')) as f32);
        }
        let number: f32 = ascii(text).parse().map_err(|_| self.error_at(begin, "a number"))?;
        if number.is_infinite() {
            return Err(self.error_at(begin, "a number of at most 3.4e38, the largest f32"));
        }
        Ok(number)
    }

    /// A number as the nearest f64.
    pub(crate) fn f64(&mut self) -> Result<f64> {
        self.peek();
        let begin = self.at;
        if let Some(special) = self.not_finite() {
            return Ok(special.into());
        }
        let number: f64 = ascii(self.number()?).parse().map_err(|_| self.error_at(begin, "a number"))?;
        if number.is_infinite() {
            return Err(self.error_at(begin, "a number of at most 1.8e308, the largest f64"));
        }
        Ok(number)
    }

    fn not_finite(&mut self) -> Option<f32> {
        let next = self.text.get(self.at)?;
        if !matches!(next, b'N' | b'I' | b'-') {
            return None;
        }
        [("NaN", f32::NAN), ("Infinity", f32::INFINITY), ("-Infinity", f32::NEG_INFINITY)]
            .into_iter()
            .find_map(|(word, value)| self.word(word).then_some(value))
    }

    /// A whole number.
    pub(crate) fn i64(&mut self) -> Result<i64> {
        self.peek();
        let begin = self.at;
        let text = ascii(self.number()?);
        text.parse().or_else(|_| {
            // 3.0 and 3e2 are whole, too; up to 2^53 an f64 holds each whole number.
            let number: f64 = text.parse().unwrap_or(f64::NAN);
            if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 {
                Ok(number as i64)
            } else {
                Err(self.error_at(begin, "a whole number"))
            }
        })
    }

    /// The text of a number, in the grammar of JSON.
    fn number(&mut self) -> Result<&'a [u8]> {
        let begin = self.at;
        let mut at = begin;
        let next = |at: usize| self.text.get(at).copied();
        let digits = |mut at: usize| {
            while next(at).is_some_and(|byte| byte.is_ascii_digit()) {
                at += 1;
            }
            at
        };
        at += usize::from(next(at) == Some(b'-'));
        let whole = digits(at);
        let mut is_number = whole > at && !(next(at) == Some(b'0') && whole > at + 1);
        at = whole;
        if next(at) == Some(b'.') {
            let fraction = digits(at + 1);
            is_number &= fraction > at + 1;
            at = fraction;
        }
        if let Some(b'e' | b'E') = next(at) {
            at += 1;
            at += usize::from(matches!(next(at), Some(b'+' | b'-')));
            let exponent = digits(at);
            is_number &= exponent > at;
            at = exponent;
        }
        if !is_number {
            return Err(self.error("a number"));
        }
        self.at = at;
        Ok(&self.text[begin..at])
    }

    /// Passes over a value.
    pub(crate) fn skip(&mut self) -> Result<()> {
        self.skip_at(0)
    }

    fn skip_at(&mut self, depth: usize) -> Result<()> {
        if depth == DEEPEST {
            return Err(self.error(&format!("lists and objects at most {DEEPEST} deep")));
        }
        match self.peek() {
            Some(b'{') => self.object("an object", |reader, _| reader.skip_at(depth + 1)),
            Some(b'[') => self.list("a list", |reader, _| reader.skip_at(depth + 1)).map(|_| ()),
            Some(b'"') => self.characters(|_| ()),
            Some(b't' | b'f') => self.bool().map(|_| ()),
            Some(b'n') if self.word("null") => Ok(()),
            Some(b'-' | b'0'..=b'9' | b'N' | b'I') => match self.not_finite() {
                Some(_) => Ok(()),
                None => self.number().map(|_| ()),
            },
            _ => Err(self.error("a value")),
        }
    }

    /// Nothing may follow.
    pub(crate) fn end(&mut self) -> Result<()> {
        if self.peek().is_none() { Ok(()) } else { Err(self.error("the end of the body")) }
    }

    /// The error that something else was expected here.
    pub(crate) fn error(&mut self, expected: &str) -> String {
        self.peek();
        self.error_at(self.at, expected)
    }

    fn error_at(&mut self, at: usize, expected: &str) -> String {
        let place = self.place();
        let separator = if place.is_empty() { "" } else { ", " };
        format!("{place}{separator}byte {at}: found {}, expected {expected}", self.found(at))
    }

    /// The path of the value that is read: `instances[3][2]`.
    pub(crate) fn place(&self) -> String {
        const MOST: usize = 8;
        let mut place = String::new();
        for step in self.path.iter().take(MOST) {
            let _ = match step {
                Step::Place(index) => write!(place, "[{index}]"),
                Step::Key(key) if place.is_empty() => write!(place, "{}", shortened(key)),
                Step::Key(key) => write!(place, ".{}", shortened(key)),
            };
        }
        if self.path.len() > MOST {
            place.push_str("..");
        }
        place
    }

    /// What stands at this byte, in a few words.
    fn found(&self, at: usize) -> String {
        let rest = &self.text[at.min(self.text.len())..];
        match rest.first() {
            None => "the end of the body".to_owned(),
            Some(b'{') => "an object".to_owned(),
            Some(b'[') => "a list".to_owned(),
            Some(b'"') => "a string".to_owned(),
            Some(_) => {
                let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-._".contains(byte) || !byte.is_ascii();
                let length = rest.iter().take_while(|byte| is_part(byte)).count().max(1);
                let word = String::from_utf8_lossy(&rest[..length.min(64)]);
                shortened(&word)
            }
        }
    }
}

/// The beginning of a text that may be long, on one line.
pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 24;
    let mut escaped = text.chars().flat_map(char::escape_debug);
    let short: String = escaped.by_ref().take(MOST).collect();
    if escaped.next().is_some() { format!("{short}...") } else { short }
}

/// Digits, signs and points as a text.
fn ascii(text: &[u8]) -> &str {
    std::str::from_utf8(text).expect("a number is ASCII")
}
