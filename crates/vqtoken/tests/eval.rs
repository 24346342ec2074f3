//! `vqtoken eval TASK` as a user meets it, on a few clips of moving shapes and the built-in model.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;

use common::{command, json, json_lines, path, refused, samples, shapes, stdout};
use serde_json::Value;

/// Enough to answer every question quickly.
const QUICK: [&str; 4] = ["--frames", "3", "--tokens", "6"];

fn eval(arguments: &[&str]) -> Vec<String> {
    let data = path(shapes()).to_owned();
    let start = ["eval", "shapes", "--data", &data].map(String::from);
    let quick = match arguments {
        arguments if arguments.contains(&"--blind") => &QUICK[..0],
        arguments if arguments.contains(&"--reducer") && !arguments.iter().any(has_codes) => &QUICK[..2],
        _ => &QUICK[..],
    };
    start.into_iter().chain(quick.iter().chain(arguments).map(|text| text.to_string())).collect()
}

/// Whether a reading has codes, whose number `--tokens` says.
fn has_codes(argument: &&str) -> bool {
    ["vqtoken", "codebook", "random-"].iter().any(|reading| argument.starts_with(reading))
}

#[test]
fn a_table_for_people() {
    let table = stdout(&eval(&[]));
    assert!(table.starts_with("shapes  mini@"), "{table}");
    assert!(table.contains("vqtoken:6 of 3 frames"), "{table}");
    for needle in [
        "questions",
        "accuracy",
        "95%",
        "group",
        "type",
        "unparsed",
        "chance: 20.00",
        "visual tokens: 6.00 on average, TokDense",
    ] {
        assert!(table.contains(needle), "{needle}: {table}");
    }
    for stage in ["decode", "pixels", "vision", "quantize", "attention", "prefill"] {
        assert!(
            table.lines().any(|line| line.starts_with("seconds: ") && line.contains(stage)),
            "{stage}: {table}"
        );
    }
    assert!(table.lines().any(|line| line.starts_with("TFLOP: ") && line.contains("attention")), "{table}");
}

