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

/// Cuts `count` panels that a single row is multiplied by, or rows that a panel is, into groups of about equal size, of at most six: enough
/// accumulators to hide the latency of a multiply-add, and few enough to stay in registers.
pub(crate) fn groups_of_six(count: usize) -> impl Iterator<Item = Range<usize>> {
    let groups = count.div_ceil(6);
    (0..groups).map(move |group| count * group / groups..count * (group + 1) / groups)
}

/// Calls a function with the number of panels as a constant.
macro_rules! with_panels {
    ($count:expr, $function:ident::<$simd:ident>($($argument:expr),*)) => {
        match $count {
            1 => $function::<$simd, 1>($($argument),*),
            2 => $function::<$simd, 2>($($argument),*),
            3 => $function::<$simd, 3>($($argument),*),
            4 => $function::<$simd, 4>($($argument),*),
            5 => $function::<$simd, 5>($($argument),*),
            _ => $function::<$simd, 6>($($argument),*),
        }
    };
}
pub(crate) use with_panels;

#[inline(always)]
fn vector_product<S: Simd>(s: S, x: &[f32], panels: &[f32], out: &mut [f32]) {
    let panel = x.len() * S::NR;
    for group in groups_of_six(out.len().div_ceil(S::NR)) {
        let panels = &panels[group.start * panel..group.end * panel];
        let columns = group.start * S::NR..(group.end * S::NR).min(out.len());
        with_panels!(group.len(), multiply_panels::<S>(s, x, panels, &mut out[columns]));
    }
}

/// Sums run in the order of [`tile_of`], block by block of the depth, so that a row gets the same bits alone and beside others.
#[inline(always)]
fn multiply_panels<S: Simd, const P: usize>(s: S, x: &[f32], panels: &[f32], out: &mut [f32]) {
    let vectors = S::NR / S::LANES;
    let mut totals = [[s.splat(0.0); 2]; P];
    let block = depth_block(x.len());
    for start in (0..x.len()).step_by(block) {
        let depth = start..(start + block).min(x.len());
        let panels: [&[f32]; P] =
            std::array::from_fn(|p| &panels[(p * x.len() + start) * S::NR..][..depth.len() * S::NR]);
        let mut sums = [[s.splat(0.0); 2]; P];
        for (k, x) in x[depth].iter().enumerate() {
            let x = s.splat(*x);
            for p in 0..P {
                for j in 0..vectors {
                    sums[p][j] = s.fma(x, s.load(&panels[p][k * S::NR + j * S::LANES..]), sums[p][j]);
                }
            }
        }
        add_block(s, start, &mut totals, sums);
    }
    store_totals(s, &totals, out);
}

/// Adds the sums of a block of the depth; the first block's are taken as they are.
#[inline(always)]
pub(crate) fn add_block<S: Simd, const P: usize>(
    s: S,
    start: usize,
    totals: &mut [[S::F; 2]; P],
    sums: [[S::F; 2]; P],
) {
    if start == 0 {
        *totals = sums;
        return;
    }
    for (totals, sums) in totals.iter_mut().zip(sums) {
        for (total, sum) in totals.iter_mut().zip(sums) {
            *total = s.add(*total, sum);
        }
    }
}

/// Writes the totals of each panel's columns; the last panel may have fewer.
#[inline(always)]
pub(crate) fn store_totals<S: Simd, const P: usize>(s: S, totals: &[[S::F; 2]; P], out: &mut [f32]) {
    for (totals, out) in totals.iter().zip(out.chunks_mut(S::NR)) {
        for (total, out) in totals.iter().zip(out.chunks_mut(S::LANES)) {
            s.store_some(out, *total);
        }
    }
}
