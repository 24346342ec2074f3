//! Sixteen lanes with AVX-512.

use std::arch::x86_64::*;

use super::tiles::{strided_tile, tile_rows};
use super::{LOOKUP_ROWS, Left, LookupTable, Right, Simd, TileRows};

/// AVX-512 F, BW, DQ and VL.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx512 {
    /// # Safety
    /// The CPU must support AVX-512 F, BW, DQ and VL, AVX2 and FMA.
    pub(crate) unsafe fn assume() -> Self {
        Self(())
    }
}

// Every `unsafe` block of arithmetic below is sound for the same reason: a value of the type exists only if the CPU has
// the instructions. Loads and stores slice first, so that they stay in bounds.
impl Simd for Avx512 {
    const LANES: usize = 16;
    const MR: usize = 12;
    const NR: usize = 32;
    const WIDE_MR: usize = 8;
    type F = __m512;

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    fn load(self, x: &[f32]) -> __m512 {
        let x = &x[..16];
        // SAFETY: the slice is as long as the vector; `self` proves the instructions.
        unsafe { _mm512_loadu_ps(x.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, x: &mut [f32], value: __m512) {
        let x = &mut x[..16];
        // SAFETY: the slice is as long as the vector; `self` proves the instructions.
        unsafe { _mm512_storeu_ps(x.as_mut_ptr(), value) }
    }
    #[inline(always)]
    fn load_bf16_pairs(self, x: &[u16]) -> (__m512, __m512) {
        let x = &x[..32];
        // SAFETY: the slice is as long as the vector; `self` proves the instructions.
        unsafe {
            let pairs = _mm512_loadu_si512(x.as_ptr().cast());
            let even = _mm512_slli_epi32::<16>(pairs);
            let odd = _mm512_and_si512(pairs, _mm512_set1_epi32(0xFFFF_0000_u32 as i32));
            (_mm512_castsi512_ps(even), _mm512_castsi512_ps(odd))
        }
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    fn to_exponent(self, a: __m512) -> __m512 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_castps_si512(a))) }
    }
    #[inline(always)]
    fn select_gt(self, a: __m512, b: __m512, yes: __m512, no: __m512) -> __m512 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), no, yes) }
    }
    #[inline(always)]
    fn tile_rows(self, left: &[f32], right: &[f32], rows: &mut impl TileRows<Self>) {
        tile_rows::<Self, 12, 2>(self, left, right, rows);
    }
    #[inline(always)]
    fn strided_tile(self, left: Left<'_>, right: Right<'_>, depth: usize, rows: &mut impl TileRows<Self>) {
        strided_tile::<Self, 12, 2>(self, left, right, depth, rows);
    }
    #[inline(always)]
    fn wide_tile(self, left: Left<'_>, right: Right<'_>, depth: usize, rows: &mut impl TileRows<Self>) {
        strided_tile::<Self, 8, 3>(self, left, right, depth, rows);
    }
    #[inline(always)]
    fn lookup_sums(self, tables: &[LookupTable], bytes: &[[u8; LOOKUP_ROWS]]) -> [u16; LOOKUP_ROWS] {
        let (tables, bytes) = (tables.as_chunks::<2>().0, bytes.as_chunks::<2>().0);
        let mut out = [0; LOOKUP_ROWS];
        // SAFETY: `self` proves the instructions. Each load is of two arrays of 32 bytes, the stores are of the halves of `out`.
        unsafe {
            let low_bits = _mm512_set1_epi8(15);
            // Sums of pairs of rows: of the even row, modulo 2^16, with 256 times that of the odd row; and of the odd row. The first byte of
            // the two that are read at once is in the lower half of a vector, the second in the upper half.
            let (mut pairs, mut odd) = (_mm512_setzero_si512(), _mm512_setzero_si512());
            for (tables, bytes) in tables.iter().zip(bytes) {
                let bytes = _mm512_loadu_si512(bytes.as_ptr().cast());
                let low = _mm512_and_si512(bytes, low_bits);
                let high = _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), low_bits);
                // In lanes of 128 bits: the lower and the upper table of the first byte, then of the second.
                let tables = _mm512_loadu_si512(tables.as_ptr().cast());
                let low_tables = _mm512_shuffle_i32x4::<0b10_10_00_00>(tables, tables);
                let high_tables = _mm512_shuffle_i32x4::<0b11_11_01_01>(tables, tables);
                let sums = _mm512_add_epi8(
                    _mm512_shuffle_epi8(low_tables, low),
                    _mm512_shuffle_epi8(high_tables, high),
                );
                pairs = _mm512_add_epi16(pairs, sums);
                odd = _mm512_add_epi16(odd, _mm512_srli_epi16::<8>(sums));
            }
            let even = _mm512_sub_epi16(pairs, _mm512_slli_epi16::<8>(odd));
            // The sums of the first bytes and those of the second.
            let even = _mm256_add_epi16(_mm512_castsi512_si256(even), _mm512_extracti64x4_epi64::<1>(even));
            let odd = _mm256_add_epi16(_mm512_castsi512_si256(odd), _mm512_extracti64x4_epi64::<1>(odd));
            let (first, second) = (_mm256_unpacklo_epi16(even, odd), _mm256_unpackhi_epi16(even, odd));
            let (low, high) = out.split_at_mut(16);
            _mm256_storeu_si256(low.as_mut_ptr().cast(), _mm256_permute2x128_si256::<0x20>(first, second));
            _mm256_storeu_si256(high.as_mut_ptr().cast(), _mm256_permute2x128_si256::<0x31>(first, second));
        }
        out
    }
}
