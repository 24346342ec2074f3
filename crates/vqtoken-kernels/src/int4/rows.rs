//! A single row times int4 weights, or a few rows, as in decoding. It is bound by memory, so activations can have 16 bits at no cost.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use half::bf16;

use super::{GROUP, OFFSET, PAIRS, STEPS, group_len, place};
use crate::magnitude::largest_magnitude;
use crate::{Isa, Kernels};

/// Steps on either side of zero.
const MOST: f32 = i16::MAX as f32;

/// Columns that are summed together with AVX2.
const COLUMNS: usize = 16;

/// Rows that share what is read of a panel.
pub(super) const ROWS_AT_ONCE: usize = 4;

/// A row rounded to 16 bits.
pub(super) struct FineRow {
    /// Pairs along the depth in one word each, zero-padded to whole groups.
    pairs: Vec<[i32; PAIRS]>,
    /// For each group what undoes that weights are stored unsigned.
    corrections: Vec<i32>,
    /// What the values are multiplied by; NaN for a row with NaN or infinity.
    pub(super) scale: f32,
}

impl FineRow {
    /// Rounds `row` by its largest magnitude, ties to even.
    pub(super) fn new(kernels: Kernels, row: &[f32]) -> Self {
        let largest = largest_magnitude(kernels, row);
        let usable = largest.is_finite() && largest > MOST * f32::MIN_POSITIVE;
        let inverse = if usable { MOST / largest } else { 0.0 };
        let (mut pairs, mut corrections) = (Vec::new(), Vec::new());
        for group in row.chunks(GROUP) {
            let mut values = [0_i16; GROUP];
            if usable {
                for (value, x) in values.iter_mut().zip(group) {
                    // Adding 1.5 * 2^23 leaves no bits for the fraction; the lowest bits are the rounded value.
                    *value = (x * inverse + 12_582_912.0).to_bits() as i16;
                }
            }
            let word =
                |pair: usize| i32::from(values[2 * pair]) & 0xFFFF | i32::from(values[2 * pair + 1]) << 16;
            pairs.push(std::array::from_fn(word));
            corrections.push(-OFFSET * values.iter().map(|&value| i32::from(value)).sum::<i32>());
        }
        Self { pairs, corrections, scale: if largest.is_finite() { largest / MOST } else { f32::NAN } }
    }

    fn group(&self, index: usize) -> (&[i32; PAIRS], i32) {
        (&self.pairs[index], self.corrections[index])
    }
}

/// Sums of `rows` over a panel of `width` columns, `out [rows, width]`, without the rows' scales. At most [`ROWS_AT_ONCE`] rows.
pub(super) fn multiply_panel(
    kernels: Kernels,
    rows: &[FineRow],
    panel: &[u16],
    width: usize,
    out: &mut [f32],
) {
    #[cfg(target_arch = "x86_64")]
    if kernels.isa() >= Isa::Avx2 && width.is_multiple_of(COLUMNS) {
        for first in (0..width).step_by(COLUMNS) {
            // SAFETY: `Kernels` of this instruction set exist only if the CPU supports it.
            unsafe {
                match rows {
                    [a] => multiply_columns([a], panel, width, first, out),
                    [a, b] => multiply_columns([a, b], panel, width, first, out),
                    [a, b, c] => multiply_columns([a, b, c], panel, width, first, out),
                    [a, b, c, d] => multiply_columns([a, b, c, d], panel, width, first, out),
                    _ => debug_assert!(false, "{} rows at once", rows.len()),
                }
            }
        }
        return;
    }
    for (row, out) in rows.iter().zip(out.chunks_exact_mut(width)) {
        for (column, out) in out.iter_mut().enumerate() {
            *out = column_sum(row, panel, width, column);
        }
    }
}

fn column_sum(row: &FineRow, panel: &[u16], width: usize, column: usize) -> f32 {
    let mut total = 0.0;
    for (index, group) in panel.chunks_exact(group_len(width)).enumerate() {
        let (pairs, mut sum) = row.group(index);
        for (pair, values) in pairs.iter().enumerate() {
            let weight = |parity: usize| {
                let (word, bit) = place(2 * pair + parity, column, width);
                i32::from(group[word] >> bit & 15)
            };
            sum += i32::from(*values as i16) * weight(0) + (values >> 16) * weight(1);
        }
        total += sum as f32 * bf16::from_bits(group[column]).to_f32();
    }
    total
}

/// The sums of sixteen columns from `first` on, added in the order of [`column_sum`].
///
/// # Safety
/// The CPU must support AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn multiply_columns<const R: usize>(
    rows: [&FineRow; R],
    panel: &[u16],
    width: usize,
    first: usize,
    out: &mut [f32],
) {
    let mask = _mm256_set1_epi16(15);
    let mut totals = [[_mm256_setzero_ps(); 2]; R];
    for (index, group) in panel.chunks_exact(group_len(width)).enumerate() {
        let groups: [(&[i32; PAIRS], i32); R] = std::array::from_fn(|row| rows[row].group(index));
        let mut sums = groups.map(|(_, correction)| [_mm256_set1_epi32(correction); 2]);
        let (scales, words) = group.split_at(width);
        for step in 0..STEPS {
            let words = &words[(step * width + first) * 2..][..2 * COLUMNS];
            for half in 0..2 {
                // SAFETY: sixteen words of the slice above.
                let four = unsafe { _mm256_loadu_si256(words.as_ptr().add(half * COLUMNS).cast()) };
                let weights = [
                    _mm256_and_si256(four, mask),
                    _mm256_and_si256(_mm256_srli_epi16::<4>(four), mask),
                    _mm256_and_si256(_mm256_srli_epi16::<8>(four), mask),
                    _mm256_srli_epi16::<12>(four),
                ];
                for (sums, (pairs, _)) in sums.iter_mut().zip(groups) {
                    for (n, weights) in weights.into_iter().enumerate() {
                        let pair = _mm256_set1_epi32(pairs[step + STEPS * n]);
                        sums[half] = _mm256_add_epi32(sums[half], _mm256_madd_epi16(pair, weights));
                    }
                }
            }
        }
        for half in 0..2 {
            let scales = &scales[first + 8 * half..][..8];
            // SAFETY: eight words of the slice above.
            let bits = unsafe { _mm_loadu_si128(scales.as_ptr().cast()) };
            let scales = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(bits)));
            for (totals, sums) in totals.iter_mut().zip(sums) {
                let product = _mm256_mul_ps(_mm256_cvtepi32_ps(sums[half]), scales);
                totals[half] = _mm256_add_ps(totals[half], product);
            }
        }
    }
    for (row, totals) in totals.into_iter().enumerate() {
        let out = &mut out[row * width + first..][..COLUMNS];
        for (total, out) in totals.into_iter().zip(out.chunks_exact_mut(8)) {
            // SAFETY: the slice is as long as the vector.
            unsafe { _mm256_storeu_ps(out.as_mut_ptr(), total) }
        }
    }
}
