//! int4 weights packed into panels, and products with them.

use std::ops::Range;

use half::bf16;
use rayon::prelude::*;

use super::quantize::quantize_group;
use super::rows::{FineRow, ROWS_AT_ONCE, multiply_panel};
use super::{GROUP, OFFSET, STEPS, group_len, place};
use crate::Kernels;
use crate::aligned::Aligned;
use crate::epilogue::Epilogue;
use crate::float_product::tile_shape;
use crate::matrix::Matrix;
use crate::product::multiply;
use crate::simd::{Simd, kernel};
use crate::single_row::multiply_few_rows;
use crate::widened_product::{Widen, WidenedProduct};

/// Columns of the widest panel.
const MAX_COLUMNS: usize = 64;

/// Weights `[outputs, inputs]`, packed into panels as wide as a tile of `f32`.
pub(crate) struct Int4Weights {
    width: usize,
    panels: Aligned<u16>,
    inputs: usize,
    outputs: usize,
}

impl Int4Weights {
    /// Quantizes and packs weights; `rows` writes a range of rows to a buffer.
    pub(crate) fn pack(
        kernels: Kernels,
        [outputs, inputs]: [usize; 2],
        rows: impl Fn(Range<usize>, &mut [f32]) + Sync,
    ) -> Self {
        let width = tile_shape(kernels).1;
        debug_assert!(width <= MAX_COLUMNS);
        let length = inputs.div_ceil(GROUP) * group_len(width);
        let mut panels = Aligned::zeros(outputs.div_ceil(width) * length);
        panels.par_chunks_mut(length.max(1)).enumerate().for_each(|(panel, out)| {
            let range = panel * width..((panel + 1) * width).min(outputs);
            let mut unpacked = vec![0.0; range.len() * inputs];
            rows(range, &mut unpacked);
            for (column, row) in unpacked.chunks_exact(inputs.max(1)).enumerate() {
                for (weights, group) in row.chunks(GROUP).zip(out.chunks_exact_mut(group_len(width))) {
                    let (scale, steps) = quantize_group(weights);
                    group[column] = scale.to_bits();
                    for (depth, step) in steps.into_iter().enumerate() {
                        let (word, bit) = place(depth, column, width);
                        group[word] |= u16::from(step) << bit;
                    }
                }
            }
        });
        Self { width, panels, inputs, outputs }
    }

    /// The weights of one output, padding included.
    pub(crate) fn row(&self, output: usize) -> impl Iterator<Item = f32> {
        let (column, width) = (output % self.width, self.width);
        self.panel(output / width).chunks_exact(group_len(width)).flat_map(move |group| {
            let scale = bf16::from_bits(group[column]).to_f32();
            (0..GROUP).map(move |depth| {
                let (word, bit) = place(depth, column, width);
                (i32::from(group[word] >> bit & 15) - OFFSET) as f32 * scale
            })
        })
    }

    pub(crate) fn bytes(&self) -> usize {
        self.panels.len() * 2
    }

    fn panel(&self, index: usize) -> &[u16] {
        let length = self.inputs.div_ceil(GROUP) * group_len(self.width);
        &self.panels[index * length..][..length]
    }

    /// The product with each of the rows of `x [rows, inputs]` as if it were alone; weights are read once for all of them.
    pub(crate) fn multiply_rows(
        &self,
        kernels: Kernels,
        x: Matrix<'_>,
        y: &mut [f32],
        epilogue: &Epilogue<'_>,
    ) {
        let rows: Vec<_> = (0..x.rows()).map(|row| FineRow::new(kernels, x.row(row))).collect();
        let scales: Vec<f32> = rows.iter().map(|row| row.scale).collect();
        let ones = vec![1.0; self.outputs];
        let epilogue = Epilogue { scales: Some((&scales, &ones)), ..*epilogue };
        multiply_few_rows(kernels, (rows.len(), self.outputs), y, &epilogue, |columns, out| {
            self.multiply_panels(kernels, &rows, columns, out);
        });
    }

    /// The sums of some columns, `out [rows, columns]`.
    fn multiply_panels(&self, kernels: Kernels, rows: &[FineRow], columns: Range<usize>, out: &mut [f32]) {
        let mut sums = [0.0; ROWS_AT_ONCE * MAX_COLUMNS];
        for first in (0..columns.len()).step_by(self.width) {
            let panel = self.panel((columns.start + first) / self.width);
            let count = self.width.min(columns.len() - first);
            let outs = out.chunks_mut(ROWS_AT_ONCE * columns.len());
            for (rows, out) in rows.chunks(ROWS_AT_ONCE).zip(outs) {
                multiply_panel(kernels, rows, panel, self.width, &mut sums);
                for (out, sums) in out.chunks_exact_mut(columns.len()).zip(sums.chunks_exact(self.width)) {
                    out[first..first + count].copy_from_slice(&sums[..count]);
                }
            }
        }
    }

    /// The product with the rows of `x [rows, inputs]`, which keep their precision.
    pub(crate) fn multiply(&self, kernels: Kernels, x: Matrix<'_>, y: &mut [f32], epilogue: &Epilogue<'_>) {
        let product = WidenedProduct { kernels, left: x, weights: self };
        multiply(kernels, product, (x.rows(), self.outputs), y, epilogue);
    }
}

impl Widen for Int4Weights {
    const DEPTH_MULTIPLE: usize = GROUP;

    fn widen(&self, kernels: Kernels, panel: usize, depth: Range<usize>, buffer: &mut Vec<f32>) {
        let length = group_len(self.width);
        let groups = depth.start / GROUP..depth.end.div_ceil(GROUP);
        buffer.resize(groups.len() * GROUP * self.width, 0.0);
        widen_groups(kernels, &self.panel(panel)[groups.start * length..groups.end * length], buffer);
    }
}

#[inline(always)]
fn widen_groups_generic<S: Simd>(_: S, groups: &[u16], out: &mut [f32]) {
    let outs = out.chunks_exact_mut(GROUP * S::NR);
    for (group, out) in groups.chunks_exact(group_len(S::NR)).zip(outs) {
        let (bits, words) = group.split_at(S::NR);
        let mut scales = [0.0; MAX_COLUMNS];
        for (scale, bits) in scales.iter_mut().zip(bits) {
            *scale = f32::from_bits(u32::from(*bits) << 16);
        }
        for (step, words) in words.chunks_exact(2 * S::NR).enumerate() {
            for n in 0..GROUP / 2 / STEPS {
                for parity in 0..2 {
                    let depth = 2 * (step + STEPS * n) + parity;
                    let out = &mut out[depth * S::NR..][..S::NR];
                    for ((out, words), scale) in out.iter_mut().zip(words.chunks_exact(2)).zip(&scales) {
                        *out = (i32::from(words[parity] >> (4 * n) & 15) - OFFSET) as f32 * scale;
                    }
                }
            }
        }
    }
}

kernel!(
    /// Widens groups of a panel to `[32 groups][NR]`.
    fn widen_groups(groups: &[u16], out: &mut [f32]) = widen_groups_generic
);
