//! bf16 weights: half the memory of `f32`, and at least twice the speed if the CPU multiplies them natively.
//!
//! Panels are `[N / NR][K / 2][NR][2]`: pairs along the depth, as the dot-product and tile instructions expect them. Without
//! these, a shift and a mask widen a vector of pairs to two vectors of `f32`.

mod few_rows;

use std::ops::Range;

use half::bf16;

use crate::aligned::Aligned;
use crate::float_product::{add_block, depth_block, groups_of_six, store_totals, tile_shape, with_panels};
use crate::matrix::Matrix;
use crate::product::{Part, multiply_all, with_products};
use crate::simd::{Simd, kernel};
use crate::single_row::multiply_few_rows;
use crate::weight_packing::{pack_groups, unpack_column};
use crate::widened_product::{Widen, WidenedProduct};
use crate::{Isa, Kernels};

/// Weights `[outputs, inputs]`, packed into panels.
pub(crate) struct Bf16Weights {
    panels: Aligned<u16>,
    inputs: usize,
    outputs: usize,
}

impl Bf16Weights {
    /// Packs weights; `rows` writes a range of rows to a buffer.
    pub(crate) fn pack(
        kernels: Kernels,
        [outputs, inputs]: [usize; 2],
        rows: impl Fn(Range<usize>, &mut [u16]) + Sync,
    ) -> Self {
        // A step of AMX covers 32 values of the depth.
        let depth = inputs.next_multiple_of(if kernels.isa() == Isa::Amx { 32 } else { 2 });
        let panels = pack_groups((outputs, inputs), tile_shape(kernels).1, 2, depth, rows);
        Self { panels, inputs, outputs }
    }

    /// The weights of one output, padding included.
    pub(crate) fn row(&self, kernels: Kernels, output: usize) -> impl Iterator<Item = f32> {
        let (width, length) = (tile_shape(kernels).1, self.panel_len(kernels));
        unpack_column(&self.panels[output / width * length..][..length], output % width, width, 2)
            .map(|bits| bf16::from_bits(bits).to_f32())
    }

    pub(crate) fn bytes(&self) -> usize {
        self.panels.len() * 2
    }

    /// Values of a panel.
    fn panel_len(&self, kernels: Kernels) -> usize {
        self.panels.len() / self.outputs.div_ceil(tile_shape(kernels).1).max(1)
    }

    /// The products of several weights with the rows of `x [rows, inputs]`.
    pub(crate) fn multiply_all(kernels: Kernels, x: Matrix<'_>, parts: Vec<Part<'_, &Self>>) {
        let rows = x.rows();
        #[cfg(target_arch = "x86_64")]
        if kernels.isa() == Isa::Amx {
            let parts = with_products(parts, |weights| {
                // SAFETY: kernels of AMX exist only if AMX is available.
                unsafe { crate::amx::Bf16TileProduct::new(x, &weights.panels) }
            });
            return multiply_all(kernels, rows, parts);
        } else if kernels.has_bf16_dot() {
            let parts = with_products(parts, |weights| {
                // SAFETY: `has_bf16_dot` asked the CPU.
                unsafe { crate::avx512_dot_products::Bf16DotProduct::new(x, &weights.panels) }
            });
            return multiply_all(kernels, rows, parts);
        }
        if rows <= few_rows::MOST_ROWS {
            let x = few_rows::PackedRows::new(x);
            for Part { product: weights, columns, out, epilogue } in parts {
                let (panel_len, width) = (weights.panel_len(kernels), tile_shape(kernels).1);
                multiply_few_rows(kernels, (rows, columns), out, &epilogue, |columns, out| {
                    let panels = &weights.panels[columns.start / width * panel_len..];
                    few_rows::multiply_panels(kernels, &x, panels, panel_len, columns.len(), out);
                });
            }
            return;
        }
        let parts = with_products(parts, |weights| WidenedProduct { kernels, left: x, weights });
        multiply_all(kernels, rows, parts);
    }

