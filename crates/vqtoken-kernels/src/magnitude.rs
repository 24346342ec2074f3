//! Magnitudes of activations and weights.

use crate::simd::{Simd, kernel};

/// The bits of `|x|`. They compare like the magnitudes; infinity, then NaN, above all finite values.
pub(crate) fn magnitude_bits(x: f32) -> u32 {
    x.to_bits() & 0x7FFF_FFFF
}

#[inline(always)]
fn largest_of<S: Simd>(_: S, row: &[f32]) -> f32 {
    f32::from_bits(row.iter().fold(0, |largest, x| largest.max(magnitude_bits(*x))))
}

kernel!(
    /// The largest magnitude; NaN if there is one.
    pub(crate) fn largest_magnitude(row: &[f32]) -> f32 = largest_of
);
