//! Damaged files.

use gradus_tensor::Generator;

/// The bytes cut off at each place, with each byte changed in turn, and with some drawn changes at once.
pub fn damaged(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    const OTHERS: [u8; 8] = [0, b' ', b'\n', b'\'', b'_', b'9', 0xc3, 0xff];
    let cut = (0..bytes.len()).map(|end| bytes[..end].to_vec());
    let places = (0..bytes.len()).flat_map(|place| OTHERS.map(|byte| (place, byte)));
    let changed = places.map(|(place, byte)| {
        let mut damaged = bytes.to_vec();
        damaged[place] = byte;
        damaged
    });
    cut.chain(changed).chain((0..300).map(|seed| shuffled(bytes, seed)))
}

/// The bytes with a few drawn ones changed, taken out, or repeated.
pub fn shuffled(bytes: &[u8], seed: u64) -> Vec<u8> {
    let mut generator = Generator::new(seed);
    let mut below = |end: usize| generator.next_below(end.max(1) as u64) as usize;
    let mut damaged = bytes.to_vec();
    for _ in 0..1 + below(4) {
        let (place, count) = (below(damaged.len()), 1 + below(20));
        let end = damaged.len().min(place + count);
        match below(3) {
            _ if damaged.is_empty() => {}
            0 => damaged[place] = below(256) as u8,
            1 => drop(damaged.drain(place..end)),
            _ => {
                let again = damaged[place..end].to_vec();
                drop(damaged.splice(place..place, again));
            }
        }
    }
    damaged
}
