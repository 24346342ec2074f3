//! LoRA adapters: what they change, how their base model is found, what is refused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "common/edits.rs"]
mod edits;
#[path = "common/small.rs"]
mod small;

use std::fs;
use std::path::{Path, PathBuf};

use edits::{Stored, logits, refusal, stored, tensors, values, write_tensors};
use serde_json::{Value, json};
use vqtoken_files::Limits;
use vqtoken_model::checkpoint::Checkpoint;
use vqtoken_model::{Precision, VideoLlm};

const QUERY: &str = "language_model.model.layers.0.self_attn.q_proj";

fn ramp(count: usize, step: f32) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * step).sin() * 0.5).collect()
}

/// An adapter of rank 2 of the query projection, [8, 8].
fn pair() -> Vec<Stored> {
    vec![
        stored(&format!("base_model.model.{QUERY}.lora_A.weight"), &[2, 8], &ramp(16, 0.7)),
        stored(&format!("base_model.model.{QUERY}.lora_B.weight"), &[8, 2], &ramp(16, 1.3)),
    ]
}

fn adapter(folder: &Path, config: Value, tensors: &[Stored]) -> PathBuf {
    let directory = folder.join("adapter");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("adapter_config.json"), config.to_string()).unwrap();
    write_tensors(&directory.join("adapter_model.safetensors"), tensors);
    directory
}

/// The base model with `change` added to a tensor.
fn merged(folder: &Path, base: &Path, tensor: &str, change: &[f32]) -> PathBuf {
    let directory = folder.join("merged");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir(&directory).unwrap();
    for file in ["config.json", "tokenizer.json"] {
        fs::copy(base.join(file), directory.join(file)).unwrap();
    }
    let mut all = tensors(&base.join("model.safetensors"));
    let (name, _, shape, bytes) = all.iter().find(|(name, ..)| name == tensor).unwrap().clone();
    let sum: Vec<f32> = values(&bytes).iter().zip(change).map(|(x, y)| x + y).collect();
    all.retain(|(other, ..)| *other != name);
    all.push(stored(&name, &shape, &sum));
    write_tensors(&directory.join("model.safetensors"), &all);
    directory
}

fn product(left: &[f32], right: &[f32], rank: usize, columns: usize, scale: f32) -> Vec<f32> {
    let rows = left.len() / rank;
    (0..rows * columns)
        .map(|i| {
            (0..rank).map(|k| left[i / columns * rank + k] * right[k * columns + i % columns]).sum::<f32>()
                * scale
        })
        .collect()
}

