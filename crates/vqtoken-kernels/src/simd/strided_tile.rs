//! Tiles of operands that are not packed. Left values are broadcast one by one anyway, so any stride will do.

use super::{Simd, TileRows};

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
