//! `vqtoken archive` and `vqtoken search` as a user types them, on clips of moving shapes.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use common::{command, json_lines, path, refused, shapes, stdout};
use serde_json::Value;

const WORDS: &str = "a red circle moves left";

/// An archive of the three clips.
fn added(folder: &Path) -> String {
    let archive = folder.join("archive");
    stdout(&["archive", "add", path(&archive), path(shapes()), "--frames", "8", "--fact", "camera=door"]);
    path(&archive).to_owned()
}

#[test]
fn clips_are_added_once_found_asked_shown_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let archive = added(folder.path());
    let again = json_lines(&["--json", "archive", "add", &archive, path(shapes()), "--frames", "8"]);
    assert_eq!(again.len(), 3);
    assert!(again.iter().all(|line| line["was_there"] == true));

    let picture = folder.path().join("hits.png");
    let question = "Which object moves?";
    let hits = json_lines(&[
        "--json",
        "archive",
        "search",
        &archive,
        WORDS,
        "--top",
        "2",
        "--ask",
        question,
        "--show",
        path(&picture),
    ]);
    assert_eq!(hits.len(), 2);
    let score = |hit: &Value| hit["score"].as_f64().unwrap();
    assert!(score(&hits[0]) >= score(&hits[1]));
    for hit in &hits {
        assert!(hit["from"].as_f64().unwrap() < hit["to"].as_f64().unwrap());
        assert!(!hit["place"]["cells"].as_array().unwrap().is_empty());
        assert_eq!(hit["facts"]["camera"], "door");
        assert!(hit["answer"].as_str().is_some_and(|answer| !answer.is_empty()));
    }
    assert!(fs::read(&picture).unwrap().starts_with(b"\x89PNG"));
    assert!(stdout(&["archive", "search", &archive, WORDS]).starts_with("  1. "));

    // A part of a video is most like the whole of it, which is left out of its own hits.
    let name = hits[0]["video"].as_str().unwrap();
    let like = json_lines(&["--json", "archive", "search", &archive, "--like", &format!("{name}@0s-0.5s")]);
    assert!(like.len() == 2 && like.iter().all(|hit| hit["video"] != name));
    assert!(like.iter().all(|hit| score(hit) <= 1.001));

    assert_eq!(json_lines(&["--json", "archive", "list", &archive, "--where", "camera = door"]).len(), 3);
    assert!(stdout(&["--json", "archive", "list", &archive, "--where", "camera != door"]).is_empty());
    let none = stdout(&["--json", "archive", "search", &archive, WORDS, "--before", "1990"]);
    assert!(none.is_empty());

    stdout(&["archive", "remove", &archive, hits[0]["id"].as_str().unwrap()]);
    let left = json_lines(&["--json", "archive", "search", &archive, WORDS]);
    assert!(left.len() == 2 && left.iter().all(|hit| hit["id"] != hits[0]["id"]));
    stdout(&["archive", "compact", &archive]);
    stdout(&["archive", "verify", &archive]);
    let table = folder.path().join("moments.parquet");
    let exported = json_lines(&["--json", "archive", "export", &archive, "-o", path(&table)]);
    assert!(exported[0]["rows"].as_u64().unwrap() >= 4);
    assert!(fs::read(&table).unwrap().starts_with(b"PAR1"));
}

#[test]
fn a_folder_is_searched_at_once_and_the_same_clip_is_a_duplicate() {
    let folder = tempfile::tempdir().unwrap();
    let clips: Vec<_> =
        fs::read_dir(shapes().join("videos")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let videos = folder.path().join("some");
    fs::create_dir_all(videos.join("below")).unwrap();
    fs::copy(&clips[0], videos.join("a.mp4")).unwrap();
    fs::copy(&clips[1], videos.join("below/b.mp4")).unwrap();
    fs::write(videos.join("notes.txt"), "no video").unwrap();
    for _ in 0..2 {
        let hits = json_lines(&["--json", "search", path(&videos), WORDS]);
        assert_eq!(hits.len(), 2);
    }
    // Tokens of the same clip under another name.
    let tokens = folder.path().join("c.vqt");
    stdout(&["encode", path(&clips[0]), "-o", path(&tokens)]);
    let archive = videos.join(".vqtoken");
    stdout(&["archive", "add", path(&archive), path(&tokens)]);
    let pairs = json_lines(&["--json", "archive", "duplicates", path(&archive)]);
    let names = |pair: &Value| [pair["a"]["video"].clone(), pair["b"]["video"].clone()];
    assert!(pairs.iter().any(|pair| names(pair) == ["a.mp4", "c.vqt"]), "{pairs:?}");
}

#[test]
fn files_given_twice_and_files_that_are_no_videos_take_nothing_from_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let clips: Vec<_> =
        fs::read_dir(shapes().join("videos")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let broken = folder.path().join("broken.mp4");
    fs::write(&broken, "no video").unwrap();
    let archive = folder.path().join("archive");
    let given = [&clips[0], &clips[0], &broken, &clips[1], &clips[0]].map(|path| common::path(path));
    let start = ["--json", "archive", "add", path(&archive), "--frames", "8"];
    let Output { status, stdout: printed, stderr } =
        command(&[&start[..], &given].concat()).output().unwrap();
    let message = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{message}");
    assert!(message.contains("broken.mp4") && message.contains("1 of 5 videos were not added"), "{message}");
    let lines: Vec<Value> = String::from_utf8(printed)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line.get("video").is_some())
        .collect();
    let found: Vec<_> =
        lines.iter().map(|line| (line["video"].as_str().unwrap(), line["was_there"] == true)).collect();
    assert_eq!(found, [(given[0], false), (given[0], true), (given[3], false), (given[0], true)]);
    assert_eq!(lines[0]["id"], lines[1]["id"]);
}

