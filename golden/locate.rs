//! Where tests find golden cases and real clips; every test that needs them includes this file.

#![allow(dead_code, reason = "a test file may need one of these")]

use std::path::{Path, PathBuf};

/// The root of the workspace; relative paths in variables start there, wherever a test runs.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Directories of golden cases: the one that `VQTOKEN_GOLDEN` names, or those inside it; else the project's own.
pub(crate) fn golden_sets() -> Vec<PathBuf> {
    let named = std::env::var_os("VQTOKEN_GOLDEN");
    let root = workspace().join(named.unwrap_or_else(|| "golden".into()));
    if root.join("cases").is_dir() {
        return vec![root];
    }
    let inside = std::fs::read_dir(&root).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut sets: Vec<PathBuf> = inside.filter(|path| path.join("cases").is_dir()).collect();
    sets.sort();
    assert!(
        !sets.is_empty(),
        "{} holds no golden cases; VQTOKEN_GOLDEN names where they are",
        root.display()
    );
    sets
}

/// The folder of real clips that `VQTOKEN_CLIPS` names, else `shared/clips` beside the checkout; `None`, and a line that
/// says so, if there is no such folder.
pub(crate) fn clips() -> Option<PathBuf> {
    let named = std::env::var_os("VQTOKEN_CLIPS");
    let is_named = named.is_some();
    let folder = workspace().join(named.unwrap_or_else(|| "../shared/clips".into()));
    if folder.join("expected.json").is_file() {
        return Some(folder);
    }
    assert!(
        !is_named,
        "{} holds no expected.json; VQTOKEN_CLIPS names a folder of clips with one",
        folder.display()
    );
    skip(&format!("no clips in {} (VQTOKEN_CLIPS names another folder)", folder.display()));
    None
}

/// Says that a test is skipped and why. Where `CI` is set a skipped test fails, unless `VQTOKEN_ALLOW_SKIPS` is set, too.
pub(crate) fn skip(reason: &str) {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    assert!(
        !set("CI") || set("VQTOKEN_ALLOW_SKIPS"),
        "skipped, which VQTOKEN_ALLOW_SKIPS=1 would allow: {reason}"
    );
    println!("skipped: {reason}");
}
