//! How the commands read checkpoints: as they were trained, and adapters onto their base.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[cfg(feature = "hub")]
#[path = "../../vqtoken-model/tests/common/hub.rs"]
mod hub;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;
use vqtoken_shapes::{Settings, write_data_set};

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

#[test]
fn evaluations_and_measurements_read_adapters_onto_a_named_base() {
    let golden = repository("golden/a/onevision-hf");
    let golden = golden.to_str().unwrap();
    let (shapes, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let shapes = shapes.path().join("data");
    let settings = Settings { clips: 1, validation: 0.0, test: 1.0, seconds: 1.0, ..Settings::default() };
    write_data_set(&settings, &shapes, |_, _| {}).unwrap();
    let (data, out) = (shapes.to_str().unwrap(), out.path().to_str().unwrap());
    for command in [
        vec!["inspect"],
        vec!["eval", "shapes", "--data", data, "--limit", "1", "--blind"],
        vec!["eval", "paper", "--data", data, "--limit", "1", "--out", out],
        vec!["bench", "language"],
        vec!["bench", "vision"],
    ] {
        // What is no adapter shows that the base was looked at.
        let output = vqtoken(&[&command[..], &["--model", golden, "--base", golden]].concat());
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(message.contains("leave out --base"), "{command:?}: {message}");
        assert_eq!(output.status.code(), Some(1));
    }

    let adapter = tempfile::tempdir().unwrap();
    let config =
        r#"{"peft_type": "LORA", "r": 1, "lora_alpha": 1, "base_model_name_or_path": "nobody/knows"}"#;
    fs::write(adapter.path().join("adapter_config.json"), config).unwrap();
    let name = "base_model.model.language_model.model.layers.0.self_attn.q_proj";
    let weights = repository("golden/a/onevision-hf/model.safetensors");
    let weights = fs::read(weights).unwrap();
    let weights = SafeTensors::deserialize(&weights).unwrap();
    let is_query =
        |name: &&str| name.contains("language_model") && name.ends_with("layers.0.self_attn.q_proj.weight");
    let query = weights.names().into_iter().find(is_query).unwrap();
    let shape = weights.tensor(query).unwrap().shape().to_vec();
    let bytes = vec![0; 4 * shape[0].max(shape[1])];
    let tensor = |shape: [usize; 2]| {
        TensorView::new(Dtype::F32, shape.to_vec(), &bytes[..4 * shape[0] * shape[1]]).unwrap()
    };
    let pair = [
        (format!("{name}.lora_A.weight"), tensor([1, shape[1]])),
        (format!("{name}.lora_B.weight"), tensor([shape[0], 1])),
    ];
    let file = adapter.path().join("adapter_model.safetensors");
    safetensors::serialize_to_file(pair, None, &file).unwrap();
    let on_base = ["--model", adapter.path().to_str().unwrap(), "--base", golden];
    let eval = ["--json", "eval", "shapes", "--data", data, "--limit", "1", "--blind"];
    let record = json(&vqtoken(&[&eval[..], &on_base].concat()));
    // Checksums of the adapter's weights and of the base's, so that samples on another base are not taken for these.
    assert_eq!(record["model"].as_str().unwrap().matches('/').count(), 2, "{record}");
    let inspected = json(&vqtoken(&[&["--json", "inspect"][..], &on_base].concat()));
    assert_eq!(inspected["place"], golden);
}

/// Variables of the environment say where the hub is, so they are set for the child alone.
#[cfg(feature = "hub")]
#[test]
fn inspect_fetches_a_model_by_its_id() {
    let folder = tempfile::tempdir().unwrap();
    let golden = repository("golden/a/onevision-hf");
    let requests = hub::Requests::default();
    let endpoint = hub::serve(golden.clone(), requests.clone());
    let inspect = |model: &str| {
        Command::new(env!("CARGO_BIN_EXE_vqtoken"))
            .args(["--json", "inspect", "--model", model])
            .env("HF_ENDPOINT", &endpoint)
            .env("HF_HUB_CACHE", folder.path().join("cache"))
            .env("HF_HOME", folder.path().join("home"))
            .env_remove("HF_TOKEN")
            .env_remove("HF_HUB_OFFLINE")
            .output()
            .unwrap()
    };
    let fetched = json(&inspect("someone/small"));
    assert!(requests.lock().unwrap().iter().any(|(path, _)| path.ends_with("/model.safetensors")));
    let mut direct = json(&inspect(golden.to_str().unwrap()));
    direct["place"] = fetched["place"].clone();
    assert_eq!(fetched, direct);
    let unknown = inspect("someone/else");
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no such model"));
}
