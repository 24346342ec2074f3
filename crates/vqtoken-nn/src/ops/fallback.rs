//! The operations in terms of burn's own, for other devices and for types other than `f32`.

use burn::tensor::activation as burn_activation;
use burn::tensor::module;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Tensor, TensorData};

use vqtoken_kernels::{Activation, Causality, NormKind};

pub(super) fn linear<const D: usize>(x: Tensor<D>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<D> {
    module::linear(x, weight.transpose(), bias)
}

pub(super) fn norm<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Option<Tensor<1>>,
    kind: NormKind,
    epsilon: f64,
) -> Tensor<D> {
    match kind {
        NormKind::Layer => module::layer_norm(x, weight, bias, epsilon),
        NormKind::Rms => {
            let inverse_rms = (x.clone().square().mean_dim(D - 1) + epsilon).sqrt().recip(); // [.., 1]
            x * inverse_rms * weight.unsqueeze()
        }
    }
}

pub(super) fn attention(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    causality: Causality,
) -> Tensor<4> {
    let [batch, queries, heads, head_dim] = query.dims();
    let kv_heads = key.dims()[2];
    let groups = heads / kv_heads;
    let query = query.swap_dims(1, 2); // [batch, heads, queries, head_dim]
    let (key, value) = (key.swap_dims(1, 2), value.swap_dims(1, 2)); // [batch, kv_heads, keys, head_dim]
    let options = |is_causal| AttentionModuleOptions { is_causal, ..Default::default() };
    if groups > 1 && queries == 1 {
        // A single query attends to every key, so the heads that share a key head can be treated as its queries. That avoids
        // repeating the cached keys for every head.
        let query = query.reshape([batch, kv_heads, groups, head_dim]);
        let output = module::attention(query, key, value, None, None, options(false)); // [batch, kv_heads, groups, head_dim]
        return output.reshape([batch, 1, heads, head_dim]);
    }
    let (key, value) = (repeat_heads(key, groups), repeat_heads(value, groups)); // [batch, heads, keys, head_dim]
    let is_causal = causality == Causality::Causal;
    module::attention(query, key, value, None, None, options(is_causal)).swap_dims(1, 2)
}

/// Repeats each head `groups` times: `[batch, heads, n, d]` to `[batch, heads * groups, n, d]`.
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

pub(super) fn activate<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    match activation {
        Activation::Gelu => burn_activation::gelu(x),
        Activation::GeluTanh => gelu_tanh(x),
        Activation::Silu => burn_activation::silu(x),
        Activation::Relu => burn_activation::relu(x),
    }
}

/// `0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`, written as `x sigmoid(2 ..)`: the same function with half the
/// passes over memory.
fn gelu_tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let scale = 2.0 * (2.0 / std::f64::consts::PI).sqrt();
    let inner = (x.clone().square() * (0.044715 * scale) + scale) * x.clone();
    x * burn_activation::sigmoid(inner)
}

pub(super) fn rotate(x: Tensor<4>, cos: &[f32], sin: &[f32]) -> Tensor<4> {
    let [batch, n, heads, head_dim] = x.dims();
    let half = head_dim / 2;
    let table = |values: &[f32]| {
        let data = TensorData::new(values.to_vec(), [1, n, 1, half]);
        Tensor::<4>::from_data(data, &x.device()).cast(x.dtype())
    };
    let (cos, sin) = (table(cos), table(sin)); // [1, n, 1, head_dim / 2]
    let first = x.clone().slice([0..batch, 0..n, 0..heads, 0..half]); // [batch, n, heads, head_dim / 2]
    let second = x.slice([0..batch, 0..n, 0..heads, half..head_dim]); // [batch, n, heads, head_dim / 2]
    Tensor::cat(
        vec![first.clone() * cos.clone() - second.clone() * sin.clone(), second * cos + first * sin],
        3,
    )
}
