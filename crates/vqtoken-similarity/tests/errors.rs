//! What cannot be compared is refused with the reason.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Film, video};
use vqtoken_core::{Codebook, GridShape, IndexMap, VideoTokens};
use vqtoken_similarity::{
    ArchiveMean, Comparison, Signature, SignatureFormatError, SimilarityError, align, candidates, similarity,
};

fn small() -> VideoTokens {
    video(vec![1.0, 0.0, 0.0, 1.0], 2, [2, 1, 1], vec![0, 1], vec![0.0, 1.0])
}

/// Refused by everything, whichever of the two it is.
#[track_caller]
fn assert_refused(bad: &VideoTokens, expected: SimilarityError) {
    assert_eq!(similarity(bad, &small()), Err(expected.clone()));
    assert_eq!(similarity(&small(), bad), Err(expected.clone()));
    assert_eq!(align(bad, &small()), Err(expected.clone()));
    assert_eq!(Signature::of(bad), Err(expected));
}

#[test]
fn videos_that_are_damaged() {
    let mut bad = small();
    bad.codebook = Codebook::new(2, 2, vec![1.0, 0.0, f32::NAN, 1.0]).unwrap();
    assert_refused(&bad, SimilarityError::NotFinite { code: 1 });
    bad.codebook = Codebook::new(2, 2, vec![f32::INFINITY, 0.0, 0.0, 1.0]).unwrap();
    assert_refused(&bad, SimilarityError::NotFinite { code: 0 });
    bad.codebook = Codebook::new(2, 2, vec![0.0; 4]).unwrap();
    assert_refused(&bad, SimilarityError::NoCodes);
    bad.codebook = Codebook::new(3, 2, vec![1.0; 6]).unwrap();
    assert_refused(&bad, SimilarityError::Codes { map: 2, codebook: 3 });
    for (timestamps, frame) in
        [(vec![0.0, f64::NAN], 1), (vec![1.0, 0.5], 1), (vec![f64::NEG_INFINITY, 0.0], 0)]
    {
        let seconds = timestamps[frame];
        let found = similarity(&VideoTokens { timestamps, ..small() }, &small()).unwrap_err();
        let is_it = |found: &SimilarityError| matches!(found, SimilarityError::Time { frame: at, seconds: time } if *at == frame && time.to_bits() == seconds.to_bits());
        assert!(is_it(&found), "{found:?}");
    }
    assert_refused(
        &VideoTokens { timestamps: vec![0.0], ..small() },
        SimilarityError::Timestamps { timestamps: 1, frames: 2 },
    );
}

#[test]
fn videos_of_other_models() {
    let other = VideoTokens { model: "other".into(), ..small() };
    let expected = SimilarityError::Models { a: "made-up".into(), b: "other".into() };
    assert_eq!(similarity(&small(), &other), Err(expected.clone()));
    assert_eq!(align(&small(), &other), Err(expected.clone()));
    assert_eq!(ArchiveMean::of([&small(), &other]), Err(expected.clone()));
    let mean = ArchiveMean::of([&small()]).unwrap();
    assert_eq!(Comparison::with_mean(mean).similarity(&other, &other), Err(expected));
    let wide = video(vec![1.0, 0.0, 0.0], 3, [2, 1, 1], vec![0, 0], vec![0.0, 1.0]);
    assert_eq!(similarity(&small(), &wide), Err(SimilarityError::Dimensions { a: 2, b: 3 }));
    let signatures = [Signature::of(&small()).unwrap(), Signature::of(&other).unwrap()];
    let found = candidates(&signatures[0], &signatures, 5);
    assert_eq!(found, Err(SimilarityError::Signatures { a: 1, b: 1 }));
}

#[test]
fn signatures_relative_to_other_means_are_not_compared() {
    let (film, other) = (Film::new(1).whole(), Film::new(2).whole());
    let own = Signature::of(&film).unwrap();
    let of_mean = |video| Comparison::with_mean(ArchiveMean::of([video]).unwrap()).signature(&film).unwrap();
    assert!(!own.is_comparable_with(&of_mean(&film)) && !of_mean(&film).is_comparable_with(&of_mean(&other)));
    assert!(of_mean(&film).is_comparable_with(&of_mean(&film)));
}

#[test]
fn a_mean_of_nothing() {
    assert_eq!(ArchiveMean::of([]), Err(SimilarityError::Mean));
    assert_eq!(ArchiveMean::new("m".into(), 0, vec![]), Err(SimilarityError::Mean));
    assert_eq!(ArchiveMean::new("m".into(), 1, vec![f32::NAN; 10]), Err(SimilarityError::Mean));
}

#[test]
fn one_frame_has_a_similarity_and_a_signature() {
    let one = video(vec![1.0, 0.0, 0.0, 1.0], 2, [1, 1, 2], vec![0, 1], vec![0.0]);
    assert!(similarity(&one, &small()).unwrap() > 0.99);
    assert_eq!(Signature::of(&one).unwrap().seconds(), 0.0);
}

#[test]
fn a_map_of_another_shape_is_no_error() {
    let mut wide = small();
    wide.index_map =
        IndexMap::new(GridShape { frames: 2, height: 3, width: 5 }, 2, [0, 1].repeat(15)).unwrap();
    assert!(similarity(&wide, &small()).unwrap() > 0.9);
}

#[test]
fn bytes_that_are_no_signature() {
    let bytes = Signature::of(&small()).unwrap().to_bytes();
    let read = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        Signature::from_bytes(&bytes).unwrap_err()
    };
    assert_eq!(read(&|bytes| bytes[0] = b'X'), SignatureFormatError::Magic);
    assert_eq!(read(&|bytes| bytes[4] = 9), SignatureFormatError::Version { found: 9, known: 1 });
    assert_eq!(read(&|bytes| bytes[20] ^= 1), SignatureFormatError::Checksum);
    let found = bytes.len();
    // A header that asks for more frames than a signature may have is not believed.
    for (frames, expected) in [([255, 255], 0), ([0, 0], 0), ([3, 0], found + 96)] {
        let vectors = usize::from(u16::from_le_bytes(frames));
        let error = read(&|bytes| bytes[6..8].copy_from_slice(&frames));
        assert_eq!(error, SignatureFormatError::Length { vectors, expected, found });
    }
    assert!(matches!(read(&|bytes| bytes.truncate(10)), SignatureFormatError::Length { .. }));
    assert!(matches!(read(&|bytes| bytes.push(0)), SignatureFormatError::Length { .. }));
}
