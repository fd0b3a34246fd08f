//! Lesson 4. XOR: a hidden layer separates four points that no single line can.
//!
//!     cargo run --release --example xor

use gradus::prelude::*;

fn main() -> Result<()> {
    let inputs = Tensor::new([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let targets = Tensor::new([[0.0], [1.0], [1.0], [0.0]]);
    let xor = Dataset::new(inputs.clone(), targets)?;

    let network = Sequential::new()
        .add(Dense::new(8).activation(Activation::Tanh))
        .add(Dense::new(1).activation(Activation::Sigmoid));
    let model = Model::build(network, [2], 3)?;
    println!("{}", model.summary());

    let mut trainer = Trainer::new(model, BinaryCrossentropy::default(), Adam::default().learning_rate(0.05))
        .metric(Accuracy::default());
    let history = trainer.fit(&xor, Fit { epochs: 300, batch_size: 4, verbose: false, ..Fit::default() })?;
    for epoch in [0, 9, 49, 99, 299] {
        println!("epoch {:3}: {}", epoch + 1, history.logs[epoch]);
    }

    println!("\n a b   a xor b");
    let outputs = trainer.predict(&inputs)?;
    for row in 0..4 {
        let (a, b) = (inputs.get([row, 0]), inputs.get([row, 1]));
        println!(" {a} {b}   {:.3}", outputs.get([row, 0]));
    }
    Ok(())
}