#[test]
fn numbers_for_machines() {
    let line = json(&eval(&["--json", "--reducer", "pooled"]));
    assert_eq!(line["tokens_mean"], 588.0, "three frames of 14 x 14");
    let (accuracy, questions) = (line["accuracy"].as_f64().unwrap(), line["questions"].as_u64().unwrap());
    assert!((0.0..=100.0).contains(&accuracy) && questions >= 4);
    assert_eq!(line["tok_dense"].as_f64().unwrap(), accuracy / (3.0 * 14.0 * 14.0));
    let classes: u64 =
        line["classes"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(classes, questions);
    assert_eq!(
        (&line["task"], &line["split"], &line["reading"]),
        (&"shapes".into(), &"test".into(), &"pooled of 3 frames".into())
    );
    assert_eq!(line["classes"]["failed"], 0, "{}", line["failures"]);
    assert!(line["seconds_mean"]["vision"].as_f64().unwrap() > 0.0);
    assert_eq!(line["flops_mean"]["attention"], 0.0);
    assert!(line["flops_mean"]["prefill"].as_f64().unwrap() > 1e6);
    assert!(line["facets"].as_array().unwrap().iter().any(|facet| facet["facet"] == "type"));
}

#[test]
fn a_resumed_run_has_the_samples_of_an_uninterrupted_one() {
    let folder = tempfile::tempdir().unwrap();
    let (interrupted, whole) = (folder.path().join("interrupted.jsonl"), folder.path().join("whole.jsonl"));
    stdout(&eval(&["--samples", path(&interrupted), "--limit", "3"]));
    assert_eq!(samples(&interrupted).len(), 3);
    // Killed while it wrote a line.
    let mut bytes = fs::read(&interrupted).unwrap();
    bytes.truncate(bytes.len() - 20);
    fs::write(&interrupted, bytes).unwrap();
    let resumed = json(&eval(&["--json", "--samples", path(&interrupted)]));
    let uninterrupted = json(&eval(&["--json", "--samples", path(&whole)]));
    assert_eq!(resumed["accuracy"], uninterrupted["accuracy"]);
    assert_eq!(samples(&interrupted), samples(&whole));
    assert_eq!(samples(&whole).len() as u64, uninterrupted["questions"].as_u64().unwrap());
    let first = &samples(&whole)[0];
    for key in ["doc_id", "target", "filtered_resps", "doc_hash", "input", "exact_match"] {
        assert!(first.get(key).is_some(), "{key}: {first}");
    }
    // Other settings are another run.
    refused(
        &eval(&["--samples", path(&whole), "--shuffle"]),
        1,
        &["whole.jsonl: line 1", "shuffled", "choose another file"],
    );
}

#[test]
fn several_readings_in_one_pass_equal_runs_alone() {
    let folder = tempfile::tempdir().unwrap();
    let all = folder.path().join("all.jsonl");
    let readings = [
        "vqtoken",
        "pooled",
        "codebook",
        "tome:4",
        "tome:4@renumbered",
        "tome:9",
        "random-map",
        "pooled+norm:5",
    ];
    let mut arguments = vec!["--json", "--samples", path(&all)];
    readings.iter().for_each(|reading| arguments.extend(["--reducer", reading]));
    let lines = json_lines(&eval(&arguments));
    assert_eq!(lines.len(), readings.len());
    let tokens: Vec<f64> = lines.iter().map(|line| line["tokens_mean"].as_f64().unwrap()).collect();
    assert_eq!(tokens, [6.0, 588.0, 6.0, 4.0, 4.0, 9.0, 6.0, 5.0]);
    for (reading, line) in readings.iter().zip(&lines) {
        let alone = folder.path().join("alone.jsonl");
        let single = json(&eval(&["--json", "--samples", path(&alone), "--reducer", reading]));
        assert_eq!((&single["accuracy"], &single["settings"]), (&line["accuracy"], &line["settings"]));
        let together = Path::new(line["samples"].as_str().unwrap()).to_owned();
        assert_eq!(samples(&together), samples(&alone), "{reading}");
        assert_eq!(line["difference_to_first"]["questions"], line["questions"]);
        fs::remove_file(alone).unwrap();
    }
    let table = stdout(&eval(&["--reducer", "uniform:2", "--reducer", "uniform:3"]));
    assert!(table.contains("uniform:3 of 3 frames less the first: "), "{table}");
}

#[test]
fn reduced_tokens_keep_their_positions_unless_renumbered() {
    let folder = tempfile::tempdir().unwrap();
    let all = folder.path().join("all.jsonl");
    let texts = [
        "pooled+uniform:6",
        "pooled+uniform:6@renumbered",
        "pooled+uniform:588@renumbered",
        "pooled+uniform:588",
    ];
    let mut arguments = vec!["--json", "--samples", path(&all)];
    texts.iter().for_each(|text| arguments.extend(["--reducer", text]));
    let lines = json_lines(&eval(&arguments));
    let scores = |line: &Value| {
        let samples = samples(Path::new(line["samples"].as_str().unwrap()));
        samples.into_iter().map(|sample| sample["option_scores"].clone()).collect::<Vec<_>>()
    };
    let scores: Vec<_> = lines.iter().map(scores).collect();
    assert_ne!(scores[0], scores[1]);
    // Where nothing was left out, the positions of the grid are 0, 1, 2, .. themselves.
    assert_eq!(scores[2], scores[3]);
}

#[test]
fn conditions_change_what_is_seen() {
    let of = |flag: &str| json(&eval(&["--json", flag]));
    let (blind, single, shuffled) = (of("--blind"), of("--single-frame"), of("--shuffle"));
    assert_eq!((&blind["tokens_mean"], &blind["flops_mean"]["vision"]), (&0.0.into(), &0.0.into()));
    assert_eq!(single["tokens_mean"], 6.0);
    let ratio =
        shuffled["flops_mean"]["vision"].as_f64().unwrap() / single["flops_mean"]["vision"].as_f64().unwrap();
    assert!((ratio - 3.0).abs() < 1e-9, "one frame instead of three: {ratio}");
    assert!(shuffled["settings"].as_str().unwrap().ends_with("of 3 frames, shuffled"));
}

#[test]
fn missing_videos_are_listed_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(shapes().join("test.csv"), folder.path().join("test.csv")).unwrap();
    let data = path(folder.path());
    let all = ["eval", "shapes", "--data", data, "--frames", "2", "--tokens", "3"];
    refused(&all, 1, &["none of the", "--videos", "--blind", "clip-"]);
    let blind = json(&[&all[..4], &["--json", "--blind"]].concat());
    assert!(
        blind["questions"].as_u64().unwrap() > 0 && blind["missing_videos"].as_array().unwrap().is_empty()
    );

    let mut clips: Vec<_> =
        fs::read_dir(shapes().join("videos")).unwrap().map(|entry| entry.unwrap().path()).collect();
    clips.sort();
    let missing = clips.remove(1);
    let name = missing.file_stem().unwrap().to_str().unwrap();
    for clip in &clips {
        fs::copy(clip, folder.path().join(clip.file_name().unwrap())).unwrap();
    }
    let output = command(&[&all[..], &["--json"]].concat()).output().unwrap();
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(notes.contains("missing: 1 videos") && notes.contains(name), "{notes}");
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(line["missing_videos"][0]["video"], name);
    assert_eq!(line["missing_videos"][0]["questions"], line["not_asked"]);
    assert_eq!(
        line["questions"].as_u64().unwrap() + line["not_asked"].as_u64().unwrap(),
        blind["questions"].as_u64().unwrap()
    );

    // A video that cannot be decoded is a failure with its reason, and the others are asked.
    fs::write(folder.path().join(format!("{name}.mp4")), "no video").unwrap();
    let line = json(&[&all[..], &["--json"]].concat());
    let failures = line["failures"].as_array().unwrap();
    assert!(!failures.is_empty() && line["classes"]["failed"] == failures.len(), "{line}");
    assert!(
        line["failures"][0]["reason"].as_str().unwrap().contains(name) && line["not_asked"] == 0,
        "{line}"
    );
}

