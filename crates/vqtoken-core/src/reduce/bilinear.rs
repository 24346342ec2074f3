//! Bilinear pooling: what LLaVA-OneVision does to every frame instead of quantizing.

use rayon::prelude::*;

use super::pooling::Stride;
use super::{ReduceError, Reducer, Reduction, Target, check};
use crate::grid::{GridError, GridShape, TokenGrid};

/// Pools each frame by bilinear interpolation. Source: LLaVA-OneVision (Li et al., 2024).
///
/// Natural unit: the stride s, `bilinear:s=2`, written just `bilinear` for LLaVA-OneVision's 2: sides of H and W become
/// `ceil(H / s)` and `ceil(W / s)`. A budget takes the smallest stride that leaves at most M tokens; at least one a frame is
/// left. Every grid token is assigned to the pooled cell that its centre lies in. Complexity: `7 M D`, four weighted cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Bilinear {
    /// The stride, or M.
    pub target: Target,
}

impl Reducer for Bilinear {
    fn name(&self) -> String {
        Stride::name("bilinear", &self.target)
    }

    fn reduce(&self, grid: &TokenGrid) -> Result<Reduction, ReduceError> {
        check(grid)?;
        let pooled = |side: usize, stride: usize| side.div_ceil(stride);
        let stride = Stride { reducer: "bilinear", pooled }.of(&self.target, grid)?;
        let GridShape { frames, height, width } = grid.shape();
        let shape = GridShape { frames, height: pooled(height, stride), width: pooled(width, stride) };
        let tokens = interpolate(grid, shape)?;
        let cell = |index: usize, side: usize, cells: usize| (2 * index + 1) * cells / (2 * side);
        let assignment = (0..grid.shape().len()).map(|token| {
            let (frame, row, column) = (token / (height * width), token / width % height, token % width);
            let (row, column) = (cell(row, height, shape.height), cell(column, width, shape.width));
            Some(((frame * shape.height + row) * shape.width + column) as u32)
        });
        let flops = 7 * tokens.data().len() as u64;
        Ok(Reduction::resampled(grid.dim(), tokens.data().to_vec(), assignment.collect(), flops))
    }
}

/// What a pooled cell is along one axis: `(1 - weight) * first + weight * second`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PooledCell {
    /// Index of a cell of the grid.
    pub first: usize,
    /// Index of the next one, or of the same at the end.
    pub second: usize,
    /// Weight of the second, in `[0, 1)`.
    pub weight: f32,
}

/// Halves both sides of every frame's grid, rounding up, by bilinear interpolation with cell centres aligned
/// (`align_corners = false`): 27 x 27 tokens become 14 x 14.
///
/// `[T, H, W, D]` to `[T, ceil(H / 2), ceil(W / 2), D]`. Source: LLaVA-OneVision (Li et al., 2024), where the rows of 32 such
/// frames are the unreduced video.
///
/// # Errors
/// None for a grid that exists; the signature is [`TokenGrid::new`]'s.
pub fn pool_bilinear(grid: &TokenGrid) -> Result<TokenGrid, GridError> {
    let GridShape { frames, height, width } = grid.shape();
    interpolate(grid, GridShape { frames, height: height.div_ceil(2), width: width.div_ceil(2) })
}

/// Every frame's grid at another, smaller size.
fn interpolate(grid: &TokenGrid, shape: GridShape) -> Result<TokenGrid, GridError> {
    let GridShape { height, width, .. } = grid.shape();
    let (rows, columns) = (pooled_cells(height, shape.height), pooled_cells(width, shape.width));
    let dim = grid.dim();
    let mut data = vec![0.0; shape.frames * shape.height * shape.width * dim];
    data.par_chunks_mut(shape.height * shape.width * dim).enumerate().for_each(|(frame, pooled)| {
        let token = |row: usize, column: usize| grid.token((frame * height + row) * width + column);
        let cells = rows.iter().flat_map(|row| columns.iter().map(move |column| (row, column)));
        for (cell, (row, column)) in pooled.chunks_mut(dim).zip(cells) {
            let (upper_left, upper_right) = (token(row.first, column.first), token(row.first, column.second));
            let (lower_left, lower_right) =
                (token(row.second, column.first), token(row.second, column.second));
            for (d, value) in cell.iter_mut().enumerate() {
                let upper = upper_left[d] * (1.0 - column.weight) + upper_right[d] * column.weight;
                let lower = lower_left[d] * (1.0 - column.weight) + lower_right[d] * column.weight;
                *value = upper * (1.0 - row.weight) + lower * row.weight;
            }
        }
    });
    TokenGrid::new(shape, dim, data)
}

