//! A live camera.

use std::io::Cursor;
use std::time::{Duration, Instant};

use crate::demo_clip;
use anyhow::{Context, bail};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use super::client::send;
use super::one::record;
use super::percentile;
use super::subject::{Served, memory};

/// Frames a second of the camera.
const FPS: f64 = 2.0;

/// Frames that wait at the server, at most.
const AHEAD: u64 = 4;

/// Frames after which a question is asked.
const QUESTION_EVERY: usize = 200;

/// How many of the posted frames have neither been taken nor left out.
async fn behind(served: &Served, id: &str, posted: usize) -> anyhow::Result<u64> {
    let state = send(served.address, "GET", &format!("/v1/live/{id}"), ("text/plain", b"")).await?.good()?;
    let count = |key: &str| state[key].as_u64().unwrap_or(0);
    Ok((posted as u64).saturating_sub(count("frames") + count("left_out")))
}

/// Posts the frames of a camera as fast as they are taken, asks about the last five minutes now and then.
pub(super) async fn camera(served: &Served, frames: usize) -> anyhow::Result<Map<String, Value>> {
    let pictures = demo_clip::frames().map(|frame| {
        let mut png = Cursor::new(Vec::new());
        let (width, height) = (frame.width() as u32, frame.height() as u32);
        PngEncoder::new(&mut png).write_image(frame.rgb(), width, height, ExtendedColorType::Rgb8)?;
        anyhow::Ok(png.into_inner())
    });
    let pictures = pictures.collect::<anyhow::Result<Vec<_>>>()?;
    let begin = json!({ "name": "bench", "fps": FPS, "window": 10, "keep": 600 }).to_string();
    let json_body = ("application/json", begin.as_bytes());
    let stream = send(served.address, "POST", "/v1/live", json_body).await?;
    if !(200..300).contains(&stream.status) {
        bail!("the stream does not begin: {}", String::from_utf8_lossy(&stream.body));
    }
    let id = stream.json()?["id"].as_str().context("the stream has no id")?.to_owned();
    let (mut answers, mut early, start) = (Vec::new(), None, Instant::now());
    for index in 0..frames {
        let path = format!("/v1/live/{id}/frames?time={}", index as f64 / FPS);
        let picture = ("image/png", pictures[index % pictures.len()].as_slice());
        let taken = send(served.address, "POST", &path, picture).await?;
        if !(200..300).contains(&taken.status) {
            bail!("frame {index} is refused: {}", String::from_utf8_lossy(&taken.body));
        }
        // The camera runs faster than it would, but not ahead of the server: what is measured is an hour, not a flood.
        while index % 4 == 3 && behind(served, &id, index + 1).await? > AHEAD {
            sleep(Duration::from_millis(1)).await;
        }
        if index == frames / 10 {
            early = memory();
        }
        if index % QUESTION_EVERY == QUESTION_EVERY - 1 {
            let body = json!({
                "max_tokens": 16,
                "messages": [{"role": "user", "content": [
                    {"type": "video_url", "video_url": {"url": format!("live:{id}?last=300")}},
                    {"type": "text", "text": "What shapes are there?"},
                ]}],
            });
            let body = body.to_string();
            let body = ("application/json", body.as_bytes());
            let answer = send(served.address, "POST", "/v1/chat/completions", body).await?;
            answer.good()?;
            answers.push(answer.elapsed.as_secs_f64());
        }
    }
    let elapsed = start.elapsed().as_secs_f64();
    let state = send(served.address, "GET", &format!("/v1/live/{id}"), ("text/plain", b"")).await?.good()?;
    let late = memory();
    send(served.address, "DELETE", &format!("/v1/live/{id}"), ("text/plain", b"")).await?;
    Ok(record([
        ("frames", json!(frames)),
        ("seconds", json!(elapsed)),
        ("times_real_time", json!(frames as f64 / FPS / elapsed)),
        ("stream", state),
        ("questions", json!(answers.len())),
        ("answer_median_ms", json!(percentile(&mut answers, 0.5) * 1e3)),
        ("answer_most_ms", json!(percentile(&mut answers, 1.0) * 1e3)),
        ("memory_at_a_tenth_bytes", json!(early)),
        ("memory_at_the_end_bytes", json!(late)),
    ]))
}
