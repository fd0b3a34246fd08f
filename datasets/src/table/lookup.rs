//! Texts and whole numbers as ids by a vocabulary.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;

use gradus_tensor::Tensor;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::hashing::Hashing;
use crate::error::{DatasetError, Place, Result};

/// Texts as ids by a vocabulary: Keras's `StringLookup`.
///
/// ```
/// use gradus_datasets::StringLookup;
/// let cities = StringLookup::new().adapt(["Rome", "Paris", "Rome"])?;
/// // 0 stands for all that are not in the vocabulary, whose most frequent text comes first.
/// assert_eq!(cities.ids(["Paris", "Rome", "Oslo"])?.to_vec(), [2, 1, 0]);
/// assert_eq!(cities.token(2), Some(&"Paris".to_owned()));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
pub type StringLookup = Lookup<String>;

/// Whole numbers as ids by a vocabulary, such as codes: Keras's `IntegerLookup`.
///
/// ```
/// use gradus_datasets::IntegerLookup;
/// let codes = IntegerLookup::new().adapt([404, 200, 200])?;
/// assert_eq!(codes.ids([200, 404, 500])?.to_vec(), [1, 2, 0]);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
pub type IntegerLookup = Lookup<i64>;

/// Tokens as ids by a vocabulary: [`StringLookup`] or [`IntegerLookup`].
///
/// The ids are those of Keras: first that of the mask token, if there is one, then those that stand for tokens which are not in
/// the vocabulary ([`num_oov_indices`](Lookup::num_oov_indices), "out of vocabulary"), then the vocabulary.
///
/// ```
/// use gradus_datasets::StringLookup;
/// let answers = StringLookup::new().mask_token("").num_oov_indices(0).with_vocabulary(["no", "yes"])?;
/// assert_eq!(answers.ids(["yes", "", "no"])?.to_vec(), [2, 0, 1]);
/// assert!(answers.ids(["perhaps"]).is_err());
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "T: LookupToken")]
pub struct Lookup<T: LookupToken> {
    max_tokens: Option<usize>,
    num_oov_indices: usize,
    mask_token: Option<T>,
    vocabulary: Vocabulary<T>,
}

/// The type of what a [`Lookup`] looks up: `String` or `i64`.
///
/// ```
/// use gradus_datasets::{Lookup, LookupToken, Result};
/// fn most_frequent<T: LookupToken>(tokens: &[T]) -> Result<T> {
///     Ok(Lookup::<T>::new().adapt(tokens.iter().cloned())?.vocabulary()[0].clone())
/// }
/// assert_eq!(most_frequent(&[404, 200, 200])?, 200);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
pub trait LookupToken: Clone + Debug + Eq + Hash + Ord + Serialize + DeserializeOwned + sealed::Sealed {}

impl LookupToken for String {}
impl LookupToken for i64 {}

mod sealed {
    pub trait Sealed {
        /// The token as a hash sees it.
        fn text(&self) -> String;
    }
    impl Sealed for String {
        fn text(&self) -> String {
            self.clone()
        }
    }
    impl Sealed for i64 {
        fn text(&self) -> String {
            self.to_string()
        }
    }
}

/// Different tokens, and the place of each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<T>", into = "Vec<T>", bound = "T: LookupToken")]
struct Vocabulary<T: LookupToken> {
    tokens: Vec<T>,
    places: HashMap<T, usize>,
}

impl<T: LookupToken> TryFrom<Vec<T>> for Vocabulary<T> {
    type Error = DatasetError;

    fn try_from(tokens: Vec<T>) -> Result<Self> {
        let mut places = HashMap::with_capacity(tokens.len());
        for (place, token) in tokens.iter().enumerate() {
            if let Some(before) = places.insert(token.clone(), place) {
                let found = format!("the token {token:?} of place {before} again");
                let error = DatasetError::new(found, "a vocabulary of different tokens", "give each token once");
                return Err(error.at(Place::Sample(place)));
            }
        }
        Ok(Vocabulary { tokens, places })
    }
}

impl<T: LookupToken> From<Vocabulary<T>> for Vec<T> {
    fn from(vocabulary: Vocabulary<T>) -> Self {
        vocabulary.tokens
    }
}

impl<T: LookupToken> Default for Lookup<T> {
    fn default() -> Self {
        let vocabulary = Vocabulary { tokens: Vec::new(), places: HashMap::new() };
        Lookup { max_tokens: None, num_oov_indices: 1, mask_token: None, vocabulary }
    }
}

impl<T: LookupToken> Lookup<T> {
    /// A lookup without a vocabulary as yet, with one id for all tokens that are not in it.
    pub fn new() -> Self {
        Lookup::default()
    }

    /// The most ids. [`adapt`](Lookup::adapt) keeps the most frequent tokens.
    ///
    /// # Panics
    /// If there is no room for a token.
    #[track_caller]
    pub fn max_tokens(self, count: usize) -> Self {
        let special = self.special();
        assert!(count > special, "max_tokens: there are {special} special ids, and one more is needed, found {count}");
        Lookup { max_tokens: Some(count), ..self }
    }

