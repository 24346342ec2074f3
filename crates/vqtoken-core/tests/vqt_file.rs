//! The `.vqt` file: what is written comes back, and nothing else does.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use proptest::prelude::*;
use vqtoken_core::{
    Budget, Codebook, GridShape, IndexMap, Quality, Rule, Source, VideoTokens, VqtError, VqtFormatError,
    Windows,
};
use vqtoken_files::{Limit, Limits};

fn example(codes: usize, shape: GridShape, dim: usize) -> VideoTokens {
    let labels = (0..shape.len()).map(|index| (index * 7 % codes) as u32).collect();
    VideoTokens {
        codebook: Codebook::new(codes, dim, (0..codes * dim).map(|i| i as f32 * 0.37 - 1.0).collect())
            .unwrap(),
        index_map: IndexMap::new(shape, codes, labels).unwrap(),
        timestamps: (0..shape.frames).map(|frame| frame as f64 / 29.97).collect(),
        model: "llava-onevision \"0.5b\" \\ \"checksum\":\"00000000\"\n".to_owned(),
        source: Some(Source {
            name: "Ünïcödé.mp4".to_owned(),
            width: 1920,
            height: 1080,
            duration: 0.1 + 0.2,
            bytes: u64::MAX,
            frames: 900,
        }),
        budget: Budget::Adaptive { min: 2, max: 32, rule: Rule::Silhouette },
        windows: Some(Windows { seconds: 0.1, total: Some(Budget::Fixed(9)) }),
        quality: Quality::Exact,
    }
}

const SMALL: GridShape = GridShape { frames: 2, height: 2, width: 3 };

/// An error must be one line, whatever was in the file.
#[track_caller]
fn refused(bytes: &[u8]) -> VqtFormatError {
    let error = VideoTokens::from_bytes(bytes).unwrap_err();
    assert!(!error.to_string().contains(char::is_control), "{error:?}");
    error
}

#[test]
fn a_file_above_the_limits_is_refused() {
    let tokens = example(3, SMALL, 4);
    let bytes = tokens.to_bytes().unwrap();
    let shape = tokens.index_map.shape();
    let sizes = [(Limit::Labels, shape.len() as u64), (Limit::Frames, shape.frames as u64)];
    for (limit, size) in sizes {
        let read = |bound| VideoTokens::from_bytes_within(&bytes, &Limits::default().with(limit, bound));
        assert!(read(size).is_ok(), "{limit:?}");
        let error = read(size - 1).unwrap_err();
        assert!(error.to_string().contains(limit.name()), "{error}");
    }
    let late = VideoTokens { timestamps: (0..shape.frames).map(|t| t as f64 * 1e6).collect(), ..tokens };
    let error = VideoTokens::from_bytes(&late.to_bytes().unwrap()).unwrap_err();
    assert!(error.to_string().contains("raise the limit `seconds`"), "{error}");
}

#[test]
fn every_label_width_comes_back() {
    for (codes, frames) in [(1, 1), (256, 3), (257, 3), (70_000, 1)] {
        let tokens = example(codes, GridShape { frames, height: 20, width: 30 }, 2);
        assert_eq!(VideoTokens::from_bytes(&tokens.to_bytes().unwrap()).unwrap(), tokens);
    }
}

#[test]
fn the_same_tokens_give_the_same_bytes() {
    let timestamps = vec![0.0, 1.5];
    let tokens = VideoTokens {
        model: "tiny".to_owned(),
        source: None,
        windows: None,
        timestamps,
        quality: Quality::Int8,
        ..example(3, SMALL, 2)
    };
    let bytes = tokens.to_bytes().unwrap();
    assert_eq!(bytes, tokens.clone().to_bytes().unwrap());
    let header =
        String::from_utf8(bytes[8..8 + bytes[0] as usize + 256 * bytes[1] as usize].to_vec()).unwrap();
    assert_eq!(
        header.trim_end(),
        concat!(
            r#"{"__metadata__":{"budget":"adaptive:silhouette:2-32","checksum":"0be11bd2","format":"vqtoken","#,
            r#""grid":"2,2,3","model":"tiny","tick":"3/2","version":"2"},"#,
            r#""codebook":{"dtype":"I8","shape":[3,2],"data_offsets":[6,12]},"#,
            r#""codebook_scales":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]},"#,
            r#""index_map_coded":{"dtype":"U8","shape":[5],"data_offsets":[12,17]},"#,
            r#""ticks":{"dtype":"U8","shape":[2],"data_offsets":[17,19]}}"#
        )
    );
}

#[test]
fn every_truncation_is_found() {
    let bytes = example(3, SMALL, 2).to_bytes().unwrap();
    for length in 0..bytes.len() {
        refused(&bytes[..length]);
    }
    assert_eq!(refused(&[&bytes[..], b"\0"].concat()), VqtFormatError::Length { found: bytes.len() + 1 });
}

