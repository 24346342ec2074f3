//! FastVID: the clip is cut into segments; each keeps its salient tokens, and anchors that the others merge into.

use rayon::prelude::*;

use super::choose::{largest, spread};
use super::density::Points;
use super::dpc_knn::frame_means;
use super::nearest::{gather, nearest};
use super::norm::squared_norms;
use super::{Amount, ReduceError, Reducer, Reduction, check};
use crate::grid::TokenGrid;
use crate::products::product;
use crate::unit_tokens::normalize;

/// At least so many segments, c.
const SEGMENTS: usize = 8;
/// Adjacent frames less similar than this are always separated.
const SIMILARITY: f32 = 0.9;
/// The share of a segment's tokens that are anchors, d.
const CONTEXT: f64 = 0.4;
/// Every so many-th frame of a segment, counted from its last, has anchors.
const ANCHOR_STEP: usize = 4;
/// The least that an anchor weighs beside the mean of what merges into it.
const ANCHOR_WEIGHT: f64 = 0.6;
/// Neighbours that make a density.
const NEIGHBOURS: usize = 4;

/// FastVID (Shen et al., NeurIPS 2025; LunarShen/FastVID), with its published settings.
///
/// The clip is cut between adjacent frames whose means are among the 7 least similar or have a cosine below 0.9. A segment's tokens are
/// four parts anchors to six parts salient. Salient are the tokens of most attention in each frame. Of the others, anchors are the
/// highest density peaks (k = 4) of every fourth frame, and every token that is not salient merges into the anchor of its segment
/// with the largest cosine: `w anchor + (1 - w) mean`, with w = max(1 / (n + 1), 0.6) for n tokens, the anchor being one of them.
/// A segment without anchors drops its other tokens.
///
/// Natural unit: visual tokens per frame. M tokens for the clip are spread evenly over the frames and summed over a segment; always met.
/// A token has the position of the anchor or salient token itself, as in the source. Differences: attention and global
/// features of the vision tower are not in a token grid, so salient means of the largest norm, and the means of frames are compared;
/// shares are rounded once a segment and not once a frame, so that a few dozen tokens for the clip are possible; and a token merges
/// into one anchor of its segment, where the published code merges it into one of each anchor frame.
/// Complexity: norms and means `3 N D`; per frame of n tokens `2 n^2 D`; per segment 2 D for each token and anchor, 3 D each merge.
#[derive(Clone, Debug, PartialEq)]
pub struct FastVid {
    /// M.
    pub amount: Amount,
}

/// How many tokens a frame keeps.
#[derive(Default)]
struct Share {
    salient: usize,
    anchors: usize,
}

impl Reducer for FastVid {
    fn name(&self) -> String {
        format!("fastvid:{}", self.amount)
    }

    fn reduce(&self, grid: &TokenGrid) -> Result<Reduction, ReduceError> {
        check(grid)?;
        let (frames, per_frame) = (grid.shape().frames, grid.shape().tokens_per_frame());
        let counts = spread(self.amount.tokens(grid)?, &vec![per_frame; frames]);
        let norms = squared_norms(grid);
        let mut selection =
            Selection { grid, kept: Vec::new(), assigned: Vec::new(), flops: 3 * grid.data().len() as u64 };
        let mut first = 0;
        for length in segments(&frame_means(grid), grid.dim()) {
            let shares = shares(counts[first..first + length].iter().sum(), length, per_frame);
            selection.add_segment(first, &shares, &norms);
            first += length;
        }
        Ok(selection.finish())
    }
}

/// The lengths of the segments of a clip with these frame means, `[T, dim]`.
fn segments(frame_means: &[f32], dim: usize) -> Vec<usize> {
    let units = normalize(frame_means, dim);
    let pairs = units.chunks_exact(dim).zip(units.chunks_exact(dim).skip(1));
    let cosines: Vec<f32> = pairs.map(|(a, b)| product(a, b)).collect();
    let unlike: Vec<f64> = cosines.iter().map(|&cosine| -f64::from(cosine)).collect();
    let mut cut: Vec<bool> = cosines.iter().map(|&cosine| cosine < SIMILARITY).collect();
    largest(&unlike, SEGMENTS - 1).into_iter().for_each(|pair| cut[pair] = true);
    cut.push(true);
    cut.split_inclusive(|&cut| cut).map(<[bool]>::len).collect()
}

