//! A product of two narrow matrices that is added to a weight.

use std::ops::Range;

/// `scale * left @ right`, added to a weight `[rows, columns]`.
#[derive(Clone, Debug)]
pub(crate) struct LowRank {
    /// `[rows, rank]`.
    pub(super) left: Vec<f32>,
    /// `[rank, columns]`.
    pub(super) right: Vec<f32>,
    pub(super) rank: usize,
    pub(super) columns: usize,
    pub(super) scale: f32,
}

impl LowRank {
    /// Adds the elements `range` of the product, counted row by row, to `out`.
    pub(crate) fn add_to(&self, range: Range<usize>, out: &mut [f32]) {
        let Self { left, right, rank, columns, scale } = self;
        let (mut start, mut out) = (range.start, out);
        while !out.is_empty() && *columns > 0 {
            let (row, column) = (start / columns, start % columns);
            let (part, rest) = out.split_at_mut((columns - column).min(out.len()));
            for (factor, row) in left[row * rank..(row + 1) * rank].iter().zip(right.chunks_exact(*columns)) {
                let factor = factor * scale;
                part.iter_mut().zip(&row[column..]).for_each(|(out, x)| *out += factor * x);
            }
            start += part.len();
            out = rest;
        }
    }
}

/// The transpose of `values` `[rows, columns]`.
pub(super) fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| values.iter().skip(column).step_by(columns.max(1)).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_range_of_the_product_is_added() {
        // [3, 2] @ [2, 4]
        let change = LowRank {
            left: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            right: vec![1.0, 0.0, 2.0, 0.0, 0.0, 1.0, 0.0, 3.0],
            rank: 2,
            columns: 4,
            scale: 0.5,
        };
        let mut all = vec![1.0; 12];
        change.add_to(0..12, &mut all);
        assert_eq!(all, [1.5, 2.0, 2.0, 4.0, 2.5, 3.0, 4.0, 7.0, 3.5, 4.0, 6.0, 10.0]);
        for range in [0..12, 1..3, 3..9, 11..12, 5..5] {
            let mut part = vec![1.0; range.len()];
            change.add_to(range.clone(), &mut part);
            assert_eq!(part, all[range]);
        }
    }

    #[test]
    fn rows_become_columns() {
        assert_eq!(transposed(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }
}
