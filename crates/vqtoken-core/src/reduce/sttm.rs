//! STTM: frames become quadtrees of alike regions, and regions that stay alike merge over time.

use rayon::prelude::*;

use super::amount::{Parameter, Target};
use super::components::{Forest, first_members};
use super::reduction::{mean, means};
use super::{ReduceError, Reducer, Reduction, check};
use crate::grid::TokenGrid;
use crate::products::product;
use crate::unit_tokens::normalize;

pub(crate) const THRESHOLD: Parameter = Parameter { key: "th", least: -1.0, most: 1.0 };
/// How far the threshold over time lies below the one in a frame.
const OVER_TIME: f32 = 0.2;
/// Bisections of the range of th: to about 0.0005.
const BISECTIONS: usize = 12;

/// Multi-granular spatio-temporal token merging (Hyun et al., ICCV 2025; HYUNJS/STTM).
///
/// Each frame's grid is halved, rounding up, by means of 2 x 2 cells (of an odd side, the first row or column stays alone) until a side
/// is 2 or less. From these roots down, a cell whose cosine to each of its children is at least th is a node; others are split. Nodes of
/// consecutive frames of which one contains the other and whose cosine is at least `th - 0.2` are connected, and connected nodes become
/// the mean of the nodes, whatever their sizes, at the position of the upper left token of the first of them.
///
/// Natural unit: the threshold th, `sttm:th=0.8`, with th - 0.2 = 0.6 over time as published; the two cannot be set separately. A
/// budget of M leaves at most M: th is found by bisection from -1 to 1, for the most tokens seen that are not more than M; never
/// fewer than the roots of a frame, 2 x 2 for 27 x 27. Complexity: the levels and their cosines, about `8 N D`, and `2 D` a pair of nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Sttm {
    /// th, or M.
    pub target: Target,
}

impl Reducer for Sttm {
    fn name(&self) -> String {
        format!("sttm:{}", THRESHOLD.text(&self.target))
    }

    fn reduce(&self, grid: &TokenGrid) -> Result<Reduction, ReduceError> {
        check(grid)?;
        let levels = levels(grid);
        let amount = match &self.target {
            Target::Parameter(th) => return Ok(merge(grid, &levels, THRESHOLD.check(*th)? as f32)),
            Target::Amount(amount) => amount,
        };
        let (budget, least) = (amount.tokens(grid)?, levels[levels.len() - 1].cells());
        if budget < least {
            return Err(ReduceError::BudgetTooSmall { reducer: "sttm", budget, least });
        }
        let (mut low, mut high) = (-1.0f32, 1.0f32);
        // Below every cosine, so that only the roots are left.
        let mut best = merge(grid, &levels, 2.0 * low);
        for _ in 0..BISECTIONS {
            let middle = 0.5 * (low + high);
            let tried = merge(grid, &levels, middle);
            if tried.tokens.len() > budget {
                high = middle;
                continue;
            }
            low = middle;
            if tried.tokens.len() >= best.tokens.len() {
                best = tried;
            }
            if best.tokens.len() == budget {
                break;
            }
        }
        Ok(best)
    }
}

/// The grids of all frames at one size.
struct Level {
    /// The grid rows that each row of cells spans, first and end.
    rows: Vec<(usize, usize)>,
    columns: Vec<(usize, usize)>,
    /// `[T, rows, columns, D]`.
    data: Vec<f32>,
    /// Scaled to length 1.
    units: Vec<f32>,
    /// The smallest cosine of each cell to its children on the level below, `[T, rows, columns]`; empty for the grid itself.
    alike: Vec<f32>,
}

impl Level {
    /// Cells of a frame.
    fn cells(&self) -> usize {
        self.rows.len() * self.columns.len()
    }
}

/// The children of a cell on an axis of `count` cells.
fn children(index: usize, count: usize) -> std::ops::Range<usize> {
    if count.is_multiple_of(2) {
        2 * index..2 * index + 2
    } else {
        (2 * index).saturating_sub(1)..2 * index + 1
    }
}

