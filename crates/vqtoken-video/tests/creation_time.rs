//! When a video was recorded is read from its container, by this crate and through `ffmpeg`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;
#[path = "../../../golden/locate.rs"]
mod locate;

use std::path::Path;
use std::time::{Duration, SystemTime};

use common::{make, write_scenes};
use vqtoken_video::{Decoder, Mp4Options, Video};

/// 2024-05-01T12:30:00Z, in seconds since 1970 and since 1904.
const RECORDED: u64 = 1_714_566_600;
const SINCE_1904: u64 = RECORDED + 2_082_844_800;

fn recorded() -> Option<SystemTime> {
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(RECORDED))
}

/// A clip whose movie header, the first box of the last one, is written anew by `change`.
fn with_movie(path: &Path, change: impl Fn(&mut Vec<u8>)) -> Option<SystemTime> {
    write_scenes(path, (64, 48), 3, 10.0, Mp4Options::default());
    let bytes = std::fs::read(path).unwrap();
    let at = bytes.windows(4).rposition(|kind| kind == b"moov").unwrap() - 4;
    let mut movie = bytes[at + 8..].to_vec();
    change(&mut movie);
    let file = [&bytes[..at], &a_box(b"moov", &movie)].concat();
    std::fs::write(path, file).unwrap();
    let video = Video::open(path).unwrap();
    assert_eq!((video.info().decoder, video.info().duration), (Decoder::Native, Some(0.3)));
    video.info().created
}

fn a_box(kind: &[u8; 4], payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32 + 8).to_be_bytes(), kind, payload].concat()
}

/// Both times of a movie header, in version 0 from byte 12 on and in version 1 twice as long.
fn state(movie: &mut Vec<u8>, version: u8, seconds: u64) {
    movie[8] = version;
    let times = match version {
        0 => (seconds as u32).to_be_bytes().repeat(2),
        _ => seconds.to_be_bytes().repeat(2),
    };
    let (scale, duration) = (movie[20..24].to_vec(), movie[24..28].to_vec());
    let duration = if version == 0 { duration } else { [vec![0; 4], duration].concat() };
    movie.splice(12..28, [times, scale, duration].concat());
    let length = u32::from_be_bytes(movie[..4].try_into().unwrap()) + if version == 0 { 0 } else { 12 };
    movie[..4].copy_from_slice(&length.to_be_bytes());
}

#[test]
fn the_movie_header_states_it_in_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    for version in [0, 1] {
        assert_eq!(with_movie(&path, |movie| state(movie, version, SINCE_1904)), recorded(), "{version}");
        // Unknown, counted from 1970 by mistake, and in the far future.
        for seconds in [0, RECORDED, u64::from(u32::MAX)] {
            assert_eq!(with_movie(&path, |movie| state(movie, version, seconds)), None, "{seconds}");
        }
    }
    assert_eq!(with_movie(&path, |movie| state(movie, 1, u64::MAX)), None);
}

#[test]
fn the_date_of_a_phone_goes_before_the_movie_header() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mov");
    let handler = a_box(b"hdlr", &[0; 25]);
    let key = |name: &[u8]| a_box(b"mdta", name);
    let names = [key(b"com.apple.quicktime.make"), key(b"com.apple.quicktime.creationdate")].concat();
    let keys = a_box(b"keys", &[&[0; 4], &2_u32.to_be_bytes()[..], &names].concat());
    let metadata = |date: &str, full: bool| {
        let value = |index: u32, text: &str| {
            let data = [&1_u32.to_be_bytes(), &[0; 4], text.as_bytes()].concat();
            a_box(&index.to_be_bytes(), &a_box(b"data", &data))
        };
        let values = a_box(b"ilst", &[value(1, "Some phone"), value(2, date)].concat());
        let version: &[u8] = if full { &[0; 4] } else { &[] };
        a_box(b"meta", &[version, &handler, &keys, &values].concat())
    };
    for full in [false, true] {
        let created = |date: &str| {
            with_movie(&path, |movie| {
                state(movie, 0, SINCE_1904 + 86_400);
                movie.extend(metadata(date, full));
            })
        };
        assert_eq!(created("2024-05-01T14:30:00+0200"), recorded());
        let header = recorded().map(|time| time + Duration::from_secs(86_400));
        assert_eq!(created("yesterday"), header);
    }
    // Cut anywhere it is passed over, or the date stands before the cut.
    let whole = metadata("2024-05-01T14:30:00+0200", false);
    for length in 8..whole.len() {
        let created = with_movie(&path, |movie| movie.extend(a_box(b"meta", &whole[8..length])));
        assert!([None, recorded()].contains(&created), "{length}: {created:?}");
    }
}

#[test]
fn ffmpeg_states_it_of_other_containers() {
    if !common::has_ffmpeg() {
        locate::skip("no ffmpeg");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let created = |name: &str, time: &str, codec: &str| {
        let path = folder.path().join(name);
        let time = format!("creation_time={time}");
        let input = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=10:d=0.5", "-metadata", &time, "-c:v", codec];
        make(&[&input[..], &[path.to_str().unwrap()]].concat());
        Video::open(&path).unwrap().info().created
    };
    assert_eq!(created("a.mkv", "2024-05-01T12:30:00Z", "mpeg4"), recorded());
    assert_eq!(created("a.mp4", "2024-05-01T12:30:00Z", "mpeg4"), recorded());
    assert_eq!(created("b.mkv", "1960-05-01T12:30:00Z", "mpeg4"), None);
}
