//! All pairs of an archive that show the same.

use rayon::prelude::*;
use vqtoken_core::VideoTokens;

use crate::alignment::Alignment;
use crate::candidates::{Candidate, second_look};
use crate::comparison::Comparison;
use crate::error::SimilarityError;
use crate::signature::Signature;

/// Videos that are worked on between two reports of progress.
const CHUNK: usize = 128;

/// What counts as a duplicate, and how hard to look.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct DuplicateOptions {
    /// The least [`Alignment::score`], in `[0, 1]`.
    pub threshold: f32,
    /// Videos that each video is compared with exactly, at most.
    pub candidates: usize,
    /// The least likeness of signatures that are worth an exact comparison, in `[0, 1]`: that of [`Candidate::likeness`], and before it
    /// that of the quarters of both videos. In trials clips in transformed copies had 0.86 and more, other clips seldom 0.75.
    pub least_likeness: f32,
}

impl DuplicateOptions {
    /// Pairs of at least this score, among the 24 most alike videos of each.
    pub fn new(threshold: f32) -> Self {
        Self { threshold, candidates: 24, least_likeness: 0.7 }
    }
}

/// Two videos that show the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Duplicate {
    /// The place of the first among the signatures.
    pub a: usize,
    /// That of the second, above `a`.
    pub b: usize,
    /// [`Comparison::similarity`] of their codes.
    pub similarity: f32,
    /// Where they do.
    pub alignment: Alignment,
}

/// What [`duplicates`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Duplicates<E> {
    /// By `a`, then by `b`.
    pub pairs: Vec<Duplicate>,
    /// Videos that could not be loaded, by index, with the first reason.
    pub failed: Vec<(usize, E)>,
}

impl<E> Duplicates<E> {
    /// Videos that are joined by pairs, each group ascending, groups by their first video.
    pub fn groups(&self) -> Vec<Vec<usize>> {
        let mut first: std::collections::BTreeMap<usize, usize> = std::collections::BTreeMap::new();
        fn root(first: &std::collections::BTreeMap<usize, usize>, mut video: usize) -> usize {
            while let Some(&before) = first.get(&video).filter(|&&before| before != video) {
                video = before;
            }
            video
        }
        for pair in &self.pairs {
            let (a, b) = (root(&first, pair.a), root(&first, pair.b));
            // The smaller one is the root, so that a group's name is its first video.
            first.insert(a.max(b), a.min(b));
            first.entry(a.min(b)).or_insert(a.min(b));
            first.entry(pair.a).or_insert(a.min(b));
            first.entry(pair.b).or_insert(a.min(b));
        }
        let mut groups: std::collections::BTreeMap<usize, Vec<usize>> = std::collections::BTreeMap::new();
        for &video in first.keys() {
            groups.entry(root(&first, video)).or_default().push(video);
        }
        groups.into_values().collect()
    }
}

/// All pairs of videos that show the same, found by their signatures and then compared exactly. `load` gives the video tokens of a
/// signature's index; no more than two videos a thread are held at once. The result is the same for any number of threads.
///
/// `progress` is called with what is done and what there is to do, in steps of videos: each is looked up, then compared. `cancelled`
/// is asked before each.
///
/// # Errors
/// If signatures do not belong together, the threshold is out of range, a loaded video is of another model than the one before, or it
/// was cancelled. Videos that cannot be loaded are reported in the result; those of one instant have no pairs.
pub fn duplicates<E: Send>(
    comparison: &Comparison,
    signatures: &[Signature],
    load: impl Fn(usize) -> Result<VideoTokens, E> + Sync,
    options: DuplicateOptions,
    mut progress: impl FnMut(usize, usize),
    cancelled: impl Fn() -> bool + Sync,
) -> Result<Duplicates<E>, SimilarityError> {
    check(signatures, options)?;
    let count = signatures.len();
    let mut found: Vec<(usize, Vec<Candidate>)> = Vec::new();
    for start in (0..count).step_by(CHUNK) {
        let chunk = (start..count.min(start + CHUNK)).into_par_iter();
        let chunk: Vec<_> = chunk
            .map(|index| match cancelled() {
                true => Err(SimilarityError::Cancelled),
                false => Ok((index, later_candidates(signatures, index, options))),
            })
            .collect::<Result<_, _>>()?;
        found.extend(chunk.into_iter().filter(|(_, candidates)| !candidates.is_empty()));
        progress(count.min(start + CHUNK), 2 * count);
    }
    let mut duplicates = Duplicates { pairs: Vec::new(), failed: Vec::new() };
    for chunk in found.chunks(CHUNK) {
        let compared: Vec<Compared<E>> = chunk
            .par_iter()
            .map(|(index, candidates)| {
                compare(comparison, *index, candidates, &load, options.threshold, &cancelled)
            })
            .collect::<Result<_, _>>()?;
        for compared in compared {
            duplicates.pairs.extend(compared.pairs);
            duplicates.failed.extend(compared.failed);
        }
        progress(count + chunk.last().map_or(0, |(index, _)| index + 1), 2 * count);
    }
    progress(2 * count, 2 * count);
    duplicates.failed.sort_by_key(|(index, _)| *index);
    duplicates.failed.dedup_by_key(|(index, _)| *index);
    Ok(duplicates)
}

fn check(signatures: &[Signature], options: DuplicateOptions) -> Result<(), SimilarityError> {
    if !(0.0..=1.0).contains(&options.threshold) {
        return Err(SimilarityError::Threshold { threshold: options.threshold });
    }
    let other = |first: &Signature| signatures.iter().position(|other| !other.is_comparable_with(first));
    match signatures.first().and_then(other) {
        Some(b) => Err(SimilarityError::Signatures { a: 0, b }),
        None => Ok(()),
    }
}

/// The candidates of a video among those after it, by index.
fn later_candidates(signatures: &[Signature], index: usize, options: DuplicateOptions) -> Vec<Candidate> {
    let query = &signatures[index];
    let later = (index + 1..signatures.len())
        .map(|index| Candidate { index, likeness: query.first_look(&signatures[index]) })
        .filter(|candidate| candidate.likeness >= options.least_likeness);
    let mut best = second_look(query, signatures, later.collect(), options.candidates);
    best.retain(|candidate| candidate.likeness >= options.least_likeness);
    best.sort_unstable_by_key(|candidate| candidate.index);
    best
}

struct Compared<E> {
    pairs: Vec<Duplicate>,
    failed: Vec<(usize, E)>,
}

fn compare<E>(
    comparison: &Comparison,
    a: usize,
    candidates: &[Candidate],
    load: &(impl Fn(usize) -> Result<VideoTokens, E> + Sync),
    threshold: f32,
    cancelled: &(impl Fn() -> bool + Sync),
) -> Result<Compared<E>, SimilarityError> {
    let mut compared = Compared { pairs: Vec::new(), failed: Vec::new() };
    let first = match load(a) {
        Ok(tokens) => tokens,
        Err(error) => {
            compared.failed.push((a, error));
            return Ok(compared);
        }
    };
    for &Candidate { index: b, .. } in candidates {
        if cancelled() {
            return Err(SimilarityError::Cancelled);
        }
        let second = match load(b) {
            Ok(tokens) => tokens,
            Err(error) => {
                compared.failed.push((b, error));
                continue;
            }
        };
        match comparison.align_at_least(&first, &second, threshold) {
            Ok(alignment) if alignment.score >= threshold => {
                let similarity = comparison.similarity(&first, &second)?;
                compared.pairs.push(Duplicate { a, b, similarity, alignment });
            }
            Ok(_) | Err(SimilarityError::OneFrame { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(compared)
}
