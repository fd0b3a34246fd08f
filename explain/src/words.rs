//! Attributions of the words of a text.

use std::fmt;

use gradus_tensor::{Float, Tensor};

use crate::colors;
use crate::svg::escaped;

/// The words of a text, each with its attribution: red raises the number that is explained, blue lowers it.
///
/// Printed, it lists the words that matter most. [`to_ansi`](Words::to_ansi) is the text in the colours of a terminal,
/// [`to_html`](Words::to_html) that of a page.
///
/// ```
/// use gradus_explain::Words;
/// use gradus_tensor::Tensor;
/// let words = Words::new(["warm", "and", "funny", "but", "long"], &Tensor::new([0.25, 0.0, 0.5, 0.0, -0.75]));
/// assert_eq!(words.to_string(), "for      funny +0.50, warm +0.25\nagainst  long -0.75");
/// println!("{}", words.to_ansi());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Words {
    title: String,
    words: Vec<(String, f64)>,
    most: usize,
}

impl Words {
    /// Of these words, with an attribution each: those of [`Attributions::per_position`](crate::Attributions::per_position) of one
    /// sample.
    ///
    /// # Panics
    /// If there is not one for each word.
    #[track_caller]
    pub fn new<T: Float>(words: impl IntoIterator<Item = impl Into<String>>, attributions: &Tensor<T>) -> Self {
        let words: Vec<String> = words.into_iter().map(Into::into).collect();
        if *attributions.shape() != [words.len()] {
            panic!(
                "Words: attributions [{}] are needed, one for each word, found {}",
                words.len(),
                attributions.shape()
            );
        }
        let words = words.into_iter().zip(attributions.iter().map(T::as_f64)).collect();
        Words { title: String::new(), words, most: 5 }
    }

    /// What is explained; `Attributions::explained` says it.
    pub fn title(self, title: &str) -> Self {
        Words { title: title.to_owned(), ..self }
    }

    /// How many words are listed for and against at most, when it is printed; 5 by default.
    pub fn most(self, most: usize) -> Self {
        Words { most, ..self }
    }

    /// The words in their order, each with its attribution.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, f64)> {
        self.words.iter().map(|(word, attribution)| (&**word, *attribution))
    }

    /// The text in the colours of a terminal.
    pub fn to_ansi(&self) -> String {
        let colored = |(word, [red, green, blue]): (&str, [u8; 3])| {
            // Characters that steer a terminal are no words.
            let word: String = word.chars().filter(|character| !character.is_control()).collect();
            format!("\x1b[38;2;20;20;20;48;2;{red};{green};{blue}m {word} \x1b[0m")
        };
        self.colors().map(colored).collect()
    }

    /// The text as a piece of a page, with the title before it and what the colours say behind it. Under the mouse, a word shows its
    /// number.
    pub fn to_html(&self) -> String {
        let colored = |((word, color), (_, number)): ((&str, [u8; 3]), (&str, f64))| {
            let (color, word) = (colors::hex(color), escaped(word));
            format!(
                "<span style=\"background:{color};color:#141414;padding:1px 4px;border-radius:3px\" \
                 title=\"{number:+.4}\">{word}</span>"
            )
        };
        let words: Vec<String> = self.colors().zip(self.iter()).map(colored).collect();
        let key = |color: [u8; 3], word: &str| {
            let color = colors::hex(color);
            format!("<span style=\"background:{color};color:#141414;padding:1px 4px;border-radius:3px\">{word}</span>")
        };
        let what = if self.title.is_empty() { "it".to_owned() } else { escaped(&self.title) };
        let title = if self.title.is_empty() { String::new() } else { format!("<strong>{what}</strong><br>\n") };
        let (raises, lowers) = (key(colors::signed(0.7, WHITE), "raises"), key(colors::signed(-0.7, WHITE), "lowers"));
        format!(
            "<p style=\"font-family:sans-serif;line-height:1.9\">{title}{}<br>\n<small>{raises} {lowers} {what}</small></p>\n",
            words.join(" ")
        )
    }

    /// The words in their order, each with its colour.
    fn colors(&self) -> impl Iterator<Item = (&str, [u8; 3])> {
        let largest = colors::largest(self.iter().map(|(_, attribution)| attribution));
        self.iter().map(move |(word, attribution)| {
            // Black letters must be read on it.
            (word, colors::signed(0.7 * colors::share(colors::part(attribution, largest)), WHITE))
        })
    }
}

const WHITE: [f64; 3] = [255.0; 3];

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<(&str, f64)> = self.iter().collect();
        words.sort_by(|(_, a), (_, b)| b.abs().total_cmp(&a.abs()));
        let mut lines = Vec::new();
        if !self.title.is_empty() {
            lines.push(self.title.clone());
        }
        for (title, sign) in [("for", 1.0), ("against", -1.0)] {
            // What would be printed as 0 says nothing.
            let chosen = words.iter().filter(|(_, attribution)| attribution * sign >= 0.005).take(self.most);
            let chosen: Vec<String> = chosen.map(|(word, attribution)| format!("{word} {attribution:+.2}")).collect();
            if !chosen.is_empty() {
                lines.push(format!("{title:8} {}", chosen.join(", ")));
            }
        }
        f.write_str(&lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_texts() {
        let words = Words::new(["<good>", "bad\x1b[2J", "so"], &Tensor::new([2.0, -2.0, 0.0])).title("the rating");
        let html = words.to_html();
        assert!(html.contains("title=\"+2.0000\">&lt;good&gt;</span>") && html.contains("<strong>the rating</strong>"));
        let [good, bad, so] = words.colors().map(|(_, color)| color).collect::<Vec<_>>()[..] else { panic!("three") };
        assert!(good[0] > good[2] && bad[2] > bad[0] && so == [255; 3]);
        let text = words.to_ansi();
        assert!(text.contains(" so \x1b[0m") && text.contains(" bad[2J \x1b[0m"));
        assert_eq!(words.to_string(), "the rating\nfor      <good> +2.00\nagainst  bad\x1b[2J -2.00");
    }

    #[test]
    fn no_words_are_no_text() {
        let words = Words::new(Vec::<String>::new(), &Tensor::<f32>::zeros([0]));
        assert_eq!((words.to_string(), words.to_ansi()), (String::new(), String::new()));
    }

    #[test]
    #[should_panic(expected = "Words: attributions [2] are needed, one for each word, found [3]")]
    fn a_number_for_each_word() {
        _ = Words::new(["a", "b"], &Tensor::new([1.0, 2.0, 3.0]));
    }
}
