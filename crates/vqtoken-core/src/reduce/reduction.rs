//! What a reducer returns: fewer tokens, the positions they stand at, and where each token of the grid went.

use rayon::prelude::*;

use super::nearest::{gather, nearest};
use crate::grid::TokenGrid;
use crate::products::product;
use crate::quantize::Quantization;
use crate::unit_tokens::{UnitTokens, normalize};

/// M tokens of D channels, `[M, D]`, row-major, in the order in which the language model reads them.
#[derive(Clone, Debug, PartialEq)]
pub struct ReducedTokens {
    dim: usize,
    data: Vec<f32>,
}

impl ReducedTokens {
    /// `data` is `[M, D]`, D is not 0.
    pub(crate) fn new(dim: usize, data: Vec<f32>) -> Self {
        Self { dim, data }
    }

    /// M.
    pub fn len(&self) -> usize {
        self.data.len() / self.dim
    }

    /// Never true of a reduction, which keeps at least one token.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// D.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// All values, `[M, D]`.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// Token `index`, `[D]`.
    ///
    /// # Panics
    /// If `index >= M`, like a slice.
    pub fn token(&self, index: usize) -> &[f32] {
        &self.data[index * self.dim..][..self.dim]
    }
}

/// A reduced clip.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduction {
    /// `[M, D]`, ordered by position.
    pub tokens: ReducedTokens,
    /// The position of each token in the unreduced sequence, `[M]`, strictly ascending and below `sequence_length`. A pruning
    /// method's token keeps its own; a merging method's documentation says which member's position its tokens take.
    pub positions: Vec<usize>,
    /// Tokens of the unreduced sequence: N, or M where the method makes a new sequence (poolings, VQToken).
    pub sequence_length: usize,
    /// The reduced token that each grid token went into, `[N]`, in the order of the grid; `None` if it was pruned.
    pub assignment: Vec<Option<u32>>,
    /// For VQToken: codebook and index map, which still have to go through VQ-attention.
    pub quantization: Option<Quantization>,
    /// Module complexity: floating-point operations by the definition of the method, a multiplication and an addition being
    /// two. Comparisons, sorting and the search for a parameter that meets a budget are not counted.
    pub flops: u64,
}

impl Reduction {
    /// The grid tokens of these indices, ascending, unchanged; the others are pruned.
    pub(crate) fn kept(grid: &TokenGrid, kept: Vec<usize>, flops: u64) -> Self {
        let sequence_length = grid.shape().len();
        let mut assignment = vec![None; sequence_length];
        kept.iter().enumerate().for_each(|(row, &token)| assignment[token] = Some(row as u32));
        let tokens = ReducedTokens::new(grid.dim(), gather(grid.data(), grid.dim(), kept.iter().copied()));
        Self { tokens, positions: kept, sequence_length, assignment, quantization: None, flops }
    }

    /// Rows of `values` `[M, dim]` at `positions` `[M]`, all different and in any order; `owners[token]` is the row that a grid
    /// token went into.
    pub(crate) fn merged(
        dim: usize,
        values: &[f32],
        positions: &[usize],
        owners: &[Option<u32>],
        flops: u64,
    ) -> Self {
        let mut rows: Vec<usize> = (0..positions.len()).collect();
        rows.sort_unstable_by_key(|&row| positions[row]);
        let mut sorted_index = vec![0; rows.len()];
        rows.iter().enumerate().for_each(|(sorted, &row)| sorted_index[row] = sorted as u32);
        Self {
            tokens: ReducedTokens::new(dim, gather(values, dim, rows.iter().copied())),
            positions: rows.iter().map(|&row| positions[row]).collect(),
            sequence_length: owners.len(),
            assignment: owners.iter().map(|owner| owner.map(|row| sorted_index[row as usize])).collect(),
            quantization: None,
            flops,
        }
    }

    /// A new sequence of M tokens `[M, dim]`, each at its own index.
    pub(crate) fn resampled(dim: usize, data: Vec<f32>, assignment: Vec<Option<u32>>, flops: u64) -> Self {
        let tokens = ReducedTokens::new(dim, data);
        let sequence_length = tokens.len();
        let positions = (0..sequence_length).collect();
        Self { tokens, positions, sequence_length, assignment, quantization: None, flops }
    }

