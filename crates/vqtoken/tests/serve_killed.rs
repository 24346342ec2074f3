//! A server that is killed at any moment leaves a store that opens, serves nothing half, and has what was acknowledged.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;
use vqtoken::VideoTokens;

const KILLS: u64 = 50;

struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(store: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vqtoken"));
        command.args(["--json", "serve", "--bind", "127.0.0.1:0", "--store"]).arg(store);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("the server said {line:?}"));
        Self { child, address: said["address"].as_str().unwrap().to_owned() }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Status and body; none where the server died before its answer was whole.
fn request(address: &str, method: &str, path: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: video/mp4\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let length: usize =
        head.lines().find_map(|line| line.strip_prefix("content-length: "))?.trim().parse().ok()?;
    let body = answer[end + 4..].to_vec();
    (body.len() == length).then_some((head.split_whitespace().nth(1)?.parse().ok()?, body))
}

fn json(address: &str, path: &str) -> Value {
    let (status, body) = request(address, "GET", path, b"").unwrap();
    assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

/// Every stored video is whole; returns their ids.
fn checked(address: &str) -> BTreeSet<String> {
    let videos = json(address, "/v1/videos?limit=100");
    let ids = videos["data"].as_array().unwrap().iter().map(|video| {
        let id = video["id"].as_str().unwrap();
        let (status, bytes) = request(address, "GET", &format!("/v1/videos/{id}/tokens"), b"").unwrap();
        assert_eq!(status, 200, "{id}");
        let tokens = VideoTokens::from_bytes(&bytes).unwrap();
        let frames = tokens.timestamps.len();
        assert_eq!(video["frames_stored"], frames, "{id}");
        let last = format!("/v1/videos/{id}/frames/{}.jpg", frames - 1);
        assert_eq!(request(address, "GET", &last, b"").unwrap().0, 200, "{id}");
        assert!(json(address, &format!("/v1/videos/{id}/tree"))["merges"].is_array(), "{id}");
        id.to_owned()
    });
    ids.collect()
}

#[test]
fn a_killed_server_loses_nothing_that_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let (store, clip) = (folder.path().join("store"), folder.path().join("demo.mp4"));
    vqtoken::demo_clip::write(&clip).unwrap();
    let clip = std::fs::read(clip).unwrap();
    let acknowledged = Mutex::new(BTreeSet::new());
    for round in 0..KILLS {
        let server = Server::start(&store);
        let stored = checked(&server.address);
        let missing: Vec<_> = acknowledged.lock().unwrap().difference(&stored).cloned().collect();
        assert!(missing.is_empty(), "round {round}: {missing:?} were acknowledged and are gone");
        std::thread::scope(|scope| {
            for upload in 0..3 {
                let (address, clip, acknowledged) = (server.address.clone(), &clip, &acknowledged);
                scope.spawn(move || {
                    // Another number of frames is another video to the store; some come again.
                    let frames = 2 + (round * 3 + upload) % 40;
                    let path = format!("/v1/videos?name=demo.mp4&frames={frames}");
                    if let Some((200 | 201, body)) = request(&address, "POST", &path, clip) {
                        let video: Value = serde_json::from_slice(&body).unwrap();
                        acknowledged.lock().unwrap().insert(video["id"].as_str().unwrap().to_owned());
                    }
                });
            }
            // Moments that cover an upload, the tower, and the writing; now and then the one after an answer.
            let start = Instant::now();
            let before = acknowledged.lock().unwrap().len();
            let is_over = || match round % 5 {
                0 => acknowledged.lock().unwrap().len() > before || start.elapsed() > Duration::from_secs(30),
                _ => start.elapsed() > Duration::from_millis(round * 37 % 400),
            };
            while !is_over() {
                std::thread::sleep(Duration::from_millis(1));
            }
            server.kill();
        });
    }
    let server = Server::start(&store);
    let stored = checked(&server.address);
    server.kill();
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!(!acknowledged.is_empty(), "no upload was ever acknowledged");
    assert!(acknowledged.is_subset(&stored));
}
