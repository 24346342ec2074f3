//! Streams without an end through `ffmpeg`: which frames come, their times, and what is said when none come.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;
#[path = "../../../golden/locate.rs"]
mod locate;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use vqtoken_files::{Limit, Limits};
use vqtoken_video::{Cancellation, Frame, LiveInput, LiveVideo, LiveVideoError, OpenOptions};

/// So many seconds of 25 frames each, as MPEG-TS; `None`, and a line that says so, where there is no ffmpeg.
fn transport_stream(seconds: usize) -> Option<Vec<u8>> {
    if !common::has_ffmpeg() {
        locate::skip("no ffmpeg");
        return None;
    }
    let output = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-f", "lavfi", "-i"])
        .arg(format!("testsrc=size=64x48:rate=25:duration={seconds}"))
        .args(["-c:v", "mpeg2video", "-g", "12", "-b:v", "2M", "-f", "mpegts", "-"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

/// Serves bytes to everybody who asks, and then holds the line for so long.
fn serve(bytes: Vec<u8>, then: Duration) -> LiveInput {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/live.ts", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, bytes) = (stream.unwrap(), bytes.clone());
            thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nConnection: close\r\n\r\n");
                let _ = stream.write_all(&bytes);
                thread::sleep(then);
            });
        }
    });
    LiveInput::parse(&address).unwrap().unwrap()
}

fn all(mut video: LiveVideo) -> (Vec<Frame>, Vec<f64>) {
    let mut frames = Vec::new();
    while let Some(frame) = video.next_frame().unwrap() {
        frames.push(frame);
    }
    frames.into_iter().unzip()
}

#[test]
fn frames_come_at_the_rate_with_the_times_of_the_stream() {
    let Some(bytes) = transport_stream(4) else { return };
    let input = serve(bytes, Duration::ZERO);
    let (frames, times) = all(LiveVideo::open(&input, 2.0, &OpenOptions::default()).unwrap());
    assert_eq!(times.len(), 8, "{times:?}");
    for (index, seconds) in times.iter().enumerate() {
        // A frame of 25 a second is at most 0.04 s late.
        assert!((seconds - index as f64 / 2.0).abs() < 0.041, "{times:?}");
    }
    assert!(frames.iter().all(|frame| (frame.width(), frame.height()) == (64, 48)));
    assert!(frames.windows(2).all(|pair| pair[0] != pair[1]), "each is another picture");
    // More than there are: every frame once.
    let (_, times) = all(LiveVideo::open(&input, 100.0, &OpenOptions::default()).unwrap());
    assert_eq!(times.len(), 100, "{times:?}");
}

#[test]
fn a_silent_source_has_stalled_and_a_cancelled_one_ends_at_once() {
    // ffmpeg looks at five seconds of a stream before it gives the first frame.
    let Some(bytes) = transport_stream(12) else { return };
    let input = serve(bytes, Duration::from_secs(60));
    let options = OpenOptions::default().with_patience(Duration::from_millis(1500));
    let mut video = LiveVideo::open(&input, 2.0, &options).unwrap();
    let (frames, error) = loop_until_error(&mut video);
    assert!(frames >= 20, "{frames}");
    assert!(matches!(error, LiveVideoError::Stalled { .. }), "{error}");

    let cancellation = Cancellation::new();
    let options = OpenOptions::default().with_cancellation(cancellation.clone());
    let mut video = LiveVideo::open(&input, 2.0, &options).unwrap();
    video.next_frame().unwrap();
    cancellation.cancel();
    let start = Instant::now();
    assert!(matches!(video.next_frame(), Err(LiveVideoError::Cancelled { .. })));
    assert!(start.elapsed() < Duration::from_millis(500));
}

fn loop_until_error(video: &mut LiveVideo) -> (usize, LiveVideoError) {
    for frames in 0.. {
        match video.next_frame() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ended"),
            Err(error) => return (frames, error),
        }
    }
    unreachable!()
}

#[test]
fn what_cannot_be_read_is_said_without_passwords() {
    if !common::has_ffmpeg() {
        return locate::skip("no ffmpeg");
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let input =
        LiveInput::parse(&format!("http://me:secret@127.0.0.1:{port}/a?key=secret")).unwrap().unwrap();
    let error = LiveVideo::open(&input, 2.0, &OpenOptions::default()).unwrap().next_frame().unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, LiveVideoError::Failed { .. }), "{text}");
    assert!(text.contains("refused") && !text.contains("secret") && !text.contains('\n'), "{text}");

    let secret = tempfile::NamedTempFile::new().unwrap();
    let playlist =
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfile://{}\n", secret.path().display());
    let input = serve(playlist.into_bytes(), Duration::ZERO);
    let options = OpenOptions::default().with_patience(Duration::from_secs(20));
    let error = LiveVideo::open(&input, 2.0, &options).unwrap().next_frame().unwrap_err();
    assert!(matches!(error, LiveVideoError::Failed { .. }), "{error}");
}

#[test]
fn limits_and_rates_hold() {
    let Some(bytes) = transport_stream(4) else { return };
    let input = serve(bytes, Duration::ZERO);
    let options = OpenOptions::default().with_limits(Limits::default().with(Limit::FramePixels, 1000));
    let error = LiveVideo::open(&input, 2.0, &options).unwrap().next_frame().unwrap_err();
    assert!(matches!(error, LiveVideoError::Limit { .. } | LiveVideoError::Failed { .. }), "{error}");
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = LiveVideo::open(&input, rate, &OpenOptions::default()).unwrap_err();
        assert!(matches!(error, LiveVideoError::Rate { .. }));
    }
}
