//! Blocks of scores and sums that both directions of attention are made of.

use crate::simd::{Simd, TileRows};

/// Rows of a block of scores: a multiple of every tile's rows, and small enough for the first-level cache.
pub(crate) const BLOCK: usize = 144;

/// `left [rows / MR][depth][MR]` times `right [depth][NR]` to `out`, whole tiles.
#[inline(always)]
pub(crate) fn products<S: Simd>(s: S, left: &[f32], right: &[f32], depth: usize, out: &mut [f32]) {
    for (left, out) in left.chunks_exact((depth * S::MR).max(1)).zip(out.chunks_exact_mut(S::MR * S::NR)) {
        s.tile(left, right, out);
    }
}

/// The panels of `left` that hold rows `start..start + count`, the last one filled up; `start` begins a panel.
#[inline(always)]
pub(crate) fn panels<S: Simd>(left: &[f32], start: usize, count: usize, depth: usize) -> &[f32] {
    &left[start * depth..][..count.next_multiple_of(S::MR) * depth]
}

/// `sums [depth][NR] = factors sums + left [depth / MR][length][MR] right [.., NR]`, over rows `start..` of the length.
#[inline(always)]
pub(crate) fn accumulate<S: Simd>(
    s: S,
    left: &[f32],
    (length, start): (usize, usize),
    right: &[f32],
    factors: Option<&[f32]>,
    sums: &mut [f32],
) {
    let rows = right.len() / S::NR;
    for (left, sums) in left.chunks_exact((length * S::MR).max(1)).zip(sums.chunks_exact_mut(S::MR * S::NR)) {
        let left = &left[start * S::MR..][..rows * S::MR];
        s.tile_rows(left, right, &mut Accumulated { sums, factors });
    }
}

/// Adds a tile to sums, which may be scaled before.
struct Accumulated<'a> {
    sums: &'a mut [f32],
    factors: Option<&'a [f32]>,
}

impl<S: Simd> TileRows<S> for Accumulated<'_> {
    #[inline(always)]
    fn take(&mut self, s: S, row: usize, sums: &[S::F]) {
        for (j, new) in sums.iter().enumerate() {
            let place = &mut self.sums[row * S::NR + j * S::LANES..];
            let sum = match self.factors {
                Some(factors) => s.fma(s.load(place), s.load(&factors[j * S::LANES..]), *new),
                None => s.add(s.load(place), *new),
            };
            s.store(place, sum);
        }
    }
}
