//! Videos at addresses, where fetching is on. A small server on this machine stands for the hosts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, too")]

mod common;

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Running, about, answer, base64, clip, folder, options};
use vqtoken_fetch::{FetchOptions, Fetcher, Resolve};

/// The parameter that errors are about.
const URL: &str = "messages[0].content[0].video_url.url";

/// Knows two names, both of this machine.
#[derive(Debug)]
struct Stub;

impl Resolve for Stub {
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        match host {
            "clips.test" | "other.test" => Ok(vec![Ipv4Addr::LOCALHOST.into()]),
            _ => Err(ErrorKind::NotFound.into()),
        }
    }
}

/// A host of the demonstration clip.
struct Host {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Host {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let count = requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                // Some clients have read enough before all is sent.
                drop(reply(stream.unwrap(), address.port()));
            }
        });
        Self { address, requests }
    }

    fn url(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.address.port())
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// What may be fetched: everything of `clips.test`.
    fn allowed(&self) -> FetchOptions {
        let host = format!("clips.test:{}", self.address.port());
        FetchOptions::default().with_hosts(vec![host.parse().unwrap()])
    }
}

fn reply(mut stream: TcpStream, port: u16) -> io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    // The head is read to its end, or closing the connection would cut off the answer.
    lines.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).for_each(drop);
    let (status, more, body) = match first.split(' ').nth(1).unwrap_or_default() {
        "/demo.mp4" => ("200 OK", String::new(), clip()),
        "/moved.mp4" => ("302 Found", format!("location: http://clips.test:{port}/demo.mp4\r\n"), &b""[..]),
        "/away.mp4" => ("302 Found", format!("location: http://other.test:{port}/demo.mp4\r\n"), &b""[..]),
        "/words.mp4" => ("200 OK", String::new(), &b"these are only words, and no video at all"[..]),
        _ => ("404 Not Found", String::new(), &b""[..]),
    };
    let head =
        format!("HTTP/1.1 {status}\r\n{more}connection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}

/// A server that fetches with a resolver of its own.
fn server(folder: &Path, fetching: FetchOptions) -> Running {
    let mut options = options(folder);
    options.fetcher = Some(Fetcher::with_resolver(fetching, Stub));
    Running::start(options)
}

fn uploads(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("store/uploads")).unwrap().count()
}

#[test]
fn a_video_at_an_allowed_host_is_fetched_and_answered_about() {
    let (folder, host) = (folder(), Host::start());
    let server = server(folder.path(), host.allowed().with_private_addresses(true));
    let fetched = server.chat(&about(&host.url("clips.test", "/demo.mp4")));
    let text = answer(&fetched);
    assert_eq!(host.requests(), 1);
    let sent = server.chat(&about(&format!("data:video/mp4;base64,{}", base64(clip()))));
    assert_eq!(answer(&sent), text);
    // The same bytes are the same video, wherever they came from.
    assert_eq!(server.get("/v1/videos").json()["data"].as_array().unwrap().len(), 1);

    assert_eq!(answer(&server.chat(&about(&host.url("clips.test", "/moved.mp4")))), text);
    assert_eq!(host.requests(), 3);
    assert_eq!(uploads(folder.path()), 0);
}

#[test]
fn what_must_not_or_cannot_be_fetched_is_refused_and_leaves_nothing() {
    let (folder, host) = (folder(), Host::start());
    let server = server(folder.path(), host.allowed().with_private_addresses(true).with_most_bytes(1000));
    let refused = |url: &str, param: &str, words: &str, requests: usize| {
        let before = host.requests();
        server.chat(&about(url)).assert_error(400, Some(param), words);
        assert_eq!(host.requests() - before, requests, "{url}");
    };
    refused(&host.url("other.test", "/demo.mp4"), URL, "other.test", 0);
    refused("http://clips.test/demo.mp4", URL, "clips.test", 0);
    refused(&host.url("127.0.0.1", "/demo.mp4"), URL, "127.0.0.1", 0);
    refused(&host.url("clips.test", "/away.mp4"), URL, "other.test", 1);
    refused(&host.url("clips.test", "/nowhere.mp4"), URL, "404", 1);
    refused(&host.url("clips.test", "/demo.mp4"), URL, "more than 1000 bytes", 1);
    refused(&host.url("clips.test", "/words.mp4"), "video", "words.mp4", 1);
    assert_eq!(uploads(folder.path()), 0);
    assert_eq!(server.get("/ready").json()["status"], "ready");
}

#[test]
fn an_allowed_name_of_an_address_that_is_not_public_is_not_asked() {
    let (folder, host) = (folder(), Host::start());
    let server = server(folder.path(), host.allowed());
    let reply = server.chat(&about(&host.url("clips.test", "/demo.mp4")));
    reply.assert_error(400, Some(URL), "clips.test");
    assert_eq!(host.requests(), 0);
}
