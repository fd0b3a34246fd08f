//! Reads the weights of a file of PyTorch into a module of burn: `peer-burn-weights FILE ROUNDS`. Prints the seconds of each round.

use std::time::Instant;

use burn::nn::{Linear, LinearConfig};
use burn::prelude::*;
use burn_store::{ModuleSnapshot, PyTorchToBurnAdapter, PytorchStore, SafetensorsStore};

const LAYERS: usize = 8;
const UNITS: usize = 4000;

#[derive(Module, Debug)]
struct Weights {
    layers: Vec<Linear>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (path, rounds): (&str, usize) = (&arguments[1], arguments[2].parse().expect("a number of rounds"));
    let device = Device::default();
    for _ in 0..rounds {
        let start = Instant::now();
        // A weight is drawn when it is first asked for, so these are not.
        let layers = (0..LAYERS).map(|_| LinearConfig::new(UNITS, UNITS).init(&device)).collect();
        let mut weights = Weights { layers };
        if path.ends_with(".pt") {
            weights.load_from(&mut PytorchStore::from_file(path)).expect("the file has the weights");
        } else {
            let mut store = SafetensorsStore::from_file(path).with_from_adapter(PyTorchToBurnAdapter);
            weights.load_from(&mut store).expect("the file has the weights");
        }
        let count: usize = weights.layers.iter().map(|layer| layer.weight.val().shape().num_elements() + UNITS).sum();
        let seconds = start.elapsed().as_secs_f64();
        assert_eq!(count, LAYERS * (UNITS * UNITS + UNITS));
        println!("{seconds:.4}");
    }
}
