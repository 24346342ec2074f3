//! EVS: keeps the tokens that changed since the previous frame.

use super::amount::{Parameter, Target};
use super::choose::largest;
use super::similarity::same_cell_cosines;
use super::{ReduceError, Reducer, Reduction, check};
use crate::grid::TokenGrid;

pub(crate) const PRUNING_RATE: Parameter = Parameter { key: "q", least: 0.0, most: 1.0 };

/// Larger than any dissimilarity, so that the first frame comes first.
const FIRST_FRAME: f64 = 255.0;

/// Efficient Video Sampling (NVIDIA, arXiv 2510.14624; in vLLM): keeps the tokens whose dissimilarity `1 - cos` to the token of the
/// same cell in the previous frame is largest in the whole clip, and all of the first frame.
///
/// Natural unit: the pruning rate q, `evs:q=0.9`, which keeps `max(H W, floor(N (1 - q)))` tokens. A budget of M keeps M, always
/// met; below `H W`, which the source never reaches, these are the first M tokens of the first frame, by its order. Among
/// equal dissimilarities the first stays; the cosine with a zero token is 0. Complexity: `3 N D + 2 (N - H W) D`.
#[derive(Clone, Debug, PartialEq)]
pub struct Evs {
    /// q, or M.
    pub target: Target,
}

impl Reducer for Evs {
    fn name(&self) -> String {
        format!("evs:{}", PRUNING_RATE.text(&self.target))
    }

    fn reduce(&self, grid: &TokenGrid) -> Result<Reduction, ReduceError> {
        check(grid)?;
        let (tokens, per_frame) = (grid.shape().len(), grid.shape().tokens_per_frame());
        let budget = match &self.target {
            Target::Amount(amount) => amount.tokens(grid)?,
            Target::Parameter(q) => per_frame.max((tokens as f64 * (1.0 - PRUNING_RATE.check(*q)?)) as usize),
        };
        let (cosines, flops) = same_cell_cosines(grid, |frame| frame.checked_sub(1));
        let dissimilarity =
            |cosine: &Option<f32>| cosine.map_or(FIRST_FRAME, |cosine| 1.0 - f64::from(cosine));
        let scores: Vec<f64> = cosines.iter().map(dissimilarity).collect();
        Ok(Reduction::kept(grid, largest(&scores, budget), flops))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reduce::Amount;
    use crate::reduce::testing::grid;

    /// Two tokens a frame. Frame 1: the same direction (0), a right angle (1). Frame 2: the opposite (2), cos 0.6 (0.4).
    fn clip() -> TokenGrid {
        let data = [[1.0, 0.0], [0.0, 1.0], [2.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [3.0, 4.0]];
        grid(3, 1, 2, 2, data.concat())
    }

    #[test]
    fn what_changed_most_stays() {
        let of = |tokens| {
            Evs { target: Target::Amount(Amount::Tokens(tokens)) }.reduce(&clip()).unwrap().assignment
        };
        let (zero, one, two, three, none) = (Some(0), Some(1), Some(2), Some(3), None);
        assert_eq!(of(1), [zero, none, none, none, none, none]);
        assert_eq!(of(3), [zero, one, none, none, two, none]);
        assert_eq!(of(4), [zero, one, none, two, three, none]);
    }

    #[test]
    fn pruning_rates() {
        let of = |q| Evs { target: Target::Parameter(q) }.reduce(&clip()).unwrap();
        // floor(6 * 0.5) = 3; the first frame is kept whatever the rate.
        assert_eq!(of(0.5).tokens.len(), 3);
        assert_eq!(of(1.0).tokens.data(), [1.0, 0.0, 0.0, 1.0]);
        assert_eq!(of(0.0).tokens.len(), 6);
        assert_eq!(of(0.5).flops, 3 * 6 * 2 + 2 * 4 * 2);
    }
}
