//! Spherical k-means: Lloyd's iterations from given centroids.

use crate::assign::{Nearest, nearest};
use crate::codebook::{Codebook, CodebookError};
use crate::means::means;
use crate::unit_tokens::UnitTokens;

/// Tokens whose cosine is within this of 1 point the same way: closer ones cannot be told apart by f32 cosines.
pub(crate) const SAME_DIRECTION: f32 = 5e-7;

/// What becomes of a centroid that no token is nearest to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmptyCode {
    /// It stays where it is, as in the published code.
    Keep,
    /// It moves to the token with the smallest cosine to its own centroid, so that K codes are used whenever the
    /// tokens have K distinct directions.
    Reseed,
}

/// What one iteration did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Iteration {
    /// The sum over tokens of 1 - cosine to the nearest centroid, before the centroids moved. This is what spherical
    /// k-means minimises: it never increases (beyond rounding).
    pub distortion: f64,
    /// The sum of squared distances from each unit token to the mean of its cluster, after the centroids moved.
    pub inertia: f64,
    /// How many tokens changed their code.
    pub moved: usize,
}

/// Where Lloyd's iterations ended.
#[derive(Clone, Debug, PartialEq)]
pub struct LloydFit {
    /// For each token its nearest centroid, `[N]`.
    pub labels: Vec<u32>,
    /// The last centroids, `[K, D]`: every label is the nearest of these, converged or not.
    pub centroids: Codebook,
    /// The means of the members after the final assignment, `[K, D]`; an empty one keeps its centroid. Equal to
    /// `centroids` once converged.
    pub codebook: Codebook,
    /// The sum over tokens of 1 - cosine to the nearest of `centroids`.
    pub distortion: f64,
    /// The sum of squared distances from each unit token to its code.
    pub inertia: f64,
    /// What each iteration did.
    pub iterations: Vec<Iteration>,
    /// Whether the last assignment changed no label, so that any further iteration would change nothing.
    pub converged: bool,
}

/// Spherical k-means from `initial` centroids `[K, D]`: assign each token to the centroid of the largest cosine (ties to
/// the lowest id), move each centroid to the mean of its members, until no label changes or `max_iterations` are done;
/// then a final assignment. Sums are f64 in the order of the tokens, so the number of threads does not show.
///
/// Source: VQToken, section 3.2 (cosine similarity, codes are cluster means).
///
/// # Errors
/// If tokens and centroids differ in D.
pub fn lloyd(
    tokens: &UnitTokens,
    initial: &Codebook,
    max_iterations: usize,
    empty: EmptyCode,
) -> Result<LloydFit, CodebookError> {
    initial.check_dim(tokens.dim())?;
    let (codes, dim) = (initial.codes(), initial.dim());
    let mut centroids = initial.data().to_vec();
    let mut labels: Vec<u32> = Vec::new();
    let mut iterations = Vec::new();
    let mut converged = false;
    while !converged && iterations.len() < max_iterations {
        let mut assigned = nearest(tokens, &centroids);
        let distortion = distortion(&assigned);
        if empty == EmptyCode::Reseed {
            reseed(tokens, &mut assigned, codes);
        }
        let moved = replace(&mut labels, &assigned);
        let clusters = means(tokens, &labels, &centroids);
        centroids = clusters.means;
        iterations.push(Iteration { distortion, inertia: clusters.inertia, moved });
        converged = moved == 0;
    }
    let assigned = nearest(tokens, &centroids);
    converged = replace(&mut labels, &assigned) == 0;
    let clusters = means(tokens, &labels, &centroids);
    Ok(LloydFit {
        labels,
        centroids: Codebook::new(codes, dim, centroids)?,
        codebook: Codebook::new(codes, dim, clusters.means)?,
        distortion: distortion(&assigned),
        inertia: clusters.inertia,
        iterations,
        converged,
    })
}

fn distortion(assigned: &[Nearest]) -> f64 {
    assigned.iter().map(|nearest| (1.0 - f64::from(nearest.cosine)).max(0.0)).sum()
}

