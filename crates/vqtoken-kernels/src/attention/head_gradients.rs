//! The gradients of one head in one pass: five products and one exponential for each query and key.
//!
//! A block of keys meets one block of queries after the other. Attention weights and their gradients, `[queries, keys]`
//! of a block, are made in registers tile by tile and stay in the cache; all three gradients are products of them with
//! rows that lie beside each other.

use super::tiles::{PANELS, add_products};
use crate::math::exp2;
use crate::simd::{Left, Right, Simd, TileRows, kernel};

/// What the gradients of one query head with some keys are made of. Rows are filled up to whole blocks of `PANELS`
/// panels; those after the last query hold zeros, and infinity as the logarithm of their sums.
pub(super) struct Sides<'a> {
    /// Which key is the first.
    pub(super) first_key: usize,
    pub(super) keys: usize,
    pub(super) queries: usize,
    pub(super) head_dim: usize,
    /// `head_dim` filled up for tiles.
    pub(super) width: usize,
    /// `[keys / NR][head_dim][NR]`, so that scores are powers of two.
    pub(super) key_panels: &'a [f32],
    /// `[keys / NR][head_dim][NR]`
    pub(super) value_panels: &'a [f32],
    /// `[keys, width]`, scaled.
    pub(super) key_rows: &'a [f32],
    /// `[queries, width]`, scaled.
    pub(super) query: &'a [f32],
    /// `[queries, width]`
    pub(super) dout: &'a [f32],
    /// `[queries]`: the logarithm to base two of the sum of exponentials.
    pub(super) log_sums: &'a [f32],
    /// `[queries]`: the product of each output with its gradient.
    pub(super) deltas: &'a [f32],
    /// `[queries]`: keys that each query sees; later ones see more.
    pub(super) limits: &'a [f32],
}

/// Gradients to add to, and buffers.
pub(super) struct Sums<'a> {
    /// `[queries, width]`
    pub(super) dq: &'a mut [f32],
    /// `[keys, width]`
    pub(super) dk: &'a mut [f32],
    /// `[keys, width]`
    pub(super) dv: &'a mut [f32],
    /// A block of attention weights.
    pub(super) weights: &'a mut [f32],
    /// Of their gradients.
    pub(super) slopes: &'a mut [f32],
}

#[inline(always)]
fn add_generic<S: Simd>(s: S, sides: &Sides<'_>, sums: &mut Sums<'_>) {
    let Sides { width, .. } = *sides;
    let block = PANELS * S::NR;
    for key in (0..sides.keys).step_by(block) {
        let columns = block.min(sides.keys - key).next_multiple_of(S::NR);
        let first_key = sides.first_key + key;
        for query in (0..sides.queries).step_by(block) {
            let count = block.min(sides.queries - query);
            // Where the last query of a block sees none of these keys, no other does.
            if sides.limits[query + count - 1] <= first_key as f32 {
                continue;
            }
            let rows = count.next_multiple_of(S::MR);
            let masked = sides.limits[query] < (first_key + columns) as f32;
            for column in (0..columns).step_by(S::NR) {
                for row in (0..rows).step_by(S::MR) {
                    let at = Tile { query: query + row, key: key + column, place: row * block + column };
                    match masked {
                        true => weigh::<_, true>(s, sides, at, sums),
                        false => weigh::<_, false>(s, sides, at, sums),
                    }
                }
            }
            let by_key = |data| Left { data, row: 1, step: block };
            let dout = Right { data: &sides.dout[query * width..], stride: width };
            add_products(s, columns, by_key(sums.weights), dout, rows, &mut sums.dv[key * width..]);
            let queries = Right { data: &sides.query[query * width..], stride: width };
            add_products(s, columns, by_key(sums.slopes), queries, rows, &mut sums.dk[key * width..]);
            let by_query = Left { data: sums.slopes, row: block, step: 1 };
            let keys = Right { data: &sides.key_rows[key * width..], stride: width };
            add_products(s, rows, by_query, keys, columns, &mut sums.dq[query * width..]);
        }
    }
}

/// Where a tile of a block begins.
#[derive(Clone, Copy)]
struct Tile {
    query: usize,
    /// From the first of the sides.
    key: usize,
    /// In the block.
    place: usize,
}

/// One tile of attention weights and their gradients.
#[inline(always)]
fn weigh<'a, S: Simd, const MASKED: bool>(s: S, sides: &Sides<'a>, at: Tile, sums: &mut Sums<'_>) {
    let Sides { width, head_dim, .. } = *sides;
    let panel =
        |panels: &'a [f32]| Right { data: &panels[at.key * head_dim..][..S::NR * head_dim], stride: S::NR };
    let query = Left { data: &sides.query[at.query * width..], row: width, step: 1 };
    let dout = Left { data: &sides.dout[at.query * width..], row: width, step: 1 };
    let weights = &mut sums.weights[at.place..];
    let (log_sums, limits) = (&sides.log_sums[at.query..], &sides.limits[at.query..]);
    let key = (sides.first_key + at.key) as f32;
    s.strided_tile(
        query,
        panel(sides.key_panels),
        head_dim,
        &mut Weights::<MASKED> { log_sums, limits, key, weights: &mut *weights },
    );
    let (deltas, slopes) = (&sides.deltas[at.query..], &mut sums.slopes[at.place..]);
    s.strided_tile(dout, panel(sides.value_panels), head_dim, &mut Slopes { deltas, weights, slopes });
}

/// The places of a panel.
const PLACES: [f32; 32] = {
    let mut places = [0.0; 32];
    let mut i = 0;
    while i < 32 {
        places[i] = i as f32;
        i += 1;
    }
    places
};

/// Turns scores into attention weights.
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
                let index = s.add(s.splat(self.key), s.load(&PLACES[j * S::LANES..]));
                weight = s.select_gt(s.splat(self.limits[row]), index, weight, s.splat(0.0));
            }
            s.store(&mut out[j * S::LANES..], weight);
        }
    }
}

/// Turns gradients of attention weights into those of scores.
struct Slopes<'a> {
    deltas: &'a [f32],
    weights: &'a [f32],
    slopes: &'a mut [f32],
}

impl<S: Simd> TileRows<S> for Slopes<'_> {
    #[inline(always)]
    fn take(&mut self, s: S, row: usize, sums: &[S::F]) {
        let delta = s.splat(self.deltas[row]);
        let weights = &self.weights[row * PANELS * S::NR..][..S::NR];
        let out = &mut self.slopes[row * PANELS * S::NR..][..S::NR];
        for (j, slope) in sums.iter().enumerate() {
            let slope = s.mul(s.load(&weights[j * S::LANES..]), s.sub(*slope, delta));
            s.store(&mut out[j * S::LANES..], slope);
        }
    }
}

kernel!(
    /// Adds the gradients of one head.
    pub(super) fn add_gradients(sides: &Sides<'_>, sums: &mut Sums<'_>) = add_generic
);
