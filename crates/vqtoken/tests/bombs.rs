//! Small files that claim to be huge end in one line, within 100 MB of memory.
//!
//! Each runs under a limit on the data that a process may hold (`ulimit -d`), which a program that believed the claim runs into: an
//! allocation beyond it fails, and the process aborts. Mapped files and address space that is only reserved do not count.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Kibibytes of data that a process may hold: 100 MB.
const MOST_DATA: u64 = 100_000_000 / 1024;

fn within_100_mb(arguments: &[&str]) -> Output {
    let script = format!("ulimit -d {MOST_DATA} && exec \"$0\" \"$@\"");
    let program = env!("CARGO_BIN_EXE_vqtoken");
    Command::new("sh").args(["-c", &script, program]).args(arguments).output().unwrap()
}

struct Bomb {
    file: PathBuf,
    _folder: TempDir,
}

impl Bomb {
    fn new(name: &str, bytes: &[u8]) -> Self {
        assert!(bytes.len() < 100_000, "{name} is no small file");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        fs::write(&file, bytes).unwrap();
        Self { file, _folder: folder }
    }

    #[track_caller]
    fn ends_in_one_line_about(&self, needle: &str) {
        let file = self.file.to_str().unwrap();
        for command in [vec!["inspect", file], vec!["ask", file, "What?"], vec!["show", file, "-o", "x.png"]]
        {
            let Output { status, stdout, stderr } = within_100_mb(&command);
            let message = String::from_utf8(stderr).unwrap();
            assert_eq!(status.code(), Some(1), "{command:?}: {status}: {message}");
            assert!(stdout.is_empty());
            let lines = message.lines().filter(|line| !line.starts_with("note: ")).count();
            assert!(lines == 1 && message.contains(needle), "{command:?}: {message}");
        }
    }
}

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/shapes.mp4")
}

/// A GIF of 43 bytes that claims a size.
fn gif(width: u16, height: u16) -> Vec<u8> {
    let size = [width.to_le_bytes(), height.to_le_bytes()].concat();
    let mut bytes = [b"GIF89a", size.as_slice(), &[0x80, 0, 0, 0, 0, 0, 255, 255, 255]].concat();
    bytes.extend([0x21, 0xf9, 4, 0, 0, 0, 0, 0, 0x2c, 0, 0, 0, 0]);
    bytes.extend([size.as_slice(), &[0, 2, 2, 0x44, 1, 0, 0x3b]].concat());
    bytes
}

/// Tokens of two frames whose coded index map of 60 kB claims 269 million labels, under a checksum that is right.
fn tokens() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (clip, file) = (demo(), folder.path().join("a.vqt"));
    let made = Command::new(env!("CARGO_BIN_EXE_vqtoken"))
        .args([
            "encode",
            clip.to_str().unwrap(),
            "-o",
            file.to_str().unwrap(),
            "--frames",
            "2",
            "--tokens",
            "1",
        ])
        .output()
        .unwrap();
    assert!(made.status.success());
    let bytes = fs::read(file).unwrap();
    let (header, data) = bytes[8..].split_at(u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize);
    let mut header = String::from_utf8(header.to_vec()).unwrap();
    for (from, to) in [
        ("\"grid\":\"2,27,27\"", "\"grid\":\"2,11600,11600\""),
        ("\"shape\":[4],\"data_offsets\":[256,260]", "\"shape\":[60000],\"data_offsets\":[256,60256]"),
        ("\"data_offsets\":[260,262]", "\"data_offsets\":[60256,60258]"),
    ] {
        assert!(header.contains(from), "{header}");
        header = header.replace(from, to);
    }
    let data = [&data[..260], &[0; 59_996], &data[260..]].concat();
    let digits = header.find("\"checksum\":\"").unwrap() + "\"checksum\":\"".len();
    header.replace_range(digits..digits + 8, "00000000");
    let length = (header.len() as u64).to_le_bytes();
    let sum = crc32fast::hash(&[&length[..], header.as_bytes(), &data].concat());
    header.replace_range(digits..digits + 8, &format!("{sum:08x}"));
    [&length[..], header.as_bytes(), &data].concat()
}

#[test]
fn a_gif_of_43_bytes_and_four_billion_pixels() {
    Bomb::new("a.gif", &gif(65_535, 65_535)).ends_in_one_line_about("raise the limit `frame-pixels`");
}

#[test]
fn a_gif_within_the_limit_whose_bytes_cannot_be_its_picture() {
    Bomb::new("a.gif", &gif(11_000, 11_000)).ends_in_one_line_about("a.gif");
}

#[test]
fn a_png_of_60000_squared() {
    let chunk = |kind: &[u8], payload: &[u8]| {
        let named = [kind, payload].concat();
        [&(payload.len() as u32).to_be_bytes(), &named[..], &crc32fast::hash(&named).to_be_bytes()].concat()
    };
    let size = 60_000_u32.to_be_bytes();
    let header = chunk(b"IHDR", &[&size[..], &size, &[8, 2, 0, 0, 0]].concat());
    let png = [&b"\x89PNG\r\n\x1a\n"[..], &header, &chunk(b"IDAT", &[])].concat();
    Bomb::new("a.png", &png).ends_in_one_line_about("raise the limit `frame-pixels`");
}

#[test]
fn an_mp4_of_four_billion_frames() {
    let mut bytes = fs::read(demo()).unwrap();
    let at = bytes.windows(4).position(|word| word == b"stsz").unwrap();
    // After version and flags: one size for all samples, and how many there are.
    bytes[at + 8..at + 16].copy_from_slice(&[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]);
    Bomb::new("a.mp4", &bytes).ends_in_one_line_about("raise the limit `frames`");
}

#[test]
fn tokens_of_269_million_labels() {
    let bomb = Bomb::new("a.vqt", &tokens());
    bomb.ends_in_one_line_about("raise the limit `labels`");

    // Whoever trusts the file gets what it asks for, which shows that the process would not have had the memory.
    let file = bomb.file.to_str().unwrap();
    let trusted = within_100_mb(&["inspect", file, "--allow", "labels=300000000"]);
    let message = String::from_utf8_lossy(&trusted.stderr).into_owned();
    assert!(trusted.status.code().is_none() && message.contains("memory allocation"), "{message}");
}

#[test]
fn a_sound_file_needs_no_more_memory_than_that() {
    let output = within_100_mb(&["inspect", demo().to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