/// The weights of bilinear interpolation along one axis, from `cells` cells to `pooled` (`align_corners = false`), `[pooled]`.
///
/// [`pool_bilinear`] applies them to slices; training applies the same to tensors with gradients.
pub fn pooled_cells(cells: usize, pooled: usize) -> Vec<PooledCell> {
    let scale = cells as f32 / pooled as f32;
    let cell = |i: usize| {
        let position = ((i as f32 + 0.5) * scale - 0.5).max(0.0);
        let first = (position as usize).min(cells - 1);
        PooledCell { first, second: (first + 1).min(cells - 1), weight: position - first as f32 }
    };
    (0..pooled).map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reduce::Amount;

    #[test]
    fn even_sides_give_the_mean_of_four() {
        let shape = GridShape { frames: 1, height: 2, width: 4 };
        let grid = TokenGrid::new(shape, 1, vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]).unwrap();
        let pooled = pool_bilinear(&grid).unwrap();
        assert_eq!(pooled.shape(), GridShape { frames: 1, height: 1, width: 2 });
        assert_eq!(pooled.data(), [2.5, 4.5]);
    }

    #[test]
    fn odd_sides_read_between_cells() {
        // 3 cells to 2: centres at 0.25 and 1.75 of the cells 0, 1, 2.
        let shape = GridShape { frames: 2, height: 1, width: 3 };
        let grid = TokenGrid::new(shape, 1, vec![0.0, 4.0, 8.0, 1.0, 1.0, 1.0]).unwrap();
        assert_eq!(pool_bilinear(&grid).unwrap().data(), [1.0, 7.0, 1.0, 1.0]);
    }

    #[test]
    fn cells_of_three_go_to_two() {
        // The centres of 3 cells lie at 1/6, 3/6 and 5/6 of the side, the border of the two pooled cells at 1/2.
        let shape = GridShape { frames: 2, height: 1, width: 3 };
        let grid = TokenGrid::new(shape, 1, vec![0.0, 4.0, 8.0, 1.0, 1.0, 1.0]).unwrap();
        let reduction = Bilinear { target: Target::Parameter(2.0) }.reduce(&grid).unwrap();
        assert_eq!(reduction.tokens.data(), [1.0, 7.0, 1.0, 1.0]);
        assert_eq!(reduction.assignment, [0, 1, 1, 2, 3, 3].map(Some));
        assert_eq!(reduction.flops, 28);
        // At most 3 tokens: stride 3, one a frame, the middle one.
        let reduction = Bilinear { target: Target::Amount(Amount::Tokens(3)) }.reduce(&grid).unwrap();
        assert_eq!(reduction.tokens.data(), [4.0, 1.0]);
        let error = Bilinear { target: Target::Amount(Amount::Tokens(1)) }.reduce(&grid).unwrap_err();
        assert_eq!(error, ReduceError::BudgetTooSmall { reducer: "bilinear", budget: 1, least: 2 });
    }

    #[test]
    fn one_cell_stays() {
        let shape = GridShape { frames: 1, height: 1, width: 1 };
        let grid = TokenGrid::new(shape, 2, vec![3.0, -1.0]).unwrap();
        assert_eq!(pool_bilinear(&grid).unwrap().data(), [3.0, -1.0]);
    }
}
