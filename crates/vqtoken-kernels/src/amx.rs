//! AMX: products of whole tiles of bf16 and int8, by inline assembly, since the intrinsics are not stable.
//!
//! A tile register holds 16 rows of 64 bytes. Four hold sums `[32, 32]`, two 32 rows of the left side, two 32 columns of
//! the right side; one step takes 64 bytes of the depth: 32 numbers of bf16, or 64 of int8.

use std::arch::{asm, x86_64};
use std::ops::Range;

use crate::bf16::bf16_from_f32;
use crate::int8::QuantizedRows;
use crate::matrix::Matrix;
use crate::product::{Product, Tiling};

/// Rows, and columns, of the sums.
const SIDE: usize = 32;

/// Whether the CPU has AMX with bf16 and int8, and the operating system lets this process use it.
pub(crate) fn request() -> bool {
    if cfg!(miri) {
        return false; // Miri reads no assembly, and this asks the CPU in assembly.
    }
    const OSXSAVE: u32 = 1 << 27;
    const TILES: u32 = 1 << 22 | 1 << 24 | 1 << 25;
    if x86_64::__cpuid(0).eax < 7 || x86_64::__cpuid(1).ecx & OSXSAVE == 0 {
        return false;
    }
    x86_64::__cpuid_count(7, 0).edx & TILES == TILES && permitted()
}

/// Linux hands out the tiles' state on request only.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const REQUEST_STATE_PERMISSION: i64 = 0x1023;
    const TILE_DATA: i64 = 18;
    let status: i64;
    // SAFETY: the call takes two numbers and touches no memory of this process; `syscall` overwrites rcx and r11.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => status,
            in("rdi") REQUEST_STATE_PERMISSION,
            in("rsi") TILE_DATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    status == 0
}

#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}

/// What `ldtilecfg` reads: palette 1, and for each of the eight registers 64 bytes a row and 16 rows.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