/// From the grid itself up to the roots.
fn levels(grid: &TokenGrid) -> Vec<Level> {
    let (shape, dim) = (grid.shape(), grid.dim());
    let single = |count: usize| (0..count).map(|index| (index, index + 1)).collect();
    let mut levels = vec![Level {
        rows: single(shape.height),
        columns: single(shape.width),
        data: grid.data().to_vec(),
        units: normalize(grid.data(), dim),
        alike: Vec::new(),
    }];
    loop {
        let below = &levels[levels.len() - 1];
        let (height, width) = (below.rows.len(), below.columns.len());
        if height <= 2 || width <= 2 {
            return levels;
        }
        let halve = |spans: &[(usize, usize)]| -> Vec<(usize, usize)> {
            let of = |index| children(index, spans.len());
            (0..spans.len().div_ceil(2))
                .map(|index| (spans[of(index).start].0, spans[of(index).end - 1].1))
                .collect()
        };
        let (rows, columns) = (halve(&below.rows), halve(&below.columns));
        let per_frame = rows.len() * columns.len();
        let of_cell = |cell: usize| {
            let (frame, row, column) =
                (cell / per_frame, cell % per_frame / columns.len(), cell % columns.len());
            children(row, height).flat_map(move |row| {
                children(column, width).map(move |column| (frame * height + row) * width + column)
            })
        };
        let cells = (0..shape.frames * per_frame).into_par_iter();
        let data: Vec<f32> =
            cells.clone().flat_map_iter(|cell| mean(&below.data, dim, of_cell(cell))).collect();
        let units = normalize(&data, dim);
        let alike = |cell: usize| {
            let parent = &units[cell * dim..][..dim];
            let cosine = |child: usize| product(parent, &below.units[child * dim..][..dim]);
            of_cell(cell).map(cosine).fold(f32::INFINITY, f32::min)
        };
        let alike = cells.map(alike).collect();
        levels.push(Level { rows, columns, data, units, alike });
    }
}

/// The nodes of all frames, in order of frame and upper left corner, as (level, cell of that level).
fn nodes(levels: &[Level], frames: usize, threshold: f32) -> Vec<(usize, usize)> {
    let of_frame = |frame: usize| {
        let roots = levels.len() - 1;
        let mut open: Vec<(usize, usize, usize)> = (0..levels[roots].rows.len())
            .flat_map(|row| (0..levels[roots].columns.len()).map(move |column| (roots, row, column)))
            .collect();
        let mut found = Vec::new();
        while let Some((depth, row, column)) = open.pop() {
            let level = &levels[depth];
            let cell = frame * level.cells() + row * level.columns.len() + column;
            if depth == 0 || level.alike[cell] >= threshold {
                found.push(((level.rows[row].0, level.columns[column].0), (depth, cell)));
                continue;
            }
            let below = &levels[depth - 1];
            for row in children(row, below.rows.len()) {
                open.extend(children(column, below.columns.len()).map(|column| (depth - 1, row, column)));
            }
        }
        found.sort_unstable();
        found.into_iter().map(|(_, node)| node)
    };
    (0..frames).into_par_iter().flat_map_iter(of_frame).collect()
}

