//! Greedy k-means++ seeding (Arthur and Vassilvitskii, SODA 2007) with squared chord distances, 2 (1 - cosine).

use rayon::prelude::*;

use crate::products::products;
use crate::quantize::kmeans::SAME_DIRECTION;
use crate::random::Random;
use crate::unit_tokens::UnitTokens;

/// Tokens drawn for each seed, of which the best is kept: as many as fit a tile of products. Five end no lower. The number must not
/// depend on K, or the seeds of a smaller K would not be the first ones of a larger.
pub(crate) const CANDIDATES: usize = 3;

/// Tokens whose distances are computed together; sums over blocks are the same for any number of threads.
const BLOCK: usize = 64;

/// Up to `codes` tokens as initial centroids, in the order drawn. The first is drawn uniformly; for each further one
/// some are drawn in proportion to their squared distance to the nearest seed so far, and the one is kept that leaves
/// the smallest sum of these distances.
///
/// Fewer come back when the tokens have no further direction left; tokens without direction are never drawn, so
/// none at all come back when every token is zero. The seeds of a smaller K are the first ones of a larger K.
pub(crate) fn seed(tokens: &UnitTokens, codes: usize, random: &mut Random) -> Vec<usize> {
    seed_from(tokens, codes, CANDIDATES, random)
}

/// `codes` tokens as initial centroids by plain k-means++, one draw a seed, as in the published procedure. When the tokens
/// have no further direction left, the first token fills up.
pub(crate) fn seed_plainly(tokens: &UnitTokens, codes: usize, random: &mut Random) -> Vec<usize> {
    let mut seeds = seed_from(tokens, codes, 1, random);
    seeds.resize(codes, 0);
    seeds
}

/// As [`seed`], with as many candidates for each seed as given.
pub(crate) fn seed_from(
    tokens: &UnitTokens,
    codes: usize,
    candidates: usize,
    random: &mut Random,
) -> Vec<usize> {
    // The squared distance to the nearest seed; before there is one, the same for all that can be drawn.
    let mut weights: Vec<f32> =
        (0..tokens.len()).map(|token| if tokens.has_direction(token) { FARTHEST } else { 0.0 }).collect();
    let mut seeds = Vec::new();
    while seeds.len() < codes {
        let draws = if seeds.is_empty() { 1 } else { candidates };
        let candidates = draw(&weights, draws, random);
        let Some(kept) = keep_best(tokens, &mut weights, &candidates) else { break };
        seeds.push(kept);
    }
    seeds
}

/// The largest squared distance of two unit tokens, with room for rounding.
const FARTHEST: f32 = 4.5;

/// The candidate that leaves the smallest sum of weights, the first among equals; the weights become those it leaves.
fn keep_best(tokens: &UnitTokens, weights: &mut [f32], candidates: &[usize]) -> Option<usize> {
    let (dim, count) = (tokens.dim(), candidates.len());
    if count == 0 {
        return None;
    }
    let centers: Vec<f32> =
        candidates.iter().flat_map(|&candidate| tokens.token(candidate)).copied().collect();
    let mut remaining = vec![0.0; tokens.len() * count];
    let blocks = tokens.data().par_chunks(BLOCK * dim).zip(weights.par_chunks(BLOCK));
    let of_block = |((tokens, weights), remaining): ((&[f32], &[f32]), &mut [f32])| {
        products(tokens, &centers, dim, remaining);
        let mut totals = vec![0.0; count];
        let rows = tokens.chunks_exact(dim).zip(weights).zip(remaining.chunks_exact_mut(count));
        for ((token, &weight), remaining) in rows {
            for ((remaining, total), center) in
                remaining.iter_mut().zip(&mut totals).zip(centers.chunks_exact(dim))
            {
                *remaining = left(weight, *remaining, token, center);
                *total += f64::from(*remaining);
            }
        }
        totals
    };
    let totals: Vec<Vec<f64>> = blocks.zip(remaining.par_chunks_mut(BLOCK * count)).map(of_block).collect();
    let total = |candidate: usize| totals.iter().map(|totals| totals[candidate]).sum::<f64>();
    // `min_by` keeps the first of equals.
    let best = (0..count).min_by(|&a, &b| total(a).total_cmp(&total(b)))?;
    weights
        .iter_mut()
        .zip(remaining.chunks_exact(count))
        .for_each(|(weight, remaining)| *weight = remaining[best]);
    Some(candidates[best])
}

/// A token's squared distance to the nearest seed once `center` is one; 0 for what points its way.
fn left(weight: f32, cosine: f32, token: &[f32], center: &[f32]) -> f32 {
    // Unit vectors of cosine c are 2 (1 - c) apart, squared; close ones are told apart by their differences alone.
    let mut distance = 2.0 * (1.0 - cosine);
    if distance < CLOSE {
        distance = token.iter().zip(center).map(|(a, b)| (a - b) * (a - b)).sum();
    }
    if weight > 0.0 && distance > 2.0 * SAME_DIRECTION { weight.min(distance) } else { 0.0 }
}

/// Squared distances below this come out too rough from cosines.
const CLOSE: f32 = 1e-3;

/// `count` draws of a token in proportion to its weight: each is where the running sum of weights first exceeds a
/// uniform part of the total. None if all weights are 0.
fn draw(weights: &[f32], count: usize, random: &mut Random) -> Vec<usize> {
    let mut sum = 0.0;
    let running = |&weight: &f32| {
        sum += f64::from(weight);
        sum
    };
    let sums: Vec<f64> = weights.iter().map(running).collect();
    let Some(last) = weights.iter().rposition(|&weight| weight > 0.0) else { return vec![] };
    let mut one = || {
        let target = random.uniform() * sums[last];
        sums.partition_point(|&sum| sum <= target).min(last)
    };
    (0..count).map(|_| one()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{GridShape, TokenGrid};

    #[test]
    fn draws_follow_the_weights() {
        let drawn = draw(&[0.0, 1.0, 0.0, 3.0, 0.0], 4000, &mut Random::new(1));
        let of = |token: usize| drawn.iter().filter(|&&drawn| drawn == token).count();
        assert_eq!(of(1) + of(3), 4000);
        assert!((900..1100).contains(&of(1)), "{}", of(1));
        assert!(draw(&[0.0, 0.0], 3, &mut Random::new(1)).is_empty());
    }

    #[test]
    fn every_direction_is_drawn_once() {
        let shape = GridShape { frames: 1, height: 1, width: 6 };
        let data = vec![0.0, 0.0, 1.0, 0.0, 3.0, 0.0, 0.0, 7.0, 0.0, 0.1, -2.0, 0.0];
        let tokens = UnitTokens::new(&TokenGrid::new(shape, 2, data).unwrap());
        for start in 0..20 {
            let seeds = seed(&tokens, 6, &mut Random::new(start));
            let mut directions: Vec<&[f32]> = seeds.iter().map(|&token| tokens.token(token)).collect();
            directions.sort_by(|a, b| a.partial_cmp(b).unwrap());
            assert_eq!(directions, [[-1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]);
            assert_eq!(seed(&tokens, 2, &mut Random::new(start)), seeds[..2]);
        }
    }
}
