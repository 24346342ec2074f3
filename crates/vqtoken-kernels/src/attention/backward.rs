//! The backward pass: scores are computed again, once by queries for their gradient, once by keys for that of keys and
//! values. No two tasks add to the same number, so threads do not change a bit.

use rayon::prelude::*;

use super::scores::{BLOCK, accumulate, panels, products};
use super::{AttentionShape, PackedHeads};
use crate::aligned::Aligned;
use crate::errors::check_length;
use crate::float_product::tile_shape;
use crate::math::exp;
use crate::shared_rows::SharedRows;
use crate::simd::{Simd, kernel};
use crate::{Kernels, ShapeError};

/// What the forward pass read and wrote.
#[derive(Clone, Copy)]
pub struct AttentionForward<'a> {
    /// Queries.
    pub q: &'a [f32],
    /// Keys.
    pub k: &'a [f32],
    /// Values.
    pub v: &'a [f32],
    /// The output.
    pub out: &'a [f32],
    /// `[batch, heads, queries]`
    pub log_sums: &'a [f32],
}

/// Where the gradients go; they may hold anything before.
pub struct AttentionGradients<'a> {
    /// Like the queries.
    pub dq: &'a mut [f32],
    /// Like the keys.
    pub dk: &'a mut [f32],
    /// Like the values.
    pub dv: &'a mut [f32],
}

impl Kernels {
    /// The gradients of [`Kernels::attention`] with respect to queries, keys and values, from that of its output.
    ///
    /// # Errors
    /// Lengths do not fit the shape.
    pub fn attention_backward(
        self,
        shape: &AttentionShape,
        forward: AttentionForward<'_>,
        dout: &[f32],
        gradients: AttentionGradients<'_>,
    ) -> Result<(), ShapeError> {
        let AttentionForward { q, k, v, out, log_sums } = forward;
        shape.check(q.len(), k.len(), v.len())?;
        shape.check(gradients.dq.len(), gradients.dk.len(), gradients.dv.len())?;
        check_length("attention output", out.len(), &[q.len()])?;
        check_length("gradient of the output", dout.len(), &[q.len()])?;
        check_length("log sums", log_sums.len(), &[shape.log_sums_len()])?;
        if shape.head_dim == 0 {
            return Ok(());
        }
        let mut deltas = vec![0.0; log_sums.len()];
        deltas.par_chunks_mut(shape.queries.max(1)).enumerate().for_each(|(head, deltas)| {
            let (sequence, head) = (head / shape.heads, head % shape.heads);
            let (out, dout) = (shape.query_head(out, sequence, head), shape.query_head(dout, sequence, head));
            for (row, delta) in deltas.iter_mut().enumerate() {
                *delta = out.row(row).iter().zip(dout.row(row)).map(|(a, b)| a * b).sum();
            }
        });
        let saved = Saved { kernels: self, shape, q, k, v, dout, log_sums, deltas: &deltas };
        saved.by_queries(gradients.dq);
        saved.by_keys(gradients.dk, gradients.dv);
        Ok(())
    }
}

struct Saved<'a> {
    kernels: Kernels,
    shape: &'a AttentionShape,
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    dout: &'a [f32],
    log_sums: &'a [f32],
    /// `[batch, heads, queries]`: the product of each output with its gradient.
    deltas: &'a [f32],
}

