//! A process that is killed at any moment loses nothing that it acknowledged, and nothing half is served.
//!
//! The test program runs itself as the process to be killed: it works as long as it can and says what it starts and what is done.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{assert_whole, key, tokens, video};
use tempfile::tempdir;
use vqtoken_archive::{Archive, ArchiveError, ArchiveOptions, NewVectors, Scan, Space};
use vqtoken_core::VideoTokens;

const FOLDER: &str = "VQTOKEN_TEST_ARCHIVE";
const SEED: &str = "VQTOKEN_TEST_SEED";
const MOST_BYTES: &str = "VQTOKEN_TEST_MOST_BYTES";
const VECTORS: &str = "VQTOKEN_TEST_VECTORS";
const KILLS: usize = 50;
const KILLS_WITH_VECTORS: usize = 100;
/// Videos that the process stores, removes and stores again.
const VIDEOS: u64 = 12;

/// A small generator: the test needs variety, not quality.
struct Draws(u64);

impl Draws {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n> {line}").unwrap();
    out.flush().unwrap();
}

fn space() -> Space {
    Space::new("retriever@01234567", 8)
}

/// Two moments and a code; the first moment points to the video's own direction.
fn vectors(number: usize) -> NewVectors {
    let mut moments = vec![0.0; 16];
    (moments[number % 8], moments[8 + (number + 1) % 8]) = (1.0, 1.0);
    NewVectors::new(vec![[0.0, 1.0], [1.0, 2.0]], moments.clone(), moments[..8].to_vec())
}

fn options(most_bytes: u64) -> ArchiveOptions {
    ArchiveOptions::default().with_most_bytes(most_bytes)
}

