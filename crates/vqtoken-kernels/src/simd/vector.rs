//! The trait of vectors of `f32`, and what its tile products read and write.

/// `1.5 * 2^23 + 127`. Adding it to an `|x| < 2^22` rounds `x` to an integer and leaves that integer plus 127, the exponent
/// bias, in the lowest bits of the sum.
pub(crate) const SHIFT: f32 = 12_583_039.0;

/// The largest number of lanes of any instruction set.
pub(crate) const MAX_LANES: usize = 16;

/// Rows whose bytes [`Simd::lookup_sums`] looks up at once.
pub(crate) const LOOKUP_ROWS: usize = 32;

/// Numbers for the sixteen values of a byte's lower four bits, then for those of its upper four bits; each at most 60.
pub(crate) type LookupTable = [u8; 32];

/// Vectors of `f32` of one instruction set. A value of the implementing type proves that the CPU supports it.
pub(crate) trait Simd: Copy {
    /// Lanes of a vector.
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
    /// The first `LANES` values of `x`.
    fn load(self, x: &[f32]) -> Self::F;
    /// Writes the first `LANES` values of `x`.
    fn store(self, x: &mut [f32], value: Self::F);
    /// The first `2 LANES` bf16 values of `x`, as `f32`: those at even indices, and those at odd indices.
    fn load_bf16_pairs(self, x: &[u16]) -> (Self::F, Self::F);
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    fn div(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a b + c`, rounded once if the instruction set can.
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// The larger one; `b` if either is NaN.
    fn max(self, a: Self::F, b: Self::F) -> Self::F;
    /// The smaller one; `b` if either is NaN.
    fn min(self, a: Self::F, b: Self::F) -> Self::F;
    /// The lowest bits moved up to the exponent: `2^n` of [`SHIFT`]` + n` for integers `n` in -126..=127, zero for -127,
    /// infinity for 128; unspecified for NaN.
    fn to_exponent(self, a: Self::F) -> Self::F;
    /// `yes` if `a > b`, else `no`, lane by lane.
    fn select_gt(self, a: Self::F, b: Self::F, yes: Self::F, no: Self::F) -> Self::F;
    /// The product of `left [K][MR]` and `right [K][NR]` over K; `rows` takes its rows from registers.
    fn tile_rows(self, left: &[f32], right: &[f32], rows: &mut impl TileRows<Self>);
    /// The same for operands that are not packed.
    fn strided_tile(self, left: Left<'_>, right: Right<'_>, depth: usize, rows: &mut impl TileRows<Self>);
    /// The same for tiles of `WIDE_MR` rows and three vectors.
    fn wide_tile(self, left: Left<'_>, right: Right<'_>, depth: usize, rows: &mut impl TileRows<Self>);
    /// For each of 32 rows the sum of the numbers that the tables hold for its bytes, `bytes [B, 32]`. `B` is even, and the sums must fit 16 bits.
    fn lookup_sums(self, tables: &[LookupTable], bytes: &[[u8; LOOKUP_ROWS]]) -> [u16; LOOKUP_ROWS];

    /// The product of `left [K][MR]` and `right [K][NR]` over K, to `out [MR][NR]`.
    #[inline(always)]
    fn tile(self, left: &[f32], right: &[f32], out: &mut [f32]) {
        self.tile_rows(left, right, &mut Stored(&mut out[..Self::MR * Self::NR]));
    }

    /// The first values of `x`, as many as there are, and `fill` in the remaining lanes.
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

    /// Writes the first values of `x`, as many as there are.
    #[inline(always)]
    fn store_some(self, x: &mut [f32], value: Self::F) {
        if x.len() >= Self::LANES {
            self.store(x, value);
        } else {
            let lanes = self.lanes(value);
            x.copy_from_slice(&lanes[..x.len()]);
        }
    }

    /// The lanes of a vector, in the first `LANES` elements.
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

/// Consumes the rows of a tile. A closure would not do: it is compiled for the instruction set only if it is inlined.
pub(crate) trait TileRows<S: Simd> {
    /// Takes row `row` of the tile, `NR / LANES` vectors. Implementations must be `#[inline(always)]`.
    fn take(&mut self, s: S, row: usize, sums: &[S::F]);
}

/// Stores a tile `[MR][NR]`.
pub(crate) struct Stored<'a>(pub(crate) &'a mut [f32]);

impl<S: Simd> TileRows<S> for Stored<'_> {
    #[inline(always)]
    fn take(&mut self, s: S, row: usize, sums: &[S::F]) {
        for (j, sums) in sums.iter().enumerate() {
            s.store(&mut self.0[row * S::NR + j * S::LANES..], *sums);
        }
    }
}

/// A left operand whose element `(i, k)` is at `i * row + k * step`.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) row: usize,
    pub(crate) step: usize,
}

/// A right operand whose row `k` starts at `k * stride`.
#[derive(Clone, Copy)]
pub(crate) struct Right<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) stride: usize,
}
