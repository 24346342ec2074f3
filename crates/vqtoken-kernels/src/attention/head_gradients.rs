//! The gradients of one head in one pass: five products and one exponential for each query and key.
//!
//! For each block of keys, the blocks of queries are visited in order. Attention weights and score gradients, `[queries,
//! keys]` of a block, are computed in registers tile by tile and stay in the cache; all three gradients are products of
//! them with contiguous rows.

use super::tiles::{PANELS, add_products};
use crate::math::exp2;
use crate::simd::{Left, Right, Simd, TileRows, kernel};

/// The inputs for the gradients of one query head and some keys. Rows are padded to whole blocks of `PANELS` panels; rows
/// after the last query are zeros, with infinity as their log sum.
pub(super) struct HeadInputs<'a> {
    /// Index of the first key.
    pub(super) first_key: usize,
    pub(super) keys: usize,
    pub(super) queries: usize,
    pub(super) head_dim: usize,
    /// `head_dim` padded for tiles.
    pub(super) width: usize,
    /// `[keys / NR][head_dim][NR]`, scaled so that scores are exponents of two.
    pub(super) key_panels: &'a [f32],
    /// `[keys / NR][head_dim][NR]`
    pub(super) value_panels: &'a [f32],
    /// `[keys, width]`, scaled.
    pub(super) key_rows: &'a [f32],
    /// `[queries, width]`, scaled.
    pub(super) query: &'a [f32],
    /// `[queries, width]`
    pub(super) dout: &'a [f32],
    /// `[queries]`: the base-2 logarithm of the sum of exponentials.
    pub(super) log_sums: &'a [f32],
    /// `[queries]`: the dot product of each output with its gradient.
    pub(super) deltas: &'a [f32],
    /// `[queries]`: number of keys that each query attends to, in ascending order.
    pub(super) limits: &'a [f32],
}

/// The gradients, which are added to, and buffers.
pub(super) struct HeadGradients<'a> {
    /// `[queries, width]`
    pub(super) dq: &'a mut [f32],
    /// `[keys, width]`
    pub(super) dk: &'a mut [f32],
    /// `[keys, width]`
    pub(super) dv: &'a mut [f32],
    /// Buffer: attention weights of a block.
    pub(super) weights: &'a mut [f32],
    /// Buffer: score gradients of a block.
    pub(super) score_gradients: &'a mut [f32],
}

#[inline(always)]
fn add_generic<S: Simd>(s: S, inputs: &HeadInputs<'_>, gradients: &mut HeadGradients<'_>) {
    let HeadInputs { width, .. } = *inputs;
    let block = PANELS * S::NR;
    for key in (0..inputs.keys).step_by(block) {
        let columns = block.min(inputs.keys - key).next_multiple_of(S::NR);
        let first_key = inputs.first_key + key;
        for query in (0..inputs.queries).step_by(block) {
            let count = block.min(inputs.queries - query);
            // If the last query of a block attends to none of these keys, no other one does.
            if inputs.limits[query + count - 1] <= first_key as f32 {
                continue;
            }
            let rows = count.next_multiple_of(S::MR);
            let masked = inputs.limits[query] < (first_key + columns) as f32;
            for column in (0..columns).step_by(S::NR) {
                for row in (0..rows).step_by(S::MR) {
                    let at =
                        TileStart { query: query + row, key: key + column, offset: row * block + column };
                    match masked {
                        true => compute_tile::<_, true>(s, inputs, at, gradients),
                        false => compute_tile::<_, false>(s, inputs, at, gradients),
                    }
                }
            }
            let by_key = |data| Left { data, row: 1, step: block };
            let dout = Right { data: &inputs.dout[query * width..], stride: width };
            add_products(s, columns, by_key(gradients.weights), dout, rows, &mut gradients.dv[key * width..]);
            let queries = Right { data: &inputs.query[query * width..], stride: width };
            add_products(
                s,
                columns,
                by_key(gradients.score_gradients),
                queries,
                rows,
                &mut gradients.dk[key * width..],
            );
            let by_query = Left { data: gradients.score_gradients, row: block, step: 1 };
            let keys = Right { data: &inputs.key_rows[key * width..], stride: width };
            add_products(s, rows, by_query, keys, columns, &mut gradients.dq[query * width..]);
        }
    }
}

