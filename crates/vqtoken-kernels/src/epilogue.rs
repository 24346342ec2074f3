//! The epilogue of a product, applied to each tile on its way to memory: scales, bias, activation, residual.

use std::marker::PhantomData;
use std::ops::Range;

use crate::activation::{Activation, Function, Gelu, GeluTanh, Identity, Relu, Silu};
use crate::shared_rows::{SharedRows, prefetch};
use crate::simd::{Left, Right, Simd, Stored, TileRows, kernel};

/// `activation(scale * product + output + bias) + residual`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Epilogue<'a> {
    /// The scales of an int8 product: `[rows]` and `[columns]`.
    pub(crate) scales: Option<(&'a [f32], &'a [f32])>,
    /// Whether the output is added to; together with scales only if the depth is one block.
    pub(crate) add_output: bool,
    /// `[columns]`
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) activation: Option<Activation>,
    /// `[rows, columns]`
    pub(crate) residual: Option<&'a [f32]>,
    /// Asked before each panel: where it says yes, nobody reads the output.
    pub(crate) is_unwanted: Option<&'a (dyn Fn() -> bool + Sync)>,
}

impl Epilogue<'_> {
    /// Whether nobody reads the output.
    pub(crate) fn is_unwanted(&self) -> bool {
        self.is_unwanted.is_some_and(|is_unwanted| is_unwanted())
    }
}

/// The left operand of a tile of `f32`.
#[derive(Clone, Copy)]
pub(crate) enum LeftTile<'a> {
    /// `[K][MR]`
    Packed(&'a [f32]),
    /// Rows that start `row_stride` apart.
    InPlace { data: &'a [f32], row_stride: usize },
}

/// The part of the output that a tile is written to.
#[derive(Clone)]
pub(crate) struct OutputTile<'a> {
    pub(crate) out: SharedRows<'a>,
    pub(crate) rows: Range<usize>,
    pub(crate) columns: Range<usize>,
    /// Columns of the whole output.
    pub(crate) width: usize,
    /// Whether the tile holds the first block of the sum over the depth.
    pub(crate) first: bool,
    /// Whether it holds the last one.
    pub(crate) last: bool,
}

#[inline(always)]
fn finish<S: Simd, A: Function>(
    s: S,
    tile: &[f32],
    stride: usize,
    output: &OutputTile<'_>,
    epilogue: &Epilogue<'_>,
) {
    // A full tile two vectors at a time, to hide latency; a narrower one vector by vector.
    let width = output.columns.len();
    let full = if width.is_multiple_of(S::NR) { width } else { 0 };
    for (row, sums) in output.rows.clone().zip(tile.chunks_exact(stride)) {
        // SAFETY: the rows and columns of an output tile belong to one task.
        let out = unsafe { output.out.segment(row, output.columns.clone()) };
        let sources = Sources::new(row, output, epilogue);
        for start in (0..full).step_by(S::NR) {
            sources.finish::<S, A, 2>(s, &sums[start..][..S::NR], &mut out[start..][..S::NR], start);
        }
        for start in (full..width).step_by(S::LANES) {
            let end = (start + S::LANES).min(width);
            sources.finish::<S, A, 1>(s, &sums[start..end], &mut out[start..end], start);
        }
    }
}

/// What finishing one row of an output tile reads.
struct Sources<'a> {
    /// Whether the output holds unscaled sums over the previous blocks.
    add_sums: bool,
    /// Whether the output holds a term that is added to the scaled sum.
    add_output: bool,
    last: bool,
    scales: Option<(f32, &'a [f32])>,
    bias: Option<&'a [f32]>,
    residual: Option<&'a [f32]>,
}

impl<'a> Sources<'a> {
    #[inline(always)]
    fn new(row: usize, output: &OutputTile<'_>, epilogue: &Epilogue<'a>) -> Self {
        let columns = output.columns.clone();
        Self {
            add_sums: !output.first || epilogue.add_output && epilogue.scales.is_none(),
            add_output: epilogue.add_output && epilogue.scales.is_some(),
            last: output.last,
            scales: epilogue.scales.map(|(rows, all)| (rows[row], &all[columns.clone()])),
            bias: epilogue.bias.map(|bias| &bias[columns.clone()]),
            residual: epilogue.residual.map(|all| &all[row * output.width..][columns]),
        }
    }

