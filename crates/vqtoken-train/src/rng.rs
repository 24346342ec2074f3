//! Random numbers that depend on where training is, not on how it got there: a resumed run draws the same numbers as an
//! uninterrupted one.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};

/// The numbers for one purpose at one index of a run.
#[derive(Debug)]
pub(crate) struct Rng(ChaCha8Rng);

impl Rng {
    /// The stream of `index` (of a micro-batch, an epoch, a clip) for `purpose` under `seed`. The purpose is part of the stream:
    /// another word draws other numbers.
    pub(crate) fn new(seed: u64, purpose: &str, index: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&index.to_le_bytes());
        for (position, byte) in purpose.bytes().enumerate() {
            key[16 + position % 16] ^= byte.rotate_left((position / 16) as u32);
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// 64 random bits.
    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `0..count`, 0 where that is empty. The bias of the remainder is below 2^-40 for counts below 2^24.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        (self.next_u64() % count.max(1) as u64) as usize
    }

    /// Uniform in `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f64 {
        vqtoken_random::to_unit(self.next_u64())
    }

    /// Puts items into random order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        vqtoken_random::shuffle(items, |count| self.below(count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_depends_on_seed_purpose_and_index() {
        let first = |seed, purpose, index| Rng::new(seed, purpose, index).next_u64();
        assert_eq!(first(1, "clips", 2), first(1, "clips", 2));
        assert!(first(1, "clips", 2) != first(2, "clips", 2));
        assert!(first(1, "clips", 2) != first(1, "order", 2));
        assert!(first(1, "clips", 2) != first(1, "clips", 3));
    }

    #[test]
    fn shuffled_items_are_the_same_items() {
        let mut items: Vec<usize> = (0..50).collect();
        Rng::new(3, "order", 0).shuffle(&mut items);
        assert!(items != (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
