//! Average pooling of every frame.

use rayon::prelude::*;

use super::pooling::Stride;
use super::reduction::mean;
use super::{ReduceError, Reducer, Reduction, Target, check};
use crate::grid::{GridShape, TokenGrid};

/// Pools each frame by the mean of squares of s x s tokens; rows and columns that do not fill a square are pruned, as
/// `torch.nn.functional.avg_pool2d` does: 27 x 27 tokens become 13 x 13. Source: LLaVA-NeXT's `mm_spatial_pool_mode`.
///
/// Natural unit: the stride s, `average:s=2`, written just `average` for 2. A side shorter than the stride is one cell. A budget
/// takes the smallest stride that leaves at most M tokens; at least one a frame is left. Complexity: one addition a value of a
/// square, `s^2 M D`.
#[derive(Clone, Debug, PartialEq)]
pub struct Average {
    /// The stride, or M.
    pub target: Target,
}

impl Reducer for Average {
    fn name(&self) -> String {
        Stride::name("average", &self.target)
    }

    fn reduce(&self, grid: &TokenGrid) -> Result<Reduction, ReduceError> {
        check(grid)?;
        let pooled = |side: usize, stride: usize| (side / stride).max(1);
        let stride = Stride { reducer: "average", pooled }.of(&self.target, grid)?;
        let (GridShape { frames, height, width }, dim) = (grid.shape(), grid.dim());
        let (rows, columns) = (pooled(height, stride), pooled(width, stride));
        let (tall, wide) = (stride.min(height), stride.min(width));
        let square = |cell: usize| {
            let (frame, row, column) = (cell / (rows * columns), cell / columns % rows, cell % columns);
            let corner = (frame * height + row * tall) * width + column * wide;
            let tokens =
                (0..tall).flat_map(move |row| (0..wide).map(move |column| corner + row * width + column));
            mean(grid.data(), dim, tokens)
        };
        let data: Vec<f32> = (0..frames * rows * columns).into_par_iter().flat_map_iter(square).collect();
        let assignment = (0..grid.shape().len()).map(|token| {
            let (frame, row, column) = (token / (height * width), token / width % height, token % width);
            let (row, column) = (row / tall, column / wide);
            (row < rows && column < columns).then_some(((frame * rows + row) * columns + column) as u32)
        });
        let flops = (data.len() * tall * wide) as u64;
        Ok(Reduction::resampled(dim, data, assignment.collect(), flops))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reduce::Amount;
    use crate::reduce::testing::grid;

    #[test]
    fn squares_are_averaged_and_the_rest_pruned() {
        // | 1 3 5 |    (1 + 3 + 5 + 7) / 4 = 4; the third column and row do not fill a square.
        // | 5 7 9 |
        // | 0 0 0 |
        let grid = grid(1, 3, 3, 1, vec![1.0, 3.0, 5.0, 5.0, 7.0, 9.0, 0.0, 0.0, 0.0]);
        let reduction = Average { target: Target::Parameter(2.0) }.reduce(&grid).unwrap();
        assert_eq!(reduction.tokens.data(), [4.0]);
        let (kept, none) = (Some(0), None);
        assert_eq!(reduction.assignment, [kept, kept, none, kept, kept, none, none, none, none]);
        assert_eq!(reduction.flops, 4);
        assert_eq!((&reduction.positions[..], reduction.sequence_length), (&[0][..], 1));
        let all = Average { target: Target::Parameter(9.0) }.reduce(&grid).unwrap();
        assert_eq!(all.tokens.data(), [30.0 / 9.0]);
        let same = Average { target: Target::Amount(Amount::Tokens(9)) }.reduce(&grid).unwrap();
        assert_eq!(same.tokens.data(), grid.data());
    }
}
