//! Damaged files: whatever decodes is used, the user is told, nothing panics and nothing explodes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::write_scenes;
use proptest::test_runner::{Config, TestRunner};
use vqtoken_video::{Mp4Options, OpenOptions, Programs, Sampling, Video, VideoError};

/// Bytes of a clip of 24 frames with a keyframe every 6.
fn clip() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    write_scenes(&path, (64, 48), 24, 10.0, Mp4Options { keyframe_interval: 6, ..Mp4Options::default() });
    std::fs::read(path).unwrap()
}

fn sample(bytes: &[u8]) -> Result<vqtoken_video::Clip, VideoError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.mp4");
    std::fs::write(&path, bytes).unwrap();
    // Alone: ffmpeg would take its time for each of hundreds of files.
    let options = OpenOptions::default().with_programs(Programs::None);
    Video::open_with(&path, &options).and_then(|video| video.sample(Sampling::Uniform(4)))
}

/// Either frames that are consistent in themselves, or one line.
fn assert_sane(result: Result<vqtoken_video::Clip, VideoError>) {
    match result {
        Ok(clip) => {
            assert!(!clip.frames.is_empty() && clip.frames.len() == clip.timestamps.len());
            assert!(clip.indices.iter().all(|index| *index < clip.decoded_frames));
            assert!(clip.damage.iter().all(|damage| !damage.to_string().contains('\n')));
        }
        Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
    }
}

/// Position and length of the first box of this kind.
fn find(bytes: &[u8], kind: &[u8; 4]) -> usize {
    bytes.windows(4).position(|window| window == kind).unwrap() - 4
}

#[test]
fn a_lost_frame_costs_the_frames_up_to_the_next_keyframe() {
    let mut bytes = clip();
    // The length prefix of the ninth frame; sizes are listed in `stsz`.
    let sizes = find(&bytes, b"stsz") + 20;
    let size = |index: usize| {
        let at = sizes + 4 * index;
        u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
    };
    let start = find(&bytes, b"mdat") + 16 + (0..8).map(size).sum::<usize>();
    bytes[start] = 0xff;
    let clip = sample(&bytes).unwrap();
    assert_eq!(clip.decoded_frames, 24 - 4);
    assert_eq!(clip.damage.len(), 1);
    assert_eq!((clip.damage[0].frame, clip.damage[0].lost), (8, 4));
    assert_eq!(
        clip.damage[0].to_string(),
        "damaged at frame 8 (0.80 s), 4 frames lost: a NAL unit reaches beyond its sample"
    );
    assert_eq!(clip.indices, [0, 6, 12, 19]);
    let seconds: Vec<f64> = clip.timestamps.iter().map(|t| (t * 10.0).round() / 10.0).collect();
    assert_eq!(seconds, [0.0, 0.6, 1.6, 2.3]);
}

#[test]
fn a_file_that_ends_early_is_used_as_far_as_it_goes() {
    // The writer puts the header last; for a recording that stops, move it to the front.
    let bytes = clip();
    let (media, header) = (find(&bytes, b"mdat"), find(&bytes, b"moov"));
    let mut moved = [&bytes[..media], &bytes[header..], &bytes[media..header]].concat();
    let shift = (bytes.len() - header) as u64;
    let offset = find(&moved, b"co64") + 16;
    let old = u64::from_be_bytes(moved[offset..offset + 8].try_into().unwrap());
    moved[offset..offset + 8].copy_from_slice(&(old + shift).to_be_bytes());
    assert_eq!(sample(&moved).unwrap().decoded_frames, 24);

    moved.truncate(moved.len() - (header - media) / 2);
    let clip = sample(&moved).unwrap();
    assert!((1..24).contains(&clip.decoded_frames), "{}", clip.decoded_frames);
    let lost: usize = clip.damage.iter().map(|damage| damage.lost).sum();
    assert_eq!(clip.decoded_frames + lost, 24);

    // Without its header there is nothing to go by.
    let error = sample(&bytes[..header]).unwrap_err();
    assert!(matches!(error, VideoError::NotAVideo { .. }), "{error}");
}

#[test]
fn truncation_anywhere_is_survived() {
    let bytes = clip();
    for len in (0..bytes.len()).step_by(bytes.len() / 60) {
        assert_sane(sample(&bytes[..len]));
    }
}

#[test]
fn flipped_bits_are_survived() {
    let bytes = clip();
    let header = find(&bytes, b"moov");
    let places = proptest::collection::vec((0..bytes.len(), 0..8_u32, 0..4_u8), 1..8);
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    let run = |places: Vec<(usize, u32, u8)>| {
        let mut damaged = bytes.clone();
        for (place, bit, target) in places {
            // Half of the hits go to the header, which is small beside the media.
            let place = if target < 2 { header + place % (bytes.len() - header) } else { place };
            damaged[place] ^= 1 << bit;
        }
        assert_sane(sample(&damaged));
        Ok(())
    };
    TestRunner::new_with_rng(config, proptest::test_runner::TestRng::deterministic_rng(Default::default()))
        .run(&places, run)
        .unwrap();
}

#[test]
fn absurd_counts_and_sizes_are_survived() {
    let bytes = clip();
    for kind in [b"stts", b"stsc", b"stsz", b"stss", b"co64", b"mvhd", b"tkhd", b"mdhd", b"stsd", b"avcC"] {
        let at = find(&bytes, kind);
        for offset in (0..32).step_by(4) {
            for word in [0, 1, 0x7fff_ffff, u32::MAX] {
                let mut damaged = bytes.clone();
                let target = at + offset;
                if target + 4 <= damaged.len() {
                    damaged[target..target + 4].copy_from_slice(&u32::to_be_bytes(word));
                    assert_sane(sample(&damaged));
                }
            }
        }
    }
}
