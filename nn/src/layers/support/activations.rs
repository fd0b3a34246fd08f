//! The activations of layers that combine or shift what others have computed.

use crate::activation::Activation;

/// The activation that all inputs have come out of.
pub(in crate::layers) fn common(inputs: &[Option<Activation>]) -> Option<Activation> {
    let (&first, others) = inputs.split_first()?;
    others.iter().all(|&other| other == first).then_some(first).flatten()
}

/// That of a sum or a difference: it may be any number, as what a linear layer gives, if an input may. With an input of
/// which nothing is known, nothing is known of the sum.
pub(in crate::layers) fn of_sum(inputs: &[Option<Activation>]) -> Option<Activation> {
    (inputs.iter().all(Option::is_some) && inputs.contains(&Some(Activation::Linear))).then_some(Activation::Linear)
}

/// That of an input which is scaled, shifted or made noisy: any number stays any number, other ranges change.
pub(in crate::layers) fn after_affine(inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
    inputs.iter().map(|&input| input.filter(|&activation| activation == Activation::Linear)).collect()
}
