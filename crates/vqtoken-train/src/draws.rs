//! Random numbers that depend on where training is, not on how it got there: a run that was broken off and resumed draws
//! what an unbroken one would have drawn.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The numbers for one purpose at one place of a run.
#[derive(Debug)]
pub struct Draws(ChaCha8Rng);

impl Draws {
    /// The stream of `place` (a step, a clip) for `purpose` under `seed`.
    pub fn at(seed: u64, purpose: &str, place: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&place.to_le_bytes());
        for (index, byte) in purpose.bytes().enumerate() {
            key[16 + index % 16] ^= byte.rotate_left((index / 16) as u32);
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Uniform over all numbers of 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `0..count`, 0 where that is empty. The bias of the remainder is below 2^-40 for counts below 2^24.
    pub fn below(&mut self, count: usize) -> usize {
        (self.bits() % count.max(1) as u64) as usize
    }

    /// Uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        vqtoken_random::to_unit(self.bits())
    }

    /// Brings the items into random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        vqtoken_random::shuffle(items, |count| self.below(count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_depends_on_all_three() {
        let first = |seed, purpose, place| Draws::at(seed, purpose, place).bits();
        assert_eq!(first(1, "clips", 2), first(1, "clips", 2));
        assert!(first(1, "clips", 2) != first(2, "clips", 2));
        assert!(first(1, "clips", 2) != first(1, "order", 2));
        assert!(first(1, "clips", 2) != first(1, "clips", 3));
    }

    #[test]
    fn shuffled_items_are_the_same_items() {
        let mut items: Vec<usize> = (0..50).collect();
        Draws::at(3, "order", 0).shuffle(&mut items);
        assert!(items != (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
