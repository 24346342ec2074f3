//! The choice of K from one merge tree: a curve over all K without a fit for any of them.

use std::ops::RangeInclusive;

use rayon::prelude::*;

use crate::budget::Budget;
use crate::codebook::CodebookError;
use crate::products::products;
use crate::quantize::assign::assign;
use crate::quantize::config::QuantizerConfig;
use crate::quantize::kmeans::{EmptyCode, LloydFit, lloyd};
use crate::quantize::means::ClusterSums;
use crate::quantize::merge_tree::{Cluster, MergeTree};
use crate::quantize::result::CurvePoint;
use crate::quantize::rule::Rule;
use crate::quantize::silhouette::score;
use crate::quantize::start::{draws, start};
use crate::random::Random;
use crate::unit_tokens::UnitTokens;

/// The fit of the budget's K, or of the K that its rule prefers, and the curve it chose by.
///
/// # Errors
/// Never on tokens of at least one channel.
pub(crate) fn fit_from_trees(
    tokens: &UnitTokens,
    config: &QuantizerConfig,
) -> Result<(LloydFit, Vec<CurvePoint>), CodebookError> {
    let draws = draws(&config.budget);
    let start = |restart| {
        let random = &mut Random::of_restart(config.seed, restart);
        start(tokens, config.budget.max_codes(), draws, random)
    };
    let starts = (0..config.restarts.max(1)).map(start).collect::<Result<Vec<MergeTree>, _>>()?;
    let Budget::Adaptive { min, max, rule } = config.budget else {
        return Ok((best_fit(tokens, &starts, config)?, vec![]));
    };
    let (mut trees, mut curve) = (Vec::new(), Curve::default());
    for start in &starts {
        let (tree, leaves) = tree_of_all(tokens, start)?;
        let points = Points { means: tokens.data(), tokens: None, leaves: &leaves };
        curve.keep_best(Curve::new(&tree, &points, tokens.squares(), min..=max, rule));
        trees.push(tree);
    }
    let chosen = curve.points[rule.choose(&curve.points, curve.variance)].codes;
    let config = QuantizerConfig { budget: Budget::Fixed(chosen), ..*config };
    Ok((best_fit(tokens, &trees, &config)?, curve.points))
}

/// The fit of least distortion from any of the trees cut at the largest K of the budget, the first among equals.
fn best_fit(
    tokens: &UnitTokens,
    trees: &[MergeTree],
    config: &QuantizerConfig,
) -> Result<LloydFit, CodebookError> {
    let fit = |tree: &MergeTree| {
        let centroids = tree.centroids(config.budget.max_codes())?;
        lloyd(tokens, &centroids, config.max_iterations, EmptyCode::Reseed)
    };
    let (first, others) = trees.split_at(1);
    let mut best = fit(&first[0])?;
    for tree in others {
        let other = fit(tree)?;
        if other.distortion < best.distortion {
            best = other;
        }
    }
    Ok(best)
}

/// The merge tree of all tokens, each in the nearest of the micro-clusters of a start, and which leaf that is, `[N]`.
fn tree_of_all(tokens: &UnitTokens, start: &MergeTree) -> Result<(MergeTree, Vec<u32>), CodebookError> {
    let centroids = start.centroids(start.leaves())?;
    let mut labels = assign(tokens, &centroids)?;
    let sums = ClusterSums::of_labels(tokens, &labels, centroids.codes());
    let members = sums.counts().iter().map(|&count| count as u64);
    let leaves = sums.rows().into_iter().zip(members).map(|(sum, tokens)| Cluster { sum, tokens });
    // What no token is nearest to adds no code to the curve.
    let mut places = vec![0; centroids.codes()];
    let mut used = Vec::new();
    for (leaf, place) in leaves.zip(&mut places) {
        *place = used.len() as u32;
        if leaf.tokens > 0 {
            used.push(leaf);
        }
    }
    labels.iter_mut().for_each(|label| *label = places[*label as usize]);
    Ok((MergeTree::new(used, tokens.dim(), 1), labels))
}

/// What each K of a range costs when a tree is cut there.
#[derive(Default)]
pub(crate) struct Curve {
    pub(crate) points: Vec<CurvePoint>,
    /// The inertia of a single code.
    pub(crate) variance: f64,
}

