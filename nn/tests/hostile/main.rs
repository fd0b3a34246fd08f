//! Files of models in which every number has been replaced: each is read or refused, without a panic and within seconds.

mod models;

use std::panic::catch_unwind;
use std::time::{Duration, Instant};

use gradus_nn::{LayerKinds, Model};
use gradus_tensor::safetensors::{File, Writer};

/// What stands in the place of each number: the limits of types, and what is no number.
const VALUES: [&str; 19] = [
    "0",
    "1",
    "2",
    "3",
    "-1",
    "-2",
    "2147483648",
    "4294967295",
    "4294967296",
    "4611686018427387904",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "-9223372036854775808",
    "1e308",
    "0.5",
    "null",
    "[]",
    "[18446744073709551615]",
];

/// The places of the numbers in a JSON text.
fn numbers(text: &str) -> Vec<(usize, usize)> {
    let (mut places, mut quoted, mut start) = (Vec::new(), false, None);
    for (place, byte) in text.bytes().enumerate() {
        quoted ^= byte == b'"';
        let is_number = !quoted && (byte.is_ascii_digit() || b"-.e".contains(&byte));
        match start {
            None if is_number && (byte.is_ascii_digit() || byte == b'-') => start = Some(place),
            Some(begin) if !is_number => {
                places.push((begin, place));
                start = None;
            }
            _ => {}
        }
    }
    places
}

#[test]
fn no_number_makes_a_file_panic() {
    let mut panics = Vec::new();
    let (mut count, mut read) = (0, 0);
    for model in models::models() {
        let bytes = model.to_safetensors().unwrap().to_bytes().unwrap();
        let file = File::from_bytes(bytes).unwrap();
        let text = &file.metadata()["gradus"];
        // The tensors are there, so that what is changed and still fits is read whole.
        let tensors = file.names().map(|name| (name, file.read(name).unwrap()));
        let weights = tensors.fold(Writer::new(), |writer, (name, tensor)| writer.tensor(name, tensor));
        for (begin, end) in numbers(text) {
            for value in VALUES {
                let changed = format!("{}{value}{}", &text[..begin], &text[end..]);
                let bytes = weights.clone().metadata("gradus", changed).to_bytes().unwrap();
                let file = File::from_bytes(bytes).unwrap();
                let start = Instant::now();
                let loaded = catch_unwind(|| Model::<f32>::from_safetensors(&file, &LayerKinds::standard()).is_ok());
                count += 1;
                read += usize::from(matches!(loaded, Ok(true)));
                // Each takes a millisecond or so; endless work took minutes.
                if loaded.is_err() || start.elapsed() > Duration::from_secs(5) {
                    panics.push(format!(
                        "{}[{value}]{}",
                        &text[begin.saturating_sub(60)..begin],
                        &text[end..(end + 20).min(text.len())]
                    ));
                }
            }
        }
    }
    assert!(count > 1000 && read > 100, "only {count} files, of which {read} are read");
    assert!(panics.is_empty(), "{} of {count}: {panics:#?}", panics.len());
}