fn assert_same(a: &VideoLlm, b: &VideoLlm) {
    let worst = logits(a).iter().zip(&logits(b)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // Sums in another order.
    assert!(worst < 1e-5, "{worst}");
}

fn load(directory: &Path, base: &Path) -> Result<VideoLlm, vqtoken_model::ModelError> {
    VideoLlm::from_checkpoint(
        Checkpoint::open_with(directory, Some(base), &Limits::default())?,
        Precision::F32,
    )
}

#[test]
fn an_adapter_is_added_to_its_base() {
    let folder = tempfile::tempdir().unwrap();
    let base = small::write(folder.path(), "base", &small::config(None));
    let plain = logits(&VideoLlm::load_as(&base, Precision::F32).unwrap());
    let change = |scale| product(&ramp(16, 1.3), &ramp(16, 0.7), 2, 8, scale);
    for (config, scale) in [
        (json!({"peft_type": "LORA", "r": 2, "lora_alpha": 4}), 2.0),
        (json!({"r": 2, "lora_alpha": 4, "use_rslora": true, "fan_in_fan_out": true}), 4.0 / 2_f32.sqrt()),
        (json!({"r": 2, "lora_alpha": 4, "alpha_pattern": {"self_attn.q_proj": 1}}), 0.5),
    ] {
        let directory = adapter(folder.path(), config, &pair());
        let adapted = load(&directory, &base).unwrap();
        let whole = merged(folder.path(), &base, &format!("{QUERY}.weight"), &change(scale));
        assert_same(&adapted, &VideoLlm::load_as(&whole, Precision::F32).unwrap());
        assert_ne!(logits(&adapted), plain);
        assert!(adapted.id().starts_with("adapter@"));
    }
}

#[test]
fn embeddings_and_whole_tensors_are_changed_too() {
    let folder = tempfile::tempdir().unwrap();
    let base = small::write(folder.path(), "base", &small::config(None));
    let norm = "language_model.model.norm.weight";
    let whole = [stored(&format!("base_model.model.{norm}"), &[8], &[2.0; 8])];
    let directory = adapter(folder.path(), json!({"r": 2, "modules_to_save": ["norm"]}), &whole);
    let expected = merged(folder.path(), &base, norm, &[1.0; 8]);
    assert_same(&load(&directory, &base).unwrap(), &VideoLlm::load_as(&expected, Precision::F32).unwrap());

    let table = "base_model.model.language_model.model.embed_tokens";
    let embedding = [
        stored(&format!("{table}.lora_embedding_A"), &[2, 466], &ramp(932, 0.3)),
        stored(&format!("{table}.lora_embedding_B"), &[8, 2], &ramp(16, 0.9)),
    ];
    let directory = adapter(folder.path(), json!({"r": 2, "lora_alpha": 2}), &embedding);
    let adapted = load(&directory, &base).unwrap();
    // The output layer keeps the table without the change.
    assert!(!adapted.config().text.tied);
    assert_ne!(logits(&adapted), logits(&VideoLlm::load_as(&base, Precision::F32).unwrap()));
}

#[test]
fn the_base_is_found_from_the_adapter() {
    let folder = tempfile::tempdir().unwrap();
    let base = small::write(folder.path(), "base", &small::config(None));
    for path in [base.to_str().unwrap(), "../base"] {
        let directory = adapter(folder.path(), json!({"r": 2, "base_model_name_or_path": path}), &pair());
        assert!(VideoLlm::load(&directory).is_ok(), "{path}");
    }
    for config in [json!({"r": 2}), json!({"r": 2, "base_model_name_or_path": "/nowhere/base"})] {
        let message = refusal(&adapter(folder.path(), config, &pair()));
        assert!(message.contains("LoRA adapter") && message.contains("--base"), "{message}");
    }
    let error = load(&base, &base).unwrap_err().to_string();
    assert!(error.contains("leave out --base"), "{error}");
}

#[test]
fn what_cannot_be_applied_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let base = small::write(folder.path(), "base", &small::config(None));
    let refused = |config: Value, tensors: &[Stored], word: &str| {
        let message = load(&adapter(folder.path(), config, tensors), &base).unwrap_err().to_string();
        assert!(message.contains(word) && message.lines().count() == 1, "{word}: {message}");
    };
    let plain = || json!({"r": 2});
    refused(json!({"peft_type": "IA3"}), &pair(), "IA3");
    refused(json!({"r": 2, "use_dora": true}), &pair(), "use_dora");
    let name = |ending: &str| format!("base_model.model.{QUERY}.{ending}");
    refused(plain(), &[stored(&name("lora_magnitude_vector"), &[8], &[1.0; 8])], "lora_magnitude_vector");
    refused(plain(), &pair()[..1], "lora_A");
    let wide = [pair()[0].clone(), stored(&name("lora_B.weight"), &[9, 2], &ramp(18, 1.0))];
    refused(plain(), &wide, "fits no tensor");
    let elsewhere = [
        stored("base_model.model.model.layers.7.q_proj.lora_A.weight", &[2, 8], &ramp(16, 0.7)),
        stored("base_model.model.model.layers.7.q_proj.lora_B.weight", &[8, 2], &ramp(16, 0.7)),
    ];
    refused(plain(), &elsewhere, "layers.7");

    let directory = adapter(folder.path(), plain(), &pair());
    fs::write(directory.join("non_lora_trainables.bin"), "x").unwrap();
    let message = load(&directory, &base).unwrap_err().to_string();
    assert!(message.contains("non_lora_trainables.bin") && message.contains("pickle"), "{message}");
    // Its safetensors twin is read in its place.
    let norm = stored("base_model.model.language_model.model.norm.weight", &[8], &[2.0; 8]);
    write_tensors(&directory.join("non_lora_trainables.safetensors"), &[norm]);
    assert!(load(&directory, &base).is_ok());
}
