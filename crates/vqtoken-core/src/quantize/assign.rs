//! The assignment step: for each token the centroid of the largest cosine.

use rayon::prelude::*;

use crate::codebook::{Codebook, CodebookError};
use crate::products::products;
use crate::unit_tokens::{UnitTokens, normalize};

/// Tokens whose cosines are computed together: with their centroids they fit a core's cache.
const BLOCK: usize = 64;

/// For each token the id of the centroid with the largest cosine, ties to the lowest id, `[N]`.
///
/// The cosine with a zero vector is 0, so a zero token belongs to centroid 0.
///
/// # Errors
/// If tokens and centroids differ in D.
pub fn assign(tokens: &UnitTokens, centroids: &Codebook) -> Result<Vec<u32>, CodebookError> {
    centroids.check_dim(tokens.dim())?;
    Ok(nearest(tokens, &normalize(centroids.data(), tokens.dim())))
}

/// For each token the id of the unit vector of `directions` `[K, D]` with the largest cosine, ties to the lowest id, `[N]`.
pub(crate) fn nearest(tokens: &UnitTokens, directions: &[f32]) -> Vec<u32> {
    let dim = tokens.dim();
    let codes = directions.len() / dim;
    let mut labels = vec![0; tokens.len()];
    let blocks = tokens.data().par_chunks(BLOCK * dim).zip(labels.par_chunks_mut(BLOCK));
    blocks.for_each(|(tokens, labels)| {
        let mut cosines = vec![0.0; labels.len() * codes];
        products(tokens, directions, dim, &mut cosines);
        labels.iter_mut().zip(cosines.chunks_exact(codes)).for_each(|(label, row)| *label = best(row).0);
    });
    labels
}

/// The cosines of all tokens with unit vectors `directions` `[K, D]`, `[N, K]`.
pub(crate) fn cosines(tokens: &UnitTokens, directions: &[f32]) -> Vec<f32> {
    let dim = tokens.dim();
    let codes = directions.len() / dim;
    let mut cosines = vec![0.0; tokens.len() * codes];
    let blocks = tokens.data().par_chunks(BLOCK * dim).zip(cosines.par_chunks_mut(BLOCK * codes));
    blocks.for_each(|(tokens, cosines)| products(tokens, directions, dim, cosines));
    cosines
}

/// The largest of the cosines `[K]` of one token and whose it is, ties to the lowest id.
pub(crate) fn best(cosines: &[f32]) -> (u32, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (label, &cosine) in cosines.iter().enumerate() {
        if cosine > best.1 {
            best = (label as u32, cosine);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{GridShape, TokenGrid};

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
