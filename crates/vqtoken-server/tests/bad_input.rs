//! What is wrong is told: what, where, how to mend it, in the shape that OpenAI's clients read.

mod common;

use std::time::{Duration, Instant};

use common::{Running, about, base64, clip, folder, options, question};
use serde_json::json;

#[test]
fn bodies_that_are_no_request_are_told_apart() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    let post = |body: &[u8]| server.send("POST", "/v1/chat/completions", &[], body);
    post(b"").assert_error(400, None, "it is empty");
    post(b"not json").assert_error(400, None, "not valid JSON");
    post(b"{\"messages\": [").assert_error(400, None, "EOF");
    post(b"[1, 2]").assert_error(400, None, "not an object");
    let deep = format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000));
    post(deep.as_bytes()).assert_error(400, None, "nested deeper than 127");
    post(&[b"{\"messages\": \"".as_slice(), &[0xff], b"\"}"].concat()).assert_error(
        400,
        None,
        "not valid JSON",
    );
    post(b"{}").assert_error(400, Some("messages"), "is missing");
}

#[test]
fn a_body_that_is_cut_gets_an_answer_that_says_so() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    for path in ["/v1/chat/completions", "/v1/videos?name=a.mp4"] {
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{{\"messages\":");
        let reply = server.cut(head.as_bytes());
        reply.assert_error(400, None, "ended before it was complete");
    }
}

#[test]
fn a_body_that_stands_still_is_not_waited_for() {
    let folder = folder();
    let mut options = options(folder.path());
    options.body_patience = Duration::from_millis(200);
    options.head_patience = Duration::from_millis(300);
    let server = Running::start(options);
    let start = Instant::now();
    let body = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{";
    server.raw(body).assert_error(408, None, "stood still");
    let half = server.raw(b"GET /v1/models HTTP/1.1\r\nhost: loc");
    assert!(matches!(half.status, 0 | 408), "{}", half.status);
    assert_eq!(server.raw(b"").status, 0, "a connection that says nothing is closed");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn what_is_too_large_is_refused_before_it_is_read() {
    let folder = folder();
    let mut options = options(folder.path());
    options.body_bytes = 1000;
    options.upload_bytes = 2000;
    let server = Running::start(options);
    let reply =
        server.raw(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1001\r\n\r\n");
    reply.assert_error(413, None, "larger than 1000 bytes");
    let reply =
        server.raw(b"POST /v1/videos HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999999\r\n\r\n");
    reply.assert_error(413, None, "larger than 2000 bytes");
    // Without a length it is counted.
    let mut chunked =
        b"POST /v1/videos HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..3 {
        chunked.extend_from_slice(b"400\r\n");
        chunked.extend_from_slice(&[b'x'; 0x400]);
        chunked.extend_from_slice(b"\r\n");
    }
    server.raw(&chunked).assert_error(413, None, "larger than 2000 bytes");
    assert_eq!(std::fs::read_dir(folder.path().join("store/uploads")).unwrap().count(), 0, "nothing is left");
}

#[test]
fn videos_that_are_none_are_refused_by_name() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    let url = "messages[0].content[0].video_url.url";
    for (address, words) in [
        ("data:video/mp4;base64,????", "is not base64"),
        ("data:video/mp4;base64,", "is empty"),
        ("data:video/mp4,hello", "not base64"),
        ("data:video/jpeg;base64,AAAA,BBBB", "is no picture"),
        ("gopher://example.org/a.mp4", "scheme"),
        ("https://example.org/a.mp4", "--fetch-host"),
        ("a.mp4", "is no address"),
    ] {
        let reply = server.chat(&about(address));
        assert_eq!(reply.status, 400, "{}", reply.text());
        let error = reply.json()["error"].clone();
        assert!(error["param"].as_str().unwrap().starts_with(url), "{error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{error}");
    }
    let bytes = base64(b"this is not a video at all, only some text");
    let reply = server.chat(&about(&format!("data:video/mp4;base64,{bytes}")));
    reply.assert_error(400, Some("video"), "video.mp4");
    assert!(!reply.text().contains("uploads"), "where it lay is nobody's business: {}", reply.text());
    server.chat(&about("vqt:v000000000000000000000000")).assert_error(404, None, "there is no video");
    server.chat(&about("vqt:../../etc/passwd")).assert_error(404, None, "there is no video");
    let tokens = question(
        json!([{ "type": "video_tokens", "video_tokens": "AAAA" }, { "type": "text", "text": "?" }]),
    );
    server.chat(&tokens).assert_error(400, Some("messages[0].content[0].video_tokens"), ".vqt");
    let cut = &clip()[..clip().len() / 3];
    let reply = server.chat(&about(&format!("data:video/mp4;base64,{}", base64(cut))));
    assert!(reply.status == 400 || reply.json()["vqtoken"]["warnings"][0].is_string(), "{}", reply.text());
}

#[test]
fn two_videos_in_one_request_are_refused_by_name() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    let video = json!({ "type": "video_url", "video_url": { "url": "vqt:v1" } });
    let reply = server.chat(&question(json!([video, video, { "type": "text", "text": "Which is longer?" }])));
    reply.assert_error(400, Some("messages[0].content[1].video_url.url"), "one request is about one video");
}

