//! Products with a single output row, or a few that are independent, as in decoding, for weights of any kind.

use std::ops::Range;

use rayon::prelude::*;

use crate::Kernels;
use crate::aligned::Aligned;
use crate::epilogue::{Epilogue, OutputTile, finish_tile};
use crate::float_product::tile_shape;
use crate::shared_rows::SharedRows;

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
    let chunk = outputs.div_ceil(chunks).next_multiple_of(panel);
    let out = SharedRows::new(y, outputs);
    (0..outputs.div_ceil(chunk.max(1))).into_par_iter().for_each(|index| {
        let columns = index * chunk..((index + 1) * chunk).min(outputs);
        let (width, mut sums) = (columns.len(), Aligned::zeros(rows * columns.len()));
        product(columns.clone(), &mut sums);
        let output = OutputTile { out, rows: 0..rows, columns, width: outputs, first: true, last: true };
        finish_tile(kernels, &sums, width, &output, epilogue);
    });
}
