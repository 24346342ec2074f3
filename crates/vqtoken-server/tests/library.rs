//! Stored videos: uploaded in every way, shown, asked again after a restart, removed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, too")]

mod common;

use common::{Running, about, answer, clip, folder, options, searching};
use serde_json::{Value, json};

fn multipart(fields: &[(&str, &str)], file: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend_from_slice(
            format!("--xyz\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").as_bytes(),
        );
    }
    body.extend_from_slice(
        b"--xyz\r\ncontent-disposition: form-data; name=\"file\"; filename=\"../my clip.mp4\"\r\n\r\n",
    );
    body.extend_from_slice(file);
    body.extend_from_slice(b"\r\n--xyz--\r\n");
    body
}

#[test]
fn an_upload_is_a_body_or_a_form_and_is_known_when_it_comes_again() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    let video = server.upload();
    assert_eq!((video["seen_before"].clone(), video["name"].clone()), (json!(false), json!("demo.mp4")));
    assert_eq!(video["bytes"], clip().len());
    assert_eq!(video["frames_stored"], video["grid"][0]);
    assert!(video["fine_codes"].as_u64().unwrap() >= video["codes"].as_u64().unwrap(), "{video}");
    let again = server.upload();
    assert_eq!((again["id"].clone(), again["seen_before"].clone()), (video["id"].clone(), json!(true)));
    let form = [("content-type", "multipart/form-data; boundary=xyz")];
    let body = multipart(&[("frames", "16"), ("tokens", "adaptive:elbow:4-16")], clip());
    let reply = server.send("POST", "/v1/videos", &form, &body);
    let other = reply.json();
    assert_eq!(other["name"], "my clip.mp4", "{other}");
    assert_eq!(
        (other["grid"][0].clone(), other["budget"].clone()),
        (json!(16), json!("adaptive:elbow:4-16"))
    );
    assert_ne!(other["id"], video["id"], "other frames are another video");
    let list = server.get("/v1/videos?limit=1").json();
    assert_eq!((list["data"][0]["id"].clone(), list["has_more"].clone()), (other["id"].clone(), json!(true)));
    let rest = server.get(&format!("/v1/videos?after={}", other["id"].as_str().unwrap())).json();
    assert_eq!(rest["data"][0]["id"], video["id"]);
    let cut = &body[..body.len() - 200];
    server.send("POST", "/v1/videos", &form, cut).assert_error(400, None, "");
}

#[test]
fn an_upload_tells_its_progress_as_events() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    let accept = [("accept", "text/event-stream")];
    let events = server.send("POST", "/v1/videos?name=a.mp4", &accept, clip()).events();
    let stage = |name: &str| events.iter().any(|event| event["type"] == "progress" && event["stage"] == name);
    assert!(stage("upload") && stage("queue") && stage("encode"), "{events:?}");
    let last = events.last().unwrap();
    assert_eq!((last["type"].clone(), last["video"]["object"].clone()), (json!("done"), json!("video")));
    let events = server.send("POST", "/v1/videos", &accept, b"no video at all, only text").events();
    let last = events.last().unwrap();
    assert_eq!(last["type"], "error");
    assert!(last["error"]["message"].is_string(), "{last}");
}

