//! Rows of activations of 7 bits, `scale * (value - offset)` with values in 0..=127: AVX2 multiplies unsigned by signed bytes, but adds two such
//! products in 16 bits, which 8 bits would overflow. A third fewer instructions than pairs of `i16` take.
//!
//! Each row has an offset of its own, so that what GELU leaves, which is hardly ever negative, uses all 128 steps.

use std::ops::Range;

use rayon::prelude::*;

use super::tiles::Int8Path;
use crate::Kernels;
use crate::magnitude::largest_magnitude;
use crate::matrix::Matrix;
use crate::product::{Product, Tiling};
use crate::simd::{Simd, kernel};

/// The largest value of a row.
const MOST: i32 = 127;

/// Rows quantized to 0..=127.
pub(super) struct OffsetRows {
    /// `[rows, depth]`, each row padded to `depth` with anything: the weights there are zeros.
    values: Vec<u8>,
    /// `[rows]`: the value that stands for 0.
    offsets: Vec<i32>,
    /// `[rows]`: what the differences from the offset are multiplied by; NaN for a row with NaN or infinity.
    pub(super) scales: Vec<f32>,
    /// Values of a row, padding included; a multiple of 4.
    depth: usize,
}

impl OffsetRows {
    /// Quantizes each row by its least and its largest value, or 0 where all are on one side of it. Outlier channels become zero first.
    pub(super) fn new(kernels: Kernels, x: Matrix<'_>, depth: usize, outliers: &[usize]) -> Self {
        let mut values = vec![0; x.rows() * depth];
        let (mut offsets, mut scales) = (vec![0; x.rows()], vec![0.0; x.rows()]);
        let outputs = values.par_chunks_mut(depth.max(1)).zip(&mut offsets).zip(&mut scales);
        outputs.enumerate().for_each(|(index, ((values, offset), scale))| {
            let row = x.row(index);
            if !largest_magnitude(kernels, row).is_finite() {
                *scale = f32::NAN;
                return;
            }
            let without_outliers = (!outliers.is_empty()).then(|| {
                let mut row = row.to_vec();
                outliers.iter().for_each(|channel| row[*channel] = 0.0);
                row
            });
            let row = without_outliers.as_deref().unwrap_or(row);
            let [least, largest] = range_with_zero(kernels, row);
            *scale = largest / MOST as f32 - least / MOST as f32;
            // Below that, the inverse overflows; the values stay zeros.
            if *scale > f32::MIN_POSITIVE {
                let inverse = 1.0 / *scale;
                *offset = ((-least * inverse).round_ties_even() as i32).min(MOST);
                round_row(kernels, row, inverse, *offset, values);
            }
        });
        Self { values, offsets, scales, depth }
    }
}

#[inline(always)]
fn range_generic<S: Simd>(_: S, row: &[f32]) -> [f32; 2] {
    // Comparisons, as `f32::min` also looks for NaN; several of each, so that the loop is not one chain.
    let (mut least, mut largest) = ([0.0_f32; 16], [0.0_f32; 16]);
    let (blocks, rest) = row.as_chunks::<16>();
    let mut update = |lane: usize, x: f32| {
        least[lane] = if x < least[lane] { x } else { least[lane] };
        largest[lane] = if x > largest[lane] { x } else { largest[lane] };
    };
    for block in blocks {
        (0..16).for_each(|lane| update(lane, block[lane]));
    }
    rest.iter().enumerate().for_each(|(lane, x)| update(lane, *x));
    [least.iter().copied().fold(0.0, f32::min), largest.iter().copied().fold(0.0, f32::max)]
}

kernel!(
    /// The least and the largest value of a finite row and 0.
    fn range_with_zero(row: &[f32]) -> [f32; 2] = range_generic
);

#[inline(always)]
fn round_all<S: Simd>(_: S, row: &[f32], inverse: f32, offset: i32, values: &mut [u8]) {
    /// Adding it leaves no bits for the fraction; the lowest bits are the rounded value.
    const ROUNDING: f32 = 12_582_912.0;
    let offset = offset - ROUNDING.to_bits() as i32;
    for (value, x) in values.iter_mut().zip(row) {
        let rounded = (x * inverse + ROUNDING).to_bits() as i32;
        *value = (rounded + offset).clamp(0, MOST) as u8;
    }
}

kernel!(fn round_row(row: &[f32], inverse: f32, offset: i32, values: &mut [u8]) = round_all);