#[test]
fn every_flipped_bit_is_found() {
    let mut bytes = example(3, SMALL, 2).to_bytes().unwrap();
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        refused(&bytes);
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    VideoTokens::from_bytes(&bytes).unwrap();
}

#[test]
fn lying_header_lengths_are_found() {
    let bytes = example(3, SMALL, 2).to_bytes().unwrap();
    let lengths =
        (0..bytes.len() as u64 + 9).chain((0..64).flat_map(|bit| [1 << bit, u64::MAX - (1 << bit)]));
    for length in lengths.filter(|length| length.to_le_bytes() != bytes[..8]) {
        refused(&[&length.to_le_bytes(), &bytes[8..]].concat());
    }
}

const HEADER: &str = concat!(
    r#"{"__metadata__":{"budget":"32","checksum":"00000000","format":"vqtoken","model":"m","version":"1"},"#,
    r#""codebook":{"dtype":"F32","shape":[1,1],"data_offsets":[8,12]},"#,
    r#""index_map":{"dtype":"U8","shape":[1,1,2],"data_offsets":[12,14]},"#,
    r#""timestamps":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}"#
);
const DATA: [u8; 14] = [0; 14];

#[test]
fn headers_that_lie_are_refused() {
    VideoTokens::from_bytes(&common::file(HEADER, &DATA)).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for (from, to) in [
        ("[8,12]", "[8,18446744073709551615]"),
        ("[8,12]", "[4611686018427387904,4611686018427387908]"),
        ("[8,12]", "[12,8]"),
        ("[8,12]", "[-8,12]"),
        ("[1,1]", "[4611686018427387904,4]"),
        ("[1,1]", "[1,2]"),
        ("[1,1]", "[1]"),
        ("[1,1]", "[]"),
        ("[1,1,2]", "[1,2]"),
        ("[1,1,2]", "[1,1,2,1]"),
        ("[1,1,2]", "[2,1,1]"),
        ("[1,1,2]", "[18446744073709551615,18446744073709551615,0]"),
        ("\"U8\"", "\"I8\""),
        ("\"U8\"", "\"\\n\""),
        ("F32", "I32"),
        ("\"F64\",\"shape\":[1]", "\"F32\",\"shape\":[2]"),
        ("timestamps", "times"),
        ("index_map", "map\\n"),
        ("\"codebook\"", "\"Codebook\""),
        ("\"budget\":\"32\"", "\"budget\":\"0\""),
        ("\"budget\":\"32\"", "\"budget\":\"\\n\""),
        ("\"budget\":\"32\",", ""),
        ("\"model\":\"m\",", ""),
        ("\"version\":\"1\"", "\"version\":\"0\""),
        ("\"version\":\"1\"", "\"version\":\"one\""),
        ("\"format\":\"vqtoken\"", "\"format\":\"pt\""),
        ("\"checksum\":\"00000000\",", ""),
        ("\"checksum\":\"00000000\"", "\"checksum\": \"00000000\""),
        ("\"model\":\"m\"", "\"model\":\"m\",\"source.name\":\"n\""),
        ("\"__metadata__\"", "\"metadata\""),
        ("{\"__metadata__\"", "[\"__metadata__\""),
    ] {
        assert!(HEADER.contains(from), "{from}");
        let error = refused(&common::file(&HEADER.replacen(from, to, 1), &DATA));
        assert!(!matches!(error, VqtFormatError::Checksum { .. }), "{from} -> {to}: {error}");
        seen.insert(error.to_string());
    }
    assert!(seen.len() > 20, "{seen:#?}");
    let unprintable = HEADER.replacen("00000000", "0000\u{7f}000", 1);
    assert!(matches!(
        refused(&common::file(&unprintable, &DATA)),
        VqtFormatError::Metadata { key: "checksum", .. }
    ));
    let nested = "[".repeat(100_000);
    refused(&common::file(&nested, &[]));
}

#[test]
fn values_that_cannot_be_are_refused() {
    let with = |place: usize, bytes: &[u8]| {
        let mut data = DATA;
        data[place..place + bytes.len()].copy_from_slice(bytes);
        refused(&common::file(HEADER, &data))
    };
    assert!(matches!(with(13, &[1]), VqtFormatError::IndexMap(_)));
    assert_eq!(with(8, &f32::NAN.to_le_bytes()), VqtFormatError::NotFinite { tensor: "codebook", index: 0 });
    assert_eq!(
        with(0, &f64::INFINITY.to_le_bytes()),
        VqtFormatError::NotFinite { tensor: "timestamps", index: 0 }
    );
}

#[test]
fn newer_versions_ask_for_an_update() {
    let error = refused(&common::file(&HEADER.replace("\"version\":\"1\"", "\"version\":\"3\""), &DATA));
    assert_eq!(error, VqtFormatError::Newer { version: 3, known: 2 });
    assert!(error.to_string().contains("update"));
}

