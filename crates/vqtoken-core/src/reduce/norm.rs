//! Norm pruning: in each frame, the longest tokens stay.

use rayon::prelude::*;

use super::choose::{largest, spread};
use super::{Amount, ReduceError, Reducer, Reduction, check};
use crate::grid::TokenGrid;
use crate::unit_tokens::squared_length;

/// Keeps the tokens of largest L2 norm in each frame: the "token pruning" that VQToken is compared with.
///
/// Natural unit: tokens per frame. M tokens for the clip are M / T in each frame; the remainder is spread evenly over the clip, and with M
/// below T, M frames keep one token and the others none. Always met. Among equal norms the
/// first stays. Complexity: `2 N D`.
#[derive(Clone, Debug, PartialEq)]
pub struct NormPruning {
    /// M.
    pub amount: Amount,
}

impl Reducer for NormPruning {
    fn name(&self) -> String {
        format!("norm:{}", self.amount)
    }

    fn reduce(&self, grid: &TokenGrid) -> Result<Reduction, ReduceError> {
        check(grid)?;
        let per_frame = grid.shape().tokens_per_frame();
        let counts = spread(self.amount.tokens(grid)?, &vec![per_frame; grid.shape().frames]);
        let norms = squared_norms(grid);
        let frames = norms.chunks_exact(per_frame).zip(counts).enumerate();
        let kept = frames.flat_map(|(frame, (norms, count))| {
            largest(norms, count).into_iter().map(move |cell| frame * per_frame + cell)
        });
        let kept: Vec<usize> = kept.collect();
        Ok(Reduction::kept(grid, kept, 2 * grid.data().len() as u64))
    }
}

/// The squared length of every token, `[N]`.
pub(crate) fn squared_norms(grid: &TokenGrid) -> Vec<f64> {
    grid.data().par_chunks_exact(grid.dim()).with_min_len(64).map(squared_length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reduce::testing::grid;

    #[test]
    fn the_longest_of_each_frame() {
        // Norms: frame 0: 5, 1, 13; frame 1: 2, 2, 1.
        let data = vec![3.0, 4.0, 1.0, 0.0, 5.0, 12.0, 0.0, 2.0, 2.0, 0.0, 0.0, -1.0];
        let grid = grid(2, 1, 3, 2, data);
        let of = |tokens| NormPruning { amount: Amount::Tokens(tokens) }.reduce(&grid).unwrap();
        assert_eq!(of(2).assignment, [None, None, Some(0), Some(1), None, None]);
        // The odd one goes to frame 0: its two longest.
        assert_eq!(of(3).assignment, [Some(0), None, Some(1), Some(2), None, None]);
        assert_eq!(of(1).tokens.data(), [5.0, 12.0]);
        assert_eq!(of(1).flops, 2 * 6 * 2);
    }
}
