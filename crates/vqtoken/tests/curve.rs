//! `vqtoken show --curve` as a user meets it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vqtoken")).args(arguments).output().unwrap()
}

fn stdout(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Fails with exit code 2 and a message that holds every needle.
fn usage_error(arguments: &[&str], needles: &[&str]) {
    let Output { status, stderr, .. } = run(arguments);
    let message = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(2), "{arguments:?}: {message}");
    for needle in needles {
        assert!(message.contains(needle), "{arguments:?} lacks {needle:?}: {message}");
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_curve_of_a_video_is_drawn_and_printed() {
    let folder = tempfile::tempdir().unwrap();
    let (clip, picture) = (folder.path().join("demo.mp4"), folder.path().join("curve.png"));
    stdout(&["demo", "-o", path(&clip)]);
    let common = ["show", path(&clip), "-o", path(&picture), "--frames", "2", "--curve"];
    for (rule, has_silhouette) in
        [("elbow", false), ("silhouette", true), ("distortion=0.5", false), ("bits=0.1", false)]
    {
        let tokens = format!("adaptive:{rule}:2-6");
        let line = stdout(&[&["--json"], &common[..], &["--tokens", &tokens]].concat());
        let record: Value = serde_json::from_str(&line).unwrap();
        let curve = record["curve"].as_array().unwrap();
        assert_eq!(
            curve.iter().map(|point| point["codes"].as_u64().unwrap()).collect::<Vec<_>>(),
            [2, 3, 4, 5, 6]
        );
        assert!(curve.iter().all(|point| point["silhouette"].is_number() == has_silhouette));
        assert!(curve.iter().all(|point| point["rule_value"].is_number()));
        assert!((2..=6).contains(&record["codes"].as_u64().unwrap()));
        assert_eq!(fs::read(&picture).unwrap()[..8], *b"\x89PNG\r\n\x1a\n");
        fs::remove_file(&picture).unwrap();
    }
    usage_error(&common, &["--tokens adaptive"]);
    usage_error(&[&common[..], &["--tokens", "8"]].concat(), &["--tokens 8", "--tokens adaptive"]);
    let file = folder.path().join("clip.vqt");
    usage_error(&["show", path(&file), "-o", path(&picture), "--curve"], &["--curve needs the video"]);
    assert!(!picture.exists());
}
