//! A single query over a cache of keys and values, as in decoding, for one text or several: keys and values are read in place, once.

use rayon::prelude::*;

use super::shape::AttentionShape;
use crate::errors::check_length;
use crate::math::exp;
use crate::shared_rows::SharedRows;
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
        let rows = out.par_chunks_exact_mut(head_dim.max(1)).zip(q.par_chunks_exact(head_dim.max(1)));
        rows.enumerate().for_each(|(index, (out, query))| {
            let TextCache { keys, values } = caches[index / heads];
            let start = index % heads / (heads / kv_heads) * head_dim;
            let mut weights = vec![0.0; keys.len() / stride];
            let (keys, values) = (&keys[start.min(keys.len())..], &values[start.min(values.len())..]);
            attend_row(self, query, &Cache { keys, values, stride, scale }, &mut weights, out);
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
    let AttentionShape { batch, heads, kv_heads, head_dim, .. } = *shape;
    let keys = shape.visible_keys(0);
    let rows = SharedRows::new(out, head_dim);
    (0..batch * heads).into_par_iter().for_each(|index| {
        let (sequence, head) = (index / heads, index % heads);
        let kv = head / (heads / kv_heads);
        let (start, stride) = shape.offset_and_stride(sequence, kv, kv_heads, shape.keys);
        let mut weights = vec![0.0; keys];
        // With a single query both layouts coincide.
        let query = &q[index * head_dim..][..head_dim];
        // SAFETY: each task writes its own row.
        let out = unsafe { rows.segment(index, 0..head_dim) };
        let (k, v) = (&k[start.min(k.len())..], &v[start.min(v.len())..]);
        let cache = Cache { keys: k, values: v, stride, scale: shape.scale };
        attend_row(kernels, query, &cache, &mut weights, out);
    });
}

/// Vectors of the output that are accumulated at a time.
const CHAINS: usize = 4;

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
        *weight = dot(s, query, key) * scale;
        largest = largest.max(*weight);
    }
    let mut total = s.splat(0.0);
    for weights in weights.chunks_mut(S::LANES) {
        let value = exp(s, s.sub(s.load_or(weights, f32::NEG_INFINITY), s.splat(largest)));
        total = s.add(total, value);
        s.store_some(weights, value);
    }
    let total = s.splat(s.sum(total));
    // Some vectors of the output stay in registers while all values are read.
    let full = out.len() / (CHAINS * S::LANES) * CHAINS * S::LANES;
    for start in (0..full).step_by(CHAINS * S::LANES) {
        let mut sums = [s.splat(0.0); CHAINS];
        for (index, weight) in weights.iter().enumerate() {
            let value = &values[index * stride + start..][..CHAINS * S::LANES];
            for j in 0..CHAINS {
                sums[j] = s.fma(s.splat(*weight), s.load(&value[j * S::LANES..]), sums[j]);
            }
        }
        for j in 0..CHAINS {
            s.store(&mut out[start + j * S::LANES..], s.div(sums[j], total));
        }
    }
    for start in (full..out.len()).step_by(S::LANES) {
        let end = (start + S::LANES).min(out.len());
        let mut sum = s.splat(0.0);
        for (index, weight) in weights.iter().enumerate() {
            let value = &values[index * stride..][start..end];
            sum = s.fma(s.splat(*weight), s.load_or(value, 0.0), sum);
        }
        s.store_some(&mut out[start..end], s.div(sum, total));
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

kernel!(fn attend_row(query: &[f32], cache: &Cache<'_>, weights: &mut [f32], out: &mut [f32]) = attend_generic);
