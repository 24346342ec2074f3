//! `vqtoken watch` as a user meets it: files, standard input, addresses, ends and bad input.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod common;
#[path = "../../../golden/locate.rs"]
mod locate;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use common::{command, json, json_lines, path, refused, stdout};
use serde_json::Value;
use tempfile::TempDir;

/// The demonstration clip: six seconds.
fn demo() -> &'static Path {
    static DEMO: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, clip) = DEMO.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let clip = folder.path().join("demo.mp4");
        stdout(&["demo", "-o", path(&clip)]);
        (folder, clip)
    });
    clip
}

fn of_type<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["type"] == name).collect()
}

fn vqt_files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "vqt")).collect();
    files.sort();
    files
}

#[test]
fn a_file_becomes_windows_and_answers() {
    let folder = tempfile::tempdir().unwrap();
    let save = folder.path().join("windows");
    let arguments = [
        "--json",
        "watch",
        path(demo()),
        "--speed",
        "max",
        "--window",
        "2s",
        "--tokens",
        "8",
        "--total",
        "8",
    ];
    let asked =
        ["--ask", "What moves?", "--every", "3s", "--last", "2s", "--save", path(&save), "--max-tokens", "6"];
    let all = [&arguments[..], &asked].concat();
    let events = json_lines(&all);
    let names: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!((names[0], names[names.len() - 1]), ("start", "end"));
    let windows = of_type(&events, "window");
    assert_eq!(windows.len(), 3);
    assert_eq!(windows[0]["frames"], 4);
    let answers = of_type(&events, "answer");
    assert_eq!(answers.len(), 2, "at 3 s and at the end: {events:?}");
    assert!(
        answers
            .iter()
            .all(|answer| answer["question"] == "What moves?" && answer["codes"].as_u64() <= Some(8))
    );
    assert!(answers[0]["to"].as_f64().unwrap() < 3.0 && answers[0]["from"].as_f64().unwrap() >= 0.4);
    let end = events.last().unwrap();
    assert_eq!((&end["frames"], &end["left_out"], &end["windows"]), (&12.into(), &0.into(), &3.into()));

    // Windows are files that the other commands read.
    let files = vqt_files(&save);
    assert_eq!(files.len(), 3);
    let asked = json(&["--json", "ask", path(&files[2]), "What moves?"]);
    assert_eq!(asked["visual_tokens"], 8);
    // Started again, the stream goes on.
    let events = json_lines(&all);
    assert_eq!(events[0]["resumed_windows"], 3);
    assert!(events[0]["offset"].as_f64().unwrap() >= 5.0);
    let more = of_type(&events, "window");
    assert_eq!(more[0]["sequence"], 3);
    assert_eq!(vqt_files(&save).len(), 3 + more.len());
}

#[test]
fn typed_questions_are_answered_and_people_get_plain_lines() {
    let arguments =
        ["watch", path(demo()), "--speed", "max", "--window", "2s", "--tokens", "8", "--max-tokens", "6"];
    let mut child = command(&arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "What moves?").unwrap();
    let output = child.wait_with_output().unwrap();
    let (answers, notes) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{notes}");
    assert!(answers.starts_with("0:00:0") && answers.contains("  What moves?  "), "{answers}");
    assert!(
        notes.contains("window of 4 frames, 8 codes") && notes.contains("end: 12 frames in 3 windows"),
        "{notes}"
    );
}

