//! Elements dropped at random.

use super::{CHUNK, Shared};
use crate::element::Float;
use crate::simd::vectorize_choices;
use crate::team;

/// Element i of the result is x times `factor` where draw i of a SplitMix64 with the state `seed` has a high half below `keep`,
/// else 0.
///
/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014) is a function of a counter. So many
/// draws are computed at once, on any thread; and they are computed again on the way back, instead of being kept.
pub(crate) fn drop_out<T: Float>(x: &[T], seed: u64, keep: u64, factor: T, out: &mut [T]) {
    let len = out.len();
    let out = Shared::new(out);
    team::split(len, CHUNK, |range| {
        let first = range.start as u64;
        // SAFETY: the ranges of all tasks are disjoint.
        let out = unsafe { out.part(range.start, range.len()) };
        let x = &x[range];
        vectorize_choices(
            #[inline(always)]
            || {
                for (i, (out, &x)) in out.iter_mut().zip(x).enumerate() {
                    let is_kept = draw(seed, first + i as u64) >> 32 < keep;
                    *out = if is_kept { x * factor } else { T::ZERO };
                }
            },
        );
    });
}

/// The draw number `index`, counted from 0, of a SplitMix64 whose state is `seed`.
#[inline(always)]
pub(super) fn draw(seed: u64, index: u64) -> u64 {
    let z = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_those_of_splitmix64() {
        // The first outputs for the seed 1234567 of the public-domain program by Vigna, as published with it.
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([0, 1, 2].map(|index| draw(1_234_567, index)), expected);
    }
}