fn merge(grid: &TokenGrid, levels: &[Level], threshold: f32) -> Reduction {
    let (dim, per_frame) = (grid.dim(), grid.shape().tokens_per_frame());
    let nodes = nodes(levels, grid.shape().frames, threshold);
    // The node that covers each token of the grid, and the upper left token of each node.
    let (mut cover, mut corners) = (vec![0; grid.shape().len()], Vec::with_capacity(nodes.len()));
    for (node, &(depth, cell)) in nodes.iter().enumerate() {
        let level = &levels[depth];
        let (frame, index) = (cell / level.cells(), cell % level.cells());
        let (rows, columns) =
            (level.rows[index / level.columns.len()], level.columns[index % level.columns.len()]);
        corners.push(frame * per_frame + rows.0 * grid.shape().width + columns.0);
        for row in rows.0..rows.1 {
            cover[frame * per_frame + row * grid.shape().width..][columns.0..columns.1].fill(node as u32);
        }
    }
    // Nodes of quadtrees that share a token contain one another.
    let mut pairs: Vec<(u32, u32)> = cover.iter().copied().zip(cover[per_frame..].iter().copied()).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let unit = |node: u32| {
        let (depth, cell) = nodes[node as usize];
        &levels[depth].units[cell * dim..][..dim]
    };
    let connected = |&(a, b): &(u32, u32)| product(unit(a), unit(b)) >= threshold - OVER_TIME;
    let connected: Vec<bool> = pairs.par_iter().map(connected).collect();
    let mut forest = Forest::new(nodes.len());
    for (&(a, b), _) in pairs.iter().zip(&connected).filter(|(_, connected)| **connected) {
        forest.join(a as usize, b as usize);
    }
    let (labels, count) = forest.components();
    let positions: Vec<usize> = first_members(&labels).into_iter().map(|node| corners[node]).collect();
    let values: Vec<f32> =
        nodes.iter().flat_map(|&(depth, cell)| &levels[depth].data[cell * dim..][..dim]).copied().collect();
    let values = means(&values, dim, &labels, count);
    let owners: Vec<Option<u32>> = cover.iter().map(|&node| Some(labels[node as usize])).collect();
    let cells: usize = levels.iter().map(|level| level.units.len() / dim).sum();
    let below_roots = cells - levels[levels.len() - 1].units.len() / dim;
    let operations = 3 * cells + 3 * below_roots + 2 * pairs.len() + nodes.len();
    Reduction::merged(dim, &values, &positions, &owners, (operations * dim) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reduce::Amount;
    use crate::reduce::testing::grid;

    /// Two frames of 4 x 4: (1, 0) but for the last cell, (0, 1), and (3, 0) everywhere.
    fn clip() -> TokenGrid {
        let mut data = [[1.0, 0.0]; 15].concat();
        data.extend([0.0, 1.0]);
        data.extend([[3.0, 0.0]; 16].concat());
        grid(2, 4, 4, 2, data)
    }

    #[test]
    fn quadtrees_then_time() {
        // Frame 0: three of four roots are alike; the mean of the last, (0.75, 0.25), has cosine 0.316 to (0, 1), so it is split. Frame 1:
        // four roots. Over time each root joins the one above it, (1 + 3) / 2, and the last one the three cells of (1, 0): (1 + 1 + 1 +
        // 3) / 4. Left alone is (0, 1).
        let reduction = Sttm { target: Target::Parameter(0.8) }.reduce(&clip()).unwrap();
        assert_eq!(reduction.tokens.data(), [2.0, 0.0, 2.0, 0.0, 2.0, 0.0, 1.5, 0.0, 0.0, 1.0]);
        let (a, b, c, d, e) = (0, 1, 2, 3, 4);
        let first = [a, a, b, b, a, a, b, b, c, c, d, d, c, c, d, e];
        let second = [a, a, b, b, a, a, b, b, c, c, d, d, c, c, d, d];
        assert_eq!(reduction.assignment, [first, second].concat().into_iter().map(Some).collect::<Vec<_>>());
        // Four roots of frame 0, and the last of its cells.
        assert_eq!(reduction.positions, [0, 2, 8, 10, 15]);
        // 32 cells and 8 roots; 3 + 4 pairs of nodes; 7 + 4 nodes.
        assert_eq!(reduction.flops, (3 * 40 + 3 * 32 + 2 * 7 + 11) * 2);
    }

    #[test]
    fn budgets_are_never_exceeded() {
        let of = |tokens| Sttm { target: Target::Amount(Amount::Tokens(tokens)) }.reduce(&clip());
        assert_eq!(of(4).unwrap().tokens.len(), 4);
        assert_eq!(of(5).unwrap().tokens.len(), 5);
        assert_eq!(of(3), Err(ReduceError::BudgetTooSmall { reducer: "sttm", budget: 3, least: 4 }));
    }

    #[test]
    fn odd_sides_leave_the_first_alone() {
        assert_eq!((0..3).map(|index| children(index, 5)).collect::<Vec<_>>(), [0..1, 1..3, 3..5]);
        assert_eq!((0..2).map(|index| children(index, 4)).collect::<Vec<_>>(), [0..2, 2..4]);
        let clip = grid(1, 5, 3, 1, (0..15).map(|value| value as f32).collect());
        let levels = levels(&clip);
        // 5 x 3 becomes 3 x 2: cells 0; 1, 2; then 3 and 6; 4, 5, 7, 8; and so on.
        assert_eq!(levels[1].rows, [(0, 1), (1, 3), (3, 5)]);
        assert_eq!(levels[1].data, [0.0, 1.5, 4.5, 6.0, 10.5, 12.0]);
        assert_eq!(levels.len(), 2);
    }
}
