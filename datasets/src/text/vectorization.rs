//! Texts as the ids of their tokens, or as counts of them.

use std::collections::{HashMap, HashSet};

use gradus_tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::padding::{PadSequences, Side};
use super::standardize::{Split, Standardize, ngrams};
use super::vocabulary::{MASK, UNKNOWN, Vocabulary};
use crate::error::{DatasetError, Place, Result};
use crate::source::check_memory;

/// Texts as the ids of their words or characters, or as vectors that count them: Keras's `TextVectorization`.
///
/// Each text is standardised, split into tokens, and the tokens are looked up in a vocabulary, which
/// [`adapt`](TextVectorization::adapt) finds in texts or [`with_vocabulary`](TextVectorization::with_vocabulary) is given.
/// [`ids`](TextVectorization::ids) are whole numbers for an embedding: 0 is padding, 1 stands for all tokens that are not in the
/// vocabulary, `[UNK]`. In another [`OutputMode`], [`vectors`](TextVectorization::vectors) have a number for each token.
///
/// It is a value that serde writes and reads, with its vocabulary.
///
/// ```
/// use gradus_datasets::TextVectorization;
/// use gradus_tensor::Tensor;
/// let words = TextVectorization::new().max_tokens(1000).adapt(["The cat sat.", "The dog ran; the cat did not."])?;
/// assert_eq!(words.vocabulary()[..4], ["", "[UNK]", "the", "cat"]);
/// assert_eq!(words.ids(["The cat", "a cat that ran"])?, Tensor::from([[2_i64, 3, 0, 0], [1, 3, 1, 5]]));
/// let written = serde_json::to_string(&words).unwrap();
/// assert_eq!(serde_json::from_str::<TextVectorization>(&written).unwrap(), words);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// Characters, for a model that writes text letter by letter:
///
/// ```
/// use gradus_datasets::{Split, Standardize, TextVectorization};
/// let letters = TextVectorization::new().standardize(Standardize::None).split(Split::Character).adapt(["To be, or not"])?;
/// let ids = letters.ids_of("not to be")?;
/// assert_eq!(letters.decode(&ids)?, "not to be");
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TextVectorization {
    max_tokens: Option<usize>,
    standardize: Standardize,
    split: Split,
    /// The widths of n-grams; none for the tokens as they are.
    ngrams: Vec<usize>,
    output_mode: OutputMode,
    output_sequence_length: Option<usize>,
    pad_to_max_tokens: bool,
    /// Without the special tokens.
    vocabulary: Vocabulary,
    /// The inverse document frequency of each token of the vocabulary.
    idf_weights: Vec<f32>,
}

/// What a text becomes.
///
/// ```
/// use gradus_datasets::{OutputMode, TextVectorization};
/// use gradus_tensor::Tensor;
/// let counts = TextVectorization::new().output_mode(OutputMode::Count).with_vocabulary(["sun", "rain"])?;
/// // One number for `[UNK]`, then one for each word.
/// assert_eq!(counts.vectors(["Rain, rain, snow"])?, Tensor::new([[1.0, 0.0, 2.0]]));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputMode {
    /// The id of each token: [`TextVectorization::ids`].
    #[default]
    Int,
    /// 1 for each token that the text has, else 0: [`TextVectorization::vectors`].
    MultiHot,
    /// How often the text has each token.
    Count,
    /// The count of each token times its inverse document frequency, ln(1 + texts / (1 + texts with the token)). For `[UNK]`
    /// this is the mean of all, as in Keras.
    TfIdf,
}

impl TextVectorization {
    /// Words in lower case without punctuation, as ids, with no bound on the vocabulary.
    pub fn new() -> Self {
        TextVectorization::default()
    }

    /// The most tokens in the vocabulary, the special ones among them. [`adapt`](TextVectorization::adapt) keeps the most
    /// frequent ones.
    ///
    /// # Panics
    /// If there is no room for a token beside the special ones.
    #[track_caller]
    pub fn max_tokens(self, count: usize) -> Self {
        assert!(count > 2, "max_tokens: the special tokens \"\" and \"[UNK]\" and one more are needed, found {count}");
        TextVectorization { max_tokens: Some(count), ..self }
    }

