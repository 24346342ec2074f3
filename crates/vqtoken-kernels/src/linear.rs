//! Linear layers with packed weights; bias, activation and residual are fused into the product.

mod pack;

use std::ops::Range;

use crate::aligned::Aligned;
use crate::bf16::Bf16Weights;
use crate::epilogue::Epilogue;
use crate::errors::check_length;
use crate::float_product::{FloatProduct, float_vector_product};
use crate::int4::Int4Weights;
use crate::int8::Int8Weights;
use crate::product::{Part, multiply_all};
use crate::single_row::multiply_single_row;
use crate::{Activation, Kernels, Matrix, ShapeError};

/// The type that weights are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WeightKind {
    /// Four bytes a weight.
    F32,
    /// Two bytes a weight.
    Bf16,
    /// One byte a weight, and one scale an output channel.
    Int8,
    /// The same; where AVX2 is the best that the CPU has, calls with several rows keep 7 bits of their activations, in multiples of a row's own scale from
    /// an offset of its own, which is 1.4 times as fast. For layers that bear it, such as those of vision towers.
    Int8Coarse,
    /// Half a byte a weight, and one scale of two bytes for each 32 inputs of an output channel.
    Int4,
}

/// The weights and the bias of a linear layer, packed for one instruction set.
pub struct PackedLinear {
    kernels: Kernels,
    inputs: usize,
    outputs: usize,
    weights: Weights,
    bias: Option<Vec<f32>>,
}

enum Weights {
    F32(Aligned<f32>),
    Bf16(Bf16Weights),
    Int8(Int8Weights),
    Int4(Int4Weights),
}

/// What [`PackedLinear::forward`] applies after the product.
#[derive(Clone, Copy, Default)]
pub struct Fused<'a> {
    /// Applied after the bias.
    pub activation: Option<Activation>,
    /// Added last, `[M, outputs]`.
    pub residual: Option<&'a [f32]>,
    /// Asked again and again while more than a few rows are multiplied. Once it says yes the rest is left undone, and the output is of no use.
    pub is_unwanted: Option<&'a (dyn Fn() -> bool + Sync)>,
}

/// A layer among several with the same input, its output `[M, outputs]`, whose previous contents are ignored, and what is applied after the product.
pub struct LayerCall<'a> {
    /// The layer.
    pub layer: &'a PackedLinear,
    /// Its output.
    pub y: &'a mut [f32],
    /// What follows.
    pub fused: Fused<'a>,
}

impl PackedLinear {
    /// Packs weights `[outputs, inputs]` of `f32`.
    ///
    /// # Errors
    /// If `weights` has another length.
    pub fn f32(kernels: Kernels, weights: &[f32], outputs: usize, inputs: usize) -> Result<Self, ShapeError> {
        check_length("weights", weights.len(), &[outputs, inputs])?;
        Self::pack(kernels, WeightKind::F32, [outputs, inputs], copy_from(weights, inputs))
    }

    /// Packs weights `[outputs, inputs]` of bf16, given as their bits. They take half the memory of `f32`.
    ///
    /// If the CPU multiplies bf16 natively ([`Kernels::multiplies_bf16`]), activations are rounded to bf16 too, except in
    /// calls with a single row. Sums are always `f32`.
    ///
    /// # Errors
    /// If `weights` has another length.
    pub fn bf16(
        kernels: Kernels,
        weights: &[u16],
        outputs: usize,
        inputs: usize,
    ) -> Result<Self, ShapeError> {
        check_length("bf16 weights", weights.len(), &[outputs, inputs])?;
        let weights = Bf16Weights::pack(kernels, [outputs, inputs], copy_from(weights, inputs));
        Ok(Self { kernels, inputs, outputs, weights: Weights::Bf16(weights), bias: None })
    }

    /// Quantizes weights `[outputs, inputs]` to int8 with one scale an output channel and packs them. They take a quarter of
    /// the memory of `f32`. `forward` quantizes activations with one scale a row: to int8 if the CPU multiplies bytes natively
    /// ([`Kernels::multiplies_int8`]) and there are several rows, and else to as many bits as sums in `i32` allow, up to 16.
    ///
    /// The outputs of a channel, or a row, with NaN or infinity are NaN.
    ///
    /// # Errors
    /// If `weights` has another length, or there are so many inputs that sums could overflow `i32`.
    pub fn int8(
        kernels: Kernels,
        weights: &[f32],
        outputs: usize,
        inputs: usize,
    ) -> Result<Self, ShapeError> {
        check_length("weights", weights.len(), &[outputs, inputs])?;
        Self::pack(kernels, WeightKind::Int8, [outputs, inputs], copy_from(weights, inputs))
    }

