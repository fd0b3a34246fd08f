//! Bytes as printable letters, as GPT-2 writes them, and the words of a text in which byte pairs are looked for.

/// Bytes that stand for themselves as letters of Latin-1: those that print, and no space.
fn prints(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff)
}

/// The letter of a byte: its own if it prints, else one of the letters from U+0100 on, in the order of the bytes. A space is
/// `Ġ`, a line feed `Ċ`.
pub(super) fn letter(byte: u8) -> char {
    if prints(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|&other| !prints(other)).count() as u32;
    char::from_u32(0x100 + before).expect("the letters from U+0100 on are characters")
}

/// The byte of a letter.
pub(super) fn byte(of: char) -> Option<u8> {
    (0..=u8::MAX).find(|&byte| letter(byte) == of)
}

/// All bytes in the order of their letters, which is the order of their ids.
pub(super) fn bytes_in_order() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..=u8::MAX).collect();
    bytes.sort_by_key(|&byte| letter(byte));
    bytes
}

/// A token as printable letters.
pub(super) fn written(token: &[u8]) -> String {
    token.iter().copied().map(letter).collect()
}

/// The kind of a character; words are runs of one kind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Space,
    Letter,
    Digit,
    Other,
}

impl Kind {
    fn of(c: char) -> Kind {
        if c.is_whitespace() {
            Kind::Space
        } else if c.is_numeric() {
            Kind::Digit
        } else if c.is_alphabetic() {
            Kind::Letter
        } else {
            Kind::Other
        }
    }
}

/// The words of a text, which together are the text: GPT-2's rule. A word is a run of letters, of digits or of other
/// characters, each with a space before it; an English ending such as `'ll`; or white space.
///
/// A letter is a character with Unicode's property Alphabetic, where GPT-2 asks for the category L: so vowel signs, as of
/// Devanagari, belong to their words.
pub(super) struct Words<'a>(pub &'a str);

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0;
        let first = text.chars().next()?;
        let run = |from: usize, kind: Kind| {
            let rest = &text[from..];
            from + rest.find(|c| Kind::of(c) != kind).unwrap_or(rest.len())
        };
        let endings = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];
        let end = if let Some(ending) = endings.iter().find(|ending| text.starts_with(**ending)) {
            ending.len()
        } else {
            // A space belongs to what is behind it.
            let start = usize::from(first == ' ');
            match text[start..].chars().next().map(Kind::of) {
                Some(kind) if kind != Kind::Space => run(start, kind),
                _ => {
                    let end = run(0, Kind::Space);
                    let last = text[..end].chars().next_back().map_or(0, char::len_utf8);
                    // The last of several spaces before a word is left to the word.
                    if end < text.len() && last < end { end - last } else { end }
                }
            }
        };
        let (word, rest) = text.split_at(end);
        self.0 = rest;
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_letters_are_each_others() {
        for value in 0..=u8::MAX {
            assert_eq!(byte(letter(value)), Some(value));
        }
        assert_eq!([b' ', b'\n', b'a', 0xad, 0].map(letter), ['Ġ', 'Ċ', 'a', 'Ń', 'Ā']);
        assert_eq!(byte('€'), None);
    }

    #[test]
    fn words_are_those_of_gpt_2() {
        // By the rule's regular expression, by hand.
        let words = |text| Words(text).collect::<Vec<_>>();
        assert_eq!(words("I'll go  home, 12 times"), ["I", "'ll", " go", " ", " home", ",", " 12", " times"]);
        assert_eq!(words("a\n\n b \t"), ["a", "\n\n", " b", " \t"]);
        assert_eq!(words("x\ny"), ["x", "\n", "y"]);
        assert_eq!(words("x\u{a0}\u{a0}y !?"), ["x", "\u{a0}", "\u{a0}", "y", " !?"]);
        assert_eq!(words("'sie' '"), ["'s", "ie", "'", " '"]);
        assert!(words("").is_empty());
    }
}
