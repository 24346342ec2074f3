//! How the commands read checkpoints: as they were trained, and adapters onto their base.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn vqtoken(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vqtoken")).args(arguments).output().unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn ask(model: &str, more: &[&str]) -> Output {
    let (clip, model) = (repository("demo/shapes.mp4"), repository(model));
    let fixed = ["--json", "ask", clip.to_str().unwrap(), "Which way?", "--model", model.to_str().unwrap()];
    vqtoken(&[&fixed[..], &["--frames", "2", "--max-tokens", "1"], more].concat())
}

#[test]
fn a_plain_checkpoint_reads_pooled_patches_unless_codes_are_asked_for() {
    let output = ask("golden/a/onevision-hf", &[]);
    let note = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        note.contains("pooled patches") && note.contains("--tokens") && note.lines().count() == 1,
        "{note}"
    );
    let record = json(&output);
    // Two frames of 4 x 4 patches, pooled to 2 x 2.
    assert_eq!(record["visual_tokens"], 8);
    assert_eq!(record["trained_input"], "pooled patches");
    assert!(record["note"].as_str().unwrap().starts_with("note:"));

    let output = ask("golden/a/onevision-hf", &["--tokens", "3"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("never seen codes"));
    assert_eq!(json(&output)["visual_tokens"], 3);
    let asked_for = json(&ask("golden/a/onevision-hf", &["--reducer", "pooled"]));
    assert_eq!((&asked_for["visual_tokens"], &asked_for["note"]), (&8.into(), &Value::Null));
}

#[test]
fn a_checkpoint_with_vq_attention_reads_codes() {
    let record = json(&ask("golden/a/onevision-vqtoken", &["--tokens", "4"]));
    assert_eq!(record["note"], Value::Null);
    assert_eq!(record["trained_input"], "codes through the released VQ-attention");
    let built_in = json(&vqtoken(&["--json", "inspect"]));
    assert_eq!(built_in["trained_input"], "codes through the hash VQ-attention");
    let pooled = repository("models/unreduced");
    assert_eq!(
        json(&vqtoken(&["--json", "inspect", pooled.to_str().unwrap()]))["trained_input"],
        "pooled patches"
    );
}

#[test]
fn encoding_with_a_plain_checkpoint_warns() {
    let folder = tempfile::tempdir().unwrap();
    let (clip, model) = (repository("demo/shapes.mp4"), repository("golden/a/onevision-hf"));
    let target = folder.path().join("clip.vqt");
    let paths = [&clip, &model, &target].map(|path| path.to_str().unwrap());
    let output = vqtoken(&[
        "--json", "encode", paths[0], "-o", paths[2], "--model", paths[1], "--frames", "2", "--tokens", "3",
    ]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("never seen codes"));
    assert_eq!(json(&output)["codes"], 3);
}

#[test]
fn a_base_without_an_adapter_is_refused() {
    let golden = repository("golden/a/onevision-hf");
    let golden = golden.to_str().unwrap();
    let output = vqtoken(&["ask", "--text-only", "What?", "--model", golden, "--base", golden]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("leave out --base"));
    let output = vqtoken(&["ask", "--text-only", "What?", "--base", golden]);
    assert_eq!(output.status.code(), Some(2));
}
