//! `--allow` bounds every file that a command reads: models, training configurations, conversations, videos, verdicts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{path, refused, shapes};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/a/onevision-hf")
}

#[test]
fn every_command_reads_models_within_the_limits() {
    let folder = tempfile::tempdir().unwrap();
    let (golden, store) = (golden(), folder.path().join("store"));
    let tokens = folder.path().join("clip.vqt");
    let bytes = fs::metadata(golden.join("tokenizer.json")).unwrap().len();
    let bound = format!("bytes={}", bytes - 1);
    let limit = format!("tokenizer.json: {bytes} bytes, and the limit is {}", bytes - 1);
    let (data, model) = (path(shapes()), path(&golden));
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/shapes.mp4");
    for command in [
        vec!["inspect", model],
        vec!["inspect", "--model", model],
        vec!["ask", "--text-only", "What?", "--model", model],
        vec!["encode", path(&clip), "-o", path(&tokens), "--model", model],
        vec!["serve", "--store", path(&store), "--model", model],
        vec!["eval", "shapes-open", "--data", data, "--blind", "--model", model],
        vec!["eval", "paper", "--data", data, "--out", path(folder.path()), "--model", model],
        vec!["bench", "vision", "--model", model],
        vec!["bench", "language", "--model", model],
        vec!["bench", "ask", "--model", model],
    ] {
        refused(&[&command[..], &["--allow", &bound]].concat(), 1, &[&limit, "--allow bytes=N"]);
    }
}

#[test]
fn the_header_of_a_weight_file_is_read_within_the_limits() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    fs::create_dir(&model).unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(golden().join(file), model.join(file)).unwrap();
    }
    let weights = fs::read(model.join("model.safetensors")).unwrap();
    let header = u64::from_le_bytes(weights[..8].try_into().unwrap());
    // Spaces before the brace keep the header valid, and make it the largest thing that is read.
    let padded = 100_000;
    let spaces = vec![b' '; padded - header as usize];
    let written = [&(padded as u64).to_le_bytes()[..], &spaces, &weights[8..]].concat();
    fs::write(model.join("model.safetensors"), written).unwrap();
    let at = |bound: &str| {
        common::command(&["inspect", path(&model), "--allow", bound]).output().unwrap().status.success()
    };
    assert!(at("bytes=100000"));
    refused(&["inspect", path(&model), "--allow", "bytes=99999"], 1, &["model.safetensors: 100000 bytes"]);
}

#[test]
fn training_reads_what_it_is_given_within_the_limits() {
    let folder = tempfile::tempdir().unwrap();
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/shapes.mp4");
    fs::copy(clip, folder.path().join("shapes.mp4")).unwrap();
    let talk = r#"[{"id": "1", "video": "shapes.mp4", "conversations": [
        {"from": "human", "value": "<image>\nWhich way does the circle move?"}, {"from": "gpt", "value": "To the right."}]}]"#;
    // Longer than any other file that is read.
    fs::write(folder.path().join("talk.json"), format!("{talk}{}", " ".repeat(200_000))).unwrap();
    let config = folder.path().join("run.toml");
    let text = format!(
        r#"
        [model]
        start = {:?}
        [data.llava]
        json = "talk.json"
        videos = "."
        [[stage]]
        name = "all"
        steps = 1
        batch = 1
        learning_rates = {{ language_model = 1e-4 }}
        [stage.answers]
        visual_input = "pooled"
        frames = 2
        "#,
        golden()
    );
    fs::write(&config, &text).unwrap();
    let out = folder.path().join("out");
    let train = |bound: &str, needles: &[&str]| {
        let _ = fs::remove_dir_all(&out);
        refused(&["train", path(&config), "--out", path(&out), "--allow", bound], 1, needles);
    };
    train("bytes=10", &["run.toml: ", "the limit is 10:"]);
    train("bytes=10000", &["tokenizer.json: ", "the limit is 10000:"]);
    train("bytes=200000", &["talk.json: ", "the limit is 200000:"]);
    train("frames=2", &["shapes.mp4", "the limit is 2:", "--allow frames=N"]);
}

#[test]
fn verdicts_are_read_within_the_limits() {
    let folder = tempfile::tempdir().unwrap();
    let verdicts = folder.path().join("verdicts.jsonl");
    let line = r#"{"id": "1", "pred": "yes", "score": 3}"#;
    fs::write(&verdicts, format!("{line}{}\n", " ".repeat(100_000))).unwrap();
    let fixed = ["eval", "shapes-open", "--data", path(shapes()), "--blind", "--limit", "1"];
    let more = ["--verdicts", path(&verdicts), "--allow", "bytes=100000"];
    refused(&[&fixed[..], &more].concat(), 1, &["verdicts.jsonl: ", "the limit is 100000:"]);
}