impl Curve {
    /// Over those K of `range` that the tree can give, at least its largest. `points` are what the tree's leaves are made of: all tokens, or
    /// the leaves' own means; `squares` is the sum of the squared lengths of all tokens.
    pub(crate) fn new(
        tree: &MergeTree,
        points: &Points,
        squares: f64,
        range: RangeInclusive<usize>,
        rule: Rule,
    ) -> Self {
        let most = (*range.end()).min(tree.leaves());
        let range = (*range.start()).min(most)..=most;
        let costs = tree.costs(squares);
        let silhouettes = match rule {
            Rule::Silhouette => silhouettes(tree, points, range.clone()).into_iter().map(Some).collect(),
            _ => vec![None; range.clone().count()],
        };
        let point = |(codes, silhouette): (usize, Option<f64>)| CurvePoint {
            codes,
            distortion: costs[codes - 1].0,
            inertia: costs[codes - 1].1,
            silhouette,
            iterations: 0,
        };
        Self { points: range.zip(silhouettes).map(point).collect(), variance: costs[0].1 }
    }

    /// Takes from another curve what is better there, and the K that only it has.
    fn keep_best(&mut self, other: Self) {
        for (own, other) in self.points.iter_mut().rev().zip(other.points.iter().rev()) {
            own.distortion = own.distortion.min(other.distortion);
            own.inertia = own.inertia.min(other.inertia);
            if other.silhouette > own.silhouette {
                own.silhouette = other.silhouette;
            }
        }
        if self.points.len() < other.points.len() {
            self.points = other.points;
            self.variance = other.variance;
        }
    }
}

/// Vectors that stand for one or more tokens each, and the leaf that each belongs to.
pub(crate) struct Points<'a> {
    /// `[P, D]`.
    pub(crate) means: &'a [f32],
    /// How many tokens each stands for; one if there is no list.
    pub(crate) tokens: Option<&'a [u64]>,
    /// `[P]`.
    pub(crate) leaves: &'a [u32],
}

/// Points whose products with the leaves are computed together.
const BLOCK: usize = 64;

/// The mean cosine silhouette of the clusters at every K of a range.
///
/// A mean cosine is a product with a sum of unit vectors, and the sum of a cluster is that of its leaves: the products of every point with
/// every leaf give those with all clusters at all K. Exact for tokens; a point that stands for several counts as if their mean distances
/// were those of each.
fn silhouettes(tree: &MergeTree, points: &Points, range: RangeInclusive<usize>) -> Vec<f64> {
    let leaves = tree.clusters(tree.leaves());
    let Some(dim) = leaves.first().map(|leaf| leaf.sum.len()) else { return vec![] };
    let sums: Vec<f32> = leaves.iter().flat_map(|leaf| &leaf.sum).map(|&value| value as f32).collect();
    let cuts: Vec<Vec<u32>> = range.map(|codes| tree.labels(codes)).collect();
    let counts: Vec<Vec<u64>> = cuts.iter().map(|cut| counts(cut, &leaves)).collect();
    let of_block = |(block, means): (usize, &[f32])| {
        let mut with_leaves = vec![0.0; means.len() / dim * leaves.len()];
        products(means, &sums, dim, &mut with_leaves);
        let mut totals = vec![0.0; cuts.len()];
        for (place, with_leaves) in with_leaves.chunks_exact(leaves.len()).enumerate() {
            let point = block * BLOCK + place;
            let weight = points.tokens.map_or(1, |tokens| tokens[point]) as f64;
            let mean = &means[place * dim..][..dim];
            let with_itself = if mean.iter().any(|&value| value != 0.0) { 1.0 } else { 0.0 };
            for ((cut, counts), total) in cuts.iter().zip(&counts).zip(&mut totals) {
                let mut with_codes = vec![0.0; counts.len()];
                cut.iter()
                    .zip(with_leaves)
                    .for_each(|(&code, &with)| with_codes[code as usize] += f64::from(with));
                let own = cut[points.leaves[point] as usize] as usize;
                *total += weight * score(&with_codes, counts, own, with_itself);
            }
        }
        totals
    };
    let blocks: Vec<Vec<f64>> = points.means.par_chunks(BLOCK * dim).enumerate().map(of_block).collect();
    let tokens: u64 = leaves.iter().map(|leaf| leaf.tokens).sum();
    (0..cuts.len()).map(|cut| blocks.iter().map(|totals| totals[cut]).sum::<f64>() / tokens as f64).collect()
}

/// Tokens of each code, `[K]`.
fn counts(cut: &[u32], leaves: &[Cluster]) -> Vec<u64> {
    let codes = cut.iter().max().map_or(0, |&code| code as usize + 1);
    let mut counts = vec![0; codes];
    cut.iter().zip(leaves).for_each(|(&code, leaf)| counts[code as usize] += leaf.tokens);
    counts
}
