//! Live streams over HTTP: frames in, windows and answers out, questions at any moment, and an end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, too")]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use common::{Running, about, answer, clip, folder, options};
use serde_json::{Value, json};

/// JPEGs of the demonstration clip.
fn jpegs(server: &Running, count: usize) -> Vec<Vec<u8>> {
    let id = server.upload()["id"].as_str().unwrap().to_owned();
    (0..count).map(|frame| server.get(&format!("/v1/videos/{id}/frames/{frame}.jpg")).body).collect()
}

fn bring(server: &Running, id: &str, seconds: f64, jpeg: &[u8]) -> common::Reply {
    server.send(
        "POST",
        &format!("/v1/live/{id}/frames?time={seconds}"),
        &[("content-type", "image/jpeg")],
        jpeg,
    )
}

#[test]
fn frames_become_windows_and_questions_about_them_are_answered() {
    let folder = folder();
    let mut options = options(folder.path());
    options.live_sources = vec![("door".to_owned(), "none.mp4".to_owned())];
    let server = Running::start(options);
    let frames = jpegs(&server, 12);
    let begun = server.post("/v1/live", &json!({
        "name": "camera", "fps": 2, "window": 2, "keep": 60, "questions": ["Which way does the red circle move?"], "every": 2,
    }));
    assert_eq!(begun.status, 200, "{}", begun.text());
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    server.chat(&about(&format!("live:{id}"))).assert_error(400, Some("last"), "no frame");
    let mut listener = TcpStream::connect(server.address).unwrap();
    listener.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!("GET /v1/live/{id}/events HTTP/1.1\r\nhost: localhost\r\n\r\n");
    listener.write_all(head.as_bytes()).unwrap();
    let mut told = Vec::new();
    let mut hear = |words: &str| {
        let mut bytes = [0; 4096];
        while !String::from_utf8_lossy(&told).contains(words) {
            let count = listener.read(&mut bytes).unwrap();
            assert!(count > 0, "the stream of events ended before {words}");
            told.extend_from_slice(&bytes[..count]);
        }
    };
    hear("text/event-stream");
    for (index, jpeg) in frames.iter().enumerate() {
        let reply = bring(&server, &id, index as f64 * 0.5, jpeg);
        assert_eq!(reply.status, 200, "{}", reply.text());
        // Slower than the frames come, so that none is left out.
        while server.get(&format!("/v1/live/{id}")).json()["frames"].as_u64().unwrap() <= index as u64 {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    hear("\"type\":\"window\"");
    hear("\"type\":\"answer\"");
    let reply = server.chat(&about(&format!("live:{id}?last=3")));
    assert!(!answer(&reply).is_empty());
    assert!(reply.json()["vqtoken"]["video"].is_null());
    server.chat(&about(&format!("live:{id}?first=3"))).assert_error(
        400,
        Some("messages[0].content[0].video_url.url"),
        "last=SECONDS",
    );
    let map = server.get(&format!("/v1/live/{id}/map?last=3")).json();
    assert!(map["grid"][0].as_u64().unwrap() >= 4 && map["colours"].is_array(), "{map}");
    let list = server.get("/v1/live").json();
    assert_eq!((list["data"][0]["id"].clone(), list["sources"].clone()), (json!(id), json!(["door"])));
    bring(&server, &id, 0.0, &frames[0]).assert_error(400, Some("time"), "do not go back");
    bring(&server, &id, 99.0, b"no picture").assert_error(400, Some("body"), "no picture");
    assert_eq!(server.send("DELETE", &format!("/v1/live/{id}"), &[], b"").json()["deleted"], true);
    hear("\"type\":\"end\"");
    server.get(&format!("/v1/live/{id}")).assert_error(404, None, "no live stream");
}

#[test]
fn streams_that_make_no_sense_are_refused_by_name_and_sources_are_the_operators() {
    let folder = folder();
    let path = folder.path().join("demo.mp4");
    std::fs::write(&path, clip()).unwrap();
    let mut options = options(folder.path());
    options.live_sources = vec![("door".to_owned(), path.display().to_string())];
    let server = Running::start(options);
    let begin = |field: &str, value: Value| server.post("/v1/live", &json!({ field: value }));
    begin("fps", json!(0)).assert_error(400, Some("fps"), "above 0");
    begin("window", json!(-1)).assert_error(400, Some("window"), "above 0");
    begin("keep", json!(1)).assert_error(400, Some("keep"), "keep");
    begin("tokens", json!(0)).assert_error(400, Some("tokens"), "0");
    begin("questions", json!([""])).assert_error(400, Some("questions"), "empty");
    begin("source", json!("/etc/passwd")).assert_error(400, Some("source"), "--live");
    let begun = begin("source", json!("door")).json();
    let id = begun["id"].as_str().unwrap();
    bring(&server, id, 1.0, b"x").assert_error(400, Some("id"), "source of its own");
    // The server ends though the stream goes on.
    server.stop();
}

/// Windows of a source lie in its folder, and a server that is started again goes on with them.
#[test]
fn windows_of_a_source_are_there_after_a_restart() {
    let folder = folder();
    let path = folder.path().join("demo.mp4");
    std::fs::write(&path, clip()).unwrap();
    let start = || {
        let mut options = options(folder.path());
        options.live_sources = vec![("door".to_owned(), path.display().to_string())];
        options.live_folder = Some(folder.path().join("live"));
        Running::start(options)
    };
    let begin = |server: &Running| {
        let reply = server.post("/v1/live", &json!({ "source": "door", "fps": 2, "window": 1, "keep": 60 }));
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    };
    let windows = |server: &Running, id: &Value| {
        server.get(&format!("/v1/live/{}", id.as_str().unwrap())).json()["windows"].as_u64().unwrap()
    };
    let files = || {
        let entries = std::fs::read_dir(folder.path().join("live/door")).unwrap();
        entries
            .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "vqt"))
            .count()
    };
    let server = start();
    let first = begin(&server);
    while windows(&server, &first["id"]) < 2 {
        std::thread::sleep(Duration::from_millis(50));
    }
    let taken = server.post("/v1/live", &json!({ "source": "door" }));
    taken.assert_error(400, Some("source"), "under way");
    server.stop();
    let saved = files();
    assert!(saved >= 2, "{saved} windows");

    let server = start();
    let again = begin(&server);
    assert!(windows(&server, &again["id"]) >= saved as u64);
    assert!((again["started"].as_f64().unwrap() - first["started"].as_f64().unwrap()).abs() < 1e-3);
    let reply = server.chat(&about(&format!("live:{}?last=60", again["id"].as_str().unwrap())));
    assert!(!answer(&reply).is_empty());
    server.stop();
}
