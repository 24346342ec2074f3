//! The seam where a kernel is chosen.
//!
//! Every heavy operation of every layer goes through one function of this folder, so that a faster kernel replaces it
//! here once, for all models. `f32` on the CPU goes to [`kernel_ops`](crate::kernel_ops), everything else to burn's own
//! operations (`fallback.rs`); both have gradients.

mod fallback;
mod position_attention;

use burn::backend::{Dispatch, DispatchDevice};
use burn::tensor::{DType, Tensor, assert_shape};
use vqtoken_kernels as kernels;

use crate::kernel_ops::{Angles, KernelOps, NormSettings};
use crate::packed::Packed;

pub use position_attention::{PositionAttention, position_attention};

/// `x @ weight^T + bias`.
///
/// The weight keeps the layout of the public checkpoints; the matrix product reads it transposed without a copy.
///
/// # Shapes
///
/// - x: `[.., d_input]`
/// - weight: `[d_output, d_input]`
/// - bias: `[d_output]`
/// - output: `[.., d_output]`
pub fn linear<const D: usize>(x: Tensor<D>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<D> {
    let [d_output, d_input] = weight.dims();
    assert_eq!(x.dims()[D - 1], d_input, "linear: the input's features against the weight's");
    if let Some(bias) = &bias {
        assert_shape!(bias, [d_output]);
    }
    match has_kernels(&x) {
        true => Tensor::from_dispatch(<Dispatch as KernelOps>::kernel_linear(
            x.into_dispatch(),
            weight.into_dispatch(),
            bias.into(),
        )),
        false => fallback::linear(x, weight, bias),
    }
}

/// `activation(x @ weight^T + bias) + residual` with weights that were packed when the model was loaded.
///
/// Gradients do not pass through it.
///
/// # Shapes
///
/// - x: `[.., d_input]`
/// - residual, output: `[.., d_output]`
pub fn packed_linear<const D: usize>(
    x: Tensor<D>,
    weights: &Packed,
    activation: Option<Activation>,
    residual: Option<Tensor<D>>,
) -> Tensor<D> {
    let mut shape = x.dims();
    assert_eq!(shape[D - 1], weights.inputs(), "linear: the input's features against the packed weight's");
    shape[D - 1] = weights.outputs();
    if let Some(residual) = &residual {
        assert_eq!(residual.dims(), shape, "linear: the residual's shape against the output's");
    }
    let fused = activation.map_or(Some(kernels::Activation::Identity), Activation::kernel);
    let (fused, behind) = match fused {
        Some(fused) => (fused, None),
        None => (kernels::Activation::Identity, activation),
    };
    let (inside, outside) = if behind.is_some() { (None, residual) } else { (residual, None) };
    let y = Tensor::from_dispatch(<Dispatch as KernelOps>::kernel_packed_linear(
        x.into_dispatch(),
        weights.share(),
        fused,
        inside.into(),
    ));
    let y = behind.map_or(y.clone(), |activation| activation.forward(y));
    outside.map_or(y.clone(), |residual| y + residual)
}

/// Layer normalization over the last axis: `(x - mean) / sqrt(variance + epsilon) * weight + bias`.
///
/// # Shapes
///
/// - x, output: `[.., d]`
/// - weight, bias: `[d]`
pub fn layer_norm<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
) -> Tensor<D> {
    norm(x, weight, Some(bias), NormKind::Layer, epsilon)
}

/// Root-mean-square normalization over the last axis: `x / sqrt(mean(x^2) + epsilon) * weight`.
///
/// # Shapes
///
/// - x, output: `[.., d]`
/// - weight: `[d]`
pub fn rms_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, epsilon: f64) -> Tensor<D> {
    norm(x, weight, None, NormKind::RootMeanSquare, epsilon)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum NormKind {
    Layer,
    RootMeanSquare,
}

fn norm<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Option<Tensor<1>>,
    kind: NormKind,
    epsilon: f64,
) -> Tensor<D> {
    let width = x.dims()[D - 1];
    assert_shape!(weight, [width]);
    if let Some(bias) = &bias {
        assert_shape!(bias, [width]);
    }
    if !has_kernels(&x) {
        return fallback::norm(x, weight, bias, kind, epsilon);
    }
    let settings = NormSettings { centered: kind == NormKind::Layer, epsilon: epsilon as f32 };
    Tensor::from_dispatch(<Dispatch as KernelOps>::kernel_norm(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into(),
        settings,
    ))
}

/// `softmax(Q K^T / sqrt(head_dim)) V`, head by head.
///
/// Fewer key heads than query heads are shared by groups of consecutive query heads (grouped-query attention).
/// With `causal` the last query sees every key and each query before it one key fewer, which is the mask that
/// both a prompt and a step with cached keys need.
///
/// # Shapes
///
/// - query: `[batch, queries, heads, head_dim]`
/// - key, value: `[batch, keys, key_heads, head_dim]`, where `key_heads` divides `heads`
/// - output: `[batch, queries, heads, head_dim]`
pub fn attention(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>, causal: bool) -> Tensor<4> {
    let [batch, queries, heads, head_dim] = query.dims();
    let [_, keys, key_heads, _] = key.dims();
    assert_shape!(key, [batch, keys, key_heads, head_dim]);
    assert_shape!(value, [batch, keys, key_heads, head_dim]);
    assert!(heads % key_heads == 0, "attention: {key_heads} key heads do not divide {heads} query heads");
    assert!(!causal || queries <= keys, "attention: {queries} causal queries over {keys} keys");
    match has_kernels(&query) {
        true => Tensor::from_dispatch(<Dispatch as KernelOps>::kernel_attention(
            query.into_dispatch(),
            key.into_dispatch(),
            value.into_dispatch(),
            causal,
        )),
        false => fallback::attention(query, key, value, causal),
    }
}

