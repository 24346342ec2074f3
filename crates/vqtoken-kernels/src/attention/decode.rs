//! A single query over a cache of keys and values, as in decoding, for one text or several: keys and values are read in place, once.

use rayon::prelude::*;

use super::shape::AttentionShape;
use crate::errors::check_length;
use crate::math::exp;
use crate::simd::{Simd, kernel};
use crate::{Kernels, ShapeError};

/// The keys and values of one text, `[tokens, kv_heads, head_dim]` each.
#[derive(Clone, Copy, Debug)]
pub struct TextCache<'a> {
    /// The keys.
    pub keys: &'a [f32],
    /// The values.
    pub values: &'a [f32],
}

/// The heads of [`Kernels::step_attention`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepShape {
    /// Heads of the queries.
    pub heads: usize,
    /// Heads of keys and values, a divisor of `heads`; query head `h` reads `h / (heads / kv_heads)`.
    pub kv_heads: usize,
    /// Features of a head.
    pub head_dim: usize,
    /// The factor of the scores, usually `1 / sqrt(head_dim)`.
    pub scale: f32,
}

impl Kernels {
    /// Attention of the next token of each of several texts over its own cache, which holds that token, too: `q` and `out` are
    /// `[texts, heads, head_dim]`. Each text gets the bits that [`Kernels::attention`] gives it alone.
    ///
    /// # Errors
    /// If lengths do not match the shape.
    pub fn step_attention(
        self,
        shape: &StepShape,
        q: &[f32],
        caches: &[TextCache<'_>],
        out: &mut [f32],
    ) -> Result<(), ShapeError> {
        let StepShape { heads, kv_heads, head_dim, scale } = *shape;
        if kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
            let remedy = "the number of query heads must be a multiple of that of key heads";
            return Err(ShapeError::Mismatch { what: "heads", left: heads, right: kv_heads, remedy });
        }
        let stride = kv_heads * head_dim;
        check_length("queries", q.len(), &[caches.len(), heads, head_dim])?;
        check_length("attention output", out.len(), &[q.len()])?;
        for cache in caches {
            let tokens = cache.keys.len() / stride.max(1);
            check_length("keys", cache.keys.len(), &[tokens, kv_heads, head_dim])?;
            check_length("values", cache.values.len(), &[tokens, kv_heads, head_dim])?;
        }
        for_each_key_head(out, caches.len(), [heads, kv_heads, head_dim], |[text, kv, head], out| {
            let TextCache { keys, values } = caches[text];
            let start = kv * head_dim;
            let mut weights = vec![0.0; out.len() / head_dim * (keys.len() / stride)];
            let (keys, values) = (&keys[start.min(keys.len())..], &values[start.min(values.len())..]);
            let cache = Cache { keys, values, stride, scale, head_dim };
            let queries = &q[(text * heads + head) * head_dim..][..out.len()];
            attend_heads(self, queries, &cache, &mut weights, out);
        });
        Ok(())
    }
}

/// Attention with one query.
pub(super) fn attend_single_query(
    kernels: Kernels,
    shape: &AttentionShape,
    (q, k, v): (&[f32], &[f32], &[f32]),
    out: &mut [f32],
) {
    let AttentionShape { batch, heads, kv_heads, head_dim, scale, .. } = *shape;
    let keys = shape.visible_keys(0);
    for_each_key_head(out, batch, [heads, kv_heads, head_dim], |[sequence, kv, head], out| {
        let (start, stride) = shape.offset_and_stride(sequence, kv, kv_heads, shape.keys);
        let mut weights = vec![0.0; out.len() / head_dim * keys];
        let (k, v) = (&k[start.min(k.len())..], &v[start.min(v.len())..]);
        let cache = Cache { keys: k, values: v, stride, scale, head_dim };
        // With a single query both layouts coincide.
        let queries = &q[(sequence * heads + head) * head_dim..][..out.len()];
        attend_heads(kernels, queries, &cache, &mut weights, out);
    });
}

/// Calls `attend` in parallel with a text, a key head, the first of some query heads that read it, and their part of `out [texts, heads, head_dim]`. Heads
/// that read the same keys go together as far as there are enough tasks.
fn for_each_key_head(
    out: &mut [f32],
    texts: usize,
    [heads, kv_heads, head_dim]: [usize; 3],
    attend: impl Fn([usize; 3], &mut [f32]) + Sync,
) {
    if out.is_empty() {
        return;
    }
    let group = heads / kv_heads;
    let parts = (TASKS_PER_THREAD * rayon::current_num_threads()).div_ceil(texts * kv_heads).min(group);
    let part = group.div_ceil(parts);
    out.par_chunks_mut(group * head_dim).enumerate().for_each(|(index, out)| {
        let (text, kv) = (index / kv_heads, index % kv_heads);
        out.par_chunks_mut(part * head_dim).enumerate().for_each(|(index, out)| {
            attend([text, kv, kv * group + index * part], out);
        });
    });
}

/// Tasks a thread, so that other threads can take over from one that is held up.
const TASKS_PER_THREAD: usize = 2;

/// Vectors of the output that are accumulated at a time.
const CHAINS: usize = 4;

/// Tokens that all heads read while they are in the L1 cache.
const BLOCK: usize = 64;

