//! Greedy k-means++ seeding (Arthur and Vassilvitskii, SODA 2007) with squared chord distances, 2 (1 - cosine).

use rayon::prelude::*;

use crate::assign::squared_distance;
use crate::kmeans::SAME_DIRECTION;
use crate::random::Random;
use crate::unit_tokens::UnitTokens;

/// Tokens drawn for each seed, of which the best is kept. On a synthetic clip of 23,328 tokens, K = 32 and five random
/// seeds, five draws end at 2 to 4.5% less inertia than one, after fewer iterations. The number must not depend on K, or
/// the seeds of a smaller K would not be the first ones of a larger.
pub(crate) const CANDIDATES: usize = 5;

/// Up to `codes` tokens as initial centroids, in the order drawn. The first is drawn uniformly; for each further one
/// some are drawn in proportion to their squared distance to the nearest seed so far, and the one is kept that leaves
/// the smallest sum of these distances.
///
/// Fewer come back when the tokens have no further direction left; tokens without direction are never drawn, so
/// none at all come back when every token is zero. The seeds of a smaller K are the first ones of a larger K.
pub(crate) fn seed(tokens: &UnitTokens, codes: usize, seed: u64) -> Vec<usize> {
    let mut random = Random::new(seed);
    // The squared distance to the nearest seed; before there is one, the same for all that can be drawn.
    let mut weights: Vec<f32> =
        (0..tokens.len()).map(|token| if tokens.has_direction(token) { FARTHEST } else { 0.0 }).collect();
    let mut seeds = Vec::new();
    while seeds.len() < codes {
        let draws = if seeds.is_empty() { 1 } else { CANDIDATES };
        let candidates: Vec<usize> = (0..draws).filter_map(|_| draw(&weights, random.uniform())).collect();
        let outcomes =
            candidates.into_iter().map(|candidate| (candidate, with_seed(tokens, &weights, candidate)));
        // `min_by` keeps the first of equals.
        let best = outcomes.min_by(|(_, a), (_, b)| total(a).total_cmp(&total(b)));
        let Some((kept, remaining)) = best else { break };
        weights = remaining;
        seeds.push(kept);
    }
    seeds
}

/// The largest squared distance of two unit tokens, with room for rounding.
const FARTHEST: f32 = 4.5;

/// The squared distances to the nearest seed once `seed` is one; 0 for what points its way.
fn with_seed(tokens: &UnitTokens, weights: &[f32], seed: usize) -> Vec<f32> {
    let center = tokens.token(seed);
    let weight = |(token, &weight): (usize, &f32)| {
        if weight == 0.0 {
            return 0.0;
        }
        let distance = squared_distance(tokens.token(token), center);
        // A squared chord of d is a cosine of 1 - d / 2.
        if distance > 2.0 * SAME_DIRECTION { weight.min(distance) } else { 0.0 }
    };
    weights.par_iter().enumerate().with_min_len(64).map(weight).collect()
}

fn total(weights: &[f32]) -> f64 {
    weights.iter().map(|&weight| f64::from(weight)).sum()
}

/// The index at which the running sum of weights first exceeds `uniform` of the total; `None` if all are 0.
fn draw(weights: &[f32], uniform: f64) -> Option<usize> {
    let target = uniform * total(weights);
    let mut sum = 0.0;
    let mut last = None;
    for (index, &weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        sum += f64::from(weight);
        last = Some(index);
        if sum > target {
            break;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{GridShape, TokenGrid};

    #[test]
    fn draws_follow_the_weights() {
        assert_eq!(draw(&[0.0, 1.0, 0.0, 3.0], 0.0), Some(1));
        assert_eq!(draw(&[0.0, 1.0, 0.0, 3.0], 0.2), Some(1));
        assert_eq!(draw(&[0.0, 1.0, 0.0, 3.0], 0.3), Some(3));
        assert_eq!(draw(&[0.0, 1.0, 0.0, 3.0, 0.0], 1.0), Some(3));
        assert_eq!(draw(&[0.0, 0.0], 0.5), None);
    }

    #[test]
    fn every_direction_is_drawn_once() {
        let shape = GridShape { frames: 1, height: 1, width: 6 };
        let data = vec![0.0, 0.0, 1.0, 0.0, 3.0, 0.0, 0.0, 7.0, 0.0, 0.1, -2.0, 0.0];
        let tokens = UnitTokens::new(&TokenGrid::new(shape, 2, data).unwrap());
        for start in 0..20 {
            let seeds = seed(&tokens, 6, start);
            let mut directions: Vec<&[f32]> = seeds.iter().map(|&token| tokens.token(token)).collect();
            directions.sort_by(|a, b| a.partial_cmp(b).unwrap());
            assert_eq!(directions, [[-1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]);
            assert_eq!(seed(&tokens, 2, start), seeds[..2]);
        }
    }
}
