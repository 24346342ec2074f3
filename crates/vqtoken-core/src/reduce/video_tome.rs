//! Video ToMe: the tokens of a chunk's frames merge into their most similar tokens of one frame of it.

use super::matching::Merging;
use super::{Amount, ReduceError, Reducer, Reduction, check};
use crate::grid::TokenGrid;

/// Frames of a chunk.
const CHUNK: usize = 4;

/// ToMe's matching across time (VidToMe, Li et al., CVPR 2024).
///
/// Frames are taken in chunks of four. The tokens of a chunk's target frame are B, those of its other frames A; each token of A takes
/// the token of B of the largest cosine, the r best pairs of the clip merge as in [`super::Tome`], and the target frames are the
/// frames of the next call: 32 frames become 8, 2, and 1. A merged token keeps the position of the token of B.
///
/// Natural unit: r tokens fewer a call, at most all but the target frames. A budget of M is always met; below `H W`, where nothing
/// is left to merge over time, ToMe continues within the last frame. The source draws the target frame of a chunk; here it is the middle
/// one (the third of four), so that no seed shows. Among equals the first pair is taken. Complexity: `2 |A| H W D` for the pairs of a
/// call, less than `2 N H W D` in all, and ToMe's below `H W`.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoTome {
    /// M.
    pub amount: Amount,
}

impl Reducer for VideoTome {
    fn name(&self) -> String {
        format!("video-tome:{}", self.amount)
    }

    fn reduce(&self, grid: &TokenGrid) -> Result<Reduction, ReduceError> {
        check(grid)?;
        let (budget, per_frame) = (self.amount.tokens(grid)?, grid.shape().tokens_per_frame());
        let tokens: Vec<u32> = (0..grid.shape().len() as u32).collect();
        let mut frames: Vec<&[u32]> = tokens.chunks_exact(per_frame).collect();
        let mut merging = Merging::new(grid);
        while merging.len() > budget && frames.len() > 1 {
            let (mut pairs, mut targets) = (Vec::new(), Vec::new());
            for chunk in frames.chunks(CHUNK) {
                let (before, rest) = chunk.split_at(chunk.len() / 2);
                let sources = [before, &rest[1..]].concat().concat();
                pairs.extend(merging.pairs(&sources, rest[0]));
                targets.push(rest[0]);
            }
            let count = (merging.len() - budget).min(pairs.len());
            merging.merge(pairs, count);
            frames = targets;
        }
        if merging.len() > budget {
            merging.halve_until(frames.concat(), budget);
        }
        Ok(merging.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reduce::testing::grid;

    #[test]
    fn frames_merge_into_the_middle_one() {
        // Three frames of two tokens, the target is frame 1: (2, 0) and (0, 2). To it: frame 0's (0, 4), cosine 1 with the second, and
        // (4, 3), 0.8 with the first; frame 2's (3, 1), 0.949 with the first, and (0, 6), 1 with the second.
        let data = [[0.0, 4.0], [4.0, 3.0], [2.0, 0.0], [0.0, 2.0], [3.0, 1.0], [0.0, 6.0]];
        let clip = grid(3, 1, 2, 2, data.concat());
        let of = |tokens| VideoTome { amount: Amount::Tokens(tokens) }.reduce(&clip).unwrap();
        // The two pairs of cosine 1: (0, (4 + 2 + 6) / 3) = (0, 4).
        assert_eq!(of(4).tokens.data(), [4.0, 3.0, 2.0, 0.0, 0.0, 4.0, 3.0, 1.0]);
        assert_eq!(of(4).assignment, [2, 0, 1, 2, 3, 2].map(Some));
        assert_eq!(of(4).positions, [1, 2, 3, 4]);
        // All of them: the first becomes (2 + 4 + 3, 3 + 1) / 3.
        let two = of(2);
        assert_eq!(two.assignment, [1, 0, 0, 1, 0, 1].map(Some));
        assert_eq!(two.tokens.data(), [3.0, (4.0f64 / 3.0) as f32, 0.0, 4.0]);
        assert_eq!(two.flops, (3 * 6 + 2 * 4 * 2 + 3 * 4) * 2);
        // Below one frame, within it: the mean of all.
        assert_eq!(of(1).tokens.len(), 1);
        assert!((of(1).tokens.data()[0] - 1.5).abs() < 1e-6);
    }
}