/// Keys and values of one head, whose tokens are `stride` apart.
struct Cache<'a> {
    keys: &'a [f32],
    values: &'a [f32],
    stride: usize,
    scale: f32,
    head_dim: usize,
}

/// Attention of some heads, `queries` and `out` `[heads, head_dim]`, to the same tokens; `weights [heads, tokens]` is a buffer. A head gets the same bits
/// beside any others.
#[inline(always)]
fn attend_generic<S: Simd>(s: S, queries: &[f32], cache: &Cache<'_>, weights: &mut [f32], out: &mut [f32]) {
    let Cache { keys, values, stride, scale, head_dim } = *cache;
    let tokens = weights.len() / (queries.len() / head_dim);
    let blocks = || (0..tokens).step_by(BLOCK).map(|start| start..(start + BLOCK).min(tokens));
    for block in blocks() {
        for (query, weights) in queries.chunks_exact(head_dim).zip(weights.chunks_exact_mut(tokens)) {
            for (index, weight) in block.clone().zip(&mut weights[block.clone()]) {
                *weight = dot(s, query, &keys[index * stride..][..head_dim]) * scale;
            }
        }
    }
    out.fill(0.0);
    for weights in weights.chunks_exact_mut(tokens.max(1)) {
        to_exponentials(s, weights);
    }
    for block in blocks() {
        for (out, weights) in out.chunks_exact_mut(head_dim).zip(weights.chunks_exact(tokens)) {
            add_values(s, &weights[block.clone()], &values[block.start * stride..], stride, out);
        }
    }
    for (out, weights) in out.chunks_exact_mut(head_dim).zip(weights.chunks_exact(tokens.max(1))) {
        let total = total(s, weights);
        for out in out.chunks_mut(S::LANES) {
            let mean = s.div(s.load_or(out, 0.0), total);
            s.store_some(out, mean);
        }
    }
}
/// Scores to exponentials of their differences from the largest.
#[inline(always)]
fn to_exponentials<S: Simd>(s: S, scores: &mut [f32]) {
    let largest = scores.iter().fold(f32::MIN, |largest, score| largest.max(*score));
    for scores in scores.chunks_mut(S::LANES) {
        let value = exp(s, s.sub(s.load_or(scores, f32::NEG_INFINITY), s.splat(largest)));
        s.store_some(scores, value);
    }
}

/// The sum of weights, in all lanes.
#[inline(always)]
fn total<S: Simd>(s: S, weights: &[f32]) -> S::F {
    let mut lanes = s.splat(0.0);
    for part in weights.chunks(S::LANES) {
        lanes = s.add(lanes, s.load_or(part, 0.0));
    }
    s.splat(s.sum(lanes))
}

/// Adds values times their weights to `out [head_dim]`, of which some vectors stay in registers while all values are read.
#[inline(always)]
fn add_values<S: Simd>(s: S, weights: &[f32], values: &[f32], stride: usize, out: &mut [f32]) {
    let full = out.len() / (CHAINS * S::LANES) * CHAINS * S::LANES;
    for start in (0..full).step_by(CHAINS * S::LANES) {
        let mut sums = [s.splat(0.0); CHAINS];
        for j in 0..CHAINS {
            sums[j] = s.load(&out[start + j * S::LANES..]);
        }
        for (index, weight) in weights.iter().enumerate() {
            let value = &values[index * stride + start..][..CHAINS * S::LANES];
            for j in 0..CHAINS {
                sums[j] = s.fma(s.splat(*weight), s.load(&value[j * S::LANES..]), sums[j]);
            }
        }
        for j in 0..CHAINS {
            s.store(&mut out[start + j * S::LANES..], sums[j]);
        }
    }
    for start in (full..out.len()).step_by(S::LANES) {
        let end = (start + S::LANES).min(out.len());
        let mut sum = s.load_or(&out[start..end], 0.0);
        for (index, weight) in weights.iter().enumerate() {
            let value = &values[index * stride..][start..end];
            sum = s.fma(s.splat(*weight), s.load_or(value, 0.0), sum);
        }
        s.store_some(&mut out[start..end], sum);
    }
}

#[inline(always)]
fn dot<S: Simd>(s: S, a: &[f32], b: &[f32]) -> f32 {
    let (mut even, mut odd) = (s.splat(0.0), s.splat(0.0));
    let (a_pairs, b_pairs) = (a.chunks_exact(2 * S::LANES), b.chunks_exact(2 * S::LANES));
    let (a_rest, b_rest) = (a_pairs.remainder(), b_pairs.remainder());
    for (a, b) in a_pairs.zip(b_pairs) {
        even = s.fma(s.load(a), s.load(b), even);
        odd = s.fma(s.load(&a[S::LANES..]), s.load(&b[S::LANES..]), odd);
    }
    for (a, b) in a_rest.chunks(S::LANES).zip(b_rest.chunks(S::LANES)) {
        even = s.fma(s.load_or(a, 0.0), s.load_or(b, 0.0), even);
    }
    s.sum(s.add(even, odd))
}

kernel!(fn attend_heads(queries: &[f32], cache: &Cache<'_>, weights: &mut [f32], out: &mut [f32]) = attend_generic);
