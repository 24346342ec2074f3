//! Records the commit that a release is built from, as `VQTOKEN_COMMIT`: results name it.
#![allow(clippy::print_stdout, reason = "a build script talks to cargo on standard output")]

use std::path::Path;
use std::process::Command;

/// What the program is built from, below the root of the repository.
const SOURCES: [&str; 4] = ["Cargo.toml", "Cargo.lock", "crates", "models/mini"];
/// Files of git, of which at least one changes with every commit and checkout.
const HEADS: [&str; 3] = ["HEAD", "logs/HEAD", "packed-refs"];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Rebuilding debug builds after every commit would cost more than it tells.
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = if is_release { commit() } else { None };
    println!("cargo:rustc-env=VQTOKEN_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
}

/// The commit, and whether files differ from it; none outside of this project's repository, or without git.
fn commit() -> Option<String> {
    // Sources may lie inside of another repository, which does not know them.
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    let root = git(&["rev-parse", "--show-toplevel"])?;
    let heads = HEADS.iter().filter_map(|name| git(&["rev-parse", "--git-path", name]));
    for path in heads.chain(SOURCES.map(|source| format!("{root}/{source}"))) {
        // A missing file would make every build run this script.
        if Path::new(&path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    let commit = git(&["rev-parse", "HEAD"])?;
    let sources = SOURCES.map(|source| format!(":/{source}"));
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(sources.iter().map(String::as_str));
    let is_changed = !git(&status)?.is_empty();
    Some(if is_changed { format!("{commit} with local changes") } else { commit })
}

/// What a git command prints in this package's folder, if it succeeds.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
