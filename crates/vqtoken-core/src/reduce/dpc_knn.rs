//! DPC-KNN as Chat-UniVi uses it: frames cluster into events, a frame's tokens into objects, an event's objects into its tokens.

use rayon::prelude::*;

use super::choose::spread;
use super::density::Points;
use super::reduction::{mean, means};
use super::{Amount, ReduceError, Reducer, Reduction, check};
use crate::grid::TokenGrid;

/// Neighbours that make a density.
const NEIGHBOURS: usize = 5;
/// Frames of an event, on average.
const FRAMES_PER_EVENT: usize = 16;
/// Clusters of a frame's tokens.
const CLUSTERS_PER_FRAME: usize = 64;

/// Density peaks clustering with k nearest neighbours, as in Chat-UniVi (Jin et al., CVPR 2024; PKU-YuanGroup/Chat-UniVi).
///
/// The means of the frames are clustered into `ceil(T / 16)` events. Within each frame, tokens are clustered into 64 (their means);
/// the clusters of all frames of an event are clustered again, and their means, each cluster counting once, are the event's visual
/// tokens. So no step compares all tokens of the clip with each other, and neither does the source.
///
/// Natural unit: visual tokens per event. M tokens for the clip are shared out over events by their frames, at least one each (with
/// fewer events if M is smaller), always met; where an event has more than 64 a frame, frames get that many clusters. Tokens are ordered by
/// event, then by the first token each stands for. The source gives three sizes of clusters one after the other, from an attention layer
/// trained between the steps; here there is one size and no such layer. Equal densities and distances prefer the first.
/// Complexity: `2 n^2 D` for n frames, tokens of a frame, clusters of an event: with 729 tokens a frame, `1458 N D` and little more.
#[derive(Clone, Debug, PartialEq)]
pub struct DpcKnn {
    /// M.
    pub amount: Amount,
}

impl Reducer for DpcKnn {
    fn name(&self) -> String {
        format!("dpc-knn:{}", self.amount)
    }

    fn reduce(&self, grid: &TokenGrid) -> Result<Reduction, ReduceError> {
        check(grid)?;
        let (shape, dim) = (grid.shape(), grid.dim());
        let (frames, per_frame) = (shape.frames, shape.tokens_per_frame());
        let budget = self.amount.tokens(grid)?;
        let events = events(grid, frames.div_ceil(FRAMES_PER_EVENT).min(budget));
        let spare: Vec<usize> = events.iter().map(|event| event.len() * per_frame - 1).collect();
        let budgets = spread(budget - events.len(), &spare).into_iter().map(|more| more + 1);
        let mut assignment = vec![None; shape.len()];
        let (mut tokens, mut flops) =
            (Vec::new(), grid.data().len() as u64 + Points::flops(frames, events.len(), dim));
        for (event, budget) in events.iter().zip(budgets) {
            let clusters = CLUSTERS_PER_FRAME.max(budget.div_ceil(event.len())).min(per_frame);
            let in_frame = |&frame: &usize| {
                let rows = &grid.data()[frame * per_frame * dim..][..per_frame * dim];
                let labels = Points::new(rows, dim).cluster(clusters, NEIGHBOURS);
                (means(rows, dim, &labels, clusters), labels)
            };
            let (objects, labels): (Vec<Vec<f32>>, Vec<Vec<u32>>) = event.par_iter().map(in_frame).unzip();
            let objects = objects.concat();
            let merged = Points::new(&objects, dim).cluster(budget, NEIGHBOURS);
            let values = means(&objects, dim, &merged, budget);
            let mut numbers = vec![None; budget];
            for (place, (&frame, labels)) in event.iter().zip(&labels).enumerate() {
                for (token, &label) in labels.iter().enumerate() {
                    let cluster = merged[place * clusters + label as usize] as usize;
                    let number = *numbers[cluster].get_or_insert_with(|| {
                        tokens.extend_from_slice(&values[cluster * dim..][..dim]);
                        tokens.len() / dim - 1
                    });
                    assignment[frame * per_frame + token] = Some(number as u32);
                }
            }
            let in_frames =
                (Points::flops(per_frame, clusters, dim) + (per_frame * dim) as u64) * event.len() as u64;
            flops += in_frames + Points::flops(event.len() * clusters, budget, dim) + objects.len() as u64;
        }
        let tokens = super::VisualTokens::new(dim, tokens);
        Ok(Reduction { tokens, assignment, quantization: None, flops })
    }
}

/// The frames of each event, in the order of their first frames.
fn events(grid: &TokenGrid, count: usize) -> Vec<Vec<usize>> {
    let labels = Points::new(&frame_means(grid), grid.dim()).cluster(count, NEIGHBOURS);
    let mut events = vec![Vec::new(); count];
    labels.iter().enumerate().for_each(|(frame, &label)| events[label as usize].push(frame));
    events.sort_by_key(|event| event.first().copied());
    events
}

/// The mean token of each frame, `[T, D]`.
pub(crate) fn frame_means(grid: &TokenGrid) -> Vec<f32> {
    let (per_frame, dim) = (grid.shape().tokens_per_frame(), grid.dim());
    let frames = grid.data().par_chunks_exact(per_frame * dim);
    frames.flat_map_iter(|frame| mean(frame, dim, 0..per_frame)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reduce::testing::grid;

    #[test]
    fn one_event_of_two_frames() {
        // With fewer than 64 tokens a frame, each is a cluster of its own, and the four are clustered: 0, 1, 10, 12. With k = 5 cut to 4,
        // the mean squared distances are 245/4, 203/4, 185/4 and 269/4: 10 is densest (largest distance 12), then 1 (9 away from
        // it), 0 (1 away from 1) and 12 (2 away from 10). Peaks 12 e^-46.25 and 9 e^-50.75 lead: centres 1 and 10.
        let clip = grid(2, 1, 2, 1, vec![0.0, 10.0, 12.0, 1.0]);
        let reduction = DpcKnn { amount: Amount::Tokens(2) }.reduce(&clip).unwrap();
        assert_eq!(reduction.assignment, [0, 1, 1, 0].map(Some));
        assert_eq!(reduction.tokens.data(), [0.5, 11.0]);
        // Frame means 4, one event of 2; twice 2 points, 2 clusters and means 2; 4 points, 2 clusters and means 4; D = 1.
        let flops = |points: u64, clusters: u64| points * points * 5 + 2 * points * clusters;
        assert_eq!(reduction.flops, 4 + flops(2, 1) + 2 * (flops(2, 2) + 2) + flops(4, 2) + 4);
        let all = DpcKnn { amount: Amount::Tokens(4) }.reduce(&clip).unwrap();
        assert_eq!(all.tokens.data(), clip.data());
    }

    #[test]
    fn events_have_their_own_tokens() {
        // 17 frames make two events: one bright frame at the end, and the others.
        let mut data = vec![1.0; 16];
        data.push(9.0);
        let clip = grid(17, 1, 1, 1, data);
        let reduction = DpcKnn { amount: Amount::Tokens(2) }.reduce(&clip).unwrap();
        assert_eq!(reduction.tokens.len(), 2);
        let one = DpcKnn { amount: Amount::Tokens(1) }.reduce(&clip).unwrap();
        assert_eq!(one.tokens.data(), [25.0 / 17.0]);
    }
}