static CONFIGURATION: Configuration = Configuration {
    palette: 1,
    start: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// A function that multiplies `steps` blocks of 2048 bytes of both sides to sums `[32, 32]` of four bytes.
macro_rules! tile_product {
    ($name:ident, $instruction:literal) => {
        /// # Safety
        /// [`request`] has said yes; `steps > 0`; `left` and `right` have `2048 steps` bytes to read, `out` 4096 to write.
        unsafe fn $name(left: *const u8, right: *const u8, steps: usize, out: *mut u8) {
            // SAFETY: the caller grants the instructions and the memory; all registers that are written are named.
            unsafe {
                asm!(
                    "ldtilecfg [{configuration}]",
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "tilezero tmm2",
                    "tilezero tmm3",
                    "2:",
                    "tileloadd tmm4, [{left} + {narrow}*1]",
                    "tileloadd tmm6, [{right} + {wide}*1]",
                    "tileloadd tmm7, [{right} + {wide}*1 + 64]",
                    "tileloadd tmm5, [{left} + {narrow}*1 + 1024]",
                    concat!($instruction, " tmm0, tmm4, tmm6"),
                    concat!($instruction, " tmm1, tmm4, tmm7"),
                    concat!($instruction, " tmm2, tmm5, tmm6"),
                    concat!($instruction, " tmm3, tmm5, tmm7"),
                    "add {left}, 2048",
                    "add {right}, 2048",
                    "dec {steps}",
                    "jnz 2b",
                    "tilestored [{out} + {wide}*1], tmm0",
                    "tilestored [{out} + {wide}*1 + 64], tmm1",
                    "tilestored [{out} + {wide}*1 + 2048], tmm2",
                    "tilestored [{out} + {wide}*1 + 2112], tmm3",
                    "tilerelease",
                    configuration = in(reg) &raw const CONFIGURATION,
                    left = inout(reg) left => _,
                    right = inout(reg) right => _,
                    steps = inout(reg) steps => _,
                    out = in(reg) out,
                    narrow = in(reg) 64usize,
                    wide = in(reg) 128usize,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
        }
    };
}
tile_product!(bf16_tiles, "tdpbf16ps");
tile_product!(int8_tiles, "tdpbssd");

/// A function that multiplies tiles in registers, four products a round, and returns how many operations that were.
macro_rules! peak_loop {
    ($name:ident, $instruction:literal, $depth:literal) => {
        /// # Safety
        /// [`request`] has said yes; `rounds > 0`.
        pub(crate) unsafe fn $name(rounds: usize) -> usize {
            // A tile product keeps the unit busy for as long as a dozen vector instructions.
            let rounds = rounds / 16 + 1;
            // SAFETY: the caller grants the instructions; no memory but the configuration is read, and all registers that
            // are written are named.
            unsafe {
                asm!(
                    "ldtilecfg [{configuration}]",
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "tilezero tmm2",
                    "tilezero tmm3",
                    "tilezero tmm4",
                    "tilezero tmm5",
                    "2:",
                    concat!($instruction, " tmm0, tmm4, tmm5"),
                    concat!($instruction, " tmm1, tmm4, tmm5"),
                    concat!($instruction, " tmm2, tmm4, tmm5"),
                    concat!($instruction, " tmm3, tmm4, tmm5"),
                    "dec {rounds}",
                    "jnz 2b",
                    "tilerelease",
                    configuration = in(reg) &raw const CONFIGURATION,
                    rounds = inout(reg) rounds => _,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _,
                    options(nostack),
                );
            }
            4 * 2 * 16 * 16 * $depth * rounds
        }
    };
}
peak_loop!(multiply_bf16, "tdpbf16ps", 32);
peak_loop!(multiply_int8, "tdpbssd", 64);

/// Where a number of row `row` and place `place` of the depth stands in a left block, `step` numbers a row.
fn left_place(row: usize, place: usize, step: usize) -> usize {
    (place / step * SIDE + row) * step + place % step
}

/// Rows rounded to bf16 times panels `[N / 32][K / 2][32][2]`, K filled up to a multiple of 32.
pub(crate) struct Bf16TileProduct<'a> {
    left: Matrix<'a>,
    panels: &'a [u16],
}

impl<'a> Bf16TileProduct<'a> {
    /// # Safety
    /// [`request`] has said yes.
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
        out.fill(0);
        for (index, row) in rows.enumerate() {
            let panel = &mut out[index / SIDE * SIDE * depth.len()..];
            for (place, x) in self.left.row(row).iter().enumerate() {
                panel[left_place(index % SIDE, place, 32)] = bf16_from_f32(*x);
            }
        }
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
        // SAFETY: whoever made the product has asked for the tiles; the lengths are checked above.
        unsafe { bf16_tiles(left.as_ptr().cast(), right.as_ptr().cast(), steps, out.as_mut_ptr().cast()) }
    }
}

/// Rows of int8 times panels `[N / 32][K / 4][32][4]`, K filled up to a multiple of 64.
pub(crate) struct Int8TileProduct<'a> {
    left: &'a QuantizedRows,
    panels: &'a [i8],
}

impl<'a> Int8TileProduct<'a> {
    /// # Safety
    /// [`request`] has said yes.
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
        out.fill(0);
        for (index, row) in rows.enumerate() {
            let panel = &mut out[index / SIDE * SIDE * depth.len()..];
            let values = &self.left.values[row * self.left.depth..][depth.clone()];
            for (place, step) in values.chunks_exact(64).enumerate() {
                let start = left_place(index % SIDE, place * 64, 64);
                panel[start..start + 64].copy_from_slice(step);
            }
        }
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
        // SAFETY: whoever made the product has asked for the tiles; the lengths are checked above.
        unsafe { int8_tiles(left.as_ptr().cast(), right.as_ptr().cast(), steps, out.as_mut_ptr().cast()) }
        for sum in out {
            *sum = sum.to_bits() as i32 as f32;
        }
    }
}
