//! The seeded random numbers of the quantizer: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
//!
//! Kept here because its stream must never change: the same seed must give the same codes in every version.

#[derive(Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The stream of one of several restarts, the first of which has the seed's own.
    pub(crate) fn of_restart(seed: u64, restart: usize) -> Self {
        let mut starts = Self::new(seed);
        (0..restart).fold(Self::new(seed), |_, _| Self::new(starts.next_u64()))
    }

    fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `[0, 1)`, a multiple of 2^-53.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        let mut random = Random::new(1234567);
        let first: Vec<u64> = (0..3).map(|_| random.next_u64()).collect();
        assert_eq!(first, [6457827717110365317, 3203168211198807973, 9817491932198370423]);
    }

    #[test]
    fn restarts_have_their_own_streams() {
        let first = |restart| Random::of_restart(9, restart).next_u64();
        assert_eq!(first(0), Random::new(9).next_u64());
        assert!(first(0) != first(1) && first(1) != first(2) && first(0) != first(2));
        assert_eq!(first(2), Random::of_restart(9, 2).next_u64());
    }
}
