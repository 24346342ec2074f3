//! Questions and their answers, in every form in which a video is given.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, too")]

mod common;

use common::{Running, about, answer, base64, clip, folder, options, question};
use serde_json::{Value, json};

const QUESTION: &str = "Which way does the red circle move?";

fn ask(part: Value) -> Value {
    question(json!([part, { "type": "text", "text": QUESTION }]))
}

fn metric(server: &Running, name: &str) -> f64 {
    let text = server.get("/metrics").text();
    let line = text.lines().find(|line| line.starts_with(name));
    line.map_or(0.0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

#[test]
fn a_video_gets_the_same_answer_in_every_form_and_is_decoded_once() {
    let folder = folder();
    let media = folder.path().join("media");
    std::fs::create_dir(&media).unwrap();
    std::fs::write(media.join("demo.mp4"), clip()).unwrap();
    let mut options = options(folder.path());
    options.media = Some(media.clone());
    let server = Running::start(options);
    let encoded = base64(clip());
    let first = server.chat(&about(&format!("data:video/mp4;base64,{encoded}")));
    let expected = answer(&first);
    assert!(!expected.is_empty());
    let details = &first.json()["vqtoken"];
    assert!(details["seconds"]["decode_and_vision"].as_f64().unwrap() > 0.0, "{details}");
    let id = details["video"].as_str().unwrap().to_owned();
    let usage = &first.json()["usage"];
    assert!(usage["prompt_tokens_details"]["video_tokens"].as_u64().unwrap() >= 32, "{usage}");
    let tokens = server.get(&format!("/v1/videos/{id}/tokens"));
    assert_eq!(tokens.header("content-disposition"), Some("attachment; filename=\"video.vqt\""));
    for part in [
        json!({ "type": "video_url", "video_url": { "url": format!("vqt:{id}") } }),
        json!({ "type": "video_url", "video_url": { "url": format!("file://{}/demo.mp4", media.canonicalize().unwrap().display()) } }),
        json!({ "type": "input_video", "input_video": { "data": encoded } }),
        json!({ "type": "video_tokens", "video_tokens": { "data": base64(&tokens.body) } }),
        json!({ "type": "video_url", "video_url": { "url": format!("data:application/octet-stream;base64,{}", base64(&tokens.body)) } }),
    ] {
        let reply = server.chat(&ask(part));
        assert_eq!(answer(&reply), expected);
        assert_eq!(reply.json()["vqtoken"]["seconds"]["decode_and_vision"], 0.0);
    }
    let again = server.chat(&about(&format!("vqt:{id}"))).json();
    assert!(again["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap() > 0, "{again}");
    assert_eq!(server.get("/v1/videos").json()["data"].as_array().unwrap().len(), 1);
}

#[test]
fn pictures_in_a_row_and_lists_of_frames_are_one_clip() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    let id = server.upload()["id"].as_str().unwrap().to_owned();
    let jpegs: Vec<String> = (0..32)
        .step_by(4)
        .map(|frame| base64(&server.get(&format!("/v1/videos/{id}/frames/{frame}.jpg")).body))
        .collect();
    let mut answers = Vec::new();
    let list = format!("data:video/jpeg;base64,{}", jpegs.join(","));
    answers.push(server.chat(&about(&list)));
    let urls: Vec<String> = jpegs.iter().map(|jpeg| format!("data:image/jpeg;base64,{jpeg}")).collect();
    answers.push(server.chat(&ask(json!({ "type": "frames", "frames": urls }))));
    let mut run: Vec<Value> =
        urls.iter().map(|url| json!({ "type": "image_url", "image_url": { "url": url } })).collect();
    run.push(json!({ "type": "text", "text": QUESTION }));
    answers.push(server.chat(&question(Value::Array(run))));
    let videos: Vec<Value> = answers.iter().map(|reply| reply.json()["vqtoken"]["video"].clone()).collect();
    assert!(videos[0].is_string() && videos[1] == videos[0] && videos[2] == videos[0], "{videos:?}");
    let video = server.get(&format!("/v1/videos/{}", videos[0].as_str().unwrap())).json();
    assert_eq!(video["grid"][0], 8, "each picture is a frame: {video}");
}

#[test]
fn a_stream_has_the_shape_that_clients_expect() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    let url = format!("data:video/mp4;base64,{}", base64(clip()));
    let whole = |url: &str| answer(&server.chat(&about(url)));
    let mut body = about(&url);
    body["stream"] = true.into();
    body["stream_options"] = json!({ "include_usage": true });
    let first = server.chat(&body);
    assert_eq!(first.header("content-type"), Some("text/event-stream; charset=utf-8"));
    let text = first.text();
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    assert!(text.contains(": encoding "), "an encoding tells how far it is: {text}");
    let events = first.events();
    assert_eq!(events[0]["object"], "chat.completion.chunk");
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    let pieces = events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str());
    assert_eq!(pieces.collect::<String>(), whole(&url));
    let (last, before) = events.split_last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert!(last["usage"]["total_tokens"].as_u64().unwrap() > 0, "{last}");
    assert!(last["vqtoken"]["video"].is_string(), "{last}");
    assert!(before.iter().all(|event| event["usage"].is_null()));
    let reasons: Vec<&Value> = before.iter().map(|event| &event["choices"][0]["finish_reason"]).collect();
    assert!(["stop", "length"].contains(&reasons.last().unwrap().as_str().unwrap()));
    body.as_object_mut().unwrap().remove("stream_options");
    let second = server.chat(&body);
    let last = second.events().pop().unwrap();
    assert!(last["vqtoken"].is_object() && last.get("usage").is_none(), "{last}");
    assert_eq!(&&last["choices"][0]["finish_reason"], reasons.last().unwrap());
}

#[test]
fn turns_limits_stops_and_log_probabilities_are_honoured() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    let id = server.upload()["id"].as_str().unwrap().to_owned();
    let video = json!({ "type": "video_url", "video_url": { "url": format!("vqt:{id}") } });
    let first = answer(&server.chat(&about(&format!("vqt:{id}"))));
    let turns = json!({ "max_tokens": 4, "messages": [
        { "role": "system", "content": "Answer in a word." },
        { "role": "user", "content": [video, { "type": "text", "text": QUESTION }] },
        { "role": "assistant", "content": first },
        { "role": "user", "content": "And the blue square?" },
    ] });
    assert_eq!(server.chat(&turns).status, 200);
    let mut body = about(&format!("vqt:{id}"));
    body["max_tokens"] = 1.into();
    body["ignore_eos"] = true.into();
    body["logprobs"] = true.into();
    body["top_logprobs"] = 3.into();
    let reply = server.chat(&body).json();
    assert_eq!(reply["choices"][0]["finish_reason"], "length");
    assert_eq!(reply["usage"]["completion_tokens"], 1);
    let token = &reply["choices"][0]["logprobs"]["content"][0];
    assert_eq!(token["top_logprobs"].as_array().unwrap().len(), 3);
    assert_eq!(token["top_logprobs"][0]["token"], token["token"], "greedy takes the most likely");
    assert!(token["logprob"].as_f64().unwrap() <= 0.0);
    let mut body = about(&format!("vqt:{id}"));
    let stop: String = first.chars().skip(1).take(2).collect();
    body["stop"] = json!([stop]);
    let stopped = server.chat(&body);
    assert_eq!(answer(&stopped), first.chars().take(1).collect::<String>());
    let mut body = about(&format!("vqt:{id}"));
    body["temperature"] = 1.5.into();
    body["seed"] = 7.into();
    assert_eq!(answer(&server.chat(&body)), answer(&server.chat(&body)), "the same seed draws the same");
}