#[test]
fn a_stream_of_token_files_is_appended() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("tokens");
    let clips: Vec<_> =
        fs::read_dir(shapes().join("videos")).unwrap().map(|entry| entry.unwrap().path()).collect();
    stdout(&[
        "encode",
        path(&clips[0]),
        path(&clips[1]),
        "-o",
        path(&out),
        "--frames",
        "8",
        "--quality",
        "int8",
    ]);
    let mut stream = Vec::new();
    let mut files: Vec<_> = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().for_each(|file| stream.extend(fs::read(file).unwrap()));
    let archive = folder.path().join("archive");
    let append = |bytes: &[u8]| {
        let mut child = command(&["--json", "archive", "append", path(&archive), "--name", "door"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        child.wait_with_output().unwrap()
    };
    // Cut in the second file: the first is kept, and sending all of it again adds the second alone.
    let cut = append(&stream[..stream.len() - 10]);
    assert_eq!(cut.status.code(), Some(1));
    assert_eq!(String::from_utf8(cut.stdout).unwrap().lines().count(), 1);
    assert!(String::from_utf8(cut.stderr).unwrap().contains("cut"));
    let whole = append(&stream);
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    let lines: Vec<Value> = String::from_utf8(whole.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.iter().map(|line| line["was_there"] == true).collect::<Vec<_>>(), [true, false]);
    assert_eq!(json_lines(&["--json", "archive", "search", path(&archive), WORDS]).len(), 2);
}

#[test]
fn what_cannot_be_searched_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let archive = added(folder.path());
    let nowhere = folder.path().join("nowhere");
    refused(&["archive", "search", path(&nowhere), WORDS], 1, &["no archive"]);
    refused(&["archive", "search", &archive], 2, &["WORDS"]);
    refused(&["archive", "search", &archive, " "], 1, &["empty"]);
    refused(&["archive", "search", &archive, WORDS, "--after", "yesterday"], 2, &["yesterday", "2024-05-01"]);
    refused(&["archive", "search", &archive, WORDS, "--where", "size"], 2, &["invalid condition"]);
    refused(&["archive", "search", &archive, WORDS, "--show", "hits.jpg"], 2, &[".png"]);
    refused(&["archive", "search", &archive, "--like", "nobody.mp4"], 1, &["nobody.mp4"]);
    refused(&["archive", "remove", &archive, "nobody.mp4"], 1, &["nothing was removed"]);
    refused(&["archive", "add", &archive, path(folder.path())], 1, &["no video"]);
    let bad = folder.path().join("bad.mp4");
    fs::write(&bad, b"nothing").unwrap();
    let output =
        command(&["archive", "add", &archive, path(&bad), path(shapes()), "--frames", "8"]).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && message.contains("bad.mp4"), "{message}");
    assert!(message.contains("0 added, 3 there already, 1 failed"), "{message}");

    // A query of ten thousand words is cut, and that is said.
    let long = "a red circle ".repeat(10_000);
    let output = command(&["archive", "search", &archive, &long]).output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("left out"));

    // Damage is named, and the rest is served.
    let mut segments: Vec<_> = fs::read_dir(Path::new(&archive).join("segments"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    segments.sort();
    // Moments of the first video, then its codes, by which words are found.
    let bytes = fs::read(&segments[1]).unwrap();
    fs::write(&segments[1], &bytes[..bytes.len() - 1]).unwrap();
    let output = command(&["--json", "archive", "search", &archive, WORDS]).output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2);
    assert!(String::from_utf8(output.stderr).unwrap().contains("damaged"));
    let output = command(&["archive", "verify", &archive]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    stdout(&["archive", "add", &archive, path(shapes()), "--frames", "8"]);
    assert_eq!(json_lines(&["--json", "archive", "search", &archive, WORDS]).len(), 3);
}

#[test]
fn vectors_of_another_version_are_one_line_however_many_files_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let archive = added(folder.path());
    for segment in fs::read_dir(Path::new(&archive).join("segments")).unwrap() {
        let path = segment.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        // The version of the layout, after the eight bytes that say what file it is.
        bytes[8] = 1;
        fs::write(&path, bytes).unwrap();
    }
    let output = command(&["--json", "archive", "search", &archive, WORDS]).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && output.stdout.is_empty(), "{message}");
    assert_eq!(message.lines().filter(|line| line.starts_with("warning: ")).count(), 1, "{message}");
    assert!(message.contains("6 files of vectors") && message.contains("their 3 videos"), "{message}");
    stdout(&["archive", "add", &archive, path(shapes()), "--frames", "8"]);
    assert_eq!(json_lines(&["--json", "archive", "search", &archive, WORDS]).len(), 3);
}