#[test]
fn a_stored_video_is_seen_in_every_view() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    let video = server.upload();
    let path = |view: &str| format!("/v1/videos/{}/{view}", video["id"].as_str().unwrap());
    let map = server.get(&path("map")).json();
    let [frames, rows, columns] = [0, 1, 2].map(|axis| map["grid"][axis].as_u64().unwrap() as usize);
    let cells = frames * rows * columns;
    assert_eq!(map["labels"].as_str().unwrap().len(), (cells * 2).div_ceil(3) * 4);
    let codes = map["codes"].as_u64().unwrap() as usize;
    assert_eq!(map["colours"].as_array().unwrap().len(), codes);
    let share: f64 = map["share"].as_array().unwrap().iter().map(|share| share.as_f64().unwrap()).sum();
    assert!((share - 1.0).abs() < 1e-9, "{share}");
    let presence = |frame: usize| -> f64 {
        map["presence"].as_array().unwrap().iter().map(|code| code[frame].as_f64().unwrap()).sum()
    };
    assert!((presence(0) - 1.0).abs() < 1e-5, "{}", presence(0));
    for (code, path) in map["paths"].as_array().unwrap().iter().enumerate() {
        for (frame, centre) in path.as_array().unwrap().iter().enumerate() {
            assert_eq!(centre.is_null(), map["presence"][code][frame] == 0.0);
        }
    }
    assert_eq!(server.get(&path("map?codes=8")).json()["codes"], 8);
    let tree = server.get(&path("tree")).json();
    let leaves = tree["leaves"].as_u64().unwrap() as usize;
    assert_eq!(tree["merges"].as_array().unwrap().len(), leaves - 1);
    assert!((2..=64).contains(&tree["elbow"].as_u64().unwrap()));
    let picture = server.get(&path("picture.png"));
    assert_eq!((picture.header("content-type"), &picture.body[1..4]), (Some("image/png"), &b"PNG"[..]));
    let frame = server.get(&path("frames/0.jpg"));
    assert_eq!((frame.header("content-type"), &frame.body[..2]), (Some("image/jpeg"), &[0xff, 0xd8][..]));
    server.get(&path("frames/9999.jpg")).assert_error(404, None, "there is no frame");
    server.get(&path("frames/first.jpg")).assert_error(404, None, "0.jpg");
    let tokens = server.get(&path("tokens"));
    let read = vqtoken::VideoTokens::from_bytes(&tokens.body).unwrap();
    assert_eq!(read.source.unwrap().name, "demo.mp4");
    let stored = server.send("POST", "/v1/videos?name=a.vqt", &[], &tokens.body).json();
    assert_eq!((stored["codes"].clone(), stored["frames_stored"].clone()), (map["codes"].clone(), json!(0)));
    let tree = server.get(&format!("/v1/videos/{}/tree", stored["id"].as_str().unwrap())).json();
    assert_eq!(tree["leaves"], map["codes"]);
}

#[test]
fn a_stored_video_is_asked_again_after_a_restart_without_decoding() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    let id = server.upload()["id"].as_str().unwrap().to_owned();
    let url = format!("vqt:{id}");
    let expected = answer(&server.chat(&about(&url)));
    server.stop();
    let server = Running::start(options(folder.path()));
    let reply = server.chat(&about(&url));
    assert_eq!(answer(&reply), expected);
    assert_eq!(reply.json()["vqtoken"]["seconds"]["decode_and_vision"], 0.0);
    assert_eq!(server.upload()["seen_before"], true);
    let removed = server.send("DELETE", &format!("/v1/videos/{id}"), &[], b"").json();
    assert_eq!(removed, json!({ "id": id, "object": "video.deleted", "deleted": true }));
    server.chat(&about(&url)).assert_error(404, None, "there is no video");
    assert_eq!(server.get("/v1/videos").json()["data"], Value::Array(Vec::new()));
}

#[test]
fn stored_videos_are_found_by_words_with_seconds_and_place() {
    let folder = folder();
    // Stored before the server could search.
    let video = Running::start(options(folder.path())).upload();
    let server = Running::start(searching(folder.path()));
    let found = server.get("/v1/search?q=a%20red%20circle&top=3").json();
    let hit = &found["data"][0];
    assert_eq!((found["object"].clone(), hit["video"]["id"].clone()), (json!("list"), video["id"].clone()));
    assert!(hit["from"].as_f64() < hit["to"].as_f64() && hit["score"].as_f64().unwrap() > 0.5, "{hit}");
    assert!(!hit["place"]["cells"].as_array().unwrap().is_empty(), "{hit}");
    let absent = server.get("/v1/search?q=a%20purple%20cross").json();
    assert!(absent["data"][0]["score"].as_f64().unwrap() < 0.5, "{absent}");
    server.get("/v1/search?q=%20").assert_error(400, Some("q"), "");
    server.get("/v1/search?q=circle&top=0").assert_error(400, Some("top"), "1 to 100");
    let without = Running::start(options(&folder.path().join("other")));
    without.get("/v1/search?q=circle").assert_error(400, Some("q"), "no part that compares");
}
