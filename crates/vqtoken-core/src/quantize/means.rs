//! The update step: the mean of each cluster's tokens.

use rayon::prelude::*;

use crate::quantize::bounds::Move;
use crate::unit_tokens::UnitTokens;

/// The sums of each code's members, each as often as it counts, kept up to date as tokens move.
///
/// Each channel is rounded to a grid so coarse that no f64 sum of N such values rounds (for 2^15 tokens of 2^-36, far below
/// what f32 means can tell). So sums are the same bits in whatever order tokens came and went.
pub(crate) struct ClusterSums {
    dim: usize,
    /// `[K, D]`.
    sums: Vec<f64>,
    /// `[K]`.
    counts: Vec<usize>,
    /// How much the members count together, `[K]`.
    weights: Vec<f64>,
    /// Adding and taking away this number rounds to the grid: one of its last places is the grid's step.
    rounder: f64,
}

impl ClusterSums {
    /// Of no members yet.
    pub(crate) fn new(tokens: &UnitTokens, codes: usize) -> Self {
        // Twice as much as the largest sum, whose steps of 2^-52 then are exact in every sum.
        let rounder = 3.0 * tokens.total_weight().max(1.0).log2().ceil().exp2();
        let dim = tokens.dim();
        Self { dim, sums: vec![0.0; codes * dim], counts: vec![0; codes], weights: vec![0.0; codes], rounder }
    }

    /// Of the members that `labels` say.
    pub(crate) fn of_labels(tokens: &UnitTokens, labels: &[u32], codes: usize) -> Self {
        let mut sums = Self::new(tokens, codes);
        sums.apply(tokens, &first_moves(labels));
        sums
    }

    /// Moves tokens from code to code.
    pub(crate) fn apply(&mut self, tokens: &UnitTokens, moves: &[Move]) {
        if moves.is_empty() {
            return;
        }
        let rounder = self.rounder;
        let codes = self.counts.len();
        // A move without a code to leave counts as leaving one behind the last.
        let from = |change: &Move| change.from.unwrap_or(codes as u32);
        let arrivals = Members::new(moves.iter().map(|change| change.to), codes);
        let departures = Members::new(moves.iter().map(from), codes + 1);
        let members = self.counts.par_iter_mut().zip(&mut self.weights);
        let sums = self.sums.par_chunks_exact_mut(self.dim).zip(members).enumerate();
        sums.for_each(|(code, (sum, (count, total)))| {
            let mut add_all = |places: &[u32], sign: f64| {
                for &place in places {
                    let token = moves[place as usize].token;
                    let weight = sign * tokens.weight(token);
                    *total += rounded(weight, rounder);
                    add(sum, tokens.token(token), weight, rounder);
                }
            };
            add_all(arrivals.of(code), 1.0);
            add_all(departures.of(code), -1.0);
            *count = *count + arrivals.of(code).len() - departures.of(code).len();
        });
    }

    /// The sums of each code's members, `[K][D]`.
    pub(crate) fn rows(&self) -> Vec<Vec<f64>> {
        self.sums.chunks_exact(self.dim).map(<[f64]>::to_vec).collect()
    }

    /// Members of each code, `[K]`.
    pub(crate) fn counts(&self) -> &[usize] {
        &self.counts
    }

    /// The mean of each code's members, `[K, D]`; a code without members keeps its row of `previous`.
    pub(crate) fn means(&self, previous: &[f32]) -> Vec<f32> {
        let mut means = previous.to_vec();
        let codes = means.chunks_exact_mut(self.dim).zip(self.sums.chunks_exact(self.dim)).zip(&self.weights);
        for ((mean, sum), &weight) in codes.filter(|(_, weight)| **weight > 0.0) {
            mean.iter_mut().zip(sum).for_each(|(mean, sum)| *mean = (sum / weight) as f32);
        }
        means
    }

    /// The sum over tokens of 1 - cosine to their code's direction, for unit vectors `directions` `[K, D]`.
    pub(crate) fn distortion(&self, directions: &[f32]) -> f64 {
        let weight: f64 = self.weights.iter().sum();
        let cosines: f64 = self.sums.iter().zip(directions).map(|(sum, &value)| sum * f64::from(value)).sum();
        (weight - cosines).max(0.0)
    }

