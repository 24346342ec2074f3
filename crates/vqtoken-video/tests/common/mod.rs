//! Where the tests find material that the project does not contain.
#![allow(dead_code)]

use std::path::PathBuf;

/// The folder of real clips: what `VQTOKEN_CLIPS` names, else `../shared/clips` beside the checkout.
pub(crate) fn clips() -> Option<PathBuf> {
    let folder = match std::env::var_os("VQTOKEN_CLIPS") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/clips"),
    };
    if folder.join("expected.json").is_file() {
        return Some(folder);
    }
    println!("skipped: no clips in {} (VQTOKEN_CLIPS names another folder)", folder.display());
    None
}

/// Folders with `cases/` inside: what `VQTOKEN_GOLDEN` names or its subfolders, else the project's own.
pub(crate) fn golden() -> Vec<PathBuf> {
    let folder = match std::env::var_os("VQTOKEN_GOLDEN") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../golden/a"),
    };
    if folder.join("cases").is_dir() {
        return vec![folder];
    }
    let inside = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = inside.filter(|path| path.join("cases").is_dir()).collect();
    found.sort();
    if found.is_empty() {
        println!("skipped: no golden cases in {} (VQTOKEN_GOLDEN names another folder)", folder.display());
    }
    found
}

/// Whether there is an `ffmpeg` to decode with.
pub(crate) fn has_ffmpeg() -> bool {
    let program = std::env::var("VQTOKEN_FFMPEG").unwrap_or_else(|_| "ffmpeg".into());
    std::process::Command::new(program).arg("-version").output().is_ok_and(|out| out.status.success())
}
