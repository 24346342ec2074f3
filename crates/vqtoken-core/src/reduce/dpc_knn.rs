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
/// fewer events if M is smaller), always met; where an event has more than 64 a frame, frames get that many clusters. A token takes the
/// position of its centre: the centre of the frame cluster that is the centre of the event's cluster. The source concatenates events, and
/// three sizes of clusters in each, from an attention layer trained between the steps; here there is one size, no such layer, and one order
/// by position. Equal densities and distances prefer the first.
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
        let mut owners = vec![None; shape.len()];
        let (mut values, mut positions) = (Vec::new(), Vec::new());
        let mut flops = grid.data().len() as u64 + Points::flops(frames, events.len(), dim);
        for (event, budget) in events.iter().zip(budgets) {
            let clusters = CLUSTERS_PER_FRAME.max(budget.div_ceil(event.len())).min(per_frame);
            let in_frame = |&frame: &usize| {
                let rows = &grid.data()[frame * per_frame * dim..][..per_frame * dim];
                let points = Points::new(rows, dim);
                let centres = points.centres(clusters, NEIGHBOURS);
                let labels = points.assign(&centres);
                let means = means(rows, dim, &labels, clusters);
                FrameClusters {
                    centres: centres.iter().map(|centre| frame * per_frame + centre).collect(),
                    labels,
                    means,
                }
            };
            let in_frames: Vec<FrameClusters> = event.par_iter().map(in_frame).collect();
            let objects: Vec<f32> = in_frames.iter().flat_map(|frame| &frame.means).copied().collect();
            let points = Points::new(&objects, dim);
            let centres = points.centres(budget, NEIGHBOURS);
            let labels = points.assign(&centres);
            let first = positions.len() as u32;
            values.extend(means(&objects, dim, &labels, budget));
            positions
                .extend(centres.iter().map(|object| in_frames[object / clusters].centres[object % clusters]));
            for (index, (&frame, found)) in event.iter().zip(&in_frames).enumerate() {
                let of_token = found.labels.iter().map(|&label| labels[index * clusters + label as usize]);
                let owners = &mut owners[frame * per_frame..][..per_frame];
                owners.iter_mut().zip(of_token).for_each(|(owner, row)| *owner = Some(first + row));
            }
            let frame_flops = Points::flops(per_frame, clusters, dim) + (per_frame * dim) as u64;
            flops += frame_flops * event.len() as u64;
            flops += Points::flops(event.len() * clusters, budget, dim) + objects.len() as u64;
        }
        Ok(Reduction::merged(dim, &values, &positions, &owners, flops))
    }
}

/// A frame's tokens in clusters.
struct FrameClusters {
    /// The grid token that is each cluster's centre.
    centres: Vec<usize>,
    /// The cluster of each token.
    labels: Vec<u32>,
    /// The mean of each cluster, `[clusters, D]`.
    means: Vec<f32>,
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
        assert_eq!(reduction.positions, [1, 3]);
        assert_eq!(reduction.assignment, [1, 0, 0, 1].map(Some));
        assert_eq!(reduction.tokens.data(), [11.0, 0.5]);
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
