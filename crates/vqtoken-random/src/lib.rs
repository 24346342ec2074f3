#![doc = include_str!("../README.md")]

/// SplitMix64, a generator of 64-bit numbers with 64 bits of state.
///
/// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
#[derive(Clone, Debug)]
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// The next number, uniform in `[0, 1)`; see [`to_unit`].
    pub fn unit(&mut self) -> f64 {
        to_unit(self.next_u64())
    }
}

/// SplitMix64's output function: a bijection whose values look unrelated to its arguments.
pub fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// The upper 53 of 64 random bits as a multiple of 2^-53 in `[0, 1)`.
pub fn to_unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// Puts items into random order (Fisher and Yates). `below(n)` draws an index in `0..n`.
pub fn shuffle<T>(items: &mut [T], mut below: impl FnMut(usize) -> usize) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // The first outputs of the reference implementation for seed 1234567.
        let mut random = SplitMix64::new(1_234_567);
        let first: Vec<u64> = (0..5).map(|_| random.next_u64()).collect();
        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821,
            ]
        );
    }

    #[test]
    fn unit_numbers_fill_the_half_open_interval() {
        assert_eq!(to_unit(0), 0.0);
        assert_eq!(to_unit(1 << 63), 0.5);
        assert!(to_unit(u64::MAX) < 1.0 && to_unit(u64::MAX) > 1.0 - 1e-15);
        let mut random = SplitMix64::new(7);
        let mean = (0..50_000).map(|_| random.unit()).sum::<f64>() / 50_000.0;
        // The mean of so many uniform numbers deviates by 0.0013.
        assert!((mean - 0.5).abs() < 0.006, "{mean}");
    }

    #[test]
    fn every_order_of_three_items_is_equally_likely() {
        let mut random = SplitMix64::new(3);
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..6000 {
            let mut items = [0, 1, 2];
            shuffle(&mut items, |count| (random.next_u64() % count as u64) as usize);
            *counts.entry(items).or_insert(0) += 1;
        }
        // 1000 each, with a standard deviation of 29.
        assert!(counts.len() == 6 && counts.values().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    #[test]
    fn shuffling_asks_for_one_index_an_item_from_the_last_to_the_second() {
        let mut bounds = Vec::new();
        let mut items = ['a', 'b', 'c', 'd'];
        shuffle(&mut items, |count| {
            bounds.push(count);
            0
        });
        assert_eq!(bounds, [4, 3, 2]);
        assert_eq!(items, ['b', 'c', 'd', 'a']);
    }
}
