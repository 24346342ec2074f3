//! Windows of a stream, what is kept of them in memory and on disk, and the video tokens of the last seconds.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;

use common::{frames, options, vision};
use vqtoken_core::{Budget, VideoTokens, Windows};
use vqtoken_live::{LiveError, LiveStream, Window};
use vqtoken_model::EncoderOptions;

fn encoded(count: usize, total: Option<Budget>) -> VideoTokens {
    let options = EncoderOptions::new(Budget::Fixed(8)).with_windows(Windows { seconds: 2.0, total });
    vision().encode_frames(frames(count, 4.0, 1), options).unwrap()
}

#[test]
fn windows_are_those_of_the_windowed_quantizer_whoever_asks_meanwhile() {
    let mut stream = LiveStream::new(vision(), options(2.0, 100.0)).unwrap();
    let mut closed = Vec::new();
    for (index, (frame, seconds)) in frames(22, 4.0, 1).enumerate() {
        closed.extend(stream.push(frame, seconds).unwrap());
        // Questions at odd moments cut the batches of the tower, which must not show.
        if index % 5 == 2 {
            stream.tokens_of_last(Some(1.0)).unwrap();
        }
    }
    assert_eq!(closed.len(), 2);
    let total = stream.tokens_of_last(None).unwrap();
    closed.extend(stream.close().unwrap());
    let spans: Vec<_> = closed.iter().map(|window| (window.start, window.end, window.frames)).collect();
    assert_eq!(spans, [(0.0, 1.75, 8), (2.0, 3.75, 8), (4.0, 5.25, 6)]);

    let side_by_side = encoded(22, None);
    let codes: Vec<f32> = stream.windows().flat_map(|window| window.codebook.data()).copied().collect();
    assert_eq!(codes, side_by_side.codebook.data());
    let (mut labels, mut before) = (Vec::new(), 0);
    for window in stream.windows() {
        labels.extend(window.index_map.labels().iter().map(|label| label + before));
        before += window.codebook.codes() as u32;
    }
    assert_eq!(labels, side_by_side.index_map.labels());

    let whole = encoded(22, Some(Budget::Fixed(12)));
    assert_eq!(total.codebook, whole.codebook);
    assert_eq!(total.index_map, whole.index_map);
    assert_eq!((&total.timestamps, &total.model), (&whole.timestamps, &whole.model));
    assert_eq!(stream.tokens_of_last(None).unwrap(), total, "closing the last window changes nothing");
}

#[test]
fn the_last_seconds_are_those_frames_alone() {
    let mut stream = LiveStream::new(vision(), options(2.0, 100.0)).unwrap();
    assert!(matches!(stream.tokens_of_last(None), Err(LiveError::NoFrames { .. })));
    for (frame, seconds) in frames(22, 4.0, 1) {
        stream.push(frame, seconds).unwrap();
    }
    let tokens = stream.tokens_of_last(Some(2.5)).unwrap();
    let expected: Vec<f64> = (11..22).map(|index| f64::from(index) / 4.0).collect();
    assert_eq!(tokens.timestamps, expected);
    assert_eq!(tokens.index_map.shape().frames, 11);
    assert!(tokens.codebook.codes() <= 12);
    // The language side reads them.
    common::model().language().visual_tokens(&tokens).unwrap();
    // One frame is always there, and never more than is kept.
    assert_eq!(stream.tokens_of_last(Some(0.0)).unwrap().timestamps, [5.25]);
    assert_eq!(stream.tokens_of_last(Some(1e9)).unwrap().timestamps.len(), 22);
}

#[test]
fn times_that_go_back_are_refused_and_nothing_else_happens() {
    let mut stream = LiveStream::new(vision(), options(2.0, 100.0)).unwrap();
    let picture = || common::pictures()[0].clone();
    stream.push(picture(), 5.0).unwrap();
    for bad in [4.9, f64::NAN, f64::INFINITY, 1e300] {
        assert!(matches!(stream.push(picture(), bad), Err(LiveError::Time { .. })), "{bad}");
    }
    stream.push(picture(), 5.0).unwrap();
    assert_eq!(stream.tokens_of_last(None).unwrap().timestamps, [5.0, 5.0]);
}

fn vqt_files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".vqt")).collect();
    names.sort();
    names
}

#[test]
fn memory_and_disk_are_bounded_by_what_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let kept = options(5.0, 20.0).with_folder(folder.path().to_owned());
    let mut stream = LiveStream::new(vision(), kept).unwrap();
    let (mut most_windows, mut most_files) = (0, 0);
    // Twenty-five minutes at two frames a second, a new picture every 20 s.
    for (frame, seconds) in frames(3000, 2.0, 40) {
        if stream.push(frame, seconds).unwrap().is_some() {
            most_windows = most_windows.max(stream.windows().len());
            most_files = most_files.max(vqt_files(folder.path()).len());
        }
    }
    assert_eq!((most_windows, most_files), (5, 5));
    assert_eq!(stream.repeated_frames(), 3000 - 75, "a repeat is not computed");
    let labels: usize = stream.windows().map(|window| window.index_map.labels().len()).sum();
    assert!(labels <= 50 * 27 * 27, "{labels}");
    assert_eq!(vqt_files(folder.path()).first().unwrap(), "0000000294.vqt");
}

