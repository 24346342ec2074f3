//! A single output row, for weights of any kind: what decoding lives on.

use std::ops::Range;

use rayon::prelude::*;

use crate::Kernels;
use crate::aligned::Aligned;
use crate::epilogue::{Epilogue, Place, finish_tile};
use crate::float_product::tile_shape;
use crate::shared_rows::SharedRows;

/// One output row: pieces of whole panels beside each other, each finished as soon as it is summed.
pub(crate) fn one_row(
    kernels: Kernels,
    y: &mut [f32],
    epilogue: &Epilogue<'_>,
    product: impl Fn(Range<usize>, &mut [f32]) + Sync,
) {
    let panel = tile_shape(kernels).1;
    let outputs = y.len();
    let pieces = 4 * rayon::current_num_threads();
    let piece = outputs.div_ceil(pieces).next_multiple_of(panel);
    let out = SharedRows::new(y, outputs);
    (0..outputs.div_ceil(piece.max(1))).into_par_iter().for_each(|index| {
        let columns = index * piece..((index + 1) * piece).min(outputs);
        let mut sums = Aligned::zeros(columns.len());
        product(columns.clone(), &mut sums);
        let place = Place { out, rows: 0..1, columns, width: outputs, first: true, last: true };
        finish_tile(kernels, &sums, sums.len(), &place, epilogue);
    });
}
