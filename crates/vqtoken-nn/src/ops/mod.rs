//! The operations that all layers are made of, and the choice between a kernel and burn's operations.
//!
//! `f32` on the CPU goes to the kernels (`kernel_ops`), everything else to burn's own operations (`fallback.rs`). Both have
//! gradients. A faster kernel is added here once, for all models.

mod fallback;
mod patches;
mod position_attention;
mod step_attention;

use burn::backend::{Dispatch, DispatchDevice};
use burn::tensor::{DType, Tensor, assert_shape};
use vqtoken_kernels::{Activation, Causality, NormKind};

use crate::kernel_ops::{Angles, KernelOps, NormSettings};
use crate::packed::Packed;

pub use patches::patches;
pub use position_attention::{PositionAttention, position_attention};
pub(crate) use step_attention::step_attention;

/// `x @ weight^T + bias`.
///
/// The weight has the layout of the public checkpoints; the product reads it transposed without a copy.
///
/// # Shapes
///
/// - x: `[.., d_input]`
/// - weight: `[d_output, d_input]`
/// - bias: `[d_output]`
/// - output: `[.., d_output]`
pub fn linear<const D: usize>(x: Tensor<D>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<D> {
    let [d_output, d_input] = weight.dims();
    assert_shape!(x, [.., d_input]);
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

/// `activation(x @ weight^T + bias) + residual` with packed weights. Has no gradient.
///
/// # Shapes
///
/// - x: `[.., d_input]`
/// - residual, output: `[.., d_output]`
pub(crate) fn packed_linear<const D: usize>(
    x: Tensor<D>,
    weights: &Packed,
    activation: Option<Activation>,
    residual: Option<Tensor<D>>,
) -> Tensor<D> {
    assert_shape!(x, [.., weights.inputs()]);
    if let Some(residual) = &residual {
        let mut expected = x.dims();
        expected[D - 1] = weights.outputs();
        assert_eq!(residual.dims(), expected, "packed linear: shape of the residual");
    }
    Tensor::from_dispatch(<Dispatch as KernelOps>::kernel_packed_linear(
        x.into_dispatch(),
        weights.clone(),
        activation,
        residual.into(),
    ))
}

/// `x @ weight^T + bias` with the packed weights of several layers, which read the input once. Has no gradient.
///
/// # Shapes
///
/// - x: `[.., d_input]`
/// - output: `[.., d_output]` each
pub(crate) fn packed_linears<const D: usize, const N: usize>(
    x: Tensor<D>,
    layers: [&Packed; N],
) -> [Tensor<D>; N] {
    layers.iter().for_each(|weights| assert_shape!(x, [.., weights.inputs()]));
    let mut shape = x.dims();
    let all = layers.map(Packed::clone).to_vec();
    let outputs: Tensor<1> =
        Tensor::from_dispatch(<Dispatch as KernelOps>::kernel_packed_linears(x.into_dispatch(), all));
    let mut start = 0;
    layers.map(|weights| {
        shape[D - 1] = weights.outputs();
        let count = shape.iter().product();
        let output = outputs.clone().narrow(0, start, count).reshape(shape); // a view
        start += count;
        output
    })
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
    norm(x, weight, None, NormKind::Rms, epsilon)
}

fn norm<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Option<Tensor<1>>,
    kind: NormKind,
    epsilon: f64,
) -> Tensor<D> {
    let [width] = weight.dims();
    assert_shape!(x, [.., width]);
    if let Some(bias) = &bias {
        assert_shape!(bias, [width]);
    }
    if !has_kernels(&x) {
        return fallback::norm(x, weight, bias, kind, epsilon);
    }
    Tensor::from_dispatch(<Dispatch as KernelOps>::kernel_norm(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into(),
        NormSettings { kind, epsilon: epsilon as f32 },
    ))
}

/// `softmax(Q K^T / sqrt(head_dim)) V`, head by head.
///
/// Each key head serves a group of consecutive query heads (grouped-query attention).
///
/// # Shapes
///
/// - query: `[batch, queries, heads, head_dim]`
/// - key, value: `[batch, keys, kv_heads, head_dim]`, where `kv_heads` divides `heads`
/// - output: `[batch, queries, heads, head_dim]`
///
/// # Panics
///
/// Panics if the shapes do not match, or if causal attention has more queries than keys.
pub fn attention(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>, causality: Causality) -> Tensor<4> {
    let [batch, queries, heads, head_dim] = query.dims();
    let [_, keys, kv_heads, _] = key.dims();
    assert_shape!(key, [batch, keys, kv_heads, head_dim]);
    assert_shape!(value, [batch, keys, kv_heads, head_dim]);
    assert!(heads % kv_heads == 0, "attention: {kv_heads} key heads do not divide {heads} query heads");
    assert!(
        causality == Causality::Bidirectional || queries <= keys,
        "attention: {queries} causal queries, but only {keys} keys"
    );
    match has_kernels(&query) {
        true => Tensor::from_dispatch(<Dispatch as KernelOps>::kernel_attention(
            query.into_dispatch(),
            key.into_dispatch(),
            value.into_dispatch(),
            causality,
        )),
        false => fallback::attention(query, key, value, causality),
    }
}

/// Rotary position embedding: rotates pairs of features `(i, i + head_dim / 2)`.
///
/// # Shapes
///
/// - x, output: `[batch, n, heads, head_dim]`
/// - angles: `[n, head_dim / 2]`
pub(crate) fn rotate(x: Tensor<4>, angles: &Angles) -> Tensor<4> {
    let [_, n, _, head_dim] = x.dims();
    assert_eq!(angles.cos.len(), n * (head_dim / 2), "rotary: number of angles");
    match has_kernels(&x) {
        true => {
            Tensor::from_dispatch(<Dispatch as KernelOps>::kernel_rotate(x.into_dispatch(), angles.clone()))
        }
        false => fallback::rotate(x, &angles.cos, &angles.sin),
    }
}

/// Applies an activation to every element.
pub fn activate<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    match has_kernels(&x) {
        true => {
            Tensor::from_dispatch(<Dispatch as KernelOps>::kernel_activate(x.into_dispatch(), activation))
        }
        false => fallback::activate(x, activation),
    }
}

