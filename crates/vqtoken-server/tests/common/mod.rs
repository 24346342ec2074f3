//! A server on a port of its own with the model in the box, and a plain client.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    unreachable_pub,
    reason = "not every test needs all of it, and tests fail by panicking"
)]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use vqtoken::{Precision, VideoLlm, builtin, picture};
use vqtoken_engine::{Engine, EngineOptions};
use vqtoken_model::TokenRetriever;
use vqtoken_search::Finder;
use vqtoken_server::{Artist, Server, ServerOptions};

/// The model in the box, loaded once.
pub fn model() -> VideoLlm {
    static MODEL: OnceLock<VideoLlm> = OnceLock::new();
    MODEL.get_or_init(|| builtin::load(Precision::F32).unwrap()).clone()
}

/// The demonstration clip.
pub fn clip() -> &'static [u8] {
    static CLIP: OnceLock<Vec<u8>> = OnceLock::new();
    CLIP.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.mp4");
        vqtoken::demo_clip::write(&path).unwrap();
        std::fs::read(path).unwrap()
    })
}

/// A server under way; dropping it ends it.
pub struct Running {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub fn start(options: ServerOptions) -> Self {
        Self::start_with(options, EngineOptions::default())
    }

    pub fn start_with(options: ServerOptions, engine: EngineOptions) -> Self {
        Self::start_with_artist(options, engine, picture::artist())
    }

    pub fn start_with_artist(mut options: ServerOptions, engine: EngineOptions, artist: Artist) -> Self {
        options.bind = SocketAddr::new(options.bind.ip(), 0);
        let (stop, stopped) = oneshot::channel();
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let engine = Engine::start(model(), engine).unwrap();
                let server = Server::bind(engine, options, artist).await.unwrap();
                sender.send(server.address()).unwrap();
                server.run(async { drop(stopped.await) }).await;
            });
        });
        Self { address: receiver.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    /// Asks the server to end, without waiting.
    pub fn ask_to_stop(&mut self) {
        drop(self.stop.take());
    }

    pub fn has_stopped(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends the server and waits for it.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.ask_to_stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends bytes as they are and reads all that comes back.
    pub fn raw(&self, request: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(request).unwrap();
        Reply::read(&mut stream)
    }

    /// Sends the beginning of a request and then nothing more.
    pub fn cut(&self, request: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(request).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        Reply::read(&mut stream)
    }

    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str(&format!("host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        self.raw(&[head.as_bytes(), body].concat())
    }

    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], b"")
    }

    pub fn post(&self, path: &str, body: &Value) -> Reply {
        let json = body.to_string();
        self.send("POST", path, &[("content-type", "application/json")], json.as_bytes())
    }

    pub fn chat(&self, body: &Value) -> Reply {
        self.post("/v1/chat/completions", body)
    }

    /// Stores the demonstration clip.
    pub fn upload(&self) -> Value {
        let reply = self.send("POST", "/v1/videos?name=demo.mp4", &[], clip());
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        // A server that closes before it has read all of a body may cut off its own answer.
        drop(stream.read_to_end(&mut bytes));
        Self::parse(&bytes)
    }

    pub fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let Some(end) = end else { return Self { status: 0, headers: Vec::new(), body: bytes.to_vec() } };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let rest = &bytes[end + 4..];
        let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        let body = if chunked { dechunk(rest) } else { rest.to_vec() };
        Self { status, headers, body }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The JSON of all events of a stream but the last mark.
    pub fn events(&self) -> Vec<Value> {
        let text = self.text();
        let data = text.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
        data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    /// Asserts that this is an error in OpenAI's shape about a parameter, whose message has these words.
    pub fn assert_error(&self, status: u16, param: Option<&str>, words: &str) {
        assert_eq!(self.status, status, "{}", self.text());
        let error = &self.json()["error"];
        assert_eq!(error["param"], json!(param), "{error}");
        assert!(error["type"].is_string() && error.get("code").is_some(), "{error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{error}");
    }
}

fn dechunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        let rest = &bytes[end + 2..];
        if length == 0 || rest.len() < length {
            break;
        }
        body.extend_from_slice(&rest[..length]);
        bytes = rest.get(length + 2..).unwrap_or_default();
    }
    body
}

/// Options of a server whose store is in a folder of the test.
pub fn options(folder: &Path) -> ServerOptions {
    ServerOptions::new(folder.join("store"))
}

/// The same of a server that finds stored videos by words.
pub fn searching(folder: &Path) -> ServerOptions {
    let mut options = options(folder);
    options.finder = Some(Finder::Tokens(Box::new(TokenRetriever::embedded().unwrap())));
    options
}

pub fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A question in a request.
pub fn question(content: Value) -> Value {
    json!({ "messages": [{ "role": "user", "content": content }], "max_tokens": 8 })
}

/// A question about a video at an address.
pub fn about(url: &str) -> Value {
    question(json!([
        { "type": "video_url", "video_url": { "url": url } },
        { "type": "text", "text": "Which way does the red circle move?" },
    ]))
}

pub fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The answer's text.
pub fn answer(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
}

/// Where the scripts of clients are.
pub fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}
