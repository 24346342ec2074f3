//! `vqtoken train` as a user meets it: a public checkpoint learns from conversations about a video, is killed, and goes on.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

fn vqtoken(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vqtoken"));
    command.args(arguments);
    command
}

fn output(arguments: &[&str]) -> Output {
    vqtoken(arguments).output().unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A folder with a clip, conversations about it, and a configuration that starts from the tiny public checkpoint.
fn prepared(steps: usize) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("shapes.mp4");
    assert!(output(&["demo", "-o", path(&clip)]).status.success());
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/a/onevision-hf");
    let talk = r#"[
        {"id": "1", "video": "shapes.mp4", "conversations": [
            {"from": "human", "value": "<image>\nWhich way does the circle move?"}, {"from": "gpt", "value": "To the right."},
            {"from": "human", "value": "And the square?"}, {"from": "gpt", "value": "Down."}]},
        {"id": "2", "video": "shapes.mp4", "conversations": [
            {"from": "human", "value": "<image>\nHow many objects are there?"}, {"from": "gpt", "value": "Five."}]}
    ]"#;
    fs::write(folder.path().join("talk.json"), talk).unwrap();
    let config = format!(
        r#"
        [model]
        start = {golden:?}
        vq_attention = {{ kind = "hash", heads = 2, frequencies = 2, bins = 4, feed_forward = 32 }}
        [data.llava]
        json = "talk.json"
        videos = "."
        [[stage]]
        name = "attention"
        steps = {steps}
        batch = 2
        learning_rates = {{ vq_attention = 3e-3, language_model = 3e-3 }}
        checkpoint_every = 2
        validate_every = {steps}
        [stage.answers]
        visual_input = "vqtoken"
        frames = 3
        budgets = [4, 6]
        questions = 2
        [[stage]]
        name = "all"
        steps = 3
        batch = 1
        learning_rates = {{ vision_tower = 1e-4, projector = 1e-3, vq_attention = 1e-3, language_model = 1e-3 }}
        [stage.answers]
        visual_input = "vqtoken"
        frames = 2
        budgets = [4]
        questions = 2
        commitment = 0.25
        "#
    );
    let file = folder.path().join("tune.toml");
    fs::write(&file, config).unwrap();
    (folder, file)
}

fn losses(run: &Path, stage: &str) -> Vec<f64> {
    let log = fs::read_to_string(run.join(stage).join("metrics.jsonl")).unwrap_or_default();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines.filter(|line| line.get("validation").is_none()).filter_map(|line| line["loss"].as_f64()).collect()
}

#[test]
fn a_public_checkpoint_is_tuned_on_conversations() {
    let (folder, config) = prepared(40);
    let out = folder.path().join("run");
    let done = output(&["--json", "train", path(&config), "--out", path(&out)]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let found = losses(&out, "attention");
    assert!(found.len() == 40 && found[39] < 0.5 * found[0], "{found:?}");
    assert!(fs::read_to_string(out.join("attention/metrics.svg")).unwrap().starts_with("<svg"));

    let model = out.join("all/model");
    let clip = folder.path().join("shapes.mp4");
    let asked = output(&["ask", path(&clip), "How many objects are there?", "--model", path(&model)]);
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));

    let again = output(&["train", path(&config), "--out", path(&out)]);
    let message = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(again.status.code() == Some(1) && message.contains("--resume"), "{message}");
}

#[test]
fn a_killed_run_goes_on_to_the_same_losses() {
    let (folder, config) = prepared(14);
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    assert!(output(&["train", path(&config), "--out", path(&whole)]).status.success());
    let mut child = vqtoken(&["train", path(&config), "--out", path(&killed)])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while losses(&killed, "attention").len() < 5 && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let done = output(&["train", path(&config), "--out", path(&killed), "--resume"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    for stage in ["attention", "all"] {
        assert_eq!(losses(&whole, stage), losses(&killed, stage), "{stage}");
    }
    let weights = |run: &Path| fs::read(run.join("all/model/model.safetensors")).unwrap();
    assert!(weights(&whole) == weights(&killed), "the models differ");
}

#[test]
fn bad_configurations_say_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.toml");
    let missing = output(&["train", path(&file)]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("bad.toml cannot be read"));
    fs::write(&file, "[model]\nstart = \"x\"\nspeed = 1\n").unwrap();
    let unknown = output(&["--json", "train", path(&file), "--out", path(&folder.path().join("out"))]);
    let message = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(message.contains("line 3: unknown field `speed`") && message.lines().count() == 1, "{message}");
    assert_eq!(unknown.status.code(), Some(1));
}

#[test]
fn a_folder_of_features_is_refused_where_no_stage_keeps_any() {
    let (folder, config) = prepared(2);
    let text = fs::read_to_string(&config).unwrap();
    let stages: Vec<&str> = text.split("[[stage]]").collect();
    fs::write(&config, format!("{}[[stage]]{}", stages[0], stages[2])).unwrap();
    let features = folder.path().join("features");
    let refused = output(&["train", path(&config), "--features", path(&features)]);
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{message}");
    assert!(message.contains("--features is of no use"), "{message}");
    assert!(!features.exists());
}