    /// `x [inputs]` times the outputs from `first` on, as many as `out` has.
    pub(crate) fn vector_product(&self, kernels: Kernels, x: &[f32], first: usize, out: &mut [f32]) {
        let panel = self.panel_len(kernels);
        let panels = &self.panels[first / tile_shape(kernels).1 * panel..];
        debug_assert_eq!(x.len(), self.inputs);
        bf16_vector_product(kernels, x, panels, panel, out);
    }
}

impl Widen for Bf16Weights {
    const DEPTH_MULTIPLE: usize = 2;

    fn widen(&self, kernels: Kernels, panel: usize, depth: Range<usize>, buffer: &mut Vec<f32>) {
        let width = tile_shape(kernels).1;
        let length = depth.len().next_multiple_of(2) * width;
        buffer.resize(length, 0.0);
        widen(
            kernels,
            &self.panels[panel * self.panel_len(kernels) + depth.start * width..][..length],
            buffer,
        );
    }
}

#[inline(always)]
fn widen_pairs<S: Simd>(s: S, pairs: &[u16], out: &mut [f32]) {
    for (pairs, rows) in pairs.chunks_exact(2 * S::NR).zip(out.chunks_exact_mut(2 * S::NR)) {
        let (even, odd) = rows.split_at_mut(S::NR);
        for j in 0..S::NR / S::LANES {
            let (a, b) = s.load_bf16_pairs(&pairs[2 * j * S::LANES..]);
            s.store(&mut even[j * S::LANES..], a);
            s.store(&mut odd[j * S::LANES..], b);
        }
    }
}

kernel!(
    /// Widens panels `[K / 2][NR][2]` of bf16 to `[K][NR]` of `f32`.
    fn widen(pairs: &[u16], out: &mut [f32]) = widen_pairs
);

#[inline(always)]
fn vector_product<S: Simd>(s: S, x: &[f32], panels: &[u16], panel: usize, out: &mut [f32]) {
    for group in groups_of_six(out.len().div_ceil(S::NR)) {
        let panels = &panels[group.start * panel..group.end * panel];
        let columns = group.start * S::NR..(group.end * S::NR).min(out.len());
        with_panels!(group.len(), multiply_panels::<S>(s, x, panels, panel, &mut out[columns]));
    }
}

/// Sums run in the order of a tile of widened weights, as those of `f32` do.
#[inline(always)]
fn multiply_panels<S: Simd, const P: usize>(s: S, x: &[f32], panels: &[u16], panel: usize, out: &mut [f32]) {
    let vectors = S::NR / S::LANES;
    let mut totals = [[s.splat(0.0); 2]; P];
    // An even number: pairs are never cut.
    let block = depth_block(x.len());
    for start in (0..x.len()).step_by(block) {
        let depth = start..(start + block).min(x.len());
        let length = depth.len().next_multiple_of(2) * S::NR;
        let panels: [&[u16]; P] = std::array::from_fn(|p| &panels[p * panel + start * S::NR..][..length]);
        let mut sums = [[s.splat(0.0); 2]; P];
        let pairs = x[depth].chunks_exact(2);
        let last = pairs.remainder().first();
        for (k, pair) in pairs.enumerate() {
            let (first, second) = (s.splat(pair[0]), s.splat(pair[1]));
            for p in 0..P {
                for j in 0..vectors {
                    let (even, odd) = s.load_bf16_pairs(&panels[p][2 * (k * S::NR + j * S::LANES)..]);
                    sums[p][j] = s.fma(second, odd, s.fma(first, even, sums[p][j]));
                }
            }
        }
        if let Some(last) = last {
            let k = length / (2 * S::NR) - 1;
            for p in 0..P {
                for j in 0..vectors {
                    let (even, _) = s.load_bf16_pairs(&panels[p][2 * (k * S::NR + j * S::LANES)..]);
                    sums[p][j] = s.fma(s.splat(*last), even, sums[p][j]);
                }
            }
        }
        add_block(s, start, &mut totals, sums);
    }
    store_totals(s, &totals, out);
}

kernel!(fn bf16_vector_product(x: &[f32], panels: &[u16], panel: usize, out: &mut [f32]) = vector_product);
