//! The CPU kernels as operations of burn's `Flex` backend, and of `Autodiff<Flex>` (`gradients.rs`).
//!
//! Tensors are `f32`, and callers have checked the shapes.

mod gradients;
mod patches;
mod position_attention;

use std::sync::Arc;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType, Flex, backend_extension};
use burn::tensor::{Shape, Tensor, TensorData};
use rayon::prelude::*;
use vqtoken_kernels::{
    Activation, AttentionShape, Causality, Fused, Kernels, LayerCall, Layout, Matrix, Norm, NormKind,
    PackedLinear, RotaryDirection, ShapeError,
};

use crate::packed::Packed;

pub(crate) use patches::PatchOps;
pub(crate) use position_attention::PositionOps;

/// A tensor of the backend.
type FlexTensor = FloatTensor<Flex>;

/// The parameters of a norm other than its tensors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NormSettings {
    pub(crate) kind: NormKind,
    /// Added to the variance (layer norm) or the mean square (RMS norm).
    pub(crate) epsilon: f32,
}

/// Cosines and sines of the angles of a rotary embedding, `[tokens, head_dim / 2]`.
#[derive(Clone, Debug)]
pub(crate) struct Angles {
    pub(crate) cos: Arc<[f32]>,
    pub(crate) sin: Arc<[f32]>,
}

/// An optional tensor, as an argument of an operation below.
#[derive(ExtensionType)]
pub(crate) enum OptionalTensor<B: Backend> {
    Some(FloatTensor<B>),
    None,
}

impl<B: Backend> OptionalTensor<B> {
    fn into_option(self) -> Option<FloatTensor<B>> {
        match self {
            Self::Some(tensor) => Some(tensor),
            Self::None => None,
        }
    }
}

impl<const D: usize> From<Option<Tensor<D>>> for OptionalTensor<Dispatch> {
    fn from(tensor: Option<Tensor<D>>) -> Self {
        tensor.map_or(Self::None, |tensor| Self::Some(tensor.into_dispatch()))
    }
}

/// The operations that have a kernel.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait KernelOps: Backend {
    /// `x weight^T + bias`: `[.., d_input]` and `[d_output, d_input]` to `[.., d_output]`.
    fn kernel_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        #[extension_type] bias: OptionalTensor<Self>,
    ) -> FloatTensor<Self>;

    /// The same with packed weights, followed by an activation and a residual `[.., d_output]`; without a gradient.
    fn kernel_packed_linear(
        x: FloatTensor<Self>,
        weights: Packed,
        activation: Option<Activation>,
        #[extension_type] residual: OptionalTensor<Self>,
    ) -> FloatTensor<Self>;

    /// Several packed layers with the same input: their outputs one after the other, `[all]`; without a gradient.
    fn kernel_packed_linears(x: FloatTensor<Self>, layers: Vec<Packed>) -> FloatTensor<Self>;

    /// Layer norm or RMS norm over the last axis.
    fn kernel_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        #[extension_type] bias: OptionalTensor<Self>,
        settings: NormSettings,
    ) -> FloatTensor<Self>;

    /// `softmax(q k^T / sqrt(head_dim)) v` of tensors `[batch, tokens, heads, head_dim]`.
    fn kernel_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        causality: Causality,
    ) -> FloatTensor<Self>;

    /// An activation, elementwise.
    fn kernel_activate(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self>;

    /// Rotary position embedding of `[batch, tokens, heads, head_dim]`.
    fn kernel_rotate(x: FloatTensor<Self>, angles: Angles) -> FloatTensor<Self>;
}

impl KernelOps for Flex {
    fn kernel_linear(x: FlexTensor, weight: FlexTensor, bias: OptionalTensor<Flex>) -> FlexTensor {
        let (x, weight, bias) = (dense(x), dense(weight), bias.into_option().map(dense));
        let [outputs, inputs] = matrix_dims(&weight);
        let rows = rows(&x);
        let mut y = zeros(rows * outputs);
        let (left, right) = (matrix(&x, rows, inputs), matrix(&weight, outputs, inputs).transposed());
        expect_valid(match &bias {
            Some(bias) => Kernels::global().matmul_bias(left, right, slice(bias), &mut y),
            None => Kernels::global().matmul(left, right, &mut y),
        });
        tensor(y, with_last(&x, outputs))
    }