    /// The sum of squared distances from each token to the mean of its cluster.
    pub(crate) fn inertia(&self, tokens: &UnitTokens) -> f64 {
        let codes = self.sums.chunks_exact(self.dim).zip(&self.weights).filter(|(_, weight)| **weight > 0.0);
        let explained: f64 =
            codes.map(|(sum, &weight)| sum.iter().map(|sum| sum * sum).sum::<f64>() / weight).sum();
        (tokens.squares() - explained).max(0.0)
    }

    /// The sum of squared distances from each token to the mean of all.
    pub(crate) fn variance(&self, tokens: &UnitTokens) -> f64 {
        let mut all = vec![0.0; self.dim];
        for sum in self.sums.chunks_exact(self.dim) {
            all.iter_mut().zip(sum).for_each(|(all, value)| *all += value);
        }
        let explained = all.iter().map(|sum| sum * sum).sum::<f64>() / self.weights.iter().sum::<f64>();
        (tokens.squares() - explained).max(0.0)
    }
}

/// The moves of tokens that had no code before.
pub(crate) fn first_moves(labels: &[u32]) -> Vec<Move> {
    labels.iter().enumerate().map(|(token, &to)| Move { token, from: None, to }).collect()
}

fn add(sum: &mut [f64], values: &[f32], weight: f64, rounder: f64) {
    sum.iter_mut().zip(values).for_each(|(sum, &value)| *sum += rounded(f64::from(value) * weight, rounder));
}

fn rounded(value: f64, rounder: f64) -> f64 {
    (value + rounder) - rounder
}

/// The tokens of each code, in order: one array of tokens, and where each code's part of it begins.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    starts: Vec<usize>,
    tokens: Vec<u32>,
}

impl Members {
    /// Every label must be below `codes`, and there must be at most 2^32 of them.
    pub(crate) fn new(labels: impl ExactSizeIterator<Item = u32> + Clone, codes: usize) -> Self {
        let mut starts = vec![0; codes + 1];
        labels.clone().for_each(|label| starts[label as usize + 1] += 1);
        for code in 0..codes {
            starts[code + 1] += starts[code];
        }
        let mut next = starts.clone();
        let mut tokens = vec![0; labels.len()];
        for (token, label) in labels.enumerate() {
            tokens[next[label as usize]] = token as u32;
            next[label as usize] += 1;
        }
        Self { starts, tokens }
    }

    pub(crate) fn of(&self, code: usize) -> &[u32] {
        &self.tokens[self.starts[code]..self.starts[code + 1]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{GridShape, TokenGrid};
    use crate::random::Random;

    #[test]
    fn sums_do_not_remember_how_tokens_came_and_went() {
        let shape = GridShape { frames: 1, height: 1, width: 500 };
        let mut random = Random::new(7);
        let data = (0..500 * 6).map(|_| (random.uniform() - 0.4).powi(5) as f32).collect();
        let tokens = UnitTokens::new(&TokenGrid::new(shape, 6, data).unwrap());
        let mut labels: Vec<u32> = (0..500).map(|token| token % 3).collect();
        let mut sums = ClusterSums::of_labels(&tokens, &labels, 4);
        for _ in 0..2000 {
            let (token, to) = ((random.uniform() * 500.0) as usize, (random.uniform() * 4.0) as u32);
            let from = Some(std::mem::replace(&mut labels[token], to));
            sums.apply(&tokens, &[Move { token, from, to }]);
        }
        let fresh = ClusterSums::of_labels(&tokens, &labels, 4);
        assert_eq!((&sums.sums, &sums.counts), (&fresh.sums, &fresh.counts));
        for channel in 0..6 {
            let of_code = (0..500).filter(|&token| labels[token] == 2);
            let exact: f64 = of_code.map(|token| f64::from(tokens.token(token)[channel])).sum();
            assert!((sums.sums[12 + channel] - exact).abs() < 1e-9);
        }
    }
}
