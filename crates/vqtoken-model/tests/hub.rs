//! Models by id, from a server on this machine that speaks as the hub does.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]
#![cfg(feature = "hub")]

#[path = "common/hub.rs"]
mod hub;
#[path = "common/small.rs"]
mod small;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hub::{Requests, serve};
use vqtoken_model::VideoLlm;

/// The hub's address and cache are told by variables of the environment, so processes of their own do the fetching.
#[test]
fn models_are_fetched_by_id() {
    if let Some(model) = std::env::var_os("VQTOKEN_HUB_TEST") {
        return match std::env::var_os("HF_HUB_OFFLINE") {
            Some(_) => without_network(&PathBuf::from(model)),
            None => with_hub(&PathBuf::from(model)),
        };
    }
    let folder = tempfile::tempdir().unwrap();
    let model = small::write(folder.path(), "small", &small::config(None));
    let requests = Requests::default();
    let endpoint = serve(model.clone(), Arc::clone(&requests));
    let cache = folder.path().join("cache");

    // A download that was broken off in the middle of the weights.
    let weights = std::fs::read(model.join("model.safetensors")).unwrap();
    let blobs = cache.join("models--someone--small/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let half = weights.len() / 2;
    std::fs::write(blobs.join(format!("{}.part", weights.len())), &weights[..half]).unwrap();

    let run = |offline: bool, endpoint: &str| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "models_are_fetched_by_id", "--nocapture"]);
        child.env("VQTOKEN_HUB_TEST", &model).env("HF_ENDPOINT", endpoint).env("HF_HUB_CACHE", &cache);
        child.env_remove("HF_TOKEN").env_remove("HF_HUB_OFFLINE").env("HF_HOME", folder.path().join("home"));
        if offline {
            child.env("HF_HUB_OFFLINE", "1");
        }
        let output = child.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    };
    run(false, &endpoint);
    let resumed = |(path, from): &(String, usize)| path.ends_with("/model.safetensors") && *from == half;
    assert!(requests.lock().unwrap().iter().any(resumed), "the download was not taken up again");
    run(true, "http://127.0.0.1:9");
}

fn checksum(model: &VideoLlm) -> String {
    model.id().rsplit('@').next().unwrap().to_owned()
}

/// The message for a model that cannot be had.
fn refusal(id: &str) -> String {
    let message = VideoLlm::load(id).unwrap_err().to_string();
    assert!(message.contains(id) && message.lines().count() == 1, "{message}");
    message
}

fn with_hub(model: &Path) {
    let direct = VideoLlm::load(model).unwrap();
    // The second time it is in the cache.
    for _ in 0..2 {
        let fetched = VideoLlm::load("someone/small").unwrap();
        assert_eq!(checksum(&direct), checksum(&fetched));
        assert!(fetched.id().starts_with("someone/small@"), "{}", fetched.id());
    }
    let gated = refusal("someone/gated");
    assert!(gated.contains("HF_TOKEN") && gated.contains("accept"), "{gated}");
    let unknown = refusal("someone/else");
    assert!(unknown.contains("no such model") && unknown.contains("no directory"), "{unknown}");
    assert!(refusal("someone/pickled").contains("pytorch_model.bin"));
}

fn without_network(model: &Path) {
    let cached = VideoLlm::load("someone/small").unwrap();
    assert_eq!(checksum(&VideoLlm::load(model).unwrap()), checksum(&cached));
    assert!(refusal("someone/else").contains("HF_HUB_OFFLINE"));
}
