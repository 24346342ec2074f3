//! bf16 and int8 products by AMX, as [`Product`]s.

use std::ops::Range;

use super::tiles::{bf16_tiles, configure, int8_tiles, release};
use crate::aligned::Number;
use crate::avx512_dot_products::round_to_bf16;
use crate::int8::QuantizedRows;
use crate::matrix::Matrix;
use crate::product::{Product, Tiling};

/// Rows and columns of a tile of sums.
const TILE: usize = 32;

/// Bytes of the left operand for a task: half of the L2 cache of the CPUs that have AMX.
const TASK_BYTES: usize = 1 << 20;

/// Rows of a task, given the bytes of a row. More rows a task fetch the weights less often.
fn task_rows(bytes: usize) -> usize {
    (TASK_BYTES / bytes.max(1)).clamp(3 * TILE, 8 * TILE)
}

/// Packs rows of `depth` values into zero-padded panels `[depth / step][32][step]`. `write(row, index, out)` writes the
/// `step` values of a row from `index` on.
fn pack<T: Number>(
    rows: Range<usize>,
    depth: usize,
    step: usize,
    out: &mut [T],
    mut write: impl FnMut(usize, usize, &mut [T]),
) {
    if rows.len() * depth < out.len() {
        out.fill(T::default());
    }
    for (panel, out) in out.chunks_exact_mut((TILE * depth).max(1)).enumerate() {
        let first = rows.start + panel * TILE;
        for row in first..(first + TILE).min(rows.end) {
            let groups = out.chunks_exact_mut(step).skip(row - first).step_by(TILE);
            for (index, group) in groups.enumerate() {
                write(row, index * step, group);
            }
        }
    }
}

/// Rows rounded to bf16 times panels `[N / 32][K / 2][32][2]`, K padded to a multiple of 32.
pub(crate) struct Bf16TileProduct<'a> {
    left: Matrix<'a>,
    panels: &'a [u16],
}

impl<'a> Bf16TileProduct<'a> {
    /// # Safety
    /// [`is_available`](super::is_available) returned true.
    pub(crate) unsafe fn new(left: Matrix<'a>, panels: &'a [u16]) -> Self {
        Self { left, panels }
    }
}

impl Product for Bf16TileProduct<'_> {
    type Left = u16;
    type Right = u16;

    fn tiling(&self) -> Tiling {
        let depth = self.left.columns().next_multiple_of(32);
        Tiling { rows: TILE, columns: TILE, depth, depth_block: depth.max(1) }
    }

    fn left_len(&self, depth: usize) -> usize {
        TILE * depth
    }

    fn pack_left(&self, rows: Range<usize>, depth: Range<usize>, out: &mut [u16]) {
        let columns = self.left.columns();
        pack(rows, depth.len(), 32, out, |row, start, out| {
            let values = &self.left.row(row)[start..(start + 32).min(columns)];
            // SAFETY: AVX-512 BF16 is part of the contract of `new`.
            unsafe { round_to_bf16(values, out) };
        });
    }

    fn right<'a>(&'a self, panel: usize, depth: Range<usize>, _: &'a mut Vec<f32>) -> &'a [u16] {
        &self.panels[panel * depth.len() * TILE..][..depth.len() * TILE]
    }

    fn tile(&self, left: &[u16], right: &[u16], out: &mut [f32]) {
        let steps = left.len() / (TILE * 32);
        assert!(right.len() >= steps * TILE * 32 && out.len() == TILE * TILE);
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
        // SAFETY: AMX is the contract of `new`.
        unsafe { configure() }
    }

    fn finish(&self) {
        // SAFETY: as above.
        unsafe { release() }
    }
}

/// Rows of int8 times panels `[N / 32][K / 4][32][4]`, K padded to a multiple of 64.
pub(crate) struct Int8TileProduct<'a> {
    left: &'a QuantizedRows,
    panels: &'a [i8],
}

impl<'a> Int8TileProduct<'a> {
    /// # Safety
    /// [`is_available`](super::is_available) returned true.
    pub(crate) unsafe fn new(left: &'a QuantizedRows, panels: &'a [i8]) -> Self {
        Self { left, panels }
    }
}

impl Product for Int8TileProduct<'_> {
    type Left = i8;
    type Right = i8;

    fn tiling(&self) -> Tiling {
        let depth = self.left.depth;
        Tiling { rows: TILE, columns: TILE, depth, depth_block: depth.max(1) }
    }

    fn left_len(&self, depth: usize) -> usize {
        TILE * depth
    }

    fn pack_left(&self, rows: Range<usize>, depth: Range<usize>, out: &mut [i8]) {
        pack(rows, depth.len(), 64, out, |row, start, out| {
            out.copy_from_slice(&self.left.values[row * self.left.depth + start..][..64]);
        });
    }

    fn right<'a>(&'a self, panel: usize, depth: Range<usize>, _: &'a mut Vec<f32>) -> &'a [i8] {
        &self.panels[panel * depth.len() * TILE..][..depth.len() * TILE]
    }

    fn tile(&self, left: &[i8], right: &[i8], out: &mut [f32]) {
        let steps = left.len() / (TILE * 64);
        assert!(right.len() >= steps * TILE * 64 && out.len() == TILE * TILE);
        if steps == 0 {
            return out.fill(0.0);
        }
        // SAFETY: `start` has configured the tiles; the lengths are checked above.
        unsafe { int8_tiles(left.as_ptr().cast(), right.as_ptr().cast(), steps, out.as_mut_ptr().cast()) }
        // SAFETY: CPUs with AMX have AVX-512.
        unsafe { convert_to_f32(out) }
    }

    fn task_rows(&self) -> usize {
        task_rows(self.tiling().depth)
    }

    fn start(&self) {
        // SAFETY: AMX is the contract of `new`.
        unsafe { configure() }
    }

    fn finish(&self) {
        // SAFETY: as above.
        unsafe { release() }
    }
}

/// Converts sums in place from `i32` to `f32`.
#[target_feature(enable = "avx512f")]
fn convert_to_f32(sums: &mut [f32]) {
    for sum in sums {
        *sum = sum.to_bits() as i32 as f32;
    }
}
