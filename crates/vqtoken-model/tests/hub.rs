//! Models by id, from a server on this machine that speaks as the hub does.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]
#![cfg(feature = "hub")]

#[path = "common/small.rs"]
mod small;

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use vqtoken_model::VideoLlm;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Answers as the hub for one public repository `someone/small`, one gated, and nothing else.
fn serve(model: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), &model);
        }
    });
    format!("http://{address}")
}

fn answer(mut stream: TcpStream, model: &Path) {
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
    let (status, body) = if path.contains("someone/gated") {
        ("401 Unauthorized", Vec::new())
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

/// The hub's address and cache are told by variables of the environment, so a process of its own does the fetching.
#[test]
fn models_are_fetched_by_id() {
    let folder = tempfile::tempdir().unwrap();
    if std::env::var_os("VQTOKEN_HUB_TEST").is_none() {
        let model = small::write(folder.path(), "small", &small::config(None));
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "models_are_fetched_by_id", "--nocapture"])
            .env("VQTOKEN_HUB_TEST", &model)
            .env("HF_ENDPOINT", serve(model.clone()))
            .env("HF_HOME", folder.path().join("home"))
            .env_remove("HF_TOKEN")
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"));
        return;
    }
    let direct = VideoLlm::load(PathBuf::from(std::env::var_os("VQTOKEN_HUB_TEST").unwrap())).unwrap();
    let fetched = VideoLlm::load("someone/small").unwrap();
    let checksum = |model: &VideoLlm| model.id().rsplit('@').next().unwrap().to_owned();
    assert_eq!(checksum(&direct), checksum(&fetched));
    assert!(fetched.id().starts_with("someone/small@"), "{}", fetched.id());

    let gated = VideoLlm::load("someone/gated").unwrap_err().to_string();
    assert!(
        gated.contains("someone/gated") && gated.contains("HF_TOKEN") && gated.lines().count() == 1,
        "{gated}"
    );
    let unknown = VideoLlm::load("someone/else").unwrap_err().to_string();
    assert!(unknown.contains("no such model") && unknown.lines().count() == 1, "{unknown}");
}
