//! The forward pass: for each block of queries, over blocks of keys, with an online softmax.

use rayon::prelude::*;

use super::shape::AttentionShape;
use super::tiles::pack_panels;
use crate::Kernels;
use crate::aligned::Scratch;
use crate::float_product::tile_shape;
use crate::math::exp2;
use crate::shared_rows::SharedRows;
use crate::simd::{Simd, TileRows, kernel};

/// Keys of a block: a multiple of every `MR`, and few enough that the scores fit the L1 cache.
const KEY_BLOCK: usize = 144;

/// Panels of queries of a task.
const PANELS: usize = 3;

/// Computes the output and, if given, the log sums.
pub(super) fn attend(
    kernels: Kernels,
    shape: &AttentionShape,
    (q, k, v): (&[f32], &[f32], &[f32]),
    out: &mut [f32],
    log_sums: Option<&mut [f32]>,
) {
    let AttentionShape { batch, heads, kv_heads, queries, keys, head_dim, .. } = *shape;
    let (mr, nr) = tile_shape(kernels);
    let width = head_dim.next_multiple_of(mr);
    // Each head is packed once for all queries, so that tiles read what they need in one stretch of memory.
    let (key_len, value_len) = (keys.next_multiple_of(mr) * head_dim, keys * width);
    let mut copies = Scratch::new(batch * kv_heads * (key_len + value_len));
    copies.par_chunks_mut((key_len + value_len).max(1)).enumerate().for_each(|(index, copy)| {
        let (sequence, kv) = (index / kv_heads, index % kv_heads);
        let (key_copy, value_copy) = copy.split_at_mut(key_len);
        shape.key_head(k, sequence, kv).pack_rows(mr, 0..keys, 0..head_dim, key_copy);
        shape.key_head(v, sequence, kv).transposed().pack_rows(mr, 0..head_dim, 0..keys, value_copy);
    });
    let copies = &copies[..];
    let out = SharedRows::new(out, head_dim);
    let log_sums = log_sums.map(|log_sums| SharedRows::new(log_sums, queries));
    let blocks = queries.div_ceil(PANELS * nr);
    (0..batch * heads * blocks).into_par_iter().for_each(|task| {
        let (index, first) = (task / blocks, task % blocks * PANELS * nr);
        let (sequence, head) = (index / heads, index % heads);
        let kv = sequence * kv_heads + head / (heads / kv_heads);
        let last = (first + PANELS * nr).min(queries);
        let panels = (last - first).div_ceil(nr);
        let (key_copy, value_copy) =
            copies[kv * (key_len + value_len)..][..key_len + value_len].split_at(key_len);
        let mut scratch = Scratch::new(nr * (panels * (head_dim + width) + KEY_BLOCK));
        let (query, rest) = scratch.split_at_mut(panels * head_dim * nr);
        let (sums, scores) = rest.split_at_mut(panels * width * nr);
        // Exponentials are computed as powers of two.
        let scale = shape.scale * std::f32::consts::LOG2_E;
        pack_panels(kernels, shape.query_head(q, sequence, head), first..last, scale, query);
        sums.fill(0.0);
        let mut visible_keys = [0; PANELS * 32];
        for (lane, visible) in visible_keys[..panels * nr].iter_mut().enumerate() {
            *visible = shape.visible_keys((first + lane).min(queries - 1));
        }
        let head_keys = KeyValues {
            keys: key_copy,
            values: value_copy,
            depth: head_dim,
            width,
            visible: &visible_keys[..panels * nr],
        };
        let softmax = attend_panels(kernels, &head_keys, query, sums, scores);
        let inverse_totals = softmax.totals.map(|sum| 1.0 / sum);
        let (start, stride) = shape.offset_and_stride(sequence, head, heads, queries);
        for (panel, sums) in sums.chunks_exact_mut(width * nr).enumerate() {
            for row in sums.chunks_exact_mut(nr) {
                row.iter_mut().zip(&inverse_totals[panel * nr..]).for_each(|(sum, inverse)| *sum *= inverse);
            }
            for query in first + panel * nr..(first + (panel + 1) * nr).min(last) {
                // SAFETY: only this task writes this query's row of this head.
                let row = unsafe { out.segment((start + query * stride) / head_dim, 0..head_dim) };
                let lane = query - first - panel * nr;
                row.iter_mut().zip(sums.chunks_exact(nr)).for_each(|(out, sums)| *out = sums[lane]);
            }
        }
        if let Some(log_sums) = log_sums {
            // SAFETY: only this task writes these queries of this head.
            let out = unsafe { log_sums.segment(index, first..last) };
            for (lane, out) in out.iter_mut().enumerate() {
                *out = softmax.largest[lane] * std::f32::consts::LN_2 + softmax.totals[lane].ln();
            }
        }
    });
}

/// The keys and values of a head.
struct KeyValues<'a> {
    /// `[keys padded to MR / MR][depth][MR]`
    keys: &'a [f32],
    /// `[width / MR][keys][MR]`
    values: &'a [f32],
    depth: usize,
    /// The depth padded to a multiple of `MR`.
    width: usize,
    /// Number of keys that each query attends to, in ascending order.
    visible: &'a [usize],
}

