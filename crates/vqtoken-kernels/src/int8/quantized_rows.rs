//! Rows rounded to int8, one scale a row.

use rayon::prelude::*;

use super::magnitude::largest_magnitude;
use crate::Kernels;
use crate::simd::{Simd, kernel};

/// Rows rounded to int8.
pub(crate) struct QuantizedRows {
    /// `[rows, depth]`, each row filled up with zeros to `depth`.
    pub(crate) values: Vec<i8>,
    /// What a row's numbers are multiplied by; NaN for a row that holds NaN or infinity.
    pub(crate) scales: Vec<f32>,
    pub(crate) depth: usize,
}

impl QuantizedRows {
    /// Rounds each row to -127..=127 by its largest magnitude, ties to even. The outlier channels come out as zero.
    pub(crate) fn new(
        kernels: Kernels,
        numbers: &[f32],
        (rows, columns): (usize, usize),
        group: usize,
        outliers: &[usize],
    ) -> Self {
        let depth = columns.next_multiple_of(group);
        let mut values = vec![0; rows * depth];
        let mut scales = vec![0.0; rows];
        let places = values.par_chunks_mut(depth.max(1)).zip(&mut scales);
        places.zip(numbers.par_chunks(columns.max(1))).for_each(|((values, scale), row)| {
            let finite = largest_magnitude(kernels, row).is_finite();
            let calm = (!outliers.is_empty()).then(|| {
                let mut calm = row.to_vec();
                outliers.iter().for_each(|channel| calm[*channel] = 0.0);
                calm
            });
            *scale = match finite {
                true => quantize_row(kernels, calm.as_deref().unwrap_or(row), values),
                false => f32::NAN,
            };
        });
        Self { values, scales, depth }
    }
}

/// Rounds a row to -127..=127 by its largest magnitude, ties to even, and returns what it is multiplied by. `values` is all
/// zeros before.
pub(super) fn quantize_row(kernels: Kernels, row: &[f32], values: &mut [i8]) -> f32 {
    let largest = largest_magnitude(kernels, row);
    // Unless 127 / largest overflows, or there is nothing to scale.
    if largest.is_finite() && largest > 127.0 * f32::MIN_POSITIVE {
        round_row(kernels, row, 127.0 / largest, values);
    }
    if largest.is_finite() { largest / 127.0 } else { f32::NAN }
}

#[inline(always)]
fn round_all<S: Simd>(_: S, row: &[f32], inverse: f32, values: &mut [i8]) {
    for (value, x) in values.iter_mut().zip(row) {
        // 1.5 * 2^23 leaves no bits for the fraction; the lowest byte is the rounded number.
        *value = (x * inverse + 12_582_912.0).to_bits() as i8;
    }
}

kernel!(fn round_row(row: &[f32], inverse: f32, values: &mut [i8]) = round_all);
