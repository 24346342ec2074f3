//! int8 weights packed into panels, and which product multiplies them.

use rayon::prelude::*;
use std::ops::Range;

use super::fine_rows::FineRows;
use super::offset_rows::{OffsetProduct, OffsetRows};
use super::outliers::{multiply_channels, outlier_channels};
use super::products::{ByteProduct, FineProduct};
use super::quantized_rows::{QuantizedRows, quantize_row};
use super::tiles::Int8Path;
use crate::Kernels;
use crate::aligned::Aligned;
#[cfg(target_arch = "x86_64")]
use crate::amx::Int8TileProduct;
use crate::epilogue::Epilogue;
use crate::errors::ShapeError;
use crate::matrix::Matrix;
use crate::product::{Part, multiply_all, with_products};
use crate::single_row::{multiply_few_rows, multiply_single_row};
use crate::weight_packing::{pack_panel, unpack_column};

/// With more inputs, sums of products of -127..=127, or of the unsigned values that VNNI needs, could overflow `i32`.
const MAX_INPUTS: usize = 65_536;

/// Columns of the widest panel.
const MAX_COLUMNS: usize = 32;

/// The products' sums times the scales of the rows and of the weights.
fn scaled<'a>(mut parts: Vec<Part<'a, &'a Int8Weights>>, rows: &'a [f32]) -> Vec<Part<'a, &'a Int8Weights>> {
    parts.iter_mut().for_each(|part| part.epilogue.scales = Some((rows, &part.product.scales)));
    parts
}

/// Weights `[outputs, inputs]`, packed into panels.
pub(crate) struct Int8Weights {
    path: Int8Path,
    panels: Aligned<i8>,
    /// `[outputs]`
    scales: Vec<f32>,
    inputs: usize,
    outputs: usize,
}

impl Int8Weights {
    /// Quantizes and packs weights; `rows` writes a range of rows to a buffer. `coarse`: activations may lose some bits where that is faster.
    pub(crate) fn pack(
        kernels: Kernels,
        coarse: bool,
        [outputs, inputs]: [usize; 2],
        rows: impl Fn(Range<usize>, &mut [f32]) + Sync,
    ) -> Result<Self, ShapeError> {
        if inputs > MAX_INPUTS {
            let remedy = "use bf16 weights";
            return Err(ShapeError::Mismatch {
                what: "int8 inputs",
                left: inputs,
                right: MAX_INPUTS,
                remedy,
            });
        }
        let path = Int8Path::of(kernels, coarse);
        let (width, group) = (path.columns(), path.group());
        let depth = inputs.next_multiple_of(path.depth_multiple());
        let length = path.panel_len(depth);
        let mut panels = Aligned::zeros(outputs.div_ceil(width) * length);
        let mut scales = vec![0.0; outputs];
        panels.par_chunks_mut(length.max(1)).zip(scales.par_chunks_mut(width)).enumerate().for_each(
            |(panel, (out, scales))| {
                let range = panel * width..panel * width + scales.len();
                let mut unpacked = vec![0.0; range.len() * inputs];
                rows(range, &mut unpacked);
                let mut values = vec![0; scales.len() * depth];
                let outputs = values.chunks_exact_mut(depth.max(1)).zip(&mut *scales);
                for (row, (values, scale)) in unpacked.chunks_exact(inputs.max(1)).zip(outputs) {
                    *scale = quantize_row(kernels, row, values);
                }
                let (corrections, body) = out.split_at_mut(length - width * depth);
                path.write_corrections(&values, depth, corrections);
                pack_panel(&values, depth, width, group, body);
            },
        );
        Ok(Self { path, panels, scales, inputs, outputs })
    }

    /// The weights of one output, padding included.
    pub(crate) fn row(&self, output: usize) -> impl Iterator<Item = f32> {
        let (width, group) = (self.path.columns(), self.path.group());
        let depth = self.inputs.next_multiple_of(self.path.depth_multiple());
        let length = self.path.panel_len(depth);
        let panel = &self.panels[output / width * length..][length - width * depth..length];
        let scale = self.scales[output];
        unpack_column(panel, output % width, width, group).map(move |value| f32::from(value) * scale)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.panels.len() + self.scales.len() * 4
    }

    /// Whether both take their rows quantized alike.
    pub(crate) fn takes_rows_like(&self, other: &Self) -> bool {
        self.path == other.path && self.inputs == other.inputs
    }

    /// The product with a single row `x [inputs]`.
    pub(crate) fn multiply_row(&self, kernels: Kernels, x: &[f32], y: &mut [f32], epilogue: &Epilogue<'_>) {
        let row = self.fine_rows(kernels, Matrix::strided(x, 1, x.len(), x.len()));
        let epilogue = Epilogue { scales: Some((&row.scales, &self.scales)), ..*epilogue };
        multiply_single_row(kernels, y, &epilogue, |columns, out| {
            self.multiply_panels(&row, columns, out);
        });
    }