/// The softmax statistics of each query; scores are exponents of two.
struct Softmax {
    /// The largest score so far.
    largest: [f32; PANELS * 32],
    /// Sums of `2^(score - largest)`.
    totals: [f32; PANELS * 32],
}

/// Attends with `query [panels][depth][NR]`, scaled; `sums [panels][width][NR]` receives the output before division by the
/// totals.
#[inline(always)]
fn attend_generic<S: Simd>(
    s: S,
    keys: &KeyValues<'_>,
    query: &[f32],
    sums: &mut [f32],
    scores: &mut [f32],
) -> Softmax {
    // Not minus infinity: minus infinity minus itself is NaN.
    let mut softmax = Softmax { largest: [f32::MIN; PANELS * 32], totals: [0.0; PANELS * 32] };
    let most = keys.visible.last().copied().unwrap_or(0);
    for start in (0..most).step_by(KEY_BLOCK) {
        for (panel, visible) in keys.visible.chunks_exact(S::NR).enumerate() {
            let count = KEY_BLOCK.min(visible[S::NR - 1].saturating_sub(start));
            if count == 0 {
                continue;
            }
            let lanes = panel * S::NR..(panel + 1) * S::NR;
            let query = &query[lanes.start * keys.depth..][..S::NR * keys.depth];
            for row in (0..count).step_by(S::MR) {
                let tile = &keys.keys[(start + row) * keys.depth..][..S::MR * keys.depth];
                s.tile(tile, query, &mut scores[row * S::NR..]);
            }
            let scores = &mut scores[..count * S::NR];
            if start + count > visible[0] {
                mask(s, start, visible, scores);
            }
            let mut factors = [0.0; 32];
            let (largest, totals) = (&mut softmax.largest[lanes.clone()], &mut softmax.totals[lanes.clone()]);
            update_softmax(s, scores, largest, totals, &mut factors);
            let sums = &mut sums[lanes.start * keys.width..][..S::NR * keys.width];
            let panels = keys.values.chunks_exact(keys.values.len() / keys.width * S::MR);
            for (sums, values) in sums.chunks_exact_mut(S::MR * S::NR).zip(panels) {
                let values = &values[start * S::MR..][..count * S::MR];
                s.tile_rows(values, scores, &mut Rescaled { sums, factors: &factors });
            }
        }
    }
    softmax
}

/// Sets scores of keys that a query does not attend to to minus infinity.
#[inline(always)]
fn mask<S: Simd>(s: S, start: usize, visible: &[usize], scores: &mut [f32]) {
    let mut limits = [0.0; 32];
    for (limit, visible) in limits.iter_mut().zip(visible) {
        *limit = *visible as f32;
    }
    for (key, row) in scores.chunks_exact_mut(S::NR).enumerate() {
        let index = s.splat((start + key) as f32);
        for lane in (0..S::NR).step_by(S::LANES) {
            let masked = s.splat(f32::NEG_INFINITY);
            let score = s.select_gt(s.load(&limits[lane..]), index, s.load(&row[lane..]), masked);
            s.store(&mut row[lane..], score);
        }
    }
}

/// Replaces scores by exponentials and updates the statistics; `factors` receives the rescaling of the previous sums.
#[inline(always)]
fn update_softmax<S: Simd>(
    s: S,
    scores: &mut [f32],
    largest: &mut [f32],
    totals: &mut [f32],
    factors: &mut [f32],
) {
    for lane in (0..S::NR).step_by(S::LANES) {
        let before = s.load(&largest[lane..]);
        let mut now = before;
        for row in scores.chunks_exact(S::NR) {
            now = s.max(s.load(&row[lane..]), now);
        }
        let factor = exp2(s, s.sub(before, now));
        let mut total = s.mul(s.load(&totals[lane..]), factor);
        for row in scores.chunks_exact_mut(S::NR) {
            let weight = exp2(s, s.sub(s.load(&row[lane..]), now));
            total = s.add(total, weight);
            s.store(&mut row[lane..], weight);
        }
        s.store(&mut largest[lane..], now);
        s.store(&mut totals[lane..], total);
        s.store(&mut factors[lane..], factor);
    }
}

/// Rescales sums and adds a tile.
struct Rescaled<'a> {
    sums: &'a mut [f32],
    factors: &'a [f32],
}

impl<S: Simd> TileRows<S> for Rescaled<'_> {
    #[inline(always)]
    fn take(&mut self, s: S, row: usize, sums: &[S::F]) {
        for (j, new) in sums.iter().enumerate() {
            let out = &mut self.sums[row * S::NR + j * S::LANES..];
            let sum = s.fma(s.load(out), s.load(&self.factors[j * S::LANES..]), *new);
            s.store(out, sum);
        }
    }
}

kernel!(
    fn attend_panels(keys: &KeyValues<'_>, query: &[f32], sums: &mut [f32], scores: &mut [f32]) -> Softmax =
        attend_generic
);
