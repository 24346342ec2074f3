//! How a `.vqt` file keeps its parts: the qualities of the codebook, the coded index map, ticks, and older versions.

#![allow(clippy::unwrap_used)]

mod common;

use proptest::prelude::*;
use vqtoken_core::{
    Budget, Codebook, GridShape, IndexMap, Quality, Rule, Source, VideoTokens, VqtFormatError,
};

const QUALITIES: [Quality; 3] = [Quality::Exact, Quality::Bf16, Quality::Int8];

/// A clip of `frames` frames at 29.97 frames a second, of a picture that moves down.
fn moving(frames: usize, quality: Quality) -> VideoTokens {
    let (codes, dim, shape) = (8, 16, GridShape { frames, height: 12, width: 10 });
    let label = |index: usize| ((index / 10 % 12 + 12 - index / 120 % 12) * (index % 10) % codes) as u32;
    let values = (0..codes * dim).map(|i| (i as f32).sin() * 3.0).collect();
    VideoTokens {
        codebook: Codebook::new(codes, dim, values).unwrap(),
        index_map: IndexMap::new(shape, codes, (0..shape.len()).map(label).collect()).unwrap(),
        timestamps: (0..frames).map(|frame| (frame * 30 * 1001) as f64 / 30000.0).collect(),
        model: "mini".to_owned(),
        source: None,
        budget: Budget::Fixed(codes),
        windows: None,
        quality,
    }
}

fn header(bytes: &[u8]) -> String {
    let length = u64::from_le_bytes(*bytes.first_chunk().unwrap());
    String::from_utf8(bytes[8..8 + length as usize].to_vec()).unwrap()
}

#[test]
fn every_quality_is_stored_again_as_it_was() {
    for quality in QUALITIES {
        let tokens = moving(20, quality);
        let bytes = tokens.to_bytes().unwrap();
        let kept = VideoTokens::from_bytes(&bytes).unwrap();
        assert_eq!(kept.quality, quality);
        assert_eq!(kept.to_bytes().unwrap(), bytes, "{quality}");
        let same = VideoTokens { codebook: tokens.codebook.clone(), ..kept.clone() };
        assert_eq!(same, tokens, "only the codebook may be rounded");
        assert_eq!(kept.codebook == tokens.codebook, quality == Quality::Exact);
        for (value, kept) in tokens.codebook.data().iter().zip(kept.codebook.data()) {
            assert!((value - kept).abs() <= 3.0 / 253.0, "{quality}: {value} became {kept}");
        }
    }
}

