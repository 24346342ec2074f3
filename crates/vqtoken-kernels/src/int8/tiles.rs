//! Tiles of int8 products in plain Rust, with AVX2, and with AVX-512 VNNI.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

#[cfg(target_arch = "x86_64")]
use super::offset_rows::avx2;
#[cfg(target_arch = "x86_64")]
use crate::avx512_dot_products::vnni_tile;

use crate::{Isa, Kernels};

/// How int8 is multiplied. A value other than `Portable` proves that the CPU has the instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Int8Path {
    /// Plain Rust.
    Portable,
    /// Widened to `i16` and multiplied in pairs. `maddubs`, which takes bytes, would saturate.
    Avx2,
    /// `maddubs`: groups of four, of which the left operand has 7 bits, so that nothing saturates (`offset_rows.rs`). The panel begins with the
    /// sums of its columns.
    Avx2Bytes,
    /// Groups of four. The left operand is made unsigned by adding 128, which the corrections of the panel undo.
    Vnni,
    /// AMX tiles.
    Amx,
}

impl Int8Path {
    /// The path for activations that may lose some bits (`coarse`) where that is faster, or not.
    pub(crate) fn of(kernels: Kernels, coarse: bool) -> Self {
        match kernels.isa() {
            Isa::Portable => Int8Path::Portable,
            Isa::Amx => Int8Path::Amx,
            _ if kernels.has_vnni() => Int8Path::Vnni,
            _ if coarse => Int8Path::Avx2Bytes,
            _ => Int8Path::Avx2,
        }
    }

    /// Whether activations are multiplied in pairs of `i16`: then they can be as fine as exact sums in `i32` allow, at no cost.
    pub(crate) fn takes_pairs(self) -> bool {
        self.group() == 2
    }

    /// Rows of a tile, at most.
    pub(crate) fn rows(self) -> usize {
        match self {
            Int8Path::Portable => 4,
            Int8Path::Avx2 | Int8Path::Avx2Bytes => 6,
            Int8Path::Vnni => 12,
            Int8Path::Amx => 32,
        }
    }

    /// Columns of a tile.
    pub(crate) fn columns(self) -> usize {
        match self {
            Int8Path::Portable => 8,
            Int8Path::Avx2 | Int8Path::Avx2Bytes => 16,
            Int8Path::Vnni | Int8Path::Amx => 32,
        }
    }

    /// Values of the depth that are stored together.
    pub(crate) fn group(self) -> usize {
        match self {
            Int8Path::Portable | Int8Path::Avx2 => 2,
            Int8Path::Avx2Bytes | Int8Path::Vnni | Int8Path::Amx => 4,
        }
    }

    /// The depth is padded to a multiple of this.
    pub(crate) fn depth_multiple(self) -> usize {
        if self == Int8Path::Amx { 64 } else { self.group() }
    }

    /// Length of a panel, corrections included.
    pub(crate) fn panel_len(self, depth: usize) -> usize {
        let corrections = if matches!(self, Int8Path::Avx2Bytes | Int8Path::Vnni) { 4 } else { 0 };
        self.columns() * (depth + corrections)
    }

    /// Words of a row of the left operand.
    pub(crate) fn left_words(self, depth: usize) -> usize {
        let offset = usize::from(self == Int8Path::Avx2Bytes);
        offset + depth / self.group()
    }

    /// Four bytes of the left operand in one word.
    pub(crate) fn group_word([a, b, c, d]: [i8; 4]) -> i32 {
        i32::from_le_bytes([a, b, c, d].map(|x| (x as u8) ^ 0x80))
    }

    /// Writes the corrections at the start of a panel whose left operand is unsigned: the sum of each column, times -128 where all rows have that
    /// offset, so that sums begin there. `columns` is `[width, depth]`; `out` is empty for other paths.
    pub(crate) fn write_corrections(self, columns: &[i8], depth: usize, out: &mut [i8]) {
        let factor = if self == Int8Path::Vnni { -128 } else { 1 };
        for (out, column) in out.chunks_exact_mut(4).zip(columns.chunks_exact(depth.max(1))) {
            let sum: i32 = column.iter().map(|x| i32::from(*x)).sum();
            out.copy_from_slice(&(factor * sum).to_le_bytes().map(|byte| byte as i8));
        }
    }

