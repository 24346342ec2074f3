//! Attention of the next token of each of several texts, over the texts' own caches.

use burn::tensor::{Tensor, TensorData, assert_shape};
use vqtoken_kernels::{Causality, Kernels, StepShape, TextCache};

use super::{attention, has_kernels};
use crate::kv_cache::KvCache;

/// [`attention`] of one token of each text to the tokens in its cache, and to itself. Keys and values are added to the caches.
///
/// All texts are attended to in one parallel region: each alone would be too little work for that.
///
/// # Shapes
///
/// - query, output: `[texts, 1, heads, head_dim]`
/// - key, value: `[texts, 1, kv_heads, head_dim]`
/// - caches: `[texts]`, of one text each
pub(crate) fn step_attention(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    caches: &mut [&mut KvCache],
) -> Tensor<4> {
    let [texts, _, heads, head_dim] = query.dims();
    let [_, _, kv_heads, _] = key.dims();
    assert_eq!(texts, caches.len(), "step attention: texts against caches");
    assert_shape!(query, [texts, 1, heads, head_dim]);
    assert_shape!(key, [texts, 1, kv_heads, head_dim]);
    assert_shape!(value, [texts, 1, kv_heads, head_dim]);
    if !has_kernels(&query) {
        let attended = caches.iter_mut().enumerate().map(|(text, cache)| {
            let of_text = |x: &Tensor<4>| x.clone().narrow(0, text, 1);
            let (keys, values) = cache.extend(of_text(&key), of_text(&value));
            attention(of_text(&query), keys, values, Causality::Causal)
        });
        return Tensor::cat(attended.collect(), 0);
    }
    let (device, shape) = (query.device(), query.dims());
    let (query, key, value) = (numbers(query), numbers(key), numbers(value));
    let width = (kv_heads * head_dim).max(1);
    let new = key.chunks_exact(width).zip(value.chunks_exact(width));
    let caches: Vec<_> = caches
        .iter_mut()
        .zip(new)
        .map(|(cache, (key, value))| {
            let rows = cache.push(key, value, [kv_heads, head_dim]);
            TextCache { keys: &rows.keys, values: &rows.values }
        })
        .collect();
    let step = StepShape { heads, kv_heads, head_dim, scale: (head_dim as f32).sqrt().recip() };
    let mut output = vec![0.0; query.len()];
    if let Err(error) = Kernels::global().step_attention(&step, &query, &caches, &mut output) {
        unreachable!("the shapes are checked above: {error}");
    }
    Tensor::from_data(TensorData::new(output, shape), &device)
}

fn numbers(x: Tensor<4>) -> Vec<f32> {
    x.into_data().try_into_vec().unwrap_or_else(|error| unreachable!("it is f32: {error}"))
}
