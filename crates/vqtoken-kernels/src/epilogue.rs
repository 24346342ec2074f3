//! What happens to a tile of a product on its way to memory: scales, bias, activation, residual.

use std::ops::Range;

use crate::activation::{Activation, Function, Gelu, GeluTanh, Identity, Silu};
use crate::shared_rows::SharedRows;
use crate::simd::{Simd, kernel};

/// `activation(scale * product + bias) + residual`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Epilogue<'a> {
    /// Of an int8 product: one scale a row, one a column.
    pub(crate) scales: Option<(&'a [f32], &'a [f32])>,
    /// `[columns]`
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) activation: Activation,
    /// `[rows, columns]`
    pub(crate) residual: Option<&'a [f32]>,
}

/// Where a tile belongs.
#[derive(Clone)]
pub(crate) struct Place<'a> {
    pub(crate) out: SharedRows<'a>,
    pub(crate) rows: Range<usize>,
    pub(crate) columns: Range<usize>,
    /// Columns of the whole output.
    pub(crate) width: usize,
    /// The tile holds the first terms of the sum over the depth.
    pub(crate) first: bool,
    /// The tile holds the last terms.
    pub(crate) last: bool,
}

#[inline(always)]
fn finish<S: Simd, A: Function>(
    s: S,
    tile: &[f32],
    stride: usize,
    place: &Place<'_>,
    epilogue: &Epilogue<'_>,
) {
    for (row, sums) in place.rows.clone().zip(tile.chunks_exact(stride)) {
        // SAFETY: the rows and columns of a place belong to one task.
        let out = unsafe { place.out.segment(row, place.columns.clone()) };
        let mut column = place.columns.start;
        for (out, sums) in out.chunks_mut(S::LANES).zip(sums.chunks(S::LANES)) {
            let mut y = s.load_or(sums, 0.0);
            if !place.first {
                y = s.add(s.load_or(out, 0.0), y);
            }
            if place.last {
                if let Some((rows, columns)) = epilogue.scales {
                    let columns = s.load_or(&columns[column..][..out.len()], 0.0);
                    y = s.mul(s.mul(y, s.splat(rows[row])), columns);
                }
                if let Some(bias) = epilogue.bias {
                    y = s.add(y, s.load_or(&bias[column..][..out.len()], 0.0));
                }
                y = A::value(s, y);
                if let Some(residual) = epilogue.residual {
                    y = s.add(y, s.load_or(&residual[row * place.width + column..][..out.len()], 0.0));
                }
            }
            s.store_some(out, y);
            column += out.len();
        }
    }
}

#[inline(always)]
fn finish_any<S: Simd>(s: S, tile: &[f32], stride: usize, place: &Place<'_>, epilogue: &Epilogue<'_>) {
    match (place.last, epilogue.activation) {
        (false, _) | (true, Activation::Identity) => finish::<S, Identity>(s, tile, stride, place, epilogue),
        (true, Activation::Gelu) => finish::<S, Gelu>(s, tile, stride, place, epilogue),
        (true, Activation::GeluTanh) => finish::<S, GeluTanh>(s, tile, stride, place, epilogue),
        (true, Activation::Silu) => finish::<S, Silu>(s, tile, stride, place, epilogue),
    }
}

kernel!(
    /// Adds a tile, whose rows are `stride` apart, to its place, and finishes it where it is the last.
    pub(crate) fn finish_tile(tile: &[f32], stride: usize, place: &Place<'_>, epilogue: &Epilogue<'_>) = finish_any
);
