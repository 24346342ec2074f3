//! bf16 weights times a few rows, as in a step of several texts or a short prompt.
//!
//! So few rows leave no time to widen a panel into a buffer: weights are widened in registers, once for each tile of rows. What limits
//! the rest is memory, so each tile prefetches its part of the block that comes next.

use std::ops::Range;

use rayon::prelude::*;

use crate::aligned::Scratch;
use crate::float_product::{depth_block, groups_of_six, with_panels};
use crate::matrix::Matrix;
use crate::shared_rows::prefetch_at;
use crate::simd::{Simd, kernel};

/// With more rows, widening each panel once for all of them is faster.
pub(super) const MOST_ROWS: usize = 32;

/// A few rows, packed for their tiles: `[depth][rows of the tile]` each.
pub(super) struct PackedRows {
    values: Scratch<f32>,
    rows: usize,
    depth: usize,
}

impl PackedRows {
    pub(super) fn new(x: Matrix<'_>) -> Self {
        let (rows, depth) = (x.rows(), x.columns());
        let (mut values, mut tiles) = (Scratch::new(rows * depth), Vec::new());
        let mut rest = &mut values[..];
        for tile in groups_of_six(rows) {
            let of_tile;
            (of_tile, rest) = rest.split_at_mut(tile.len() * depth);
            tiles.push((tile, of_tile));
        }
        tiles.into_par_iter().for_each(|(tile, values)| x.pack_rows(tile.len(), tile, 0..depth, values));
        Self { values, rows, depth }
    }
}

#[inline(always)]
fn multiply_generic<S: Simd>(
    s: S,
    x: &PackedRows,
    panels: &[u16],
    panel: usize,
    columns: usize,
    out: &mut [f32],
) {
    let tiles = groups_of_six(x.rows).count();
    for (index, first) in (0..columns).step_by(S::NR).enumerate() {
        let width = first..(first + S::NR).min(columns);
        for start in (0..x.depth).step_by(depth_block(x.depth)) {
            let depth = start..(start + depth_block(x.depth)).min(x.depth);
            let length = depth.len().next_multiple_of(2) * S::NR;
            let (block, next) = panels[index * panel + start * S::NR..].split_at(length);
            for (tile, rows) in groups_of_six(x.rows).enumerate() {
                let next = Next { values: next, start: tile * (length / tiles), step: 2 * S::NR / tiles };
                let left = &x.values[rows.start * x.depth + start * rows.len()..][..depth.len() * rows.len()];
                let out = &mut out[rows.start * columns..rows.end * columns];
                let out = Output { out, width: width.clone(), add: start > 0 };
                with_panels!(rows.len(), multiply_tile::<S>(s, left, block, next, out));
            }
        }
    }
}

/// What a tile prefetches of the next block: some values at each step of two of the depth.
#[derive(Clone, Copy)]
struct Next<'a> {
    values: &'a [u16],
    start: usize,
    step: usize,
}

/// Where the sums of a tile go.
struct Output<'a> {
    /// `[rows of the tile, columns]`
    out: &'a mut [f32],
    /// The columns of the tile.
    width: Range<usize>,
    /// Whether there are sums of earlier blocks of the depth.
    add: bool,
}

/// `left [depth][R]` times a block of a panel.
#[inline(always)]
fn multiply_tile<S: Simd, const R: usize>(
    s: S,
    left: &[f32],
    block: &[u16],
    next: Next<'_>,
    output: Output<'_>,
) {
    let vectors = S::NR / S::LANES;
    let mut sums = [[s.splat(0.0); 2]; R];
    // Loaded a second time: with the sums of six rows, AVX2 has no registers left to keep pairs in.
    let again = std::hint::black_box(block);
    let (pairs, last) = left.as_chunks::<R>().0.as_chunks::<2>();
    let blocks = block.chunks_exact(2 * S::NR).zip(again.chunks_exact(2 * S::NR));
    let mut ahead = next.start;
    for ([even, odd], (block, again)) in pairs.iter().zip(blocks) {
        prefetch_at(next.values, ahead);
        ahead += next.step;
        let columns: [S::F; 2] = std::array::from_fn(|j| match j < vectors {
            true => s.load_bf16_pairs(&block[2 * j * S::LANES..]).0,
            false => s.splat(0.0),
        });
        for row in 0..R {
            let x = s.splat(even[row]);
            for j in 0..vectors {
                sums[row][j] = s.fma(x, columns[j], sums[row][j]);
            }
        }
        let columns: [S::F; 2] = std::array::from_fn(|j| match j < vectors {
            true => s.load_bf16_pairs(&again[2 * j * S::LANES..]).1,
            false => s.splat(0.0),
        });
        for row in 0..R {
            let x = s.splat(odd[row]);
            for j in 0..vectors {
                sums[row][j] = s.fma(x, columns[j], sums[row][j]);
            }
        }
    }
    if let [last] = last {
        let block = &block[pairs.len() * 2 * S::NR..];
        for j in 0..vectors {
            let (column, _) = s.load_bf16_pairs(&block[2 * j * S::LANES..]);
            for row in 0..R {
                sums[row][j] = s.fma(s.splat(last[row]), column, sums[row][j]);
            }
        }
    }
    let columns = output.out.len() / R;
    for (out, sums) in output.out.chunks_exact_mut(columns).zip(sums) {
        for (out, sum) in out[output.width.clone()].chunks_mut(S::LANES).zip(sums) {
            // Blocks are added as those of a larger product are.
            let total = if output.add { s.add(s.load_or(out, 0.0), sum) } else { sum };
            s.store_some(out, total);
        }
    }
}

kernel!(
    /// Rows times panels that are `panel` apart, to `out [rows, columns]`. Sums run in the order of a tile of widened weights.
    pub(super) fn multiply_panels(x: &PackedRows, panels: &[u16], panel: usize, columns: usize, out: &mut [f32]) =
        multiply_generic
);