/// Takes over the new labels and counts those that differ.
fn replace(labels: &mut Vec<u32>, assigned: &[Nearest]) -> usize {
    let fresh: Vec<u32> = assigned.iter().map(|nearest| nearest.label).collect();
    let moved = if labels.is_empty() {
        fresh.len()
    } else {
        labels.iter().zip(&fresh).filter(|(old, new)| old != new).count()
    };
    *labels = fresh;
    moved
}

/// Gives every empty code the worst-represented token that another code can spare, as long as that token points
/// another way than its code.
fn reseed(tokens: &UnitTokens, assigned: &mut [Nearest], codes: usize) {
    let mut members = vec![0usize; codes];
    assigned.iter().for_each(|nearest| members[nearest.label as usize] += 1);
    for empty in 0..codes {
        if members[empty] > 0 {
            continue;
        }
        let spare = |&(token, nearest): &(usize, &Nearest)| {
            members[nearest.label as usize] > 1
                && nearest.cosine < 1.0 - SAME_DIRECTION
                && tokens.has_direction(token)
        };
        let candidates = assigned.iter().enumerate().filter(spare);
        // `min_by` keeps the first of equals: the choice depends on the order of the tokens alone.
        let Some((token, nearest)) = candidates.min_by(|(_, a), (_, b)| a.cosine.total_cmp(&b.cosine)) else {
            return;
        };
        members[nearest.label as usize] -= 1;
        members[empty] = 1;
        assigned[token] = Nearest { label: empty as u32, cosine: 1.0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{GridShape, TokenGrid};

    fn tokens(rows: &[[f32; 2]]) -> UnitTokens {
        let shape = GridShape { frames: rows.len(), height: 1, width: 1 };
        UnitTokens::new(&TokenGrid::new(shape, 2, rows.concat()).unwrap())
    }

    #[test]
    fn empty_codes_are_kept_or_reseeded() {
        let tokens = tokens(&[[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]);
        let initial = Codebook::new(2, 2, vec![1.0, 1.0, -1.0, -1.0]).unwrap();
        let kept = lloyd(&tokens, &initial, 10, EmptyCode::Keep).unwrap();
        assert_eq!(kept.labels, [0, 0, 0]);
        assert_eq!(kept.codebook.code(1), [-1.0, -1.0]);
        let reseeded = lloyd(&tokens, &initial, 10, EmptyCode::Reseed).unwrap();
        // The first token is as badly represented as the last, and comes first.
        assert_eq!(reseeded.labels, [1, 1, 0]);
        assert!(kept.converged && reseeded.converged);
    }

    #[test]
    fn opposite_tokens_in_one_code_are_finite() {
        let fit = lloyd(
            &tokens(&[[1.0, 0.0], [-1.0, 0.0]]),
            &Codebook::new(1, 2, vec![1.0, 0.0]).unwrap(),
            5,
            EmptyCode::Reseed,
        );
        let fit = fit.unwrap();
        assert_eq!((fit.codebook.code(0), fit.inertia), (&[0.0, 0.0][..], 2.0));
    }

    #[test]
    fn no_iterations_only_assign() {
        let fit = lloyd(
            &tokens(&[[1.0, 0.0], [0.0, 1.0]]),
            &Codebook::new(2, 2, vec![0.0, 2.0, 1.0, 1.0]).unwrap(),
            0,
            EmptyCode::Keep,
        );
        let fit = fit.unwrap();
        assert_eq!(fit.labels, [1, 0]);
        assert_eq!(fit.centroids.data(), [0.0, 2.0, 1.0, 1.0]);
        assert_eq!(fit.codebook.data(), [0.0, 1.0, 1.0, 0.0]);
        assert!(!fit.converged);
    }

    #[test]
    fn other_dimensions_are_refused() {
        let initial = Codebook::new(1, 3, vec![0.0; 3]).unwrap();
        assert_eq!(
            lloyd(&tokens(&[[1.0, 0.0]]), &initial, 1, EmptyCode::Keep),
            Err(CodebookError::Dimension { tokens: 2, codes: 3 })
        );
    }
}