    fn kernel_packed_linear(
        x: FlexTensor,
        weights: Packed,
        activation: Option<Activation>,
        residual: OptionalTensor<Flex>,
    ) -> FlexTensor {
        let is_unwanted = is_unwanted(&weights);
        let weights = weights.weights();
        let (x, residual) = (dense(x), residual.into_option().map(dense));
        let mut y = zeros(rows(&x) * weights.outputs());
        let residual = residual.as_ref().map(slice);
        let fused = Fused { activation, residual, is_unwanted: is_unwanted.as_ref().map(|asked| asked as _) };
        expect_valid(match has_independent_rows(&x) {
            true => weights.forward_independent(slice(&x), &mut y, fused),
            false => weights.forward(slice(&x), &mut y, fused),
        });
        tensor(y, with_last(&x, weights.outputs()))
    }

    fn kernel_packed_linears(x: FlexTensor, layers: Vec<Packed>) -> FlexTensor {
        let (x, is_unwanted) = (dense(x), layers.first().and_then(is_unwanted));
        let is_unwanted = is_unwanted.as_ref().map(|asked| asked as _);
        let outputs: usize = layers.iter().map(|layer| layer.outputs()).sum();
        let mut y = zeros(rows(&x) * outputs);
        let mut rest = &mut y[..];
        let mut calls = Vec::new();
        for layer in &layers {
            let y;
            (y, rest) = rest.split_at_mut(rows(&x) * layer.outputs());
            let fused = Fused { is_unwanted, ..Fused::default() };
            calls.push(LayerCall { layer: layer.weights(), y, fused });
        }
        expect_valid(match has_independent_rows(&x) {
            true => calls
                .into_iter()
                .try_for_each(|call| call.layer.forward_independent(slice(&x), call.y, call.fused)),
            false => PackedLinear::forward_all(slice(&x), &mut calls),
        });
        let shape = [y.len()];
        tensor(y, shape.into())
    }

    fn kernel_norm(
        x: FlexTensor,
        weight: FlexTensor,
        bias: OptionalTensor<Flex>,
        settings: NormSettings,
    ) -> FlexTensor {
        let (x, weight, bias) = (dense(x), dense(weight), bias.into_option().map(dense));
        let mut y = zeros(slice(&x).len());
        expect_valid(Kernels::global().norm(&norm_of(&weight, bias.as_ref(), settings), slice(&x), &mut y));
        tensor(y, x.layout().shape().clone())
    }

    fn kernel_attention(
        query: FlexTensor,
        key: FlexTensor,
        value: FlexTensor,
        causality: Causality,
    ) -> FlexTensor {
        attend(&dense(query), &dense(key), &dense(value), causality, None)
    }

    fn kernel_activate(x: FlexTensor, activation: Activation) -> FlexTensor {
        changed(x, |values| Kernels::global().activate(activation, values))
    }

    fn kernel_rotate(x: FlexTensor, angles: Angles) -> FlexTensor {
        rotate(x, &angles, RotaryDirection::Forward)
    }
}

/// Says whether nobody wants a layer's output any more, if somebody may not.
fn is_unwanted(layer: &Packed) -> Option<impl Fn() -> bool + Sync> {
    layer.wanted().cloned().map(|wanted| move || !wanted.is_wanted())
}

/// An output to be written. All threads clear a large one, as its memory may be new to the process.
fn zeros(length: usize) -> Vec<f32> {
    const BLOCK: usize = 128;
    const BLOCKS_OF_TASK: usize = 512;
    if length < 4 * BLOCK * BLOCKS_OF_TASK {
        return vec![0.0; length];
    }
    let mut blocks = Vec::new();
    let tasks = (0..length.div_ceil(BLOCK)).into_par_iter().with_min_len(BLOCKS_OF_TASK);
    tasks.map(|_| [0.0; BLOCK]).collect_into_vec(&mut blocks);
    let mut zeros = blocks.into_flattened();
    zeros.truncate(length);
    zeros
}

/// A matrix view of the values of a [`dense`] tensor.
fn matrix(x: &FlexTensor, rows: usize, columns: usize) -> Matrix<'_> {
    match Matrix::new(slice(x), rows, columns) {
        Ok(matrix) => matrix,
        Err(error) => unreachable!("ops checks shapes before calling kernels: {error}"),
    }
}

