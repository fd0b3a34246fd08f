//! Text as numbers: words or characters by a vocabulary, bytes and pairs of them, sequences of one length.

mod alphabet;
mod byte_pair;
mod byte_pair_file;
mod byte_pair_training;
mod padding;
mod standardize;
mod vectorization;
mod vocabulary;

pub use byte_pair::BytePair;
pub use padding::{PadSequences, Side, pad_sequences};
pub use standardize::{NamedFunction, Split, Standardize};
pub use vectorization::{OutputMode, TextVectorization};
