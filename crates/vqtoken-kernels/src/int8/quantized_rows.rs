//! Rows quantized to int8, one scale a row.

use rayon::prelude::*;

use crate::Kernels;
use crate::magnitude::largest_magnitude;
use crate::simd::{Simd, kernel};

/// Rows quantized to int8.
pub(crate) struct QuantizedRows {
    /// `[rows, depth]`, each row zero-padded to `depth`.
    pub(crate) values: Vec<i8>,
    /// `[rows]`: what the values of a row are multiplied by; NaN for a row with NaN or infinity.
    pub(crate) scales: Vec<f32>,
    /// Values of a row, padding included.
    pub(crate) depth: usize,
}

impl QuantizedRows {
    /// Quantizes each row to -127..=127 by its largest magnitude, ties to even, and pads it to a multiple of `group`. Outlier
    /// channels become zero and do not count for the magnitude.
    pub(crate) fn new(
        kernels: Kernels,
        x: &[f32],
        (rows, columns): (usize, usize),
        group: usize,
        outliers: &[usize],
    ) -> Self {
        let depth = columns.next_multiple_of(group);
        let mut values = vec![0; rows * depth];
        let mut scales = vec![0.0; rows];
        let outputs = values.par_chunks_mut(depth.max(1)).zip(&mut scales);
        outputs.zip(x.par_chunks(columns.max(1))).for_each(|((values, scale), row)| {
            let finite = largest_magnitude(kernels, row).is_finite();
            let without_outliers = (!outliers.is_empty()).then(|| {
                let mut row = row.to_vec();
                outliers.iter().for_each(|channel| row[*channel] = 0.0);
                row
            });
            *scale = match finite {
                true => quantize_row(kernels, without_outliers.as_deref().unwrap_or(row), values),
                false => f32::NAN,
            };
        });
        Self { values, scales, depth }
    }
}

/// Quantizes a row to -127..=127 by its largest magnitude, ties to even, and returns its scale, NaN for a row with NaN or
/// infinity. `values` must be zeros.
pub(super) fn quantize_row(kernels: Kernels, row: &[f32], values: &mut [i8]) -> f32 {
    let largest = largest_magnitude(kernels, row);
    // Below that, 127 / largest overflows; the values stay zeros.
    if largest.is_finite() && largest > 127.0 * f32::MIN_POSITIVE {
        round_row(kernels, row, 127.0 / largest, values);
    }
    if largest.is_finite() { largest / 127.0 } else { f32::NAN }
}

#[inline(always)]
fn round_all<S: Simd>(_: S, row: &[f32], inverse: f32, values: &mut [i8]) {
    for (value, x) in values.iter_mut().zip(row) {
        // Adding 1.5 * 2^23 leaves no bits for the fraction; the lowest byte is the rounded value.
        *value = (x * inverse + 12_582_912.0).to_bits() as i8;
    }
}

kernel!(fn round_row(row: &[f32], inverse: f32, values: &mut [i8]) = round_all);
