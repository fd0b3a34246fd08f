//! Loading a model takes the memory of its weights once.
#![cfg(target_os = "linux")]

use std::fs;

use gradus_nn::{Dense, Model, Sequential};

/// The kilobytes that the process has, or had at most: `VmRSS`, `VmHWM`.
fn kilobytes(name: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn loading_holds_the_weights_once() {
    const WIDTH: usize = 2500;
    let path = std::env::temp_dir().join(format!("gradus_load_memory_{}.safetensors", std::process::id()));
    // Three matrices, so that two copies of one would show as well.
    let network = Sequential::new().add(Dense::new(WIDTH)).add(Dense::new(WIDTH)).add(Dense::new(WIDTH));
    let model = Model::build(network, [WIDTH], 1).unwrap();
    let weights = 4 * model.params().size_of(|_| true) / 1024;
    model.save(&path).unwrap();
    let expected = model.params()[4].value.clone();
    drop(model);
    gradus_tensor::release_memory();

    let before = kilobytes("VmRSS");
    // The highest use is counted from here on.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let loaded = Model::load(&path).unwrap();
    let peak = kilobytes("VmHWM") - before;
    fs::remove_file(&path).unwrap();
    assert!(loaded.params()[4].value == expected);
    // The weights themselves; pages of 2 MB at the ends of each matrix, and the network.
    assert!(peak >= weights && peak < weights + weights / 8 + 8 * 1024, "{peak} KB for weights of {weights} KB");
}
