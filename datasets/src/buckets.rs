//! Batches of samples of like length.

use gradus_tensor::Generator;

/// The number of batches among whose samples those of like length are put together.
const WINDOW: usize = 64;

/// A random order whose batches of `batch_size` hold samples of like length: each window of the order is sorted by length and
/// cut into batches, which come in the random order of the seed. What is left for a smaller batch comes last.
pub(crate) fn arranged(rows: &[usize], lengths: &[usize], batch_size: usize, seed: u64) -> Vec<usize> {
    // Another stream of numbers than the one that the order was drawn by.
    let mut generator = Generator::new(seed.wrapping_add(1));
    let mut arranged = Vec::with_capacity(rows.len());
    for window in rows.chunks(batch_size.saturating_mul(WINDOW)) {
        let mut window = window.to_vec();
        // Stable: samples of one length stay in random order.
        window.sort_by_key(|&row| lengths[row]);
        let whole = window.chunks_exact(batch_size);
        let rest = whole.remainder();
        let mut batches: Vec<&[usize]> = whole.collect();
        generator.shuffle(&mut batches);
        batches.into_iter().for_each(|batch| arranged.extend_from_slice(batch));
        arranged.extend_from_slice(rest);
    }
    arranged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_like_lengths_and_every_sample_once() {
        let (samples, batch_size) = (64 * 4 * 2 + 4 * 3 + 1, 4);
        let rows: Vec<usize> = (0..samples).map(|i| i * 211 % samples).collect();
        let lengths: Vec<usize> = (0..samples).map(|i| i * i % 97).collect();
        let order = arranged(&rows, &lengths, batch_size, 7);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..samples));
        let padded = |order: &[usize]| {
            order.chunks(batch_size).map(|rows| rows.len() * rows.iter().map(|&row| lengths[row]).max().unwrap()).sum()
        };
        let (all, found, random): (usize, usize, usize) = (lengths.iter().sum(), padded(&order), padded(&rows));
        assert!(random > all * 15 / 10 && found < all * 11 / 10, "{all} {found} {random}");
        // Neither the lengths of a window's batches nor those of two seeds come in one order.
        let firsts =
            |seed| arranged(&rows, &lengths, batch_size, seed)[..256].iter().step_by(4).copied().collect::<Vec<_>>();
        assert!(!firsts(7).is_sorted_by_key(|&row| lengths[row]));
        assert_ne!(firsts(7), firsts(8));
        assert_eq!(arranged(&rows[..3], &lengths, 4, 7).len(), 3);
        assert!(arranged(&rows, &lengths, usize::MAX, 7).is_sorted_by_key(|&row| lengths[row]));
    }
}
