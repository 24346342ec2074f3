//! LLaVA-Scissor: connected components of alike tokens, in each frame and then over time.

use rayon::prelude::*;

use super::amount::{Parameter, Target};
use super::components::{SpanningTree, components, first_members};
use super::nearest::nearest;
use super::reduction::means;
use super::{ReduceError, Reducer, Reduction, check};
use crate::grid::TokenGrid;
use crate::unit_tokens::normalize;

pub(crate) const THRESHOLD: Parameter = Parameter { key: "tau", least: -1.0, most: 1.0 };
/// Bisections of the range of tau: to about 0.0005.
const BISECTIONS: usize = 12;

/// LLaVA-Scissor (Sun et al., 2025; HumanMLLM/LLaVA-Scissor).
///
/// In each frame, tokens whose cosine is above tau are connected, and each connected component becomes its mean. The same is done
/// with the components of all frames together, each counting once. Then every token of the clip joins the most similar of these
/// means, and a visual token is the mean of the tokens that joined and of that mean itself.
///
/// Natural unit: the threshold tau, `scissor:tau=0.9`. A budget of M leaves at most M: tau is found by bisection from -1 to 1, for the
/// most tokens seen that are not more than M; tokens that no tau above -1 separates are one. The source looks for components from a random sample of
/// tokens; here they are exact. A token takes the position of its component's first grid token. Complexity, for one tau: `3 N D` to normalise,
/// `2 n^2 D` for the n tokens of each frame and the n components of all, `2 N M D` to join, and the means.
#[derive(Clone, Debug, PartialEq)]
pub struct Scissor {
    /// tau, or M.
    pub target: Target,
}

/// The means of the components of one threshold.
struct Components {
    /// `[M, D]`.
    centres: Vec<f32>,
    /// The first grid token of each, `[M]`, ascending.
    positions: Vec<usize>,
    /// Components of all frames, before those over time.
    in_frames: usize,
}

impl Reducer for Scissor {
    fn name(&self) -> String {
        format!("scissor:{}", THRESHOLD.text(&self.target))
    }

    fn reduce(&self, grid: &TokenGrid) -> Result<Reduction, ReduceError> {
        check(grid)?;
        let (dim, tokens, per_frame) = (grid.dim(), grid.shape().len(), grid.shape().tokens_per_frame());
        let units = normalize(grid.data(), dim);
        let frames = units.par_chunks_exact(per_frame * dim);
        let frames: Vec<SpanningTree> = frames.map(|units| SpanningTree::of(units, dim)).collect();
        let found = match &self.target {
            Target::Parameter(tau) => Components::of(grid, &frames, THRESHOLD.check(*tau)? as f32),
            Target::Amount(amount) => Components::at_most(grid, &frames, amount.tokens(grid)?),
        };
        let Components { mut centres, positions, in_frames } = found;
        let count = centres.len() / dim;
        let joined = nearest(&units, &normalize(&centres, dim), dim);
        let labels: Vec<u32> = joined.into_iter().map(|(label, _)| label).collect();
        let mut counts = vec![0usize; count];
        labels.iter().for_each(|&label| counts[label as usize] += 1);
        let of_members = means(grid.data(), dim, &labels, count);
        let rows = centres.par_chunks_exact_mut(dim).zip(of_members.par_chunks_exact(dim)).zip(&counts);
        rows.for_each(|((centre, mean), &count)| {
            let weight = 1.0 / (count + 1) as f64;
            centre.iter_mut().zip(mean).for_each(|(centre, &mean)| {
                *centre = (weight * f64::from(*centre) + (1.0 - weight) * f64::from(mean)) as f32;
            });
        });
        let pairs = grid.shape().frames * per_frame * per_frame + in_frames * in_frames + tokens * count;
        let rows = 3 * tokens + 3 * (in_frames + count) + 2 * tokens + in_frames;
        let owners: Vec<Option<u32>> = labels.into_iter().map(Some).collect();
        Ok(Reduction::merged(dim, &centres, &positions, &owners, ((2 * pairs + rows) * dim) as u64))
    }
}

