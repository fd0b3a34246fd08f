//! Reads the weights of a file by gradus: `peer-gradus-weights FILE ROUNDS [MODEL]`. Prints the seconds of each round, and at the end the
//! most memory that the process has had, in bytes. With a third argument the weights become those of a model, their axes turned;
//! without, they are read as they are.

use std::time::Instant;

use gradus::interchange::pytorch::{self, Mapping, StateDict};
use gradus::nn::{Dense, Sequential, WeightSource};
use gradus::tensor::AnyTensor;

const LAYERS: usize = 8;
const UNITS: usize = 4000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let (path, rounds): (&str, usize) = (&arguments[1], arguments[2].parse()?);
    for _ in 0..rounds {
        let start = Instant::now();
        let state = StateDict::open(path)?;
        let count = if arguments.len() > 3 {
            let network = (0..LAYERS).fold(Sequential::new(), |network, _| network.add(Dense::new(UNITS)));
            let model = pytorch::build(network, [UNITS], &state, &Mapping::new().under("layers"))?;
            println!("{:.4}", start.elapsed().as_secs_f64());
            model.params().size_of(|_| true)
        } else {
            let tensors = state.names().iter().map(|name| state.read(name)).collect::<Result<Vec<AnyTensor>, _>>()?;
            println!("{:.4}", start.elapsed().as_secs_f64());
            tensors.iter().map(|tensor| tensor.shape().size()).sum()
        };
        assert_eq!(count, LAYERS * (UNITS * UNITS + UNITS));
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says the peak");
    println!("peak {}", 1024 * peak.trim().trim_end_matches(" kB").parse::<usize>()?);
    Ok(())
}
