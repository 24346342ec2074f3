//! The CPU kernels as operations of burn's `Flex` backend; `gradients.rs` makes them operations of `Autodiff<Flex>`.
//!
//! Whoever calls these has checked the shapes; all numbers are `f32`.

mod gradients;
mod position_attention;

use std::sync::{Arc, OnceLock};

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType, Flex, backend_extension};
use burn::tensor::{Shape, Tensor, TensorData};
use vqtoken_kernels::{
    Activation, AttentionShape, Causality, Fused, Kernels, Layout, Matrix, Norm, NormKind, PackedLinear,
    RotaryDirection, ShapeError,
};

pub use position_attention::PositionOps;

/// What the backend keeps a tensor in.
type Numbers = FloatTensor<Flex>;

/// The kernels that `VQTOKEN_ISA` asks for, or else the best of this CPU.
///
/// What is wrong with that variable is reported where a model is loaded ([`vqtoken_kernels::Kernels::from_env`]).
pub fn kernels() -> Kernels {
    static KERNELS: OnceLock<Kernels> = OnceLock::new();
    *KERNELS.get_or_init(|| Kernels::from_env().unwrap_or_else(|_| Kernels::best()))
}

/// Runs something on a thread of rayon's pool.
///
/// Kernels share their work out among the pool's threads. Called from a thread outside, each of the hundreds of kernels of
/// a forward pass would put that thread to sleep and wake it again.
pub fn in_pool<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    rayon::scope(|_| work())
}

/// Does two things, at once if they are about `rows` so few that each alone would leave threads waiting at its end.
pub(crate) fn both<A: Send, B: Send>(
    rows: usize,
    first: impl FnOnce() -> A + Send,
    second: impl FnOnce() -> B + Send,
) -> (A, B) {
    match rows {
        1 => rayon::join(first, second),
        _ => (first(), second()),
    }
}

/// A norm apart from its tensors.
#[derive(Clone, Copy, Debug)]
pub struct NormSettings {
    /// Layer norm, which subtracts the mean; otherwise RMS norm.
    pub centered: bool,
    /// Added to the variance, or to the mean square.
    pub epsilon: f32,
}

/// Cosines and sines `[tokens, head_dim / 2]`.
#[derive(Clone, Debug)]
pub struct Angles {
    /// Cosines.
    pub cos: Arc<[f32]>,
    /// Sines.
    pub sin: Arc<[f32]>,
}

/// A tensor that may be missing.
#[derive(ExtensionType)]
pub enum Maybe<B: Backend> {
    /// It is there.
    Given(FloatTensor<B>),
    /// It is not.
    Missing,
}

impl<B: Backend> Maybe<B> {
    fn option(self) -> Option<FloatTensor<B>> {
        match self {
            Self::Given(tensor) => Some(tensor),
            Self::Missing => None,
        }
    }
}

impl<const D: usize> From<Option<Tensor<D>>> for Maybe<Dispatch> {
    fn from(tensor: Option<Tensor<D>>) -> Self {
        tensor.map_or(Self::Missing, |tensor| Self::Given(tensor.into_dispatch()))
    }
}

/// The operations that have a kernel.
#[backend_extension(Flex, Autodiff)]
pub trait KernelOps: Backend {
    /// `x weight^T + bias`: `[.., d_input]` and `[d_output, d_input]` to `[.., d_output]`.
    fn kernel_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        #[extension_type] bias: Maybe<Self>,
    ) -> FloatTensor<Self>;

    /// The same with packed weights, an activation and a residual `[.., d_output]` behind it; without a gradient.
    fn kernel_packed_linear(
        x: FloatTensor<Self>,
        weights: Arc<PackedLinear>,
        activation: Activation,
        #[extension_type] residual: Maybe<Self>,
    ) -> FloatTensor<Self>;

    /// Layer norm or RMS norm over the last axis.
    fn kernel_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        #[extension_type] bias: Maybe<Self>,
        settings: NormSettings,
    ) -> FloatTensor<Self>;

    /// `softmax(q k^T / sqrt(head_dim)) v` of tensors `[batch, tokens, heads, head_dim]`.
    fn kernel_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        causal: bool,
    ) -> FloatTensor<Self>;

    /// A non-linearity of every element.
    fn kernel_activate(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self>;

    /// Rotary positions of `[batch, tokens, heads, head_dim]`.
    fn kernel_rotate(x: FloatTensor<Self>, angles: Angles) -> FloatTensor<Self>;
}

impl KernelOps for Flex {
    fn kernel_linear(x: Numbers, weight: Numbers, bias: Maybe<Flex>) -> Numbers {
        let (x, weight, bias) = (dense(x), dense(weight), bias.option().map(dense));
        let [outputs, inputs] = matrix_dims(&weight);
        let rows = rows(&x);
        let mut y = vec![0.0; rows * outputs];
        let (left, right) = ((slice(&x), rows, inputs), (slice(&weight), outputs, inputs));
        fitting(product(left, right, bias.as_ref().map(slice), &mut y));
        tensor(y, with_last(&x, outputs))
    }

    fn kernel_packed_linear(
        x: Numbers,
        weights: Arc<PackedLinear>,
        activation: Activation,
        residual: Maybe<Flex>,
    ) -> Numbers {
        let (x, residual) = (dense(x), residual.option().map(dense));
        let mut y = vec![0.0; rows(&x) * weights.outputs()];
        let fused = Fused { activation, residual: residual.as_ref().map(slice) };
        fitting(weights.forward(slice(&x), &mut y, fused));
        tensor(y, with_last(&x, weights.outputs()))
    }

