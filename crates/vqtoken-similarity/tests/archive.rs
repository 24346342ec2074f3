//! Candidates and duplicates among the films of an archive.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Film, Part, joined};
use vqtoken_core::VideoTokens;
use vqtoken_similarity::{
    ArchiveMean, Comparison, DuplicateOptions, Duplicates, Signature, SimilarityError, candidates, duplicates,
};

/// Forty films, then a cut of film 3, film 7 mirrored, film 7 at double speed and a longer video with film 11.
fn archive() -> Vec<VideoTokens> {
    let mut videos: Vec<VideoTokens> = (0..40).map(|seed| Film::new(seed).whole()).collect();
    let part = Part::default();
    videos.push(Film::new(3).tokens(Part { from: 2.0, seconds: 5.0, ..part }));
    videos.push(Film::new(7).tokens(Part { mirrored: true, ..part }));
    videos.push(Film::new(7).tokens(Part { speed: 2.0, seconds: 4.0, ..part }));
    videos.push(joined(&[
        (&Film::new(90), 0.0, 4.0),
        (&Film::new(11), 0.0, 8.0),
        (&Film::new(91), 0.0, 4.0),
    ]));
    videos
}

fn comparison(videos: &[VideoTokens]) -> (Comparison, Vec<Signature>) {
    let comparison = Comparison::with_mean(ArchiveMean::of(videos).unwrap());
    let signatures = videos.iter().map(|video| comparison.signature(video).unwrap()).collect();
    (comparison, signatures)
}

fn search(videos: &[VideoTokens], threads: usize) -> Duplicates<&'static str> {
    let (comparison, signatures) = comparison(videos);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let load = |index: usize| Ok(videos[index].clone());
        duplicates(&comparison, &signatures, load, DuplicateOptions::new(0.6), |_, _| (), || false)
    })
    .unwrap()
}

#[test]
fn the_best_candidate_is_the_film_itself() {
    let videos = archive();
    let (_, signatures) = comparison(&videos);
    for (query, expected) in [(40, 3), (41, 7), (42, 7), (43, 11)] {
        let found = candidates(&signatures[query], &signatures, 6).unwrap();
        assert_eq!(found.len(), 6);
        assert!(found.is_sorted_by(|a, b| a.likeness >= b.likeness), "{found:?}");
        // All frames of a cut are in the whole, too, and mirroring changes nothing.
        assert!(found[..3].iter().any(|found| found.index == query && found.likeness > 0.99), "{found:?}");
        assert!(found.iter().any(|found| found.index == expected), "{query}: {found:?}");
    }
    assert!(candidates(&signatures[0], &signatures, 0).unwrap().is_empty());
    assert!(candidates(&signatures[0], &[], 5).unwrap().is_empty());
    assert_eq!(candidates(&signatures[0], &signatures, usize::MAX).unwrap().len(), signatures.len());
}

#[test]
fn all_pairs_are_found_with_their_alignments() {
    let found = search(&archive(), 2);
    let pairs: Vec<_> = found.pairs.iter().map(|pair| (pair.a, pair.b, pair.alignment.mirrored)).collect();
    assert_eq!(pairs, [(3, 40, false), (7, 41, true), (7, 42, false), (11, 43, false), (41, 42, true)]);
    assert_eq!(found.groups(), [vec![3, 40], vec![7, 41, 42], vec![11, 43]]);
    let inside = found.pairs[3].alignment;
    assert!((inside.b.from - 4.0).abs() < 0.3 && inside.a.from < 0.3, "{inside:?}");
}

#[test]
fn the_result_is_the_same_for_any_number_of_threads() {
    let videos = archive();
    let one = search(&videos, 1);
    assert!(!one.pairs.is_empty());
    for threads in [2, 5] {
        assert_eq!(search(&videos, threads), one);
    }
}

#[test]
fn videos_that_cannot_be_loaded_are_reported() {
    let videos = archive();
    let (comparison, signatures) = comparison(&videos);
    let load = |index: usize| if index == 41 { Err("gone") } else { Ok(videos[index].clone()) };
    let found =
        duplicates(&comparison, &signatures, load, DuplicateOptions::new(0.6), |_, _| (), || false).unwrap();
    assert_eq!(found.failed, [(41, "gone")]);
    let pairs: Vec<_> = found.pairs.iter().map(|pair| (pair.a, pair.b)).collect();
    assert_eq!(pairs, [(3, 40), (7, 42), (11, 43)]);
}

#[test]
fn progress_ascends_to_the_end() {
    let videos = archive();
    let (comparison, signatures) = comparison(&videos);
    let calls = RefCell::new(Vec::new());
    let load = |index: usize| Ok::<_, ()>(videos[index].clone());
    let progress = |done: usize, all: usize| calls.borrow_mut().push((done, all));
    duplicates(&comparison, &signatures, load, DuplicateOptions::new(0.6), progress, || false).unwrap();
    let calls = calls.into_inner();
    assert!(calls.len() >= 2 && calls.is_sorted() && calls.ends_with(&[(88, 88)]), "{calls:?}");
}

#[test]
fn a_search_is_cancelled() {
    let videos = archive();
    let (comparison, signatures) = comparison(&videos);
    // Before anything, while signatures are compared, and while videos are.
    for after in [0, 20, 46] {
        let asked = AtomicUsize::new(0);
        let load = |index: usize| Ok::<_, ()>(videos[index].clone());
        let cancelled = || asked.fetch_add(1, Ordering::Relaxed) >= after;
        let found =
            duplicates(&comparison, &signatures, load, DuplicateOptions::new(0.6), |_, _| (), cancelled);
        assert_eq!(found, Err(SimilarityError::Cancelled));
    }
}

#[test]
fn nothing_is_found_in_nothing() {
    let load = |_| Err::<VideoTokens, _>("never called");
    let found =
        duplicates(&Comparison::default(), &[], load, DuplicateOptions::new(0.5), |_, _| (), || false);
    assert_eq!(found, Ok(Duplicates { pairs: vec![], failed: vec![] }));
    for threshold in [-0.1, 1.1, f32::NAN] {
        let options = DuplicateOptions::new(threshold);
        let found = duplicates(&Comparison::default(), &[], load, options, |_, _| (), || false);
        assert!(matches!(found, Err(SimilarityError::Threshold { .. })));
    }
}