#[test]
fn a_long_clip_is_small() {
    let sizes = QUALITIES.map(|quality| moving(600, quality).to_bytes().unwrap().len());
    let header = header(&moving(600, Quality::Exact).to_bytes().unwrap());
    assert!(header.contains(r#""tick":"1001/1000""#) && header.contains(r#""grid":"600,12,10""#), "{header}");
    // 72,000 labels, 600 timestamps, 128 values, a header.
    assert!(sizes[0] < 4500, "{sizes:?}");
    assert_eq!(sizes[0] - sizes[1], 2 * 128, "the header is padded to the same length");
    assert!(sizes[2] < sizes[1], "{sizes:?}");
}

#[test]
fn what_no_code_shortens_is_kept_as_it_is() {
    let shape = GridShape { frames: 1, height: 1, width: 3 };
    let tokens = VideoTokens {
        index_map: IndexMap::new(shape, 8, vec![0, 7, 3]).unwrap(),
        timestamps: vec![std::f64::consts::PI],
        ..moving(1, Quality::Exact)
    };
    let bytes = tokens.to_bytes().unwrap();
    let header = header(&bytes);
    for part in [r#""index_map":{"dtype":"U8","shape":[1,1,3]"#, r#""timestamps":{"dtype":"F64","shape":[1]"#]
    {
        assert!(header.contains(part), "{header}");
    }
    assert_eq!(VideoTokens::from_bytes(&bytes).unwrap(), tokens);
}

#[test]
fn version_1_is_still_read() {
    let tokens = VideoTokens::from_bytes(include_bytes!("data/v1.vqt")).unwrap();
    let shape = GridShape { frames: 2, height: 2, width: 3 };
    let expected = VideoTokens {
        codebook: Codebook::new(3, 2, (0..6).map(|i| i as f32 * 0.37 - 1.0).collect()).unwrap(),
        index_map: IndexMap::new(shape, 3, (0..12).map(|i| i * 7 % 3).collect()).unwrap(),
        timestamps: vec![0.0, 1.0 / 29.97],
        model: "tiny".to_owned(),
        source: Some(Source {
            name: "Ünïcödé.mp4".to_owned(),
            width: 1920,
            height: 1080,
            duration: 0.1 + 0.2,
            bytes: u64::MAX,
            frames: 900,
        }),
        budget: Budget::Adaptive { min: 2, max: 32, rule: Rule::Silhouette },
        windows: None,
        quality: Quality::Exact,
    };
    assert_eq!(tokens, expected);
    assert_eq!(VideoTokens::from_bytes(&tokens.to_bytes().unwrap()).unwrap(), tokens);
}

const HEADER: &str = concat!(
    r#"{"__metadata__":{"budget":"2","checksum":"00000000","format":"vqtoken","grid":"1,2,3","model":"m","tick":"1/2","#,
    r#""version":"2","window.seconds":"4","window.total":"2"},"codebook":{"dtype":"I8","shape":[2,1],"data_offsets":[4,6]},"#,
    r#""codebook_scales":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]},"#,
    r#""index_map_coded":{"dtype":"U8","shape":[5],"data_offsets":[7,12]},"#,
    r#""ticks":{"dtype":"U8","shape":[1],"data_offsets":[6,7]}}"#
);

/// Scales of 1, values of 127 and -127, a tick, and the code of a map.
fn data() -> Vec<u8> {
    let shape = GridShape { frames: 1, height: 2, width: 3 };
    let coded = IndexMap::new(shape, 2, vec![0, 1, 0, 0, 1, 0]).unwrap().encode();
    [&[0x80, 0x3f, 0x80, 0x3f, 127, 129, 3], &coded[..]].concat()
}

/// An error must be one line, whatever was in the file.
#[track_caller]
fn refused(bytes: &[u8]) -> VqtFormatError {
    let error = VideoTokens::from_bytes(bytes).unwrap_err();
    assert!(!error.to_string().contains(char::is_control), "{error:?}");
    error
}

#[test]
fn lies_of_version_2_are_refused() {
    let data = data();
    let tokens = VideoTokens::from_bytes(&common::file(HEADER, &data)).unwrap();
    assert_eq!(tokens.codebook.data(), [127.0, -127.0]);
    assert_eq!(tokens.index_map.labels(), [0, 1, 0, 0, 1, 0]);
    assert_eq!(tokens.timestamps, [1.5]);
    let mut seen = std::collections::BTreeSet::new();
    for (from, to) in [
        ("1,2,3", "1,2"),
        ("1,2,3", "1,2,3,4"),
        ("1,2,3", "1,2,-3"),
        ("1,2,3", "0,2,3"),
        ("1,2,3", "1,2,4"),
        ("1,2,3", "1,1,3"),
        ("1,2,3", "1,4294967295,1"),
        ("1,2,3", "4294967296,4294967296,4294967296"),
        ("\"grid\"", "\"Grid\""),
        ("1/2", "1/0"),
        ("1/2", "9007199254740992/1"),
        ("\"tick\"", "\"Tick\""),
        ("\"4\"", "\"0\""),
        ("\"4\"", "\"1e999\""),
        ("\"4\"", "\"\\n\""),
        ("window.seconds", "window.Seconds"),
        ("\"window.total\":\"2\"", "\"window.total\":\"0\""),
        ("\"version\":\"2\"", "\"version\":\"1\""),
        ("BF16", "F16"),
        ("\"BF16\",\"shape\":[2]", "\"BF16\",\"shape\":[2,1]"),
        ("\"BF16\",\"shape\":[2]", "\"BF16\",\"shape\":[1,2]"),
        ("codebook_scales", "codebook_scale"),
        ("\"I8\"", "\"U8\""),
        ("[2,1]", "[2]"),
        ("[2,1]", "[1,2]"),
        ("index_map_coded", "index_map"),
        ("\"U8\",\"shape\":[5]", "\"I8\",\"shape\":[5]"),
        ("\"U8\",\"shape\":[5]", "\"U8\",\"shape\":[5,1]"),
        ("\"U8\",\"shape\":[1]", "\"I8\",\"shape\":[1]"),
        ("\"U8\",\"shape\":[1]", "\"U8\",\"shape\":[1,1]"),
        ("ticks", "tick"),
    ] {
        assert!(HEADER.contains(from), "{from}");
        let error = refused(&common::file(&HEADER.replacen(from, to, 1), &data));
        assert!(!matches!(error, VqtFormatError::Checksum { .. }), "{from} -> {to}: {error}");
        seen.insert(error.to_string());
    }
    assert!(seen.len() > 20, "{seen:#?}");
    let mut stretched = data.clone();
    stretched[4] = 128;
    assert_eq!(
        refused(&common::file(HEADER, &stretched)),
        VqtFormatError::Scale { code: 0, scale: 1.0 },
        "-128 is never written"
    );
}

proptest! {
    /// What is accepted is stored again as the same tokens, whatever its bytes were.
    #[test]
    fn damage_with_a_right_checksum_is_refused_or_other_tokens(
        frames in 1usize..4, quality in prop::sample::select(&QUALITIES[..]),
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = moving(frames, quality).to_bytes().unwrap();
        for (place, value) in places {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let length = u64::from_le_bytes(*bytes.first_chunk().unwrap());
        if let Some((header, data)) = bytes[8..].split_at_checked(length.try_into().unwrap_or(usize::MAX)) {
            let mut header = String::from_utf8_lossy(header).into_owned();
            if let Some(at) = header.find("\"checksum\":\"").filter(|at| header.get(at + 12..at + 20).is_some()) {
                header.replace_range(at + 12..at + 20, "00000000");
            }
            if let Ok(tokens) = VideoTokens::from_bytes(&common::file(&header, data)) {
                let again = tokens.to_bytes().unwrap();
                prop_assert_eq!(VideoTokens::from_bytes(&again).unwrap(), tokens);
            }
        }
    }
}
