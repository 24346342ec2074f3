//! The probability of a decision, mixed from what several contexts have seen.
//!
//! Each context keeps the share of yes among the decisions taken in it. The shares are added up as logits with weights
//! that learn which contexts are right. Source: M. Mahoney, "Adaptive weighing of context models for lossless data
//! compression", 2005 (logistic mixing).

use std::sync::LazyLock;

use super::range_coder::ONE;

/// How many contexts a decision has.
pub(super) const CONTEXTS: usize = 8;
/// Multiplier of Fibonacci hashing: 2^32 over the golden ratio.
pub(super) const SPREAD: u32 = 0x9E37_79B1;
/// Logits are in 1/256, and this large at most.
const MAX_LOGIT: i32 = 2047;
/// 4096 times the logistic function at -8, -7.5 .. 8.
const LOGISTIC: [i32; 33] = [
    1, 2, 4, 6, 10, 17, 27, 45, 74, 120, 194, 311, 488, 747, 1102, 1546, 2048, 2550, 2994, 3349, 3608, 3785,
    3902, 3976, 4022, 4051, 4069, 4079, 4086, 4090, 4092, 4094, 4095,
];
/// From so many on, what was seen longer ago fades.
const MAX_SEEN: u16 = 60;
/// Weights are in 1/65536. With this limit a sum of products fits into 32 bits.
const MAX_WEIGHT: i32 = (1 << 17) - 1;
const FIRST_WEIGHT: i32 = 1 << 14;
const LEARNING_RATE: i32 = 10;

/// The logit of each probability.
static LOGITS: LazyLock<Vec<i16>> = LazyLock::new(|| {
    let logistic: Vec<i32> = (-MAX_LOGIT..=MAX_LOGIT).map(logistic).collect();
    let logit = |probability| logistic.partition_point(|&p| p < probability) as i32 - MAX_LOGIT;
    (0..ONE as i32).map(|probability| logit(probability).min(MAX_LOGIT) as i16).collect()
});

/// One context's share of yes in 1/65536, and how many decisions that is from. One never seen is a half, whose logit of 0
/// says nothing.
#[derive(Clone, Copy)]
struct Share {
    yes: u16,
    seen: u16,
}

/// Learns to predict decisions of one kind.
pub(super) struct Predictor {
    logits: &'static [i16],
    /// `CONTEXTS` tables of `2^bits` shares.
    shares: Vec<Share>,
    bits: u32,
    weights: Vec<[i32; CONTEXTS]>,
    /// Of the decision that was predicted last.
    last: Last,
}

#[derive(Default)]
struct Last {
    places: [usize; CONTEXTS],
    logits: [i32; CONTEXTS],
    weights: usize,
    probability: i32,
}

impl Predictor {
    /// With tables of `2^bits` shares for each context, and `sets` sets of weights.
    pub(super) fn new(bits: u32, sets: usize) -> Self {
        Self {
            logits: &LOGITS,
            shares: vec![Share { yes: 1 << 15, seen: 0 }; CONTEXTS << bits],
            bits,
            weights: vec![[FIRST_WEIGHT; CONTEXTS]; sets],
            last: Last::default(),
        }
    }

    /// The probability of a yes, of [`ONE`], in these contexts at this node of the tree of decisions (its root is 1, and the
    /// decisions after `node` are `2 * node` and `2 * node + 1`), with weights of their own for each of the `sets`.
    pub(super) fn predict(&mut self, contexts: &[u32; CONTEXTS], node: u32, set: usize) -> u32 {
        // Four levels of the tree lie side by side in memory, which is what the time goes to.
        let below = node.ilog2() % 4;
        let (top, within) = (node >> below, ((1 << below) | (node & ((1 << below) - 1))) as usize);
        let mut sum = 0;
        for (context, hash) in contexts.iter().enumerate() {
            let slot = ((hash ^ top).wrapping_mul(SPREAD) >> (32 - self.bits)) as usize ^ within;
            let place = (context << self.bits) + slot;
            let logit = i32::from(self.logits[usize::from(self.shares[place].yes >> 4)]);
            self.last.places[context] = place;
            self.last.logits[context] = logit;
            sum += logit * self.weights[set][context];
        }
        self.last.weights = set;
        self.last.probability = logistic((sum >> 16).clamp(-MAX_LOGIT, MAX_LOGIT));
        self.last.probability as u32
    }

    /// Learns what the decision was that was predicted last.
    pub(super) fn learn(&mut self, yes: bool) {
        let error = (if yes { ONE as i32 - 1 } else { 0 } - self.last.probability) * LEARNING_RATE;
        let weights = &mut self.weights[self.last.weights];
        for (weight, logit) in weights.iter_mut().zip(&self.last.logits) {
            *weight = (*weight + ((logit * error + (1 << 13)) >> 14)).clamp(-MAX_WEIGHT, MAX_WEIGHT);
        }
        let target = if yes { i32::from(u16::MAX) } else { 0 };
        for &place in &self.last.places {
            let share = &mut self.shares[place];
            // The mean of all that was seen and half a decision more of each kind.
            let step = (1 << 16) / (2 * i32::from(share.seen) + 3);
            share.yes = (i32::from(share.yes) + (((target - i32::from(share.yes)) * step) >> 15)) as u16;
            share.seen = (share.seen + 1).min(MAX_SEEN);
        }
    }
}

/// [`ONE`] times the logistic function of a logit in 1/256, by straight lines between [`LOGISTIC`].
fn logistic(logit: i32) -> i32 {
    let (place, part) = ((logit + 2048) >> 7, (logit + 2048) & 127);
    let (below, above) = (LOGISTIC[place as usize], LOGISTIC[place as usize + 1]);
    (below * (128 - part) + above * part + 64) >> 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_logistic_function() {
        for (place, &value) in LOGISTIC.iter().enumerate() {
            let exact = 4096.0 / (1.0 + (8.0 - place as f64 / 2.0).exp());
            assert!((f64::from(value) - exact).abs() <= 0.64, "{place}: {value} for {exact}");
        }
        assert!((-MAX_LOGIT..MAX_LOGIT).all(|logit| logistic(logit) <= logistic(logit + 1)));
    }

    #[test]
    fn what_always_happens_becomes_likely() {
        let mut predictor = Predictor::new(4, 1);
        assert_eq!(predictor.predict(&[0; CONTEXTS], 1, 0), ONE / 2);
        for _ in 0..10_000 {
            predictor.predict(&[0; CONTEXTS], 1, 0);
            predictor.learn(true);
        }
        assert!(predictor.predict(&[0; CONTEXTS], 1, 0) > ONE * 99 / 100);
        for _ in 0..10_000 {
            predictor.predict(&[0; CONTEXTS], 1, 0);
            predictor.learn(false);
        }
        assert!(predictor.predict(&[0; CONTEXTS], 1, 0) < ONE / 100);
    }
}