impl Saved<'_> {
    fn pack_keys(&self, data: &[f32], transposed: bool) -> PackedHeads {
        let AttentionShape { batch, kv_heads, keys, head_dim, .. } = *self.shape;
        let (rows, depth) = if transposed { (head_dim, keys) } else { (keys, head_dim) };
        PackedHeads::new(batch * kv_heads, (rows, depth, tile_shape(self.kernels).0), |i| {
            let head = self.shape.key_head(data, i / kv_heads, i % kv_heads);
            if transposed { head.transposed() } else { head }
        })
    }

    fn pack_queries(&self, data: &[f32], transposed: bool) -> PackedHeads {
        let AttentionShape { batch, heads, queries, head_dim, .. } = *self.shape;
        let (rows, depth) = if transposed { (head_dim, queries) } else { (queries, head_dim) };
        PackedHeads::new(batch * heads, (rows, depth, tile_shape(self.kernels).0), |i| {
            let head = self.shape.query_head(data, i / heads, i % heads);
            if transposed { head.transposed() } else { head }
        })
    }

    /// Queries across the lanes, keys in blocks below them.
    fn by_queries(&self, dq: &mut [f32]) {
        let shape = self.shape;
        let AttentionShape { batch, heads, kv_heads, queries, keys, head_dim, .. } = *shape;
        let (mr, nr) = tile_shape(self.kernels);
        let (by_key, by_dim) = (self.pack_keys(self.k, false), self.pack_keys(self.k, true));
        let values = self.pack_keys(self.v, false);
        let dq = SharedRows::new(dq, head_dim);
        let blocks = queries.div_ceil(nr);
        (0..batch * heads * blocks).into_par_iter().for_each(|task| {
            let (index, first) = (task / blocks, task % blocks * nr);
            let (sequence, head) = (index / heads, index % heads);
            let kv = sequence * kv_heads + head / (heads / kv_heads);
            let last = (first + nr).min(queries);
            let mut lanes = Lanes::new(head_dim, nr, mr);
            shape.query_head(self.q, sequence, head).pack_rows(
                nr,
                first..last,
                0..head_dim,
                &mut lanes.score_side,
            );
            lanes.score_side.iter_mut().for_each(|x| *x *= shape.scale);
            shape.query_head(self.dout, sequence, head).pack_rows(
                nr,
                first..last,
                0..head_dim,
                &mut lanes.slope_side,
            );
            for query in first..last {
                lanes.log_sums[query - first] = self.log_sums[index * queries + query];
                lanes.deltas[query - first] = self.deltas[index * queries + query];
                lanes.limits[query - first] = shape.visible(query) as f32;
            }
            let rows = QueryRows { scores: by_key.head(kv), slopes: values.head(kv), sums: by_dim.head(kv) };
            query_lanes(self.kernels, &mut lanes, &rows, shape.visible(last - 1), keys, head_dim);
            let (start, stride) = shape.place(sequence, head, heads, queries);
            for query in first..last {
                // SAFETY: this query's row of this head belongs to this task alone.
                let row = unsafe { dq.segment((start + query * stride) / head_dim, 0..head_dim) };
                lanes.write(query - first, nr, shape.scale, row);
            }
        });
    }

    /// Keys across the lanes, queries of all heads that share them in blocks below.
    fn by_keys(&self, dk: &mut [f32], dv: &mut [f32]) {
        let shape = self.shape;
        let AttentionShape { batch, heads, kv_heads, queries, keys, head_dim, .. } = *shape;
        let (mr, nr) = tile_shape(self.kernels);
        let (q, q_by_dim) = (self.pack_queries(self.q, false), self.pack_queries(self.q, true));
        let (dout, dout_by_dim) = (self.pack_queries(self.dout, false), self.pack_queries(self.dout, true));
        let (dk, dv) = (SharedRows::new(dk, head_dim), SharedRows::new(dv, head_dim));
        let limits: Vec<f32> = (0..queries).map(|query| shape.visible(query) as f32).collect();
        let (blocks, group) = (keys.div_ceil(nr), heads / kv_heads);
        (0..batch * kv_heads * blocks).into_par_iter().for_each(|task| {
            let (index, first) = (task / blocks, task % blocks * nr);
            let (sequence, kv) = (index / kv_heads, index % kv_heads);
            let last = (first + nr).min(keys);
            let (mut lanes, mut value_sums) =
                (Lanes::new(head_dim, nr, mr), Lanes::new(head_dim, nr, mr).sums);
            shape.key_head(self.k, sequence, kv).pack_rows(
                nr,
                first..last,
                0..head_dim,
                &mut lanes.score_side,
            );
            lanes.score_side.iter_mut().for_each(|x| *x *= shape.scale);
            shape.key_head(self.v, sequence, kv).pack_rows(
                nr,
                first..last,
                0..head_dim,
                &mut lanes.slope_side,
            );
            for (lane, place) in lanes.limits[..nr].iter_mut().enumerate() {
                *place = (first + lane) as f32;
            }
            for head in (0..group).map(|member| sequence * heads + kv * group + member) {
                let rows = KeyRows {
                    scores: q.head(head),
                    slopes: dout.head(head),
                    key_sums: q_by_dim.head(head),
                    value_sums: dout_by_dim.head(head),
                    log_sums: &self.log_sums[head * queries..][..queries],
                    deltas: &self.deltas[head * queries..][..queries],
                    limits: &limits,
                };
                key_lanes(self.kernels, &mut lanes, &rows, &mut value_sums, first, head_dim);
            }
            let (start, stride) = shape.place(sequence, kv, kv_heads, keys);
            for key in first..last {
                // SAFETY: this key's row of this head belongs to this task alone.
                let row = unsafe { dk.segment((start + key * stride) / head_dim, 0..head_dim) };
                lanes.write(key - first, nr, shape.scale, row);
                // SAFETY: as above.
                let row = unsafe { dv.segment((start + key * stride) / head_dim, 0..head_dim) };
                for (d, place) in row.iter_mut().enumerate() {
                    *place = value_sums[d * nr + key - first];
                }
            }
        });
    }
}

/// A block of tokens across the lanes.
struct Lanes {
    /// `[depth][NR]`, scaled: what scores are made of.
    score_side: Aligned<f32>,
    /// `[depth][NR]`: what the gradients of the attention weights are made of.
    slope_side: Aligned<f32>,
    log_sums: [f32; 32],
    deltas: [f32; 32],
    /// Keys that the lane's query sees, or the index of the lane's key.
    limits: [f32; 32],
    /// `[depth][NR]`
    sums: Aligned<f32>,
    scores: Aligned<f32>,
    slopes: Aligned<f32>,
}

