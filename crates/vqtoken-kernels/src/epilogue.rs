//! What happens to a tile of a product on its way to memory: scales, bias, activation, residual.

use std::marker::PhantomData;
use std::ops::Range;

use crate::activation::{Activation, Function, Gelu, GeluTanh, Identity, Silu};
use crate::shared_rows::{SharedRows, prefetch};
use crate::simd::{Left, Right, Simd, Stored, TileRows, kernel};

/// `activation(scale * product + output + bias) + residual`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Epilogue<'a> {
    /// Of an int8 product: one scale a row, one a column.
    pub(crate) scales: Option<(&'a [f32], &'a [f32])>,
    /// Adds to what the output holds; with scales only where the depth is one block.
    pub(crate) add_output: bool,
    /// `[columns]`
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) activation: Activation,
    /// `[rows, columns]`
    pub(crate) residual: Option<&'a [f32]>,
}

/// The left side of a tile of `f32`.
#[derive(Clone, Copy)]
pub(crate) enum LeftSide<'a> {
    /// `[K][MR]`
    Packed(&'a [f32]),
    /// Rows that begin so far apart.
    InPlace(&'a [f32], usize),
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
    // Whole vectors side by side, so that none waits for another; the rest of a narrow tile one by one.
    let width = place.columns.len();
    let whole = if width.is_multiple_of(S::NR) { width } else { 0 };
    for (row, sums) in place.rows.clone().zip(tile.chunks_exact(stride)) {
        // SAFETY: the rows and columns of a place belong to one task.
        let out = unsafe { place.out.segment(row, place.columns.clone()) };
        let sources = Sources::new(row, place, epilogue);
        for start in (0..whole).step_by(S::NR) {
            sources.finish::<S, A, 2>(s, &sums[start..][..S::NR], &mut out[start..][..S::NR], start);
        }
        for start in (whole..width).step_by(S::LANES) {
            let end = (start + S::LANES).min(width);
            sources.finish::<S, A, 1>(s, &sums[start..end], &mut out[start..end], start);
        }
    }
}

/// What is needed for one row of a place.
struct Sources<'a> {
    /// The output holds sums so far, not scaled.
    add_sums: bool,
    /// The output holds what is added to the scaled sum.
    add_output: bool,
    last: bool,
    scales: Option<(f32, &'a [f32])>,
    bias: Option<&'a [f32]>,
    residual: Option<&'a [f32]>,
}

impl<'a> Sources<'a> {
    #[inline(always)]
    fn new(row: usize, place: &Place<'_>, epilogue: &Epilogue<'a>) -> Self {
        let columns = place.columns.clone();
        Self {
            add_sums: !place.first || epilogue.add_output && epilogue.scales.is_none(),
            add_output: epilogue.add_output && epilogue.scales.is_some(),
            last: place.last,
            scales: epilogue.scales.map(|(rows, all)| (rows[row], &all[columns.clone()])),
            bias: epilogue.bias.map(|bias| &bias[columns.clone()]),
            residual: epilogue.residual.map(|all| &all[row * place.width..][columns]),
        }
    }

    /// Finishes the numbers from column `start` of the place on, at most `N` vectors.
    #[inline(always)]
    fn finish<S: Simd, A: Function, const N: usize>(
        &self,
        s: S,
        sums: &[f32],
        out: &mut [f32],
        start: usize,
    ) {
        let count = sums.len().div_ceil(S::LANES).min(N);
        let mut y = [s.splat(0.0); N];
        let range = |j: usize| j * S::LANES..((j + 1) * S::LANES).min(sums.len());
        let part = |from: &[f32], j: usize| s.load_or(&from[start..][range(j)], 0.0);
        for j in 0..count {
            y[j] = s.load_or(&sums[range(j)], 0.0);
            if self.add_sums {
                y[j] = s.add(s.load_or(&out[range(j)], 0.0), y[j]);
            }
        }
        if self.last {
            if let Some((row, columns)) = self.scales {
                for j in 0..count {
                    y[j] = s.mul(s.mul(y[j], s.splat(row)), part(columns, j));
                }
            }
            if self.add_output {
                for j in 0..count {
                    y[j] = s.add(y[j], s.load_or(&out[range(j)], 0.0));
                }
            }
            if let Some(bias) = self.bias {
                for j in 0..count {
                    y[j] = s.add(y[j], part(bias, j));
                }
            }
            for j in 0..count {
                y[j] = A::value(s, y[j]);
            }
            if let Some(residual) = self.residual {
                for j in 0..count {
                    y[j] = s.add(y[j], part(residual, j));
                }
            }
        }
        for j in 0..count {
            s.store_some(&mut out[range(j)], y[j]);
        }
    }
}

impl Place<'_> {
    /// Asks the CPU to fetch what finishing the tile will need; its rows lie far apart.
    #[inline(always)]
    pub(crate) fn prefetch(&self, epilogue: &Epilogue<'_>) {
        for row in self.rows.clone() {
            self.out.prefetch(row, self.columns.clone());
            if let (true, Some(residual)) = (self.last, epilogue.residual) {
                prefetch(&residual[row * self.width..][self.columns.clone()]);
            }
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

/// Multiplies a tile and finishes it, a whole one without leaving the registers.
#[inline(always)]
fn multiply_and_finish<S: Simd>(
    s: S,
    left: LeftSide<'_>,
    right: &[f32],
    tile: &mut [f32],
    place: &Place<'_>,
    epilogue: &Epilogue<'_>,
) {
    let whole = place.rows.len() == S::MR && place.columns.len() == S::NR;
    if !whole || epilogue.scales.is_some() {
        multiply(s, left, right, &mut Stored(tile));
        return finish_any(s, tile, S::NR, place, epilogue);
    }
    match (place.last, epilogue.activation) {
        (false, _) | (true, Activation::Identity) => {
            whole_tile::<S, Identity>(s, left, right, place, epilogue)
        }
        (true, Activation::Gelu) => whole_tile::<S, Gelu>(s, left, right, place, epilogue),
        (true, Activation::GeluTanh) => whole_tile::<S, GeluTanh>(s, left, right, place, epilogue),
        (true, Activation::Silu) => whole_tile::<S, Silu>(s, left, right, place, epilogue),
    }
}

#[inline(always)]
fn multiply<S: Simd>(s: S, left: LeftSide<'_>, right: &[f32], rows: &mut impl TileRows<S>) {
    match left {
        LeftSide::Packed(left) => s.tile_rows(left, right, rows),
        LeftSide::InPlace(data, row) => {
            let depth = right.len() / S::NR;
            s.strided_tile(Left { data, row, step: 1 }, Right { data: right, stride: S::NR }, depth, rows);
        }
    }
}

#[inline(always)]
fn whole_tile<S: Simd, A: Function>(
    s: S,
    left: LeftSide<'_>,
    right: &[f32],
    place: &Place<'_>,
    epilogue: &Epilogue<'_>,
) {
    let last = if place.last { *epilogue } else { Epilogue::default() };
    let bias = last.bias.map(|bias| &bias[place.columns.clone()][..S::NR]);
    let add_output = !place.first || epilogue.add_output;
    let residual = last.residual;
    let mut rows = Finished::<A> { place, add_output, bias, residual, activation: PhantomData };
    multiply(s, left, right, &mut rows);
}

/// Finishes the rows of a whole tile.
struct Finished<'a, A> {
    place: &'a Place<'a>,
    add_output: bool,
    bias: Option<&'a [f32]>,
    residual: Option<&'a [f32]>,
    activation: PhantomData<A>,
}

impl<S: Simd, A: Function> TileRows<S> for Finished<'_, A> {
    #[inline(always)]
    fn take(&mut self, s: S, row: usize, sums: &[S::F]) {
        let (row, columns) = (self.place.rows.start + row, self.place.columns.clone());
        // SAFETY: the rows and columns of a place belong to one task.
        let out = unsafe { self.place.out.segment(row, columns.clone()) };
        let residual = self.residual.map(|all| &all[row * self.place.width..][columns]);
        for (j, sums) in sums.iter().enumerate() {
            let mut y = *sums;
            let lanes = j * S::LANES..(j + 1) * S::LANES;
            if self.add_output {
                y = s.add(s.load(&out[lanes.clone()]), y);
            }
            if let Some(bias) = self.bias {
                y = s.add(y, s.load(&bias[lanes.clone()]));
            }
            y = A::value(s, y);
            if let Some(residual) = residual {
                y = s.add(y, s.load(&residual[lanes.clone()]));
            }
            s.store(&mut out[lanes], y);
        }
    }
}

kernel!(
    /// A left side times `right [K][NR]`, finished in its place; `tile` is a buffer of a tile.
    pub(crate) fn finished_float_tile(
        left: LeftSide<'_>,
        right: &[f32],
        tile: &mut [f32],
        place: &Place<'_>,
        epilogue: &Epilogue<'_>,
    ) = multiply_and_finish
);
kernel!(
    /// Adds a tile, whose rows are `stride` apart, to its place, and finishes it where it is the last.
    pub(crate) fn finish_tile(tile: &[f32], stride: usize, place: &Place<'_>, epilogue: &Epilogue<'_>) = finish_any
);
