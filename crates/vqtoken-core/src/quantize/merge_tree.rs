//! The merge tree: clusters joined two by two until one is left.
//!
//! Cut at any K it is a clustering into K codes, so one tree gives the whole curve of what each K costs, and a start for
//! Lloyd's iterations at each. Seeds drawn one by one often put two into one cluster and none into another, which those
//! iterations do not mend; too many seeds miss none, and joining brings together those that belong together.
//!
//! Source: Ward 1963, with lengths of sums for cosines instead of squared distances.

use rayon::prelude::*;

use crate::codebook::{Codebook, CodebookError};
use crate::quantize::pair_products::PairProducts;
use crate::unit_tokens::{UnitTokens, length};

/// A group of tokens that stay together.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    /// The sum of its unit tokens, `[D]`.
    pub(crate) sum: Vec<f64>,
    /// How many tokens it has.
    pub(crate) tokens: u64,
}

impl Cluster {
    /// A cluster without tokens.
    pub(crate) fn empty(dim: usize) -> Self {
        Self { sum: vec![0.0; dim], tokens: 0 }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.sum.iter_mut().zip(&other.sum).for_each(|(sum, value)| *sum += value);
        self.tokens += other.tokens;
    }

    /// What its tokens' squared distances to their mean fall short of their squared lengths.
    pub(crate) fn explained(&self) -> f64 {
        self.sum.iter().map(|value| value * value).sum::<f64>() / self.tokens.max(1) as f64
    }
}

/// Two clusters become one.
#[derive(Clone, Copy, Debug)]
struct Merge {
    /// The leaf that stands for both, the first of all leaves in them.
    into: usize,
    /// The leaf that stood for the second.
    from: usize,
    /// By how much the sum over tokens of 1 - cosine to their cluster's sum grows; never below 0.
    distortion: f64,
    /// By how much the sum of squared distances to the cluster's mean grows; never below 0.
    inertia: f64,
}

/// The most clusters of which every pair is compared. The products of all pairs take 17 MB.
pub(crate) const MOST_COMPARED: usize = 2048;

/// Clusters (the leaves, M of them) and the order in which they were joined.
#[derive(Clone, Debug)]
pub(crate) struct MergeTree {
    dim: usize,
    leaves: Vec<Cluster>,
    merges: Vec<Merge>,
}

impl MergeTree {
    /// Joins clusters of `dim` channels until `least` are left, each time the two that add least to the distortion, the first among equals.
    ///
    /// Beyond [`MOST_COMPARED`] leaves only pairs within groups of consecutive clusters are compared, and of these groups' merges the cheapest
    /// are made, until few enough are left to compare all. So memory is that of the leaves, of half as many clusters, and of the products of one group.
    pub(crate) fn new(leaves: Vec<Cluster>, dim: usize, least: usize) -> Self {
        Self::comparing(leaves, dim, least, MOST_COMPARED)
    }

    /// [`MergeTree::new`] with groups of at most `compared` clusters, 2 or more.
    fn comparing(leaves: Vec<Cluster>, dim: usize, least: usize, compared: usize) -> Self {
        let least = least.max(1);
        let mut tree = Self { dim, leaves, merges: Vec::new() };
        // The clusters after each round, and the leaf that stands for each of them.
        let mut joined: Option<Vec<Cluster>> = None;
        let mut names: Vec<usize> = (0..tree.leaves.len()).collect();
        while names.len() > least {
            let clusters = joined.as_deref().unwrap_or(&tree.leaves);
            let merges = match clusters.len() <= compared {
                true => Merging::new(clusters, dim).down_to(least),
                false => merge_in_groups(clusters, dim, least.max(compared), compared),
            };
            let named = |merge: &Merge| Merge { into: names[merge.into], from: names[merge.from], ..*merge };
            tree.merges.extend(merges.iter().map(named));
            let (clusters, left) = join(clusters, &merges);
            joined = Some(clusters);
            names = left.into_iter().map(|cluster| names[cluster]).collect();
        }
        tree
    }

