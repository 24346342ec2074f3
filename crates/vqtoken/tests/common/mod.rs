//! A few clips of moving shapes with their questions, and the binary.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test file uses some of these, and fails by panicking"
)]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;
use vqtoken_shapes::{Settings, write_data_set};

/// The folder of three clips of a second, all of them for the test, made once for all tests of a file.
pub(crate) fn shapes() -> &'static Path {
    static SHAPES: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, folder) = SHAPES.get_or_init(|| {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("shapes");
        let settings = Settings {
            clips: 3,
            seed: 5,
            validation: 0.0,
            test: 1.0,
            questions: 2,
            seconds: 1.0,
            size: 96,
            ..Settings::default()
        };
        let written = write_data_set(&settings, &folder, |_, _| {}).unwrap();
        assert!(written.questions[2] >= 4, "{written:?}");
        (root, folder)
    });
    folder
}

pub(crate) fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(crate) fn command<S: AsRef<OsStr>>(arguments: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vqtoken"));
    command.args(arguments);
    command
}

pub(crate) fn stdout<S: AsRef<OsStr>>(arguments: &[S]) -> String {
    let output = command(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The one line of JSON that a command prints.
pub(crate) fn json<S: AsRef<OsStr>>(arguments: &[S]) -> Value {
    serde_json::from_str(&stdout(arguments)).unwrap()
}

/// The lines of JSON that a command prints.
pub(crate) fn json_lines<S: AsRef<OsStr>>(arguments: &[S]) -> Vec<Value> {
    stdout(arguments).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Fails with `code` and a message that holds every needle, of one line unless the argument parser wrote it.
pub(crate) fn refused<S: AsRef<OsStr>>(arguments: &[S], code: i32, needles: &[&str]) {
    let Output { status, stdout, stderr } = command(arguments).output().unwrap();
    let message = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(code), "{message}");
    assert!(stdout.is_empty());
    let lines: Vec<_> = message.lines().filter(|line| !line.starts_with("note: ")).collect();
    assert!(lines.len() == 1 || code == 2, "{message}");
    for needle in needles {
        assert!(message.contains(needle), "{needle:?} is not in {message}");
    }
}

/// The lines of a samples file in the order of the questions, without what was measured.
pub(crate) fn samples(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    let mut samples: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    samples.sort_by_key(|sample| sample["doc_id"].as_u64());
    for sample in &mut samples {
        sample.as_object_mut().unwrap().remove("seconds");
    }
    samples
}
