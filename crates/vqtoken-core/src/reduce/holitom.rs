//! HoliTom, outer part: cells that stay alike are averaged over windows of frames, then density peaks are kept.

use rayon::prelude::*;

use super::choose::spread;
use super::density::Points;
use super::reduction::mean;
use super::similarity::same_cell_cosines;
use super::{Amount, ReduceError, Reducer, Reduction, check};
use crate::grid::TokenGrid;

/// A cell is static from a frame to the next if its cosine is above this.
const SIMILARITY: f32 = 0.8;
/// What a centre weighs beside the mean of its cluster's other tokens.
const CENTRE_WEIGHT: f64 = 0.6;
/// Neighbours that make a density, at most as many as there are clusters.
const NEIGHBOURS: usize = 7;

/// What HoliTom (Shao et al., NeurIPS 2025; cokeshao/HoliTom) does before the language model.
///
/// The clip is cut into windows of frames so that the sum of (cells static throughout a window) times (its length - 1) is largest.
/// A static cell of a window becomes the mean over its frames. Then the static tokens of each window, and the others of each frame, are
/// clustered around their density peaks (k = 7): `0.6 centre + 0.4 mean of the others`.
///
/// Natural unit: the ratio of tokens kept, which the source raises by what the windows saved. A budget of M tokens for the clip is
/// shared out in proportion to what windows and frames have left; at most M are left, fewer only where the windows leave fewer; with a
/// small M some windows and frames keep none. A token takes the position of its centre; a static one stands in the first frame of its window, as in the source.
/// Difference: the source's default keeps the tokens of most attention among those that are not static; attention is not in a token grid, so they are
/// clustered too, its other option. Its merging inside the language model is not part of this.
/// Complexity: cosines `5 N D`, means `N D`, and `2 n^2 D` for each group of n tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct HoliTom {
    /// M.
    pub amount: Amount,
}

/// The grid tokens that each token of a window's static cells, or of a frame's other cells, stands for.
type Group = Vec<Vec<usize>>;

impl Reducer for HoliTom {
    fn name(&self) -> String {
        format!("holitom:{}", self.amount)
    }

    fn reduce(&self, grid: &TokenGrid) -> Result<Reduction, ReduceError> {
        check(grid)?;
        let budget = self.amount.tokens(grid)?;
        let (cosines, cosine_flops) = same_cell_cosines(grid, |frame| frame.checked_sub(1));
        let is_static: Vec<bool> =
            cosines.iter().map(|cosine| cosine.is_some_and(|cosine| cosine > SIMILARITY)).collect();
        let groups = groups(&is_static, grid.shape().tokens_per_frame());
        let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
        let counts = spread(budget.min(sizes.iter().sum()), &sizes);
        let reduced = groups.par_iter().zip(&counts).map(|(group, &count)| reduce_group(grid, group, count));
        let reduced: Vec<Clusters> = reduced.collect();
        let mut owners = vec![None; grid.shape().len()];
        let (mut values, mut positions) = (Vec::new(), Vec::new());
        for (group, clusters) in groups.iter().zip(reduced) {
            let first = positions.len() as u32;
            for (tokens, label) in group.iter().zip(clusters.labels) {
                tokens.iter().for_each(|&token| owners[token] = Some(first + label));
            }
            values.extend(clusters.values);
            positions.extend(clusters.centres.iter().map(|&centre| group[centre][0]));
        }
        let dim = grid.dim();
        let of_group = |(&size, &count): (&usize, &usize)| match count {
            0 => 0,
            _ => Points::flops(size, count, dim) + ((size + 3 * count) * dim) as u64,
        };
        let clusters: u64 = sizes.iter().zip(&counts).map(of_group).sum();
        let flops = cosine_flops + grid.data().len() as u64 + clusters;
        Ok(Reduction::merged(dim, &values, &positions, &owners, flops))
    }
}

/// Windows of frames, first and last, that save the most tokens; of equal ones the shorter last window.
fn windows(is_static: &[bool], per_frame: usize) -> Vec<(usize, usize)> {
    let frames = is_static.len() / per_frame;
    // The most saved before each frame, and the first frame of the window that ends there.
    let (mut saved, mut begins) = (vec![0; frames + 1], vec![0; frames]);
    for last in 0..frames {
        (saved[last + 1], begins[last]) = (saved[last], last);
        let mut stays = vec![true; per_frame];
        for first in (0..last).rev() {
            let next = &is_static[(first + 1) * per_frame..][..per_frame];
            stays.iter_mut().zip(next).for_each(|(stays, next)| *stays &= next);
            let count = stays.iter().filter(|stays| **stays).count();
            if count == 0 {
                break;
            }
            let value = saved[first] + count * (last - first);
            if value > saved[last + 1] {
                (saved[last + 1], begins[last]) = (value, first);
            }
        }
    }
    let mut windows = Vec::new();
    let mut end = frames;
    while end > 0 {
        windows.push((begins[end - 1], end - 1));
        end = begins[end - 1];
    }
    windows.reverse();
    windows
}

