//! The binary as a user meets it: the whole path on the project's own clip, and what it says to bad input.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use tempfile::TempDir;

/// The demonstration clip and its video tokens, made once for all tests.
struct Prepared {
    folder: TempDir,
    clip: PathBuf,
    tokens: PathBuf,
}

fn prepared() -> &'static Prepared {
    static PREPARED: OnceLock<Prepared> = OnceLock::new();
    PREPARED.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let (clip, tokens) = (folder.path().join("demo.mp4"), folder.path().join("demo.vqt"));
        stdout(&["demo", "-o", path(&clip)]);
        let exact = ["--frames", "6", "--tokens", "8", "--quality", "exact"];
        stdout(&[&["encode", path(&clip), "-o", path(&tokens)], &exact[..]].concat());
        Prepared { folder, clip, tokens }
    })
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vqtoken"));
    command.args(arguments);
    command
}

fn stdout(arguments: &[&str]) -> String {
    let output = command(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(arguments: &[&str]) -> serde_json::Value {
    serde_json::from_str(&stdout(arguments)).unwrap()
}

/// Fails with `code` and one line on standard error that holds every needle.
fn refused(arguments: &[&str], code: i32, needles: &[&str]) {
    let Output { status, stdout, stderr } = command(arguments).output().unwrap();
    let message = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(code), "{arguments:?}: {message}");
    assert!(stdout.is_empty());
    let lines: Vec<_> = message.lines().filter(|line| !line.starts_with("note: ")).collect();
    // Usage errors come from the argument parser, which adds how to get help.
    assert!(lines.len() == 1 || code == 2, "{arguments:?}: {message}");
    for needle in needles {
        assert!(message.contains(needle), "{arguments:?} lacks {needle:?}: {message}");
    }
}

#[test]
fn ask_answers_and_counts() {
    let clip = path(&prepared().clip);
    let output = command(&["ask", clip, "What happens?", "--frames", "4", "--tokens", "8", "--stats"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(notes.contains("it knows clips of moving shapes alone"), "{notes}");
    assert!(notes.contains("2,916 before, 8 after (0.27%)"), "{notes}");
    for stage in
        ["load", "decode", "pixels", "vision", "quantize", "attention", "prefill", "generation", "memory"]
    {
        assert!(notes.lines().any(|line| line.starts_with(stage)), "{stage}: {notes}");
    }
}

#[test]
fn video_and_tokens_give_the_same_answer() {
    let Prepared { clip, tokens, .. } = prepared();
    let from_video = json(&["--json", "ask", path(clip), "What moves?", "--frames", "6", "--tokens", "8"]);
    let from_tokens = json(&["--json", "ask", path(tokens), "What moves?", "Where to?"]);
    assert_eq!(from_video["answers"][0], from_tokens["answers"][0]);
    assert_eq!(from_tokens["answers"][1]["question"], "Where to?");
    assert_eq!(from_tokens["visual_tokens"], 8);
    assert_eq!(from_tokens["grid_tokens"], 6 * 27 * 27);
    assert!(from_tokens["seconds"].get("decode").is_none());

    let followed = json(&[
        "--json",
        "ask",
        path(tokens),
        "What moves?",
        "Where to?",
        "--follow-up",
        "--max-tokens",
        "5",
    ]);
    let alone = json(&["--json", "ask", path(tokens), "What moves?", "Where to?", "--max-tokens", "5"]);
    let prompt = |value: &serde_json::Value| value["answers"][1]["prompt_tokens"].as_u64().unwrap();
    assert!(prompt(&followed) > prompt(&alone));
}

#[test]
fn other_ways_to_ask() {
    let Prepared { clip, tokens, .. } = prepared();
    let text = json(&["--json", "ask", "--max-tokens", "4", "--text-only", "Who are you?", "And you?"]);
    assert_eq!(text["visual_tokens"], 0);
    assert_eq!(text["answers"].as_array().unwrap().len(), 2);
    let pooled = json(&[
        "--json",
        "ask",
        path(clip),
        "What?",
        "--frames",
        "2",
        "--reducer",
        "pooled",
        "--max-tokens",
        "2",
    ]);
    assert_eq!(pooled["visual_tokens"], 2 * 14 * 14);
    let adaptive = [
        "ask",
        path(clip),
        "What?",
        "--fps",
        "0.5",
        "--tokens",
        "adaptive:silhouette:2-5",
        "--max-tokens",
        "2",
    ];
    let count = json(&[&["--json"], &adaptive[..]].concat())["visual_tokens"].as_u64().unwrap();
    assert!((2..=5).contains(&count));
    let drawn = |seed| {
        stdout(&["ask", path(tokens), "What?", "--temperature", "9", "--seed", seed, "--max-tokens", "12"])
    };
    assert_eq!(drawn("1"), drawn("1"));
    assert_ne!(drawn("1"), drawn("2"));
}

#[test]
fn the_same_bits_with_any_number_of_threads() {
    let Prepared { folder, clip, tokens } = prepared();
    let other = folder.path().join("threads.vqt");
    let exact = ["--frames", "6", "--tokens", "8", "--quality", "exact"];
    let arguments = [&["encode", path(clip), "-o", path(&other)], &exact[..]].concat();
    let output = command(&arguments).env("RAYON_NUM_THREADS", "1").output().unwrap();
    assert!(output.status.success());
    assert!(fs::read(&other).unwrap() == fs::read(tokens).unwrap());
}

#[test]
fn encode_into_a_folder_reports_what_failed() {
    let Prepared { folder, clip, .. } = prepared();
    let out = folder.path().join("several");
    fs::create_dir(&out).unwrap();
    let broken = folder.path().join("broken.mp4");
    fs::write(&broken, b"no video at all").unwrap();
    let arguments = ["encode", path(&broken), path(clip), "-o", path(&out), "--frames", "2", "--tokens", "4"];
    let output = command(&arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.contains("1 of 2 videos were not encoded") && message.contains("broken.mp4"),
        "{message}"
    );
    let written: Vec<_> = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(written, ["demo.vqt"]);
}

#[test]
fn show_draws_videos_and_tokens() {
    let Prepared { folder, clip, tokens } = prepared();
    let picture = folder.path().join("picture.png");
    for arguments in [
        vec!["show", path(tokens), "-o", path(&picture)],
        vec!["show", path(tokens), "-o", path(&picture), "--video", path(clip)],
        vec!["show", path(clip), "-o", path(&picture), "--frames", "3", "--tokens", "4", "--drawn", "2"],
    ] {
        stdout(&arguments);
        let bytes = fs::read(&picture).unwrap();
        assert_eq!(bytes[..8], *b"\x89PNG\r\n\x1a\n");
        fs::remove_file(&picture).unwrap();
    }
    let precision = ["show", path(tokens), "-o", path(&picture), "--precision", "int8"];
    refused(&precision, 2, &["--precision", "a .vqt file has them already"]);
}

#[test]
fn inspect_says_what_is_inside() {
    let Prepared { clip, tokens, .. } = prepared();
    let of_tokens = json(&["--json", "inspect", path(tokens)]);
    assert_eq!(of_tokens["codes"], 8);
    assert_eq!(of_tokens["grid"], serde_json::json!([6, 27, 27]));
    assert_eq!(of_tokens["source"], "demo.mp4");
    assert!(of_tokens["bytes_per_second"].as_f64().unwrap() > 0.0);
    let of_clip = json(&["--json", "inspect", path(clip)]);
    assert_eq!(of_clip["kind"], "video");
    assert_eq!(of_clip["codec"], "H.264");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/a/onevision-vqtoken");
    assert_eq!(json(&["--json", "inspect", path(&golden)])["vq_attention"]["kind"], "released");
    assert!(stdout(&["inspect"]).contains("the built-in model"));
}

#[test]
fn windows_have_their_own_codes_and_a_total_joins_them() {
    let Prepared { folder, clip, .. } = prepared();
    let encoded = |name: &str, more: &[&str]| {
        let file = folder.path().join(name);
        let windows = ["--fps", "2", "--window", "1s", "--tokens", "3"];
        stdout(&[&["encode", path(clip), "-o", path(&file)], &windows[..], more].concat());
        json(&["--json", "inspect", path(&file)])
    };
    let windows = encoded("windows.vqt", &[]);
    let (first, last) = (windows["times"][0].as_f64().unwrap(), windows["times"][1].as_f64().unwrap());
    assert_eq!(first, 0.0);
    assert_eq!(windows["codes"], 3 * (1 + last as usize));
    assert_eq!((&windows["window"], &windows["total"]), (&1.0.into(), &serde_json::Value::Null));
    let total = encoded("total.vqt", &["--total", "5", "--quality", "int8"]);
    assert_eq!((total["codes"].as_u64(), total["total"].as_str()), (Some(5), Some("5")));
    assert!(total["bytes"].as_u64() < windows["bytes"].as_u64());
    assert!(stdout(&["ask", path(&folder.path().join("total.vqt")), "What?", "--max-tokens", "1"]).len() > 1);
    refused(
        &["ask", path(clip), "What?", "--frames", "2", "--window", "9s", "--tokens", "3", "--total", "4"],
        1,
        &["a total of 4 codes", "3 codes of all windows"],
    );
}

#[test]
fn any_reducer_can_stand_for_the_video() {
    let clip = path(&prepared().clip);
    for (reducer, tokens) in [("tome:9", 9), ("uniform:5", 5), ("vqtoken:4", 4)] {
        let quick = ["What?", "--frames", "2", "--max-tokens", "1", "--reducer", reducer];
        let answer = json(&[&["--json", "ask", clip], &quick[..]].concat());
        assert_eq!(answer["visual_tokens"], tokens, "{reducer}");
    }
    refused(&["ask", clip, "What?", "--reducer", "magic:3"], 2, &["magic"]);
    let many = ["--frames", "1", "--reducer", "norm:800"];
    refused(&[&["ask", clip, "What?"], &many[..]].concat(), 1, &["800", "729"]);
}

#[test]
fn bad_usage_is_exit_code_2() {
    let Prepared { folder, clip, tokens } = prepared();
    let (clip, tokens) = (path(clip), path(tokens));
    refused(&["ask", clip, ""], 2, &["question is empty"]);
    refused(&["ask", clip], 2, &["no question"]);
    refused(&["ask", clip, "What?", "--tokens", "0"], 2, &["at least 1"]);
    refused(&["ask", clip, "What?", "--tokens", "some"], 2, &["adaptive:RULE", "bits=0.02"]);
    refused(&["ask", clip, "What?", "--tokens", "adaptive:elbow:9-3"], 2, &["smaller number first"]);
    refused(&["ask", clip, "What?", "--tokens", "adaptive:bits=-1"], 2, &["above 0"]);
    refused(&["ask", clip, "What?", "--window", "soon"], 2, &["60s"]);
    refused(&["ask", clip, "What?", "--total", "8"], 2, &["--window"]);
    refused(&["encode", clip, "-o", tokens, "--quality", "best"], 2, &["bf16"]);
    refused(&["ask", clip, "What?", "--frames", "0"], 2, &["at least one"]);
    refused(&["ask", clip, "What?", "--fps", "nan"], 2, &["above 0"]);
    refused(&["ask", tokens, "What?", "--frames", "3"], 2, &["--frames", ".vqt"]);
    let file = folder.path().join("file.txt");
    fs::write(&file, "words").unwrap();
    refused(&["encode", clip, "-o", path(&file)], 2, &["file.txt", "not a folder"]);
    refused(&["encode", clip, tokens, "-o", path(&folder.path().join("one.vqt"))], 2, &["one.vqt", "folder"]);
    refused(&["show", tokens, "-o", path(&folder.path().join("picture.jpg"))], 2, &[".png"]);
    let with_model = ["show", tokens, "-o", "x.png", "--model", "models/mini"];
    refused(&with_model, 2, &["--model", ".vqt"]);
    refused(&["dance"], 2, &["dance"]);
}

#[test]
fn options_without_effect_are_refused() {
    let Prepared { clip, tokens, .. } = prepared();
    let (clip, tokens) = (path(clip), path(tokens));
    let cases: [(&[&str], &str); 14] = [
        (&[clip, "What?", "--reducer", "tome:32", "--tokens", "5"], "--tokens"),
        (&[clip, "What?", "--reducer", "tome:32", "--window", "1s"], "--window"),
        (&[clip, "What?", "--reducer", "pooled", "--quantizer-seed", "1"], "--quantizer-seed"),
        (&[clip, "What?", "--top-p", "0.5"], "--top-p"),
        (&[clip, "What?", "--top-k", "3"], "--top-k"),
        (&[clip, "What?", "--seed", "3"], "--seed"),
        (&[clip, "What?", "--follow-up"], "--follow-up"),
        (&["--text-only", "What?", "--frames", "3"], "--frames"),
        (&["--text-only", "What?", "--tokens", "3"], "--tokens"),
        (&[tokens, "What?", "--fps", "3"], "--fps"),
        (&[tokens, "What?", "--tokens", "3"], "--tokens"),
        (&[tokens, "What?", "--window", "3s"], "--window"),
        (&[tokens, "What?", "--near-repeats", "3"], "--near-repeats"),
        (&[tokens, "What?", "--quantizer-seed", "3"], "--quantizer-seed"),
    ];
    for (arguments, option) in cases {
        refused(&[&["ask"], arguments].concat(), 2, &[&format!("error: {option} ")]);
    }
}

#[test]
fn encode_makes_the_folder_of_several_videos() {
    let Prepared { folder, clip, .. } = prepared();
    let other = folder.path().join("other.mp4");
    fs::copy(clip, &other).unwrap();
    let output = folder.path().join("deep/tokens");
    stdout(&["encode", path(clip), path(&other), "-o", path(&output), "--frames", "1", "--tokens", "2"]);
    assert!(output.join("demo.vqt").is_file() && output.join("other.vqt").is_file());
}

#[test]
fn failures_are_exit_code_1_and_name_the_thing() {
    let Prepared { folder, clip, tokens } = prepared();
    let file = |name: &str, bytes: &[u8]| {
        let file = folder.path().join(name);
        fs::write(&file, bytes).unwrap();
        path(&file).to_owned()
    };
    let quick = ["What?", "--frames", "2", "--max-tokens", "1"];
    let ask =
        |input: &str, code, needles: &[&str]| refused(&[&["ask", input], &quick[..]].concat(), code, needles);
    ask("nowhere.mp4", 1, &["nowhere.mp4"]);
    ask(&file("words.mp4", b"these are words"), 1, &["words.mp4"]);
    ask(&file("empty.mp4", b""), 1, &["empty.mp4"]);
    let sound = fs::read(tokens).unwrap();
    refused(&["ask", &file("cut.vqt", &sound[..sound.len() / 2]), "What?"], 1, &["cut.vqt"]);
    refused(&["inspect", &file("empty.vqt", b"")], 1, &["empty.vqt"]);
    refused(&["ask", path(clip), "What?", "--model", "nowhere"], 1, &["no model at nowhere"]);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/a/onevision-hf");
    refused(&["ask", path(tokens), "What?", "--model", path(&golden)], 1, &["mini@", "onevision-hf@"]);
    refused(&["ask", path(tokens), "What?", "--temperature=-1"], 2, &["temperature"]);
    let many = ["--frames", "1", "--tokens", "730"];
    refused(&[&["ask", path(clip), "What?"], &many[..]].concat(), 1, &["730 codes", "729 tokens"]);
    let nowhere = folder.path().join("nowhere/picture.png");
    refused(&["show", path(tokens), "-o", path(&nowhere)], 1, &["nowhere"]);
    let nowhere = folder.path().join("nowhere/demo.vqt");
    refused(&["encode", path(clip), "-o", path(&nowhere), "--frames", "1"], 1, &["nowhere"]);
    let error = command(&["--json", "ask", "nowhere.mp4", "What?"]).output().unwrap();
    let error = String::from_utf8(error.stderr).unwrap();
    let last = error.lines().last().unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(last).unwrap()["error"].is_string(), "{error}");
}