/// Rows with offsets times packed panels.
pub(super) struct OffsetProduct<'a> {
    path: Int8Path,
    left: &'a OffsetRows,
    panels: &'a [i8],
    /// Rows of a tile: as few as give no more tiles, so that the last one is not mostly padding.
    tile_rows: usize,
}

impl<'a> OffsetProduct<'a> {
    pub(super) fn new(path: Int8Path, left: &'a OffsetRows, panels: &'a [i8]) -> Self {
        let rows = left.scales.len();
        let tiles = rows.div_ceil(path.rows()).max(1);
        Self { path, left, panels, tile_rows: rows.div_ceil(tiles).max(1) }
    }
}

impl Product for OffsetProduct<'_> {
    type Left = i32;
    type Right = i8;

    fn tiling(&self) -> Tiling {
        let depth = self.left.depth;
        Tiling { rows: self.tile_rows, columns: self.path.columns(), depth, depth_block: depth.max(1) }
    }

    fn left_len(&self, depth: usize) -> usize {
        self.tile_rows * self.path.left_words(depth)
    }

    /// A tile's offsets, then `[depth / 4][rows]` words of four bytes.
    fn pack_left(&self, rows: Range<usize>, depth: Range<usize>, out: &mut [i32]) {
        let height = self.tile_rows;
        let tiles = out.chunks_exact_mut(self.left_len(depth.len()));
        for (first, out) in rows.clone().step_by(height).zip(tiles) {
            if rows.end - first < height {
                out.fill(0);
            }
            for index in 0..height.min(rows.end - first) {
                let row = first + index;
                let (words, _) = self.left.values[row * self.left.depth..][depth.clone()].as_chunks::<4>();
                let mut column = out.iter_mut().skip(index).step_by(height);
                if let Some(offset) = column.next() {
                    *offset = self.left.offsets[row];
                }
                column.zip(words).for_each(|(out, bytes)| *out = i32::from_le_bytes(*bytes));
            }
        }
    }

    fn right<'a>(&'a self, panel: usize, _: Range<usize>, _: &'a mut Vec<f32>) -> &'a [i8] {
        let length = self.path.panel_len(self.left.depth);
        &self.panels[panel * length..][..length]
    }

    fn tile(&self, left: &[i32], right: &[i8], out: &mut [f32]) {
        self.path.tile(left, right, out);
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2 {
    use std::arch::x86_64::*;

    /// Rows of a full tile.
    const ROWS: usize = 6;
    /// Bytes of a panel before its weights: the sum of each of 16 columns.
    const SUMS: usize = 64;

    /// `left`, the offsets of the rows and `[K / 4][rows]` words of four bytes, times a panel, to `out [rows][16]`.
    #[target_feature(enable = "avx2")]
    pub(crate) fn tile_of(rows: usize, left: &[i32], right: &[i8], out: &mut [f32]) {
        match rows {
            1 => tile::<1>(left, right, out),
            2 => tile::<2>(left, right, out),
            3 => tile::<3>(left, right, out),
            4 => tile::<4>(left, right, out),
            5 => tile::<5>(left, right, out),
            _ => tile::<6>(left, right, out),
        }
    }

    #[target_feature(enable = "avx2")]
    fn tile<const MR: usize>(left: &[i32], right: &[i8], out: &mut [f32]) {
        let ones = _mm256_set1_epi16(1);
        let (offsets, left) = left.split_at(MR);
        let (column_sums, right) = right.split_at(SUMS);
        let mut sums = [[_mm256_setzero_si256(); 2]; MR];
        let depth = (left.len() / MR).min(right.len() / 64);
        if MR == ROWS {
            // SAFETY: `depth` groups of six words and of 64 bytes.
            unsafe { sum_six_rows(depth, left.as_ptr(), right.as_ptr(), sums.as_flattened_mut()) };
        } else {
            for (a, b) in left.chunks_exact(MR).zip(right.chunks_exact(64)) {
                for i in 0..MR {
                    let x = _mm256_set1_epi32(a[i]);
                    for j in 0..2 {
                        // SAFETY: 64 bytes, two vectors of 32.
                        let columns = unsafe { _mm256_loadu_si256(b.as_ptr().add(32 * j).cast()) };
                        let pairs = _mm256_maddubs_epi16(x, columns);
                        sums[i][j] = _mm256_add_epi32(sums[i][j], _mm256_madd_epi16(pairs, ones));
                    }
                }
            }
        }
        for i in 0..MR {
            for j in 0..2 {
                // SAFETY: 64 bytes, two vectors of 32; a row of the output has 16 elements, two vectors of 8.
                unsafe {
                    let column_sums = _mm256_loadu_si256(column_sums.as_ptr().add(32 * j).cast());
                    let of_offset = _mm256_mullo_epi32(column_sums, _mm256_set1_epi32(offsets[i]));
                    let sum = _mm256_cvtepi32_ps(_mm256_sub_epi32(sums[i][j], of_offset));
                    _mm256_storeu_ps(out[16 * i + 8 * j..][..8].as_mut_ptr(), sum);
                }
            }
        }
    }

    /// Adds to the sums of six rows and two vectors of columns.
    ///
    /// Assembly, since the compiler holds the columns in registers, of which there are too few then; as operands in memory they take no
    /// instructions of their own, and it is instructions that bind where another program shares the core.
    ///
    /// # Safety
    /// `left` must have `depth` groups of six words, `right` as many of 64 bytes.
    #[target_feature(enable = "avx2")]
    unsafe fn sum_six_rows(depth: usize, left: *const i32, right: *const i8, sums: &mut [__m256i]) {
        let [s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11] = sums else { return };
        if depth == 0 {
            return;
        }
        macro_rules! row {
            ($word:literal, $first:literal, $second:literal) => {
                concat!(
                    "vpbroadcastd {x}, dword ptr [{left} + ",
                    $word,
                    "]\n",
                    "vpmaddubsw {t}, {x}, ymmword ptr [{right}]\n",
                    "vpmaddubsw {x}, {x}, ymmword ptr [{right} + 32]\n",
                    "vpmaddwd {t}, {t}, {ones}\n",
                    "vpmaddwd {x}, {x}, {ones}\n",
                    "vpaddd {",
                    $first,
                    "}, {",
                    $first,
                    "}, {t}\n",
                    "vpaddd {",
                    $second,
                    "}, {",
                    $second,
                    "}, {x}\n",
                )
            };
        }
        // SAFETY: reads the groups that the caller promises, and writes registers alone.
        unsafe {
            std::arch::asm!(
                ".p2align 5",
                "2:",
                row!("0", "s0", "s1"),
                row!("4", "s2", "s3"),
                row!("8", "s4", "s5"),
                row!("12", "s6", "s7"),
                row!("16", "s8", "s9"),
                row!("20", "s10", "s11"),
                "add {left}, 24",
                "add {right}, 64",
                "dec {depth}",
                "jnz 2b",
                left = inout(reg) left => _,
                right = inout(reg) right => _,
                depth = inout(reg) depth => _,
                x = out(ymm_reg) _,
                t = out(ymm_reg) _,
                ones = in(ymm_reg) _mm256_set1_epi16(1),
                s0 = inout(ymm_reg) *s0, s1 = inout(ymm_reg) *s1, s2 = inout(ymm_reg) *s2, s3 = inout(ymm_reg) *s3,
                s4 = inout(ymm_reg) *s4, s5 = inout(ymm_reg) *s5, s6 = inout(ymm_reg) *s6, s7 = inout(ymm_reg) *s7,
                s8 = inout(ymm_reg) *s8, s9 = inout(ymm_reg) *s9, s10 = inout(ymm_reg) *s10, s11 = inout(ymm_reg) *s11,
                options(nostack, readonly),
            );
        }
    }

    /// A row of `[K / 2]` words of two `i16` times a panel, widened to `i16`, to `out [16]`.
    #[target_feature(enable = "avx2")]
    pub(crate) fn multiply_panel(words: &[i32], panel: &[i8], out: &mut [f32]) {
        let mut sums = [_mm256_setzero_si256(); 4];
        for (words, panel) in words.chunks_exact(2).zip(panel[SUMS..].chunks_exact(64)) {
            // SAFETY: two elements of four bytes, which are four values.
            let row = _mm256_set1_epi64x(unsafe { words.as_ptr().cast::<i64>().read_unaligned() });
            for (sum, four) in sums.iter_mut().zip(panel.chunks_exact(16)) {
                // SAFETY: 16 bytes, the weights of four columns.
                let columns = _mm256_cvtepi8_epi16(unsafe { _mm_loadu_si128(four.as_ptr().cast()) });
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(row, columns));
            }
        }
        for (out, sum) in out.chunks_exact_mut(4).zip(sums) {
            let mut halves = [0_i32; 8];
            // SAFETY: 8 elements of four bytes.
            unsafe { _mm256_storeu_si256(halves.as_mut_ptr().cast(), sum) };
            for (out, halves) in out.iter_mut().zip(halves.chunks_exact(2)) {
                *out = (halves[0] + halves[1]) as f32;
            }
        }
    }
}
