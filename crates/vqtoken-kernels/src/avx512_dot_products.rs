//! Dot-product instructions of AVX-512: pairs of bf16 (BF16), groups of four int8 (VNNI).

use std::arch::x86_64::*;
use std::hint::black_box;
use std::ops::Range;

use crate::matrix::Matrix;
use crate::product::{Product, Tiling};

/// Rows of a tile of [`Bf16DotProduct`].
const ROWS: usize = 12;

/// Rows rounded to bf16 times panels `[N / 32][K / 2][32][2]`.
pub(crate) struct Bf16DotProduct<'a> {
    left: Matrix<'a>,
    panels: &'a [u16],
}

impl<'a> Bf16DotProduct<'a> {
    /// # Safety
    /// The CPU must support AVX-512 F and BF16.
    pub(crate) unsafe fn new(left: Matrix<'a>, panels: &'a [u16]) -> Self {
        Self { left, panels }
    }
}

impl Product for Bf16DotProduct<'_> {
    type Left = u32;
    type Right = u16;

    fn tiling(&self) -> Tiling {
        Tiling { rows: ROWS, columns: 32, depth: self.left.columns(), depth_block: 512 }
    }

    fn left_len(&self, depth: usize) -> usize {
        ROWS * depth.div_ceil(2)
    }

    fn pack_left(&self, rows: Range<usize>, depth: Range<usize>, out: &mut [u32]) {
        let length = self.left_len(depth.len());
        if rows.len() / ROWS * length < out.len() {
            out.fill(0);
        }
        for (index, row) in rows.enumerate() {
            let values = &self.left.row(row)[depth.clone()];
            let panel = &mut out[index / ROWS * length..][..length];
            // SAFETY: the instructions are the contract of `new`.
            unsafe { pack_row(values, index % ROWS, panel) };
        }
    }

    fn right<'a>(&'a self, panel: usize, depth: Range<usize>, _: &'a mut Vec<f32>) -> &'a [u16] {
        let padded = self.left.columns().next_multiple_of(2);
        &self.panels[(panel * padded + depth.start) * 32..][..depth.len().next_multiple_of(2) * 32]
    }

    fn tile(&self, left: &[u32], right: &[u16], out: &mut [f32]) {
        // SAFETY: the instructions are the contract of `new`.
        unsafe { bf16_tile(left, right, out) }
    }
}

/// At most 32 values rounded to bf16, ties to even, then zeros. Subnormal values become 0.
#[target_feature(enable = "avx512f,avx512bf16")]
fn rounded(values: &[f32]) -> __m512i {
    let load_16 = |values: &[f32]| {
        let mask = if values.len() < 16 { (1 << values.len()) - 1 } else { u16::MAX };
        // SAFETY: only the lanes of the mask are read.
        unsafe { _mm512_maskz_loadu_ps(mask, values.as_ptr()) }
    };
    let (low, high) = values.split_at(values.len().min(16));
    let rounded = _mm512_cvtne2ps_pbh(load_16(high), load_16(low));
    // SAFETY: any bits are a valid vector of 512 bits.
    unsafe { std::mem::transmute::<__m512bh, __m512i>(rounded) }
}

/// Writes 32 elements: at most 32 values rounded to bf16, ties to even, then zeros.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(crate) fn round_to_bf16(values: &[f32], out: &mut [u16]) {
    let out = &mut out[..32];
    // SAFETY: 32 elements of 16 bits.
    unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), rounded(values)) }
}

/// Writes a row, rounded, to column `index` of a panel `[K / 2][ROWS]`.
#[target_feature(enable = "avx512f,avx512bf16")]
fn pack_row(values: &[f32], index: usize, panel: &mut [u32]) {
    for (values, column) in values.chunks(32).zip(panel.chunks_mut(16 * ROWS)) {
        let mut pairs = [0_u32; 16];
        // SAFETY: 16 elements of 32 bits.
        unsafe { _mm512_storeu_si512(pairs.as_mut_ptr().cast(), rounded(values)) }
        for (out, pair) in column.iter_mut().skip(index).step_by(ROWS).zip(pairs) {
            *out = pair;
        }
    }
}