    /// The number of ids for tokens that are not in the vocabulary, by default 1. Of several, a hash of the token chooses one.
    /// With 0 such a token is an error.
    pub fn num_oov_indices(self, count: usize) -> Self {
        Lookup { num_oov_indices: count, ..self }
    }

    /// The token that means that there is none: its id is 0.
    pub fn mask_token(self, token: impl Into<T>) -> Self {
        Lookup { mask_token: Some(token.into()), ..self }
    }

    /// The vocabulary, from the first token on.
    ///
    /// # Errors
    /// If there is none, a token comes twice or is the mask token, or there are more than `max_tokens`.
    pub fn with_vocabulary(self, tokens: impl IntoIterator<Item = impl Into<T>>) -> Result<Self> {
        let tokens: Vec<T> = tokens.into_iter().map(Into::into).collect();
        if tokens.is_empty() {
            return Err(no_token());
        }
        if self.mask_token.as_ref().is_some_and(|mask| tokens.contains(mask)) {
            let found = "the mask token in the vocabulary";
            return Err(DatasetError::new(found, "the other tokens", "leave it out: its id is 0"));
        }
        let size = tokens.len() + self.special();
        if let Some(most) = self.max_tokens.filter(|&most| size > most) {
            let found = format!("{size} tokens, the special ones among them");
            return Err(DatasetError::new(found, format!("at most {most}, which is max_tokens"), "raise max_tokens"));
        }
        Ok(Lookup { vocabulary: tokens.try_into()?, ..self })
    }

    /// Takes the vocabulary from these tokens: from the most frequent one on, those of one frequency from the last to the first
    /// in their order, as in Keras.
    ///
    /// # Errors
    /// If there is no token.
    pub fn adapt(self, tokens: impl IntoIterator<Item = impl Into<T>>) -> Result<Self> {
        let mut counts: HashMap<T, u64> = HashMap::new();
        tokens.into_iter().for_each(|token| *counts.entry(token.into()).or_default() += 1);
        self.adapt_to_counts(counts)
    }

    pub(super) fn adapt_to_counts(self, counts: impl IntoIterator<Item = (T, u64)>) -> Result<Self> {
        let is_token = |(token, _): &(T, u64)| self.mask_token.as_ref() != Some(token);
        let mut counts: Vec<(T, u64)> = counts.into_iter().filter(is_token).collect();
        counts.sort_unstable_by(|(a, of_a), (b, of_b)| (of_b, b).cmp(&(of_a, a)));
        if let Some(most) = self.max_tokens {
            counts.truncate(most.saturating_sub(self.special()));
        }
        self.with_vocabulary(counts.into_iter().map(|(token, _)| token))
    }

    /// The number of ids before those of the vocabulary.
    fn special(&self) -> usize {
        // A file may claim any number.
        self.num_oov_indices.saturating_add(usize::from(self.mask_token.is_some()))
    }

    /// The number of ids, the special ones among them: that of an embedding's rows.
    pub fn vocabulary_size(&self) -> usize {
        self.special().saturating_add(self.vocabulary.tokens.len())
    }

    /// The tokens of the vocabulary, without the special ones.
    pub fn vocabulary(&self) -> &[T] {
        &self.vocabulary.tokens
    }

    /// The token of an id; `None` for the special ones and for ids that there are not.
    pub fn token(&self, id: i64) -> Option<&T> {
        self.vocabulary.tokens.get(usize::try_from(id).ok()?.checked_sub(self.special())?)
    }

    /// The id of a token; `None` if it is not in the vocabulary, and no id stands for such tokens.
    pub fn id<Q>(&self, token: &Q) -> Option<i64>
    where
        Q: ?Sized + Hash + Eq + ToOwned<Owned = T>,
        T: std::borrow::Borrow<Q>,
    {
        if let Some(&place) = self.vocabulary.places.get(token) {
            return Some(self.special().saturating_add(place) as i64);
        }
        let mask = self.mask_token.as_ref();
        match self.num_oov_indices {
            _ if mask.is_some_and(|mask| mask.borrow() == token) => Some(0),
            0 => None,
            1 => Some(i64::from(mask.is_some())),
            count => Some(i64::from(mask.is_some()) + Hashing::new(count).id(&sealed::Sealed::text(&token.to_owned()))),
        }
    }

    /// The ids of tokens, `[tokens]`.
    ///
    /// # Errors
    /// If there is no vocabulary, or a token is not in it and no id stands for such tokens.
    pub fn ids(&self, tokens: impl IntoIterator<Item = impl Into<T>>) -> Result<Tensor<i64>> {
        if self.vocabulary.tokens.is_empty() {
            return Err(DatasetError::new("no vocabulary", "one", "call `adapt`, or `with_vocabulary`"));
        }
        let id = |(place, token): (usize, T)| {
            self.id(&token).ok_or_else(|| {
                let hint = "correct it, or let an id stand for such tokens by `num_oov_indices`";
                DatasetError::new(format!("{token:?}"), "a token of the vocabulary", hint).at(Place::Sample(place))
            })
        };
        tokens.into_iter().map(Into::into).enumerate().map(id).collect::<Result<Vec<i64>>>().map(Into::into)
    }
}

fn no_token() -> DatasetError {
    DatasetError::new("no token", "at least one", "check the data, or give the vocabulary by `with_vocabulary`")
}