    /// What is done to a text before it is split.
    pub fn standardize(self, standardize: Standardize) -> Self {
        TextVectorization { standardize, ..self }
    }

    /// How a text is split into tokens.
    pub fn split(self, split: Split) -> Self {
        TextVectorization { split, ..self }
    }

    /// Sequences of 1 to `n` tokens become the tokens, with spaces between their parts.
    pub fn ngrams(self, n: usize) -> Self {
        self.ngram_widths(1..=n)
    }

    /// Sequences of these numbers of tokens become the tokens; none leaves the tokens as they are.
    ///
    /// # Panics
    /// If one is 0.
    #[track_caller]
    pub fn ngram_widths(self, widths: impl IntoIterator<Item = usize>) -> Self {
        let ngrams: Vec<usize> = widths.into_iter().collect();
        assert!(!ngrams.contains(&0), "ngram_widths: an n-gram has at least one token");
        TextVectorization { ngrams, ..self }
    }

    /// What a text becomes. Set it before [`adapt`](TextVectorization::adapt), which counts texts for `TfIdf` alone.
    pub fn output_mode(self, mode: OutputMode) -> Self {
        TextVectorization { output_mode: mode, ..self }
    }

    /// The number of ids of each text: longer texts are cut off behind, shorter ones padded with 0. Without it texts are padded
    /// to the longest of those given together.
    pub fn output_sequence_length(self, length: usize) -> Self {
        TextVectorization { output_sequence_length: Some(length), ..self }
    }

    /// Whether vectors have `max_tokens` numbers also where the vocabulary has fewer tokens.
    pub fn pad_to_max_tokens(self, pad: bool) -> Self {
        TextVectorization { pad_to_max_tokens: pad, ..self }
    }

    /// The tokens of the vocabulary, from the first id on. The special tokens may stand before them.
    ///
    /// # Errors
    /// If a token comes twice, or there are none or more than `max_tokens`.
    pub fn with_vocabulary(self, tokens: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        let mut tokens: Vec<String> = tokens.into_iter().map(Into::into).collect();
        if tokens.first().is_some_and(|token| token == MASK) {
            tokens.remove(0);
        }
        if tokens.first().is_some_and(|token| token == UNKNOWN) {
            tokens.remove(0);
        }
        if let Some(most) = self.max_tokens.filter(|&most| tokens.len() + self.special().len() > most) {
            let found = format!("{} tokens and {} special ones", tokens.len(), self.special().len());
            return Err(DatasetError::new(found, format!("at most {most}, which is max_tokens"), "raise max_tokens"));
        }
        if tokens.is_empty() {
            return Err(no_token("a vocabulary without a token", "give the tokens, or call `adapt`"));
        }
        Ok(TextVectorization { vocabulary: Vocabulary::new(tokens)?, idf_weights: Vec::new(), ..self })
    }

    /// The inverse document frequency of each token of a vocabulary that was given, for [`OutputMode::TfIdf`].
    ///
    /// # Errors
    /// If there is not one for each token but the special ones.
    pub fn with_idf_weights(self, weights: impl Into<Vec<f32>>) -> Result<Self> {
        let (idf_weights, tokens) = (weights.into(), self.vocabulary.tokens().len());
        if idf_weights.len() != tokens {
            let found = format!("{} inverse document frequencies", idf_weights.len());
            let hint = "give one for each token but the special ones";
            return Err(DatasetError::new(found, format!("{tokens}, as many as tokens"), hint));
        }
        Ok(TextVectorization { idf_weights, ..self })
    }

