//! Ids as vectors of zeros and ones, or of counts.

use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};

use super::support::prelude::*;

/// What becomes of the ids of a sample.
///
/// ```
/// use gradus_nn::{CategoryEncoding, CategoryMode, Model, Sequential};
/// use gradus_tensor::Tensor;
/// let encoded = |mode: CategoryMode| {
///     let model = Model::build(Sequential::new().add(CategoryEncoding::new(3).output_mode(mode)), [2], 42)?;
///     model.predict(Tensor::from([[2_i64, 2]]))
/// };
/// assert_eq!(encoded(CategoryMode::MultiHot)?, Tensor::new([[0.0, 0.0, 1.0]]));
/// assert_eq!(encoded(CategoryMode::Count)?, Tensor::new([[0.0, 0.0, 2.0]]));
/// assert_eq!(encoded(CategoryMode::OneHot)?, Tensor::new([[[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]]));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CategoryMode {
    /// A vector for all ids of a sample, with 1 for each id that it has: `[n, length]` to `[n, num_tokens]`.
    #[default]
    MultiHot,
    /// A vector for each id, with 1 in its place: `[n, ..]` to `[n, .., num_tokens]`. A last axis of length 1 becomes the vector.
    OneHot,
    /// A vector for all ids of a sample, with the number of times that it has each id: `[n, length]` to `[n, num_tokens]`.
    Count,
}

options! {
    /// Ids as vectors of zeros and ones, or of counts, as a [`CategoryMode`] says.
    ///
    /// Ids are whole numbers from 0 to `num_tokens` - 1. The [`Model`](crate::Model) checks them where data enter. The layer has no
    /// weights; an [`Embedding`](crate::Embedding) has a learned vector for each id.
    ///
    /// ```
    /// use gradus_nn::{CategoryEncoding, CategoryMode, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// let counts = CategoryEncoding::new(4).output_mode(CategoryMode::Count);
    /// let model = Model::build(Sequential::new().add(counts), [3], 42)?;
    /// let ids = Tensor::from([[0_i64, 2, 2]]);
    /// assert_eq!(model.predict(ids)?, Tensor::new([[1.0, 0.0, 2.0, 0.0]]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct CategoryEncoding {
        /// A layer for ids below `num_tokens`.
        pub fn new(num_tokens: usize);
        /// What becomes of the ids of a sample; by default [`CategoryMode::MultiHot`].
        output_mode: CategoryMode = CategoryMode::MultiHot,
    }
}

impl Layer for CategoryEncoding {
    const KIND: &'static str = "CategoryEncoding";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let (tokens, mode) = (self.num_tokens, self.output_mode);
        let ids = build.ids(tokens)?;
        if mode == CategoryMode::OneHot {
            let is_squeezed = ids.last() == Some(&1);
            let kept = if is_squeezed { Shape::from(&ids[..ids.len() - 1]) } else { ids.clone() };
            return Ok(Built::of_ids(kept.join(&[tokens]), move |_, ids| {
                let ids = if is_squeezed { ids.squeeze(-1) } else { ids.clone() };
                ids.one_hot::<T>(tokens).into()
            }));
        }
        if ids.len() > 1 {
            let problem = format!("takes an id or a list of ids for each sample, found samples of shape {ids}");
            return Err(build.error(problem, "choose CategoryMode::OneHot, or reshape the ids"));
        }
        Ok(Built::of_ids([tokens], move |_, ids| {
            let rows = ids.one_hot::<T>(tokens);
            let rows = match (ids.shape().len(), mode) {
                (1, _) => rows,
                (_, CategoryMode::Count) => rows.sum(1),
                _ => rows.max(1),
            };
            rows.into()
        }))
    }

    fn output_activations(&self, _inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        vec![Some(Activation::Linear)]
    }
}