#[target_feature(enable = "avx512f,avx512bf16")]
fn bf16_tile(left: &[u32], right: &[u16], out: &mut [f32]) {
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    for (a, b) in left.chunks_exact(ROWS).zip(right.chunks_exact(64)) {
        // SAFETY: 64 elements, two vectors of 32; any bits are a valid vector of 512 bits.
        let columns: [__m512bh; 2] = unsafe {
            let b: *const u16 = b.as_ptr();
            [
                std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512(b.cast())),
                std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512(b.add(32).cast())),
            ]
        };
        for i in 0..ROWS {
            // SAFETY: as above.
            let x = unsafe { std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(a[i] as i32)) };
            for j in 0..2 {
                sums[i][j] = _mm512_dpbf16_ps(sums[i][j], x, columns[j]);
            }
        }
    }
    for (row, sums) in out.chunks_exact_mut(32).zip(sums) {
        // SAFETY: 32 elements, two vectors of 16.
        unsafe {
            _mm512_storeu_ps(row.as_mut_ptr(), sums[0]);
            _mm512_storeu_ps(row.as_mut_ptr().add(16), sums[1]);
        }
    }
}

/// `left [K / 4][MR]`, words of four unsigned bytes, times a panel: 32 corrections of four bytes, then `[K / 4][32][4]`.
#[target_feature(enable = "avx512f,avx512vnni")]
pub(crate) fn vnni_tile<const MR: usize>(left: &[i32], right: &[i8], out: &mut [f32]) {
    let mut rows = right.chunks_exact(128);
    let Some(start) = rows.next() else { return out.fill(0.0) };
    let mut sums = [load_128(start); MR];
    for (a, b) in left.chunks_exact(MR).zip(rows) {
        let columns = load_128(b);
        for i in 0..MR {
            let x = _mm512_set1_epi32(a[i]);
            for j in 0..2 {
                sums[i][j] = _mm512_dpbusd_epi32(sums[i][j], x, columns[j]);
            }
        }
    }
    for (row, sums) in out.chunks_exact_mut(32).zip(sums) {
        // SAFETY: 32 elements, two vectors of 16.
        unsafe {
            _mm512_storeu_ps(row.as_mut_ptr(), _mm512_cvtepi32_ps(sums[0]));
            _mm512_storeu_ps(row.as_mut_ptr().add(16), _mm512_cvtepi32_ps(sums[1]));
        }
    }
}

#[target_feature(enable = "avx512f")]
fn load_128(bytes: &[i8]) -> [__m512i; 2] {
    let bytes = &bytes[..128];
    // SAFETY: 128 bytes, two vectors of 64.
    unsafe { [_mm512_loadu_si512(bytes.as_ptr().cast()), _mm512_loadu_si512(bytes.as_ptr().add(64).cast())] }
}

/// Independent accumulators of the loops that measure the peak rate.
const CHAINS: usize = 12;

/// Multiplies bf16 in registers; returns the number of operations.
///
/// # Safety
/// The CPU must support AVX-512 F and BF16.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(crate) unsafe fn multiply_bf16(rounds: usize) -> usize {
    // SAFETY: any 64 bytes are a valid vector of bf16.
    let factor: __m512bh = unsafe { std::mem::transmute(black_box([0_u16; 32])) };
    let mut sums = [_mm512_setzero_ps(); CHAINS];
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = _mm512_dpbf16_ps(*sum, factor, factor);
        }
    }
    black_box(sums);
    2 * CHAINS * 32 * rounds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kernels;

    #[test]
    fn vectors_round_like_single_values() {
        if !Kernels::best().has_bf16_dot() {
            return;
        }
        let ties =
            [0x3F80_8000, 0x3F81_8000, 0x3F80_8001, 0xC2FF_7FFF, 0x7F7F_FFFF, 0xFF80_0000, 0x8000_0000];
        let values: Vec<f32> = (0..32).map(|i| f32::from_bits(ties[i % 7] + i as u32 / 7)).collect();
        for count in 0..=32 {
            let mut out = [1; 32];
            // SAFETY: checked above.
            unsafe { round_to_bf16(&values[..count], &mut out) };
            for (index, out) in out.iter().enumerate() {
                let x = values[..count].get(index).copied().unwrap_or(0.0);
                // Subnormal values become 0, and any NaN may become any other.
                let expected = if x.abs() < f32::MIN_POSITIVE { x * 0.0 } else { x };
                let same = *out == half::bf16::from_f32(expected).to_bits();
                assert!(same || x.is_nan() && out & 0x7FFF > 0x7F80, "{x:e} {out:x}");
            }
        }
    }
}
