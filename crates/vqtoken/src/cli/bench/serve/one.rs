//! One client.

use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::{Map, Value, json};
use tokio::time::sleep;
use vqtoken_engine::Load;

use super::client::{send, send_and_hang_up};
use super::percentile;
use super::subject::Served;

/// Questions of which the server's part is measured.
const QUESTIONS: usize = 300;

/// What the server adds: the client's seconds less those that the engine says the question waited, was read and answered.
pub(super) async fn overhead(served: &Served) -> anyhow::Result<Map<String, Value>> {
    let mut added = Vec::new();
    for index in 0..QUESTIONS {
        let answer =
            served.ask("What shapes are there?", &json!({ "max_tokens": 2, "stream": false })).await?;
        let seconds = &answer.good()?["vqtoken"]["seconds"];
        let of = |stage: &str| seconds[stage].as_f64().unwrap_or(0.0);
        let model = of("queue") + of("prefill") + of("generation");
        // The first ones warm up.
        if index >= 10 {
            added.push(answer.elapsed.as_secs_f64() - model);
        }
    }
    Ok(record([
        ("requests", json!(added.len())),
        ("median_ms", json!(percentile(&mut added, 0.5) * 1e3)),
        ("p99_ms", json!(percentile(&mut added, 0.99) * 1e3)),
    ]))
}

/// `/health` while videos are encoded.
pub(super) async fn health(served: &Served) -> anyhow::Result<Map<String, Value>> {
    let encoding = async {
        // Another number of frames is another video to the store.
        let start = Instant::now();
        let mut frames = 40;
        while start.elapsed() < Duration::from_secs(5) {
            served.upload(frames).await?.good()?;
            frames += 1;
        }
        anyhow::Ok(frames - 40)
    };
    let (mut seconds, mut busy) = (Vec::new(), 0_usize);
    tokio::pin!(encoding);
    let videos = loop {
        tokio::select! {
            videos = &mut encoding => break videos?,
            () = sleep(Duration::from_millis(5)) => {
                let answer = send(served.address, "GET", "/health", ("text/plain", b"")).await?;
                if answer.status != 200 {
                    bail!("/health answered {}", answer.status);
                }
                busy += usize::from(served.engine.load().encoding > 0);
                seconds.push(answer.elapsed.as_secs_f64());
            }
        }
    };
    Ok(record([
        ("requests", json!(seconds.len())),
        ("while_encoding", json!(busy)),
        ("videos", json!(videos)),
        ("median_ms", json!(percentile(&mut seconds, 0.5) * 1e3)),
        ("p99_ms", json!(percentile(&mut seconds, 0.99) * 1e3)),
        ("most_ms", json!(percentile(&mut seconds, 1.0) * 1e3)),
    ]))
}

/// How long work goes on after its client has gone: an answer without an end, and a video.
pub(super) async fn gone(served: &Served) -> anyhow::Result<Map<String, Value>> {
    let (mut words, mut videos) = (Vec::new(), Vec::new());
    for index in 0..10_u64 {
        let extra = json!({ "max_tokens": 1000, "stream": true, "temperature": 1.9, "seed": index });
        let body = served.question("Describe the video at length.", &extra);
        let body = ("application/json", body.as_slice());
        let answering = until(served, |load| load.answering > 0);
        send_and_hang_up(served.address, "/v1/chat/completions", body, answering).await?;
        words.push(until_idle(served).await?);
        let path = format!("/v1/videos?name=demo.mp4&frames={}", 400 + index);
        let clip = ("video/mp4", served.clip.as_slice());
        let encoding = async {
            until(served, |load| load.encoding > 0).await;
            // Into the middle of the tower.
            sleep(Duration::from_millis(50 + 20 * index)).await;
        };
        send_and_hang_up(served.address, &path, clip, encoding).await?;
        videos.push(until_idle(served).await?);
    }
    Ok(record([
        ("runs", json!(words.len())),
        ("words_median_ms", json!(percentile(&mut words, 0.5) * 1e3)),
        ("words_most_ms", json!(percentile(&mut words, 1.0) * 1e3)),
        ("video_median_ms", json!(percentile(&mut videos, 0.5) * 1e3)),
        ("video_most_ms", json!(percentile(&mut videos, 1.0) * 1e3)),
    ]))
}

/// Waits until the engine does something, for a minute at most: what does not come then shows in what is measured.
async fn until(served: &Served, is_so: impl Fn(Load) -> bool) {
    let start = Instant::now();
    while !is_so(served.engine.load()) && start.elapsed() < Duration::from_secs(60) {
        sleep(Duration::from_micros(200)).await;
    }
}

/// Seconds until the engine does nothing any more.
async fn until_idle(served: &Served) -> anyhow::Result<f64> {
    let start = Instant::now();
    while served.engine.load() != Load::default() {
        if start.elapsed() > Duration::from_secs(60) {
            bail!("work goes on a minute after its client has gone");
        }
        sleep(Duration::from_micros(200)).await;
    }
    Ok(start.elapsed().as_secs_f64())
}

/// From a question about a stored video to the first word, the server just started.
pub(super) async fn restart(served: &mut Served) -> anyhow::Result<Map<String, Value>> {
    let mut seconds = Vec::new();
    for _ in 0..5 {
        served.restart().await?;
        let extra = json!({ "max_tokens": 1, "stream": true, "ignore_eos": true });
        let answer = served.ask("What shapes are there?", &extra).await?;
        if answer.status != 200 {
            bail!("the server answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
        }
        // Of random weights the only token need not be a word.
        seconds.push(answer.first_word.unwrap_or(answer.elapsed).as_secs_f64());
    }
    Ok(record([
        ("runs", json!(seconds.len())),
        ("median_ms", json!(percentile(&mut seconds, 0.5) * 1e3)),
        ("most_ms", json!(percentile(&mut seconds, 1.0) * 1e3)),
    ]))
}

pub(super) fn record<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
