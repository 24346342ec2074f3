//! `f32` times weights that are stored in fewer bits: each block of a panel is widened once for all rows of a task.

use std::ops::Range;

use crate::Kernels;
use crate::epilogue::{Epilogue, LeftTile, OutputTile, multiply_and_finish_float_tile};
use crate::float_product::{depth_block, float_tile, tile_shape};
use crate::matrix::Matrix;
use crate::product::{Product, Tiling};

/// Weights in panels as wide as a tile of `f32`.
pub(crate) trait Widen: Sync {
    /// Blocks of the depth start at multiples of this.
    const DEPTH_MULTIPLE: usize;

    /// Widens some of the depth of a panel to `[depth, NR]`; the buffer may get more of it, up to a multiple.
    fn widen(&self, kernels: Kernels, panel: usize, depth: Range<usize>, buffer: &mut Vec<f32>);
}

/// `left [M, K]` times weights.
pub(crate) struct WidenedProduct<'a, W> {
    pub(crate) kernels: Kernels,
    pub(crate) left: Matrix<'a>,
    pub(crate) weights: &'a W,
}

impl<W: Widen> Product for WidenedProduct<'_, W> {
    type Left = f32;
    type Right = f32;

    fn tiling(&self) -> Tiling {
        let (rows, columns) = tile_shape(self.kernels);
        let depth = self.left.columns();
        let depth_block = depth_block(depth).next_multiple_of(W::DEPTH_MULTIPLE);
        Tiling { rows, columns, depth, depth_block }
    }

    fn left_len(&self, depth: usize) -> usize {
        tile_shape(self.kernels).0 * depth
    }

    fn pack_left(&self, rows: Range<usize>, depth: Range<usize>, out: &mut [f32]) {
        self.left.pack_rows(tile_shape(self.kernels).0, rows, depth, out);
    }

    fn right<'a>(&'a self, panel: usize, depth: Range<usize>, buffer: &'a mut Vec<f32>) -> &'a [f32] {
        self.weights.widen(self.kernels, panel, depth, buffer);
        buffer
    }

    fn tile(&self, left: &[f32], right: &[f32], out: &mut [f32]) {
        float_tile(self.kernels, left, right, out);
    }

    fn multiply_and_finish_tile(
        &self,
        kernels: Kernels,
        (left, right): (&[f32], &[f32]),
        _: Range<usize>,
        tile: &mut [f32],
        output: &OutputTile<'_>,
        epilogue: &Epilogue<'_>,
    ) {
        multiply_and_finish_float_tile(kernels, LeftTile::Packed(left), right, tile, output, epilogue);
    }
}
