//! What a reducer gives: visual tokens, and where each token of the grid went.

use rayon::prelude::*;

use super::nearest::{gather, nearest};
use crate::grid::TokenGrid;
use crate::products::product;
use crate::quantize::Quantization;
use crate::unit_tokens::{UnitTokens, normalize};

/// M visual tokens of D channels, `[M, D]`, row-major, in the order in which the language model reads them.
#[derive(Clone, Debug, PartialEq)]
pub struct VisualTokens {
    dim: usize,
    data: Vec<f32>,
}

impl VisualTokens {
    /// `data` is `[M, D]`, D is not 0.
    pub(crate) fn new(dim: usize, data: Vec<f32>) -> Self {
        Self { dim, data }
    }

    /// M.
    pub fn len(&self) -> usize {
        self.data.len() / self.dim
    }

    /// Never true of a reduction: it keeps at least one token.
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

    /// Visual token `index`, `[D]`.
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
    /// `[M, D]`. Unless the reducer says otherwise, ordered by time, row and column of the first grid token each stands for.
    pub tokens: VisualTokens,
    /// The visual token that each grid token went into, `[N]`, in the order of the grid; `None` if it was pruned.
    pub assignment: Vec<Option<u32>>,
    /// For VQToken: codebook and index map, which still have to go through VQ-attention.
    pub quantization: Option<Quantization>,
    /// Module complexity: floating-point operations by the definition of the method, a multiplication and an addition being
    /// two. Comparisons, sorting and the search for a parameter that meets a budget are not counted.
    pub flops: u64,
}

impl Reduction {
    /// The tokens at `kept`, in rising order, unchanged; the others are pruned.
    pub(crate) fn kept(grid: &TokenGrid, kept: &[usize], flops: u64) -> Self {
        let mut assignment = vec![None; grid.shape().len()];
        kept.iter().enumerate().for_each(|(visual, &token)| assignment[token] = Some(visual as u32));
        let tokens = VisualTokens::new(grid.dim(), gather(grid.data(), grid.dim(), kept.iter().copied()));
        Self { tokens, assignment, quantization: None, flops }
    }

    /// Every grid token goes into `owners[token]`, a row of `values` `[_, D]`; rows that own none are left out.
    pub(crate) fn merged(dim: usize, values: &[f32], owners: &[u32], flops: u64) -> Self {
        let mut numbers = vec![None; values.len() / dim];
        let mut rows = Vec::new();
        let assignment = owners.iter().map(|&owner| {
            Some(*numbers[owner as usize].get_or_insert_with(|| {
                rows.push(owner as usize);
                rows.len() as u32 - 1
            }))
        });
        let assignment = assignment.collect();
        Self {
            tokens: VisualTokens::new(dim, gather(values, dim, rows)),
            assignment,
            quantization: None,
            flops,
        }
    }

    /// What is lost: the mean, over the grid's tokens scaled to length 1, of the squared distance to the visual token each went
    /// into, scaled to length 1; of pruned tokens, to the nearest one. From 0 to 4.
    pub fn distortion(&self, grid: &TokenGrid) -> f64 {
        let (units, dim) = (UnitTokens::new(grid), grid.dim());
        let visual = normalize(self.tokens.data(), dim);
        let pruned: Vec<usize> = (0..units.len()).filter(|&token| self.assignment[token].is_none()).collect();
        let mut owners = self.assignment.clone();
        let nearest = nearest(&gather(units.data(), dim, pruned.iter().copied()), &visual, dim);
        pruned.iter().zip(nearest).for_each(|(&token, (owner, _))| owners[token] = Some(owner));
        let distance = |(token, owner): (usize, &Option<u32>)| {
            let (a, b) = (units.token(token), &visual[owner.unwrap_or_default() as usize * dim..][..dim]);
            (f64::from(product(a, a)) + f64::from(product(b, b)) - 2.0 * f64::from(product(a, b))).max(0.0)
        };
        let distances: Vec<f64> = owners.par_iter().enumerate().map(distance).collect();
        distances.iter().sum::<f64>() / units.len() as f64
    }
}

/// The mean of some rows of `[_, dim]`, summed in their order; zeros if there are none.
pub(crate) fn mean(rows: &[f32], dim: usize, places: impl Iterator<Item = usize>) -> Vec<f32> {
    let (mut sum, mut count) = (vec![0.0f64; dim], 0usize);
    for place in places {
        let row = &rows[place * dim..][..dim];
        sum.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
        count += 1;
    }
    sum.iter().map(|sum| (sum / count.max(1) as f64) as f32).collect()
}

/// The mean of the rows of each label, `[labels, dim]`.
pub(crate) fn means(rows: &[f32], dim: usize, labels: &[u32], count: usize) -> Vec<f32> {
    let mut places: Vec<usize> = (0..labels.len()).collect();
    places.sort_by_key(|&place| labels[place]);
    let first = |label: usize| places.partition_point(|&place| (labels[place] as usize) < label);
    let of = |label| mean(rows, dim, places[first(label)..first(label + 1)].iter().copied());
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
        let reduction = Reduction::kept(&grid, &[0, 1], 0);
        assert_eq!(reduction.assignment, [Some(0), Some(1), None]);
        assert_eq!(reduction.tokens.data(), [2.0, 0.0, 0.0, 5.0]);
        assert!((reduction.distortion(&grid) - 0.4 / 3.0).abs() < 1e-6);
    }

    #[test]
    fn owners_are_numbered_by_first_appearance() {
        let reduction = Reduction::merged(1, &[7.0, 8.0, 9.0], &[2, 0, 2], 0);
        assert_eq!(reduction.tokens.data(), [9.0, 7.0]);
        assert_eq!(reduction.assignment, [Some(0), Some(1), Some(0)]);
    }
}
