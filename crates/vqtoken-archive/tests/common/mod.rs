//! Small videos whose every byte follows from a number.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test file uses a part")]

use vqtoken_archive::{Archive, ContentHash, NewVideo, VideoKey};
use vqtoken_core::{Budget, Codebook, GridShape, IndexMap, Quality, Source, VideoTokens};

pub const MODEL: &str = "mini@0123456789abcdef";
pub const SAMPLING: &str = "frames=3";
pub const FRAMES: usize = 3;

/// Tokens of `codes` codes that only video `number` has.
pub fn tokens(number: usize, codes: usize) -> VideoTokens {
    let shape = GridShape { frames: FRAMES, height: 4, width: 4 };
    let values = (0..codes * 8).map(|index| (number * 1000 + index) as f32).collect();
    let labels = (0..shape.len()).map(|cell| (cell % codes) as u32).collect();
    VideoTokens {
        codebook: Codebook::new(codes, 8, values).unwrap(),
        index_map: IndexMap::new(shape, codes, labels).unwrap(),
        timestamps: vec![0.0, 0.5, 1.0],
        model: MODEL.to_owned(),
        source: Some(Source {
            name: format!("{number}.mp4"),
            width: 64,
            height: 48,
            duration: 1.5,
            bytes: 1234,
            frames: 45,
        }),
        budget: Budget::Fixed(codes),
        windows: None,
        quality: Quality::Exact,
    }
}

pub fn jpegs(number: usize) -> Vec<Vec<u8>> {
    (0..FRAMES).map(|frame| format!("frame {frame} of {number} ").repeat(50).into_bytes()).collect()
}

pub fn key(number: usize) -> VideoKey {
    VideoKey::new(ContentHash::of_bytes(&number.to_le_bytes()), MODEL, SAMPLING)
}

pub fn video(number: usize) -> NewVideo {
    NewVideo::new(key(number), format!("{number}.mp4"), "4", tokens(number, 4))
        .with_fine(Some(tokens(number, 12)))
        .with_jpegs(jpegs(number))
        .with_warnings(vec!["variable frame rate".into()])
}

/// Whether everything that the archive names of a video is whole and that video's.
pub fn assert_whole(archive: &Archive, id: &str) {
    let record = archive.get(id).unwrap();
    let number: usize = record.name.trim_end_matches(".mp4").parse().unwrap();
    assert_eq!(record.key, key(number));
    for set in &record.sets {
        let codes = if set.budget == "fine" { 12 } else { set.budget.parse().unwrap() };
        assert_eq!(set.codes, codes);
        assert_eq!(archive.tokens(id, &set.budget).unwrap(), tokens(number, codes));
    }
    assert!(record.main_set().is_some());
    for (index, jpeg) in jpegs(number).iter().enumerate().take(record.frames_stored) {
        assert_eq!(&archive.frame(id, index).unwrap(), jpeg);
    }
}
