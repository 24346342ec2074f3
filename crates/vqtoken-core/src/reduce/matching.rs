//! Bipartite soft matching: each source token finds its most similar target, and the best pairs merge.

use super::nearest::{gather, nearest};
use super::reduction::Reduction;
use crate::grid::TokenGrid;
use crate::unit_tokens::normalize;

/// A clip being merged. Tokens keep the index that they have in the grid; callers list those that are left.
#[derive(Clone)]
pub(crate) struct Merging {
    dim: usize,
    data: Vec<f32>,
    /// How many grid tokens each token stands for.
    sizes: Vec<u32>,
    /// The token that each was merged into; itself if it is left.
    parents: Vec<u32>,
    left: usize,
    flops: u64,
}

/// A source, its most similar target, and their cosine.
pub(crate) struct Pair {
    source: u32,
    target: u32,
    cosine: f32,
}

impl Merging {
    pub(crate) fn new(grid: &TokenGrid) -> Self {
        let tokens = grid.shape().len();
        let (sizes, parents) = (vec![1; tokens], (0..tokens as u32).collect());
        Self { dim: grid.dim(), data: grid.data().to_vec(), sizes, parents, left: tokens, flops: 0 }
    }

    /// Tokens that are left.
    pub(crate) fn len(&self) -> usize {
        self.left
    }

    /// Whether a token has not been merged into another.
    pub(crate) fn is_left(&self, token: u32) -> bool {
        self.parents[token as usize] == token
    }

    /// Each source with the target of the largest cosine, ties to the first; none without targets.
    pub(crate) fn pairs(&mut self, sources: &[u32], targets: &[u32]) -> Vec<Pair> {
        if targets.is_empty() {
            return Vec::new();
        }
        let units = |tokens: &[u32]| {
            normalize(&gather(&self.data, self.dim, tokens.iter().map(|&token| token as usize)), self.dim)
        };
        let matches = nearest(&units(sources), &units(targets), self.dim);
        let (normalize, compare) = (3 * (sources.len() + targets.len()), 2 * sources.len() * targets.len());
        self.flops += ((normalize + compare) * self.dim) as u64;
        let pair = |(&source, (target, cosine)): (&u32, (u32, f32))| Pair {
            source,
            target: targets[target as usize],
            cosine,
        };
        sources.iter().zip(matches).map(pair).collect()
    }

    /// Merges the `count` pairs of the largest cosine, ties to the first: a target becomes the mean of itself and its sources,
    /// weighted by how many grid tokens each stands for.
    pub(crate) fn merge(&mut self, mut pairs: Vec<Pair>, count: usize) {
        pairs.sort_by(|a, b| b.cosine.total_cmp(&a.cosine));
        pairs.truncate(count);
        pairs.sort_by_key(|pair| pair.target);
        for group in pairs.chunk_by(|a, b| a.target == b.target) {
            let target = group[0].target as usize;
            let mut sum = vec![0.0f64; self.dim];
            let mut size = 0;
            for token in std::iter::once(target).chain(group.iter().map(|pair| pair.source as usize)) {
                let (row, weight) = (&self.data[token * self.dim..][..self.dim], self.sizes[token]);
                sum.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(weight) * f64::from(x));
                size += weight;
                self.parents[token] = target as u32;
            }
            let row = &mut self.data[target * self.dim..][..self.dim];
            row.iter_mut().zip(sum).for_each(|(x, sum)| *x = (sum / f64::from(size)) as f32);
            self.sizes[target] = size;
        }
        self.left -= pairs.len();
        self.flops += (3 * pairs.len() * self.dim) as u64;
    }

    /// ToMe on the tokens of `order`, all that are left, until `budget` are.
    pub(crate) fn halve_until(&mut self, mut order: Vec<u32>, budget: usize) {
        while self.left > budget {
            order = self.halve(order, budget);
        }
    }

    /// ToMe on the tokens of `order`, all that are left, as long as a whole half can be merged without going below `budget`. Returns
    /// the tokens that are left, in the order of the next call.
    pub(crate) fn halve_above(&mut self, mut order: Vec<u32>, budget: usize) -> Vec<u32> {
        while self.left > budget && self.left - order.len() / 2 >= budget {
            order = self.halve(order, budget);
        }
        order
    }

    /// One call of ToMe, down to `budget` at most.
    fn halve(&mut self, order: Vec<u32>, budget: usize) -> Vec<u32> {
        let sources: Vec<u32> = order.iter().copied().step_by(2).collect();
        let targets: Vec<u32> = order.iter().copied().skip(1).step_by(2).collect();
        let pairs = self.pairs(&sources, &targets);
        self.merge(pairs, (self.left - budget).min(order.len() / 2));
        sources.into_iter().filter(|&token| self.is_left(token)).chain(targets).collect()
    }

    /// The tokens that are left, each at its own position.
    pub(crate) fn finish(mut self) -> Reduction {
        for token in 0..self.parents.len() {
            let mut owner = self.parents[token] as usize;
            while self.parents[owner] as usize != owner {
                owner = self.parents[owner] as usize;
            }
            self.parents[token] = owner as u32;
        }
        let left: Vec<usize> = (0..self.parents.len()).filter(|&token| self.is_left(token as u32)).collect();
        let values = gather(&self.data, self.dim, left.iter().copied());
        let mut rows = vec![None; self.parents.len()];
        left.iter().enumerate().for_each(|(row, &token)| rows[token] = Some(row as u32));
        let owners: Vec<Option<u32>> = self.parents.iter().map(|&parent| rows[parent as usize]).collect();
        Reduction::merged(self.dim, &values, &left, &owners, self.flops)
    }
}
