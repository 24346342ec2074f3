//! `vqtoken bench` as a user meets it.

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

/// The lines of `vqtoken --json bench quantize`.
fn records(arguments: &[&str]) -> Vec<Value> {
    let lines = stdout(&[&["--json", "bench", "quantize"], arguments].concat());
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Fails with `code` and a message that holds every needle, on one line if the input and not the usage is bad.
fn refused(arguments: &[&str], code: i32, needles: &[&str]) {
    let Output { status, stdout, stderr } = run(arguments);
    let message = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(code), "{arguments:?}: {message}");
    assert!(stdout.is_empty());
    assert!(message.lines().count() == 1 || code == 2, "{arguments:?}: {message}");
    for needle in needles {
        assert!(message.contains(needle), "{arguments:?} lacks {needle:?}: {message}");
    }
}

/// A safetensors file of one tensor.
fn safetensors(name: &str, dtype: &str, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let header = serde_json::json!({
        name: { "dtype": dtype, "shape": shape, "data_offsets": [0, data.len()] }
    })
    .to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(data);
    bytes
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Three directions in turn, with a little noise: 729 tokens of 4 channels.
fn tokens() -> Vec<f32> {
    (0..729)
        .flat_map(|place| {
            let mut token = [0.01 * (place % 7) as f32; 4];
            token[place % 3] = 1.0 + place as f32;
            token
        })
        .collect()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn every_case_and_every_field() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.safetensors");
    fs::write(&file, safetensors("tokens", "F32", &[729, 4], &floats(&tokens()))).unwrap();
    let small = ["--tokens-file", path(&file), "--min", "2", "--max", "5", "--k", "3"];
    let records = records(&[&small[..6], &["--case", "published-adaptive-elbow"]].concat())
        .into_iter()
        .chain(records(&small))
        .collect::<Vec<_>>();
    let names: Vec<&str> = records.iter().map(|record| record["case"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "published-adaptive-elbow",
            "fixed",
            "adaptive-elbow",
            "adaptive-silhouette",
            "adaptive-distortion=0.9",
            "adaptive-bits=0.02",
            "stream-fixed",
            "stream-adaptive-elbow",
            "published-fixed"
        ]
    );
    for record in &records {
        let number = |key: &str| record[key].as_f64().unwrap_or_else(|| panic!("{key}: {record}"));
        assert_eq!(record["tokens_file"], path(&file));
        assert_eq!((number("n"), number("dim"), number("tokens_bytes")), (729.0, 4.0, 729.0 * 16.0));
        assert!((2.0..=5.0).contains(&number("k")), "{record}");
        for key in ["seconds", "inertia", "distortion", "gflop"] {
            assert!(number(key) >= 0.0);
        }
        for key in ["iterations", "threads", "bytes", "index_map_bytes"] {
            assert!(number(key) >= 1.0, "{key}: {record}");
        }
        assert!(number("index_map_bytes") < number("bytes"));
        assert_eq!(record["runs"].as_array().unwrap().len(), 1);
        if cfg!(target_os = "linux") {
            assert!(number("peak_memory_bytes") > number("tokens_bytes"));
        }
    }
    // A short stream is quantized as a whole.
    assert_eq!(records[1]["inertia"], records[6]["inertia"]);
}

/// Two unit tokens 90 degrees apart lie sqrt(1/2) and 45 degrees from their mean: twice 1/2, and twice 1 - cos 45.
#[test]
fn inertia_is_that_of_the_labels() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.safetensors");
    let values = [[1.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]].concat();
    fs::write(&file, safetensors("tokens", "F32", &[2, 4], &floats(&values))).unwrap();
    for case in ["fixed", "published-fixed", "stream-fixed"] {
        let record = &records(&["--tokens-file", path(&file), "--k", "1", "--case", case])[0];
        assert_eq!(record["inertia"], 1.0, "{case}");
        assert_eq!(record["distortion"], 0.59, "{case}");
    }
}

#[test]
fn made_up_tokens_runs_and_threads() {
    let arguments = ["--made-up", "3000,16,5", "--case", "fixed", "--k", "5", "--repeat", "3"];
    let one = &records(&[&arguments[..], &["--threads", "1"]].concat())[0];
    let two = &records(&[&arguments[..], &["--threads", "2"]].concat())[0];
    assert_eq!(one["made_up"], "3000,16,5");
    assert_eq!((&one["threads"], &two["threads"]), (&1.into(), &2.into()));
    assert_eq!(one["runs"].as_array().unwrap().len(), 3);
    for key in ["inertia", "bytes", "index_map_bytes", "iterations"] {
        assert_eq!(one[key], two[key], "{key}");
    }
}

