//! Subsets that do not depend on the tokens' values: evenly spaced, and random.

use super::{Amount, ReduceError, Reducer, Reduction, check};
use crate::grid::TokenGrid;
use crate::random::Random;

/// Every n-th token of the clip, the first and the last among them.
///
/// Natural unit: tokens for the whole clip, always met. Token i of M is the one at `floor(i (N - 1) / (M - 1))`, as frames are
/// sampled uniformly; one token is the first. Complexity: none.
#[derive(Clone, Debug, PartialEq)]
pub struct Uniform {
    /// M.
    pub amount: Amount,
}

impl Reducer for Uniform {
    fn name(&self) -> String {
        format!("uniform:{}", self.amount)
    }

    fn reduce(&self, grid: &TokenGrid) -> Result<Reduction, ReduceError> {
        check(grid)?;
        let (budget, last) = (self.amount.tokens(grid)?, grid.shape().len() - 1);
        let index = |i: usize| (i as u128 * last as u128 / (budget - 1).max(1) as u128) as usize;
        let kept: Vec<usize> = (0..budget).map(index).collect();
        Ok(Reduction::kept(grid, kept, 0))
    }
}

/// A random sample of the clip's tokens, without repetition, in their order in the clip.
///
/// Natural unit: tokens for the whole clip, always met. The same seed keeps the same indices of grids of as many tokens.
/// Complexity: none.
#[derive(Clone, Debug, PartialEq)]
pub struct RandomSubset {
    /// M.
    pub amount: Amount,
    /// Of the sample.
    pub seed: u64,
}

impl RandomSubset {
    /// Parses `32`, `10%` or, with a seed, `32,seed=7`.
    ///
    /// # Errors
    /// If it is none of these.
    pub fn parse(text: &str) -> Result<Self, ReduceError> {
        let (amount, seed) = text.split_once(",seed=").unwrap_or((text, "0"));
        let unreadable = |_| ReduceError::Amount {
            text: text.to_owned(),
            expected: "a seed as a whole number, as in 32,seed=7".to_owned(),
        };
        Ok(Self { amount: amount.parse()?, seed: seed.parse().map_err(unreadable)? })
    }
}

impl Reducer for RandomSubset {
    fn name(&self) -> String {
        match self.seed {
            0 => format!("random:{}", self.amount),
            seed => format!("random:{},seed={seed}", self.amount),
        }
    }

    fn reduce(&self, grid: &TokenGrid) -> Result<Reduction, ReduceError> {
        check(grid)?;
        let (budget, tokens) = (self.amount.tokens(grid)?, grid.shape().len());
        let mut random = Random::new(self.seed);
        let mut kept: Vec<usize> = (0..tokens).collect();
        for i in 0..budget {
            let left = tokens - i;
            kept.swap(i, i + ((random.uniform() * left as f64) as usize).min(left - 1));
        }
        kept.truncate(budget);
        kept.sort_unstable();
        Ok(Reduction::kept(grid, kept, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reduce::testing::line;

    #[test]
    fn uniform_indices() {
        // 7 tokens to 3: floor(i * 6 / 2) = 0, 3, 6. To 4: floor(i * 6 / 3) = 0, 2, 4, 6. To 5: floor(i * 6 / 4) = 0, 1, 3, 4, 6.
        let grid = line(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let of = |tokens| Uniform { amount: Amount::Tokens(tokens) }.reduce(&grid).unwrap();
        assert_eq!(of(3).tokens.data(), [0.0, 3.0, 6.0]);
        assert_eq!(of(4).tokens.data(), [0.0, 2.0, 4.0, 6.0]);
        assert_eq!(of(5).tokens.data(), [0.0, 1.0, 3.0, 4.0, 6.0]);
        assert_eq!(of(1).tokens.data(), [0.0]);
        assert_eq!(of(3).assignment, [Some(0), None, None, Some(1), None, None, Some(2)]);
        assert_eq!(of(3).flops, 0);
    }

    #[test]
    fn random_indices_follow_the_published_stream() {
        // SplitMix64 of seed 1234567 gives 0.3500..., 0.1735..., 0.5321... (6457827717110365317 / 2^64, ...). Of five tokens the
        // first draw swaps index 0 with 0 + floor(0.35 * 5) = 1, the second index 1 with 1 + floor(0.17 * 4) = 1: 1 and 0.
        let grid = line(&[0.0, 1.0, 2.0, 3.0, 4.0]);
        let of = |seed| RandomSubset { amount: Amount::Tokens(2), seed }.reduce(&grid).unwrap();
        assert_eq!(of(1234567).tokens.data(), [0.0, 1.0]);
        assert!((0..20).any(|seed| of(seed) != of(0)));
        assert_eq!(
            RandomSubset::parse("2,seed=7").unwrap(),
            RandomSubset { amount: Amount::Tokens(2), seed: 7 }
        );
        assert!(RandomSubset::parse("2,seed=x").is_err());
    }
}
