//! Augmentation: pictures changed a little, at random and anew in every epoch, so that a network sees more than there are.

mod batch;
mod masks;
mod mix_up;
mod pictures;
mod strands;
mod values;
mod warp;

pub(crate) use batch::{Augmentation, Part};
pub use pictures::Augment;
pub use warp::{Fill, Warp};