    fn kernel_norm(x: Numbers, weight: Numbers, bias: Maybe<Flex>, settings: NormSettings) -> Numbers {
        let (x, weight, bias) = (dense(x), dense(weight), bias.option().map(dense));
        let mut y = vec![0.0; slice(&x).len()];
        fitting(kernels().norm(&norm_of(&weight, bias.as_ref(), settings), slice(&x), &mut y));
        tensor(y, x.layout().shape().clone())
    }

    fn kernel_attention(query: Numbers, key: Numbers, value: Numbers, causal: bool) -> Numbers {
        attend(&dense(query), &dense(key), &dense(value), causal, None)
    }

    fn kernel_activate(x: Numbers, activation: Activation) -> Numbers {
        let mut x = dense(x);
        let shape = x.layout().shape().clone();
        match x.try_storage_mut::<f32>() {
            Some(numbers) if numbers.len() == shape.num_elements() => {
                kernels().activate(activation, numbers);
                x
            }
            _ => {
                let mut y = slice(&x).to_vec();
                kernels().activate(activation, &mut y);
                tensor(y, shape)
            }
        }
    }

    fn kernel_rotate(x: Numbers, angles: Angles) -> Numbers {
        turned(x, &angles, RotaryDirection::Forward)
    }
}

/// `y [rows, outputs] = x [rows, inputs] weight [outputs, inputs]^T + bias`.
fn product(
    (x, rows, inputs): (&[f32], usize, usize),
    (weight, outputs, _): (&[f32], usize, usize),
    bias: Option<&[f32]>,
    y: &mut [f32],
) -> Result<(), ShapeError> {
    let x = Matrix::new(x, rows, inputs)?;
    let weight = Matrix::new(weight, outputs, inputs)?.transposed();
    match bias {
        Some(bias) => kernels().matmul_bias(x, weight, bias, y),
        None => kernels().matmul(x, weight, y),
    }
}

/// Attention, and the logarithms of the sums of exponentials where the backward pass will need them.
fn attend(
    query: &Numbers,
    key: &Numbers,
    value: &Numbers,
    causal: bool,
    log_sums: Option<&mut Vec<f32>>,
) -> Numbers {
    let shape = attention_shape(query, key, causal);
    let mut output = vec![0.0; shape.query_len()];
    let log_sums = log_sums.map(|sums| {
        sums.resize(shape.log_sums_len(), 0.0);
        sums.as_mut_slice()
    });
    fitting(kernels().attention(&shape, (slice(query), slice(key), slice(value)), &mut output, log_sums));
    tensor(output, query.layout().shape().clone())
}

fn attention_shape(query: &Numbers, key: &Numbers, causal: bool) -> AttentionShape {
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
        causality: if causal { Causality::Causal } else { Causality::Bidirectional },
        scale: (head_dim as f32).sqrt().recip(),
    }
}

/// Every sequence of the batch turned by the same angles.
fn turned(x: Numbers, angles: &Angles, direction: RotaryDirection) -> Numbers {
    let x = dense(x);
    let [_, tokens, heads, head_dim] = dims(&x);
    let mut y = slice(&x).to_vec();
    for sequence in y.chunks_exact_mut((tokens * heads * head_dim).max(1)) {
        fitting(kernels().rotary(sequence, (heads, head_dim), (&angles.cos, &angles.sin), direction));
    }
    tensor(y, x.layout().shape().clone())
}

fn norm_of<'a>(weight: &'a Numbers, bias: Option<&'a Numbers>, settings: NormSettings) -> Norm<'a> {
    Norm {
        kind: if settings.centered { NormKind::Layer } else { NormKind::Rms },
        weight: slice(weight),
        bias: bias.map(slice),
        epsilon: settings.epsilon,
    }
}

/// The same numbers without gaps between them.
fn dense(x: Numbers) -> Numbers {
    if x.is_contiguous() { x } else { x.to_contiguous() }
}

/// The numbers of a [`dense`] tensor.
fn slice(x: &Numbers) -> &[f32] {
    x.as_slice::<f32>().unwrap_or_default()
}

fn tensor(numbers: Vec<f32>, shape: Shape) -> Numbers {
    Numbers::from_data(TensorData::new(numbers, shape))
}

fn dims<const D: usize>(x: &Numbers) -> [usize; D] {
    let shape = x.layout().shape();
    std::array::from_fn(|axis| shape[axis])
}

fn matrix_dims(x: &Numbers) -> [usize; 2] {
    dims(x)
}

/// How many vectors of the last axis there are.
fn rows(x: &Numbers) -> usize {
    let shape = x.layout().shape();
    shape.num_elements().checked_div(shape[shape.num_dims() - 1]).unwrap_or(0)
}

/// The shape of `x` with another last axis.
fn with_last(x: &Numbers, last: usize) -> Shape {
    let mut shape = x.layout().shape().clone();
    let axis = shape.num_dims() - 1;
    shape[axis] = last;
    shape
}

/// The seam has checked the shapes, so kernels cannot refuse them.
fn fitting(result: Result<(), ShapeError>) {
    if let Err(error) = result {
        unreachable!("a shape that the seam let through: {error}");
    }
}
