//! What is done to a text before its tokens are looked up: standardising, splitting, n-grams.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{DatasetError, Result};

/// What is done to a text before it is split.
///
/// As in Keras, the letters that are lower-cased and the punctuation that is stripped are those of ASCII: `"É"` and `"“"` stay.
/// For other languages give a function:
///
/// ```
/// use gradus_datasets::{Standardize, TextVectorization};
/// let lower = Standardize::function("unicode_lower", |text| text.to_lowercase());
/// let words = TextVectorization::new().standardize(lower).adapt(["Él crió", "él"])?;
/// assert_eq!(words.vocabulary(), ["", "[UNK]", "él", "crió"]);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standardize {
    /// Lower-cases, then strips punctuation.
    #[default]
    LowerAndStripPunctuation,
    /// Lower-cases.
    Lower,
    /// Strips punctuation: ``!"#$%&()*+,-./:;<=>?@[\]^_`{|}~'``.
    StripPunctuation,
    /// Leaves the text as it is.
    None,
    /// What a function returns.
    Function(NamedFunction<String>),
}

/// How a text is split into tokens.
///
/// ```
/// use gradus_datasets::{Split, TextVectorization};
/// let at_hyphens = Split::function("hyphens", |text| text.split('-').map(str::to_owned).collect());
/// let parts = TextVectorization::new().standardize(gradus_datasets::Standardize::None).split(at_hyphens);
/// assert_eq!(parts.adapt(["co-co-nut"])?.vocabulary(), ["", "[UNK]", "co", "nut"]);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// At white space of ASCII, as TensorFlow splits: a space of no width or of fixed width is a letter.
    #[default]
    Whitespace,
    /// Into characters, which are Unicode's code points.
    Character,
    /// Not at all: the text is one token.
    None,
    /// Into the tokens that a function returns.
    Function(NamedFunction<Vec<String>>),
}

/// A function of a text with a name. Files hold the name alone: a preparation that was read from a file takes the function
/// again, by the same setter as before, and gives an error until it has it.
///
/// ```
/// use gradus_datasets::{Standardize, TextVectorization};
/// let shout = || Standardize::function("shout", |text| text.to_uppercase());
/// let words = TextVectorization::new().standardize(shout()).adapt(["a a b"])?;
/// let written = serde_json::to_string(&words).unwrap();
/// // The text holds the name alone.
/// let words: TextVectorization = serde_json::from_str(&written).unwrap();
/// assert!(words.ids_of("a").is_err());
/// assert_eq!(words.standardize(shout()).ids_of("a c")?, [2, 1]);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Serialize, Deserialize)]
#[serde(from = "String", into = "String", bound = "")]
pub struct NamedFunction<R> {
    name: String,
    function: Option<Arc<TextFunction<R>>>,
}

type TextFunction<R> = dyn Fn(&str) -> R + Send + Sync;

impl Standardize {
    /// By a function of this name.
    pub fn function(name: &str, function: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Standardize::Function(NamedFunction { name: name.to_owned(), function: Some(Arc::new(function)) })
    }

    /// The text, standardised.
    pub(super) fn apply(&self, text: &str) -> Result<String> {
        Ok(match self {
            Standardize::LowerAndStripPunctuation => without_punctuation(text).to_ascii_lowercase(),
            Standardize::Lower => text.to_ascii_lowercase(),
            Standardize::StripPunctuation => without_punctuation(text),
            Standardize::None => text.to_owned(),
            Standardize::Function(function) => function.call("standardize", text)?,
        })
    }
}

impl Split {
    /// By a function of this name.
    pub fn function(name: &str, function: impl Fn(&str) -> Vec<String> + Send + Sync + 'static) -> Self {
        Split::Function(NamedFunction { name: name.to_owned(), function: Some(Arc::new(function)) })
    }

    /// The tokens of a text.
    pub(super) fn apply(&self, text: &str) -> Result<Vec<String>> {
        // The vertical tab is white space to C, and not to `char::is_ascii_whitespace`.
        let is_space = |c: char| c.is_ascii_whitespace() || c == '\x0b';
        Ok(match self {
            Split::Whitespace => text.split(is_space).filter(|word| !word.is_empty()).map(str::to_owned).collect(),
            Split::Character => text.chars().map(String::from).collect(),
            Split::None => vec![text.to_owned()],
            Split::Function(function) => function.call("split", text)?,
        })
    }

    /// What stands between two tokens of a text that is put together again.
    pub(super) fn joint(&self) -> &'static str {
        if matches!(self, Split::Character) { "" } else { " " }
    }
}

fn without_punctuation(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_punctuation()).collect()
}

/// The n-grams of all these widths, one width after the other, with a space between their tokens.
pub(super) fn ngrams(tokens: &[String], widths: &[usize]) -> Vec<String> {
    // A width of 0 is refused by the setter, and may still stand in a file.
    widths
        .iter()
        .filter(|&&width| width > 0)
        .flat_map(|&width| tokens.windows(width).map(|window| window.join(" ")))
        .collect()
}

impl<R> NamedFunction<R> {
    fn call(&self, option: &str, text: &str) -> Result<R> {
        let function = self.function.as_ref().ok_or_else(|| {
            let found = format!("the name {:?} of a function, read from a file", self.name);
            let hint = format!("give the function again, by `{option}`");
            DatasetError::new(found, format!("a function to {option} the text"), hint)
        })?;
        Ok(function(text))
    }
}

impl<R> From<String> for NamedFunction<R> {
    fn from(name: String) -> Self {
        NamedFunction { name, function: None }
    }
}

impl<R> From<NamedFunction<R>> for String {
    fn from(function: NamedFunction<R>) -> String {
        function.name
    }
}

impl<R> Clone for NamedFunction<R> {
    fn clone(&self) -> Self {
        NamedFunction { name: self.name.clone(), function: self.function.clone() }
    }
}

impl<R> PartialEq for NamedFunction<R> {
    /// The name says which function it is.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl<R> fmt::Debug for NamedFunction<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NamedFunction").field(&self.name).finish()
    }
}
