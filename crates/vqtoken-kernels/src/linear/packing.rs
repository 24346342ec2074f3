//! Packing weights of any kind from rows that somebody fills in, a panel at a time, and reading them back.

use std::ops::Range;

use half::bf16;
use rayon::prelude::*;

use super::{PackedLinear, Weights};
use crate::aligned::Aligned;
use crate::bf16::Bf16Weights;
use crate::float_product::tile_shape;
use crate::int8::Int8Weights;
use crate::matrix::Matrix;
use crate::pack::unpack_column;
use crate::{Kernels, ShapeError};

/// How weights are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightKind {
    /// Four bytes.
    F32,
    /// Two bytes.
    Bf16,
    /// One byte, and one scale an output channel.
    Int8,
}

impl PackedLinear {
    /// Packs weights `[outputs, inputs]` that `rows(range, out)` puts into `out` `[range, inputs]`, a few rows at a time
    /// and several times at once, so that they need not lie in memory as `f32`.
    ///
    /// # Errors
    /// There are more inputs than sums in `i32` hold (int8 only).
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
                    let mut numbers = vec![0.0; range.len() * inputs];
                    rows(range.clone(), &mut numbers);
                    if let Ok(matrix) = Matrix::new(&numbers, range.len(), inputs) {
                        matrix.pack_rows(width, 0..range.len(), 0..inputs, out);
                    }
                });
                Weights::F32(panels)
            }
            WeightKind::Bf16 => Weights::Bf16(Bf16Weights::pack(kernels, [outputs, inputs], |range, out| {
                let mut numbers = vec![0.0; out.len()];
                rows(range, &mut numbers);
                out.iter_mut().zip(numbers).for_each(|(bits, x)| *bits = bf16::from_f32(x).to_bits());
            })),
            WeightKind::Int8 => Weights::Int8(Int8Weights::pack(kernels, [outputs, inputs], rows)?),
        };
        Ok(Self { kernels, inputs, outputs, weights, bias: None })
    }

    /// The weights `[inputs]` of one output, as they are kept.
    ///
    /// # Panics
    /// There is no such output.
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
        }
    }
}