/// More tokens than a stream holds at once: its inertia is measured, and little more than that of all at once.
#[test]
fn long_streams_hold_a_part() {
    let arguments = ["--made-up", "80000,64,20", "--k", "12", "--case", "stream-fixed", "--case", "fixed"];
    let records = records(&arguments);
    let (stream, whole) = (&records[0], &records[1]);
    assert!(stream["gflop"].is_null() && stream["iterations"].is_null());
    let number = |record: &Value, key: &str| record[key].as_f64().unwrap();
    assert!(number(stream, "inertia") < 1.05 * number(whole, "inertia"), "{stream} {whole}");
    assert!(number(stream, "tokens_bytes") < 0.1 * number(whole, "tokens_bytes"));
}

#[test]
fn people_get_a_table() {
    let table = stdout(&["bench", "quantize", "--made-up", "1458,8,4", "--k", "4", "--case", "fixed"]);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("1,458 tokens of 8 channels"), "{table}");
    assert!(lines[1].starts_with("case ") && lines[2].starts_with("fixed "), "{table}");
    assert_eq!(lines[1].len(), lines[2].len(), "{table}");
}

#[test]
fn bad_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let sound = safetensors("tokens", "F32", &[729, 4], &floats(&tokens()));
    let mut broken = tokens();
    broken[9] = f32::NAN;
    let mut huge = sound.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    for (name, bytes, needle) in [
        ("empty", vec![], "no safetensors file"),
        ("words", b"these are words, and more of them".to_vec(), "no safetensors file"),
        ("huge", huge, "no safetensors file"),
        ("header", sound[..40].to_vec(), "no safetensors file"),
        ("cut", sound[..sound.len() - 4].to_vec(), "cut short"),
        ("other", safetensors("codes", "F32", &[1, 1], &[0; 4]), "no tensor named `tokens`"),
        ("half", safetensors("tokens", "F16", &[2, 2], &[0; 8]), "F16 [2, 2]"),
        ("flat", safetensors("tokens", "F32", &[4], &[0; 16]), "F32 [4]"),
        ("none", safetensors("tokens", "F32", &[0, 4], &[]), "[0, 4]"),
        ("long", safetensors("tokens", "F32", &[4, 1], &[0; 12]), "no safetensors file"),
        ("vast", safetensors("tokens", "F32", &[usize::MAX, 2], &[0; 12]), "no safetensors file"),
        ("nan", safetensors("tokens", "F32", &[729, 4], &floats(&broken)), "NaN in channel 1"),
    ] {
        let file = folder.path().join(name);
        fs::write(&file, bytes).unwrap();
        let case = if name == "nan" { "stream-fixed" } else { "fixed" };
        refused(&["bench", "quantize", "--case", case, "--tokens-file", path(&file)], 1, &[name, needle]);
    }
    let missing = folder.path().join("missing");
    refused(&["bench", "quantize", "--tokens-file", path(&missing)], 1, &["missing", "cannot be opened"]);
    refused(&["bench", "quantize", "--tokens-file", path(folder.path())], 1, &["no safetensors file"]);
    let few = ["bench", "quantize", "--made-up", "5,4", "--case", "fixed"];
    refused(&few, 1, &["5,4", "larger than the 5 tokens"]);
    let vast = ["bench", "quantize", "--made-up", "4000000000,2048", "--case", "fixed"];
    if cfg!(target_os = "linux") {
        refused(&vast, 1, &["memory", "stream-fixed"]);
    }
}

#[test]
fn bad_usage_is_exit_code_2() {
    refused(&["bench"], 2, &["quantize"]);
    refused(&["bench", "everything"], 2, &["everything"]);
    refused(&["bench", "quantize", "--case", "fast"], 2, &["fast", "stream-"]);
    refused(&["bench", "quantize", "--case", "adaptive-bits=0"], 2, &["price of a code must be"]);
    refused(&["bench", "quantize", "--k", "0"], 2, &["at least one"]);
    refused(&["bench", "quantize", "--min", "9", "--max", "3"], 2, &["smaller number first"]);
    refused(&["bench", "quantize", "--case", "adaptive-elbow", "--k", "3"], 2, &["--k", "fixed"]);
    refused(&["bench", "quantize", "--case", "fixed", "--max", "3"], 2, &["--max", "adaptive"]);
    refused(&["bench", "quantize", "--made-up", "9"], 2, &["N,D"]);
    refused(&["bench", "quantize", "--made-up", "9,9", "--tokens-file", "x"], 2, &["--tokens-file"]);
    refused(&["bench", "quantize", "--repeat", "0"], 2, &["at least one"]);
    refused(&["bench", "quantize", "--threads", "0"], 2, &["at least one"]);
}
