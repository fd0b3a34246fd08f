//! Networks of PyTorch and Keras here and back: what `tests/reference/pytorch_round_trip.py` and `keras_training.py` run.
//!
//! ```text
//! round_trip resnet IN.pt OUT.safetensors
//! round_trip classifier IN.pt OUT.safetensors
//! round_trip keras IN.keras INPUTS.npz OUT.keras
//! round_trip read FILE
//! round_trip build FILE
//! ```
//!
//! The first three read a model, and inputs `x` from the same file or from `INPUTS.npz`. They write its outputs to `OUT.before.npz`, train a few
//! steps, and write the model to `OUT` and the new outputs to `OUT.after.npz`. The fourth reads all tensors of a file, the last builds
//! a model of them, square linear layers without a bias; both say how long it took, and the most memory that the process had.

#[path = "../tests/suite/networks.rs"]
mod networks;

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use gradus_interchange::keras;
use gradus_interchange::npz::{self, NpzFile};
use gradus_interchange::pytorch::{self, Mapping, StateDict};
use gradus_nn::losses::SparseCategoricalCrossentropy;
use gradus_nn::{Dense, Model, Sequential, WeightSource};
use gradus_tensor::{AnyTensor, Generator, Tensor};
use networks::{classifier, classifier_mapping, resnet18, resnet18_mapping};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<&str>>()[..] {
        ["resnet", from, to] => {
            let state = StateDict::open(from)?;
            let [width, classes] = [
                state.info("state_dict.conv1.weight").ok_or("there is no conv1")?.shape[0],
                state.info("state_dict.fc.bias").ok_or("there is no fc")?.shape[0],
            ];
            of_pytorch(resnet18(width, classes), &state, &resnet18_mapping(), to.as_ref())
        }
        ["classifier", from, to] => {
            let state = StateDict::open(from)?;
            let table = state.info("state_dict.embedding.weight").ok_or("there is no embedding")?.shape;
            let both = state.info("state_dict.fc.weight").ok_or("there is no fc")?.shape;
            let network = classifier(table[0], table[1], both[1] / 2, both[0]);
            of_pytorch(network, &state, &classifier_mapping(), to.as_ref())
        }
        ["keras", from, inputs, to] => {
            let (mut model, x) = (keras::load(from)?.model, NpzFile::open(inputs)?.read("x")?);
            let loss = SparseCategoricalCrossentropy::default();
            there_and_back(&mut model, x, &loss, to.as_ref(), |model| keras::save(model, to))
        }
        ["read", file] => {
            let begun = Instant::now();
            let state = StateDict::open(file)?;
            let tensors = state.names().iter().map(|name| state.read(name)).collect::<Result<Vec<_>, _>>()?;
            report(&format!("{} tensors", tensors.len()), begun);
            Ok(())
        }
        ["build", file] => {
            let begun = Instant::now();
            let state = StateDict::open(file)?;
            let names = state.names();
            let width = state.info(&names[0]).ok_or("there is no tensor")?.shape[0];
            let layers =
                names.iter().fold(Sequential::new(), |network, _| network.add(Dense::new(width).use_bias(false)));
            let model = pytorch::build(layers, [width], &state, &Mapping::by_order())?;
            report(&format!("{} weights", model.params().len()), begun);
            Ok(())
        }
        _ => Err(
            "usage: resnet|classifier IN.pt OUT.safetensors, keras IN.keras INPUTS.npz OUT.keras, or read|build FILE"
                .into(),
        ),
    }
}

/// Says how long it took, and the most memory so far where the system knows it.
fn report(what: &str, begun: Instant) {
    println!("{what} in {:.3} seconds", begun.elapsed().as_secs_f64());
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        status.lines().filter(|line| line.starts_with("VmHWM")).for_each(|line| println!("{line}"));
    }
}

fn of_pytorch(network: Sequential, state: &StateDict, mapping: &Mapping, to: &Path) -> Result<(), Box<dyn Error>> {
    let x = state.read("x")?;
    let mut model = pytorch::build(network, &x.shape()[1..], state, &mapping.clone().under("state_dict"))?;
    let loss = SparseCategoricalCrossentropy::default().from_logits(true);
    there_and_back(&mut model, x, &loss, to, |model| pytorch::save(model, to, mapping))
}

/// Trains ten steps of gradient descent, with classes that are counted up.
fn there_and_back(
    model: &mut Model,
    x: AnyTensor,
    loss: &SparseCategoricalCrossentropy,
    to: &Path,
    save: impl FnOnce(&Model) -> Result<(), gradus_nn::Error>,
) -> Result<(), Box<dyn Error>> {
    npz::save(to.with_extension("before.npz"), [("y", model.predict(x.clone())?)])?;
    let classes = model.output_shape()[0].ok_or("the classes are not known")?;
    let targets: Tensor = (0..x.shape()[0]).map(|sample| (sample % classes) as f32).collect();
    let mut generator = Generator::new(1);
    for _ in 0..10 {
        let pass = model.grad(x.clone(), &targets, None, loss, &mut generator)?;
        println!("loss {}", pass.loss);
        let params = model.params_mut();
        for (index, grad) in pass.grads.iter().enumerate() {
            if let Some(grad) = grad {
                params[index].value = &params[index].value - &(grad * 0.05);
            }
        }
        params.update_states(pass.states);
    }
    save(model)?;
    npz::save(to.with_extension("after.npz"), [("y", model.predict(x)?)])?;
    Ok(())
}
