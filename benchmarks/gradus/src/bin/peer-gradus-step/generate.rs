//! The ids that the network `gpt` writes with a key-value cache.

use gradus::prelude::*;

use crate::networks;
use crate::step::{self, Options};

/// The ids of a sequence: as many as the network knows positions.
const LENGTH: usize = 128;

/// Whether this is what is to be timed.
pub fn time(options: &Options) -> Result<bool> {
    if options.network != "generate" {
        return Ok(false);
    }
    let model = Model::build(networks::gpt(), [None], options.seed)?;
    let windows = step::time_steps(options, LENGTH, || {
        let ids = model.generate(&[1], Sampler::greedy(), Generator::new(1));
        ids.take(LENGTH).for_each(|id| _ = std::hint::black_box(id.unwrap()));
        vec![0.0; LENGTH]
    });
    step::report("this repository", model.summary().trainable_params, &windows);
    Ok(true)
}
