//! `vqtoken bench peak|vision|language|train|ask|drift`, `--precision` and the instruction set's variable, as a user meets them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::{Command, Output};

use serde_json::Value;
use vqtoken_kernels::{ISA_VARIABLE, Isa, Kernels};

fn run(arguments: &[&str], isa: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vqtoken"));
    if let Some(isa) = isa {
        command.env(ISA_VARIABLE, isa);
    }
    command.args(arguments).output().unwrap()
}

fn records(arguments: &[&str]) -> Vec<Value> {
    let output = run(&[&["--json", "bench"], arguments].concat(), None);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn positive(record: &Value, keys: &[&str]) {
    for key in keys {
        assert!(record[key].as_f64().is_some_and(|value| value > 0.0), "{key} of {record}");
    }
}

#[test]
fn every_stage_says_what_it_took_and_what_share_of_the_machine_that_is() {
    const ALL: [&str; 6] =
        ["seconds", "tflops", "peak_tflops", "share_of_peak", "peak_memory_bytes", "threads"];
    let peak = &records(&["peak"])[0];
    positive(peak, &["f32_tflops", "bf16_tflops", "int8_tflops", "bytes_per_second"]);

    let vision = &records(&["vision", "--frames", "2", "--repeat", "2", "--precision", "int8"])[0];
    positive(vision, &ALL);
    positive(vision, &["seconds_per_frame", "weights_bytes"]);
    assert_eq!(vision["precision"], "int8");
    assert_eq!(vision["runs"].as_array().unwrap().len(), 2);

    let language = records(&["language", "--prompt", "9", "--prompt", "3", "--tokens", "2", "--repeat", "1"]);
    let names: Vec<&str> = language.iter().map(|record| record["bench"].as_str().unwrap()).collect();
    assert_eq!(names, ["prefill", "decode", "prefill", "decode"]);
    language.iter().for_each(|record| positive(record, &ALL));
    positive(&language[1], &["tokens_per_second", "share_of_bandwidth"]);
    assert_eq!(language[2]["positions"], 4, "an image_newline follows the tokens");

    let small = ["--dim", "8", "--layers", "1", "--heads", "2", "--frames", "1", "--repeat", "1"];
    let train = &records(&[&["train"], &small[..]].concat())[0];
    positive(train, &ALL);
    positive(train, &["seconds_per_frame"]);

    let ask = &records(&["ask", "--frames", "3", "--tokens", "4", "--repeat", "1", "--threads", "1"])[0];
    positive(ask, &ALL);
    assert_eq!((&ask["frames"], &ask["codes"], &ask["threads"]), (&3.into(), &4.into(), &1.into()));
    for stage in ["decode", "pixels", "vision", "quantize", "attention", "prefill"] {
        assert!(ask["stages"][stage].is_f64(), "{stage} of {ask}");
    }
}

#[test]
fn drift_is_small_and_the_precision_is_said() {
    for (precision, least) in [("f32", 0.999_999), ("bf16", 0.999), ("int8", 0.995)] {
        let drift = &records(&["drift", "--precision", precision])[0];
        assert_eq!(drift["precision"], precision);
        assert!(drift["token_cosine_mean"].as_f64().unwrap() > least, "{drift}");
        assert!(drift["logit_cosine"].as_f64().unwrap() > least, "{drift}");
    }
}

#[test]
fn every_instruction_set_answers_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("demo.mp4");
    assert!(run(&["demo", "-o", video.to_str().unwrap()], None).status.success());
    let answer = |isa: &str| {
        let output = run(
            &[
                "ask",
                video.to_str().unwrap(),
                "What moves?",
                "--frames",
                "4",
                "--precision",
                "f32",
                "--max-tokens",
                "4",
            ],
            Some(isa),
        );
        assert!(output.status.success(), "{isa}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let expected = answer("portable");
    for kernels in Kernels::available() {
        assert_eq!(answer(&kernels.isa().to_string()), expected, "{}", kernels.isa());
    }
}

#[test]
fn repeated_frames_are_counted_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // Twelve pictures, four different ones, each three times.
    for frame in 0..12 {
        let picture = image::RgbImage::from_fn(64, 48, |x, y| {
            image::Rgb([(x * 4) as u8, (y * 5) as u8, if x < 32 { 60 * (frame / 3) as u8 } else { 0 }])
        });
        picture.save(folder.path().join(format!("{frame:02}.png"))).unwrap();
    }
    let encode = |near: &str| {
        let target = folder.path().join("tokens.vqt");
        let mut arguments =
            vec!["--json", "encode", folder.path().to_str().unwrap(), "--frames", "12", "--tokens", "4"];
        arguments.extend(["-o", target.to_str().unwrap()]);
        if !near.is_empty() {
            arguments.extend(["--near-repeats", near]);
        }
        let output = run(&arguments, None);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let record: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(record["frames"], 12);
        record["repeated_frames"].as_u64().unwrap()
    };
    assert_eq!(encode(""), 8);
    // The blue channel of half the cells changes by 60 from one picture to the next.
    assert_eq!(encode("19"), 8);
    assert_eq!(encode("21"), 10);
    assert_eq!(encode("100"), 11);
}

#[test]
fn perplexity_is_told_for_a_text_in_every_precision() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let text = file("text.txt", b"Which way does the red circle move? The red circle moves to the left.");
    let perplexity = |precision: &str| {
        let output = run(&["--json", "bench", "perplexity", &text, "--precision", precision], None);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let record: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (record["bench"].clone(), record["precision"].clone()),
            ("perplexity".into(), precision.into())
        );
        record["perplexity"].as_f64().unwrap()
    };
    let exact = perplexity("f32");
    assert!(exact > 1.0, "{exact}");
    for precision in ["bf16", "int8", "int4"] {
        let found = perplexity(precision);
        assert!((found / exact).ln().abs() < 0.5, "{precision}: {found} after {exact}");
    }
    for (path, needle) in [
        (file("short.txt", b"a"), "at least two"),
        (file("bytes.txt", b"\xff\xfe"), "not UTF-8"),
        (folder.path().to_str().unwrap().to_owned(), "cannot be read"),
    ] {
        let output = run(&["bench", "perplexity", &path], None);
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && message.contains(needle), "{message}");
    }
}

#[test]
fn what_cannot_be_done_is_said_in_a_line() {
    let refused = |arguments: &[&str], isa: Option<&str>, code: i32, needle: &str| {
        let Output { status, stdout, stderr } = run(arguments, isa);
        let message = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(code), "{arguments:?}: {message}");
        assert!(stdout.is_empty() && message.contains(needle), "{arguments:?} lacks {needle:?}: {message}");
    };
    refused(&["bench", "vision", "--precision", "fp8"], None, 2, "expected auto, f32, bf16, int8 or int4");
    refused(&["bench", "vision", "--random", "gpt-2"], None, 2, "onevision-0.5b");
    refused(&["bench", "vision", "--random", "onevision-7b", "--model", "x"], None, 2, "cannot be used with");
    refused(&["bench", "vision", "--model", "nowhere"], None, 1, "nowhere");
    refused(&["bench", "vision", "--frames", "0"], None, 2, "at least one");
    refused(&["bench", "train", "--dim", "10", "--heads", "4"], None, 2, "4 heads do not divide 10");
    refused(&["bench", "ask", "nowhere.mp4"], None, 1, "nowhere.mp4");
    refused(&["bench", "vision"], Some("sse9"), 1, "VQTOKEN_ISA");
    if Kernels::best().isa() < Isa::Amx {
        refused(&["bench", "vision"], Some("amx"), 1, "cannot run the amx kernels");
    }
}
