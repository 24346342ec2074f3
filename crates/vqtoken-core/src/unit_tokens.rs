//! Tokens scaled to length 1, on which all clustering works.

use rayon::prelude::*;

use crate::grid::TokenGrid;

/// Shorter vectors are divided by this instead of their length, as `torch.nn.functional.normalize` does.
const EPSILON: f64 = 1e-12;

/// N tokens of length 1, `[N, D]`; tokens shorter than 1e-12 stay shorter, zero stays zero.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitTokens {
    dim: usize,
    data: Vec<f32>,
    /// Of each token, `[N]`: 1 but for rounding, unless it has no direction.
    squared_lengths: Vec<f64>,
    /// How much each token counts, `[N]`; without them every token counts 1.
    weights: Option<Vec<f64>>,
}

impl UnitTokens {
    /// Normalises every token of a grid; `[T, H, W, D]` is read as `[N, D]`.
    pub fn new(grid: &TokenGrid) -> Self {
        let dim = grid.dim();
        let mut data = vec![0.0; grid.data().len()];
        // Lengths are taken while the rows are still in the cache.
        let rows = data.par_chunks_mut(dim).zip(grid.data().par_chunks(dim)).with_min_len(64);
        let squared_lengths = rows
            .map(|(unit, row)| {
                normalize_row(unit, row);
                squared_length(unit)
            })
            .collect();
        Self { dim, data, squared_lengths, weights: None }
    }

    pub(crate) fn of_unit_rows(data: Vec<f32>, dim: usize) -> Self {
        let squared_lengths = data.par_chunks_exact(dim).with_min_len(64).map(squared_length).collect();
        Self { dim, data, squared_lengths, weights: None }
    }

    /// Points that stand for many tokens each: the directions of their sums `[M][D]`, which count as much as the sums are
    /// long.
    ///
    /// The cosines of a group's tokens with anything add up to that of their sum times its length. So clustering these
    /// points is clustering the tokens with every group kept together.
    pub(crate) fn of_sums<'a>(sums: impl Iterator<Item = &'a [f64]> + Clone, dim: usize) -> Self {
        let lengths: Vec<f64> = sums.clone().map(length).collect();
        let direction = |(sum, &length): (&'a [f64], &f64)| {
            let scale = 1.0 / length.max(EPSILON);
            sum.iter().map(move |value| (value * scale) as f32)
        };
        let data = sums.zip(&lengths).flat_map(direction).collect();
        Self { weights: Some(lengths), ..Self::of_unit_rows(data, dim) }
    }

    /// D.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// N.
    pub fn len(&self) -> usize {
        self.data.len() / self.dim
    }

    /// Never true: a grid has at least one token.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// All values, `[N, D]`.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// Token `index`, `[D]`.
    ///
    /// # Panics
    /// If `index >= N`, like a slice.
    pub fn token(&self, index: usize) -> &[f32] {
        &self.data[index * self.dim..][..self.dim]
    }

    /// Whether a token points anywhere: false for zero, and for what is too short to normalise.
    pub(crate) fn has_direction(&self, index: usize) -> bool {
        self.squared_lengths[index] > 0.5
    }

    /// Only some of the tokens, in the order given.
    pub(crate) fn only(&self, tokens: &[usize]) -> Self {
        let data = tokens.iter().flat_map(|&token| self.token(token)).copied().collect();
        let squared_lengths = tokens.iter().map(|&token| self.squared_lengths[token]).collect();
        let of_tokens = |weights: &Vec<f64>| tokens.iter().map(|&token| weights[token]).collect();
        Self { dim: self.dim, data, squared_lengths, weights: self.weights.as_ref().map(of_tokens) }
    }

    /// How much token `index` counts.
    pub(crate) fn weight(&self, index: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| weights[index])
    }

    /// How much all tokens count together.
    pub(crate) fn total_weight(&self) -> f64 {
        self.weights.as_ref().map_or(self.len() as f64, |weights| weights.iter().sum())
    }

    /// The sum of the squared lengths of all tokens, each as often as it counts.
    pub(crate) fn squares(&self) -> f64 {
        (0..self.len()).map(|token| self.weight(token) * self.squared_lengths[token]).sum()
    }
}

/// Each row of `[N, D]` divided by its length, or by 1e-12 if that is larger.
///
/// Lengths are taken in f64, where no finite `f32` overflows or vanishes when squared.
///
/// # Panics
/// If `dim` is 0.
pub fn normalize(rows: &[f32], dim: usize) -> Vec<f32> {
    let mut unit = vec![0.0; rows.len()];
    let rows = unit.par_chunks_mut(dim).zip(rows.par_chunks(dim)).with_min_len(64);
    rows.for_each(|(unit, row)| normalize_row(unit, row));
    unit
}

fn normalize_row(unit: &mut [f32], row: &[f32]) {
    let scale = 1.0 / squared_length(row).sqrt().max(EPSILON);
    unit.iter_mut().zip(row).for_each(|(unit, &value)| *unit = (f64::from(value) * scale) as f32);
}

/// The length of a sum of tokens.
pub(crate) fn length(sum: &[f64]) -> f64 {
    sum.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// Eight sums at a time, in a fixed order.
pub(crate) fn squared_length(row: &[f32]) -> f64 {
    let (blocks, rest) = row.as_chunks::<8>();
    let mut sums = [0.0f64; 8];
    for block in blocks {
        for lane in 0..8 {
            sums[lane] += f64::from(block[lane]) * f64::from(block[lane]);
        }
    }
    let rest: f64 = rest.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extreme_lengths() {
        for scale in [1e30, 1e-10] {
            let unit = normalize(&[3.0 * scale, 4.0 * scale], 2);
            assert!((unit[0] - 0.6).abs() < 1e-6 && (unit[1] - 0.8).abs() < 1e-6, "{unit:?}");
        }
        assert_eq!(normalize(&[f32::MAX, 0.0], 2), [1.0, 0.0]);
        assert_eq!(normalize(&[0.0, -0.0], 2), [0.0, 0.0]);
        assert_eq!(normalize(&[f32::from_bits(1), 0.0], 2)[0], (f64::from(f32::from_bits(1)) / 1e-12) as f32);
    }
}
