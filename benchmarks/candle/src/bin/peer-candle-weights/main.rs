//! Reads the weights of a file by candle: `peer-candle-weights FILE ROUNDS`. Prints the seconds of each round.

use std::time::Instant;

use candle_core::{Device, Tensor};

fn main() -> candle_core::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let (path, rounds) = (&arguments[1], arguments[2].parse().expect("a number of rounds"));
    for _ in 0..rounds {
        let start = Instant::now();
        let tensors: Vec<Tensor> = match path.ends_with(".pt") {
            true => candle_core::pickle::read_all(path)?.into_iter().map(|(_, tensor)| tensor).collect(),
            false => candle_core::safetensors::load(path, &Device::Cpu)?.into_values().collect(),
        };
        let seconds = start.elapsed().as_secs_f64();
        assert_eq!(tensors.iter().map(Tensor::elem_count).sum::<usize>(), 8 * (4000 * 4000 + 4000));
        println!("{seconds:.4}");
    }
    Ok(())
}
