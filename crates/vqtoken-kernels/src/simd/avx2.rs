//! Eight lanes with AVX2 and FMA.

use std::arch::x86_64::*;

use super::tiles::{strided_tile, tile_rows};
use super::{LOOKUP_ROWS, Left, LookupTable, Right, Simd, TileRows};

/// How far ahead of the bytes that are looked up memory is asked for: the processor itself stops at the end of a page.
const LOOKUP_AHEAD: usize = 4096;

/// AVX2 and FMA.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// # Safety
    /// The CPU must support AVX2 and FMA.
    pub(crate) unsafe fn assume() -> Self {
        Self(())
    }
}

// Every `unsafe` block of arithmetic below is sound for the same reason: a value of the type exists only if the CPU has
// the instructions. Loads and stores slice first, so that they stay in bounds.
impl Simd for Avx2 {
    const LANES: usize = 8;
    const MR: usize = 6;
    const NR: usize = 16;
    const WIDE_MR: usize = 3;
    type F = __m256;

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    fn load(self, x: &[f32]) -> __m256 {
        let x = &x[..8];
        // SAFETY: the slice is as long as the vector; `self` proves the instructions.
        unsafe { _mm256_loadu_ps(x.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, x: &mut [f32], value: __m256) {
        let x = &mut x[..8];
        // SAFETY: the slice is as long as the vector; `self` proves the instructions.
        unsafe { _mm256_storeu_ps(x.as_mut_ptr(), value) }
    }
    #[inline(always)]
    fn load_bf16_pairs(self, x: &[u16]) -> (__m256, __m256) {
        let x = &x[..16];
        // SAFETY: the slice is as long as the vector; `self` proves the instructions.
        unsafe {
            let pairs = _mm256_loadu_si256(x.as_ptr().cast());
            let even = _mm256_slli_epi32::<16>(pairs);
            let odd = _mm256_and_si256(pairs, _mm256_set1_epi32(0xFFFF_0000_u32 as i32));
            (_mm256_castsi256_ps(even), _mm256_castsi256_ps(odd))
        }
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm256_div_ps(a, b) }
    }
    #[inline(always)]
    fn fma(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm256_min_ps(a, b) }
    }
    #[inline(always)]
    fn to_exponent(self, a: __m256) -> __m256 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_castps_si256(a))) }
    }
    #[inline(always)]
    fn select_gt(self, a: __m256, b: __m256, yes: __m256, no: __m256) -> __m256 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b)) }
    }
    #[inline(always)]
    fn tile_rows(self, left: &[f32], right: &[f32], rows: &mut impl TileRows<Self>) {
        tile_rows::<Self, 6, 2>(self, left, right, rows);
    }
    #[inline(always)]
    fn strided_tile(self, left: Left<'_>, right: Right<'_>, depth: usize, rows: &mut impl TileRows<Self>) {
        strided_tile::<Self, 6, 2>(self, left, right, depth, rows);
    }
    #[inline(always)]
    fn wide_tile(self, left: Left<'_>, right: Right<'_>, depth: usize, rows: &mut impl TileRows<Self>) {
        strided_tile::<Self, 3, 3>(self, left, right, depth, rows);
    }
    #[inline(always)]
    fn lookup_sums(self, tables: &[LookupTable], bytes: &[[u8; LOOKUP_ROWS]]) -> [u16; LOOKUP_ROWS] {
        let (tables, bytes) = (tables.as_chunks::<2>().0, bytes.as_chunks::<2>().0);
        let mut out = [0; LOOKUP_ROWS];
        // SAFETY: `self` proves the instructions. Each load is of 16 or 32 bytes of an array of 32, the stores are of the halves of `out`.
        unsafe {
            let low_bits = _mm256_set1_epi8(15);
            // Sums of pairs of rows: of the even row, modulo 2^16, with 256 times that of the odd row; and of the odd row.
            let (mut pairs, mut odd) = (_mm256_setzero_si256(), _mm256_setzero_si256());
            for (tables, bytes) in tables.iter().zip(bytes) {
                _mm_prefetch::<_MM_HINT_T0>(bytes.as_ptr().cast::<i8>().wrapping_add(LOOKUP_AHEAD));
                // Four numbers of at most 60 fit a byte.
                let mut sums = _mm256_setzero_si256();
                for (table, bytes) in tables.iter().zip(bytes) {
                    let bytes = _mm256_loadu_si256(bytes.as_ptr().cast());
                    let low = _mm256_and_si256(bytes, low_bits);
                    let high = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), low_bits);
                    let low_table = _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast()));
                    let high_table =
                        _mm256_broadcastsi128_si256(_mm_loadu_si128(table[16..].as_ptr().cast()));
                    sums = _mm256_add_epi8(sums, _mm256_shuffle_epi8(low_table, low));
                    sums = _mm256_add_epi8(sums, _mm256_shuffle_epi8(high_table, high));
                }
                pairs = _mm256_add_epi16(pairs, sums);
                odd = _mm256_add_epi16(odd, _mm256_srli_epi16::<8>(sums));
            }
            let even = _mm256_sub_epi16(pairs, _mm256_slli_epi16::<8>(odd));
            let (first, second) = (_mm256_unpacklo_epi16(even, odd), _mm256_unpackhi_epi16(even, odd));
            let (low, high) = out.split_at_mut(16);
            _mm256_storeu_si256(low.as_mut_ptr().cast(), _mm256_permute2x128_si256::<0x20>(first, second));
            _mm256_storeu_si256(high.as_mut_ptr().cast(), _mm256_permute2x128_si256::<0x31>(first, second));
        }
        out
    }
}
