//! One query over a long cache (decoding): keys and values are read where they lie, once.

use rayon::prelude::*;

use super::AttentionShape;
use crate::Kernels;
use crate::math::exp;
use crate::shared_rows::SharedRows;
use crate::simd::{Simd, kernel};

pub(super) fn attend_single(
    kernels: Kernels,
    shape: &AttentionShape,
    (q, k, v): (&[f32], &[f32], &[f32]),
    out: &mut [f32],
) {
    let AttentionShape { batch, heads, kv_heads, head_dim, .. } = *shape;
    let keys = shape.visible(0);
    let rows = SharedRows::new(out, head_dim);
    (0..batch * heads).into_par_iter().for_each(|index| {
        let (sequence, head) = (index / heads, index % heads);
        let kv = head / (heads / kv_heads);
        let (start, stride) = shape.place(sequence, kv, kv_heads, shape.keys);
        let mut weights = vec![0.0; keys];
        // With a single query both layouts are the same.
        let query = &q[index * head_dim..][..head_dim];
        // SAFETY: one row a task.
        let out = unsafe { rows.segment(index, 0..head_dim) };
        let (k, v) = (&k[start.min(k.len())..], &v[start.min(v.len())..]);
        let cache = Cache { keys: k, values: v, stride, scale: shape.scale };
        attend_row(kernels, query, &cache, &mut weights, out);
    });
}

/// Keys and values of one head, whose tokens are `stride` apart.
struct Cache<'a> {
    keys: &'a [f32],
    values: &'a [f32],
    stride: usize,
    scale: f32,
}

#[inline(always)]
fn attend_generic<S: Simd>(s: S, query: &[f32], cache: &Cache<'_>, weights: &mut [f32], out: &mut [f32]) {
    let Cache { keys, values, stride, scale } = *cache;
    let mut largest = f32::MIN;
    for (index, weight) in weights.iter_mut().enumerate() {
        let key = &keys[index * stride..][..query.len()];
        let mut sums = [s.splat(0.0); 2];
        for (q, k) in query.chunks(2 * S::LANES).zip(key.chunks(2 * S::LANES)) {
            for (sum, (q, k)) in sums.iter_mut().zip(q.chunks(S::LANES).zip(k.chunks(S::LANES))) {
                *sum = s.fma(s.load_or(q, 0.0), s.load_or(k, 0.0), *sum);
            }
        }
        *weight = s.sum(s.add(sums[0], sums[1])) * scale;
        largest = largest.max(*weight);
    }
    let mut total = s.splat(0.0);
    for weights in weights.chunks_mut(S::LANES) {
        let value = exp(s, s.sub(s.load_or(weights, f32::NEG_INFINITY), s.splat(largest)));
        total = s.add(total, value);
        s.store_some(weights, value);
    }
    let total = s.splat(s.sum(total));
    out.fill(0.0);
    for (index, weight) in weights.iter().enumerate() {
        let value = &values[index * stride..][..out.len()];
        for (out, value) in out.chunks_mut(S::LANES).zip(value.chunks(S::LANES)) {
            let sum = s.fma(s.splat(*weight), s.load_or(value, 0.0), s.load_or(out, 0.0));
            s.store_some(out, sum);
        }
    }
    for out in out.chunks_mut(S::LANES) {
        let quotient = s.div(s.load_or(out, 0.0), total);
        s.store_some(out, quotient);
    }
}

kernel!(fn attend_row(query: &[f32], cache: &Cache<'_>, weights: &mut [f32], out: &mut [f32]) = attend_generic);
