//! Products whose depth is much longer than their output is wide, such as the gradients of weights. They are cut along the depth, so that what is packed
//! stays in the L2 cache; the sums of the parts are added in order.

use std::ops::Range;

use rayon::prelude::*;

use crate::Kernels;
use crate::aligned::{Aligned, Scratch};
use crate::epilogue::{Epilogue, LeftTile, OutputTile, multiply_and_finish_float_tile};
use crate::float_product::tile_shape;
use crate::matrix::Matrix;
use crate::shared_rows::SharedRows;

/// Depth of a part; must not depend on the number of threads.
const PART: usize = 512;

/// Depth that is packed at a time.
const BLOCK: usize = 128;

/// The least number of parts that is worth it.
const LEAST_PARTS: usize = 4;

/// Values of the largest output, of which each part has sums of its own.
const MOST_OUTPUTS: usize = 1 << 17;

/// Values of the output that a task adds up.
const CHUNK: usize = 4096;

/// Whether a product `[rows, depth]` times `[depth, columns]` is for [`multiply_long`].
pub(crate) fn is_long(rows: usize, columns: usize, depth: usize) -> bool {
    depth >= LEAST_PARTS * PART && (1..=MOST_OUTPUTS).contains(&rows.saturating_mul(columns))
}

/// `out [M, N] = left [M, K] right [K, N]`, added to `out` if `add` says so.
pub(crate) fn multiply_long(
    kernels: Kernels,
    left: Matrix<'_>,
    right: Matrix<'_>,
    out: &mut [f32],
    add: bool,
) {
    let (depth, length) = (left.columns(), out.len());
    let mut sums = Scratch::new(depth.div_ceil(PART) * length);
    sums.par_chunks_mut(length).enumerate().for_each(|(part, sums)| {
        let depth = part * PART..((part + 1) * PART).min(depth);
        multiply_part(kernels, left, right, depth, sums);
    });
    out.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, out)| {
        if !add {
            out.fill(0.0);
        }
        for sums in sums.chunks_exact(length) {
            out.iter_mut().zip(&sums[chunk * CHUNK..]).for_each(|(out, sum)| *out += sum);
        }
    });
}

/// The sums over a part of the depth.
fn multiply_part(
    kernels: Kernels,
    left: Matrix<'_>,
    right: Matrix<'_>,
    depth: Range<usize>,
    out: &mut [f32],
) {
    let (rows, columns, (mr, nr)) = (left.rows(), right.columns(), tile_shape(kernels));
    let (height, width) = (rows.next_multiple_of(mr), columns.next_multiple_of(nr));
    let mut packed = Scratch::new((height + width) * BLOCK.min(depth.len()));
    let mut tile = Aligned::zeros(mr * nr);
    let out = SharedRows::new(out, columns);
    for start in depth.clone().step_by(BLOCK) {
        let block = start..(start + BLOCK).min(depth.end);
        let (lefts, rest) = packed.split_at_mut(height * block.len());
        let rights = &mut rest[..width * block.len()];
        left.pack_rows(mr, 0..rows, block.clone(), lefts);
        right.transposed().pack_rows(nr, 0..columns, block.clone(), rights);
        for (right, column) in rights.chunks_exact(nr * block.len()).zip((0..columns).step_by(nr)) {
            for (left, row) in lefts.chunks_exact(mr * block.len()).zip((0..rows).step_by(mr)) {
                let output = OutputTile {
                    out,
                    rows: row..(row + mr).min(rows),
                    columns: column..(column + nr).min(columns),
                    width: columns,
                    first: block.start == depth.start,
                    last: block.end == depth.end,
                };
                let left = LeftTile::Packed(left);
                multiply_and_finish_float_tile(
                    kernels,
                    left,
                    right,
                    &mut tile,
                    &output,
                    &Epilogue::default(),
                );
            }
        }
    }
}