    /// [`Self::int8`] with [`WeightKind::Int8Coarse`].
    ///
    /// # Errors
    /// As for [`Self::int8`].
    pub fn int8_coarse(
        kernels: Kernels,
        weights: &[f32],
        outputs: usize,
        inputs: usize,
    ) -> Result<Self, ShapeError> {
        check_length("weights", weights.len(), &[outputs, inputs])?;
        Self::pack(kernels, WeightKind::Int8Coarse, [outputs, inputs], copy_from(weights, inputs))
    }

    /// Rounds weights `[outputs, inputs]` to int4 with one scale for each 32 inputs of an output channel and packs them. They take a seventh of the memory
    /// of `f32`. A call with a single row keeps 16 bits of its activations, others keep all.
    ///
    /// The outputs of a channel, or a row, with NaN or infinity are NaN.
    ///
    /// # Errors
    /// If `weights` has another length.
    pub fn int4(
        kernels: Kernels,
        weights: &[f32],
        outputs: usize,
        inputs: usize,
    ) -> Result<Self, ShapeError> {
        check_length("weights", weights.len(), &[outputs, inputs])?;
        Self::pack(kernels, WeightKind::Int4, [outputs, inputs], copy_from(weights, inputs))
    }

    /// Sets the bias `[outputs]`.
    ///
    /// # Errors
    /// If `bias` has another length.
    pub fn with_bias(mut self, bias: &[f32]) -> Result<Self, ShapeError> {
        check_length("bias", bias.len(), &[self.outputs])?;
        self.bias = Some(bias.to_vec());
        Ok(self)
    }

