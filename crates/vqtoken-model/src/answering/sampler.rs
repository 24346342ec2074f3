//! Choosing the next token from logits.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::error::ModelError;

/// How tokens are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct SamplingOptions {
    /// Logits are divided by it; 0 always takes the most likely token.
    pub temperature: f32,
    /// Only that many of the most likely tokens are drawn from; 0 for all.
    pub top_k: usize,
    /// Only the most likely tokens that together reach this probability are drawn from; 1 for all.
    pub top_p: f32,
    /// Of the random numbers: the same seed gives the same words.
    pub seed: u64,
}

impl SamplingOptions {
    /// Draws at a temperature.
    pub fn with_temperature(self, temperature: f32) -> Self {
        Self { temperature, ..self }
    }

    /// Draws from the `top_k` most likely tokens.
    pub fn with_top_k(self, top_k: usize) -> Self {
        Self { top_k, ..self }
    }

    /// Draws from the most likely tokens that together reach a probability.
    pub fn with_top_p(self, top_p: f32) -> Self {
        Self { top_p, ..self }
    }

    /// Draws under a seed.
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }
}

impl Default for SamplingOptions {
    /// Greedy.
    fn default() -> Self {
        Self { temperature: 0.0, top_k: 0, top_p: 1.0, seed: 0 }
    }
}

/// Draws tokens one after the other.
#[derive(Debug)]
pub struct Sampler {
    sampling: SamplingOptions,
    random: ChaCha8Rng,
}

impl Sampler {
    /// A sampler that has drawn nothing.
    ///
    /// # Errors
    ///
    /// If the temperature or top-p is out of range.
    pub fn new(sampling: SamplingOptions) -> Result<Self, ModelError> {
        let SamplingOptions { temperature, top_p, .. } = sampling;
        if !(temperature.is_finite() && temperature >= 0.0) {
            return Err(ModelError::Generation(format!(
                "a temperature of {temperature} makes no sense: use 0 or more"
            )));
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            return Err(ModelError::Generation(format!(
                "top-p of {top_p} makes no sense: use more than 0, up to 1"
            )));
        }
        Ok(Self { sampling, random: ChaCha8Rng::seed_from_u64(sampling.seed) })
    }

    /// The next token from logits `[vocabulary]`. Ties go to the lower id.
    pub fn pick(&mut self, logits: &[f32]) -> u32 {
        let SamplingOptions { temperature, top_k, top_p, .. } = self.sampling;
        if temperature == 0.0 {
            return most_likely(logits);
        }
        let mut ranked = Ranked::new(logits);
        let highest = ranked.get(0).map_or(0.0, |id| logits[id as usize]);
        let weight = |id: u32| f64::from((logits[id as usize] - highest) / temperature).exp();
        let count = if top_k > 0 { top_k.min(logits.len()) } else { logits.len() };
        let total: f64 = match top_k {
            0 => (0..logits.len() as u32).map(weight).sum(),
            _ => (0..count).filter_map(|rank| ranked.get(rank)).map(weight).sum(),
        };

        // The nucleus is the shortest run of most likely tokens that reaches top-p.
        let (mut kept, mut nucleus) = (count, total);
        if top_p < 1.0 {
            (kept, nucleus) = (0, 0.0);
            while kept < count && (kept == 0 || nucleus < f64::from(top_p) * total) {
                nucleus += ranked.get(kept).map_or(0.0, weight);
                kept += 1;
            }
        }
        // 53 random bits make a uniform number in [0, 1).
        let uniform = (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let mut left = uniform * nucleus;
        let mut drawn = 0;
        for id in (0..kept).map_while(|rank| ranked.get(rank)) {
            drawn = id;
            if left < weight(id) {
                break;
            }
            left -= weight(id);
        }
        drawn
    }
}

/// Token ids by their logits, the largest first and the lower id first among equals, sorted only as far as somebody asks.
struct Ranked<'a> {
    logits: &'a [f32],
    ids: Vec<u32>,
    /// So many of the ids are in order, and before all others.
    sorted: usize,
}

impl<'a> Ranked<'a> {
    fn new(logits: &'a [f32]) -> Self {
        Self { logits, ids: (0..logits.len() as u32).collect(), sorted: 0 }
    }

    fn get(&mut self, rank: usize) -> Option<u32> {
        while rank >= self.sorted && self.sorted < self.ids.len() {
            let by_logit = |a: &u32, b: &u32| {
                self.logits[*b as usize].total_cmp(&self.logits[*a as usize]).then(a.cmp(b))
            };
            // A vocabulary has 150,000 tokens, and the first few are nearly always enough.
            let more = (7 * self.sorted).max(64);
            let rest = &mut self.ids[self.sorted..];
            let next = match more < rest.len() {
                true => rest.select_nth_unstable_by(more, by_logit).0,
                false => rest,
            };
            next.sort_unstable_by(by_logit);
            self.sorted += next.len();
        }
        self.ids.get(rank).copied()
    }
}

