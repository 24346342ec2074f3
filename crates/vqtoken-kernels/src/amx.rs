//! AMX: products of whole tiles of bf16 and int8, by inline assembly, since the intrinsics are not stable.
//!
//! A tile register holds 16 rows of 64 bytes. Four hold sums `[32, 32]`, two 32 rows of the left side, two 32 columns of
//! the right side; one step takes 64 bytes of the depth: 32 numbers of bf16, or 64 of int8.

use std::arch::{asm, x86_64};
use std::ops::Range;

use crate::aligned::Number;
use crate::avx512_dots::round_to_bf16;
use crate::int8::QuantizedRows;
use crate::matrix::Matrix;
use crate::product::{Product, Tiling};

/// Rows, and columns, of the sums.
const SIDE: usize = 32;

/// Bytes of the left side that a task takes: half of the second-level cache of the CPUs that have AMX.
const TASK_BYTES: usize = 1 << 20;

/// Whether the CPU has AMX with bf16 and int8 beside AVX-512 BF16, and the operating system lets this process use it.
pub(crate) fn request() -> bool {
    if cfg!(miri) {
        return false; // Miri reads no assembly, and this asks the CPU in assembly.
    }
    const OSXSAVE: u32 = 1 << 27;
    const TILES: u32 = 1 << 22 | 1 << 24 | 1 << 25;
    if x86_64::__cpuid(0).eax < 7 || x86_64::__cpuid(1).ecx & OSXSAVE == 0 {
        return false;
    }
    let tiles = x86_64::__cpuid_count(7, 0).edx & TILES == TILES;
    tiles && is_x86_feature_detected!("avx512bf16") && permitted()
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

/// Gives the tile registers of this thread their shapes, which takes as long as a dozen products.
///
/// # Safety
/// [`request`] has said yes.
unsafe fn configure() {
    // SAFETY: the caller grants the instruction; it reads a static and zeroes the registers named.
    unsafe {
        asm!(
            "ldtilecfg [{configuration}]",
            configuration = in(reg) &raw const CONFIGURATION,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}

/// Undoes [`configure`], so that the operating system need not save the tiles of this thread any more.
///
/// # Safety
/// [`request`] has said yes.
unsafe fn release() {
    // SAFETY: the caller grants the instruction; it zeroes the registers named.
    unsafe {
        asm!(
            "tilerelease",
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}

/// A function that multiplies `steps` blocks of 2048 bytes of both sides to sums `[32, 32]` of four bytes.
macro_rules! tile_product {
    ($name:ident, $instruction:literal) => {
        /// # Safety
        /// [`configure`] was called on this thread; `steps > 0`; `left` and `right` have `2048 steps` bytes to read,
        /// `out` 4096 to write.
        unsafe fn $name(left: *const u8, right: *const u8, steps: usize, out: *mut u8) {
            // SAFETY: the caller grants the instructions and the memory; all registers that are written are named.
            unsafe {
                asm!(
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
