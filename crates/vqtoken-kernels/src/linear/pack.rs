//! Packing weights of any kind, a panel at a time, and reading them back.

use std::ops::Range;

use half::bf16;
use rayon::prelude::*;

use super::{PackedLinear, WeightKind, Weights};
use crate::aligned::Aligned;
use crate::bf16::Bf16Weights;
use crate::float_product::tile_shape;
use crate::int4::Int4Weights;
use crate::int8::Int8Weights;
use crate::matrix::Matrix;
use crate::weight_packing::unpack_column;
use crate::{Kernels, ShapeError};

impl PackedLinear {
    /// Packs weights `[outputs, inputs]`. `rows(range, out)` writes a few rows to `out [range, inputs]`; it is called from
    /// several threads, so the weights need not be in memory as `f32`.
    ///
    /// # Errors
    /// If there are so many inputs that sums could overflow `i32` (int8 only).
    pub fn pack(
        kernels: Kernels,
        kind: WeightKind,
        [outputs, inputs]: [usize; 2],
        rows: impl Fn(Range<usize>, &mut [f32]) + Sync,
    ) -> Result<Self, ShapeError> {
        let weights = match kind {
            WeightKind::F32 => {
                let width = tile_shape(kernels).1;
                let mut panels = Aligned::zeros(outputs.div_ceil(width) * width * inputs);
                panels.par_chunks_mut((width * inputs).max(1)).enumerate().for_each(|(panel, out)| {
                    let range = panel * width..((panel + 1) * width).min(outputs);
                    let mut unpacked = vec![0.0; range.len() * inputs];
                    rows(range.clone(), &mut unpacked);
                    if let Ok(matrix) = Matrix::new(&unpacked, range.len(), inputs) {
                        matrix.pack_rows(width, 0..range.len(), 0..inputs, out);
                    }
                });
                Weights::F32(panels)
            }
            WeightKind::Bf16 => Weights::Bf16(Bf16Weights::pack(kernels, [outputs, inputs], |range, out| {
                let mut unpacked = vec![0.0; out.len()];
                rows(range, &mut unpacked);
                out.iter_mut().zip(unpacked).for_each(|(bits, x)| *bits = bf16::from_f32(x).to_bits());
            })),
            WeightKind::Int8 | WeightKind::Int8Coarse => {
                let coarse = kind == WeightKind::Int8Coarse;
                Weights::Int8(Int8Weights::pack(kernels, coarse, [outputs, inputs], rows)?)
            }
            WeightKind::Int4 => Weights::Int4(Int4Weights::pack(kernels, [outputs, inputs], rows)),
        };
        Ok(Self { kernels, inputs, outputs, weights, bias: None })
    }

    /// The weights `[inputs]` of one output, as they are stored.
    ///
    /// # Panics
    /// If `output` is not below the number of outputs.
    pub fn row(&self, output: usize) -> Vec<f32> {
        assert!(output < self.outputs, "output {output} of a layer of {}", self.outputs);
        match &self.weights {
            Weights::F32(panels) => {
                let width = tile_shape(self.kernels).1;
                let panel = &panels[output / width * width * self.inputs..][..width * self.inputs];
                unpack_column(panel, output % width, width, 1).collect()
            }
            Weights::Bf16(weights) => weights.row(self.kernels, output).take(self.inputs).collect(),
            Weights::Int8(weights) => weights.row(output).take(self.inputs).collect(),
            Weights::Int4(weights) => weights.row(output).take(self.inputs).collect(),
        }
    }
}