fn groups(is_static: &[bool], per_frame: usize) -> Vec<Group> {
    let mut groups = Vec::new();
    for (first, last) in windows(is_static, per_frame) {
        let stays = |cell: &usize| {
            last > first && (first + 1..=last).all(|frame| is_static[frame * per_frame + cell])
        };
        let (still, others): (Vec<usize>, Vec<usize>) = (0..per_frame).partition(stays);
        let over_time = |&cell: &usize| (first..=last).map(|frame| frame * per_frame + cell).collect();
        groups.push(still.iter().map(over_time).collect());
        groups.extend(
            (first..=last).map(|frame| others.iter().map(|&cell| vec![frame * per_frame + cell]).collect()),
        );
    }
    groups
}

/// What a group becomes.
#[derive(Default)]
struct Clusters {
    /// `[count, D]`.
    values: Vec<f32>,
    /// The index in the group of each centre, `[count]`.
    centres: Vec<usize>,
    /// The cluster of each token of the group; none for a count of 0.
    labels: Vec<u32>,
}

fn reduce_group(grid: &TokenGrid, group: &Group, count: usize) -> Clusters {
    if count == 0 {
        return Clusters::default();
    }
    let dim = grid.dim();
    let rows: Vec<f32> =
        group.iter().flat_map(|tokens| mean(grid.data(), dim, tokens.iter().copied())).collect();
    let points = Points::new(&rows, dim);
    let centres = points.centres(count, NEIGHBOURS.min(count));
    let labels = points.assign(&centres);
    let mut others = vec![Vec::new(); count];
    for (index, &label) in labels.iter().enumerate() {
        if centres[label as usize] != index {
            others[label as usize].push(index);
        }
    }
    let value = |(&centre, others): (&usize, &Vec<usize>)| {
        let weight = if others.is_empty() { 1.0 } else { CENTRE_WEIGHT };
        let mean = mean(&rows, dim, others.iter().copied());
        let centre = rows[centre * dim..][..dim].iter();
        let of = |(&centre, mean): (&f32, f32)| {
            (weight * f64::from(centre) + (1.0 - weight) * f64::from(mean)) as f32
        };
        centre.zip(mean).map(of).collect::<Vec<f32>>()
    };
    Clusters { values: centres.iter().zip(&others).flat_map(value).collect(), centres, labels }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reduce::testing::{grid, line};

    #[test]
    fn windows_save_the_most() {
        // Three frames of three cells; A stays throughout, B from frame 0 to 1, C from 1 to 2. All together save 1 * 2, either pair
        // 2 * 1: as much, so the last window is the shortest.
        let pattern = [[false; 3], [true, true, false], [true, false, true]].concat();
        assert_eq!(windows(&pattern, 3), [(0, 1), (2, 2)]);
        // Without B and C, A alone saves 2 in one window of three and 1 in one of two.
        let pattern = [[false; 3], [true, false, false], [true, false, false]].concat();
        assert_eq!(windows(&pattern, 3), [(0, 2)]);
        assert_eq!(windows(&[false; 6], 3), [(0, 0), (1, 1)]);
    }

    #[test]
    fn static_cells_are_averaged() {
        // The first cell keeps its direction, the second turns.
        let clip = grid(2, 1, 2, 2, vec![1.0, 0.0, 0.0, 2.0, 3.0, 0.0, 5.0, 0.0]);
        let of = |tokens| HoliTom { amount: Amount::Tokens(tokens) }.reduce(&clip).unwrap();
        // Three are left of four: the static (2, 0), then frame by frame.
        assert_eq!(of(4), of(3));
        assert_eq!(of(3).tokens.data(), [2.0, 0.0, 0.0, 2.0, 5.0, 0.0]);
        assert_eq!(of(3).assignment, [0, 1, 0, 2].map(Some));
        assert_eq!(of(3).positions, [0, 1, 3]);
        // Cosines 3 N D and two of them, means N D; each of three groups one token and one cluster.
        assert_eq!(of(3).flops, 24 + 8 + 8 + 3 * (7 + 4 + 8));
        // Two over three groups of one: the first and the last.
        assert_eq!(of(2).assignment, [Some(0), None, Some(0), Some(1)]);
    }

    #[test]
    fn centres_weigh_three_fifths() {
        let of =
            |tokens| HoliTom { amount: Amount::Tokens(tokens) }.reduce(&line(&[2.0, 4.0, 12.0])).unwrap();
        // One cluster, k = 1: all are as dense as each other, so the first is the centre: 0.6 * 2 + 0.4 * 8.
        assert!((of(1).tokens.data()[0] - 4.4).abs() < 1e-6);
        // Two, k = 2: densities e^-2, e^-2, e^-32; peaks 10 e^-2, 2 e^-2, 8 e^-32; 12 joins 4: 0.6 * 4 + 0.4 * 12.
        assert!((of(2).tokens.data()[0] - 2.0).abs() < 1e-6 && (of(2).tokens.data()[1] - 7.2).abs() < 1e-6);
        assert_eq!(of(2).assignment, [0, 1, 1].map(Some));
        assert_eq!(of(3).tokens.data(), [2.0, 4.0, 12.0]);
    }
}
