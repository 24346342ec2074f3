//! `vqtoken serve` as a process: its options, and how it ends.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, too")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn serve(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vqtoken"));
    command.arg("serve").env("VQTOKEN_SERVE_STORE", folder.join("store")).env_remove("VQTOKEN_SERVE_CONFIG");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn failure(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A server under way and its address; killed if a test fails.
struct Process(Child, String);

impl Process {
    fn start(command: &mut Command) -> Self {
        let mut child = command.args(["--bind", "127.0.0.1:0"]).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        let address = address.unwrap_or_else(|| panic!("no address in {line:?}")).to_owned();
        Self(child, address)
    }

    fn get(&self, path: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(&self.1).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn options_come_from_the_command_line_the_environment_and_a_file_in_this_order() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("serve.toml");
    std::fs::write(&file, "key = [\"of the file\"]\nallow-host = [\"videos.example\"]\nstoer = \"x\"\n")
        .unwrap();
    let (code, message) = failure(serve(folder.path()).arg("--config").arg(&file));
    assert_eq!(code, Some(2));
    assert!(message.contains("stoer") && message.contains("serve.toml"), "{message}");
    let (code, message) = failure(serve(folder.path()).env("VQTOKEN_SERVE_ROWS", "many"));
    assert_eq!(code, Some(2));
    assert!(message.contains("VQTOKEN_SERVE_ROWS"), "{message}");
    let (_, message) = failure(serve(folder.path()).args(["--bind", "0.0.0.0:0"]));
    assert!(message.contains("--key") && message.contains("--no-key"), "{message}");
    let (code, _) = failure(serve(folder.path()).args(["--bind", "nowhere at all"]));
    assert_eq!(code, Some(2));

    std::fs::write(&file, "key = [\"file\"]\nallow-host = [\"videos.example\"]\n").unwrap();
    let status = |process: &Process, key: &str| {
        let reply = process.get("/v1/models", &format!("authorization: Bearer {key}\r\n"));
        reply.split(' ').nth(1).unwrap().to_owned()
    };
    let process = Process::start(serve(folder.path()).arg("--config").arg(&file));
    assert_eq!((status(&process, "file"), status(&process, "wrong")), ("200".into(), "401".into()));
    drop(process);
    let process = Process::start(
        serve(folder.path()).arg("--config").arg(&file).env("VQTOKEN_SERVE_KEY", "environment"),
    );
    assert_eq!((status(&process, "environment"), status(&process, "file")), ("200".into(), "401".into()));
    drop(process);
    let process = Process::start(
        serve(folder.path())
            .env("VQTOKEN_SERVE_CONFIG", &file)
            .env("VQTOKEN_SERVE_KEY", "environment")
            .args(["--key", "line"]),
    );
    assert_eq!((status(&process, "line"), status(&process, "environment")), ("200".into(), "401".into()));
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_with_code_0() {
    let folder = tempfile::tempdir().unwrap();
    for signal in ["TERM", "INT"] {
        let mut process = Process::start(&mut serve(folder.path()));
        assert!(process.get("/health", "").contains("200 OK"));
        let id = process.0.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
        let start = Instant::now();
        let status = loop {
            if let Some(status) = process.0.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(status.code(), Some(0), "{signal}");
    }
}

#[cfg(unix)]
#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    for [first, second] in [["TERM", "TERM"], ["INT", "TERM"]] {
        let mut process = Process::start(&mut serve(folder.path()));
        // Work that would take minutes, and is not read, holds up the end after the first signal.
        let body = r#"{"messages":[{"role":"user","content":"Tell a story"}],"stream":true,"ignore_eos":true,"max_tokens":4000}"#;
        let mut stream = TcpStream::connect(&process.1).unwrap();
        let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n";
        stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
        assert!(stream.read(&mut [0; 64]).unwrap() > 0);
        let id = process.0.id().to_string();
        let kill = |signal: &str| {
            assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
        };
        kill(first);
        while !process.get("/v1/models", "").contains("503 Service Unavailable") {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(process.0.try_wait().unwrap().is_none(), "the work is not finished yet");
        kill(second);
        assert_eq!(process.0.wait().unwrap().code(), Some(130));
    }
}
