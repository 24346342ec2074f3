//! Rows of activations with up to 16 bits, for a single row, as in decoding, which is bound by memory, and for any number of
//! rows where the CPU multiplies bytes as pairs of `i16` anyway. They cost nothing there.
//!
//! With such fine steps outlier channels need no special treatment. Sums stay exact in `i32`.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use rayon::prelude::*;

#[cfg(target_arch = "x86_64")]
use super::offset_rows::avx2;
use super::tiles::Int8Path;
use crate::Kernels;
use crate::magnitude::largest_magnitude;
use crate::matrix::Matrix;
use crate::simd::{Simd, kernel};

/// Rows quantized as finely as exact sums in `i32` allow.
pub(crate) struct FineRows {
    /// `[rows, depth / 2]`: two values a word, the first in the lower half. Each row is zero-padded to the depth of the panels.
    words: Vec<i32>,
    /// `[rows]`: what the values of a row are multiplied by; NaN for a row with NaN or infinity.
    pub(crate) scales: Vec<f32>,
    /// Values of a row, padding included.
    pub(super) depth: usize,
}

impl FineRows {
    /// Quantizes each row by its largest magnitude, ties to even, and pads it to `depth`, an even number.
    pub(crate) fn new(kernels: Kernels, x: Matrix<'_>, depth: usize) -> Self {
        // Weights are at most 127.
        let steps = (i32::MAX as usize / 127 / x.columns().max(1)).min(i16::MAX as usize) as f32;
        let mut words = vec![0; x.rows() * depth / 2];
        let mut scales = vec![0.0; x.rows()];
        let quantize = |index: usize, words: &mut [i32], scale: &mut f32| {
            let row = x.row(index);
            let largest = largest_magnitude(kernels, row);
            // Below that, steps / largest overflows; the values stay zeros.
            if largest.is_finite() && largest > steps * f32::MIN_POSITIVE {
                round_row(kernels, row, steps / largest, words);
            }
            *scale = if largest.is_finite() { largest / steps } else { f32::NAN };
        };
        match &mut scales[..] {
            // Decoding does this for every layer; other threads would have to be woken for nothing.
            [scale] => quantize(0, &mut words, scale),
            scales => words
                .par_chunks_mut((depth / 2).max(1))
                .zip(scales)
                .enumerate()
                .for_each(|(index, (words, scale))| quantize(index, words, scale)),
        }
        Self { words, scales, depth }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.scales.len()
    }

    /// The words of a row.
    pub(super) fn row(&self, index: usize) -> &[i32] {
        &self.words[index * (self.depth / 2)..][..self.depth / 2]
    }

    /// The sums of a row and one panel, `out [columns of the path]`.
    pub(super) fn product(&self, index: usize, path: Int8Path, panel: &[i8], out: &mut [f32]) {
        match path {
            #[cfg(target_arch = "x86_64")]
            Int8Path::Vnni | Int8Path::Amx => {
                let corrections = panel.len() - path.columns() * self.depth;
                // SAFETY: these paths are selected only if the CPU has AVX-512 BW.
                unsafe { multiply_panel(self.row(index), &panel[corrections..], out) }
            }
            // SAFETY: the path is selected only if the CPU has AVX2.
            #[cfg(target_arch = "x86_64")]
            Int8Path::Avx2Bytes => unsafe { avx2::multiply_panel(self.row(index), panel, out) },
            _ => path.tile(self.row(index), panel, out),
        }
    }
}

#[inline(always)]
fn round_all<S: Simd>(_: S, row: &[f32], inverse: f32, words: &mut [i32]) {
    // Adding 1.5 * 2^23 leaves no bits for the fraction; the lowest bits are the rounded value.
    let round = |x: f32| (x * inverse + 12_582_912.0).to_bits() as i32;
    let (pairs, rest) = row.as_chunks::<2>();
    for (word, [a, b]) in words.iter_mut().zip(pairs) {
        *word = round(*a) & 0xFFFF | round(*b) << 16;
    }
    if let [last] = rest {
        words[pairs.len()] = round(*last) & 0xFFFF;
    }
}

kernel!(fn round_row(row: &[f32], inverse: f32, words: &mut [i32]) = round_all);

/// A row of `[K / 2]` words times `panel [K / 4][32][4]`, widened to `i16`.
///
/// # Safety
/// The CPU must support AVX-512 F and BW.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn multiply_panel(words: &[i32], panel: &[i8], out: &mut [f32]) {
    let mut sums = [_mm512_setzero_si512(); 4];
    for (words, panel) in words.chunks_exact(2).zip(panel.chunks_exact(128)) {
        // SAFETY: two elements of four bytes, which are four values.
        let four = unsafe { words.as_ptr().cast::<i64>().read_unaligned() };
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
