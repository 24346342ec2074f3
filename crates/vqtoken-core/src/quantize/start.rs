//! Where Lloyd's iterations start: micro-clusters of a sample of the tokens, merged to as many as are wanted.

use crate::budget::Budget;
use crate::codebook::{Codebook, CodebookError};
use crate::quantize::kmeans::{EmptyCode, lloyd};
use crate::quantize::merge_tree::{Cluster, MergeTree};
use crate::quantize::seeding::seed;
use crate::random::Random;
use crate::unit_tokens::UnitTokens;

/// Micro-clusters for each code wanted. On 23,328 tokens of 40 made-up clusters and K = 32, twice as many as codes end at
/// 4 to 5% less inertia than as many seeds as codes, after a tenth of the iterations; four times as many gain no more.
const MICRO_CLUSTERS: usize = 2;

/// No fewer micro-clusters than this (or than tokens): two for each of a handful of codes leave little to choose from.
const LEAST: usize = 32;

/// No more micro-clusters than this (or than codes): merging compares all pairs for every merge.
const MOST: usize = 1024;

/// Tokens of the sample for each micro-cluster. With 96, fixed fits take a fifth longer and end no lower.
const SAMPLE: usize = 64;

/// Seeds are drawn from one of so many parts of the sample: that part fits the cache, all of it does not, and the fits end as low.
const PARTS: usize = 3;

/// Draws where the best of several is kept, each from its own part of the sample.
pub(crate) const DRAWS: usize = PARTS;

/// Budgets of no more codes than this take several draws: they cost little, and a single poor code costs much.
const FEW: usize = 16;

/// Iterations that show which draw is best; what is left of the differences after them stays.
pub(crate) const TRIAL_ITERATIONS: usize = 4;

/// Iterations that settle the micro-clusters; more gain nothing.
pub(crate) const MICRO_ITERATIONS: usize = 3;

/// How many micro-clusters a budget of at most `codes` starts from, and how many of `tokens` are sampled for them.
pub(crate) fn start_size(tokens: usize, codes: usize) -> (usize, usize) {
    let clusters = codes.saturating_mul(MICRO_CLUSTERS).min(codes.max(MOST)).max(LEAST).min(tokens);
    (clusters, tokens.min(clusters.saturating_mul(SAMPLE)))
}

/// How many draws a start for a budget takes. All K of an adaptive one hang on it; of a fixed one `restarts` can make more.
pub(crate) fn draws(budget: &Budget) -> usize {
    match *budget {
        Budget::Fixed(codes) if codes > FEW => 1,
        _ => DRAWS,
    }
}

/// The start for any number of codes up to `codes`: greedy k-means++ draws twice as many seeds (at least 32) from a sample, a few
/// iterations of Lloyd's make micro-clusters of them, and these are merged. Of several
/// draws the one whose clusters suit the sample best is kept.
///
/// It has fewer micro-clusters when the tokens have fewer directions, but always at least one.
///
/// # Errors
/// Never on tokens of at least one channel.
pub(crate) fn start(
    tokens: &UnitTokens,
    codes: usize,
    draws: usize,
    random: &mut Random,
) -> Result<MergeTree, CodebookError> {
    let (most, size) = start_size(tokens.len(), codes);
    if size < tokens.len() {
        let sample = tokens.only(&sample(tokens.len(), size, random));
        if let Some(tree) = best_draw(&sample, codes, most, draws, random)? {
            return Ok(tree);
        }
        // The sample may have missed rare directions: too few to leave any out.
    }
    let mut seeds = seed(tokens, most, random);
    if seeds.is_empty() {
        // Without any direction, any token does: all of them are equally far from it.
        seeds.push(0);
    }
    micro_clusters(tokens, &seeds)
}