    /// M, how many clusters there were at first.
    pub(crate) fn leaves(&self) -> usize {
        self.leaves.len()
    }

    /// The clusters that there were at first, `[M]`.
    pub(crate) fn into_leaves(self) -> Vec<Cluster> {
        self.leaves
    }

    /// The merges that leave `codes` clusters, or as many as there can be.
    fn merges(&self, codes: usize) -> &[Merge] {
        &self.merges[..self.leaves.len().saturating_sub(codes).min(self.merges.len())]
    }

    /// For each leaf the cluster it is in when `codes` are left, `[M]`: clusters are numbered by their first leaf.
    pub(crate) fn labels(&self, codes: usize) -> Vec<u32> {
        let mut parents: Vec<usize> = (0..self.leaves.len()).collect();
        self.merges(codes).iter().for_each(|merge| parents[merge.from] = merge.into);
        let mut labels = vec![0; parents.len()];
        let mut next = 0;
        // A parent comes before its children, so its label is known.
        for leaf in 0..parents.len() {
            if parents[leaf] != leaf {
                labels[leaf] = labels[parents[leaf]];
                continue;
            }
            labels[leaf] = next;
            next += 1;
        }
        labels
    }

    /// The clusters when `codes` are left.
    pub(crate) fn clusters(&self, codes: usize) -> Vec<Cluster> {
        join(&self.leaves, self.merges(codes)).0
    }

    /// The sums of the clusters when `codes` are left, as directions `[K, D]`.
    ///
    /// # Errors
    /// If there is no leaf.
    pub(crate) fn centroids(&self, codes: usize) -> Result<Codebook, CodebookError> {
        let clusters = self.clusters(codes);
        let values = clusters.iter().flat_map(|cluster| &cluster.sum).map(|&value| value as f32).collect();
        Codebook::new(clusters.len(), self.dim, values)
    }

    /// Distortion and inertia of the tokens (whose squared lengths add up to `squares`) at every K from 1 to M, which never rise with K.
    pub(crate) fn costs(&self, squares: f64) -> Vec<(f64, f64)> {
        let tokens: f64 = self.leaves.iter().map(|leaf| leaf.tokens as f64).sum();
        let lengths: f64 = self.leaves.iter().map(|leaf| length(&leaf.sum)).sum();
        let explained: f64 = self.leaves.iter().map(Cluster::explained).sum();
        let mut cost = ((tokens - lengths).max(0.0), (squares - explained).max(0.0));
        let mut costs = vec![cost];
        for merge in &self.merges {
            cost = (cost.0 + merge.distortion, cost.1 + merge.inertia);
            costs.push(cost);
        }
        costs.reverse();
        costs
    }

    /// The leaves that join, in order: the second becomes part of the first.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.merges.iter().map(|merge| (merge.into, merge.from))
    }
}

/// The clusters that merges leave of others, and the index that each had there (or the first cluster in it).
fn join(clusters: &[Cluster], merges: &[Merge]) -> (Vec<Cluster>, Vec<usize>) {
    // Only clusters that grow are copied before the end.
    let mut grown: Vec<Option<Cluster>> = vec![None; clusters.len()];
    let mut left = vec![true; clusters.len()];
    for merge in merges {
        let from = grown[merge.from].take();
        let into = grown[merge.into].get_or_insert_with(|| clusters[merge.into].clone());
        into.add(from.as_ref().unwrap_or(&clusters[merge.from]));
        left[merge.from] = false;
    }
    let left: Vec<usize> = (0..clusters.len()).filter(|&cluster| left[cluster]).collect();
    let take = |&cluster: &usize| grown[cluster].take().unwrap_or_else(|| clusters[cluster].clone());
    (left.iter().map(take).collect(), left)
}