/// How a segment's budget is shared out over its frames.
fn shares(budget: usize, length: usize, per_frame: usize) -> Vec<Share> {
    let is_anchor = |frame: usize| (length - 1 - frame).is_multiple_of(ANCHOR_STEP);
    let room: Vec<usize> = (0..length).map(|frame| if is_anchor(frame) { per_frame } else { 0 }).collect();
    let anchors = ((budget as f64 * CONTEXT) as usize).min(room.iter().sum());
    let anchors_of = spread(anchors, &room);
    let room: Vec<usize> = anchors_of.iter().map(|anchors| per_frame - anchors).collect();
    let salient_of = spread(budget - anchors, &room);
    let share = |(anchors, salient)| Share { salient, anchors };
    anchors_of.into_iter().zip(salient_of).map(share).collect()
}

/// The tokens found so far.
struct Selection<'a> {
    grid: &'a TokenGrid,
    /// The grid token that each stands at, and its value.
    kept: Vec<(usize, Vec<f32>)>,
    /// A grid token, and the one that it went into.
    assigned: Vec<(usize, usize)>,
    flops: u64,
}

impl Selection<'_> {
    fn add_segment(&mut self, first: usize, shares: &[Share], norms: &[f64]) {
        let (grid, per_frame, dim) = (self.grid, self.grid.shape().tokens_per_frame(), self.grid.dim());
        let of_frame = |(frame, share): (usize, &Share)| {
            let start = (first + frame) * per_frame;
            let salient = largest(&norms[start..][..per_frame], share.salient);
            let others: Vec<usize> =
                (0..per_frame).filter(|cell| salient.binary_search(cell).is_err()).collect();
            let anchors = if share.anchors > 0 {
                let rows = gather(grid.data(), dim, others.iter().map(|cell| start + cell));
                largest(&Points::new(&rows, dim).peaks(NEIGHBOURS), share.anchors)
            } else {
                Vec::new()
            };
            let anchors: Vec<usize> = anchors.into_iter().map(|index| start + others[index]).collect();
            let tokens = |cells: Vec<usize>| cells.into_iter().map(|cell| start + cell).collect::<Vec<_>>();
            (tokens(salient), tokens(others), anchors)
        };
        let found: Vec<_> = shares.par_iter().enumerate().map(of_frame).collect();
        let (mut others, mut anchors) = (Vec::new(), Vec::new());
        for (salient, others_of_frame, anchors_of_frame) in found {
            for token in salient {
                self.kept.push((token, grid.token(token).to_vec()));
                self.assigned.push((token, token));
            }
            if !anchors_of_frame.is_empty() {
                self.flops += Points::flops(others_of_frame.len(), 0, dim);
            }
            others.extend(others_of_frame);
            anchors.extend(anchors_of_frame);
        }
        if !anchors.is_empty() {
            self.merge(&others, &anchors);
        }
    }

    /// Merges `others`, the anchors among them, into their most similar anchors.
    fn merge(&mut self, others: &[usize], anchors: &[usize]) {
        let (grid, dim) = (self.grid, self.grid.dim());
        let units = |tokens: &[usize]| normalize(&gather(grid.data(), dim, tokens.iter().copied()), dim);
        let nearest = nearest(&units(others), &units(anchors), dim);
        let mut members = vec![Vec::new(); anchors.len()];
        for (&token, (anchor, _)) in others.iter().zip(nearest) {
            // An anchor belongs to itself, even where another is as near.
            let anchor = anchors.binary_search(&token).unwrap_or(anchor as usize);
            members[anchor].push(token);
            self.assigned.push((token, anchors[anchor]));
        }
        for (&anchor, members) in anchors.iter().zip(&members) {
            let weight = (1.0 / (members.len() + 1) as f64).max(ANCHOR_WEIGHT);
            let mean = super::reduction::mean(grid.data(), dim, members.iter().copied());
            let value = |(&anchor, mean): (&f32, f32)| {
                (weight * f64::from(anchor) + (1.0 - weight) * f64::from(mean)) as f32
            };
            self.kept.push((anchor, grid.token(anchor).iter().zip(mean).map(value).collect()));
        }
        let per_token = 3 + 2 * anchors.len() + 1;
        self.flops += ((others.len() * per_token + 3 * anchors.len()) * dim) as u64;
    }

    fn finish(mut self) -> Reduction {
        self.kept.sort_by_key(|&(token, _)| token);
        let (positions, values): (Vec<usize>, Vec<Vec<f32>>) = self.kept.into_iter().unzip();
        let mut owners = vec![None; self.grid.shape().len()];
        for (token, kept) in self.assigned {
            owners[token] = Some(positions.partition_point(|&position| position < kept) as u32);
        }
        Reduction::merged(self.grid.dim(), &values.concat(), &positions, &owners, self.flops)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reduce::testing::grid;

    #[test]
    fn cuts_at_the_least_similar_frames() {
        // Ten frame means on a circle, this many degrees apart, with one jump: seven of the nine steps are cut by rank, the two
        // smallest are not.
        let mut angle = 0.0f32;
        let mut means = Vec::new();
        for step in [0.0, 1.0, 2.0, 3.0, 90.0, 4.0, 5.0, 6.0, 7.0, 8.0] {
            angle += f32::to_radians(step);
            means.extend([angle.cos(), angle.sin()]);
        }
        // So frames 0 to 2 are one segment.
        assert_eq!(segments(&means, 2), [3, 1, 1, 1, 1, 1, 1, 1]);
        // A short clip is cut everywhere, one frame nowhere.
        assert_eq!(segments(&means[..6], 2), [1, 1, 1]);
        assert_eq!(segments(&means[..2], 2), [1]);
    }

    #[test]
    fn four_parts_anchors_to_six_salient() {
        // 10 tokens over 5 frames of 6: frames 0 and 4 (the last, and four before it) share 4 anchors, all frames 6 salient.
        let shares = shares(10, 5, 6);
        assert_eq!(shares.iter().map(|share| share.anchors).collect::<Vec<_>>(), [2, 0, 0, 0, 2]);
        assert_eq!(shares.iter().map(|share| share.salient).sum::<usize>(), 6);
        // All tokens: 12 anchors are all that frames 0 and 4 have, the others are salient.
        let all = super::shares(30, 5, 6);
        assert!(all.iter().all(|share| share.salient + share.anchors == 6));
    }

    #[test]
    fn anchors_take_the_mean_and_salient_tokens_stay() {
        // One frame, three tokens to keep: floor(1.2) = 1 anchor and 2 salient, the longest: (9, 0) and (0, 8). Of the others, (1, 0),
        // (1, 1) and (1, 2), k = 4 is cut to 3: mean squared distances 5/3, 2/3 and 5/3, so (1, 1) is densest and has the largest
        // distance: the anchor. All three merge into it; w = 0.6 is more than 1/4: 0.6 (1, 1) + 0.4 (1, 1) = (1, 1).
        let data = [[1.0, 0.0], [9.0, 0.0], [1.0, 1.0], [0.0, 8.0], [1.0, 2.0]];
        let clip = grid(1, 1, 5, 2, data.concat());
        let of = |tokens| FastVid { amount: Amount::Tokens(tokens) }.reduce(&clip).unwrap();
        assert_eq!(of(3).tokens.data(), [9.0, 0.0, 1.0, 1.0, 0.0, 8.0]);
        assert_eq!(of(3).assignment, [1, 0, 1, 2, 1].map(Some));
        assert_eq!(of(3).positions, [1, 2, 3]);
        // Norms and means 3 N D = 30; densities of 3 points; the merge of 3 tokens into 1 anchor.
        assert_eq!(of(3).flops, 30 + 9 * 7 + (3 * 6 + 3) * 2);
        // Two tokens: floor(0.8) = 0 anchors, so the rest is dropped.
        assert_eq!(of(2).assignment, [None, Some(0), None, Some(1), None]);
    }

    #[test]
    fn an_anchor_weighs_three_fifths() {
        // One merge alone: tokens (1, 0), (4, 1) and (0, 2), of which the first and the last are anchors.
        let clip = grid(1, 1, 3, 2, vec![1.0, 0.0, 4.0, 1.0, 0.0, 2.0]);
        let mut selection = Selection { grid: &clip, kept: Vec::new(), assigned: Vec::new(), flops: 0 };
        selection.merge(&[0, 1, 2], &[0, 2]);
        let reduction = selection.finish();
        // Token 1 joins token 0: mean (2.5, 0.5), so 0.6 (1, 0) + 0.4 (2.5, 0.5) = (1.6, 0.2); token 2 is alone.
        assert_eq!(reduction.assignment, [0, 0, 1].map(Some));
        for (found, expected) in reduction.tokens.data().iter().zip([1.6, 0.2, 0.0, 2.0]) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}