#[test]
fn other_numbers_of_codes_come_from_the_tree_and_say_so() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    let id = server.upload()["id"].as_str().unwrap().to_owned();
    let encodes = metric(&server, "vqtoken_video_lookups_total{from=\"encoder\"}");
    let mut body = about(&format!("vqt:{id}"));
    body["tokens"] = 8.into();
    let reply = server.chat(&body).json();
    let warnings = reply["vqtoken"]["warnings"].to_string();
    assert!(warnings.contains("8 codes were made from the"), "{warnings}");
    body["tokens"] = json!("adaptive:elbow:4-16");
    assert_eq!(server.chat(&body).status, 200);
    body["tokens"] = json!("adaptive:silhouette:4-16");
    server.chat(&body).assert_error(400, Some("tokens"), "needs the video");
    body["tokens"] = json!(5000);
    server.chat(&body).assert_error(400, Some("tokens"), "ask for fewer");
    body["tokens"] = json!(null);
    body["fps"] = json!(2);
    server.chat(&body).assert_error(400, Some("fps"), "sampled already");
    assert_eq!(
        metric(&server, "vqtoken_video_lookups_total{from=\"encoder\"}"),
        encodes,
        "never from the video"
    );
}

#[test]
fn other_reducers_are_answered_about_and_not_stored() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    let mut body = about(&format!("data:video/mp4;base64,{}", base64(clip())));
    for reducer in ["pooled", "tome:16"] {
        body["reducer"] = reducer.into();
        let reply = server.chat(&body);
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(reply.json()["vqtoken"]["video"].is_null());
        assert_eq!(server.chat(&body).json()["vqtoken"]["seconds"]["decode_and_vision"], 0.0);
    }
    assert_eq!(server.get("/v1/videos").json()["data"], json!([]));
}

#[test]
fn two_who_send_the_same_new_video_at_once_share_one_encoding() {
    let folder = folder();
    let server = Running::start(options(folder.path()));
    let mut body = about(&format!("data:video/mp4;base64,{}", base64(clip())));
    body["num_frames"] = 24.into();
    let replies: Vec<Value> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| server.chat(&body).json())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let texts: Vec<&Value> = replies.iter().map(|reply| &reply["choices"][0]["message"]["content"]).collect();
    assert!(texts.iter().all(|text| text.is_string() && *text == texts[0]), "{texts:?}");
    assert_eq!(server.get("/v1/videos").json()["data"].as_array().unwrap().len(), 1);
}
