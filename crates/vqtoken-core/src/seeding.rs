//! k-means++ seeding (Arthur and Vassilvitskii, SODA 2007) with squared chord distances, 2 (1 - cosine).

use rayon::prelude::*;

use crate::assign::squared_distance;
use crate::kmeans::SAME_DIRECTION;
use crate::random::Random;
use crate::unit_tokens::UnitTokens;

/// Up to `codes` tokens as initial centroids, in the order drawn: the first uniformly, each further one in proportion
/// to its squared distance to the nearest before it.
///
/// Fewer come back when the tokens have no further direction left; tokens without direction are never drawn, so
/// none at all come back when every token is zero. The seeds of a smaller K are the first ones of a larger K.
pub(crate) fn seed(tokens: &UnitTokens, codes: usize, seed: u64) -> Vec<usize> {
    let mut random = Random::new(seed);
    let mut weights: Vec<f32> =
        (0..tokens.len()).map(|token| if tokens.has_direction(token) { 1.0 } else { 0.0 }).collect();
    let mut seeds = Vec::new();
    while seeds.len() < codes {
        let Some(drawn) = draw(&weights, random.uniform()) else { break };
        let center = tokens.token(drawn);
        let first = seeds.is_empty();
        weights.par_iter_mut().enumerate().with_min_len(64).for_each(|(token, weight)| {
            if *weight > 0.0 {
                let distance = squared_distance(tokens.token(token), center);
                // A chord of d squared is a cosine of 1 - d / 2.
                let distance = if distance > 2.0 * SAME_DIRECTION { distance } else { 0.0 };
                *weight = if first { distance } else { weight.min(distance) };
            }
        });
        seeds.push(drawn);
    }
    seeds
}

/// The index at which the running sum of weights first exceeds `uniform` of the total; `None` if all are 0.
fn draw(weights: &[f32], uniform: f64) -> Option<usize> {
    let total: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
    let mut sum = 0.0;
    let mut last = None;
    for (index, &weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        sum += f64::from(weight);
        last = Some(index);
        if sum > uniform * total {
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