/// Merges within groups of at most `compared` consecutive clusters: the cheapest of those that would halve each group, until `least` clusters are left.
fn merge_in_groups(clusters: &[Cluster], dim: usize, least: usize, compared: usize) -> Vec<Merge> {
    let size = clusters.len().div_ceil(clusters.len().div_ceil(compared));
    let mut merges: Vec<(f64, Merge)> = Vec::new();
    // One group after the other, so that there are the products of one at a time.
    for (group, members) in clusters.chunks(size).enumerate() {
        let mut dearest = 0.0f64;
        for merge in Merging::new(members, dim).down_to(members.len().div_ceil(2)) {
            // A merge can be cheaper than the one that it builds upon, and still has to come after it.
            dearest = dearest.max(merge.distortion);
            let (into, from) = (group * size + merge.into, group * size + merge.from);
            merges.push((dearest, Merge { into, from, ..merge }));
        }
    }
    // The sort keeps the order of equals, so every group's merges stay in theirs.
    merges.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    merges.truncate(clusters.len() - least);
    merges.into_iter().map(|(_, merge)| merge).collect()
}

/// Clusters while they are joined.
struct Merging {
    clusters: Vec<Cluster>,
    /// The squared lengths of the sums, `[M]`.
    squares: Vec<f64>,
    products: PairProducts,
    /// Which clusters are not yet part of another, in order.
    left: Vec<usize>,
    /// For each cluster the cheapest one to join among those after it, and the cost; infinite for the last.
    cheapest: Vec<(f64, usize)>,
}

impl Merging {
    fn new(leaves: &[Cluster], dim: usize) -> Self {
        let points = UnitTokens::of_sums(leaves.iter().map(|leaf| leaf.sum.as_slice()), dim);
        let mut merging = Self {
            clusters: leaves.to_vec(),
            squares: (0..leaves.len()).map(|a| points.weight(a) * points.weight(a)).collect(),
            products: PairProducts::new(&points),
            left: (0..leaves.len()).collect(),
            cheapest: Vec::new(),
        };
        merging.cheapest = (0..leaves.len()).into_par_iter().map(|a| merging.look_after(a)).collect();
        merging
    }

    fn down_to(mut self, least: usize) -> Vec<Merge> {
        let mut merges = Vec::new();
        while self.left.len() > least {
            let mut first = self.left[0];
            for &a in &self.left {
                if self.cheapest[a].0 < self.cheapest[first].0 {
                    first = a;
                }
            }
            merges.push(self.merge(first, self.cheapest[first].1));
        }
        merges
    }

    /// The cheapest of the clusters after `a` to join with it.
    fn look_after(&self, a: usize) -> (f64, usize) {
        let after = self.left.partition_point(|&left| left <= a);
        let mut best = (f64::INFINITY, a);
        for &b in &self.left[after..] {
            let cost = self.cost(a, b);
            if cost < best.0 {
                best = (cost, b);
            }
        }
        best
    }

    /// What joining adds to the sum over tokens of 1 - cosine to their cluster's direction, for `a < b`: for a cluster that sum is the
    /// number of its tokens less the length of their sum.
    fn cost(&self, a: usize, b: usize) -> f64 {
        let (aa, bb, ab) = (self.squares[a], self.squares[b], self.products.get(a, b));
        aa.max(0.0).sqrt() + bb.max(0.0).sqrt() - (aa + bb + 2.0 * ab).max(0.0).sqrt()
    }

    fn merge(&mut self, into: usize, from: usize) -> Merge {
        let (lengths, explained) = (self.lengths(into, from), self.explained(into, from));
        let gone = std::mem::take(&mut self.clusters[from].sum);
        let gone = Cluster { sum: gone, tokens: self.clusters[from].tokens };
        self.clusters[into].add(&gone);
        let joined = &self.clusters[into];
        let distortion = (lengths - length(&joined.sum)).max(0.0);
        let inertia = (explained - joined.explained()).max(0.0);
        self.left.retain(|&left| left != from);
        self.squares[into] = joined.sum.iter().map(|value| value * value).sum();
        for index in 0..self.left.len() {
            let other = self.left[index];
            if other != into {
                self.products.add(into, from, other);
            }
        }
        for index in 0..self.left.len() {
            let a = self.left[index];
            if a == into || self.cheapest[a].1 == into || self.cheapest[a].1 == from {
                self.cheapest[a] = self.look_after(a);
            } else if a < into {
                let cost = self.cost(a, into);
                if (cost, into) < self.cheapest[a] {
                    self.cheapest[a] = (cost, into);
                }
            }
        }
        Merge { into, from, distortion, inertia }
    }

