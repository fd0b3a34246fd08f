//! What memory limits, beside a copy of as many bytes.

use std::hint::black_box;

use crate::in_turn::medians;

/// Prints how long a work takes that reads and writes so many bytes, and what fraction of memcpy's bandwidth that is.
pub fn compare(name: &str, bytes: usize, work: &mut dyn FnMut()) {
    let (source, mut target) = (vec![1_u8; bytes / 2], vec![0_u8; bytes / 2]);
    let [copy, this] = medians(15, [&mut || black_box(&mut target).copy_from_slice(black_box(&source)), work]);
    println!(
        "{name:48} {:8.3} ms {:6.1} GB/s  {:.2} of {:.1}",
        this * 1e3,
        bytes as f64 / this * 1e-9,
        copy / this,
        bytes as f64 / copy * 1e-9,
    );
}