/// The start of a tile of a block.
#[derive(Clone, Copy)]
struct TileStart {
    query: usize,
    /// Relative to the first key of the inputs.
    key: usize,
    /// Offset in the buffers of the block.
    offset: usize,
}

/// One tile of attention weights and score gradients.
#[inline(always)]
fn compute_tile<'a, S: Simd, const MASKED: bool>(
    s: S,
    inputs: &HeadInputs<'a>,
    at: TileStart,
    gradients: &mut HeadGradients<'_>,
) {
    let HeadInputs { width, head_dim, .. } = *inputs;
    let panel =
        |panels: &'a [f32]| Right { data: &panels[at.key * head_dim..][..S::NR * head_dim], stride: S::NR };
    let query = Left { data: &inputs.query[at.query * width..], row: width, step: 1 };
    let dout = Left { data: &inputs.dout[at.query * width..], row: width, step: 1 };
    let weights = &mut gradients.weights[at.offset..];
    let (log_sums, limits) = (&inputs.log_sums[at.query..], &inputs.limits[at.query..]);
    let key = (inputs.first_key + at.key) as f32;
    s.strided_tile(
        query,
        panel(inputs.key_panels),
        head_dim,
        &mut Weights::<MASKED> { log_sums, limits, key, weights: &mut *weights },
    );
    let (deltas, score_gradients) = (&inputs.deltas[at.query..], &mut gradients.score_gradients[at.offset..]);
    s.strided_tile(
        dout,
        panel(inputs.value_panels),
        head_dim,
        &mut ScoreGradients { deltas, weights, score_gradients },
    );
}

/// The column indices of a panel.
const INDICES: [f32; 32] = {
    let mut indices = [0.0; 32];
    let mut i = 0;
    while i < 32 {
        indices[i] = i as f32;
        i += 1;
    }
    indices
};

/// Converts scores to attention weights.
struct Weights<'a, const MASKED: bool> {
    log_sums: &'a [f32],
    limits: &'a [f32],
    /// The first key of the tile.
    key: f32,
    weights: &'a mut [f32],
}

impl<S: Simd, const MASKED: bool> TileRows<S> for Weights<'_, MASKED> {
    #[inline(always)]
    fn take(&mut self, s: S, row: usize, sums: &[S::F]) {
        let log_sum = s.splat(self.log_sums[row]);
        let out = &mut self.weights[row * PANELS * S::NR..][..S::NR];
        for (j, score) in sums.iter().enumerate() {
            let mut weight = exp2(s, s.sub(*score, log_sum));
            if MASKED {
                let index = s.add(s.splat(self.key), s.load(&INDICES[j * S::LANES..]));
                weight = s.select_gt(s.splat(self.limits[row]), index, weight, s.splat(0.0));
            }
            s.store(&mut out[j * S::LANES..], weight);
        }
    }
}

/// Converts gradients of attention weights to gradients of scores.
struct ScoreGradients<'a> {
    deltas: &'a [f32],
    weights: &'a [f32],
    score_gradients: &'a mut [f32],
}

impl<S: Simd> TileRows<S> for ScoreGradients<'_> {
    #[inline(always)]
    fn take(&mut self, s: S, row: usize, sums: &[S::F]) {
        let delta = s.splat(self.deltas[row]);
        let weights = &self.weights[row * PANELS * S::NR..][..S::NR];
        let out = &mut self.score_gradients[row * PANELS * S::NR..][..S::NR];
        for (j, sum) in sums.iter().enumerate() {
            let gradient = s.mul(s.load(&weights[j * S::LANES..]), s.sub(*sum, delta));
            s.store(&mut out[j * S::LANES..], gradient);
        }
    }
}

kernel!(
    /// Adds the gradients of one head.
    pub(super) fn add_gradients(inputs: &HeadInputs<'_>, gradients: &mut HeadGradients<'_>) = add_generic
);
