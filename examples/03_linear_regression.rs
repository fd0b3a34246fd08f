//! Lesson 3. Linear regression: one dense layer finds the line behind noisy points.
//!
//!     cargo run --release --example linear_regression

use gradus::prelude::*;

fn main() -> Result<()> {
    // 500 points around y = 2 a - 3 b + 0.5.
    let mut generator = Generator::new(7);
    let inputs: Tensor = generator.uniform([500, 2], -1.0..1.0);
    let truth = inputs.matmul(&Tensor::new([[2.0], [-3.0]])) + 0.5;
    let targets = &truth + generator.normal([500, 1], 0.0, 0.1);
    let (train, test) = Dataset::new(inputs, targets)?.validation_split(0.2)?;

    let network = Sequential::new().add(Dense::new(1));
    let model = Model::build(network, [2], 1)?;
    let mut trainer = Trainer::new(model, MeanSquaredError, Sgd::default().learning_rate(0.1)).metric(R2::default());
    let history = trainer.fit(&train, Fit { epochs: 15, verbose: false, ..Fit::default() })?;
    for (epoch, loss) in history.get("loss").iter().enumerate().step_by(2) {
        println!("epoch {:2}: mean squared error {loss:.4}", epoch + 1);
    }

    let scores = trainer.evaluate(&test)?;
    println!("\nOn 100 new points: mean squared error {:.4}, R2 {:.4}", scores["loss"], scores["r2"]);
    println!("(The noise alone has a mean square of 0.01.)\n");

    let params = trainer.model().params();
    let (kernel, bias) = (&params[0].value, &params[1].value);
    println!("found: y = {:.3} a + {:.3} b + {:.3}", kernel.get([0, 0]), kernel.get([1, 0]), bias.get([0]));
    println!("truth: y = 2 a + -3 b + 0.5");
    Ok(())
}
