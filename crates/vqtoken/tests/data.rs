//! `vqtoken data` as a user meets it: what is written, going on after a stop, and what it says to bad input.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Six clips of eight frames.
const SMALL: [&str; 10] =
    ["--clips", "6", "--seconds", "1", "--fps", "8", "--test", "0.3", "--validation", "0.3"];

fn command(folder: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vqtoken"));
    command.args(["data", "shapes", "--out"]).arg(folder).args(SMALL).args(more);
    command
}

fn succeeds(mut command: Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    assert!(stderr.is_empty(), "no bar where there is no terminal");
    String::from_utf8(stdout).unwrap()
}

/// The message of a command that fails with this code and prints no result.
fn refused(mut command: Command, code: i32) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let message = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(code), "{message}");
    assert!(stdout.is_empty());
    message
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for folder in [folder.to_path_buf(), folder.join("videos")] {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file())
        {
            found.insert(entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
        }
    }
    found
}

#[test]
fn a_folder_is_filled_and_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("new/shapes");
    let told = succeeds(command(&folder, &[]));
    for words in ["6 clips of 8 frames, 0 of them", "train_captions.json", "guessed blind", "middle frame"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    for line in told.lines().filter(|line| !line.contains("/videos:")) {
        assert!(Path::new(line.split(": ").next().unwrap()).is_file(), "{line}");
    }
    let before = files(&folder);
    assert_eq!(before.keys().filter(|name| name.ends_with(".mp4")).count(), 6);

    let record: serde_json::Value = serde_json::from_str(&succeeds(command(&folder, &["--json"]))).unwrap();
    assert_eq!((&record["clips"], &record["kept"]), (&6.into(), &6.into()));
    let rows = String::from_utf8_lossy(&before["train.csv"]).lines().count() - 1;
    assert_eq!(record["questions"]["train"], rows);
    let written: serde_json::Value = serde_json::from_slice(&before["report.json"]).unwrap();
    assert_eq!(record["report"], written);
    assert!(written["templates"].as_object().unwrap().values().all(|guesses| guesses["blind"].is_number()));
    assert!(before == files(&folder), "the same settings give the same bytes");
}

#[test]
fn what_was_killed_is_gone_on_with_to_the_same_files() {
    let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    succeeds(command(whole.path(), &[]));
    let mut child = command(killed.path(), &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let first = killed.path().join("videos");
    let start = Instant::now();
    while fs::read_dir(&first).map_or(0, Iterator::count) == 0 && child.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < Duration::from_secs(120));
        thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!killed.path().join("train.csv").exists(), "it was killed before its end");
    succeeds(command(killed.path(), &[]));
    assert!(files(whole.path()) == files(killed.path()));
}

#[test]
fn the_report_alone_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let report = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vqtoken"));
        command.args(["data", "shapes", "--report", "--clips", "300"]).args(more).current_dir(folder.path());
        command
    };
    let told = succeeds(report(&[]));
    assert!(told.starts_with("| template |") && told.contains("\n| OutOfSight | CH |"), "{told}");
    let record: serde_json::Value = serde_json::from_str(&succeeds(report(&["--json"]))).unwrap();
    let all = &record["report"]["all"];
    assert!(all["questions"].as_u64().unwrap() > 600, "{record}");
    assert!((0.1..0.3).contains(&all["blind"].as_f64().unwrap()), "{record}");
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
    assert!(refused(report(&["--out", "x"]), 2).contains("--report"));
}

#[test]
fn bad_usage_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("set");
    let cases: [(&[&str], &str); 7] = [
        (&["--seconds", "0.1"], "setting seconds = 0.1: give 0.5 to 600"),
        (&["--seconds", "NaN"], "setting seconds"),
        (&["--validation", "0.8"], "1 at most together"),
        (&["--clips", "0"], "at least one"),
        (&["--clips", "9999999"], "at most 1000000"),
        (&["--difficulty", "brutal"], "easy, normal or hard"),
        (&["--questions", "many"], "whole number"),
    ];
    for (more, words) in cases {
        // Each option may be given once only.
        let mut command = Command::new(env!("CARGO_BIN_EXE_vqtoken"));
        let small: Vec<&str> = SMALL.chunks(2).filter(|pair| pair[0] != more[0]).flatten().copied().collect();
        command.args(["data", "shapes", "--out"]).arg(&target).args(small).args(more);
        assert!(refused(command, 2).contains(words), "{words}");
    }
    assert!(!target.exists());
    let mut nowhere = Command::new(env!("CARGO_BIN_EXE_vqtoken"));
    nowhere.args(["data", "shapes", "--clips", "6"]);
    assert!(refused(nowhere, 2).contains("--out"));
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(command(folder.path(), &[]));
    let before = files(folder.path());
    let message = refused(command(folder.path(), &["--seed", "5"]), 1);
    for words in ["settings.json", "another seed (0, not 5)", "choose another folder"] {
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(message.lines().count(), 1);
    let message = refused(command(folder.path(), &["--difficulty", "hard", "--json"]), 1);
    assert!(serde_json::from_str::<serde_json::Value>(&message).unwrap()["error"].is_string());
    assert!(before == files(folder.path()));

    // A file where the folder should be.
    let message = refused(command(&folder.path().join("train.csv"), &[]), 1);
    assert!(message.contains("train.csv") && message.lines().count() == 1, "{message}");
}