/// Rotary positions: pairs of features `(i, i + head_dim / 2)` turned by the angles whose cosines and sines are given.
///
/// # Shapes
///
/// - x, output: `[batch, count, heads, head_dim]`
/// - angles: `[count, head_dim / 2]`
pub fn rotate(x: Tensor<4>, angles: &Angles) -> Tensor<4> {
    let [_, count, _, head_dim] = x.dims();
    assert_eq!(angles.cos.len(), count * (head_dim / 2), "rotary positions: angles against the input");
    match has_kernels(&x) {
        true => {
            Tensor::from_dispatch(<Dispatch as KernelOps>::kernel_rotate(x.into_dispatch(), angles.clone()))
        }
        false => fallback::rotate(x, &angles.cos, &angles.sin),
    }
}

/// The non-linearities that the models use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x * Phi(x)`, with the exact normal distribution function.
    Gelu,
    /// The tanh approximation of GELU.
    GeluTanh,
    /// `x * sigmoid(x)`.
    Silu,
    /// `max(x, 0)`.
    Relu,
}

impl Activation {
    /// Applies the non-linearity to every element; the shape stays.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self.kernel().filter(|_| has_kernels(&x)) {
            Some(kernel) => {
                Tensor::from_dispatch(<Dispatch as KernelOps>::kernel_activate(x.into_dispatch(), kernel))
            }
            None => fallback::activate(x, self),
        }
    }

    /// The kernel's name for it, if there is a kernel.
    fn kernel(self) -> Option<kernels::Activation> {
        match self {
            Self::Gelu => Some(kernels::Activation::Gelu),
            Self::GeluTanh => Some(kernels::Activation::GeluTanh),
            Self::Silu => Some(kernels::Activation::Silu),
            Self::Relu => None,
        }
    }
}

/// Whether the kernels can compute with this tensor.
fn has_kernels<const D: usize>(x: &Tensor<D>) -> bool {
    x.dtype() == DType::F32 && matches!(x.device().inner().as_dispatch(), DispatchDevice::Flex(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, numbers};
    use burn::tensor::Device;

    /// Attention by its definition, in f64, for one batch.
    fn naive(q: &[f32], k: &[f32], v: &[f32], [h, kh, nq, nk, d]: [usize; 5], causal: bool) -> Vec<f32> {
        let mut out = Vec::new();
        for head in 0..h {
            let shared = head / (h / kh);
            for i in 0..nq {
                let seen = if causal { nk - nq + i + 1 } else { nk };
                let scores: Vec<f64> = (0..seen)
                    .map(|j| {
                        let dot: f64 = (0..d)
                            .map(|x| q[(head * nq + i) * d + x] as f64 * k[(shared * nk + j) * d + x] as f64)
                            .sum();
                        dot / (d as f64).sqrt()
                    })
                    .collect();
                let top = scores.iter().cloned().fold(f64::MIN, f64::max);
                let weights: Vec<f64> = scores.iter().map(|s| (s - top).exp()).collect();
                let total: f64 = weights.iter().sum();
                for x in 0..d {
                    let sum: f64 = (0..seen).map(|j| weights[j] * v[(shared * nk + j) * d + x] as f64).sum();
                    out.push((sum / total) as f32);
                }
            }
        }
        out
    }

    #[test]
    fn attention_is_its_definition() {
        let device = Device::flex();
        for [h, kh, nq, nk, d] in
            [[1, 1, 1, 1, 4], [4, 4, 5, 5, 8], [6, 2, 3, 7, 8], [6, 2, 1, 9, 4], [4, 1, 2, 2, 16]]
        {
            for causal in [false, true] {
                let (q, k, v) = (numbers(h * nq * d, 1), numbers(kh * nk * d, 2), numbers(kh * nk * d, 3));
                let tensor =
                    |x: &[f32], shape: [usize; 4]| Tensor::<1>::from_floats(x, &device).reshape(shape);
                let output = attention(
                    tensor(&q, [1, h, nq, d]).swap_dims(1, 2),
                    tensor(&k, [1, kh, nk, d]).swap_dims(1, 2),
                    tensor(&v, [1, kh, nk, d]).swap_dims(1, 2),
                    causal,
                )
                .swap_dims(1, 2);
                assert_close(output, &naive(&q, &k, &v, [h, kh, nq, nk, d], causal), 1e-5);
            }
        }
    }

    #[test]
    fn gelu_tanh_is_the_tanh_formula() {
        let x: Vec<f32> = (-60..=60).map(|i| i as f32 / 10.0).collect();
        let expected: Vec<f32> = x
            .iter()
            .map(|&x| {
                let x = x as f64;
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
                (0.5 * x * (1.0 + inner.tanh())) as f32
            })
            .collect();
        let output = Activation::GeluTanh.forward(Tensor::<1>::from_floats(x.as_slice(), &Device::flex()));
        assert_close(output, &expected, 1e-6);
    }

    #[test]
    fn linear_multiplies_by_the_transposed_weight() {
        let device = Device::flex();
        let x = Tensor::<2>::from_floats([[1.0, 2.0]], &device);
        let weight = Tensor::<2>::from_floats([[1.0, 0.0], [0.0, 1.0], [3.0, 4.0]], &device);
        let bias = Tensor::<1>::from_floats([0.5, 0.0, -1.0], &device);
        assert_close(linear(x, weight, Some(bias)), &[1.5, 2.0, 10.0], 1e-6);
    }
}
