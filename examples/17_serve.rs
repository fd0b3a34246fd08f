//! Lesson 17. A model behind HTTP: TensorFlow Serving's interface, and a page to draw digits on.
//!
//!     cargo run --release -p gradus-serve --example serve
//!     cargo run --release -p gradus-serve --example serve -- --stay
//!
//! The first asks the server once, as any program could, and ends. The second stays: open the address that it prints.

use std::path::PathBuf;

use gradus::prelude::*;
use gradus_serve::{Server, nested_lists};
use lexopt::{Arg, Parser, ValueExt};

mod asking;

fn main() -> Result<()> {
    let (mut file, mut save, mut address, mut stay) =
        (None::<PathBuf>, None::<PathBuf>, "127.0.0.1:0".to_owned(), false);
    let mut arguments = Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("model") => file = Some(arguments.value()?.into()),
            Arg::Long("save") => save = Some(arguments.value()?.into()),
            Arg::Long("address") => address = arguments.value()?.string()?,
            Arg::Long("stay") => stay = true,
            other => {
                return Err(format!(
                    "{}; options: --model FILE, --save FILE, --address HOST:PORT, --stay",
                    other.unexpected()
                )
                .into());
            }
        }
    }

    // A model that has been saved, or one that is trained for an epoch.
    let mnist = mnist::load()?;
    let model = match file {
        Some(file) => Model::load(file)?,
        None => train(&mnist.train)?,
    };

    if let Some(save) = save {
        model.save(&save)?;
        println!("The model is in {0}: `gradus {0}` serves it, too.", save.display());
    }

    // The server runs the preprocessing that belongs to the model: clients send bytes, 0 to 255.
    let server = Server::new(model).name("digits").bind(&*address)?;
    println!("http://{}/", server.address());
    if stay {
        return Ok(server.run()?); // Until Ctrl-C or SIGTERM.
    }

    // In threads of its own, the server can be asked by this very program.
    let running = server.spawn();
    let picture = mnist.test.inputs().slice(0, ..1);
    println!("The picture is a {}.", mnist.test.targets().get([0]));
    let body = format!("{{\"instances\": {}}}", nested_lists(&picture.to()));
    println!("{}", asking::ask(running.address(), "digits", &body)?);
    running.stop()?;
    Ok(())
}

/// The network of the Keras introduction, with what makes its inputs of bytes.
fn train(digits: &Dataset<u8>) -> Result<Model> {
    let network = Sequential::new()
        .add(Flatten)
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax));
    let model = Model::build(network, [28, 28], 42)?
        .with_preprocessing(Sequential::new().add(Rescaling::new(1.0 / 255.0)), [28, 28])?
        .with_class_names((0..10).map(|digit| digit.to_string()))?;
    let prepared = digits.clone().map_inputs(|x| x.to::<f32>() / 255.0);
    let mut trainer = Trainer::new(model, SparseCategoricalCrossentropy::default(), Adam::default());
    trainer.fit(&prepared, Fit { epochs: 1, batch_size: 32, ..Fit::default() })?;
    Ok(trainer.into_model())
}
