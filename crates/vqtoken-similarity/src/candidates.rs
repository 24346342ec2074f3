//! The signatures that are most like one of them.

use std::cmp::Ordering;

use rayon::prelude::*;

use crate::error::SimilarityError;
use crate::signature::Signature;

/// How many times as many as are asked for go into the second look, and how many at least.
const SECOND_LOOK: usize = 8;
const LEAST_LOOKED_AT: usize = 256;

/// A video that may show the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Its place among the signatures.
    pub index: usize,
    /// How alike the signatures are, in `[0, 1]`; not comparable with the scores of exact comparisons.
    pub likeness: f32,
}

/// The `most` signatures that are most like `query`, best first, equal ones by index. If `query` is among them it is found, too.
///
/// # Errors
/// If one was made with another model or mean than `query`; it is named as `b`, and `a` is its place again.
pub fn candidates(
    query: &Signature,
    signatures: &[Signature],
    most: usize,
) -> Result<Vec<Candidate>, SimilarityError> {
    if let Some(index) = signatures.iter().position(|signature| !signature.is_comparable_with(query)) {
        return Err(SimilarityError::Signatures { a: index, b: index });
    }
    let all: Vec<Candidate> = (0..signatures.len())
        .into_par_iter()
        .map(|index| Candidate { index, likeness: query.first_look(&signatures[index]) })
        .collect();
    Ok(second_look(query, signatures, all, most))
}

/// The best of those that had a first look, by all their frames.
pub(crate) fn second_look(
    query: &Signature,
    signatures: &[Signature],
    mut all: Vec<Candidate>,
    most: usize,
) -> Vec<Candidate> {
    keep_best(&mut all, most.saturating_mul(SECOND_LOOK).max(LEAST_LOOKED_AT));
    for candidate in &mut all {
        candidate.likeness = query.likeness(&signatures[candidate.index]);
    }
    keep_best(&mut all, most);
    all.sort_unstable_by(better);
    all
}

fn keep_best(all: &mut Vec<Candidate>, most: usize) {
    if most < all.len() {
        if most > 0 {
            all.select_nth_unstable_by(most - 1, better);
        }
        all.truncate(most);
    }
}

fn better(a: &Candidate, b: &Candidate) -> Ordering {
    b.likeness.total_cmp(&a.likeness).then(a.index.cmp(&b.index))
}
