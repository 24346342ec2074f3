//! Small grids for the tests worked by hand.

use crate::grid::{GridShape, TokenGrid};

pub(crate) fn grid(frames: usize, height: usize, width: usize, dim: usize, data: Vec<f32>) -> TokenGrid {
    TokenGrid::new(GridShape { frames, height, width }, dim, data).unwrap()
}

/// One frame of one row, one channel.
pub(crate) fn line(values: &[f32]) -> TokenGrid {
    grid(1, 1, values.len(), 1, values.to_vec())
}
