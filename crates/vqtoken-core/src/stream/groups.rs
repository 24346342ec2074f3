//! Groups of tokens that stay together: what a stream keeps of the tokens that have gone by.

use rayon::prelude::*;

use crate::budget::Budget;
use crate::codebook::{Codebook, CodebookError};
use crate::quantize::adaptive::{Curve, Points};
use crate::quantize::kmeans::{EmptyCode, lloyd};
use crate::quantize::means::ClusterSums;
use crate::quantize::merge_tree::{Cluster, MOST_COMPARED, MergeTree};
use crate::quantize::seeding::seed_from;
use crate::quantize::{CurvePoint, QuantizerConfig};
use crate::random::Random;
use crate::unit_tokens::{UnitTokens, length};

/// One of every so many tokens can become the seed of a group.
const SEED_EVERY: usize = 4;

/// Iterations that settle the groups of a block.
const ITERATIONS: usize = 1;

/// The group of a token without direction.
pub(crate) const NO_GROUP: u32 = u32::MAX;

/// At most `most` groups of a block's tokens, and which group each token is in, `[N]`.
///
/// # Errors
/// Never on tokens of at least one channel.
pub(crate) fn group(
    tokens: &UnitTokens,
    most: usize,
    random: &mut Random,
) -> Result<(Vec<Cluster>, Vec<u32>), CodebookError> {
    let some: Vec<usize> = (0..tokens.len()).step_by(SEED_EVERY.min(tokens.len().div_ceil(most))).collect();
    let seeds = seed_from(&tokens.only(&some), most, 1, random);
    let directed = |token: usize| tokens.has_direction(token);
    let mut labels = vec![NO_GROUP; tokens.len()];
    let initial: Vec<f32> = match seeds.is_empty() {
        false => seeds.iter().flat_map(|&seed| tokens.token(some[seed])).copied().collect(),
        true => match (0..tokens.len()).find(|&token| directed(token)) {
            Some(token) => tokens.token(token).to_vec(),
            None => return Ok((vec![], labels)),
        },
    };
    let initial = Codebook::new(initial.len() / tokens.dim(), tokens.dim(), initial)?;
    let fit = lloyd(tokens, &initial, ITERATIONS, EmptyCode::Reseed)?;
    let mut groups: Vec<Cluster> = ClusterSums::of_labels(tokens, &fit.labels, initial.codes())
        .rows()
        .into_iter()
        .map(|sum| Cluster { sum, tokens: 0 })
        .collect();
    for (token, label) in labels.iter_mut().enumerate().filter(|(token, _)| directed(*token)) {
        *label = fit.labels[token];
        groups[*label as usize].tokens += 1;
    }
    Ok((groups, labels))
}

/// The clusters of groups, as many as a budget says.
pub(crate) struct GroupFit {
    /// The groups as they were given, `[M]`.
    pub(crate) groups: Vec<Cluster>,
    /// For each group its code, `[M]`.
    pub(crate) labels: Vec<u32>,
    pub(crate) codes: usize,
    pub(crate) curve: Vec<CurvePoint>,
}