    /// `left [K / group][rows]` words, after the offset of each row where rows have one, times a panel, to `out [rows][columns]`, for as many rows as
    /// a tile has, and with AVX2 for any number below that; others take a single row, too.
    pub(crate) fn tile(self, left: &[i32], right: &[i8], out: &mut [f32]) {
        match (self, out.len() / self.columns()) {
            // SAFETY: the path is selected only if the CPU has AVX2.
            #[cfg(target_arch = "x86_64")]
            (Int8Path::Avx2, 1) => unsafe { madd_tile::<1>(left, right, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            (Int8Path::Avx2, rows) => unsafe { madd_tile_of(rows, left, right, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            (Int8Path::Avx2Bytes, rows) => unsafe { avx2::tile_of(rows, left, right, out) },
            // SAFETY: the path is selected only if the CPU has AVX-512 and VNNI.
            #[cfg(target_arch = "x86_64")]
            (Int8Path::Vnni, 1) => unsafe { vnni_tile::<1>(left, right, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            (Int8Path::Vnni, _) => unsafe { vnni_tile::<12>(left, right, out) },
            (_, 1) => portable_tile::<1>(left, right, out),
            (_, 2) => portable_tile::<2>(left, right, out),
            (_, 3) => portable_tile::<3>(left, right, out),
            _ => portable_tile::<4>(left, right, out),
        }
    }
}

fn portable_tile<const MR: usize>(left: &[i32], right: &[i8], out: &mut [f32]) {
    let mut sums = [[0; 8]; MR];
    for (a, b) in left.chunks_exact(MR).zip(right.chunks_exact(16)) {
        for i in 0..MR {
            let (first, second) = (i32::from(a[i] as i16), a[i] >> 16);
            for j in 0..8 {
                sums[i][j] += first * i32::from(b[2 * j]) + second * i32::from(b[2 * j + 1]);
            }
        }
    }
    for (row, sums) in out.chunks_exact_mut(8).zip(sums) {
        row.copy_from_slice(&sums.map(|sum| sum as f32));
    }
}

/// [`madd_tile`] of two to six rows.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn madd_tile_of(rows: usize, left: &[i32], right: &[i8], out: &mut [f32]) {
    match rows {
        2 => madd_tile::<2>(left, right, out),
        3 => madd_tile::<3>(left, right, out),
        4 => madd_tile::<4>(left, right, out),
        5 => madd_tile::<5>(left, right, out),
        _ => madd_tile::<6>(left, right, out),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn madd_tile<const MR: usize>(left: &[i32], right: &[i8], out: &mut [f32]) {
    let mut sums = [[_mm256_setzero_si256(); 2]; MR];
    for (a, b) in left.chunks_exact(MR).zip(right.chunks_exact(32)) {
        // SAFETY: 32 bytes, two vectors of 16.
        let halves =
            unsafe { [_mm_loadu_si128(b.as_ptr().cast()), _mm_loadu_si128(b.as_ptr().add(16).cast())] };
        let columns = [_mm256_cvtepi8_epi16(halves[0]), _mm256_cvtepi8_epi16(halves[1])];
        for i in 0..MR {
            let x = _mm256_set1_epi32(a[i]);
            for j in 0..2 {
                sums[i][j] = _mm256_add_epi32(sums[i][j], _mm256_madd_epi16(x, columns[j]));
            }
        }
    }
    for (row, sums) in out.chunks_exact_mut(16).zip(sums) {
        // SAFETY: 16 elements, two vectors of 8.
        unsafe {
            _mm256_storeu_ps(row.as_mut_ptr(), _mm256_cvtepi32_ps(sums[0]));
            _mm256_storeu_ps(row.as_mut_ptr().add(8), _mm256_cvtepi32_ps(sums[1]));
        }
    }
}
