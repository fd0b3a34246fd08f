//! Words and signs of a sentence, as the script mteval-v13a of NIST tells them apart.

/// The tokens of a sentence: signs stand alone, but for a full stop or a comma between digits, a hyphen behind a letter, and an apostrophe.
pub(super) fn tokenize(sentence: &str) -> Vec<String> {
    let mut text = sentence.replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    if text.contains('&') {
        for (entity, sign) in [("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")] {
            text = text.replace(entity, sign);
        }
    }
    let signs: Vec<char> =
        format!(" {text} ").chars().flat_map(|c| if stands_alone(c) { vec![' ', c, ' '] } else { vec![c] }).collect();
    // A sign behind one that is no digit, then a sign before one that is none, then a hyphen behind a digit. Each pair is looked at
    // once, from left to right, so that of several signs in a row every second one goes with that before it.
    let is_stop = |c: char| c == '.' || c == ',';
    let signs = in_pairs(&signs, |a, b| !a.is_ascii_digit() && is_stop(b), |a, b| vec![a, ' ', b, ' ']);
    let signs = in_pairs(&signs, |a, b| is_stop(a) && !b.is_ascii_digit(), |a, b| vec![' ', a, ' ', b]);
    let signs = in_pairs(&signs, |a, b| a.is_ascii_digit() && b == '-', |a, b| vec![a, ' ', b, ' ']);
    signs
        .iter()
        .collect::<String>()
        .split(is_python_space)
        .filter(|token| !token.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Signs of ASCII that are always tokens of their own: all but the apostrophe, the comma, the hyphen and the full stop.
fn stands_alone(c: char) -> bool {
    c.is_ascii_punctuation() && !['\'', ',', '-', '.'].contains(&c)
}

/// The characters, with pairs that fit replaced; behind one that fitted the next pair begins.
fn in_pairs(signs: &[char], fits: impl Fn(char, char) -> bool, become_: impl Fn(char, char) -> Vec<char>) -> Vec<char> {
    let (mut out, mut place) = (Vec::with_capacity(signs.len()), 0);
    while place < signs.len() {
        match signs.get(place + 1) {
            Some(&next) if fits(signs[place], next) => {
                out.extend(become_(signs[place], next));
                place += 2;
            }
            _ => {
                out.push(signs[place]);
                place += 1;
            }
        }
    }
    out
}

/// White space as Python's `str.split` sees it: Unicode's, and four separators of ASCII.
pub(super) fn is_python_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}