/// The tree that serves `codes` codes best on a sample, or none if the sample has fewer than `most` directions.
fn best_draw(
    sample: &UnitTokens,
    codes: usize,
    most: usize,
    draws: usize,
    random: &mut Random,
) -> Result<Option<MergeTree>, CodebookError> {
    let mut best: Option<(f64, MergeTree)> = None;
    for draw in 0..draws {
        let drawn: Vec<usize> = (draw % PARTS..sample.len()).step_by(PARTS).collect();
        let seeds = seed(&sample.only(&drawn), most, random);
        if seeds.len() < most {
            return Ok(None);
        }
        let seeds: Vec<usize> = seeds.iter().map(|&seed| drawn[seed]).collect();
        let tree = micro_clusters(sample, &seeds)?;
        if draws == 1 {
            return Ok(Some(tree));
        }
        let fit = lloyd(sample, &tree.centroids(codes)?, TRIAL_ITERATIONS, EmptyCode::Reseed)?;
        if best.as_ref().is_none_or(|(distortion, _)| fit.distortion < *distortion) {
            best = Some((fit.distortion, tree));
        }
    }
    Ok(best.map(|(_, tree)| tree))
}

/// The tree of the clusters around some tokens.
pub(crate) fn micro_clusters(tokens: &UnitTokens, seeds: &[usize]) -> Result<MergeTree, CodebookError> {
    let initial = seeds.iter().flat_map(|&seed| tokens.token(seed)).copied().collect();
    let initial = Codebook::new(seeds.len(), tokens.dim(), initial)?;
    let fit = lloyd(tokens, &initial, MICRO_ITERATIONS, EmptyCode::Reseed)?;
    let mut members = vec![0u64; seeds.len()];
    fit.labels.iter().for_each(|&label| members[label as usize] += 1);
    // One without members counts as one token, so that no direction is lost.
    let leaf = |(mean, &tokens): (&[f32], &u64)| {
        let tokens = tokens.max(1);
        Cluster { sum: mean.iter().map(|&value| f64::from(value) * tokens as f64).collect(), tokens }
    };
    let leaves = fit.codebook.data().chunks_exact(tokens.dim()).zip(&members).map(leaf).collect();
    Ok(MergeTree::new(leaves, tokens.dim(), 1))
}

/// One random token of each of `size` stretches of equal length, in order.
fn sample(tokens: usize, size: usize, random: &mut Random) -> Vec<usize> {
    let stretch = tokens as f64 / size as f64;
    let of_stretch = |place: usize| ((place as f64 + random.uniform()) * stretch) as usize;
    (0..size).map(of_stretch).map(|token| token.min(tokens - 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{GridShape, TokenGrid};

    #[test]
    fn samples_are_spread_evenly() {
        let sample = sample(1000, 96, &mut Random::new(3));
        assert!(sample.is_sorted() && sample.len() == 96);
        for (place, &token) in sample.iter().enumerate() {
            let stretch = 1000.0 / 96.0;
            assert!(
                (token as f64) < (place + 1) as f64 * stretch && (token + 1) as f64 > place as f64 * stretch
            );
        }
    }

    #[test]
    fn starts_stay_small() {
        assert_eq!(start_size(23_328, 32), (64, 4096));
        assert_eq!(start_size(23_328, 3), (32, 2048));
        assert_eq!(start_size(23_328, 600), (1024, 23_328));
        assert_eq!(start_size(23_328, 5000), (5000, 23_328));
        assert_eq!(start_size(40, usize::MAX), (40, 40));
    }

    #[test]
    fn rare_directions_are_not_missed() {
        // Three directions among 8,000 tokens; two of them once. The sample for three codes has 2,048.
        let mut data = [1.0f32, 0.0].repeat(8000);
        data[2 * 700..][..2].copy_from_slice(&[0.0, 1.0]);
        data[2 * 1500..][..2].copy_from_slice(&[-1.0, 0.0]);
        let shape = GridShape { frames: 1, height: 1, width: 8000 };
        let tokens = UnitTokens::new(&TokenGrid::new(shape, 2, data).unwrap());
        for seed in 0..5 {
            let start = start(&tokens, 3, 2, &mut Random::new(seed)).unwrap();
            assert_eq!(start.leaves(), 3);
            assert_eq!(start.centroids(2).unwrap().codes(), 2);
        }
    }
}