#[test]
fn a_path_that_climbs_out_of_the_media_folder_is_refused() {
    let folder = folder();
    let media = folder.path().join("media");
    std::fs::create_dir(&media).unwrap();
    std::fs::write(folder.path().join("secret.mp4"), clip()).unwrap();
    std::fs::write(media.join("demo.mp4"), clip()).unwrap();
    let mut options = options(folder.path());
    let url = format!("file://{}", media.canonicalize().unwrap().display());
    let closed = Running::start(options.clone());
    let place = Some("messages[0].content[0].video_url.url");
    closed.chat(&about(&format!("{url}/demo.mp4"))).assert_error(400, place, "--media");
    closed.stop();
    options.media = Some(media);
    let server = Running::start(options);
    for path in ["../secret.mp4", "%2e%2e/secret.mp4", "none.mp4"] {
        server.chat(&about(&format!("{url}/{path}"))).assert_error(400, place, "below the media folder");
    }
    server.chat(&about("file:///etc/passwd")).assert_error(400, place, "below the media folder");
    assert_eq!(server.chat(&about(&format!("{url}/demo.mp4"))).status, 200);
}

#[test]
fn what_cannot_be_honoured_is_named_and_what_is_unknown_is_ignored() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    let with = |name: &str, value: serde_json::Value| {
        let mut body = question(json!("How many?"));
        body[name] = value;
        server.chat(&body)
    };
    with("n", json!(2)).assert_error(400, Some("n"), "not supported");
    with("tools", json!([{}])).assert_error(400, Some("tools"), "not supported");
    with("temperature", json!("hot")).assert_error(400, Some("temperature"), "cannot be used");
    with("model", json!("gpt-4o")).assert_error(404, Some("model"), "not served here");
    with("reducer", json!("magic")).assert_error(400, Some("reducer"), "magic");
    assert_eq!(with("a_field_of_tomorrow", json!({})).status, 200);
}

#[test]
fn routes_and_methods_that_are_not_there_are_told_in_the_same_shape() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    server.get("/v1/nothing").assert_error(404, None, "/v1/nothing");
    server.get("/v1/chat/completions").assert_error(405, None, "does not take GET");
    server.get("/v1/videos/v1").assert_error(404, None, "there is no video");
    server.get("/v1/videos/..%2f..%2fcatalogue.sqlite/tokens").assert_error(404, None, "there is no video");
    server.get("/v1/videos?limit=many").assert_error(400, Some("query"), "limit");
    server.get("/v1/videos?limit=0").assert_error(400, Some("limit"), "from 1");
    server.send("DELETE", "/v1/videos/v1", &[], b"").assert_error(404, None, "there is no video");
    server.send("POST", "/v1/videos", &[], b"").assert_error(400, Some("body"), "is empty");
    server.send("POST", "/v1/videos?frames=many", &[], b"x").assert_error(400, Some("frames"), "no number");
    let form = [("content-type", "multipart/form-data; boundary=b")];
    server.send("POST", "/v1/videos", &form, b"--b--\r\n").assert_error(400, Some("file"), "is missing");
    let form = [("content-type", "multipart/form-data")];
    server.send("POST", "/v1/videos", &form, b"x").assert_error(400, None, "multipart");
}
