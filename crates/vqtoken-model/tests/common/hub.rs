//! A server on this machine that speaks as the hub does.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// The paths that were asked for, each with the byte that the answer began at.
pub(crate) type Requests = Arc<Mutex<Vec<(String, usize)>>>;

/// Answers as the hub for one public repository `someone/small`, one gated, one of pickle files, and nothing else.
pub(crate) fn serve(model: PathBuf, requests: Requests) -> String {
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