#[test]
fn a_killed_stream_goes_on_with_its_windows() {
    let folder = tempfile::tempdir().unwrap();
    let saved = || options(2.0, 100.0).with_folder(folder.path().to_owned());
    let mut stream = LiveStream::new(vision(), saved()).unwrap();
    let started = stream.started();
    for (frame, seconds) in frames(22, 4.0, 1) {
        stream.push(frame, seconds).unwrap();
    }
    let refused = LiveStream::new(vision(), saved()).unwrap_err();
    assert!(matches!(refused, LiveError::InUse { .. }), "{refused}");
    let before: Vec<Window> = stream.windows().cloned().collect();
    // What a kill leaves: the open window is not saved, and a file that was being written is hidden beside it.
    drop(stream);
    fs::write(folder.path().join(".vqtoken-dead00.part"), "half").unwrap();

    let mut stream = LiveStream::new(vision(), saved()).unwrap();
    assert_eq!(stream.windows().cloned().collect::<Vec<_>>(), before);
    assert_eq!((stream.resumed_windows(), stream.messages()), (2, &[][..]));
    let drift = stream.started().duration_since(started).unwrap_or_else(|error| error.duration());
    assert!(drift.as_secs_f64() < 1e-3);
    assert_eq!(stream.offset(started + std::time::Duration::from_secs(60)).round(), 60.0);
    assert_eq!(stream.offset(started), 3.75);
    assert!(!folder.path().join(".vqtoken-dead00.part").exists());
    // The rest of the stream: the same as if there had been no break, but for the open window that was lost.
    for (frame, seconds) in frames(30, 4.0, 1).skip(24) {
        stream.push(frame, seconds).unwrap();
    }
    stream.close().unwrap();
    assert_eq!(vqt_files(folder.path()), ["0000000000.vqt", "0000000001.vqt", "0000000002.vqt"]);
    let times = stream.tokens_of_last(None).unwrap().timestamps;
    assert_eq!(times.len(), 16 + 6);
    assert!(times.is_sorted());
}

#[test]
fn damaged_and_foreign_folders_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let saved = || options(1.0, 100.0).with_folder(folder.path().to_owned());
    let mut stream = LiveStream::new(vision(), saved()).unwrap();
    for (frame, seconds) in frames(12, 4.0, 1) {
        stream.push(frame, seconds).unwrap();
    }
    stream.close().unwrap();
    drop(stream);
    let (cut, description) = (folder.path().join("0000000001.vqt"), folder.path().join("stream.json"));
    let bytes = fs::read(&cut).unwrap();
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let stream = LiveStream::new(vision(), saved()).unwrap();
    let sequences: Vec<u64> = stream.windows().map(|window| window.sequence).collect();
    assert_eq!(sequences, [0, 2]);
    assert!(stream.messages()[0].contains("0000000001.vqt is left out"), "{:?}", stream.messages());
    drop(stream);

    let text = fs::read_to_string(&description).unwrap();
    fs::write(&description, text.replace(vision().id(), "other@0")).unwrap();
    assert!(matches!(LiveStream::new(vision(), saved()), Err(LiveError::OtherModel { .. })));
    for bad in ["", "{", "[]", "{\"format\":9,\"name\":\"\",\"model\":\"\",\"started\":0}"] {
        fs::write(&description, bad).unwrap();
        let error = LiveStream::new(vision(), saved()).unwrap_err();
        assert!(matches!(error, LiveError::Description { .. }), "{error}");
    }
    fs::write(&description, text.replace("\"started\": ", "\"started\": -")).unwrap();
    assert!(matches!(LiveStream::new(vision(), saved()), Err(LiveError::Description { .. })));
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let refused = |options| LiveStream::new(vision(), options).unwrap_err();
    assert!(matches!(refused(options(0.0, 10.0)), LiveError::Option { name: "window", .. }));
    assert!(matches!(refused(options(5.0, f64::NAN)), LiveError::Option { name: "keep", .. }));
    assert!(matches!(refused(options(5.0, 4.0)), LiveError::KeepTooShort { .. }));
    assert!(matches!(refused(options(5.0, 10.0).with_fps(-1.0)), LiveError::Option { name: "fps", .. }));
    assert!(matches!(refused(options(5.0, 1e9).with_fps(30.0)), LiveError::TooMuch { .. }));
    let none = options(5.0, 10.0).with_codes(Budget::Fixed(0), Budget::Fixed(1));
    assert!(matches!(refused(none), LiveError::Budget(_)));
}
