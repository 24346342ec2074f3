//! A stream of `.vqt` files over HTTP: each is stored and acknowledged when it is whole.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, too")]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use common::{Running, folder, options};
use serde_json::{Value, json};

const ROUTE: &str = "/v1/videos/append?name=door";

/// Two files of other numbers of codes, the smaller one first.
fn files(server: &Running) -> [Vec<u8>; 2] {
    let video = server.upload();
    let tokens = |codes: usize| {
        let path = format!("/v1/videos/{}/tokens?codes={codes}", video["id"].as_str().unwrap());
        let reply = server.get(&path);
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.body
    };
    [tokens(4), tokens(16)]
}

fn head(length: usize) -> String {
    format!(
        "POST {ROUTE} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    )
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

fn stored(server: &Running) -> usize {
    server.get("/v1/videos").json()["data"].as_array().unwrap().len()
}

#[test]
fn a_stream_of_token_files_is_stored_and_known_when_it_comes_again() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    let files = files(&server);
    let events = server.send("POST", ROUTE, &[], &files.concat()).events();
    assert_eq!(types(&events), ["stored", "stored", "done"], "{events:?}");
    assert_eq!(events[2]["files"], 2);
    let of = |index: usize, field: &str| events[index]["video"][field].clone();
    // The uploaded clip is the first video of the store.
    assert_eq!((of(0, "name"), of(1, "name")), (json!("door 2"), json!("door 3")));
    assert_eq!((of(0, "codes"), of(1, "codes")), (json!(4), json!(16)));
    assert_eq!((of(0, "seen_before"), of(1, "seen_before")), (json!(false), json!(false)));
    let path = format!("/v1/videos/{}/tokens", of(0, "id").as_str().unwrap());
    assert_eq!(server.get(&path).body, files[0]);
    let again = server.send("POST", ROUTE, &[], &files.concat()).events();
    assert!(again[..2].iter().all(|event| event["video"]["seen_before"] == true), "{again:?}");
    assert_eq!(stored(&server), 3);
    assert!(server.get("/openapi.json").json()["paths"]["/v1/videos/append"]["post"].is_object());
}

#[test]
fn each_file_is_acknowledged_before_the_next_one_comes() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    let [first, second] = files(&server);
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(head(first.len() + second.len()).as_bytes()).unwrap();
    stream.write_all(&first).unwrap();
    let mut reply = Vec::new();
    let mut until = |stream: &mut TcpStream, text: &str| {
        let mut piece = [0; 4096];
        while !String::from_utf8_lossy(&reply).contains(text) {
            let count = stream.read(&mut piece).unwrap();
            assert!(count > 0, "{}", String::from_utf8_lossy(&reply));
            reply.extend_from_slice(&piece[..count]);
        }
    };
    until(&mut stream, "\"stored\"");
    assert_eq!(stored(&server), 2);
    stream.write_all(&second).unwrap();
    until(&mut stream, "\"done\"");
    assert_eq!(stored(&server), 3);
}

#[test]
fn what_was_whole_before_a_fault_is_kept() {
    let folder = folder();
    let mut small = options(folder.path());
    let server = Running::start(options(folder.path()));
    let [first, second] = files(&server);
    let both = [first.as_slice(), &second].concat();
    let cut = server.cut(&[head(both.len()).as_bytes(), &both[..both.len() - 9]].concat()).events();
    assert_eq!(types(&cut), ["stored", "error"], "{cut:?}");
    assert!(cut[1]["error"]["message"].as_str().unwrap().contains("send it again"), "{cut:?}");
    // The body ends as it should, but in the middle of a file.
    let short = server.send("POST", ROUTE, &[], &both[..both.len() - 9]).events();
    assert_eq!((types(&short), &short[1]["error"]["param"]), (vec!["stored", "error"], &json!("body")));
    let damaged = [first.as_slice(), b"no file, only text"].concat();
    let damaged = server.send("POST", ROUTE, &[], &damaged).events();
    assert_eq!((types(&damaged), &damaged[1]["error"]["param"]), (vec!["stored", "error"], &json!("body")));
    let empty = server.send("POST", ROUTE, &[], b"").events();
    assert_eq!((types(&empty), &empty[0]["error"]["param"]), (vec!["error"], &json!("body")));
    assert_eq!(stored(&server), 2);
    server.stop();

    small.body_bytes = second.len() - 1;
    let server = Running::start(small);
    let large = server.send("POST", ROUTE, &[], &both).events();
    assert_eq!((types(&large), &large[1]["error"]["code"]), (vec!["stored", "error"], &json!("too_large")));
    assert_eq!(stored(&server), 2);
}

#[test]
fn a_stream_needs_the_key() {
    let folder = folder();
    let mut keyed = options(folder.path());
    keyed.keys = vec!["secret".to_owned()];
    let server = Running::start(keyed);
    server.send("POST", ROUTE, &[], b"anything").assert_error(401, None, "key");
    let events = server.send("POST", ROUTE, &[("authorization", "Bearer secret")], b"anything").events();
    assert_eq!(types(&events), ["error"], "{events:?}");
}
