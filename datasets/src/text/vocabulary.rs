//! A list of tokens, and the place of each in it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::error::{DatasetError, Result};

/// The token of what is not there: padding.
pub(super) const MASK: &str = "";
/// The token of all that are not in the vocabulary.
pub(super) const UNKNOWN: &str = "[UNK]";

/// Different tokens, without the special ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub(super) struct Vocabulary {
    tokens: Vec<String>,
    places: HashMap<String, usize>,
}

impl Vocabulary {
    pub fn new(tokens: Vec<String>) -> Result<Self> {
        let refuse = |place: usize, found: String, hint: &str| {
            Err(DatasetError::new(found, "a vocabulary of different tokens", hint)
                .at(crate::error::Place::Sample(place)))
        };
        let mut places = HashMap::with_capacity(tokens.len());
        for (place, token) in tokens.iter().enumerate() {
            if token == MASK || token == UNKNOWN {
                let hint = "leave the special tokens \"\" and \"[UNK]\" out, or put them first";
                return refuse(place, format!("the special token {token:?} in the midst of the vocabulary"), hint);
            }
            if let Some(before) = places.insert(token.clone(), place) {
                return refuse(place, format!("the token {token:?} of place {before} again"), "give each token once");
            }
        }
        Ok(Vocabulary { tokens, places })
    }

    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    pub fn place(&self, token: &str) -> Option<usize> {
        self.places.get(token).copied()
    }
}

impl TryFrom<Vec<String>> for Vocabulary {
    type Error = DatasetError;

    fn try_from(tokens: Vec<String>) -> Result<Self> {
        Vocabulary::new(tokens)
    }
}

impl From<Vocabulary> for Vec<String> {
    fn from(vocabulary: Vocabulary) -> Self {
        vocabulary.tokens
    }
}
