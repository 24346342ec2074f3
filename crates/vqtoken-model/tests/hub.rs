//! Models by id, from a server on this machine that speaks as the hub does.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]
#![cfg(feature = "hub")]

#[path = "common/small.rs"]
mod small;

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use vqtoken_model::VideoLlm;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// The paths that were asked for, each with the byte that the answer began at.
type Requests = Arc<Mutex<Vec<(String, usize)>>>;

/// Answers as the hub for one public repository `someone/small`, one gated, one of pickle files, and nothing else.
fn serve(model: PathBuf, requests: Requests) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), &model, &requests);
        }
    });
    format!("http://{address}")
}

fn answer(mut stream: TcpStream, model: &Path, requests: &Requests) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut request = String::new();
    reader.read_line(&mut request).unwrap();
    let mut range = None;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        let line = line.to_ascii_lowercase();
        if let Some(bytes) = line.strip_prefix("range: bytes=") {
            let (from, to) = bytes.trim().split_once('-').unwrap();
            range = Some((from.parse::<usize>().unwrap(), to.parse::<usize>().ok()));
        }
    }
    let path = request.split_whitespace().nth(1).unwrap_or_default();
    requests.lock().unwrap().push((path.to_owned(), range.map_or(0, |(from, _)| from)));
    let (status, body) = if path.contains("someone/gated") {
        ("401 Unauthorized", Vec::new())
    } else if path.starts_with("/api/models/someone/pickled") {
        let files = [
            serde_json::json!({ "rfilename": "config.json" }),
            serde_json::json!({ "rfilename": "pytorch_model.bin" }),
        ];
        ("200 OK", serde_json::json!({ "siblings": files, "sha": COMMIT }).to_string().into_bytes())
    } else if path.starts_with("/api/models/someone/small") {
        let files: Vec<_> = std::fs::read_dir(model)
            .unwrap()
            .map(|entry| serde_json::json!({ "rfilename": entry.unwrap().file_name().to_str().unwrap() }))
            .collect();
        ("200 OK", serde_json::json!({ "siblings": files, "sha": COMMIT }).to_string().into_bytes())
    } else {
        match path.strip_prefix("/someone/small/resolve/main/").map(|name| std::fs::read(model.join(name))) {
            Some(Ok(bytes)) => ("200 OK", bytes),
            _ => ("404 Not Found", Vec::new()),
        }
    };
    let whole = body.len();
    let (status, body, content_range) = match range.filter(|_| status.starts_with("200")) {
        None => (status, body, String::new()),
        Some((from, to)) => {
            let end = to.map_or(whole, |to| (to + 1).min(whole));
            let header = format!("Content-Range: bytes {from}-{}/{whole}\r\n", end.max(1) - 1);
            ("206 Partial Content", body[from.min(end)..end].to_vec(), header)
        }
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{content_range}ETag: \"{whole}\"\r\nX-Repo-Commit: {COMMIT}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes());
    if !request.starts_with("HEAD") {
        let _ = stream.write_all(&body);
    }
}

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