    /// Values of an input row.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Values of an output row.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        match &self.weights {
            Weights::F32(weights) => weights.len() * 4,
            Weights::Bf16(weights) => weights.bytes(),
            Weights::Int8(weights) => weights.bytes(),
            Weights::Int4(weights) => weights.bytes(),
        }
    }

    /// `y = activation(x W^T + bias) + residual` for `x [M, inputs]`, `y [M, outputs]`, whose previous contents are ignored.
    ///
    /// A call with a single row takes another path, which is bound by reading the weights. It gives the same bits, but where the CPU multiplies
    /// bf16 natively; with int4 weights; and with int8 weights where the CPU multiplies bytes natively or activations are coarse: rows share their
    /// outlier channels then, so that a row's result depends on the others.
    ///
    /// # Errors
    /// If lengths do not match.
    pub fn forward(&self, x: &[f32], y: &mut [f32], fused: Fused<'_>) -> Result<(), ShapeError> {
        self.multiply(x, y, fused, Rows::Together)
    }

    /// [`Self::forward`] of several layers with the same input, whose rows are packed or quantized once. Each gets the bits that it has alone.
    ///
    /// # Errors
    /// If lengths do not match.
    pub fn forward_all(x: &[f32], layers: &mut [LayerCall<'_>]) -> Result<(), ShapeError> {
        let Some(first) = layers.first().map(|call| call.layer) else { return Ok(()) };
        let rows = x.len().checked_div(first.inputs).unwrap_or_default();
        if rows < 2 || !layers.iter().all(|call| call.layer.takes_rows_like(first)) {
            return layers.iter_mut().try_for_each(|call| call.layer.forward(x, call.y, call.fused));
        }
        let x = Matrix::new(x, rows, first.inputs)?;
        let mut parts = Vec::new();
        for LayerCall { layer, y, fused } in layers {
            let epilogue = layer.epilogue(rows, y, fused)?;
            if epilogue.is_unwanted() {
                return Ok(());
            }
            parts.push(Part { product: *layer, columns: layer.outputs, out: y, epilogue });
        }
        Self::multiply_rows(x, parts, Rows::Together);
        Ok(())
    }

    /// Whether several rows for both can be packed or quantized once.
    fn takes_rows_like(&self, other: &Self) -> bool {
        let alike = match (&self.weights, &other.weights) {
            (Weights::Int8(a), Weights::Int8(b)) => a.takes_rows_like(b),
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        };
        alike && self.inputs == other.inputs && self.kernels == other.kernels
    }

    /// [`Self::forward`] for rows that have nothing to do with each other, such as the next tokens of several texts: what
    /// comes out for a row does not depend on the others, nor on how many there are. Where the CPU multiplies bf16 natively and the weights are
    /// bf16, that holds for two rows or more.
    ///
    /// # Errors
    /// If lengths do not match.
    pub fn forward_independent(&self, x: &[f32], y: &mut [f32], fused: Fused<'_>) -> Result<(), ShapeError> {
        self.multiply(x, y, fused, Rows::Independent)
    }

    fn multiply(&self, x: &[f32], y: &mut [f32], fused: Fused<'_>, kind: Rows) -> Result<(), ShapeError> {
        let rows = x.len().checked_div(self.inputs).unwrap_or(y.len() / self.outputs.max(1));
        let x = Matrix::new(x, rows, self.inputs)?;
        let epilogue = self.epilogue(rows, y, &fused)?;
        if epilogue.is_unwanted() {
            return Ok(());
        }
        match rows {
            1 => self.multiply_row(x.row(0), y, &epilogue),
            _ => {
                let part = Part { product: self, columns: self.outputs, out: y, epilogue };
                Self::multiply_rows(x, vec![part], kind);
            }
        }
        Ok(())
    }

    /// What follows the product with `rows` rows, whose output is `y`.
    fn epilogue<'a>(&'a self, rows: usize, y: &[f32], fused: &Fused<'a>) -> Result<Epilogue<'a>, ShapeError> {
        check_length("output", y.len(), &[rows, self.outputs])?;
        if let Some(residual) = fused.residual {
            check_length("residual", residual.len(), &[rows, self.outputs])?;
        }
        Ok(Epilogue {
            scales: None,
            add_output: false,
            bias: self.bias.as_deref(),
            activation: fused.activation,
            residual: fused.residual,
            is_unwanted: fused.is_unwanted,
        })
    }

    /// The products of layers that take rows alike with several rows.
    fn multiply_rows(x: Matrix<'_>, parts: Vec<Part<'_, &Self>>, kind: Rows) {
        let Some(kernels) = parts.first().map(|part| part.product.kernels) else { return };
        let (mut floats, mut bf16, mut int8) = (Vec::new(), Vec::new(), Vec::new());
        for part in parts {
            let Part { product: layer, columns, out, epilogue } = part;
            match &layer.weights {
                Weights::F32(panels) => {
                    let product = FloatProduct { kernels, left: x, panels };
                    floats.push(Part { product, columns, out, epilogue });
                }
                Weights::Bf16(product) => bf16.push(Part { product, columns, out, epilogue }),
                Weights::Int8(product) => int8.push(Part { product, columns, out, epilogue }),
                Weights::Int4(weights) if kind == Rows::Together => {
                    weights.multiply(kernels, x, out, &epilogue);
                }
                Weights::Int4(weights) => weights.multiply_rows(kernels, x, out, &epilogue),
            }
        }
        multiply_all(kernels, x.rows(), floats);
        Bf16Weights::multiply_all(kernels, x, bf16);
        match kind {
            Rows::Together => Int8Weights::multiply_all(kernels, x, int8),
            Rows::Independent => Int8Weights::multiply_rows(kernels, x, int8),
        }
    }

    /// The product with a single row.
    fn multiply_row(&self, x: &[f32], y: &mut [f32], epilogue: &Epilogue<'_>) {
        let kernels = self.kernels;
        match &self.weights {
            Weights::F32(panels) => multiply_single_row(kernels, y, epilogue, |columns, out| {
                float_vector_product(kernels, x, &panels[columns.start * x.len()..], out);
            }),
            Weights::Bf16(weights) => multiply_single_row(kernels, y, epilogue, |columns, out| {
                weights.vector_product(kernels, x, columns.start, out);
            }),
            Weights::Int8(weights) => weights.multiply_row(kernels, x, y, epilogue),
            Weights::Int4(weights) => {
                weights.multiply_rows(kernels, Matrix::strided(x, 1, x.len(), x.len()), y, epilogue);
            }
        }
    }
}

/// Whether rows may share what makes the product faster.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    Together,
    Independent,
}

/// Reads rows from a row-major slice.
fn copy_from<T: Copy + Sync>(weights: &[T], inputs: usize) -> impl Fn(Range<usize>, &mut [T]) + Sync {
    move |rows, out| out.copy_from_slice(&weights[rows.start * inputs..rows.end * inputs])
}
