//! Random orders from a seed: xoshiro256++, Lemire's bounded draws, the shuffle of Fisher and Yates.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// A seeded generator.
pub(crate) struct Generator(Xoshiro256PlusPlus);

impl Generator {
    pub fn new(seed: u64) -> Self {
        Generator(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    fn next_below(&mut self, bound: u64) -> u64 {
        let mut product = u128::from(self.0.next_u64()) * u128::from(bound);
        if (product as u64) < bound {
            let uneven = bound.wrapping_neg() % bound;
            while (product as u64) < uneven {
                product = u128::from(self.0.next_u64()) * u128::from(bound);
            }
        }
        (product >> 64) as u64
    }

    pub fn shuffle<E>(&mut self, items: &mut [E]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.next_below(last as u64 + 1) as usize);
        }
    }
}