#[test]
fn a_stream_from_standard_input_is_read_through_ffmpeg() {
    let ffmpeg = Command::new("ffmpeg").arg("-version").output();
    if !ffmpeg.is_ok_and(|output| output.status.success()) {
        return locate::skip("no ffmpeg");
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, arguments) in [
        ("a.ts", &["-c:v", "mpeg2video", "-f", "mpegts"][..]),
        ("a.mp4", &["-c:v", "mpeg4", "-movflags", "frag_keyframe+empty_moov", "-f", "mp4"]),
        ("a.mjpeg", &["-c:v", "mjpeg", "-r", "25", "-f", "mjpeg"]),
    ] {
        let stream = folder.path().join(name);
        let made = Command::new("ffmpeg")
            .args(["-nostdin", "-loglevel", "error", "-i", path(demo())])
            .args(arguments)
            .arg(&stream)
            .status();
        assert!(made.unwrap().success());
        let output = command(&["--json", "watch", "-", "--speed", "max", "--window", "2s", "--tokens", "8"])
            .stdin(File::open(&stream).unwrap())
            .output()
            .unwrap();
        let notes = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {notes}");
        let text = String::from_utf8(output.stdout).unwrap();
        let end: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        let frames = end["frames"].as_u64().unwrap();
        assert!((11..=13).contains(&frames), "{name}: {text}");
        assert_eq!(end["left_out"], 0, "{name}");
    }
    let output = command(&["watch", "-"]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let output = command(&["watch", "-"])
        .stdin(Stdio::null())
        .env("VQTOKEN_FFMPEG", "no-such-ffmpeg")
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("`no-such-ffmpeg` was not found: install ffmpeg"), "{message}");
}

/// A stream that goes on for as long as the clip at a tenth of its pace, up to its first window.
fn slowly(save: &Path) -> (Child, impl Iterator<Item = Value>) {
    let arguments = [
        "--json",
        "watch",
        path(demo()),
        "--speed",
        "0.5",
        "--window",
        "1s",
        "--tokens",
        "4",
        "--save",
        path(save),
    ];
    let mut child = command(&arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut events = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    assert!(events.by_ref().any(|event| event["type"] == "window"));
    (child, events)
}

#[cfg(unix)]
fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

#[cfg(unix)]
#[test]
fn an_interrupted_stream_closes_its_window_and_succeeds() {
    for name in ["-INT", "-TERM"] {
        let folder = tempfile::tempdir().unwrap();
        let (mut child, events) = slowly(folder.path());
        // One frame of the next window at least.
        std::thread::sleep(std::time::Duration::from_millis(1500));
        signal(&child, name);
        let events: Vec<Value> = events.collect();
        assert!(child.wait().unwrap().success(), "{name}");
        let end = events.last().unwrap();
        assert_eq!(end["type"], "end", "{events:?}");
        assert!(end["frames"].as_u64().unwrap() < 12);
        assert_eq!(vqt_files(folder.path()).len() as u64, end["windows"].as_u64().unwrap());
    }
}

#[cfg(unix)]
#[test]
fn a_killed_stream_goes_on_with_whole_windows() {
    let folder = tempfile::tempdir().unwrap();
    let mut before = 0;
    for _ in 0..2 {
        let (mut child, events) = slowly(folder.path());
        signal(&child, "-KILL");
        child.wait().unwrap();
        drop(events);
        let files = vqt_files(folder.path());
        assert!(files.len() > before, "{files:?}");
        before = files.len();
        for file in files {
            json(&["--json", "inspect", path(&file)]);
        }
    }
    let events =
        json_lines(&["--json", "watch", path(demo()), "--speed", "max", "--save", path(folder.path())]);
    assert_eq!(events[0]["resumed_windows"].as_u64().unwrap(), before as u64);
    assert!(of_type(&events, "warning").is_empty(), "{events:?}");
}

#[test]
fn bad_use_is_refused_before_anything_is_loaded() {
    refused(&["watch", "no-such-file.mp4"], 1, &["no-such-file.mp4", "no such file"]);
    refused(&["watch", "ftp://host/a"], 2, &["\"ftp\" are not read"]);
    refused(&["watch", "concat:a|b"], 1, &["no such file"]);
    refused(&["watch", "rtsp://host/1", "--speed", "2"], 2, &["--speed", "has its own pace"]);
    refused(&["watch", path(demo()), "--reconnect"], 2, &["--reconnect"]);
    refused(&["watch", path(demo()), "--every", "3s"], 2, &["--ask"]);
    refused(&["watch", path(demo()), "--arrival-times"], 2, &["--arrival-times"]);
    refused(&["watch", path(demo()), "--last", "2m", "--keep", "1m"], 2, &["--keep"]);
    refused(&["watch", path(demo()), "--speed", "slow"], 2, &["number above 0, or max"]);
    refused(&["watch", path(demo()), "--keep", "1s"], 2, &["shorter than a window"]);
}