    /// What is lost: the mean, over the grid's tokens scaled to length 1, of the squared distance to the reduced token each went
    /// into, scaled to length 1; for pruned tokens, to the nearest one. From 0 to 4.
    pub fn distortion(&self, grid: &TokenGrid) -> f64 {
        let (units, dim) = (UnitTokens::new(grid), grid.dim());
        let reduced = normalize(self.tokens.data(), dim);
        let pruned: Vec<usize> = (0..units.len()).filter(|&token| self.assignment[token].is_none()).collect();
        let mut owners = self.assignment.clone();
        let nearest = nearest(&gather(units.data(), dim, pruned.iter().copied()), &reduced, dim);
        pruned.iter().zip(nearest).for_each(|(&token, (owner, _))| owners[token] = Some(owner));
        let distance = |(token, owner): (usize, &Option<u32>)| {
            let (a, b) = (units.token(token), &reduced[owner.unwrap_or_default() as usize * dim..][..dim]);
            (f64::from(product(a, a)) + f64::from(product(b, b)) - 2.0 * f64::from(product(a, b))).max(0.0)
        };
        let distances: Vec<f64> = owners.par_iter().enumerate().map(distance).collect();
        distances.iter().sum::<f64>() / units.len() as f64
    }
}

/// The mean of the rows of `[_, dim]` with these indices, summed in their order; zeros if there are none.
pub(crate) fn mean(rows: &[f32], dim: usize, indices: impl Iterator<Item = usize>) -> Vec<f32> {
    let (mut sum, mut count) = (vec![0.0f64; dim], 0usize);
    for index in indices {
        let row = &rows[index * dim..][..dim];
        sum.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
        count += 1;
    }
    sum.iter().map(|sum| (sum / count.max(1) as f64) as f32).collect()
}

/// The mean of the rows of each label, `[labels, dim]`.
pub(crate) fn means(rows: &[f32], dim: usize, labels: &[u32], count: usize) -> Vec<f32> {
    let mut by_label: Vec<usize> = (0..labels.len()).collect();
    by_label.sort_by_key(|&row| labels[row]);
    let first = |label: usize| by_label.partition_point(|&row| (labels[row] as usize) < label);
    let of = |label| mean(rows, dim, by_label[first(label)..first(label + 1)].iter().copied());
    (0..count).into_par_iter().flat_map_iter(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::GridShape;

    #[test]
    fn distortion_of_kept_and_pruned_tokens() {
        // Unit tokens: (1, 0), (0, 1), (0.6, 0.8). The first two are kept; the third is nearest to the second: 2 - 2 * 0.8.
        let shape = GridShape { frames: 1, height: 1, width: 3 };
        let grid = TokenGrid::new(shape, 2, vec![2.0, 0.0, 0.0, 5.0, 3.0, 4.0]).unwrap();
        let reduction = Reduction::kept(&grid, vec![0, 1], 0);
        assert_eq!(reduction.assignment, [Some(0), Some(1), None]);
        assert_eq!(reduction.tokens.data(), [2.0, 0.0, 0.0, 5.0]);
        assert_eq!((&reduction.positions[..], reduction.sequence_length), (&[0, 1][..], 3));
        assert!((reduction.distortion(&grid) - 0.4 / 3.0).abs() < 1e-6);
    }

    #[test]
    fn merged_rows_are_ordered_by_position() {
        let reduction = Reduction::merged(1, &[7.0, 8.0], &[2, 1], &[Some(0), Some(1), Some(0), None], 0);
        assert_eq!(reduction.tokens.data(), [8.0, 7.0]);
        assert_eq!(reduction.assignment, [Some(1), Some(0), Some(1), None]);
        assert_eq!((&reduction.positions[..], reduction.sequence_length), (&[1, 2][..], 4));
    }

    #[test]
    fn a_new_sequence_has_its_own_positions() {
        let reduction = Reduction::resampled(2, vec![1.0; 6], vec![Some(0); 9], 0);
        assert_eq!((&reduction.positions[..], reduction.sequence_length), (&[0, 1, 2][..], 3));
    }
}
