//! The assignment step: for each token the centroid of the largest cosine.

use rayon::prelude::*;

use crate::codebook::{Codebook, CodebookError};
use crate::unit_tokens::{UnitTokens, normalize};

/// A token's nearest centroid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Nearest {
    pub(crate) label: u32,
    pub(crate) cosine: f32,
}

/// For each token the id of the centroid with the largest cosine, ties to the lowest id, `[N]`.
///
/// The cosine with a zero vector is 0, so a zero token belongs to centroid 0.
///
/// # Errors
/// If tokens and centroids differ in D.
pub fn assign(tokens: &UnitTokens, centroids: &Codebook) -> Result<Vec<u32>, CodebookError> {
    centroids.check_dim(tokens.dim())?;
    Ok(nearest(tokens, centroids.data()).into_iter().map(|nearest| nearest.label).collect())
}

/// [`assign`] with the cosines; `centroids` are `[K, D]` with the D of the tokens.
pub(crate) fn nearest(tokens: &UnitTokens, centroids: &[f32]) -> Vec<Nearest> {
    let dim = tokens.dim();
    let directions = normalize(centroids, dim);
    let of_token = |token: &[f32]| {
        let mut best = Nearest { label: 0, cosine: f32::NEG_INFINITY };
        for (label, direction) in directions.chunks_exact(dim).enumerate() {
            let cosine = dot(token, direction);
            if cosine > best.cosine {
                best = Nearest { label: label as u32, cosine };
            }
        }
        best
    };
    tokens.data().par_chunks_exact(dim).with_min_len(64).map(of_token).collect()
}

/// Enough independent sums to fill vector registers; the order of additions is fixed, so every machine gives the
/// same bits.
const LANES: usize = 16;

pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    sum_of_pairs(a, b, |x, y| x * y)
}

pub(crate) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    sum_of_pairs(a, b, |x, y| (x - y) * (x - y))
}

#[inline(always)]
fn sum_of_pairs(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (a_blocks, b_blocks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a_blocks.remainder().iter().zip(b_blocks.remainder());
    let rest: f32 = rest.map(|(&x, &y)| term(x, y)).sum();
    for (x, y) in a_blocks.zip(b_blocks) {
        for lane in 0..LANES {
            sums[lane] += term(x[lane], y[lane]);
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{GridShape, TokenGrid};

    #[test]
    fn sums_cover_every_channel() {
        for dim in [1, 15, 16, 17, 40] {
            let a: Vec<f32> = (0..dim).map(|i| i as f32).collect();
            let b = vec![1.0; dim];
            assert_eq!(dot(&a, &b), (dim * (dim - 1) / 2) as f32);
            assert_eq!(squared_distance(&a, &a), 0.0);
            assert_eq!(squared_distance(&b, &vec![3.0; dim]), 4.0 * dim as f32);
        }
    }

    #[test]
    fn ties_and_zeros_go_to_the_lowest_id() {
        let shape = GridShape { frames: 3, height: 1, width: 1 };
        let grid = TokenGrid::new(shape, 2, vec![1.0, 1.0, 0.0, 0.0, 0.0, 5.0]).unwrap();
        let centroids = Codebook::new(3, 2, vec![9.0, 0.0, 0.0, 1.0, 0.0, 1.0]).unwrap();
        assert_eq!(assign(&UnitTokens::new(&grid), &centroids).unwrap(), [0, 0, 1]);
        let others = Codebook::new(1, 4, vec![0.0; 4]).unwrap();
        assert!(assign(&UnitTokens::new(&grid), &others).is_err());
    }
}
