//! Seeded random numbers for what an evaluation shuffles or randomises.

use vqtoken_random::SplitMix64;

/// A stream of random numbers.
pub(super) struct Random(SplitMix64);

impl Random {
    /// The stream of a seed and a name, such as a video's, so that it does not depend on what was asked before.
    pub(super) fn new(seed: u64, name: &str) -> Self {
        // FNV-1a spreads the name over 64 bits.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(SplitMix64::new(hash ^ seed.rotate_left(32)))
    }

    /// Below `bound`, which is not 0; the bias of 2^-64 times the bound shows nowhere.
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.0.next_u64()) * bound as u128) >> 64) as usize
    }

    /// Puts items into a random order (Fisher and Yates).
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        vqtoken_random::shuffle(items, |count| self.below(count));
    }

    /// A number of the standard normal distribution (Box and Muller).
    pub(super) fn normal(&mut self) -> f64 {
        let mut uniform = || ((self.0.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        let (radius, turn) = (uniform(), uniform());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * turn).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_never_change() {
        let mut order: Vec<usize> = (0..10).collect();
        Random::new(5, "clip-000001").shuffle(&mut order);
        assert_eq!(order, [1, 9, 5, 7, 2, 3, 6, 4, 8, 0]);
        let mut random = Random::new(5, "clip-000001");
        let normal = [random.normal(), random.normal()];
        // Logarithm and cosine are the system's.
        let expected = [3.163203133660724, 0.6594986652092739];
        assert!(normal.iter().zip(expected).all(|(n, e)| (n - e).abs() < 1e-12), "{normal:?}");
    }

    #[test]
    fn orders_are_complete_and_of_their_seed_and_name() {
        let order = |seed, name: &str| {
            let mut order: Vec<usize> = (0..50).collect();
            Random::new(seed, name).shuffle(&mut order);
            order
        };
        assert_eq!(order(1, "a"), order(1, "a"));
        assert!(order(1, "a") != order(2, "a") && order(1, "a") != order(1, "b"));
        let mut sorted = order(1, "a");
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn every_order_of_three_is_as_likely() {
        let mut random = Random::new(3, "");
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..6000 {
            let mut order = [0, 1, 2];
            random.shuffle(&mut order);
            *counts.entry(order).or_insert(0) += 1;
        }
        assert!(counts.len() == 6 && counts.values().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    #[test]
    fn normal_numbers_have_mean_0_and_variance_1() {
        let mut random = Random::new(5, "");
        let numbers: Vec<f64> = (0..20_000).map(|_| random.normal()).collect();
        let mean = numbers.iter().sum::<f64>() / 20_000.0;
        let variance = numbers.iter().map(|number| number * number).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04, "{mean} {variance}");
    }
}
