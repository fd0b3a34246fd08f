//! Lesson 19. Proteins: is a residue in a helix, in a strand or in neither? A network reads it off the 8 residues on either side.
//!
//!     cargo run --release --example protein
//!     cargo run --release --example protein -- --epochs 8 --seed 7
//!
//! To beat: 0.617, the mean of five rotations by an MLP with 40 hidden units on the same windows. Each fifth of the chains is tested
//! on in turn, by a network that has not seen it: one fifth alone may be 4 points kinder than another.

use gradus::datasets::biology::OneHot;
use gradus::datasets::protein_q3::Protein;
use gradus::prelude::*;

mod options;

use options::Options;

/// The residues on either side.
const SIDE: usize = 8;
const WINDOW: usize = 2 * SIDE + 1;
/// A channel for each of the 20 amino acids, and one for what is beyond the ends of the chain.
const CHANNELS: usize = 21;
const ROTATIONS: usize = 5;

fn main() -> Result<()> {
    let options = Options::new(6, 128, 0.004)
        .parse("Trains networks to tell the secondary structure of proteins, and tests them.")?;
    let proteins = match &options.data {
        Some(folder) => protein_q3::load_from(folder)?,
        None => protein_q3::load()?,
    };
    let mut confusion = ConfusionMatrix::default();
    let mut sum = 0.0;
    for rotation in 0..ROTATIONS {
        let of = |is_test: bool| -> Vec<&Protein> {
            let chains = proteins.iter().enumerate().filter(|(place, _)| (place % ROTATIONS == rotation) == is_test);
            chains.map(|(_, protein)| protein).collect()
        };
        let (train, test) = (windows(&of(false))?, windows(&of(true))?);
        // Each amino acid becomes 12 numbers, in which alike ones may be near, before windows of 5 are looked at.
        let network = Sequential::new()
            .add(Conv1D::new(12, 1))
            .add(Conv1D::new(32, 5).padding(Padding::Same).activation(Activation::Relu))
            .add(Dropout::new(0.3))
            .add(Flatten)
            .add(Dense::new(64).activation(Activation::Relu))
            .add(Dropout::new(0.5))
            .add(Dense::new(protein_q3::CLASSES).activation(Activation::Softmax));
        let model = Model::build(network, [WINDOW, CHANNELS], options.seed)?;
        if rotation == 0 {
            println!("{}", model.summary());
        }
        let steps = options.epochs * train.len().div_ceil(options.batch_size);
        let adam = Adam::default().learning_rate(OneCycle::new(options.learning_rate, steps as u64));
        let mut trainer = Trainer::new(model, SparseCategoricalCrossentropy::default(), adam)
            .metric(Accuracy::default())
            .seed(options.seed);
        let (epochs, batch_size) = (options.epochs, options.batch_size);
        trainer.fit(&train, Fit { epochs, batch_size, verbose: false, ..Fit::default() })?;

        let outputs = trainer.predict(test.inputs())?;
        confusion.update(&test.targets().to::<f32>(), &outputs, None)?;
        let q3 = trainer.evaluate(&test)?["accuracy"];
        sum += q3;
        println!(
            "rotation {rotation}: {} residues to train on, {} to test on, Q3 {:.1}%",
            train.len(),
            test.len(),
            100.0 * q3
        );
        if rotation == 0 {
            print_chain(of(true)[0], &outputs);
        }
    }
    println!("\n{:>14}{:>7}{:>7}{:>7}", "true|predicted", "-", "H", "E");
    for (row, name) in protein_q3::CLASS_NAMES.iter().enumerate() {
        let count = |column| confusion.counts().get([row, column]);
        println!("{name:>14}{:>7}{:>7}{:>7}", count(0), count(1), count(2));
    }
    println!("\nQ3: {:.1}%", 100.0 * sum / ROTATIONS as f64);
    Ok(())
}

/// A window around each residue, [n, 17, 21], and the state of the residue.
fn windows(proteins: &[&Protein]) -> Result<Dataset<f32, i64>> {
    let (mut inputs, mut targets) = (Vec::new(), Vec::new());
    for protein in proteins {
        let residues = OneHot::protein().encode(&protein.sequence)?;
        let length = protein.sequence.len();
        let mut padded = Tensor::zeros([length + 2 * SIDE, CHANNELS]);
        for (place, row) in padded.as_mut_slice().chunks_exact_mut(CHANNELS).enumerate() {
            match place.checked_sub(SIDE).filter(|&place| place < length) {
                Some(place) => row[..20].copy_from_slice(&residues.select(0, place as isize).to_vec()),
                None => row[20] = 1.0,
            }
        }
        inputs.extend((0..length).map(|place| padded.slice(0, place..place + WINDOW)));
        targets.extend(protein.classes());
    }
    Ok(Dataset::new(Tensor::stack(&inputs, 0), Tensor::from(targets))?.with_class_names(protein_q3::CLASS_NAMES))
}

/// The first chain of the test part: its residues, their states, and what the network says.
fn print_chain(protein: &Protein, outputs: &Tensor) {
    let states = outputs.slice(0, ..protein.sequence.len()).argmax(-1);
    let found: String = states.iter().map(|class| protein_q3::CLASS_NAMES[class as usize]).collect();
    println!("\n{}", protein.id);
    for start in (0..protein.sequence.len()).step_by(100) {
        let end = (start + 100).min(protein.sequence.len());
        println!("  residues  {}", &protein.sequence[start..end]);
        println!("  structure {}", &protein.q3[start..end]);
        println!("  network   {}\n", &found[start..end]);
    }
}
