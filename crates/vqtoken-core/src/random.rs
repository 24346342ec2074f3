//! The seeded random numbers of the quantizer. The same seed gives the same codes in every version.

use vqtoken_random::SplitMix64;

#[derive(Clone, Debug)]
pub(crate) struct Random(SplitMix64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    /// The stream of one of several restarts, the first of which has the seed's own.
    pub(crate) fn of_restart(seed: u64, restart: usize) -> Self {
        let mut starts = SplitMix64::new(seed);
        (0..restart).fold(Self::new(seed), |_, _| Self::new(starts.next_u64()))
    }

    /// Uniform in `[0, 1)`, a multiple of 2^-53.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0.unit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_never_change() {
        let first = |mut random: Random| [(); 3].map(|()| random.uniform());
        assert_eq!(
            first(Random::new(1_234_567)),
            [0.3500795420214081, 0.17364409667091263, 0.5322073040624192]
        );
        assert_eq!(
            first(Random::of_restart(9, 2)),
            [0.11087593962651332, 0.745254240378286, 0.8411413398261792]
        );
    }

    #[test]
    fn restarts_have_their_own_streams() {
        let first = |restart| Random::of_restart(9, restart).uniform();
        assert_eq!(first(0), Random::new(9).uniform());
        assert!(first(0) != first(1) && first(1) != first(2) && first(0) != first(2));
        assert_eq!(first(2), Random::of_restart(9, 2).uniform());
    }
}
