//! The seam where a kernel is chosen.
//!
//! Every heavy operation of every layer goes through one function of this file, so that a faster kernel
//! replaces it here once, for all models. Today each is burn's own operation, which has a gradient on every
//! backend.

use burn::tensor::activation;
use burn::tensor::module;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Tensor, assert_shape};

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
    module::linear(x, weight.transpose(), bias)
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
    module::layer_norm(x, weight, Some(bias), epsilon)
}

/// Root-mean-square normalization over the last axis: `x / sqrt(mean(x^2) + epsilon) * weight`.
///
/// # Shapes
///
/// - x, output: `[.., d]`
/// - weight: `[d]`
pub fn rms_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, epsilon: f64) -> Tensor<D> {
    let inverse = (x.clone().square().mean_dim(D - 1) + epsilon).sqrt().recip();
    x * inverse * weight.unsqueeze()
}

/// `softmax(Q K^T / sqrt(head_dim)) V`, head by head.
///
/// Fewer key heads than query heads are shared by groups of consecutive query heads (grouped-query attention).
/// With `causal` the last query sees every key and each query before it one key fewer, which is the mask that
/// both a prompt and a step with cached keys need.
///
/// # Shapes
///
/// - query: `[batch, heads, queries, head_dim]`
/// - key, value: `[batch, key_heads, keys, head_dim]`, where `key_heads` divides `heads`
/// - output: `[batch, heads, queries, head_dim]`
pub fn attention(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>, causal: bool) -> Tensor<4> {
    let [batch, heads, queries, head_dim] = query.dims();
    let [_, key_heads, keys, _] = key.dims();
    assert_shape!(key, [batch, key_heads, keys, head_dim]);
    assert_shape!(value, [batch, key_heads, keys, head_dim]);
    assert!(heads % key_heads == 0, "attention: {key_heads} key heads do not divide {heads} query heads");
    assert!(!causal || queries <= keys, "attention: {queries} causal queries over {keys} keys");

    let groups = heads / key_heads;
    let options = |is_causal| AttentionModuleOptions { is_causal, ..Default::default() };
    if groups > 1 && queries == 1 {
        // One query sees every key, so the heads that share a key head can stand in as its queries:
        // the cached keys are read in place instead of being repeated for every head.
        let query = query.reshape([batch, key_heads, groups, head_dim]);
        let output = module::attention(query, key, value, None, None, options(false));
        return output.reshape([batch, heads, 1, head_dim]);
    }
    let (key, value) = (repeat_heads(key, groups), repeat_heads(value, groups));
    module::attention(query, key, value, None, None, options(causal))
}

/// Repeats each head `groups` times in place: `[batch, heads, n, d]` to `[batch, heads * groups, n, d]`.
fn repeat_heads(x: Tensor<4>, groups: usize) -> Tensor<4> {
    if groups == 1 {
        return x;
    }
    let [batch, heads, n, d] = x.dims();
    x.reshape([batch, heads, 1, n, d]).expand([batch, heads, groups, n, d]).reshape([
        batch,
        heads * groups,
        n,
        d,
    ])
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
        match self {
            Self::Gelu => activation::gelu(x),
            Self::GeluTanh => gelu_tanh(x),
            Self::Silu => activation::silu(x),
            Self::Relu => activation::relu(x),
        }
    }
}

/// `0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`, written as `x sigmoid(2 ..)`, which is the same function
/// in half the passes over memory.
fn gelu_tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let scale = 2.0 * (2.0 / std::f64::consts::PI).sqrt();
    let inner = (x.clone().square() * (0.044715 * scale) + scale) * x.clone();
    x * activation::sigmoid(inner)
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
                    tensor(&q, [1, h, nq, d]),
                    tensor(&k, [1, kh, nk, d]),
                    tensor(&v, [1, kh, nk, d]),
                    causal,
                );
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