    /// Finishes the columns from `start` on, at most `N` vectors.
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

impl OutputTile<'_> {
    /// Prefetches what finishing the tile will read; its rows are far apart.
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
fn finish_any<S: Simd>(s: S, tile: &[f32], stride: usize, output: &OutputTile<'_>, epilogue: &Epilogue<'_>) {
    match (output.last, epilogue.activation) {
        (false, _) | (true, None) => finish::<S, Identity>(s, tile, stride, output, epilogue),
        (true, Some(Activation::Gelu)) => finish::<S, Gelu>(s, tile, stride, output, epilogue),
        (true, Some(Activation::GeluTanh)) => finish::<S, GeluTanh>(s, tile, stride, output, epilogue),
        (true, Some(Activation::Silu)) => finish::<S, Silu>(s, tile, stride, output, epilogue),
        (true, Some(Activation::Relu)) => finish::<S, Relu>(s, tile, stride, output, epilogue),
    }
}

/// Multiplies a tile and finishes it; a full tile does not leave the registers.
#[inline(always)]
fn multiply_and_finish_generic<S: Simd>(
    s: S,
    left: LeftTile<'_>,
    right: &[f32],
    tile: &mut [f32],
    output: &OutputTile<'_>,
    epilogue: &Epilogue<'_>,
) {
    let is_full = output.rows.len() == S::MR && output.columns.len() == S::NR;
    if !is_full || epilogue.scales.is_some() {
        multiply(s, left, right, &mut Stored(tile));
        return finish_any(s, tile, S::NR, output, epilogue);
    }
    match (output.last, epilogue.activation) {
        (false, _) | (true, None) => full_tile::<S, Identity>(s, left, right, output, epilogue),
        (true, Some(Activation::Gelu)) => full_tile::<S, Gelu>(s, left, right, output, epilogue),
        (true, Some(Activation::GeluTanh)) => full_tile::<S, GeluTanh>(s, left, right, output, epilogue),
        (true, Some(Activation::Silu)) => full_tile::<S, Silu>(s, left, right, output, epilogue),
        (true, Some(Activation::Relu)) => full_tile::<S, Relu>(s, left, right, output, epilogue),
    }
}

#[inline(always)]
fn multiply<S: Simd>(s: S, left: LeftTile<'_>, right: &[f32], rows: &mut impl TileRows<S>) {
    match left {
        LeftTile::Packed(left) => s.tile_rows(left, right, rows),
        LeftTile::InPlace { data, row_stride } => {
            let depth = right.len() / S::NR;
            s.strided_tile(
                Left { data, row: row_stride, step: 1 },
                Right { data: right, stride: S::NR },
                depth,
                rows,
            );
        }
    }
}

#[inline(always)]
fn full_tile<S: Simd, A: Function>(
    s: S,
    left: LeftTile<'_>,
    right: &[f32],
    output: &OutputTile<'_>,
    epilogue: &Epilogue<'_>,
) {
    let last = if output.last { *epilogue } else { Epilogue::default() };
    let bias = last.bias.map(|bias| &bias[output.columns.clone()][..S::NR]);
    let add_output = !output.first || epilogue.add_output;
    let residual = last.residual;
    let mut rows = Finished::<A> { output, add_output, bias, residual, activation: PhantomData };
    multiply(s, left, right, &mut rows);
}

/// Finishes the rows of a full tile.
struct Finished<'a, A> {
    output: &'a OutputTile<'a>,
    add_output: bool,
    bias: Option<&'a [f32]>,
    residual: Option<&'a [f32]>,
    activation: PhantomData<A>,
}

impl<S: Simd, A: Function> TileRows<S> for Finished<'_, A> {
    #[inline(always)]
    fn take(&mut self, s: S, row: usize, sums: &[S::F]) {
        let (row, columns) = (self.output.rows.start + row, self.output.columns.clone());
        // SAFETY: the rows and columns of an output tile belong to one task.
        let out = unsafe { self.output.out.segment(row, columns.clone()) };
        let residual = self.residual.map(|all| &all[row * self.output.width..][columns]);
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
    /// Multiplies a left operand by `right [K][NR]` and applies the epilogue; `tile` is a buffer for a tile.
    pub(crate) fn multiply_and_finish_float_tile(
        left: LeftTile<'_>,
        right: &[f32],
        tile: &mut [f32],
        output: &OutputTile<'_>,
        epilogue: &Epilogue<'_>,
    ) = multiply_and_finish_generic
);
kernel!(
    /// Adds a tile, whose rows are `stride` apart, to the output, and applies the epilogue if it is the last block.
    pub(crate) fn finish_tile(tile: &[f32], stride: usize, output: &OutputTile<'_>, epilogue: &Epilogue<'_>) = finish_any
);