#[test]
fn parts_that_do_not_fit_are_not_written() {
    let tokens = example(3, SMALL, 2);
    let late = VideoTokens { timestamps: vec![0.0], ..tokens.clone() };
    assert_eq!(late.to_bytes(), Err(VqtFormatError::Timestamps { frames: 2, timestamps: 1 }));
    let other = VideoTokens { codebook: example(4, SMALL, 2).codebook, ..tokens.clone() };
    assert_eq!(other.to_bytes(), Err(VqtFormatError::Codes { codes: 4, labelled: 3 }));
    let endless = VideoTokens { timestamps: vec![0.0, f64::NAN], ..tokens.clone() };
    assert_eq!(endless.to_bytes(), Err(VqtFormatError::NotFinite { tensor: "timestamps", index: 1 }));
    for seconds in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let windows = Some(Windows { seconds, total: None });
        let error = VideoTokens { windows, ..tokens.clone() }.to_bytes().unwrap_err();
        assert!(matches!(error, VqtFormatError::Metadata { key: "window.seconds", .. }), "{error}");
    }
    let windows = Some(Windows { seconds: 1.0, total: Some(Budget::Fixed(0)) });
    let empty = VideoTokens { windows, ..tokens.clone() };
    assert!(matches!(empty.to_bytes(), Err(VqtFormatError::Budget(_))));
    let none = VideoTokens { budget: Budget::Fixed(0), ..tokens.clone() };
    assert!(matches!(none.to_bytes(), Err(VqtFormatError::Budget(_))));
    let wordy = VideoTokens { model: "m".repeat(1 << 20), ..tokens };
    assert!(matches!(wordy.to_bytes(), Err(VqtFormatError::LongHeader { .. })));
}

#[test]
fn files_come_back_and_leave_nothing_beside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.vqt");
    for codes in [3, 5] {
        let tokens = example(codes, SMALL, 2);
        tokens.save(&path).unwrap();
        assert_eq!(VideoTokens::load(&path).unwrap(), tokens);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn errors_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let named = |error: VqtError, name: &str| {
        let message = error.to_string();
        assert!(message.contains(name) && !message.contains('\n'), "{message}");
        error
    };
    let tokens = example(3, SMALL, 2);
    let path = |name: &str| folder.path().join(name);
    assert!(matches!(
        named(VideoTokens::load(path("none.vqt")).unwrap_err(), "none.vqt"),
        VqtError::Read { .. }
    ));
    assert!(matches!(VideoTokens::load(folder.path()).unwrap_err(), VqtError::NotAFile { .. }));
    assert!(matches!(tokens.save(folder.path()).unwrap_err(), VqtError::Write(_)));
    let error = named(tokens.save(path("missing/clip.vqt")).unwrap_err(), "missing");
    assert!(error.to_string().contains("create it"));

    std::fs::write(path("video.mp4"), b"\0\0\0\x20ftypisom\0\0\0\0").unwrap();
    let error = named(VideoTokens::load(path("video.mp4")).unwrap_err(), "video.mp4");
    assert!(matches!(error, VqtError::Content { cause: VqtFormatError::NotVqt { .. }, .. }));
    std::fs::write(path("empty.vqt"), b"").unwrap();
    named(VideoTokens::load(path("empty.vqt")).unwrap_err(), "empty.vqt");
    if Path::new("/dev/zero").exists() {
        assert!(matches!(VideoTokens::load("/dev/zero").unwrap_err(), VqtError::NotAFile { .. }));
    }
}

proptest! {
    #[test]
    fn any_tokens_come_back(
        grid in common::any_grid(), codes in 1usize..400, model: String, name: String, duration in 0.0f64..1e9,
        seconds in proptest::option::of(1e-300f64..1e300), whole: bool,
    ) {
        let source = Some(Source { name, width: 1, height: 2, duration, bytes: 3, frames: 4 });
        let windows = seconds.map(|seconds| Windows { seconds, total: whole.then_some(Budget::PAPER_ADAPTIVE) });
        let tokens = VideoTokens { model, source, windows, ..example(codes, grid.shape(), grid.dim()) };
        let bytes = tokens.to_bytes().unwrap();
        prop_assert_eq!(bytes[..8].iter().rev().fold(0, |n, &byte| n * 256 + usize::from(byte)) % 8, 0);
        prop_assert_eq!(VideoTokens::from_bytes(&bytes).unwrap(), tokens);
    }

    #[test]
    fn any_bytes_are_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        refused(&bytes);
        refused(&common::file(&String::from_utf8_lossy(&bytes), &[]));
    }

    #[test]
    fn any_damage_is_found(places in proptest::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..4)) {
        let whole = example(3, SMALL, 2).to_bytes().unwrap();
        let mut bytes = whole.clone();
        places.iter().for_each(|(place, change)| bytes[place.index(whole.len())] ^= change);
        prop_assert!(bytes == whole || VideoTokens::from_bytes(&bytes).is_err());
    }
}