    fn lengths(&self, a: usize, b: usize) -> f64 {
        length(&self.clusters[a].sum) + length(&self.clusters[b].sum)
    }

    fn explained(&self, a: usize, b: usize) -> f64 {
        self.clusters[a].explained() + self.clusters[b].explained()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn cluster(sum: &[f64], tokens: u64) -> Cluster {
        Cluster { sum: sum.to_vec(), tokens }
    }

    #[test]
    fn the_cheapest_pairs_merge_first() {
        // Two pairs of neighbours, one heavy and one light, and a single token.
        let leaves =
            [([100.0, 0.0], 100), ([100.0, 20.0], 102), ([-1.0, 0.0], 1), ([0.0, 2.0], 2), ([0.9, 3.0], 4)];
        let tree = MergeTree::new(leaves.map(|(sum, tokens)| cluster(&sum, tokens)).to_vec(), 2, 1);
        let near = |codes: usize, expected: &[f32]| {
            let found = tree.centroids(codes).unwrap();
            assert!(found.data().iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{found:?}");
            assert_eq!(found.data().len(), expected.len());
        };
        assert_eq!(tree.leaves(), 5);
        near(7, &[100.0, 0.0, 100.0, 20.0, -1.0, 0.0, 0.0, 2.0, 0.9, 3.0]);
        near(4, &[100.0, 0.0, 100.0, 20.0, -1.0, 0.0, 0.9, 5.0]);
        near(3, &[200.0, 20.0, -1.0, 0.0, 0.9, 5.0]);
        near(2, &[200.0, 20.0, -0.1, 5.0]);
        near(1, &[199.9, 25.0]);
        assert_eq!(tree.labels(5), [0, 1, 2, 3, 4]);
        assert_eq!(tree.labels(4), [0, 1, 2, 3, 3]);
        assert_eq!(tree.labels(3), [0, 0, 1, 2, 2]);
        assert_eq!(tree.labels(2), [0, 0, 1, 1, 1]);
        assert_eq!(tree.labels(0), [0; 5]);
        assert_eq!(tree.pairs().collect::<Vec<_>>(), [(3, 4), (0, 1), (2, 3), (0, 2)]);
    }

    #[test]
    fn costs_are_those_of_the_clusters_and_never_rise_with_k() {
        let mut random = Random::new(8);
        let dim = 5;
        for leaves in [1, 2, 30] {
            let leaf =
                |_| Cluster { sum: (0..dim).map(|_| 3.0 * random.uniform() - 1.0).collect(), tokens: 7 };
            let tree = MergeTree::new((0..leaves).map(leaf).collect(), dim, 1);
            let squares = 7.0 * leaves as f64;
            let costs = tree.costs(squares);
            assert_eq!(costs.len(), leaves);
            for (place, &(distortion, inertia)) in costs.iter().enumerate() {
                let clusters = tree.clusters(place + 1);
                assert_eq!(clusters.len(), place + 1);
                let lengths: f64 = clusters.iter().map(|cluster| length(&cluster.sum)).sum();
                let explained: f64 = clusters.iter().map(Cluster::explained).sum();
                assert!((distortion - (squares - lengths)).abs() < 1e-9);
                assert!((inertia - (squares - explained)).abs() < 1e-9);
            }
            assert!(costs.windows(2).all(|pair| pair[1].0 <= pair[0].0 && pair[1].1 <= pair[0].1));
        }
    }

    #[test]
    fn remembering_the_cheapest_finds_what_comparing_all_pairs_finds() {
        let mut random = Random::new(2);
        let leaf = |_| Cluster { sum: (0..3).map(|_| random.uniform() - 0.5).collect(), tokens: 1 };
        let leaves: Vec<Cluster> = (0..40).map(leaf).collect();
        let mut merging = Merging::new(&leaves, 3);
        while merging.left.len() > 1 {
            let pairs = merging.left.iter().flat_map(|&a| merging.left.iter().map(move |&b| (a, b)));
            let costs = pairs.filter(|(a, b)| a < b).map(|(a, b)| (merging.cost(a, b), a, b));
            let cheapest = costs.min_by(|a, b| a.partial_cmp(b).unwrap()).unwrap();
            let found = merging.left.iter().map(|&a| (merging.cheapest[a].0, a, merging.cheapest[a].1));
            assert_eq!(found.min_by(|a, b| a.partial_cmp(b).unwrap()), Some(cheapest));
            merging.merge(cheapest.1, cheapest.2);
        }
    }

    /// Clusters of some tokens each, scattered around 40 directions that come and go.
    fn scattered(count: usize) -> Vec<Cluster> {
        let mut random = Random::new(5);
        let directions: Vec<f64> = (0..40 * 6).map(|_| random.uniform() - 0.5).collect();
        let mut one = |index: usize| {
            let direction = (index / 50 + (8.0 * random.uniform()) as usize) % 40;
            let tokens = 1 + (20.0 * random.uniform()) as u64;
            let near = directions[direction * 6..][..6].iter();
            let near: Vec<f64> = near.map(|value| value + 0.3 * (random.uniform() - 0.5)).collect();
            let scale = tokens as f64 / length(&near);
            Cluster { sum: near.iter().map(|value| value * scale).collect(), tokens }
        };
        (0..count).map(&mut one).collect()
    }

    #[test]
    fn groups_that_hold_all_leaves_change_nothing() {
        let all = MergeTree::comparing(scattered(60), 6, 1, usize::MAX);
        let just = MergeTree::comparing(scattered(60), 6, 1, 60);
        assert!(all.pairs().eq(just.pairs()));
        assert_eq!(all.costs(1.0), just.costs(1.0));
    }

    #[test]
    fn merges_in_groups_are_a_tree_too() {
        for (leaves, compared, least) in
            [(5, 2, 1), (50, 2, 1), (50, 7, 1), (50, 16, 30), (50, 49, 49), (97, 24, 5)]
        {
            let tree = MergeTree::comparing(scattered(leaves), 6, least, compared);
            assert_eq!(tree.pairs().count(), leaves - least);
            let mut left = vec![true; leaves];
            for (into, from) in tree.pairs() {
                assert!(into < from && left[into] && left[from], "{into} and {from} of {leaves}");
                left[from] = false;
            }
            let tokens: f64 = tree.leaves.iter().map(|leaf| leaf.tokens as f64).sum();
            let costs = tree.costs(tokens);
            for (index, &(distortion, inertia)) in costs.iter().enumerate() {
                let clusters = tree.clusters(least + index);
                assert_eq!(clusters.len(), least + index);
                let lengths: f64 = clusters.iter().map(|cluster| length(&cluster.sum)).sum();
                let explained: f64 = clusters.iter().map(Cluster::explained).sum();
                assert!((distortion - (tokens - lengths)).abs() < 1e-9 * tokens);
                assert!((inertia - (tokens - explained)).abs() < 1e-9 * tokens);
            }
            assert!(costs.windows(2).all(|pair| pair[1].0 <= pair[0].0));
        }
    }

    #[test]
    fn comparing_within_groups_loses_little() {
        let tokens: u64 = scattered(1000).iter().map(|leaf| leaf.tokens).sum();
        let costs = |compared| MergeTree::comparing(scattered(1000), 6, 1, compared).costs(tokens as f64);
        let (all, groups) = (costs(1000), costs(100));
        // Measured: 0.99 to 1.014 up to half a group, 1.104 at a whole one, before any iteration of Lloyd's.
        for (codes, most) in [(2, 1.03), (10, 1.03), (40, 1.03), (100, 1.15)] {
            let ratio = groups[codes - 1].0 / all[codes - 1].0;
            assert!(ratio < most, "{codes} codes: {ratio}");
        }
    }
}
