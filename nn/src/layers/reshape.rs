//! Samples under another shape.

use gradus_tensor::Shape;

use super::support::prelude::*;

options! {
    /// The elements of each sample under another shape: `[n, ..]` to `[n, target shape ..]`.
    ///
    /// ```
    /// use gradus_nn::Reshape;
    /// let images = Reshape::new([28, -1, 1]); // of samples of 784 numbers: [28, 28, 1]
    /// ```
    pub struct Reshape {
        /// A layer with outputs of this shape, without the batch axis. One length may be -1: the number that the other
        /// lengths leave for it.
        pub fn new(target_shape: Vec<isize>);
    }
}

impl Reshape {
    /// The target shape with -1 replaced, if samples of `size` elements fill it.
    fn resolve(&self, size: usize) -> Option<Shape> {
        let known = self.target_shape.iter().filter(|&&length| length != -1);
        let known = known.map(|&length| usize::try_from(length).ok());
        let product = known.clone().try_fold(1_usize, |product, length| product.checked_mul(length?))?;
        let inferred = match self.target_shape.len() - known.count() {
            0 if product == size => 0,
            1 if product > 0 && size.is_multiple_of(product) => size / product,
            _ => return None,
        };
        Some(self.target_shape.iter().map(|&length| if length == -1 { inferred } else { length as usize }).collect())
    }
}

impl Layer for Reshape {
    const KIND: &'static str = "Reshape";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let input = build.input()?;
        let Some(output) = self.resolve(input.size()) else {
            let target = &self.target_shape;
            let problem = format!("samples of shape {input}, {} elements, do not fill {target:?}", input.size());
            return Err(build.error(problem, "make the lengths' product that number, or one length -1"));
        };
        let rule = MaskRule::kept_if(output.first() == input.first());
        Ok(Built::new(output.clone(), move |_, x| x.reshape(output.with_axis(0, x.shape()[0]))).mask_rule(rule))
    }

    fn output_activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        inputs.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_length_may_be_inferred() {
        // NumPy: np.zeros(12).reshape(...).shape.
        let resolve = |target: &[isize], size| Reshape::new(target).resolve(size).map(|shape| shape.to_vec());
        assert_eq!(resolve(&[3, -1], 12), Some(vec![3, 4]));
        assert_eq!(resolve(&[-1], 12), Some(vec![12]));
        assert_eq!(resolve(&[], 1), Some(vec![]));
        assert_eq!(resolve(&[2, 6], 12), Some(vec![2, 6]));
        for bad in [&[5, -1][..], &[-1, -1], &[3, 5], &[-2, -6], &[0, -1], &[isize::MAX, isize::MAX]] {
            assert_eq!(resolve(bad, 12), None, "{bad:?}");
        }
    }
}