#[test]
fn videos_that_are_there_with_other_settings_are_said_and_removed_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let archive = added(folder.path());
    let add = |frames: &str| {
        let output =
            command(&["archive", "add", &archive, path(shapes()), "--frames", frames]).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let message = add("6");
    assert!(message.contains("3 of these videos are in the archive with other settings"), "{message}");
    assert!(message.contains("3 added") && message.contains("--superseded"), "{message}");
    assert!(!add("6").contains("other settings"));
    let sampling = || -> Vec<Value> {
        let videos = json_lines(&["--json", "archive", "list", &archive]);
        videos.into_iter().map(|video| video["sampling"].clone()).collect()
    };
    assert_eq!(sampling().len(), 6);
    refused(&["archive", "remove", &archive], 2, &["VIDEO"]);
    let removed = json_lines(&["--json", "archive", "remove", "--superseded", &archive]);
    assert_eq!((removed.len(), sampling()), (3, vec![Value::from("frames=6"); 3]));
    assert!(stdout(&["archive", "remove", "--superseded", &archive]).is_empty());
}

#[test]
fn a_whole_siglip_reads_frames_and_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("archive");
    let archive = path(&archive);
    let siglip = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/a/siglip");
    let siglip = path(&siglip);
    stdout(&["archive", "add", archive, path(shapes()), "--frames", "6", "--retriever", siglip]);
    let hits = json_lines(&["--json", "archive", "search", archive, WORDS, "--retriever", siglip]);
    assert_eq!(hits.len(), 3);
    assert!(hits.iter().all(|hit| !hit["place"]["cells"].as_array().unwrap().is_empty()));
    let picture = folder.path().join("red.png");
    image::RgbImage::from_pixel(64, 48, image::Rgb([200, 20, 20])).save(&picture).unwrap();
    let alike = json_lines(&[
        "--json",
        "archive",
        "search",
        archive,
        "--image",
        path(&picture),
        "--retriever",
        siglip,
    ]);
    assert_eq!(alike.len(), 3);
    let like = json_lines(&[
        "--json",
        "archive",
        "search",
        archive,
        "--like",
        hits[0]["video"].as_str().unwrap(),
        "--retriever",
        siglip,
    ]);
    assert!(like.len() == 2 && like.iter().all(|hit| hit["id"] != hits[0]["id"]));

    // A model with a tower of its own leaves the retriever's vectors as they are.
    let other = folder.path().join("other");
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/a/onevision-hf");
    let (other, model) = (path(&other), path(&model));
    let settings = ["--frames", "6", "--retriever", siglip];
    stdout(&[&["archive", "add", other, path(shapes()), "--model", model], &settings[..]].concat());
    let again = json_lines(&["--json", "archive", "search", other, WORDS, "--retriever", siglip]);
    let scores = |hits: &[Value]| -> Vec<(Value, Value)> {
        hits.iter().map(|hit| (hit["video"].clone(), hit["cosine"].clone())).collect()
    };
    assert_eq!(scores(&again), scores(&hits));

    // The box's vectors cannot be compared with these, and a .vqt file has no frames.
    refused(&["archive", "search", archive, WORDS], 1, &["retriever", "siglip"]);
    let tokens = folder.path().join("a.vqt");
    let clip = fs::read_dir(shapes().join("videos")).unwrap().next().unwrap().unwrap().path();
    stdout(&["encode", path(&clip), "-o", path(&tokens)]);
    let output =
        command(&["archive", "add", archive, path(&tokens), "--retriever", siglip]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("needs the frames"));
}
