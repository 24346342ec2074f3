//! Products of bf16 and of int8 whose tiles are multiplied by AMX.

use std::ops::Range;

use super::tiles::{bf16_tiles, configure, int8_tiles, release};
use crate::aligned::Number;
use crate::avx512_dots::round_to_bf16;
use crate::int8::QuantizedRows;
use crate::matrix::Matrix;
use crate::product::{Product, Tiling};

/// Rows, and columns, of the sums.
const SIDE: usize = 32;

/// Bytes of the left side that a task takes: half of the second-level cache of the CPUs that have AMX.
const TASK_BYTES: usize = 1 << 20;

/// About as many rows as a task takes, each of `bytes`: the more there are, the less often are the weights fetched.
fn task_rows(bytes: usize) -> usize {
    (TASK_BYTES / bytes.max(1)).clamp(3 * SIDE, 8 * SIDE)
}

/// Packs rows of `depth` numbers into panels `[depth / step][32][step]`, where `write` puts a row's next `step` numbers.
fn pack<T: Number>(
    rows: Range<usize>,
    depth: usize,
    step: usize,
    out: &mut [T],
    zero: T,
    mut write: impl FnMut(usize, usize, &mut [T]),
) {
    if rows.len() * depth < out.len() {
        out.fill(zero);
    }
    for (panel, out) in out.chunks_exact_mut((SIDE * depth).max(1)).enumerate() {
        let first = rows.start + panel * SIDE;
        for row in first..(first + SIDE).min(rows.end) {
            let places = out.chunks_exact_mut(step).skip(row - first).step_by(SIDE);
            for (index, place) in places.enumerate() {
                write(row, index * step, place);
            }
        }
    }
}

/// Rows rounded to bf16 times panels `[N / 32][K / 2][32][2]`, K filled up to a multiple of 32.
pub(crate) struct Bf16TileProduct<'a> {
    left: Matrix<'a>,
    panels: &'a [u16],
}

impl<'a> Bf16TileProduct<'a> {
    /// # Safety
    /// [`request`](super::request) has said yes.
    pub(crate) unsafe fn new(left: Matrix<'a>, panels: &'a [u16]) -> Self {
        Self { left, panels }
    }
}

impl Product for Bf16TileProduct<'_> {
    type Left = u16;
    type Right = u16;

    fn tiling(&self) -> Tiling {
        let depth = self.left.columns().next_multiple_of(32);
        Tiling { rows: SIDE, columns: SIDE, depth, depth_block: depth.max(1) }
    }

    fn left_len(&self, depth: usize) -> usize {
        SIDE * depth
    }

    fn pack_left(&self, rows: Range<usize>, depth: Range<usize>, out: &mut [u16]) {
        let columns = self.left.columns();
        pack(rows, depth.len(), 32, out, 0, |row, place, out| {
            let numbers = &self.left.row(row)[place..(place + 32).min(columns)];
            // SAFETY: whoever made the product knows that the CPU has AVX-512 BF16.
            unsafe { round_to_bf16(numbers, out) };
        });
    }

    fn right<'a>(&'a self, panel: usize, depth: Range<usize>, _: &'a mut Vec<f32>) -> &'a [u16] {
        &self.panels[panel * depth.len() * SIDE..][..depth.len() * SIDE]
    }

    fn tile(&self, left: &[u16], right: &[u16], out: &mut [f32]) {
        let steps = left.len() / (SIDE * 32);
        assert!(right.len() >= steps * SIDE * 32 && out.len() == SIDE * SIDE);
        if steps == 0 {
            return out.fill(0.0);
        }
        // SAFETY: `start` has configured the tiles; the lengths are checked above.
        unsafe { bf16_tiles(left.as_ptr().cast(), right.as_ptr().cast(), steps, out.as_mut_ptr().cast()) }
    }

    fn task_rows(&self) -> usize {
        task_rows(2 * self.tiling().depth)
    }

    fn start(&self) {
        // SAFETY: whoever made the product has asked for the tiles.
        unsafe { configure() }
    }

    fn finish(&self) {
        // SAFETY: as above.
        unsafe { release() }
    }
}

/// Rows of int8 times panels `[N / 32][K / 4][32][4]`, K filled up to a multiple of 64.
pub(crate) struct Int8TileProduct<'a> {
    left: &'a QuantizedRows,
    panels: &'a [i8],
}

impl<'a> Int8TileProduct<'a> {
    /// # Safety
    /// [`request`](super::request) has said yes.
    pub(crate) unsafe fn new(left: &'a QuantizedRows, panels: &'a [i8]) -> Self {
        Self { left, panels }
    }
}

impl Product for Int8TileProduct<'_> {
    type Left = i8;
    type Right = i8;

    fn tiling(&self) -> Tiling {
        let depth = self.left.depth;
        Tiling { rows: SIDE, columns: SIDE, depth, depth_block: depth.max(1) }
    }

    fn left_len(&self, depth: usize) -> usize {
        SIDE * depth
    }

    fn pack_left(&self, rows: Range<usize>, depth: Range<usize>, out: &mut [i8]) {
        pack(rows, depth.len(), 64, out, 0, |row, place, out| {
            out.copy_from_slice(&self.left.values[row * self.left.depth + place..][..64]);
        });
    }

    fn right<'a>(&'a self, panel: usize, depth: Range<usize>, _: &'a mut Vec<f32>) -> &'a [i8] {
        &self.panels[panel * depth.len() * SIDE..][..depth.len() * SIDE]
    }

    fn tile(&self, left: &[i8], right: &[i8], out: &mut [f32]) {
        let steps = left.len() / (SIDE * 64);
        assert!(right.len() >= steps * SIDE * 64 && out.len() == SIDE * SIDE);
        if steps == 0 {
            return out.fill(0.0);
        }
        // SAFETY: `start` has configured the tiles; the lengths are checked above.
        unsafe { int8_tiles(left.as_ptr().cast(), right.as_ptr().cast(), steps, out.as_mut_ptr().cast()) }
        // SAFETY: where there is AMX there is AVX-512.
        unsafe { convert(out) }
    }

    fn task_rows(&self) -> usize {
        task_rows(self.tiling().depth)
    }

    fn start(&self) {
        // SAFETY: whoever made the product has asked for the tiles.
        unsafe { configure() }
    }

    fn finish(&self) {
        // SAFETY: as above.
        unsafe { release() }
    }
}

/// Sums of `i32` to `f32`.
#[target_feature(enable = "avx512f")]
fn convert(sums: &mut [f32]) {
    for sum in sums {
        *sum = sum.to_bits() as i32 as f32;
    }
}