/// Attention; writes the log sums if the backward pass will need them.
fn attend(
    query: &FlexTensor,
    key: &FlexTensor,
    value: &FlexTensor,
    causality: Causality,
    log_sums: Option<&mut Vec<f32>>,
) -> FlexTensor {
    let shape = attention_shape(query, key, causality);
    let mut output = zeros(shape.query_len());
    let log_sums = log_sums.map(|sums| {
        sums.resize(shape.log_sums_len(), 0.0);
        sums.as_mut_slice()
    });
    expect_valid(Kernels::global().attention(
        &shape,
        (slice(query), slice(key), slice(value)),
        &mut output,
        log_sums,
    ));
    tensor(output, query.layout().shape().clone())
}

fn attention_shape(query: &FlexTensor, key: &FlexTensor, causality: Causality) -> AttentionShape {
    let [batch, queries, heads, head_dim] = dims(query);
    let [_, keys, kv_heads, _] = dims(key);
    AttentionShape {
        batch,
        heads,
        kv_heads,
        queries,
        keys,
        head_dim,
        layout: Layout::TokensFirst,
        causality,
        scale: (head_dim as f32).sqrt().recip(),
    }
}

/// Rotates every sequence of the batch by the same angles.
fn rotate(x: FlexTensor, angles: &Angles, direction: RotaryDirection) -> FlexTensor {
    let [_, tokens, heads, head_dim] = dims(&x);
    let angles = (&*angles.cos, &*angles.sin);
    changed(x, |values| {
        for sequence in values.chunks_exact_mut((tokens * heads * head_dim).max(1)) {
            expect_valid(Kernels::global().rotary(sequence, (heads, head_dim), angles, direction));
        }
    })
}

fn norm_of<'a>(weight: &'a FlexTensor, bias: Option<&'a FlexTensor>, settings: NormSettings) -> Norm<'a> {
    Norm { kind: settings.kind, weight: slice(weight), bias: bias.map(slice), epsilon: settings.epsilon }
}

/// The tensor in contiguous memory.
fn dense(x: FlexTensor) -> FlexTensor {
    if x.is_contiguous() { x } else { x.to_contiguous() }
}

/// A tensor with its values changed, in place if nobody else has them.
fn changed(x: FlexTensor, change: impl FnOnce(&mut [f32])) -> FlexTensor {
    let mut x = dense(x);
    let shape = x.layout().shape().clone();
    match x.try_storage_mut::<f32>() {
        Some(values) if values.len() == shape.num_elements() => {
            change(values);
            x
        }
        _ => {
            let mut y = slice(&x).to_vec();
            change(&mut y);
            tensor(y, shape)
        }
    }
}

/// The values of a [`dense`] tensor.
fn slice(x: &FlexTensor) -> &[f32] {
    x.as_slice::<f32>().unwrap_or_default()
}

fn tensor(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

fn dims<const D: usize>(x: &FlexTensor) -> [usize; D] {
    let shape = x.layout().shape();
    std::array::from_fn(|axis| shape[axis])
}

fn matrix_dims(x: &FlexTensor) -> [usize; 2] {
    dims(x)
}

/// The number of vectors along the last axis.
fn rows(x: &FlexTensor) -> usize {
    let shape = x.layout().shape();
    shape.num_elements().checked_div(shape[shape.num_dims() - 1]).unwrap_or(0)
}

/// Whether the rows of `x [batch, n, d]` are single tokens of several texts, which must not depend on each other.
fn has_independent_rows(x: &FlexTensor) -> bool {
    let shape = x.layout().shape();
    shape.num_dims() == 3 && shape[0] > 1 && shape[1] == 1
}

/// The shape of `x` with another size of the last axis.
fn with_last(x: &FlexTensor, last: usize) -> Shape {
    let mut shape = x.layout().shape().clone();
    let axis = shape.num_dims() - 1;
    shape[axis] = last;
    shape
}

/// Unwraps the result of a kernel: `ops` has checked the shapes.
fn expect_valid(result: Result<(), ShapeError>) {
    if let Err(error) = result {
        unreachable!("ops checks shapes before calling kernels: {error}");
    }
}
