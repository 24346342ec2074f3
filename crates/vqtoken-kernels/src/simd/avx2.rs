//! Eight lanes with AVX2 and FMA.

use std::arch::x86_64::*;

use super::tiles::{strided_tile, tile_rows};
use super::{Left, Right, Simd, TileRows};

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
}