impl Lanes {
    fn new(depth: usize, nr: usize, mr: usize) -> Self {
        Self {
            score_side: Aligned::zeros(depth * nr),
            slope_side: Aligned::zeros(depth * nr),
            log_sums: [0.0; 32],
            deltas: [0.0; 32],
            limits: [0.0; 32],
            sums: Aligned::zeros(depth.next_multiple_of(mr) * nr),
            scores: Aligned::zeros(BLOCK * nr),
            slopes: Aligned::zeros(BLOCK * nr),
        }
    }

    fn write(&self, lane: usize, nr: usize, scale: f32, row: &mut [f32]) {
        for (d, place) in row.iter_mut().enumerate() {
            *place = self.sums[d * nr + lane] * scale;
        }
    }
}

/// Keys and values, packed: by key, by key, and the keys by number of the head.
struct QueryRows<'a> {
    scores: &'a [f32],
    slopes: &'a [f32],
    sums: &'a [f32],
}

#[inline(always)]
fn query_generic<S: Simd>(
    s: S,
    lanes: &mut Lanes,
    rows: &QueryRows<'_>,
    visible: usize,
    keys: usize,
    depth: usize,
) {
    for start in (0..visible).step_by(BLOCK) {
        let count = BLOCK.min(visible - start);
        products(
            s,
            panels::<S>(rows.scores, start, count, depth),
            &lanes.score_side,
            depth,
            &mut lanes.scores,
        );
        products(
            s,
            panels::<S>(rows.slopes, start, count, depth),
            &lanes.slope_side,
            depth,
            &mut lanes.slopes,
        );
        let (scores, slopes) = (&mut lanes.scores[..count * S::NR], &lanes.slopes[..count * S::NR]);
        for (key, (scores, slopes)) in
            scores.chunks_exact_mut(S::NR).zip(slopes.chunks_exact(S::NR)).enumerate()
        {
            let index = s.splat((start + key) as f32);
            for lane in (0..S::NR).step_by(S::LANES) {
                let score = s.sub(s.load(&scores[lane..]), s.load(&lanes.log_sums[lane..]));
                let weight = s.select_gt(s.load(&lanes.limits[lane..]), index, exp(s, score), s.splat(0.0));
                let slope = s.sub(s.load(&slopes[lane..]), s.load(&lanes.deltas[lane..]));
                s.store(&mut scores[lane..], s.mul(weight, slope));
            }
        }
        accumulate(s, rows.sums, (keys, start), scores, None, &mut lanes.sums);
    }
}

kernel!(
    fn query_lanes(lanes: &mut Lanes, rows: &QueryRows<'_>, visible: usize, keys: usize, depth: usize) = query_generic
);

/// Queries and gradients of outputs, packed by query and by number of the head.
struct KeyRows<'a> {
    scores: &'a [f32],
    slopes: &'a [f32],
    key_sums: &'a [f32],
    value_sums: &'a [f32],
    log_sums: &'a [f32],
    deltas: &'a [f32],
    limits: &'a [f32],
}

#[inline(always)]
fn key_generic<S: Simd>(
    s: S,
    lanes: &mut Lanes,
    rows: &KeyRows<'_>,
    value_sums: &mut [f32],
    first: usize,
    depth: usize,
) {
    let queries = rows.limits.len();
    for start in (0..queries).step_by(BLOCK) {
        let count = BLOCK.min(queries - start);
        // Later queries see more: where the last one of a block sees none of these keys, no other does.
        if rows.limits[start + count - 1] <= first as f32 {
            continue;
        }
        products(
            s,
            panels::<S>(rows.scores, start, count, depth),
            &lanes.score_side,
            depth,
            &mut lanes.scores,
        );
        products(
            s,
            panels::<S>(rows.slopes, start, count, depth),
            &lanes.slope_side,
            depth,
            &mut lanes.slopes,
        );
        let (weights, slopes) = (&mut lanes.scores[..count * S::NR], &mut lanes.slopes[..count * S::NR]);
        for (row, (weights, slopes)) in
            weights.chunks_exact_mut(S::NR).zip(slopes.chunks_exact_mut(S::NR)).enumerate()
        {
            let query = start + row;
            let (log_sum, delta) = (s.splat(rows.log_sums[query]), s.splat(rows.deltas[query]));
            let limit = s.splat(rows.limits[query]);
            for lane in (0..S::NR).step_by(S::LANES) {
                let weight = exp(s, s.sub(s.load(&weights[lane..]), log_sum));
                let weight = s.select_gt(limit, s.load(&lanes.limits[lane..]), weight, s.splat(0.0));
                let slope = s.sub(s.load(&slopes[lane..]), delta);
                s.store(&mut weights[lane..], weight);
                s.store(&mut slopes[lane..], s.mul(weight, slope));
            }
        }
        accumulate(s, rows.value_sums, (queries, start), weights, None, value_sums);
        accumulate(s, rows.key_sums, (queries, start), slopes, None, &mut lanes.sums);
    }
}

kernel!(
    fn key_lanes(
        lanes: &mut Lanes,
        rows: &KeyRows<'_>,
        value_sums: &mut [f32],
        first: usize,
        depth: usize,
    ) = key_generic
);
