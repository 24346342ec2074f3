//! Products of `f32`: tiles on panels, and the matrix-vector product that decoding lives on.

use std::ops::Range;

use crate::Kernels;
use crate::aligned::Scratch;
use crate::epilogue::{Epilogue, LeftSide, Place, finished_float_tile};
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
    /// Rows and columns of a tile.
    pub(crate) fn tile_shape() -> (usize, usize) = shape_of
);
kernel!(
    /// `x [K]` times panels `[K][NR]` to `out`, one number a column.
    pub(crate) fn float_vector_product(x: &[f32], panels: &[f32], out: &mut [f32]) = vector_product
);

/// The most of the depth that is multiplied at a time. A panel of it does not stay in the first-level cache, but comes
/// from the second in time; shorter blocks lose more by adding to the output once more each.
const DEPTH_BLOCK: usize = 1152;

/// The depth in equal blocks, of an even number.
pub(crate) fn depth_block(depth: usize) -> usize {
    depth.div_ceil(depth.div_ceil(DEPTH_BLOCK).max(1)).next_multiple_of(2).max(2)
}

/// The most columns for which packing the left side costs more than it saves.
const NARROW: usize = 512;

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
        self.left.has_whole_rows() && self.panels.len() <= NARROW * self.left.columns()
    }

    fn tile(&self, left: &[f32], right: &[f32], out: &mut [f32]) {
        float_tile(self.kernels, left, right, out);
    }

    fn finished_tile(
        &self,
        kernels: Kernels,
        (left, right): (&[f32], &[f32]),
        depth: Range<usize>,
        tile: &mut [f32],
        place: &Place<'_>,
        epilogue: &Epilogue<'_>,
    ) {
        let mr = tile_shape(kernels).0;
        if !self.left_in_place() {
            finished_float_tile(kernels, LeftSide::Packed(left), right, tile, place, epilogue);
        } else if place.rows.len() == mr {
            let (numbers, stride) = self.left.from(place.rows.start, depth.start);
            let left = LeftSide::InPlace(numbers, stride);
            finished_float_tile(kernels, left, right, tile, place, epilogue);
        } else {
            let mut packed = Scratch::new(mr * depth.len());
            self.left.pack_rows(mr, place.rows.clone(), depth, &mut packed);
            finished_float_tile(kernels, LeftSide::Packed(&packed), right, tile, place, epilogue);
        }
    }
}

/// Sums that run beside each other, so that they need not wait for one another.
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
