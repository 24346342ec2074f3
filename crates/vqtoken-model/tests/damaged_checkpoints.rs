//! Checkpoints that are cut, flipped or lie: a typed error of one line, no panic, no allocation beyond their size.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

#[path = "common/small.rs"]
mod small;

use std::fs;
use std::path::Path;

use peak_alloc::PeakAlloc;
use vqtoken_model::config::VqAttentionConfig;
use vqtoken_model::{ModelError, VideoLlm};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What loading may take besides a small multiple of the files: the tokenizer's tables, mostly.
const ALLOWANCE: usize = 16 << 20;

/// Loads a model; an error has to be one line that names a file of the directory.
fn load(directory: &Path) -> Result<VideoLlm, ModelError> {
    let result = VideoLlm::load(directory);
    if let Err(error) = &result {
        let message = error.to_string();
        assert_eq!(message.lines().count(), 1, "{message:?}");
        assert!(message.contains(&*directory.to_string_lossy()), "{message}");
    }
    result
}

/// Replaces a file, loads, and checks that memory stayed within bounds.
fn load_with(directory: &Path, file: &str, bytes: &[u8]) -> Result<VideoLlm, ModelError> {
    fs::write(directory.join(file), bytes).unwrap();
    let size: u64 =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let result = load(directory);
    let taken = MEMORY.peak_usage().saturating_sub(before);
    let allowed = 16 * size as usize + ALLOWANCE;
    assert!(taken <= allowed, "{file} of {} bytes: {taken} bytes were allocated", bytes.len());
    result
}

/// One test, so that nobody else allocates meanwhile.
#[test]
fn damaged_checkpoints_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let hash = VqAttentionConfig::Hash { heads: 2, frequencies: 1, bins: 2, feed_forward: 4 };
    let directory = small::write(folder.path(), "model", &small::config(Some(hash)));
    load(&directory).unwrap();

    let weights = fs::read(directory.join("model.safetensors")).unwrap();
    let header = 8 + u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
    truncated(&directory, &weights, header);
    flipped(&directory, &weights, header);
    lying_sizes(&directory, &weights, header);
    fs::write(directory.join("model.safetensors"), &weights).unwrap();

    for file in ["config.json", "tokenizer.json"] {
        let sound = fs::read(directory.join(file)).unwrap();
        for length in (0..sound.len()).step_by(if file == "config.json" { 1 } else { 311 }) {
            let blank_rest = sound[length..].iter().all(u8::is_ascii_whitespace);
            assert!(
                load_with(&directory, file, &sound[..length]).is_err() || blank_rest,
                "{file} cut at {length}"
            );
        }
        for place in (0..sound.len()).step_by(if file == "config.json" { 1 } else { 67 }) {
            let mut bytes = sound.clone();
            bytes[place] ^= 1 << (place % 7);
            let _ = load_with(&directory, file, &bytes);
        }
        fs::write(directory.join(file), &sound).unwrap();
    }
    lying_configuration(&directory);
}

fn truncated(directory: &Path, weights: &[u8], header: usize) {
    let lengths = (0..header + 64).chain((header + 64..weights.len()).step_by(97)).chain([weights.len() - 1]);
    for length in lengths {
        let error = load_with(directory, "model.safetensors", &weights[..length]).unwrap_err();
        assert!(matches!(error, ModelError::Weights { .. }), "cut at {length}: {error}");
    }
}

/// A flipped bit may make a sound file with another number in it; whatever else it makes is refused.
fn flipped(directory: &Path, weights: &[u8], header: usize) {
    for place in (0..header).chain((header..weights.len()).step_by(101)) {
        let mut bytes = weights.to_vec();
        bytes[place] ^= 1 << (place % 8);
        let _ = load_with(directory, "model.safetensors", &bytes);
    }
}

fn lying_sizes(directory: &Path, weights: &[u8], header: usize) {
    for size in [0, 1, 7, header as u64, weights.len() as u64, 1 << 32, u64::MAX / 2, u64::MAX] {
        let mut bytes = weights.to_vec();
        bytes[..8].copy_from_slice(&size.to_le_bytes());
        let error = load_with(directory, "model.safetensors", &bytes).unwrap_err();
        assert!(matches!(error, ModelError::Weights { .. }), "header of {size}: {error}");
    }
    let text = String::from_utf8(weights[8..header].to_vec()).unwrap();
    for (from, to) in [
        ("[466,8]", "[466000000000,8]"),
        ("[466,8]", "[18446744073709551615,18446744073709551615]"),
        ("[466,8]", "[8,466]"),
        ("\"F32\"", "\"F64\""),
        ("\"F32\"", "\"I8\""),
        ("\"data_offsets\":[0,", "\"data_offsets\":[4,"),
        ("image_newline", "image_newlines"),
    ] {
        assert!(text.contains(from), "{from}");
        let lie = text.replacen(from, to, 1);
        let mut bytes = (lie.len() as u64).to_le_bytes().to_vec();
        bytes.extend(lie.as_bytes());
        bytes.extend(&weights[header..]);
        assert!(load_with(directory, "model.safetensors", &bytes).is_err(), "{from} -> {to}");
    }
}

fn lying_configuration(directory: &Path) {
    let text = fs::read_to_string(directory.join("config.json")).unwrap();
    for (from, to) in [
        ("\"num_hidden_layers\": 1", "\"num_hidden_layers\": 1000000"),
        ("\"num_hidden_layers\": 1", "\"num_hidden_layers\": 1000000000000"),
        ("\"hidden_size\": 8", "\"hidden_size\": 1000000"),
        ("\"image_size\": 8", "\"image_size\": 99999"),
        ("\"patch_size\": 4", "\"patch_size\": 0"),
        ("\"bins\": 2", "\"bins\": 100000000"),
        ("\"kind\": \"hash\"", "\"kind\": \"unheard of\""),
        ("\"num_attention_heads\": 2", "\"num_attention_heads\": -2"),
    ] {
        assert!(text.contains(from), "{from}");
        let error = load_with(directory, "config.json", text.replacen(from, to, 1).as_bytes()).unwrap_err();
        println!("{error}");
    }
}