/// Quantizes groups of which each has at least one token; `squares` is the sum of the squared lengths of all tokens.
///
/// The curve of an adaptive budget and the start of Lloyd's iterations come from a few thousand clusters that the groups are joined to,
/// if there are more; the iterations are over all groups.
///
/// # Errors
/// If there is no group.
pub(crate) fn fit_groups(
    groups: Vec<Cluster>,
    dim: usize,
    squares: f64,
    config: &QuantizerConfig,
) -> Result<GroupFit, CodebookError> {
    let few = MOST_COMPARED.max(config.budget.max_codes().saturating_mul(2));
    let joined = MergeTree::new(groups, dim, few);
    let leaves = joined.clusters(few);
    let groups = joined.into_leaves();
    let (codes, curve, start) = match config.budget {
        Budget::Fixed(codes) => (codes, vec![], MergeTree::new(leaves, dim, 1)),
        Budget::Adaptive { min, max, rule } => {
            let tokens: Vec<u64> = leaves.iter().map(|leaf| leaf.tokens).collect();
            let mean = |leaf: &Cluster| {
                leaf.sum.iter().map(|value| (value / leaf.tokens.max(1) as f64) as f32).collect::<Vec<_>>()
            };
            let means: Vec<f32> = leaves.par_iter().flat_map_iter(mean).collect();
            let places: Vec<u32> = (0..tokens.len() as u32).collect();
            let points = Points { means: &means, tokens: Some(&tokens), leaves: &places };
            let tree = MergeTree::new(leaves, dim, 1);
            let curve = Curve::new(&tree, &points, squares, min..=max, rule);
            let chosen = rule.choose(&curve.points, curve.variance);
            (curve.points[chosen].codes, curve.points, tree)
        }
    };
    let start = start.centroids(codes)?;
    let points = UnitTokens::of_sums(groups.iter().map(|group| group.sum.as_slice()), dim);
    let fit = lloyd(&points, &start, config.max_iterations, EmptyCode::Reseed)?;
    Ok(GroupFit { groups, labels: fit.labels, codes: fit.codebook.codes(), curve })
}

/// The groups that are alive, and where those went that were joined.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    groups: Vec<Cluster>,
    /// The name of each living group, `[M]`.
    names: Vec<u32>,
    /// For every name ever given the name that its group goes by after it was joined; its own while it lives.
    parents: Vec<u32>,
}

impl Pool {
    /// Takes groups in, and gives each a name: the first of consecutive ones.
    pub(crate) fn add(&mut self, groups: Vec<Cluster>) -> u32 {
        let first = self.parents.len() as u32;
        let names = first..first + groups.len() as u32;
        self.parents.extend(names.clone());
        self.names.extend(names);
        self.groups.extend(groups);
        first
    }

    /// How many groups live.
    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }

    /// Joins the groups that cost least to join until `most` live.
    pub(crate) fn shrink(&mut self, dim: usize, most: usize) {
        let tree = MergeTree::new(std::mem::take(&mut self.groups), dim, most);
        for (into, from) in tree.pairs() {
            self.parents[self.names[from] as usize] = self.names[into];
        }
        self.groups = tree.clusters(most);
        let parents = &self.parents;
        self.names.retain(|&name| parents[name as usize] == name);
    }

    /// The living groups, and for every name ever given the place of its group among them.
    pub(crate) fn into_groups(mut self) -> (Vec<Cluster>, Vec<u32>) {
        let mut places = vec![0; self.parents.len()];
        for (place, &name) in self.names.iter().enumerate() {
            places[name as usize] = place as u32;
        }
        // A group joins an earlier one, so a parent's place is known before its children's.
        for name in 0..self.parents.len() {
            let parent = self.parents[name] as usize;
            if parent != name {
                places[name] = places[parent];
            }
        }
        (std::mem::take(&mut self.groups), places)
    }
}

/// The sum over tokens of 1 - cosine to their cluster's sum.
pub(crate) fn distortion(clusters: &[Cluster]) -> f64 {
    clusters.iter().map(|cluster| cluster.tokens as f64 - length(&cluster.sum)).sum::<f64>().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(sums: &[[f64; 2]]) -> Vec<Cluster> {
        sums.iter().map(|sum| Cluster { sum: sum.to_vec(), tokens: 2 }).collect()
    }

    #[test]
    fn names_follow_their_groups() {
        let mut pool = Pool::default();
        assert_eq!(pool.add(groups(&[[1.0, 0.0], [0.0, 1.0], [1.0, 0.01]])), 0);
        pool.shrink(2, 2);
        assert_eq!(pool.add(groups(&[[0.01, 1.0], [-1.0, 0.0]])), 3);
        assert_eq!(pool.len(), 4);
        pool.shrink(2, 3);
        let (left, places) = pool.into_groups();
        assert_eq!(places, [0, 1, 0, 1, 2]);
        assert_eq!(left.iter().map(|group| group.tokens).collect::<Vec<_>>(), [4, 4, 2]);
        assert_eq!(left[1].sum, [0.01, 2.0]);
    }
}