/// Not a test: what the process does that is killed.
#[test]
fn the_process_that_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let number = |name| std::env::var(name).unwrap().parse::<u64>().unwrap();
    let mut draws = Draws(number(SEED));
    let archive = Archive::open(folder, options(number(MOST_BYTES))).unwrap();
    say("open");
    if std::env::var(VECTORS).is_ok() {
        change_vectors(&archive, &mut draws);
    }
    loop {
        let number = draws.next(VIDEOS) as usize;
        let id = key(number).id();
        let (what, result) = match draws.next(5) {
            0 | 1 => {
                say(&format!("start insert {number}"));
                ("insert", archive.insert(video(number)).map(drop))
            }
            2 | 3 => {
                let codes = 5 + draws.next(4) as usize;
                say(&format!("start add {number}"));
                ("add", archive.add_tokens(&id, &codes.to_string(), &tokens(number, codes)).map(drop))
            }
            _ => {
                say(&format!("start remove {number}"));
                ("remove", archive.remove(&id))
            }
        };
        match result {
            Ok(()) => say(&format!("done {what} {number}")),
            Err(ArchiveError::NotFound { .. }) => say(&format!("none {what} {number}")),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Adds videos with their vectors, removes some and compacts.
fn change_vectors(archive: &Archive, draws: &mut Draws) -> ! {
    loop {
        let number = draws.next(VIDEOS) as usize;
        let id = key(number).id();
        match draws.next(8) {
            0..=4 => {
                say(&format!("start add {number}"));
                archive.insert(video(number)).unwrap();
                archive.put_vectors(&space(), &[(id, vectors(number))]).unwrap();
                say(&format!("done add {number}"));
            }
            5 => {
                say(&format!("start compact {number}"));
                archive.compact().unwrap();
                say(&format!("done compact {number}"));
            }
            _ => {
                say(&format!("start remove {number}"));
                match archive.remove(&id) {
                    Ok(()) | Err(ArchiveError::NotFound { .. }) => say(&format!("done remove {number}")),
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
}

/// Runs the process for a moment, kills it, and gives the lines that it said.
fn killed(folder: &Path, seed: u64, most_bytes: u64, moment: Duration) -> Vec<String> {
    killed_with(folder, seed, most_bytes, moment, None)
}

fn killed_with(
    folder: &Path,
    seed: u64,
    most_bytes: u64,
    moment: Duration,
    vectors: Option<&str>,
) -> Vec<String> {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .envs(vectors.map(|value| (VECTORS, value)))
        .args(["--exact", "the_process_that_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .env(SEED, seed.to_string())
        .env(MOST_BYTES, most_bytes.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    // A part of the kills hits the start, which tidies up.
    if !seed.is_multiple_of(5) {
        assert!(lines.any(|line| line.unwrap() == "> open"), "the process did not start");
    }
    let reader = thread::spawn(move || lines.map(Result::unwrap).collect::<Vec<_>>());
    thread::sleep(moment);
    // On Unix this is SIGKILL.
    process.kill().unwrap();
    process.wait().unwrap();
    let said = reader.join().unwrap();
    assert!(!said.iter().any(|line| line.contains("FAILED")), "{said:?}");
    said.iter().filter_map(|line| line.strip_prefix("> ")).map(str::to_owned).collect()
}

/// The video that a line is about.
fn number(line: &str) -> usize {
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

fn stored(archive: &Archive) -> BTreeSet<usize> {
    let videos = archive.list(1000, None).unwrap().videos;
    videos.iter().map(|video| number(&video.name.trim_end_matches(".mp4").replace('/', " "))).collect()
}

/// Every video is whole, and no file is there that no row names.
fn check(folder: &Path, archive: &Archive) {
    assert!(archive.recovery().lost.is_empty(), "{:?}", archive.recovery());
    let mut named = 0;
    for video in archive.list(1000, None).unwrap().videos {
        assert_whole(archive, &video.id);
        named += video.sets.len() + usize::from(video.frames_stored > 0);
    }
    let folders = std::fs::read_dir(folder.join("videos")).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap()).collect();
    assert_eq!(files.len(), named);
    for file in files {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "vqt") {
            VideoTokens::load(path).unwrap();
        }
    }
}

#[test]
fn killed_at_50_moments_it_loses_nothing_that_was_acknowledged() {
    let folder = tempdir().unwrap();
    let mut draws = Draws(17);
    let mut expected = BTreeSet::new();
    let (mut done, mut removed, mut unfinished) = (0, 0, 0);
    for kill in 0..KILLS {
        let moment = Duration::from_micros(draws.next(120_000));
        let lines = killed(folder.path(), kill as u64, u64::MAX >> 1, moment);
        let mut started = None;
        for line in lines.iter().filter(|line| *line != "open") {
            let video = number(line);
            started = line.starts_with("start").then_some(video);
            if line.starts_with("done") {
                done += 1;
                match line.contains("remove") {
                    true => expected.remove(&video),
                    false => expected.insert(video),
                };
            }
        }
        let archive = Archive::open(folder.path(), options(u64::MAX >> 1)).unwrap();
        removed += archive.recovery().removed;
        check(folder.path(), &archive);
        let found = stored(&archive);
        // What had been started and was not acknowledged is done or not.
        if let Some(video) = started {
            unfinished += 1;
            match found.contains(&video) {
                true => expected.insert(video),
                false => expected.remove(&video),
            };
        }
        assert_eq!(found, expected, "kill {kill}, {lines:?}");
    }
    println!("{done} changes acknowledged, {unfinished} cut off, {removed} remains removed");
    assert!(done > KILLS && unfinished > KILLS / 4, "{done} {unfinished}");
}

#[test]
fn killed_while_it_evicts_it_keeps_its_size_and_the_newest() {
    let folder = tempdir().unwrap();
    let most = {
        let scale = tempdir().unwrap();
        let archive = Archive::open(scale.path(), options(u64::MAX >> 1)).unwrap();
        4 * archive.insert(video(1)).unwrap().bytes
    };
    let mut draws = Draws(71);
    for kill in 0..KILLS {
        let moment = Duration::from_micros(draws.next(80_000));
        let lines = killed(folder.path(), 1000 + kill as u64, most, moment);
        let archive = Archive::open(folder.path(), options(most)).unwrap();
        check(folder.path(), &archive);
        assert!(archive.bytes().unwrap() <= most);
        let found = stored(&archive);
        let last = lines.iter().rposition(|line| line.starts_with("done"));
        if let Some(last) = last.filter(|&last| !lines[last].contains("remove")) {
            let is_removed = |line: &String| line.starts_with("start remove");
            let video = number(&lines[last]);
            let may_be_gone = lines[last..].iter().any(|line| is_removed(line) && number(line) == video);
            assert!(may_be_gone || found.contains(&video), "kill {kill}: {found:?}, {lines:?}");
        }
    }
}

#[test]
fn killed_while_vectors_change_it_finds_all_that_was_acknowledged() {
    let folder = tempdir().unwrap();
    let mut draws = Draws(29);
    let mut expected = BTreeSet::new();
    let (mut done, mut unfinished) = (0, 0);
    for kill in 0..KILLS_WITH_VECTORS {
        let moment = Duration::from_micros(draws.next(150_000));
        let lines = killed_with(folder.path(), 5000 + kill as u64, u64::MAX >> 1, moment, Some("1"));
        let mut started = None;
        for line in lines.iter().filter(|line| *line != "open" && !line.contains("compact")) {
            let video = number(line);
            started = line.starts_with("start").then_some(video);
            if line.starts_with("done") {
                done += 1;
                match line.contains("remove") {
                    true => expected.remove(&video),
                    false => expected.insert(video),
                };
            }
        }
        unfinished += usize::from(lines.last().is_some_and(|line| line.starts_with("start")));
        let archive = Archive::open(folder.path(), options(u64::MAX >> 1)).unwrap();
        assert!(archive.recovery().lost.is_empty(), "{:?}", archive.recovery());
        assert_eq!(archive.verify().unwrap(), [], "kill {kill}");
        let hits = archive.nearest_moments(&space(), &[1.0; 8], 1000, Scan::Exact, None).unwrap();
        let found: BTreeSet<String> = hits.iter().map(|hit| hit.id.clone()).collect();
        // A video that was being added or removed may be there with or without its vectors, or not at all.
        if let Some(video) = started {
            match found.contains(&key(video).id()) {
                true => expected.insert(video),
                false => expected.remove(&video),
            };
        }
        let ids: BTreeSet<String> = expected.iter().map(|number| key(*number).id()).collect();
        assert_eq!(found, ids, "kill {kill}, {lines:?}");
        assert_eq!(hits.len(), 2 * ids.len());
    }
    println!("{done} changes acknowledged, {unfinished} cut off");
    assert!(done > KILLS_WITH_VECTORS / 4 && unfinished > KILLS_WITH_VECTORS / 4, "{done} {unfinished}");
}
