//! Register tiles, generic over the instruction set: packed operands, and strided ones. Left values are broadcast one by
//! one, so the left operand may have any stride.

use super::{Left, Right, Simd, TileRows};

/// [`Simd::tile_rows`] with `MR * NV` accumulators.
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

/// The product of `left [MR][depth]` and `right [depth][NV vectors]`; `rows` takes its rows from registers.
#[inline(always)]
pub(crate) fn strided_tile<S: Simd, const MR: usize, const NV: usize>(
    s: S,
    left: Left<'_>,
    right: Right<'_>,
    depth: usize,
    rows: &mut impl TileRows<S>,
) {
    let mut sums = [[s.splat(0.0); NV]; MR];
    if let Some(last) = depth.checked_sub(1) {
        assert!((MR - 1) * left.row + last * left.step < left.data.len());
        assert!(last * right.stride + NV * S::LANES <= right.data.len());
    }
    for k in 0..depth {
        let start = k * right.stride;
        // SAFETY: `k` is at most the last row, which is in bounds by the assertion above.
        let row = unsafe { right.data.get_unchecked(start..start + NV * S::LANES) };
        let mut columns = [s.splat(0.0); NV];
        for j in 0..NV {
            columns[j] = s.load(&row[j * S::LANES..]);
        }
        for i in 0..MR {
            // SAFETY: `i < MR` and `k <= last`, for which the assertion above checked the bounds.
            let x = s.splat(unsafe { *left.data.get_unchecked(i * left.row + k * left.step) });
            for j in 0..NV {
                sums[i][j] = s.fma(x, columns[j], sums[i][j]);
            }
        }
    }
    for i in 0..MR {
        rows.take(s, i, &sums[i]);
    }
}
