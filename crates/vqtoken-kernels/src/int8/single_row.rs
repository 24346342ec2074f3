//! A single row times int8 weights, as in decoding. It is bound by memory, so activations can have up to 16 bits at no
//! cost.
//!
//! With such fine steps outlier channels need no special treatment. Sums stay exact in `i32`.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use super::tiles::Int8Path;
use crate::Kernels;
use crate::magnitude::largest_magnitude;

/// A row quantized as finely as exact sums in `i32` allow.
pub(crate) struct FineRow {
    /// Zero-padded to the depth of the panels.
    values: Vec<i16>,
    /// The same values in pairs, for paths that multiply pairs.
    pairs: Vec<i32>,
    /// What the values are multiplied by; NaN for a row with NaN or infinity.
    pub(crate) scale: f32,
}

impl FineRow {
    /// Quantizes `row` by its largest magnitude, ties to even, and pads it to `depth`.
    pub(crate) fn new(kernels: Kernels, row: &[f32], depth: usize) -> Self {
        // Weights are at most 127.
        let steps = (i32::MAX as usize / 127 / row.len().max(1)).min(i16::MAX as usize) as f32;
        let largest = largest_magnitude(kernels, row);
        let mut values = vec![0_i16; depth];
        if largest.is_finite() && largest > steps * f32::MIN_POSITIVE {
            let inverse = steps / largest;
            for (value, x) in values.iter_mut().zip(row) {
                // Adding 1.5 * 2^23 leaves no bits for the fraction; the lowest bits are the rounded value.
                *value = (x * inverse + 12_582_912.0).to_bits() as i16;
            }
        }
        let pairs = values.chunks_exact(2).map(|pair| i32::from(pair[0]) & 0xFFFF | i32::from(pair[1]) << 16);
        let scale = if largest.is_finite() { largest / steps } else { f32::NAN };
        Self { pairs: pairs.collect(), values, scale }
    }

    /// The sums of one panel, `out [columns of the path]`.
    pub(crate) fn product(&self, path: Int8Path, panel: &[i8], out: &mut [f32]) {
        match path {
            Int8Path::Portable | Int8Path::Avx2 => path.tile(&self.pairs, panel, out),
            #[cfg(target_arch = "x86_64")]
            Int8Path::Vnni | Int8Path::Amx => {
                let corrections = panel.len() - path.columns() * self.values.len();
                // SAFETY: these paths are selected only if the CPU has AVX-512 BW.
                unsafe { multiply_panel(&self.values, &panel[corrections..], out) }
            }
            #[cfg(not(target_arch = "x86_64"))]
            Int8Path::Vnni | Int8Path::Amx => path.tile(&self.pairs, panel, out),
        }
    }
}

/// `values [K]` times `panel [K / 4][32][4]`, widened to `i16`.
///
/// # Safety
/// The CPU must support AVX-512 F and BW.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn multiply_panel(values: &[i16], panel: &[i8], out: &mut [f32]) {
    let mut sums = [_mm512_setzero_si512(); 4];
    for (values, panel) in values.chunks_exact(4).zip(panel.chunks_exact(128)) {
        // SAFETY: four elements of two bytes.
        let four = unsafe { values.as_ptr().cast::<i64>().read_unaligned() };
        let row = _mm512_set1_epi64(four);
        for (sum, eight) in sums.iter_mut().zip(panel.chunks_exact(32)) {
            // SAFETY: 32 bytes, the weights of eight columns.
            let columns = _mm512_cvtepi8_epi16(unsafe { _mm256_loadu_si256(eight.as_ptr().cast()) });
            *sum = _mm512_add_epi32(*sum, _mm512_madd_epi16(row, columns));
        }
    }
    for (out, sum) in out.chunks_exact_mut(8).zip(sums) {
        let mut halves = [0_i32; 16];
        // SAFETY: 16 elements of four bytes.
        unsafe { _mm512_storeu_si512(halves.as_mut_ptr().cast(), sum) };
        for (out, halves) in out.iter_mut().zip(halves.chunks_exact(2)) {
            *out = (halves[0] + halves[1]) as f32;
        }
    }
}
