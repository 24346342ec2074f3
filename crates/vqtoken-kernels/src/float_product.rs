//! Products of `f32`: tiles on packed panels, and the vector-matrix product that decoding depends on.

use std::ops::Range;

use crate::Kernels;
use crate::aligned::Scratch;
use crate::epilogue::{Epilogue, LeftTile, OutputTile, multiply_and_finish_float_tile};
use crate::matrix::Matrix;
use crate::product::{Product, Tiling};
use crate::simd::{Simd, kernel};

#[inline(always)]
fn tile_of<S: Simd>(s: S, left: &[f32], right: &[f32], out: &mut [f32]) {
    s.tile(left, right, out);
}

#[inline(always)]
fn shape_of<S: Simd>(_: S) -> (usize, usize) {
    (S::MR, S::NR)
}

kernel!(
    /// `left [K][MR]` times `right [K][NR]` to `out [MR][NR]`.
    pub(crate) fn float_tile(left: &[f32], right: &[f32], out: &mut [f32]) = tile_of
);
kernel!(
    /// Rows and columns of a register tile.
    pub(crate) fn tile_shape() -> (usize, usize) = shape_of
);
kernel!(
    /// `x [K]` times panels `[K][NR]`, to `out`, one value a column.
    pub(crate) fn float_vector_product(x: &[f32], panels: &[f32], out: &mut [f32]) = vector_product
);

/// The longest block of the depth that is multiplied at a time. A panel of it does not fit the L1 cache, but arrives from L2
/// in time; shorter blocks lose more by adding to the output more often.
const MAX_DEPTH_BLOCK: usize = 1152;

/// The length of about equal, even blocks of the depth.
pub(crate) fn depth_block(depth: usize) -> usize {
    depth.div_ceil(depth.div_ceil(MAX_DEPTH_BLOCK).max(1)).next_multiple_of(2).max(2)
}

/// For at most this many columns, packing the left operand costs more than it saves.
const MAX_IN_PLACE_COLUMNS: usize = 512;

/// `left [M, K]` times packed panels `[N / NR][K][NR]`.
pub(crate) struct FloatProduct<'a> {
    pub(crate) kernels: Kernels,
    pub(crate) left: Matrix<'a>,
    pub(crate) panels: &'a [f32],
}

impl Product for FloatProduct<'_> {
    type Left = f32;
    type Right = f32;

    fn tiling(&self) -> Tiling {
        let (rows, columns) = tile_shape(self.kernels);
        let depth = self.left.columns();
        Tiling { rows, columns, depth, depth_block: depth_block(depth) }
    }

    fn left_len(&self, depth: usize) -> usize {
        tile_shape(self.kernels).0 * depth
    }

    fn pack_left(&self, rows: Range<usize>, depth: Range<usize>, out: &mut [f32]) {
        self.left.pack_rows(tile_shape(self.kernels).0, rows, depth, out);
    }

    fn right<'a>(&'a self, panel: usize, depth: Range<usize>, _: &'a mut Vec<f32>) -> &'a [f32] {
        let width = tile_shape(self.kernels).1;
        &self.panels[(panel * self.left.columns() + depth.start) * width..][..depth.len() * width]
    }

    fn left_in_place(&self) -> bool {
        self.left.has_contiguous_rows() && self.panels.len() <= MAX_IN_PLACE_COLUMNS * self.left.columns()
    }

    fn tile(&self, left: &[f32], right: &[f32], out: &mut [f32]) {
        float_tile(self.kernels, left, right, out);
    }

    fn multiply_and_finish_tile(
        &self,
        kernels: Kernels,
        (left, right): (&[f32], &[f32]),
        depth: Range<usize>,
        tile: &mut [f32],
        output: &OutputTile<'_>,
        epilogue: &Epilogue<'_>,
    ) {
        let mr = tile_shape(kernels).0;
        if !self.left_in_place() {
            multiply_and_finish_float_tile(kernels, LeftTile::Packed(left), right, tile, output, epilogue);
        } else if output.rows.len() == mr {
            let (data, row_stride) = self.left.from(output.rows.start, depth.start);
            let left = LeftTile::InPlace { data, row_stride };
            multiply_and_finish_float_tile(kernels, left, right, tile, output, epilogue);
        } else {
            let mut packed = Scratch::new(mr * depth.len());
            self.left.pack_rows(mr, output.rows.clone(), depth, &mut packed);
            multiply_and_finish_float_tile(kernels, LeftTile::Packed(&packed), right, tile, output, epilogue);
        }
    }
}

/// Independent accumulators, to hide the latency of a multiply-add.
const CHAINS: usize = 4;

#[inline(always)]
fn vector_product<S: Simd>(s: S, x: &[f32], panels: &[f32], out: &mut [f32]) {
    let vectors = S::NR / S::LANES;
    for (panel, out) in panels.chunks_exact((x.len() * S::NR).max(1)).zip(out.chunks_mut(S::NR)) {
        let mut sums = [[s.splat(0.0); 2]; CHAINS];
        for (x, rows) in x.chunks_exact(CHAINS).zip(panel.chunks_exact(CHAINS * S::NR)) {
            for chain in 0..CHAINS {
                let factor = s.splat(x[chain]);
                for j in 0..vectors {
                    let weights = s.load(&rows[chain * S::NR + j * S::LANES..]);
                    sums[chain][j] = s.fma(factor, weights, sums[chain][j]);
                }
            }
        }
        let done = x.len() / CHAINS * CHAINS;
        for (x, row) in x[done..].iter().zip(panel[done * S::NR..].chunks_exact(S::NR)) {
            for j in 0..vectors {
                sums[0][j] = s.fma(s.splat(*x), s.load(&row[j * S::LANES..]), sums[0][j]);
            }
        }
        for (j, out) in out.chunks_mut(S::LANES).enumerate() {
            let total = s.add(s.add(sums[0][j], sums[1][j]), s.add(sums[2][j], sums[3][j]));
            s.store_some(out, total);
        }
    }
}