#[test]
fn what_is_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(shapes().join("test.csv")).unwrap();
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    let answer = lines[0].split(',').position(|column| column == "answer").unwrap();
    let mut cells: Vec<&str> = lines[3].split(',').collect();
    cells[answer] = "9";
    lines[3] = cells.join(",");
    fs::write(folder.path().join("test.csv"), lines.join("\n")).unwrap();
    refused(
        &["eval", "shapes", "--data", path(folder.path())],
        1,
        &["test.csv: row 3 (clip-", "answer 9 is not one of the 5 options"],
    );
    refused(&["eval", "nextqa", "--data", path(folder.path())], 1, &["val.csv"]);

    let usage = |arguments: &[&str], needles: &[&str]| refused(&eval(arguments), 2, needles);
    usage(&["--reducer", "magic:3"], &["\"magic:3\" is not a reducer", "tome"]);
    usage(&["--reducer", "vqtoken:0"], &["budget of 0 codes"]);
    usage(&["--reducer", "codebook:4@renumbered"], &["write codebook:4"]);
    usage(&["--reducer", "tome:4", "--reducer", "tome:4"], &["twice"]);
    usage(&["--blind", "--reducer", "tome:4"], &["--blind"]);
    usage(&["--blind", "--frames", "4"], &["--frames", "--blind"]);
    usage(&["--blind", "--tokens", "4"], &["--tokens", "--blind"]);
    usage(&["--reducer", "tome:4", "--tokens", "4"], &["--tokens", "tome:32"]);
    usage(&["--retry-failed"], &["--samples"]);
    usage(&["--single-frame", "--shuffle"], &["--single-frame"]);
    refused(&["eval", "shapes", "--data", ".", "--frames", "0"], 2, &["at least one"]);
    refused(&["eval", "charades", "--data", "."], 2, &["charades", "nextqa, nextqa-open"]);
    refused(&["eval", "shapes"], 2, &["--data"]);
    refused(&["eval"], 2, &["TASK", "--data"]);
    refused(&eval(&["--samples", path(&folder.path().join("none/a.jsonl"))]), 1, &["there is no folder"]);
    refused(&eval(&["--model", path(&folder.path().join("none"))]), 1, &["none"]);
}

#[test]
fn a_judge_reads_and_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (requests, verdicts) = (folder.path().join("requests.jsonl"), folder.path().join("verdicts.jsonl"));
    let data = path(shapes());
    let all =
        ["--json", "eval", "shapes-open", "--data", data, "--frames", "2", "--tokens", "3", "--limit", "3"];
    let line = json(&[&all[..], &["--judge-requests", path(&requests)]].concat());
    assert!(line["judge"].is_null() && line["chance"].is_null());
    let requests = samples(&requests);
    assert_eq!(requests.len(), 3);
    let verdict = |(place, request): (usize, &Value)| {
        serde_json::json!({"id": request["id"], "pred": if place == 0 { "yes" } else { "no" }, "score": 3})
            .to_string()
    };
    let lines: Vec<String> = requests.iter().enumerate().map(verdict).collect();
    fs::write(&verdicts, lines.join("\n")).unwrap();
    let line = json(&[&all[..], &["--verdicts", path(&verdicts)]].concat());
    assert!((line["judge"]["accuracy"].as_f64().unwrap() - 100.0 / 3.0).abs() < 1e-9, "{line}");
    assert_eq!((&line["judge"]["judged"], &line["judge"]["score"]), (&3.into(), &3.0.into()));
}
