//! The dot products of all pairs of clusters' sums, while these are joined.

use rayon::prelude::*;

use crate::products::products;
use crate::unit_tokens::UnitTokens;

/// The dot products of sums, of each with those after it, row after row. They are one allocation, which goes back to the system as a whole.
pub(super) struct PairProducts {
    values: Vec<f64>,
    sums: usize,
}

impl PairProducts {
    pub(super) fn new(sums: &UnitTokens) -> Self {
        let (m, dim) = (sums.len(), sums.dim());
        let mut values = vec![0.0; m * m.saturating_sub(1) / 2];
        let mut rows = Vec::with_capacity(m);
        let mut rest = &mut values[..];
        for a in 0..m {
            let row;
            (row, rest) = rest.split_at_mut(m - 1 - a);
            rows.push(row);
        }
        rows.into_par_iter().enumerate().filter(|(_, row)| !row.is_empty()).for_each(|(a, row)| {
            let mut cosines = vec![0.0; row.len()];
            products(sums.token(a), &sums.data()[(a + 1) * dim..], dim, &mut cosines);
            for ((value, b), cosine) in row.iter_mut().zip(a + 1..).zip(cosines) {
                *value = sums.weight(a) * sums.weight(b) * f64::from(cosine);
            }
        });
        Self { values, sums: m }
    }

    /// Where the product of `a < b` is.
    fn index(&self, a: usize, b: usize) -> usize {
        a * (2 * self.sums - a - 1) / 2 + b - a - 1
    }

    /// The product of `a < b`.
    pub(super) fn get(&self, a: usize, b: usize) -> f64 {
        self.values[self.index(a, b)]
    }

    /// Adds the product of `from` and another one to that of `into` and the other one.
    pub(super) fn add(&mut self, into: usize, from: usize, other: usize) {
        let index = |a: usize| self.index(a.min(other), a.max(other));
        let (into, from) = (index(into), index(from));
        self.values[into] += self.values[from];
    }
}