/// Whether the kernels support this tensor's type and device.
fn has_kernels<const D: usize>(x: &Tensor<D>) -> bool {
    x.dtype() == DType::F32 && matches!(x.device().inner().as_dispatch(), DispatchDevice::Flex(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, values};
    use burn::tensor::Device;

    /// Attention by its definition, in f64, for one sequence.
    fn reference(
        q: &[f32],
        k: &[f32],
        v: &[f32],
        [h, kh, nq, nk, d]: [usize; 5],
        causality: Causality,
    ) -> Vec<f32> {
        let mut out = Vec::new();
        for head in 0..h {
            let shared = head / (h / kh);
            for i in 0..nq {
                let visible = match causality {
                    Causality::Causal => nk - nq + i + 1,
                    Causality::Bidirectional => nk,
                };
                let scores: Vec<f64> = (0..visible)
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
                    let sum: f64 =
                        (0..visible).map(|j| weights[j] * v[(shared * nk + j) * d + x] as f64).sum();
                    out.push((sum / total) as f32);
                }
            }
        }
        out
    }

    #[test]
    fn attention_matches_its_definition() {
        let device = Device::flex();
        for [h, kh, nq, nk, d] in
            [[1, 1, 1, 1, 4], [4, 4, 5, 5, 8], [6, 2, 3, 7, 8], [6, 2, 1, 9, 4], [4, 1, 2, 2, 16]]
        {
            for causality in [Causality::Bidirectional, Causality::Causal] {
                let (q, k, v) = (values(h * nq * d, 1), values(kh * nk * d, 2), values(kh * nk * d, 3));
                let tensor =
                    |x: &[f32], shape: [usize; 4]| Tensor::<1>::from_floats(x, &device).reshape(shape);
                let output = attention(
                    tensor(&q, [1, h, nq, d]).swap_dims(1, 2),
                    tensor(&k, [1, kh, nk, d]).swap_dims(1, 2),
                    tensor(&v, [1, kh, nk, d]).swap_dims(1, 2),
                    causality,
                )
                .swap_dims(1, 2);
                assert_close(output, &reference(&q, &k, &v, [h, kh, nq, nk, d], causality), 1e-5);
            }
        }
    }

    #[test]
    fn gelu_tanh_matches_the_tanh_formula() {
        let x: Vec<f32> = (-60..=60).map(|i| i as f32 / 10.0).collect();
        let expected: Vec<f32> = x
            .iter()
            .map(|&x| {
                let x = x as f64;
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
                (0.5 * x * (1.0 + inner.tanh())) as f32
            })
            .collect();
        let output = activate(Tensor::<1>::from_floats(x.as_slice(), &Device::flex()), Activation::GeluTanh);
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
