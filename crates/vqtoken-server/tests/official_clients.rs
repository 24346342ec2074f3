//! The official clients of OpenAI, unmodified. `VQTOKEN_PYTHON` names a Python that has the package `openai`, and `NODE_PATH` the folder
//! of packages where Node finds it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests fail by panicking, and what is skipped is said"
)]

mod common;

use std::process::{Command, Output};

use common::{Running, clients, clip, folder, options};

/// Runs a client if it is there; `CI` asks for it to be there.
fn run(name: &str, check: &mut Command, run: &mut Command) {
    let is_there = check.output().is_ok_and(|output| output.status.success());
    if !is_there {
        assert!(std::env::var_os("CI").is_none(), "the package openai for {name} is not installed");
        eprintln!("skipped: the package openai for {name} is not installed");
        return;
    }
    let Output { status, stdout, stderr } = run.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success() && stdout.trim() == "ok", "{stdout}{stderr}");
}

#[test]
fn the_official_clients_are_served_as_they_expect() {
    let folder = folder();
    let video = folder.path().join("demo.mp4");
    std::fs::write(&video, clip()).unwrap();
    let mut options = options(folder.path());
    options.keys = vec!["key".to_owned()];
    let server = Running::start(options);
    let arguments = [server.url(""), video.display().to_string()];

    let python = std::env::var("VQTOKEN_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    run(
        "Python",
        Command::new(&python).args(["-c", "import openai"]),
        Command::new(&python).arg(clients().join("official.py")).args(&arguments),
    );

    // Another store, so that the video is new to the second client, too.
    server.stop();
    let folder = common::folder();
    let mut options = common::options(folder.path());
    options.keys = vec!["key".to_owned()];
    let server = Running::start(options);
    let arguments = [server.url(""), video.display().to_string()];
    run(
        "Node",
        Command::new("node").args(["-e", "require('openai')"]),
        Command::new("node").arg(clients().join("official.mjs")).args(&arguments),
    );
}