impl Components {
    fn of(grid: &TokenGrid, frames: &[SpanningTree], threshold: f32) -> Self {
        let (dim, per_frame) = (grid.dim(), grid.shape().tokens_per_frame());
        let frames = grid.data().par_chunks_exact(per_frame * dim).zip(frames).enumerate();
        let of_frame = |(index, (rows, frame)): (usize, (_, &SpanningTree))| {
            let (labels, count) = frame.components(threshold);
            let first = first_members(&labels).into_iter().map(|token| index * per_frame + token);
            (means(rows, dim, &labels, count), first.collect())
        };
        let (objects, first): (Vec<Vec<f32>>, Vec<Vec<usize>>) = frames.map(of_frame).unzip();
        let (objects, first) = (objects.concat(), first.concat());
        let (labels, count) = components(&normalize(&objects, dim), dim, threshold);
        let positions = first_members(&labels).into_iter().map(|object| first[object]).collect();
        Self { centres: means(&objects, dim, &labels, count), positions, in_frames: first.len() }
    }

    /// The most components that are not more than `budget`, of the thresholds tried.
    fn at_most(grid: &TokenGrid, frames: &[SpanningTree], budget: usize) -> Self {
        let dim = grid.dim();
        // Below every cosine, so that all tokens are one.
        let (mut low, mut high) = (-1.0f32, 1.0f32);
        let mut best = Self::of(grid, frames, 2.0 * low);
        for _ in 0..BISECTIONS {
            let middle = 0.5 * (low + high);
            let tried = Self::of(grid, frames, middle);
            let count = tried.centres.len() / dim;
            if count > budget {
                high = middle;
                continue;
            }
            low = middle;
            if tried.centres.len() >= best.centres.len() {
                best = tried;
            }
            if count == budget {
                break;
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reduce::Amount;
    use crate::reduce::testing::grid;

    /// Frame 0: (1, 0), (3, 1), (0, 2); frame 1: (2, 0), (0, 4), (0, 6). Above 0.9: cos of (3, 1) with (1, 0) is 0.949.
    fn clip() -> TokenGrid {
        grid(2, 1, 3, 2, [[1.0, 0.0], [3.0, 1.0], [0.0, 2.0], [2.0, 0.0], [0.0, 4.0], [0.0, 6.0]].concat())
    }

    #[test]
    fn in_frames_then_over_time() {
        // Frame 0: (2, 0.5) and (0, 2); frame 1: (2, 0) and (0, 5). Over time, (2, 0.5) and (2, 0) have cos 0.970: their mean is
        // (2, 0.25), the other is (0, 3.5). Tokens 0, 1, 3 join the first: ((1, 0) + (3, 1) + (2, 0) + (2, 0.25)) / 4 = (2, 0.3125);
        // tokens 2, 4, 5 the second: (2 + 4 + 6 + 3.5) / 4 = 3.875.
        let reduction = Scissor { target: Target::Parameter(0.9) }.reduce(&clip()).unwrap();
        assert_eq!(reduction.tokens.data(), [2.0, 0.3125, 0.0, 3.875]);
        assert_eq!(reduction.assignment, [0, 0, 1, 0, 1, 1].map(Some));
        assert_eq!(reduction.positions, [0, 2]);
        let pairs = 2 * 9 + 4 * 4 + 6 * 2;
        assert_eq!(reduction.flops, (2 * pairs + 3 * 6 + 3 * (4 + 2) + 2 * 6 + 4) * 2);
    }

    #[test]
    fn a_budget_is_never_exceeded() {
        let of = |tokens| {
            Scissor { target: Target::Amount(Amount::Tokens(tokens)) }.reduce(&clip()).unwrap().tokens.len()
        };
        assert_eq!((of(1), of(2)), (1, 2));
        // tau = 1 connects nothing in frames or over time, but no tau below it separates (0, 4) from (0, 6).
        assert!(of(6) <= 6 && of(6) > 2);
    }
}
