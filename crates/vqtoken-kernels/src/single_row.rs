//! Products with a single output row, or a few that are independent, as in decoding, for weights of any kind.

use std::ops::Range;

use rayon::prelude::*;

use crate::Kernels;
use crate::aligned::Scratch;
use crate::epilogue::{Epilogue, OutputTile, finish_tile};
use crate::float_product::tile_shape;
use crate::shared_rows::SharedRows;

/// Sums that are finished at a time, so that they are still in the L1 cache: 24 KiB.
const MOST_SUMS: usize = 6144;

/// A single row is multiplied by so many panels at once.
const PANELS_AT_ONCE: usize = 6;

/// Computes one output row in chunks of whole panels, in parallel; each is finished as soon as it is summed.
pub(crate) fn multiply_single_row(
    kernels: Kernels,
    y: &mut [f32],
    epilogue: &Epilogue<'_>,
    product: impl Fn(Range<usize>, &mut [f32]) + Sync,
) {
    multiply_few_rows(kernels, (1, y.len()), y, epilogue, product);
}

/// Computes a few output rows `[rows, outputs]` in chunks of whole panels, in parallel; each is finished as soon as it is summed.
/// `product` writes the sums of some columns, `[rows, columns]`.
pub(crate) fn multiply_few_rows(
    kernels: Kernels,
    (rows, outputs): (usize, usize),
    y: &mut [f32],
    epilogue: &Epilogue<'_>,
    product: impl Fn(Range<usize>, &mut [f32]) + Sync,
) {
    let panel = tile_shape(kernels).1;
    let chunks = 4 * rayon::current_num_threads();
    let chunk = outputs.div_ceil(chunks).next_multiple_of(panel).max(1);
    let block = (MOST_SUMS / rows.max(1)).max(1).next_multiple_of(PANELS_AT_ONCE * panel);
    let out = SharedRows::new(y, outputs);
    (0..outputs.div_ceil(chunk)).into_par_iter().for_each(|index| {
        let end = ((index + 1) * chunk).min(outputs);
        for first in (index * chunk..end).step_by(block) {
            let columns = first..(first + block).min(end);
            let (width, mut sums) = (columns.len(), Scratch::new(rows * columns.len()));
            sums.fill(0.0);
            product(columns.clone(), &mut sums);
            let output = OutputTile { out, rows: 0..rows, columns, width: outputs, first: true, last: true };
            finish_tile(kernels, &sums, width, &output, epilogue);
        }
    });
}
