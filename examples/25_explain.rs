//! Lesson 25. What did it look at? A convnet reads handwritten digits, and shows by which strokes.
//!
//! A network may be right for a wrong reason, or wrong for a good one. Four methods ask it: Grad-CAM says where the last convolution
//! found what speaks for the answer, gradient times input and integrated gradients give each pixel its part of the answer, and
//! occlusion hides squares of the picture and looks what changes.
//!
//!     cargo run --release --example explain
//!     cargo run --release --example explain -- --epochs 5 --seed 7 --pictures /tmp

use gradus::explain::{HeatMap, HeatMaps, IntegratedGradients, Occlusion, Target, grad_cam, gradient_times_input};
use gradus::prelude::*;

mod options;

use options::Options;

/// How many digits are explained, and how many of those that it reads wrongly.
const SHOWN: usize = 4;

fn main() -> Result<()> {
    let options = Options::new(1, 128, 0.004)
        .parse("Trains a convolutional network to read handwritten digits, and shows what it looks at.")?;
    let mnist = match &options.data {
        Some(folder) => mnist::load_from(folder)?,
        None => mnist::load()?,
    };
    let (train, test) = mnist.map_inputs(|x| (x.to::<f32>() / 255.0).unsqueeze(-1)).split();
    let network = Sequential::new()
        .add(Conv2D::new(16, 3).activation(Activation::Relu))
        .add(MaxPooling2D::new(2))
        .add_named("strokes", Conv2D::new(32, 3).activation(Activation::Relu))
        .add(MaxPooling2D::new(2))
        .add(Flatten)
        .add(Dropout::new(0.5))
        .add(Dense::new(10).activation(Activation::Softmax));
    let model = Model::build(network, [28, 28, 1], options.seed)?;
    let steps = options.epochs * train.len().div_ceil(options.batch_size);
    let adam = Adam::default().learning_rate(OneCycle::new(options.learning_rate, steps as u64));
    let mut trainer = Trainer::new(model, SparseCategoricalCrossentropy::default(), adam)
        .metric(Accuracy::default())
        .seed(options.seed);
    trainer.fit(&train, Fit { epochs: options.epochs, batch_size: options.batch_size, ..Fit::default() })?;
    println!("Test accuracy: {:.2}%\n", 100.0 * trainer.evaluate(&test)?["accuracy"]);
    let model = trainer.into_model();

    // Four methods, four digits: why is this a seven?
    let pictures = test.inputs().slice(0, ..SHOWN);
    let predicted = Target::predicted();
    let cam = grad_cam(&model, "strokes", &pictures, &predicted)?;
    let times_input = gradient_times_input(&model, &pictures, &predicted)?;
    // Against a picture that is black everywhere, as the margins are.
    let integrated = IntegratedGradients::new().explain(&model, &pictures, &predicted)?;
    let occluded = Occlusion::new(&[5, 5]).stride(&[1, 1]).explain(&model, &pictures, &predicted)?;
    let changes = &integrated.attributions.numbers - &integrated.baseline_numbers;
    for (digit, (change, gap)) in changes.iter().zip(integrated.gaps().iter()).enumerate() {
        let what = &cam.explained[digit];
        println!(
            "Digit {digit}: {what} is {change:.2} above that of a black picture; {gap:+.4} of it is not attributed"
        );
    }
    let methods: [(&str, &Tensor); 4] = [
        ("Grad-CAM", &cam.maps),
        ("gradient times input", times_input.values()),
        ("integrated gradients", integrated.attributions.values()),
        ("occlusion", occluded.values()),
    ];
    let map = |values: &Tensor, sample: usize| {
        HeatMap::new(&values.select(0, sample as isize)).over(&pictures.select(0, sample as isize))
    };
    println!("\nGrad-CAM of the first digit:\n{}", map(&cam.maps, 0).to_ansi());
    let mut maps = Vec::new();
    for (method, values) in methods {
        for (sample, explained) in cam.explained.iter().enumerate() {
            maps.push(map(values, sample).title(&format!("{method}: {}", short(explained))));
        }
    }
    let file = options.pictures.join("explained.svg");
    HeatMaps::new(maps).title("What the network looked at").columns(SHOWN).save(&file)?;
    println!("Wrote {}: the digits by four methods", file.display());

    // Digits that it reads wrongly: what speaks for its answer, and what for the truth?
    let found = read(&model, test.inputs())?;
    let truth: Vec<usize> = test.targets().to_vec().into_iter().map(usize::from).collect();
    let wrong: Vec<usize> = (0..test.len()).filter(|&i| found[i] != truth[i]).take(SHOWN).collect();
    let pictures = test.inputs().take_rows(&wrong);
    let class = |classes: &[usize]| Target::classes(wrong.iter().map(|&i| classes[i]));
    let how = IntegratedGradients::new();
    let (answer, truth) =
        (how.explain(&model, &pictures, &class(&found))?, how.explain(&model, &pictures, &class(&truth))?);
    let mut maps = Vec::new();
    for place in 0..wrong.len() {
        for (what, explained) in [("its answer", &answer.attributions), ("the truth", &truth.attributions)] {
            let title = format!("{what}, {}", short(&explained.explained[place]));
            let place = place as isize;
            let values = explained.values().select(0, place);
            maps.push(HeatMap::new(&values).over(&pictures.select(0, place)).title(&title));
        }
    }
    let file = options.pictures.join("mistakes.svg");
    HeatMaps::new(maps).title("Digits that it reads wrongly, by integrated gradients").columns(2).save(&file)?;
    println!("Wrote {}: what spoke for its answer, and for the truth", file.display());
    Ok(())
}

/// The class without the words before it.
fn short(explained: &str) -> &str {
    explained.trim_start_matches("the logit of ")
}

/// The digit that each picture is read as.
fn read(model: &Model, pictures: &Tensor) -> Result<Vec<usize>> {
    Ok(model.predict(pictures)?.argmax(-1).iter().map(|digit| digit as usize).collect())
}
