//! Spherical k-means: Lloyd's iterations from given centroids.

use rayon::prelude::*;

use crate::codebook::{Codebook, CodebookError};
use crate::products::product;
use crate::quantize::bounds::{Assignment, Move};
use crate::quantize::means::{ClusterSums, first_moves};
use crate::unit_tokens::{UnitTokens, normalize};

/// Tokens whose cosine is within this of 1 point the same way: closer ones cannot be told apart by f32 cosines.
pub(crate) const SAME_DIRECTION: f32 = 5e-7;

/// What becomes of a centroid that no token is nearest to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmptyCode {
    /// It stays where it is, as in the published code.
    Keep,
    /// It takes the token with the smallest cosine to its own centroid and so splits that token's cluster: K codes are
    /// used whenever the tokens have K distinct directions.
    Reseed,
}

/// What one iteration did.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Iteration {
    /// The sum over tokens of 1 - cosine to the nearest centroid, before the centroids moved. This is what spherical
    /// k-means minimises: it never increases (beyond rounding).
    pub distortion: f64,
    /// The sum of squared distances from each unit token to the mean of its cluster, after the centroids moved.
    pub inertia: f64,
    /// How many tokens changed their code.
    pub moved: usize,
    /// How many codes no token was nearest to, and which split another's cluster instead.
    pub splits: usize,
}

/// Where Lloyd's iterations ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
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
    /// The sum of squared distances from each unit token to the mean of all: the inertia of a single code.
    pub variance: f64,
    /// What each iteration did.
    pub iterations: Vec<Iteration>,
    /// Whether the last assignment changed no label, so that any further iteration would change nothing.
    pub converged: bool,
}

/// Spherical k-means from `initial` centroids `[K, D]`: assign each token to the centroid of the largest cosine (ties to
/// the lowest id), move each centroid to the mean of its members, until no label changes or `max_iterations` are done;
/// then a final assignment. Cosines that cannot change a label are not computed, and the number of threads does not show.
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
    let mut directions = normalize(&centroids, dim);
    let mut assignment = Assignment::of_fit(tokens, &directions, max_iterations);
    let mut sums = ClusterSums::new(tokens, codes);
    let mut moves = first_moves(&assignment.labels);
    let mut iterations = Vec::new();
    loop {
        sums.apply(tokens, &moves);
        let distortion = sums.distortion(&directions);
        let settled = moves.is_empty();
        let last = iterations.last().is_some_and(|last: &Iteration| last.moved == 0);
        if last || iterations.len() == max_iterations {
            return Ok(LloydFit {
                labels: assignment.labels,
                codebook: Codebook::new(codes, dim, sums.means(&centroids))?,
                centroids: Codebook::new(codes, dim, centroids)?,
                distortion,
                inertia: sums.inertia(tokens),
                variance: sums.variance(tokens),
                iterations,
                converged: settled,
            });
        }
        let splits = match empty {
            EmptyCode::Keep => vec![],
            EmptyCode::Reseed => split(tokens, &directions, &mut assignment, sums.counts()),
        };
        sums.apply(tokens, &splits);
        centroids = sums.means(&centroids);
        let moved = net_moves(&moves, &splits);
        iterations.push(Iteration { distortion, inertia: sums.inertia(tokens), moved, splits: splits.len() });
        let before = std::mem::replace(&mut directions, normalize(&centroids, dim));
        moves = assignment.update(tokens, &before, &directions);
    }
}

/// How many tokens have another code after the moves and then the splits. A split may take a token back to where it was.
fn net_moves(moves: &[Move], splits: &[Move]) -> usize {
    let mut net = moves.len();
    for split in splits {
        match moves.binary_search_by_key(&split.token, |earlier| earlier.token) {
            Ok(place) if moves[place].from == Some(split.to) => net -= 1,
            Ok(_) => {}
            Err(_) => net += 1,
        }
    }
    net
}

/// Gives every empty code the worst-represented token that another code can spare, as long as that token points
/// another way than its code.
fn split(
    tokens: &UnitTokens,
    directions: &[f32],
    assignment: &mut Assignment,
    members: &[usize],
) -> Vec<Move> {
    let mut splits = Vec::new();
    if !members.contains(&0) {
        return splits;
    }
    let mut members = members.to_vec();
    let direction = |label: u32| &directions[label as usize * tokens.dim()..][..tokens.dim()];
    let own = |(token, &label): (usize, &u32)| product(tokens.token(token), direction(label));
    let mut cosines: Vec<f32> = assignment.labels.par_iter().enumerate().with_min_len(64).map(own).collect();
    for empty in 0..members.len() {
        if members[empty] > 0 {
            continue;
        }
        let spare = |&(token, &cosine): &(usize, &f32)| {
            members[assignment.labels[token] as usize] > 1
                && cosine < 1.0 - SAME_DIRECTION
                && tokens.has_direction(token)
        };
        let candidates = cosines.iter().enumerate().filter(spare);
        // `min_by` keeps the first of equals: the choice depends on the order of the tokens alone.
        let Some((token, _)) = candidates.min_by(|(_, a), (_, b)| a.total_cmp(b)) else {
            break;
        };
        members[assignment.labels[token] as usize] -= 1;
        members[empty] = 1;
        cosines[token] = 1.0;
        splits.push(assignment.reassign(token, empty as u32));
    }
    splits
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
        let splits =
            |fit: &LloydFit| fit.iterations.iter().map(|iteration| iteration.splits).collect::<Vec<_>>();
        assert_eq!((splits(&kept), splits(&reseeded)), (vec![0, 0], vec![1, 0, 0]));
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
