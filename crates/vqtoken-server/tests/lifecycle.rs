//! How the server begins, how many it serves, and how it ends.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, too")]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::{Running, about, base64, clip, folder, options, question};
use serde_json::json;
use vqtoken_engine::EngineOptions;
use vqtoken_server::Artist;

/// A request for many words, as bytes.
fn long_stream(server: &Running) -> Vec<u8> {
    let mut body = question(json!("Tell a story"));
    body["stream"] = true.into();
    body["ignore_eos"] = true.into();
    body["max_tokens"] = 3000.into();
    let body = body.to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n",
        server.address,
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

fn answering(server: &Running) -> u64 {
    server.get("/ready").json()["answering"].as_u64().unwrap()
}

fn wait_until(mut is_so: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited in vain");
        std::thread::sleep(Duration::from_millis(5));
    }
    start.elapsed()
}

#[test]
fn work_stops_when_the_client_has_gone() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(&long_stream(&server)).unwrap();
    let mut first = [0; 256];
    assert!(stream.read(&mut first).unwrap() > 0);
    assert_eq!(answering(&server), 1);
    drop(stream);
    let waited = wait_until(|| answering(&server) == 0);
    assert!(waited < Duration::from_secs(1), "{waited:?}");
}

#[test]
fn what_runs_is_finished_what_comes_is_refused_and_then_it_ends() {
    let folder = folder();
    let mut server = Running::start(options(folder.path()));
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(&long_stream(&server)).unwrap();
    let mut bytes = vec![0; 256];
    let count = stream.read(&mut bytes).unwrap();
    bytes.truncate(count);
    server.ask_to_stop();
    wait_until(|| server.get("/v1/models").status == 503);
    server.chat(&question(json!("Hi"))).assert_error(503, None, "shutting down");
    assert_eq!(server.get("/health").status, 200);
    assert!(!server.has_stopped());
    stream.read_to_end(&mut bytes).unwrap();
    assert!(common::Reply::parse(&bytes).text().ends_with("data: [DONE]\n\n"));
    wait_until(|| server.has_stopped());
    assert!(TcpStream::connect(server.address).is_err());
}

#[test]
fn a_full_queue_says_when_to_come_again() {
    let folder = folder();
    let engine = EngineOptions::default().with_rows(1).with_questions(1);
    let server = Running::start_with(options(folder.path()), engine);
    let open = || {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(&long_stream(&server)).unwrap();
        stream
    };
    let _first = open();
    wait_until(|| answering(&server) == 1);
    let _second = open();
    wait_until(|| server.get("/ready").json()["questions_waiting"] == 1);
    let reply = server.chat(&question(json!("Hi")));
    reply.assert_error(429, None, "waiting already");
    assert!(reply.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn more_connections_than_allowed_are_turned_away() {
    let folder = folder();
    let mut options = options(folder.path());
    options.connections = 2;
    let server = Running::start(options);
    let held: Vec<TcpStream> = (0..2).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    wait_until(|| server.get("/health").status == 503);
    drop(held);
    wait_until(|| server.get("/health").status == 200);
}

#[test]
fn health_answers_at_once_while_a_video_is_encoded() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    let body = about(&format!("data:video/mp4;base64,{}", base64(clip())));
    let mut longest = Duration::ZERO;
    std::thread::scope(|scope| {
        let encoding = scope.spawn(|| server.chat(&body).status);
        while !encoding.is_finished() {
            let start = Instant::now();
            assert_eq!(server.get("/health").status, 200);
            longest = longest.max(start.elapsed());
        }
        assert_eq!(encoding.join().unwrap(), 200);
    });
    // Two cores shared with other tests: the bar of 10 ms is measured by `vqtoken bench serve`.
    assert!(longest < Duration::from_millis(500), "{longest:?}");
}

#[test]
fn a_second_server_on_the_same_store_says_so() {
    let folder = folder();
    let _server = Running::start(options(folder.path()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let engine = vqtoken_engine::Engine::start(common::model(), EngineOptions::default()).unwrap();
    let mut options = options(folder.path());
    options.bind.set_port(0);
    let artist = vqtoken::picture::artist();
    let error = runtime.block_on(vqtoken_server::Server::bind(engine, options, artist)).unwrap_err();
    assert!(error.to_string().contains("uses this archive"), "{error}");
}

/// Connects with so small a buffer that what is not read soon holds up the server.
fn slow_reader(server: &Running) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(server.address).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream
}

/// A request for events that are more bytes than any socket holds.
fn stream_of_megabytes(server: &Running) -> Vec<u8> {
    let mut body = question(json!("Tell a story"));
    for (name, value) in [
        ("stream", json!(true)),
        ("ignore_eos", json!(true)),
        ("max_tokens", json!(3500)),
        ("logprobs", json!(true)),
        ("top_logprobs", json!(20)),
    ] {
        body[name] = value;
    }
    let body = body.to_string();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nconnection: close\r\n";
    let head = format!("{head}host: {}\r\ncontent-length: {}\r\n\r\n", server.address, body.len());
    [head.as_bytes(), body.as_bytes()].concat()
}

#[test]
fn who_does_not_read_events_holds_up_nobody_and_is_cut_off() {
    let folder = folder();
    let mut options = options(folder.path());
    options.body_patience = Duration::from_secs(2);
    let server = Running::start(options);
    let mut slow = slow_reader(&server);
    slow.write_all(&stream_of_megabytes(&server)).unwrap();
    wait_until(|| answering(&server) == 1);
    assert_eq!(server.chat(&question(json!("Hi"))).status, 200);
    // Neither the stream nor its work is left when the server's patience is at its end.
    wait_until(|| answering(&server) == 0);
    assert_eq!(server.chat(&question(json!("Hi"))).status, 200);
    std::thread::sleep(Duration::from_secs(3));
    let mut bytes = Vec::new();
    // The connection may end with a reset.
    drop(slow.read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("data: "), "nothing came");
    assert!(!text.contains("[DONE]"), "all {} bytes came", bytes.len());
}

#[test]
fn a_panic_in_a_thread_is_an_error_and_the_server_lives_on() {
    let folder = folder();
    let artist = Artist { picture: |_, _| panic!("a secret of this machine"), ..vqtoken::picture::artist() };
    let server = Running::start_with_artist(options(folder.path()), EngineOptions::default(), artist);
    let id = server.upload()["id"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        let reply = server.get(&format!("/v1/videos/{id}/picture.png"));
        reply.assert_error(500, None, "");
        assert!(!reply.text().contains("secret"), "{}", reply.text());
    }
    assert_eq!(server.get("/ready").json()["status"], "ready");
    assert_eq!(server.chat(&about(&format!("vqt:{id}"))).status, 200);
}
