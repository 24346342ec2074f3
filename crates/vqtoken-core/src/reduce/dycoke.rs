//! DyCoke's temporal merging: in windows of four frames, tokens that repeat an earlier frame are dropped.

use super::amount::{Parameter, Target};
use super::choose::{largest, spread};
use super::similarity::same_cell_cosines;
use super::{ReduceError, Reducer, Reduction, check};
use crate::grid::TokenGrid;

pub(crate) const MERGING_RATE: Parameter = Parameter { key: "p", least: 0.0, most: 1.0 };

/// The temporal part of DyCoke (Tao et al., CVPR 2025; KD-TAO/DyCoke).
///
/// In each window of four frames the first is kept whole. The second is compared with the first, the fourth with the third, and
/// the third with the first, cell by cell, and keeps its least similar tokens. The others are dropped, as in the source: the earlier
/// frame represents them unchanged.
///
/// Natural unit: the merging rate p, `dycoke:p=0.7`; a compared frame keeps `floor((1 - p) H W)` tokens. A budget of M is met
/// exactly by sharing what the whole frames leave over the compared frames; it cannot be below one whole frame in four.
/// Complexity: `3 N D`, and `2 D` for each compared token.
///
/// Differences from the published code, which reads the similarities of the previous pair, leaves the last window's third frame
/// whole, drops an odd last frame, and orders a frame's tokens by similarity: here each pair has its own, all windows are treated
/// alike, an odd last frame stays whole, and tokens are ordered by position.
#[derive(Clone, Debug, PartialEq)]
pub struct DyCoke {
    /// p, or M.
    pub target: Target,
}

/// The frame a frame is compared with.
fn reference(frame: usize) -> Option<usize> {
    match frame % 4 {
        0 => None,
        2 => Some(frame - 2),
        _ => Some(frame - 1),
    }
}

impl Reducer for DyCoke {
    fn name(&self) -> String {
        format!("dycoke:{}", MERGING_RATE.text(&self.target))
    }

    fn reduce(&self, grid: &TokenGrid) -> Result<Reduction, ReduceError> {
        check(grid)?;
        let (frames, per_frame) = (grid.shape().frames, grid.shape().tokens_per_frame());
        let compared: Vec<usize> = (0..frames).filter(|&frame| reference(frame).is_some()).collect();
        let capacities = vec![per_frame; compared.len()];
        let counts = match &self.target {
            Target::Parameter(p) => {
                let kept = ((1.0 - MERGING_RATE.check(*p)?) * per_frame as f64) as usize;
                vec![kept; compared.len()]
            }
            Target::Amount(amount) => {
                let (budget, least) = (amount.tokens(grid)?, (frames - compared.len()) * per_frame);
                let left = budget.checked_sub(least);
                let too_small = ReduceError::BudgetTooSmall { reducer: "dycoke", budget, least };
                spread(left.ok_or(too_small)?, &capacities)
            }
        };
        let (cosines, flops) = same_cell_cosines(grid, reference);
        let mut of_frame = vec![per_frame; frames];
        compared.iter().zip(counts).for_each(|(&frame, count)| of_frame[frame] = count);
        let kept = cosines.chunks_exact(per_frame).zip(of_frame).enumerate();
        let kept = kept.flat_map(|(frame, (cosines, count))| {
            let scores: Vec<f64> =
                cosines.iter().map(|cosine| -f64::from(cosine.unwrap_or_default())).collect();
            largest(&scores, count).into_iter().map(move |cell| frame * per_frame + cell)
        });
        Ok(Reduction::kept(grid, kept.collect(), flops))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reduce::Amount;
    use crate::reduce::testing::grid;

    /// Five frames of two tokens: (1, 0) and (0, 1); then with cosines (1, 0) to frame 0; (0, 1) to frame 0; (0, 1) to frame 2;
    /// the fifth starts a window of its own.
    fn clip() -> TokenGrid {
        let (x, y) = ([1.0, 0.0], [0.0, 1.0]);
        grid(5, 1, 2, 2, [x, y, x, x, y, y, x, y, x, x].concat())
    }

    #[test]
    fn half_of_each_compared_frame() {
        let reduction = DyCoke { target: Target::Parameter(0.5) }.reduce(&clip()).unwrap();
        let kept: Vec<usize> = (0..10).filter(|&token| reduction.assignment[token].is_some()).collect();
        // Frame 0; the right angle of frame 1 (its second token), of frame 2 (its first), of frame 3 (its first); frame 4.
        assert_eq!(kept, [0, 1, 3, 4, 6, 8, 9]);
        assert_eq!(reduction.flops, 3 * 20 + 2 * 2 * 6);
    }

    #[test]
    fn budgets_are_exact_from_the_whole_frames_on() {
        for budget in 4..=10 {
            let target = Target::Amount(Amount::Tokens(budget));
            assert_eq!(DyCoke { target }.reduce(&clip()).unwrap().tokens.len(), budget);
        }
        let error = DyCoke { target: Target::Amount(Amount::Tokens(3)) }.reduce(&clip()).unwrap_err();
        assert_eq!(error, ReduceError::BudgetTooSmall { reducer: "dycoke", budget: 3, least: 4 });
    }
}
