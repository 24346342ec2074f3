//! The tile registers: configuration, release, and the loops that multiply tiles.

use std::arch::asm;

/// The operand of `ldtilecfg`: palette 1, and 16 rows of 64 bytes for each of the eight registers.
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

/// Configures the tile registers of this thread, which takes as long as a dozen tile products.
///
/// # Safety
/// [`is_available`](super::is_available) returned true.
pub(super) unsafe fn configure() {
    // SAFETY: the CPU has the instruction by the contract; it reads a static and zeroes the registers named.
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

/// Undoes [`configure`], so that context switches no longer save the tiles of this thread.
///
/// # Safety
/// [`is_available`](super::is_available) returned true.
pub(super) unsafe fn release() {
    // SAFETY: the CPU has the instruction by the contract; it zeroes the registers named.
    unsafe {
        asm!(
            "tilerelease",
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}

/// Defines a function that multiplies `steps` blocks of 2048 bytes of both operands, giving sums `[32, 32]` of four bytes.
macro_rules! tile_product {
    ($name:ident, $instruction:literal) => {
        /// # Safety
        /// [`configure`] was called on this thread; `steps > 0`; `left` and `right` point to `2048 * steps` readable bytes,
        /// `out` to 4096 writable ones.
        pub(super) unsafe fn $name(left: *const u8, right: *const u8, steps: usize, out: *mut u8) {
            // SAFETY: the contract covers the instructions and the memory; all clobbered registers are named.
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

/// Defines a function that multiplies tiles in registers, four products a round, and returns the number of operations.
macro_rules! peak_loop {
    ($name:ident, $instruction:literal, $depth:literal) => {
        /// # Safety
        /// [`is_available`](super::is_available) returned true; `rounds > 0`.
        pub(crate) unsafe fn $name(rounds: usize) -> usize {
            // A tile product takes as long as about 16 vector instructions.
            let rounds = rounds / 16 + 1;
            // SAFETY: the contract covers the instructions; no memory but the configuration is read, and all clobbered
            // registers are named.
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
