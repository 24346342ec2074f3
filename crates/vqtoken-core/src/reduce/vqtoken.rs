//! VQToken as a reducer, beside the others.

use super::{ReduceError, Reducer, Reduction, check};
use crate::budget::Budget;
use crate::complexity::quantizer_flops;
use crate::grid::TokenGrid;
use crate::quantize::{QuantizerConfig, quantize};

/// VQToken (Zhang and Fu, NeurIPS 2025): the codebook of [`quantize`], which with the index map goes on through VQ-attention.
///
/// Natural unit: codes for the clip, `vqtoken:32`, or chosen for each clip, `vqtoken:adaptive:elbow:12-32`. A fixed budget gives
/// fewer only where the clip has fewer distinct directions. Codes are means of tokens of length 1, ordered by first appearance;
/// they are a sequence of their own, positions 0 to K - 1, as the model that reads them was trained.
/// Complexity: `O(N K D)` an iteration, counted by [`quantizer_flops`]; the VQ-attention is not part of it.
#[derive(Clone, Debug, PartialEq)]
pub struct VqToken {
    /// K, or how it is chosen.
    pub budget: Budget,
}

impl Reducer for VqToken {
    fn name(&self) -> String {
        format!("vqtoken:{}", self.budget)
    }

    fn reduce(&self, grid: &TokenGrid) -> Result<Reduction, ReduceError> {
        check(grid)?;
        let tokens = grid.shape().len();
        let budget = self.budget.min_codes();
        if budget > tokens {
            return Err(ReduceError::BudgetTooLarge { budget, tokens });
        }
        let config = QuantizerConfig { budget: self.budget, ..QuantizerConfig::default() };
        let quantization = quantize(grid, &config)?;
        let codes = quantization.codebook.data().to_vec();
        let assignment = quantization.index_map.labels().iter().map(|&label| Some(label)).collect();
        let flops = quantizer_flops(tokens, grid.dim(), &quantization.stats).total();
        let reduction = Reduction::resampled(grid.dim(), codes, assignment, flops);
        Ok(Reduction { quantization: Some(quantization), ..reduction })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantize::rule::Rule;
    use crate::reduce::testing::grid;

    #[test]
    fn codes_are_means_of_unit_tokens() {
        // Unit tokens (1, 0), (1, 0), (0, 1), (0.6, 0.8): the last two are nearer to each other, their mean is (0.3, 0.9).
        let clip = grid(2, 1, 2, 2, vec![2.0, 0.0, 5.0, 0.0, 0.0, 3.0, 3.0, 4.0]);
        let reduction = VqToken { budget: Budget::Fixed(2) }.reduce(&clip).unwrap();
        assert_eq!(reduction.assignment, [0, 0, 1, 1].map(Some));
        assert_eq!((&reduction.positions[..], reduction.sequence_length), (&[0, 1][..], 2));
        for (found, expected) in reduction.tokens.data().iter().zip([1.0, 0.0, 0.3, 0.9]) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        let quantization = reduction.quantization.unwrap();
        assert_eq!(quantization.codebook.data(), reduction.tokens.data());
        assert_eq!(reduction.flops, quantizer_flops(4, 2, &quantization.stats).total());
        let error = VqToken { budget: Budget::Fixed(5) }.reduce(&clip).unwrap_err();
        assert_eq!(error, ReduceError::BudgetTooLarge { budget: 5, tokens: 4 });
        let adaptive = Budget::Adaptive { min: 2, max: 32, rule: Rule::Elbow };
        let adaptive = VqToken { budget: adaptive }.reduce(&clip).unwrap();
        assert!((1..=4).contains(&adaptive.tokens.len()));
    }
}
