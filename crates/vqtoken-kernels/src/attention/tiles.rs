//! What both directions of attention share: block sizes, copies of heads, accumulation of products.

use std::ops::Range;

use crate::Kernels;
use crate::float_product::tile_shape;
use crate::matrix::Matrix;
use crate::simd::{Left, Right, Simd, TileRows, kernel};

/// Panels, each as wide as a tile, of a block of the backward pass. `PANELS * NR` is a multiple of `MR` everywhere.
pub(super) const PANELS: usize = 3;

#[inline(always)]
fn padded_of<S: Simd>(_: S, head_dim: usize) -> usize {
    head_dim.next_multiple_of(S::LANES).max(S::NR)
}

kernel!(
    /// The length of the rows of a head when padded for [`add_products`].
    pub(super) fn padded(head_dim: usize) -> usize = padded_of
);

/// Copies rows, scaled, into rows of `width`, zero-padded, and fills the rows after them with zeros.
pub(super) fn copy_rows(from: Matrix<'_>, rows: Range<usize>, scale: f32, width: usize, out: &mut [f32]) {
    for (row, out) in (rows.start..).zip(out.chunks_exact_mut(width)) {
        let row = if row < rows.end { from.row(row) } else { &[] };
        let (values, padding) = out.split_at_mut(row.len());
        for (out, x) in values.iter_mut().zip(row) {
            *out = x * scale;
        }
        padding.fill(0.0);
    }
}

/// Packs rows, scaled, into panels `[head_dim][NR]`.
pub(super) fn pack_panels(
    kernels: Kernels,
    from: Matrix<'_>,
    rows: Range<usize>,
    scale: f32,
    out: &mut [f32],
) {
    let nr = tile_shape(kernels).1;
    let length = rows.len().next_multiple_of(nr) * from.columns();
    let out = &mut out[..length];
    from.pack_rows(nr, rows, 0..from.columns(), out);
    if scale != 1.0 {
        out.iter_mut().for_each(|x| *x *= scale);
    }
}

/// Adds a tile to rows that are `stride` apart.
struct Added<'a> {
    sums: &'a mut [f32],
    stride: usize,
}

impl<S: Simd> TileRows<S> for Added<'_> {
    #[inline(always)]
    fn take(&mut self, s: S, row: usize, sums: &[S::F]) {
        let out = &mut self.sums[row * self.stride..][..sums.len() * S::LANES];
        for (out, new) in out.chunks_exact_mut(S::LANES).zip(sums) {
            let sum = s.add(s.load(out), *new);
            s.store(out, sum);
        }
    }
}

/// `sums [rows][right.stride] += left [rows][depth] right [depth][right.stride]`. Rows are rounded up to whole tiles, so
/// `sums` and `left` must extend that far.
#[inline(always)]
pub(super) fn add_products<S: Simd>(
    s: S,
    rows: usize,
    left: Left<'_>,
    right: Right<'_>,
    depth: usize,
    sums: &mut [f32],
) {
    let stride = right.stride;
    let vectors = stride / S::LANES;
    // Tiles three vectors wide if that divides the row; otherwise two, with one of three if their number is odd.
    let odd = S::NR > S::LANES && !vectors.is_multiple_of(2);
    let wide = if vectors.is_multiple_of(3) { vectors / 3 } else { usize::from(odd) };
    for column in (0..wide).map(|index| index * 3 * S::LANES) {
        let right = Right { data: &right.data[column..], stride };
        for row in (0..rows).step_by(S::WIDE_MR) {
            let left = Left { data: &left.data[row * left.row..], ..left };
            let sums = &mut sums[row * stride + column..];
            s.wide_tile(left, right, depth, &mut Added { sums, stride });
        }
    }
    for column in (wide * 3 * S::LANES..stride).step_by(S::NR) {
        let right = Right { data: &right.data[column..], stride };
        for row in (0..rows).step_by(S::MR) {
            let left = Left { data: &left.data[row * left.row..], ..left };
            let sums = &mut sums[row * stride + column..];
            s.strided_tile(left, right, depth, &mut Added { sums, stride });
        }
    }
}
