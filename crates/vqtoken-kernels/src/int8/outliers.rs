//! Outlier channels of activations: inputs so much larger than the others that they would leave the others few of a row's
//! 127 steps. Each call detects them, leaves them out of the int8 product and multiplies them in `f32`.
//!
//! Source: Dettmers et al., LLM.int8() (arXiv 2208.07339), with a threshold relative to the activations' magnitude.

use rayon::prelude::*;

use crate::aligned::Scratch;
use crate::float_product::{FloatProduct, tile_shape};
use crate::magnitude::magnitude_bits;
use crate::product::multiply;
use crate::simd::{Simd, kernel};
use crate::{Kernels, Matrix, epilogue::Epilogue};

/// An outlier is larger than this many times the median of the channels.
const FACTOR: f32 = 6.0;

/// At most one in so many channels is an outlier: the largest ones.
const CHANNELS_PER_OUTLIER: usize = 32;

/// Rows of a task.
const ROWS: usize = 32;

/// The channels of `x [rows, channels]` whose largest magnitude is more than [`FACTOR`] times the median of all
/// channels, in ascending order.
pub(crate) fn outlier_channels(kernels: Kernels, x: Matrix<'_>) -> Vec<usize> {
    let channels = x.columns();
    let max_outliers = channels / CHANNELS_PER_OUTLIER;
    if max_outliers == 0 || x.rows() == 0 {
        return Vec::new();
    }
    let largest = x
        .data()
        .par_chunks(ROWS * channels)
        .map(|rows| {
            let mut largest = vec![0; channels];
            rows.chunks_exact(channels).for_each(|row| update_largest(kernels, row, &mut largest));
            largest
        })
        .reduce_with(|mut a, b| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a = b.max(*a));
            a
        })
        .unwrap_or_default();
    let mut ordered = largest.clone();
    let median = *ordered.select_nth_unstable(channels / 2).1;
    let limit = magnitude_bits(f32::from_bits(median) * FACTOR);
    let mut found: Vec<usize> = (0..channels).filter(|channel| largest[*channel] > limit).collect();
    if found.len() > max_outliers {
        found.sort_by_key(|channel| (std::cmp::Reverse(largest[*channel]), *channel));
        found.truncate(max_outliers);
        found.sort_unstable();
    }
    found
}

#[inline(always)]
fn update_generic<S: Simd>(_: S, row: &[f32], largest: &mut [u32]) {
    for (largest, x) in largest.iter_mut().zip(row) {
        *largest = magnitude_bits(*x).max(*largest);
    }
}

kernel!(fn update_largest(row: &[f32], largest: &mut [u32]) = update_generic);

/// `out = x[:, channels] weights` for weights `[channels, outputs]`.
pub(crate) fn multiply_channels(
    kernels: Kernels,
    x: Matrix<'_>,
    channels: &[usize],
    weights: Matrix<'_>,
    out: &mut [f32],
) {
    let gathered: Vec<f32> =
        (0..x.rows()).flat_map(|row| channels.iter().map(move |channel| x.row(row)[*channel])).collect();
    let left = Matrix::strided(&gathered, x.rows(), channels.len(), channels.len());
    let width = tile_shape(kernels).1;
    let mut panels = Scratch::new(weights.packed_len(width));
    weights.pack_columns(width, &mut panels);
    let product = FloatProduct { kernels, left, panels: &panels };
    multiply(kernels, product, (x.rows(), weights.columns()), out, &Epilogue::default());
}
