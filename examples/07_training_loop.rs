//! Lesson 7. A training loop by hand: first from the step that `fit` takes, then down to the gradients.
//!
//!     cargo run --release --example training_loop

use gradus::prelude::*;

/// Points in two spirals, and which of the two each is on.
fn spirals(samples: usize, seed: u64) -> Result<Dataset> {
    let mut generator = Generator::new(seed);
    let along: Tensor = generator.uniform([samples], 0.3..1.0);
    let arm: Tensor = generator.bernoulli([samples], 0.5).to();
    let angle = &along * 9.0 + &arm * std::f32::consts::PI;
    let noise = generator.normal([samples, 2], 0.0, 0.02);
    let points = Tensor::stack(&[&along * angle.cos(), &along * angle.sin()], 1) + noise;
    Ok(Dataset::new(points, arm.reshape([samples, 1]))?)
}

fn main() -> Result<()> {
    let (train, test) = (spirals(2000, 1)?, spirals(500, 2)?);
    let network = Sequential::new()
        .add(Dense::new(32).activation(Activation::Tanh))
        .add(Dense::new(32).activation(Activation::Tanh))
        .add(Dense::new(1));
    let mut model = Model::build(network, [2], 3)?;
    let loss = BinaryCrossentropy::default().from_logits(true);
    let schedule = CosineDecay::new(0.01, 60 * train.len().div_ceil(32) as u64);
    let mut optimizer = Optimizer::from(Adam::default()).learning_rate(schedule).clip_global_norm(1.0);
    let mut generator = Generator::new(4);

    // These are the calls of `Trainer::fit` without callbacks and validation. They give the same bits.
    for epoch in 1..=60 {
        let mut total = 0.0;
        for batch in train.batches(32).shuffled(generator.next_u64()) {
            let (inputs, targets) = (&batch.inputs, &batch.targets);
            let step = train_step(&mut model, &loss, &mut optimizer, inputs, targets, None, &mut generator)?;
            total += step.loss * batch.len() as f32;
        }
        if epoch % 10 == 0 {
            let mut accuracy = BinaryAccuracy::default().threshold(0.0);
            accuracy.update(test.targets(), &model.predict(test.inputs())?, None)?;
            let (loss, accuracy) = (total / train.len() as f32, Metric::<f32>::result(&accuracy));
            println!("epoch {epoch:2}: loss {loss:.4}, accuracy on new points {:.1}%", 100.0 * accuracy);
        }
    }

    // One step further down: forward and back give the loss, the outputs and the gradients; nothing changes yet.
    let batch = train.take(32);
    let pass = model.grad(batch.inputs(), batch.targets(), None, &loss, &mut generator)?;
    println!("\ngradients of one batch:");
    for (param, gradient) in model.params().iter().zip(pass.grads.iter()) {
        let norm = gradient.as_ref().map_or(0.0, |gradient| gradient.norm(..).item());
        println!("  {:9} {:8} norm {norm:.5}", param.name, param.value.shape().to_string());
    }
    optimizer.step(model.params_mut(), &pass.grads);
    model.params_mut().update_states(pass.states);

    // The plane as the network sees it: '#' is one spiral, '.' the other.
    println!();
    for row in 0..20 {
        let y = 1.1 - row as f32 * 0.11;
        let points = Tensor::stack(&[Tensor::linspace(-1.1, 1.1, 44), Tensor::full([44], y)], 1);
        let line: String = model.predict(&points)?.iter().map(|logit| if logit > 0.0 { '#' } else { '.' }).collect();
        println!("{line}");
    }
    Ok(())
}
