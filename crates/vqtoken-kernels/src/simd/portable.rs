//! Eight lanes in plain Rust, which the compiler vectorizes for the target's baseline.

use super::tiles::{strided_tile, tile_rows};
use super::{LOOKUP_ROWS, Left, LookupTable, Right, Simd, TileRows};

/// Plain Rust, for every CPU.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

type Vector = [f32; 8];

#[inline(always)]
fn each(a: Vector, b: Vector, f: impl Fn(f32, f32) -> f32) -> Vector {
    let mut out = [0.0; 8];
    for i in 0..8 {
        out[i] = f(a[i], b[i]);
    }
    out
}

impl Simd for Portable {
    const LANES: usize = 8;
    const MR: usize = 4;
    const NR: usize = 8;
    const WIDE_MR: usize = 2;
    type F = Vector;

    #[inline(always)]
    fn splat(self, x: f32) -> Vector {
        [x; 8]
    }
    #[inline(always)]
    fn load(self, x: &[f32]) -> Vector {
        let mut out = [0.0; 8];
        out.copy_from_slice(&x[..8]);
        out
    }
    #[inline(always)]
    fn store(self, x: &mut [f32], value: Vector) {
        x[..8].copy_from_slice(&value);
    }
    #[inline(always)]
    fn load_bf16_pairs(self, x: &[u16]) -> (Vector, Vector) {
        let (mut even, mut odd) = ([0.0; 8], [0.0; 8]);
        for (i, pair) in x[..16].chunks_exact(2).enumerate() {
            even[i] = f32::from_bits(u32::from(pair[0]) << 16);
            odd[i] = f32::from_bits(u32::from(pair[1]) << 16);
        }
        (even, odd)
    }
    #[inline(always)]
    fn add(self, a: Vector, b: Vector) -> Vector {
        each(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: Vector, b: Vector) -> Vector {
        each(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: Vector, b: Vector) -> Vector {
        each(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: Vector, b: Vector) -> Vector {
        each(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn fma(self, a: Vector, b: Vector, c: Vector) -> Vector {
        // Rounded twice: without an FMA instruction, rounding once is a call into the C library.
        self.add(self.mul(a, b), c)
    }
    #[inline(always)]
    fn max(self, a: Vector, b: Vector) -> Vector {
        each(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn min(self, a: Vector, b: Vector) -> Vector {
        each(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn to_exponent(self, a: Vector) -> Vector {
        each(a, a, |a, _| f32::from_bits(a.to_bits() << 23))
    }
    #[inline(always)]
    fn select_gt(self, a: Vector, b: Vector, yes: Vector, no: Vector) -> Vector {
        let mut out = no;
        for i in 0..8 {
            if a[i] > b[i] {
                out[i] = yes[i];
            }
        }
        out
    }
    #[inline(always)]
    fn tile_rows(self, left: &[f32], right: &[f32], rows: &mut impl TileRows<Self>) {
        tile_rows::<Self, 4, 1>(self, left, right, rows);
    }
    #[inline(always)]
    fn strided_tile(self, left: Left<'_>, right: Right<'_>, depth: usize, rows: &mut impl TileRows<Self>) {
        strided_tile::<Self, 4, 1>(self, left, right, depth, rows);
    }
    #[inline(always)]
    fn wide_tile(self, left: Left<'_>, right: Right<'_>, depth: usize, rows: &mut impl TileRows<Self>) {
        strided_tile::<Self, 2, 3>(self, left, right, depth, rows);
    }
    #[inline(always)]
    fn lookup_sums(self, tables: &[LookupTable], bytes: &[[u8; LOOKUP_ROWS]]) -> [u16; LOOKUP_ROWS] {
        let mut sums = [0; LOOKUP_ROWS];
        for (table, bytes) in tables.iter().zip(bytes) {
            for (sum, byte) in sums.iter_mut().zip(bytes) {
                let (low, high) = (usize::from(byte & 15), usize::from(byte >> 4));
                *sum += u16::from(table[low]) + u16::from(table[16 + high]);
            }
        }
        sums
    }
}
