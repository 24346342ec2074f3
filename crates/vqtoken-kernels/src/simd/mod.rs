//! Vectors of `f32`, once per instruction set, and the macro that picks one of them at run time.
//!
//! A kernel is written once, as an `#[inline(always)]` function over [`Simd`]. [`kernel!`] compiles it for every
//! instruction set and calls the one that [`crate::Kernels`] stands for.

mod dispatch;
mod portable;
mod strided;
#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
mod x86_512;

pub(crate) use dispatch::kernel;
pub(crate) use portable::Portable;
pub(crate) use strided::{Left, Right};
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_512::Avx512;

/// Added to a number below 2^22 it leaves no bits for the fraction, and the whole number plus 127, the exponent's bias,
/// in the lowest bits.
pub(crate) const SHIFT: f32 = 12_583_039.0;

/// The most lanes a vector has.
pub(crate) const MAX_LANES: usize = 16;

/// Vectors of `f32` of one instruction set. A value of the type is the proof that the CPU has it.
pub(crate) trait Simd: Copy {
    /// Numbers in a vector.
    const LANES: usize;
    /// Rows of a tile.
    const MR: usize;
    /// Columns of a tile, a multiple of `LANES`.
    const NR: usize;
    /// Rows of a tile that is three vectors wide.
    const WIDE_MR: usize;
    /// A vector.
    type F: Copy;

    fn splat(self, x: f32) -> Self::F;
    /// The first `LANES` numbers of `x`.
    fn load(self, x: &[f32]) -> Self::F;
    /// Writes the first `LANES` numbers of `x`.
    fn store(self, x: &mut [f32], value: Self::F);
    /// The first `2 LANES` bf16 numbers of `x`: those at even places, and those at odd places.
    fn load_bf16_pairs(self, x: &[u16]) -> (Self::F, Self::F);
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    fn div(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a b + c`, rounded once where the instruction set can.
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// The larger, and `b` where either is NaN.
    fn max(self, a: Self::F, b: Self::F) -> Self::F;
    /// The smaller, and `b` where either is NaN.
    fn min(self, a: Self::F, b: Self::F) -> Self::F;
    /// The bits moved up to the exponent: `2^n` of [`SHIFT`]` + n` for whole `n` in -126..=127, zero for -127, infinity
    /// for 128; anything for NaN.
    fn to_exponent(self, a: Self::F) -> Self::F;
    /// `yes` where `a > b`, else `no`.
    fn select_gt(self, a: Self::F, b: Self::F, yes: Self::F, no: Self::F) -> Self::F;
    /// The product of `left [K][MR]` and `right [K][NR]` over K; its rows are handed on in registers.
    fn tile_rows(self, left: &[f32], right: &[f32], rows: &mut impl TileRows<Self>);
    /// The same of sides that are not packed.
    fn strided_tile(self, left: Left<'_>, right: Right<'_>, depth: usize, rows: &mut impl TileRows<Self>);
    /// The same of `WIDE_MR` rows and three vectors.
    fn wide_tile(self, left: Left<'_>, right: Right<'_>, depth: usize, rows: &mut impl TileRows<Self>);

    /// The product of `left [K][MR]` and `right [K][NR]` over K, to `out [MR][NR]`.
    #[inline(always)]
    fn tile(self, left: &[f32], right: &[f32], out: &mut [f32]) {
        self.tile_rows(left, right, &mut Stored(&mut out[..Self::MR * Self::NR]));
    }

    /// The first numbers of `x`, as many as there are, and `fill` for the rest.
    #[inline(always)]
    fn load_or(self, x: &[f32], fill: f32) -> Self::F {
        if x.len() >= Self::LANES {
            self.load(x)
        } else {
            let mut lanes = [fill; MAX_LANES];
            lanes[..x.len()].copy_from_slice(x);
            self.load(&lanes)
        }
    }

    /// Writes the first numbers of `x`, as many as there are.
    #[inline(always)]
    fn store_some(self, x: &mut [f32], value: Self::F) {
        if x.len() >= Self::LANES {
            self.store(x, value);
        } else {
            let lanes = self.lanes(value);
            x.copy_from_slice(&lanes[..x.len()]);
        }
    }

    /// The numbers of a vector, in the first `LANES` places.
    #[inline(always)]
    fn lanes(self, a: Self::F) -> [f32; MAX_LANES] {
        let mut lanes = [0.0; MAX_LANES];
        self.store(&mut lanes, a);
        lanes
    }

    /// The sum over the lanes, from the first to the last.
    #[inline(always)]
    fn sum(self, a: Self::F) -> f32 {
        self.lanes(a)[..Self::LANES].iter().sum()
    }
}

/// Takes the rows of a tile. Not a closure: that would not inherit the instruction set unless it happens to be inlined.
pub(crate) trait TileRows<S: Simd> {
    /// Row `row` of the tile, `NR / LANES` vectors. To be `#[inline(always)]`.
    fn take(&mut self, s: S, row: usize, sums: &[S::F]);
}

/// Writes a tile `[MR][NR]`.
pub(crate) struct Stored<'a>(pub(crate) &'a mut [f32]);

impl<S: Simd> TileRows<S> for Stored<'_> {
    #[inline(always)]
    fn take(&mut self, s: S, row: usize, sums: &[S::F]) {
        for (j, sums) in sums.iter().enumerate() {
            s.store(&mut self.0[row * S::NR + j * S::LANES..], *sums);
        }
    }
}

/// [`Simd::tile_rows`] with `MR * NV` vectors.
#[inline(always)]
pub(crate) fn tile_rows<S: Simd, const MR: usize, const NV: usize>(
    s: S,
    left: &[f32],
    right: &[f32],
    rows: &mut impl TileRows<S>,
) {
    let mut sums = [[s.splat(0.0); NV]; MR];
    for (a, b) in left.chunks_exact(MR).zip(right.chunks_exact(NV * S::LANES)) {
        let mut columns = [s.splat(0.0); NV];
        for j in 0..NV {
            columns[j] = s.load(&b[j * S::LANES..]);
        }
        for i in 0..MR {
            let x = s.splat(a[i]);
            for j in 0..NV {
                sums[i][j] = s.fma(x, columns[j], sums[i][j]);
            }
        }
    }
    for i in 0..MR {
        rows.take(s, i, &sums[i]);
    }
}
