//! The random numbers of a data set: the same seed gives the same data set in every version.

pub(crate) use vqtoken_random::mix;
use vqtoken_random::{SplitMix64, shuffle};

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random(SplitMix64);

impl Random {
    #[cfg(test)]
    pub(crate) fn new(seed: u64) -> Random {
        Random(SplitMix64::new(seed))
    }

    /// The stream for one purpose under one seed.
    pub(crate) fn derived(seed: u64, purpose: u64) -> Random {
        Random(SplitMix64::new(mix(seed ^ mix(purpose))))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u64 << 24) as f32
    }

    /// Uniform in `from..to`; `from` where that is empty.
    pub(crate) fn range(&mut self, from: f32, to: f32) -> f32 {
        from + (to - from).max(0.0) * self.unit()
    }

    /// Uniform in `0..count`, 0 where that is empty. The bias of the remainder is below 2^-50 for our counts.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        (self.next() % count.max(1) as u64) as usize
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// One of `choices`, which must not be empty.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// One of `choices`, which must not be empty, in proportion to their weights.
    pub(crate) fn pick_weighted<T: Copy>(&mut self, choices: &[(T, f32)]) -> T {
        let mut rest = self.unit() * choices.iter().map(|(_, weight)| weight).sum::<f32>();
        for &(choice, weight) in choices {
            if rest < weight {
                return choice;
            }
            rest -= weight;
        }
        choices[choices.len() - 1].0
    }

    /// Puts items into random order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        shuffle(items, |count| self.below(count));
    }

    /// 1 or -1.
    pub(crate) fn sign(&mut self) -> f32 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_never_change() {
        let mut random = Random::derived(7, 1);
        assert_eq!([random.next(), random.next()], [13_640_568_250_514_816_176, 102_806_155_499_525_579]);
        assert_eq!((random.unit(), random.range(-2.0, 3.0)), (0.6020832, 1.5345314));
        assert_eq!((random.below(10), random.chance(0.5)), (3, true));
        assert_eq!((random.pick(&[1, 2, 3]), random.pick_weighted(&[(1, 1.0), (2, 3.0), (3, 0.5)])), (3, 1));
        assert_eq!(random.sign(), 1.0);
        let mut items: Vec<usize> = (0..10).collect();
        random.shuffle(&mut items);
        assert_eq!(items, [4, 3, 7, 9, 2, 5, 8, 0, 1, 6]);
    }

    #[test]
    fn draws_are_uniform() {
        let mut random = Random::new(7);
        let mut counts = [0; 5];
        (0..50_000).for_each(|_| counts[random.below(5)] += 1);
        assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
        let mean = (0..50_000).map(|_| random.unit()).sum::<f32>() / 50_000.0;
        assert!((mean - 0.5).abs() < 0.01);
        let heavy = (0..50_000).filter(|_| random.pick_weighted(&[(1, 1.0), (2, 3.0)]) == 2).count();
        assert!((36_500..38_500).contains(&heavy), "{heavy}");
    }

    #[test]
    fn shuffling_keeps_the_items() {
        let mut items: Vec<usize> = (0..9).collect();
        Random::new(3).shuffle(&mut items);
        assert_ne!(items, (0..9).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..9).collect::<Vec<_>>());
    }
}
