//! Centroids to start from: more clusters than wanted, merged until as many are left.
//!
//! Seeds drawn one by one often put two into one cluster and none into another, which Lloyd's iterations do not
//! mend. Too many seeds miss none, and merging joins those that belong together.

use rayon::prelude::*;

use crate::codebook::{Codebook, CodebookError};

/// Clusters by their sums, merged two by two (Ward 1963, for cosines instead of squares).
#[derive(Clone)]
pub(crate) struct Merging {
    dim: usize,
    /// `[M, D]`.
    sums: Vec<Vec<f64>>,
    /// The dot products of the sums, `[M, M]`; none before there is something to merge.
    products: Vec<Vec<f64>>,
    /// Which clusters are not yet part of another.
    left: Vec<usize>,
}

impl Merging {
    /// Of clusters with these means `[M, D]` and numbers of members `[M]`. One without members counts as one token, so
    /// that no direction is lost.
    pub(crate) fn new(means: &Codebook, members: &[usize]) -> Self {
        let dim = means.dim();
        let sum = |(mean, &count): (&[f32], &usize)| -> Vec<f64> {
            mean.iter().map(|&value| f64::from(value) * count.max(1) as f64).collect()
        };
        let sums: Vec<Vec<f64>> = means.data().chunks_exact(dim).zip(members).map(sum).collect();
        Self { dim, left: (0..sums.len()).collect(), sums, products: Vec::new() }
    }

    /// How many clusters are left.
    pub(crate) fn clusters(&self) -> usize {
        self.left.len()
    }

    /// The sums of the clusters, as directions `[K, D]`, after merging down to at most `codes`: each time the two whose
    /// merging adds least to the distortion, the first among equals.
    ///
    /// # Errors
    /// If there is no cluster.
    pub(crate) fn centroids(&self, codes: usize) -> Result<Codebook, CodebookError> {
        let mut merged = self.clone();
        merged.down_to(codes);
        let values = merged.left.iter().flat_map(|&cluster| &merged.sums[cluster]).map(|&value| value as f32);
        Codebook::new(merged.left.len(), merged.dim, values.collect())
    }

    fn down_to(&mut self, codes: usize) {
        if self.left.len() > codes {
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let row = |a: &Vec<f64>| self.sums.iter().map(|b| dot(a, b)).collect();
            self.products = self.sums.par_iter().map(row).collect();
        }
        while self.left.len() > codes.max(1) {
            let mut cheapest = (f64::INFINITY, 0, 1);
            for (place, &a) in self.left.iter().enumerate() {
                for (other, &b) in self.left.iter().enumerate().skip(place + 1) {
                    let cost = self.cost(a, b);
                    if cost < cheapest.0 {
                        cheapest = (cost, place, other);
                    }
                }
            }
            self.merge(cheapest.1, cheapest.2);
        }
    }

    /// What merging adds to the sum over tokens of 1 - cosine to their cluster's direction: for a cluster that sum is the
    /// number of its tokens less the length of their sum.
    fn cost(&self, a: usize, b: usize) -> f64 {
        let (aa, bb, ab) = (self.products[a][a], self.products[b][b], self.products[a][b]);
        aa.max(0.0).sqrt() + bb.max(0.0).sqrt() - (aa + bb + 2.0 * ab).max(0.0).sqrt()
    }

    fn merge(&mut self, place: usize, other: usize) {
        let (a, b) = (self.left[place], self.left.remove(other));
        let from = std::mem::take(&mut self.sums[b]);
        self.sums[a].iter_mut().zip(&from).for_each(|(sum, value)| *sum += value);
        self.products[a][a] += 2.0 * self.products[a][b] + self.products[b][b];
        for &c in self.left.iter().filter(|&&c| c != a) {
            self.products[a][c] += self.products[b][c];
            self.products[c][a] = self.products[a][c];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheapest_pairs_merge_first() {
        // Two pairs of neighbours, one heavy and one light, and a cluster without members.
        let means = vec![1.0, 0.0, 1.0, 0.2, -1.0, 0.0, 0.0, 1.0, 0.3, 1.0];
        let merging = Merging::new(&Codebook::new(5, 2, means).unwrap(), &[100, 100, 0, 2, 3]);
        let near = |codes: usize, expected: &[f32]| {
            let found = merging.centroids(codes).unwrap();
            assert!(found.data().iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{found:?}");
            assert_eq!(found.data().len(), expected.len());
        };
        assert_eq!(merging.clusters(), 5);
        near(7, &[100.0, 0.0, 100.0, 20.0, -1.0, 0.0, 0.0, 2.0, 0.9, 3.0]);
        near(4, &[100.0, 0.0, 100.0, 20.0, -1.0, 0.0, 0.9, 5.0]);
        near(3, &[200.0, 20.0, -1.0, 0.0, 0.9, 5.0]);
        near(2, &[200.0, 20.0, -0.1, 5.0]);
        near(1, &[199.9, 25.0]);
    }
}