    /// Takes the vocabulary from these texts: their tokens from the most frequent one on, those of the same frequency in reverse
    /// alphabetical order, as in Keras. Texts are read one by one.
    ///
    /// # Errors
    /// If there is no token, or a function is missing.
    pub fn adapt(self, texts: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self> {
        /// How often a token occurs, and in how many texts.
        #[derive(Default)]
        struct Occurrences {
            tokens: u64,
            texts: u64,
        }
        let mut counts: HashMap<String, Occurrences> = HashMap::new();
        let mut documents = 0_u64;
        for text in texts {
            documents += 1;
            let tokens = self.tokens(text.as_ref())?;
            let mut seen = HashSet::new();
            for token in &tokens {
                if token == MASK || token == UNKNOWN {
                    continue;
                }
                // A token is copied at its first occurrence only.
                if !counts.contains_key(token) {
                    counts.insert(token.clone(), Occurrences::default());
                }
                let count = counts.get_mut(token).expect("it was put there");
                count.tokens += 1;
                count.texts += u64::from(seen.insert(token));
            }
        }
        let mut counts: Vec<(String, Occurrences)> = counts.into_iter().collect();
        counts.sort_unstable_by(|(a, of_a), (b, of_b)| (of_b.tokens, b).cmp(&(of_a.tokens, a)));
        if let Some(most) = self.max_tokens {
            counts.truncate(most.saturating_sub(self.special().len()));
        }
        if counts.is_empty() {
            return Err(no_token("no token in the texts", "check the texts, and how they are standardised and split"));
        }
        let idf = |count: &Occurrences| (1.0 + documents as f64 / (1 + count.texts) as f64).ln() as f32;
        let idf_weights = match self.output_mode {
            OutputMode::TfIdf => counts.iter().map(|(_, count)| idf(count)).collect(),
            _ => Vec::new(),
        };
        let vocabulary = Vocabulary::new(counts.into_iter().map(|(token, _)| token).collect())?;
        Ok(TextVectorization { vocabulary, idf_weights, ..self })
    }

    /// As it is if it has a vocabulary, else with that of these texts.
    pub(crate) fn adapted_if_needed<'t>(&self, texts: impl Iterator<Item = &'t str>) -> Result<Self> {
        if self.vocabulary.tokens().is_empty() { self.clone().adapt(texts) } else { Ok(self.clone()) }
    }

    /// What a text becomes.
    pub(crate) fn mode(&self) -> OutputMode {
        self.output_mode
    }