/// The index of the largest logit, the first of equals.
fn most_likely(logits: &[f32]) -> u32 {
    /// Logits of which only the largest is looked at first, without branches.
    const BLOCK: usize = 256;
    let (mut best, mut largest) = (0, logits.first().copied().unwrap_or(0.0));
    for (index, block) in logits.chunks(BLOCK).enumerate() {
        // NaN is never larger.
        let larger = |a: f32, b: f32| if b > a { b } else { a };
        let (lanes, rest) = block.as_chunks::<8>();
        let lanes =
            lanes.iter().fold([largest; 8], |all, lane| std::array::from_fn(|i| larger(all[i], lane[i])));
        if lanes.iter().chain(rest).copied().fold(largest, larger) > largest {
            for (offset, &logit) in block.iter().enumerate() {
                if logit > largest {
                    (best, largest) = (index * BLOCK + offset, logit);
                }
            }
        }
    }
    best as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 4] = [0.0, 2.0, 1.0, 2.0];

    fn drawn(sampling: SamplingOptions, count: usize) -> Vec<u32> {
        let mut sampler = Sampler::new(sampling).unwrap();
        (0..count).map(|_| sampler.pick(&LOGITS)).collect()
    }

    #[test]
    fn greedy_takes_the_first_of_the_best() {
        assert_eq!(drawn(SamplingOptions::default(), 3), [1, 1, 1]);
    }

    #[test]
    fn the_first_of_the_largest_is_found_wherever_it_is() {
        for length in [1, 7, 255, 256, 1000] {
            for at in [0, length / 3, length - 1] {
                let mut logits: Vec<f32> = (0..length).map(|i| -((i * 37 % 101) as f32)).collect();
                (logits[at], logits[length - 1]) = (3.0, 3.0);
                assert_eq!(most_likely(&logits), at as u32, "{at} of {length}");
                logits[at / 2] = f32::NAN;
                let first = logits.iter().position(|logit| *logit == 3.0);
                let expected = if logits[0].is_nan() { Some(0) } else { first };
                assert_eq!(most_likely(&logits), expected.unwrap_or(0) as u32, "NaN and {at} of {length}");
            }
        }
    }

    #[test]
    fn frequencies_follow_the_softmax() {
        let tokens = drawn(SamplingOptions { temperature: 1.0, ..SamplingOptions::default() }, 20_000);
        let total: f64 = LOGITS.iter().map(|logit| f64::from(*logit).exp()).sum();
        for (id, logit) in LOGITS.iter().enumerate() {
            let share = tokens.iter().filter(|&&token| token == id as u32).count() as f64 / 20_000.0;
            assert!((share - f64::from(*logit).exp() / total).abs() < 0.02, "token {id}: {share}");
        }
    }

    #[test]
    fn top_k_and_top_p_leave_the_tail_out() {
        let top_k = drawn(SamplingOptions { temperature: 1.0, top_k: 2, ..SamplingOptions::default() }, 500);
        assert!(top_k.contains(&1) && top_k.contains(&3) && !top_k.contains(&2));
        let top_p =
            drawn(SamplingOptions { temperature: 1.0, top_p: 0.3, ..SamplingOptions::default() }, 500);
        assert_eq!(top_p, [1; 500]);
    }

    #[test]
    fn ranks_are_those_of_a_full_sort() {
        // Few values, so that there are ties, and more of them than are sorted at first.
        let logits: Vec<f32> =
            (0..5000_u32).map(|id| (id.wrapping_mul(2_654_435_761) >> 22) as f32).collect();
        let mut expected: Vec<u32> = (0..5000).collect();
        expected.sort_by(|&a, &b| logits[b as usize].total_cmp(&logits[a as usize]).then(a.cmp(&b)));
        for ranks in [vec![0, 1, 63, 64, 500, 511, 512, 4999], vec![4999, 3], vec![700, 0]] {
            let mut ranked = Ranked::new(&logits);
            for rank in ranks {
                assert_eq!(ranked.get(rank), Some(expected[rank]), "rank {rank}");
            }
            assert_eq!(ranked.get(5000), None);
        }
        assert_eq!(Ranked::new(&[]).get(0), None);
    }

    #[test]
    fn a_large_vocabulary_is_drawn_from_in_proportion() {
        // Token 2000 has half of the weight, all others share the rest.
        let mut logits = vec![0.0_f32; 4000];
        logits[2000] = 3999.0_f32.ln();
        for top_p in [1.0, 0.75] {
            let options = SamplingOptions { temperature: 1.0, top_p, ..SamplingOptions::default() };
            let mut sampler = Sampler::new(options).unwrap();
            let drawn: Vec<u32> = (0..2000).map(|_| sampler.pick(&logits)).collect();
            let share = drawn.iter().filter(|&&token| token == 2000).count() as f64 / 2000.0;
            assert!((share - 0.5 / f64::from(top_p)).abs() < 0.05, "{share} at {top_p}");
            let highest = drawn.iter().copied().max();
            assert_eq!(highest > Some(2000), top_p == 1.0, "{highest:?} at {top_p}");
        }
    }

    #[test]
    fn the_seed_decides() {
        let with_seed =
            |seed| drawn(SamplingOptions { temperature: 2.0, seed, ..SamplingOptions::default() }, 50);
        assert_eq!(with_seed(1), with_seed(1));
        assert_ne!(with_seed(1), with_seed(2));
    }

    #[test]
    fn senseless_options_are_refused() {
        for sampling in [
            SamplingOptions { temperature: -1.0, ..SamplingOptions::default() },
            SamplingOptions { temperature: f32::NAN, ..SamplingOptions::default() },
            SamplingOptions { top_p: 0.0, ..SamplingOptions::default() },
            SamplingOptions { top_p: 1.5, ..SamplingOptions::default() },
        ] {
            assert!(Sampler::new(sampling).is_err());
        }
    }
}
