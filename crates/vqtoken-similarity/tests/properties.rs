//! What holds for any two videos.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::video;
use proptest::collection::vec;
use proptest::prelude::*;
use vqtoken_core::VideoTokens;
use vqtoken_similarity::{ArchiveMean, Comparison, Signature, SimilarityError, align, similarity};

/// Any video of 3 channels: up to 6 codes, 6 frames of up to 3 x 4 cells, frames at any times.
fn any_video() -> impl Strategy<Value = VideoTokens> {
    (1..7_usize, 2..7_usize, 1..4_usize, 1..5_usize).prop_flat_map(|(codes, frames, height, width)| {
        let labels = vec(0..codes as u32, frames * height * width);
        let gaps = vec(prop_oneof![Just(0.0), 0.01..2.0], frames);
        (vec(-1.0_f32..1.0, codes * 3), labels, gaps).prop_map(move |(codes, labels, gaps)| {
            let mut time = 0.0;
            let times = gaps.iter().map(|gap| {
                time += gap;
                time
            });
            video(codes, 3, [frames, height, width], labels, times.collect())
        })
    })
}

fn renumbered(tokens: &VideoTokens) -> VideoTokens {
    let count = tokens.codebook.codes();
    let codes = (0..count).rev().flat_map(|code| tokens.codebook.code(code).to_vec()).collect();
    let labels = tokens.index_map.labels().iter().map(|label| count as u32 - 1 - label).collect();
    let shape = tokens.index_map.shape();
    video(codes, 3, [shape.frames, shape.height, shape.width], labels, tokens.timestamps.clone())
}

proptest! {
    #[test]
    fn similarity_is_symmetric_and_a_share(a in any_video(), b in any_video()) {
        let there = similarity(&a, &b).unwrap();
        // The mean is summed in another order.
        prop_assert!((there - similarity(&b, &a).unwrap()).abs() < 1e-4);
        prop_assert!((0.0..=1.0).contains(&there));
    }

    #[test]
    fn equal_sets_have_similarity_1_however_they_are_numbered(a in any_video()) {
        prop_assert!(similarity(&a, &a).unwrap() > 0.9999);
        prop_assert!(similarity(&a, &renumbered(&a)).unwrap() > 0.9999);
    }

    #[test]
    fn lengths_of_codes_do_not_matter(a in any_video(), b in any_video(), scale in 1e-3_f32..1e3) {
        let mut scaled = a.clone();
        let codes = a.codebook.data().iter().map(|value| value * scale).collect();
        scaled.codebook = vqtoken_core::Codebook::new(a.codebook.codes(), 3, codes).unwrap();
        prop_assert!((similarity(&a, &b).unwrap() - similarity(&scaled, &b).unwrap()).abs() < 1e-3);
    }

    #[test]
    fn an_alignment_stays_within_both_videos(a in any_video(), b in any_video()) {
        let instants = |video: &VideoTokens| video.timestamps.first() != video.timestamps.last();
        match align(&a, &b) {
            Ok(found) => {
                prop_assert!(instants(&a) && instants(&b));
                prop_assert!((0.0..=1.0).contains(&found.score) && (0.5..=2.0).contains(&found.speed), "{found:?}");
                for (stretch, video) in [(found.a, &a), (found.b, &b)] {
                    let (first, last) = (video.timestamps[0], *video.timestamps.last().unwrap());
                    prop_assert!(first <= stretch.from && stretch.from <= stretch.to && stretch.to <= last, "{found:?}");
                }
            }
            Err(error) => {
                let one_frame = matches!(error, SimilarityError::OneFrame { .. });
                prop_assert!(one_frame, "{error}");
                prop_assert!(!instants(&a) || !instants(&b));
            }
        }
    }

    #[test]
    fn signatures_come_back_from_their_bytes(a in any_video()) {
        let mean = ArchiveMean::of([&a]).unwrap();
        for signature in [Signature::of(&a).unwrap(), Comparison::with_mean(mean).signature(&a).unwrap()] {
            let bytes = signature.to_bytes();
            prop_assert!(bytes.len() <= 3092);
            prop_assert_eq!(Signature::from_bytes(&bytes).unwrap(), signature);
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..200), header in any::<bool>()) {
        let mut bytes = bytes;
        if header {
            bytes.splice(0..0, *b"VQSG\x01\x00");
        }
        prop_assert!(Signature::from_bytes(&bytes).is_err());
    }

    #[test]
    fn every_damaged_byte_of_a_signature_is_noticed(a in any_video(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut bytes = Signature::of(&a).unwrap().to_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        prop_assert!(Signature::from_bytes(&bytes).is_err());
        prop_assert!(Signature::from_bytes(&bytes[..at]).is_err());
    }
}
