//! The forward pass: per block of queries, over blocks of keys, with the softmax kept up to date.

use rayon::prelude::*;

use super::scores::{BLOCK, accumulate, panels, products};
use super::{AttentionShape, PackedHeads};
use crate::Kernels;
use crate::aligned::Aligned;
use crate::float_product::tile_shape;
use crate::math::exp;
use crate::shared_rows::SharedRows;
use crate::simd::{Simd, kernel};

/// Computes the output, and the logarithms where asked for.
pub(super) fn attend(
    kernels: Kernels,
    shape: &AttentionShape,
    (q, k, v): (&[f32], &[f32], &[f32]),
    out: &mut [f32],
    log_sums: Option<&mut [f32]>,
) {
    let AttentionShape { batch, heads, kv_heads, queries, keys, head_dim, .. } = *shape;
    let (mr, nr) = tile_shape(kernels);
    let count = batch * kv_heads;
    let packed_keys =
        PackedHeads::new(count, (keys, head_dim, mr), |i| shape.key_head(k, i / kv_heads, i % kv_heads));
    let packed_values = PackedHeads::new(count, (head_dim, keys, mr), |i| {
        shape.key_head(v, i / kv_heads, i % kv_heads).transposed()
    });
    let out = SharedRows::new(out, head_dim);
    let mut unused = Vec::new();
    let log_sums = log_sums.unwrap_or_else(|| {
        unused.resize(shape.log_sums_len(), 0.0);
        &mut unused
    });
    log_sums.par_chunks_mut(queries).enumerate().for_each(|(index, log_sums)| {
        let (sequence, head) = (index / heads, index % heads);
        let source = shape.query_head(q, sequence, head);
        let kv = sequence * kv_heads + head / (heads / kv_heads);
        let (start, stride) = shape.place(sequence, head, heads, queries);
        log_sums.par_chunks_mut(nr).enumerate().for_each(|(block, log_sums)| {
            let first = block * nr;
            let mut columns = Columns {
                keys: packed_keys.head(kv),
                values: packed_values.head(kv),
                query: Aligned::zeros(head_dim * nr),
                visible: [0; 32],
                count: keys,
                depth: head_dim,
                sums: Aligned::zeros(head_dim.next_multiple_of(mr) * nr),
                scores: Aligned::zeros(BLOCK * nr),
            };
            source.pack_rows(nr, first..first + log_sums.len(), 0..head_dim, &mut columns.query);
            columns.query.iter_mut().for_each(|x| *x *= shape.scale);
            for (lane, visible) in columns.visible[..nr].iter_mut().enumerate() {
                *visible = shape.visible((first + lane).min(queries - 1));
            }
            let (largest, sums) = attend_columns(kernels, &mut columns);
            let shares = sums.map(|sum| 1.0 / sum);
            for (lane, log_sum) in log_sums.iter_mut().enumerate() {
                *log_sum = largest[lane] + sums[lane].ln();
                // SAFETY: this query's row of this head belongs to this task alone.
                let row = unsafe { out.segment((start + (first + lane) * stride) / head_dim, 0..head_dim) };
                for (d, place) in row.iter_mut().enumerate() {
                    *place = columns.sums[d * nr + lane] * shares[lane];
                }
            }
        });
    });
}

/// A block of queries across the lanes, and what it attends to.
struct Columns<'a> {
    /// `[keys / MR][depth][MR]`
    keys: &'a [f32],
    /// `[depth / MR][keys][MR]`
    values: &'a [f32],
    /// `[depth][NR]`, scaled.
    query: Aligned<f32>,
    /// Keys that each lane sees.
    visible: [usize; 32],
    count: usize,
    depth: usize,
    /// `[depth][NR]`, the output before the division.
    sums: Aligned<f32>,
    scores: Aligned<f32>,
}

#[inline(always)]
fn attend_generic<S: Simd>(s: S, columns: &mut Columns<'_>) -> ([f32; 32], [f32; 32]) {
    // Not minus infinity: the difference of two of those would be NaN.
    let (mut largest, mut totals, mut factors) = ([f32::MIN; 32], [0.0; 32], [0.0; 32]);
    let mut limits = [0.0; 32];
    for lane in 0..S::NR {
        limits[lane] = columns.visible[lane] as f32;
    }
    let visible = &columns.visible[..S::NR];
    let least = visible.iter().copied().min().unwrap_or(0);
    let most = visible.iter().copied().max().unwrap_or(0);
    for start in (0..most).step_by(BLOCK) {
        let count = BLOCK.min(most - start);
        let keys = panels::<S>(columns.keys, start, count, columns.depth);
        products(s, keys, &columns.query, columns.depth, &mut columns.scores);
        let scores = &mut columns.scores[..count * S::NR];
        for lane in (0..S::NR).step_by(S::LANES) {
            if start + count > least {
                let limit = s.load(&limits[lane..]);
                for (key, row) in scores.chunks_exact_mut(S::NR).enumerate() {
                    let masked = s.splat(f32::NEG_INFINITY);
                    let index = s.splat((start + key) as f32);
                    let score = s.select_gt(limit, index, s.load(&row[lane..]), masked);
                    s.store(&mut row[lane..], score);
                }
            }
            let before = s.load(&largest[lane..]);
            let mut now = before;
            for row in scores.chunks_exact(S::NR) {
                now = s.max(s.load(&row[lane..]), now);
            }
            let factor = exp(s, s.sub(before, now));
            let mut total = s.mul(s.load(&totals[lane..]), factor);
            for row in scores.chunks_exact_mut(S::NR) {
                let weight = exp(s, s.sub(s.load(&row[lane..]), now));
                total = s.add(total, weight);
                s.store(&mut row[lane..], weight);
            }
            s.store(&mut largest[lane..], now);
            s.store(&mut totals[lane..], total);
            s.store(&mut factors[lane..], factor);
        }
        accumulate(s, columns.values, (columns.count, start), scores, Some(&factors), &mut columns.sums);
    }
    (largest, totals)
}

kernel!(fn attend_columns(columns: &mut Columns<'_>) -> ([f32; 32], [f32; 32]) = attend_generic);