    /// The special tokens, which come first: padding has an id, and no place in vectors.
    fn special(&self) -> &'static [&'static str] {
        if self.output_mode == OutputMode::Int { &[MASK, UNKNOWN] } else { &[UNKNOWN] }
    }

    /// All tokens: the one at place i has the id i. The first are the special ones, `""` for padding where the output is ids,
    /// and `"[UNK]"`.
    pub fn vocabulary(&self) -> Vec<&str> {
        self.special().iter().copied().chain(self.vocabulary.tokens().iter().map(String::as_str)).collect()
    }

    /// The number of tokens, the special ones among them: that of an embedding's rows.
    pub fn vocabulary_size(&self) -> usize {
        self.special().len() + self.vocabulary.tokens().len()
    }

    /// The tokens of a text, in or out of the vocabulary.
    ///
    /// # Errors
    /// If a function to standardise or to split is missing.
    pub fn tokens(&self, text: &str) -> Result<Vec<String>> {
        let tokens = self.split.apply(&self.standardize.apply(text)?)?;
        Ok(if self.ngrams.is_empty() { tokens } else { ngrams(&tokens, &self.ngrams) })
    }

    /// The ids of one text, neither padded nor cut off.
    ///
    /// # Errors
    /// If there is no vocabulary, a function is missing, or the output mode is another one.
    pub fn ids_of(&self, text: &str) -> Result<Vec<i64>> {
        self.check(self.output_mode == OutputMode::Int, "ids", "vectors")?;
        let id = |token: &String| match self.vocabulary.place(token) {
            Some(place) => (self.special().len() + place) as i64,
            None => i64::from(token != MASK),
        };
        Ok(self.tokens(text)?.iter().map(id).collect())
    }

    /// The ids of several texts, `[texts, length]`, padded with 0.
    ///
    /// # Errors
    /// As of [`ids_of`](TextVectorization::ids_of).
    pub fn ids(&self, texts: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Tensor<i64>> {
        let texts = texts.into_iter().map(|text| self.ids_of(text.as_ref()));
        let padding = PadSequences::post().truncating(Side::Post);
        let padding = match self.output_sequence_length {
            Some(length) => padding.maxlen(length),
            None => padding,
        };
        padding.pad(&texts.collect::<Result<Vec<_>>>()?)
    }

    /// A vector for each text, `[texts, tokens]`, in the order of the vocabulary: the output modes but `Int`.
    ///
    /// # Errors
    /// If there is no vocabulary, a function is missing, the output mode is `Int`, `TfIdf` has no weights, or
    /// `pad_to_max_tokens` no `max_tokens`.
    pub fn vectors(&self, texts: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Tensor<f32>> {
        self.check(self.output_mode != OutputMode::Int, "vectors", "ids")?;
        let width = self.width()?;
        let weights = self.column_weights()?;
        let (mut numbers, mut rows): (Vec<f32>, usize) = (Vec::new(), 0);
        for text in texts {
            let tokens = self.tokens(text.as_ref())?;
            rows += 1;
            // A file may ask for any width.
            if numbers.try_reserve(width).is_err() {
                check_memory(None)?;
            }
            numbers.resize(rows * width, 0.0);
            let row = &mut numbers[(rows - 1) * width..];
            for token in tokens.iter().filter(|token| *token != MASK) {
                let column = self.vocabulary.place(token).map_or(0, |place| place + self.special().len());
                match self.output_mode {
                    OutputMode::MultiHot => row[column] = 1.0,
                    _ => row[column] += 1.0,
                }
            }
            row.iter_mut().zip(&weights).for_each(|(number, weight)| *number *= weight);
        }
        Ok(Tensor::from(numbers).reshape([rows, width]))
    }

    /// The number of columns of vectors.
    pub(crate) fn width(&self) -> Result<usize> {
        match (self.pad_to_max_tokens, self.max_tokens) {
            (false, _) => Ok(self.vocabulary_size()),
            (true, Some(most)) => Ok(most.max(self.vocabulary_size())),
            (true, None) => {
                let hint = "set `max_tokens`, the length of the vectors";
                Err(DatasetError::new("pad_to_max_tokens without max_tokens", "the number of tokens to pad to", hint))
            }
        }
    }

    /// What the columns of vectors are multiplied by; none where by nothing.
    fn column_weights(&self) -> Result<Vec<f32>> {
        if self.output_mode != OutputMode::TfIdf {
            return Ok(Vec::new());
        }
        if self.idf_weights.len() != self.vocabulary.tokens().len() {
            let hint = "call `adapt` behind `output_mode`, or `with_idf_weights`";
            return Err(DatasetError::new("no inverse document frequencies", "one for each token", hint));
        }
        let sum: f64 = self.idf_weights.iter().copied().map(f64::from).sum();
        let mean = (sum / self.idf_weights.len() as f64) as f32;
        Ok([mean].into_iter().chain(self.idf_weights.iter().copied()).collect())
    }

    /// The text of these ids: tokens with spaces between them, or without where the text was split into characters. PadSequences is
    /// left out, and an unknown token is `[UNK]`. Punctuation and capitals that were taken away do not come back.
    ///
    /// # Errors
    /// If an id is not one of the vocabulary, or the output mode is not `Int`.
    pub fn decode(&self, ids: &[i64]) -> Result<String> {
        self.check(self.output_mode == OutputMode::Int, "decode", "vectors")?;
        let vocabulary = self.vocabulary.tokens();
        let mut tokens = Vec::new();
        for (place, &id) in ids.iter().enumerate() {
            tokens.push(match usize::try_from(id) {
                Ok(0) => continue,
                Ok(1) => UNKNOWN,
                Ok(id) if id - 2 < vocabulary.len() => &vocabulary[id - 2],
                _ => {
                    let expected = format!("an id from 0 to {}", self.vocabulary_size() - 1);
                    let hint = "decode by the vocabulary that the ids were made by";
                    return Err(DatasetError::new(format!("the id {id}"), expected, hint).at(Place::Sample(place)));
                }
            });
        }
        Ok(tokens.join(self.split.joint()))
    }

    /// Checks that there is a vocabulary, and that the output mode is the method's.
    fn check(&self, suits: bool, method: &str, other: &str) -> Result<()> {
        if self.vocabulary.tokens().is_empty() {
            return Err(no_token("no vocabulary", "call `adapt` with texts, or `with_vocabulary`"));
        }
        if !suits {
            let found = format!("the output mode {:?}, and a call of `{method}`", self.output_mode);
            return Err(DatasetError::new(found, "a method of the output mode", format!("call `{other}`")));
        }
        Ok(())
    }
}

fn no_token(found: &str, hint: &str) -> DatasetError {
    DatasetError::new(found, "at least one token", hint)
}
