//! Lesson 6. Your own layer: some 20 lines, checked, trained, saved and read like the library's.
//!
//!     cargo run --release --example custom_layer

use gradus::prelude::*;
use serde::{Deserialize, Serialize};

/// y = sin(frequency x + phase), frequency and phase learned for each feature.
///
/// A layer is plain data; its one function checks the input, asks for weights and returns the computation.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Wave {
    /// The initial frequency of every feature.
    frequency: f64,
}

impl Layer for Wave {
    const KIND: &'static str = "Wave";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> gradus::nn::Result<Built<T>> {
        let features = build.features()?;
        let frequency = build.weight("frequency", [features], Initializer::Constant(self.frequency))?;
        let phase = build.weight("phase", [features], Initializer::Zeros)?;
        let output = build.input()?.clone();
        Ok(Built::new(output, move |context, x| (x * context.weight(frequency) + context.weight(phase)).sin()))
    }
}

fn main() -> Result<()> {
    // One call checks shapes, gradients, independence of the samples, determinism, and the way to JSON and back.
    check_layer(&Wave { frequency: 1.0 }, [3])?;
    println!("The layer passes all checks.\n");

    // A tone of frequency 3 with a phase of 0.7, twice as loud: the network has to find these three numbers.
    let x = Tensor::linspace(-1.5, 1.5, 400).reshape([400, 1]);
    let tone = Dataset::new(x.clone(), (&x * 3.0 + 0.7).sin() * 2.0)?;
    let network = Sequential::new()
        .add_named("wave", Wave { frequency: 2.5 })
        .add_named("loudness", Dense::new(1).use_bias(false));
    let json = network.to_json()?;
    let mut trainer =
        Trainer::new(Model::build(network, [1], 5)?, MeanSquaredError, Adam::default().learning_rate(0.02));
    let history = trainer.fit(&tone, Fit { epochs: 100, verbose: false, ..Fit::default() })?;
    let losses = history.get("loss");
    println!("mean squared error: {:.4} at first, {:.6} at last", losses[0], losses[99]);
    for param in trainer.model().params() {
        println!("{}: {:.3}", param.name, param.value.flatten().get([0]));
    }

    println!("(Twice as loud upside down, half a turn later, is the same tone.)");

    // To read a network that has your own layers, say which kinds there are.
    let kinds = LayerKinds::standard().with::<Wave>();
    let copy = Sequential::from_json_with(&json, &kinds)?;
    println!("\nread back from JSON: {} layers\n{json}", copy.len());
    Ok(())
}
