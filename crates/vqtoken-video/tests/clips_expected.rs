//! Every clip of a folder against what FFmpeg decodes from it (its `expected.json`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;
#[path = "../../../golden/locate.rs"]
mod locate;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use vqtoken_video::{Clip, Frame, Sampling, Video, VideoError};

/// Set for a child process that is to run without ffmpeg, so that other tests of this process are not touched.
const CHILD: &str = "VQTOKEN_TEST_WITHOUT_FFMPEG";

/// Mean RGB of a block may differ by this much.
const TOLERANCE: f64 = 3.0;

#[derive(Deserialize)]
struct Expected {
    error: Option<String>,
    codec: Option<String>,
    #[serde(default)]
    width: usize,
    #[serde(default)]
    height: usize,
    #[serde(default)]
    frames: usize,
    #[serde(default)]
    indices: Vec<usize>,
    #[serde(default)]
    block_means: Vec<Vec<Vec<[f64; 3]>>>,
    stopped_early: Option<String>,
}

#[test]
fn clips_decode_as_ffmpeg_does() {
    if !common::has_ffmpeg() && std::env::var_os(CHILD).is_none() {
        locate::skip("no ffmpeg, which half of the clips need");
    }
    let Some(folder) = locate::clips() else { return };
    let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let all: BTreeMap<String, Expected> = serde_json::from_str(&text).unwrap();
    let mut failures = Vec::new();
    for (name, expected) in &all {
        match check(&folder.join(name), expected) {
            Ok(line) => println!("{name}: {line}"),
            Err(line) => failures.push(format!("{name}: {line}")),
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn frames_handed_out_one_by_one_are_those_of_a_sample() {
    let Some(folder) = locate::clips() else { return };
    for name in ["foreman_h264.mp4", "rotate_90.mov", "demo.mp4"] {
        let video = Video::open(folder.join(name)).unwrap();
        for sampling in [Sampling::Uniform(5), Sampling::Fps(3.0), Sampling::Uniform(400)] {
            let whole = video.sample(sampling).unwrap();
            let (mut frames, mut times) = (Vec::new(), Vec::new());
            let each = video.sample_each(sampling, &mut |frame, seconds| {
                frames.push(frame);
                times.push(seconds);
            });
            let each = each.unwrap();
            assert!(frames == whole.frames, "{name} {sampling:?}");
            assert_eq!((&times, &each.timestamps), (&whole.timestamps, &whole.timestamps));
            assert_eq!((&each.indices, each.decoded_frames), (&whole.indices, whole.decoded_frames));
            assert_eq!(each.frames, []);
            assert_eq!(video.sampled_frames(sampling).unwrap(), Some(whole.frames.len()));
        }
    }
    let damaged = Video::open(folder.join("corrupted.mp4")).unwrap();
    let mut frames = 0;
    let each = damaged.sample_each(Sampling::Uniform(8), &mut |_, _| frames += 1).unwrap();
    assert!(frames == each.timestamps.len() && frames > 0 && !each.damage.is_empty());
}

fn check(path: &Path, expected: &Expected) -> Result<String, String> {
    let clip = match Video::open(path).and_then(|video| video.sample(Sampling::Uniform(8))) {
        Ok(clip) => clip,
        Err(error) => return check_error(&error, expected),
    };
    if let Some(error) = &expected.error {
        return Err(format!("decodes, but FFmpeg says {error}"));
    }
    let size = (clip.frames[0].width(), clip.frames[0].height());
    if size != (expected.width, expected.height) || size != (clip.info.width, clip.info.height) {
        return Err(format!("{size:?} pixels instead of {:?}", (expected.width, expected.height)));
    }
    let damaged = !clip.damage.is_empty() || expected.stopped_early.is_some();
    let same_count = clip.decoded_frames == expected.frames;
    if !damaged && !same_count {
        return Err(format!("{} frames instead of {}", clip.decoded_frames, expected.frames));
    }
    let worst = if same_count {
        if clip.indices != expected.indices {
            return Err(format!("indices {:?} instead of {:?}", clip.indices, expected.indices));
        }
        worst_block(&clip.frames, expected)?
    } else {
        // A damaged clip: its sound part has to agree frame by frame.
        let whole =
            Video::open(path).and_then(|video| video.sample(Sampling::All)).map_err(|e| e.to_string())?;
        let sound = expected.indices.iter().map_while(|&index| whole.frames.get(index).cloned());
        let sound: Vec<Frame> = sound.take(sound_indices(&whole, expected)).collect();
        if sound.is_empty() {
            return Err("nothing before the damage".into());
        }
        worst_block(&sound, expected)?
    };
    if worst > TOLERANCE {
        return Err(format!("a block mean is {worst:.2} off"));
    }
    let damage: Vec<String> = clip.damage.iter().map(ToString::to_string).collect();
    Ok(format!("{} frames, block means within {worst:.2} {}", clip.decoded_frames, damage.join("; ")))
}

/// How many of the expected indices lie before the first damage.
fn sound_indices(clip: &Clip, expected: &Expected) -> usize {
    let first = clip.damage.iter().map(|damage| damage.frame).min().unwrap_or(expected.frames);
    expected.indices.iter().filter(|&&index| index < first.max(1)).count()
}

fn check_error(error: &VideoError, expected: &Expected) -> Result<String, String> {
    let text = error.to_string();
    if text.is_empty() || text.contains('\n') {
        return Err(format!("not one line: {text:?}"));
    }
    match (&expected.error, error) {
        (Some(_), _) => Ok(format!("fails as it should: {text}")),
        (None, VideoError::UnsupportedCodec { codec, .. }) if !common::has_ffmpeg() => {
            let plain = |name: &str| name.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "");
            let (family, codec) = (plain(expected.codec.as_deref().unwrap_or_default()), plain(codec));
            let named = codec.contains(&family) || family.contains(&codec);
            if named && text.contains("ffmpeg") {
                Ok(format!("skipped without ffmpeg: {text}"))
            } else {
                Err(format!("names neither {family} nor ffmpeg: {text}"))
            }
        }
        (None, VideoError::NoFrames { .. }) if text.contains("damaged at frame 0") => {
            Ok(format!("skipped, damaged from the start: {text}"))
        }
        _ => Err(format!("fails: {text}")),
    }
}

fn worst_block(frames: &[Frame], expected: &Expected) -> Result<f64, String> {
    let mut worst: f64 = 0.0;
    for (frame, wanted) in frames.iter().zip(&expected.block_means) {
        for (row, wanted) in block_means(frame).iter().zip(wanted) {
            for (block, wanted) in row.iter().zip(wanted) {
                for (mean, wanted) in block.iter().zip(wanted) {
                    worst = worst.max((mean - wanted).abs());
                }
            }
        }
    }
    Ok(worst)
}

/// Means of 6 x 6 blocks; the borders are `numpy.linspace(0, side, 7).astype(int)`.
fn block_means(frame: &Frame) -> Vec<Vec<[f64; 3]>> {
    let borders = |side: usize| (0..7).map(|i| (i as f64 * (side as f64 / 6.0)) as usize).collect::<Vec<_>>();
    let (ys, xs) = (borders(frame.height()), borders(frame.width()));
    let mean = |i: usize, j: usize| {
        let mut sums = [0.0; 3];
        for y in ys[i]..ys[i + 1] {
            for x in xs[j]..xs[j + 1] {
                let at = (y * frame.width() + x) * 3;
                (0..3).for_each(|channel| sums[channel] += f64::from(frame.rgb()[at + channel]));
            }
        }
        sums.map(|sum| sum / ((ys[i + 1] - ys[i]) * (xs[j + 1] - xs[j])).max(1) as f64)
    };
    (0..6).map(|i| (0..6).map(|j| mean(i, j)).collect()).collect()
}

#[test]
fn clips_without_ffmpeg_name_codec_and_remedy() {
    let Some(folder) = locate::clips() else { return };
    if std::env::var_os(CHILD).is_some() {
        clips_decode_as_ffmpeg_does();
        return;
    }
    let out = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "clips_without_ffmpeg_name_codec_and_remedy", "--nocapture"])
        .env(CHILD, "1")
        .env("VQTOKEN_CLIPS", &folder)
        .env("VQTOKEN_FFMPEG", "no-such-program-anywhere")
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(
        String::from_utf8_lossy(&out.stdout).contains("1 passed"),
        "the child ran another test than this one"
    );
}