    /// The products of several weights with each of the rows of `x [rows, inputs]` as if it were alone; weights are read once for all rows.
    pub(crate) fn multiply_rows(kernels: Kernels, x: Matrix<'_>, parts: Vec<Part<'_, &Self>>) {
        let Some(first) = parts.first().map(|part| part.product) else { return };
        let rows = first.fine_rows(kernels, x);
        let parts = scaled(parts, &rows.scales);
        if first.path.takes_pairs() {
            let parts =
                with_products(parts, |weights| FineProduct::new(weights.path, &rows, &weights.panels));
            return multiply_all(kernels, x.rows(), parts);
        }
        for part in parts {
            let shape = (x.rows(), part.columns);
            multiply_few_rows(kernels, shape, part.out, &part.epilogue, |columns, out| {
                part.product.multiply_panels(&rows, columns, out);
            });
        }
    }

    fn fine_rows(&self, kernels: Kernels, x: Matrix<'_>) -> FineRows {
        FineRows::new(kernels, x, self.inputs.next_multiple_of(self.path.depth_multiple()))
    }

    /// The sums of some columns, `out [rows, columns]`.
    fn multiply_panels(&self, rows: &FineRows, columns: Range<usize>, out: &mut [f32]) {
        let (width, length) = (self.path.columns(), self.path.panel_len(rows.depth));
        let panels = self.panels[columns.start / width * length..].chunks_exact(length.max(1));
        let mut sums = [0.0; MAX_COLUMNS];
        for (panel, first) in panels.zip((0..columns.len()).step_by(width)) {
            for (row, out) in (0..rows.count()).zip(out.chunks_exact_mut(columns.len().max(1))) {
                rows.product(row, self.path, panel, &mut sums[..width]);
                let out = &mut out[first..(first + width).min(columns.len())];
                out.copy_from_slice(&sums[..out.len()]);
            }
        }
    }

    /// The products of several weights, packed alike, with the rows of `x [rows, inputs]`.
    pub(crate) fn multiply_all(kernels: Kernels, x: Matrix<'_>, mut parts: Vec<Part<'_, &Self>>) {
        let Some(first) = parts.first().map(|part| part.product) else { return };
        if first.path.takes_pairs() {
            return Self::multiply_rows(kernels, x, parts);
        }
        let outliers = outlier_channels(kernels, x);
        if !outliers.is_empty() {
            // Their products wait in the output; the epilogue adds the others.
            for part in &mut parts {
                let weights = part.product.channels(&outliers);
                let weights = Matrix::strided(&weights, outliers.len(), part.columns, part.columns);
                multiply_channels(kernels, x, &outliers, weights, part.out);
                part.epilogue.add_output = true;
            }
        }
        if first.path == Int8Path::Avx2Bytes {
            let depth = first.inputs.next_multiple_of(first.path.depth_multiple());
            let rows = OffsetRows::new(kernels, x, depth, &outliers);
            let parts = with_products(scaled(parts, &rows.scales), |weights| {
                OffsetProduct::new(weights.path, &rows, &weights.panels)
            });
            return multiply_all(kernels, x.rows(), parts);
        }
        let size = (x.rows(), first.inputs);
        let rows = QuantizedRows::new(kernels, x.data(), size, first.path.depth_multiple(), &outliers);
        let parts = scaled(parts, &rows.scales);
        #[cfg(target_arch = "x86_64")]
        if first.path == Int8Path::Amx {
            let parts = with_products(parts, |weights| {
                // SAFETY: the path is selected only if AMX is available.
                unsafe { Int8TileProduct::new(&rows, &weights.panels) }
            });
            return multiply_all(kernels, x.rows(), parts);
        }
        let parts = with_products(parts, |weights| ByteProduct {
            path: weights.path,
            left: &rows,
            panels: &weights.panels,
        });
        multiply_all(kernels, x.rows(), parts);
    }

    /// The weights of some inputs, dequantized, `[channels, outputs]`.
    fn channels(&self, channels: &[usize]) -> Vec<f32> {
        let (width, group) = (self.path.columns(), self.path.group());
        let panel_len = self.panels.len() / self.outputs.div_ceil(width).max(1);
        let head = panel_len - width * self.inputs.next_multiple_of(self.path.depth_multiple());
        let mut weights = vec![0.0; channels.len() * self.outputs];
        weights.par_chunks_mut(self.outputs.max(1)).zip(channels).for_each(|(weights, channel)| {
            let start = head + channel / group * width * group + channel % group;
            let panels = self.panels.chunks_exact(panel_len.max(1));
            let columns = weights.chunks_mut(width).zip(self.scales.chunks(width));
            for ((weights, scales), panel) in columns.zip(panels) {
                let values = panel[start..].iter().step_by(group);
                for ((weight, scale), value) in weights.iter_mut().zip(scales).zip(values) {
                    *weight = f32::from(*value) * scale;
                }
            }
        });
        weights
    }
}
