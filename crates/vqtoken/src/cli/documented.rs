//! Every `vqtoken` command that README and docs show is one that can be typed, and names files of the project that exist.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;

use super::Options;

/// Folders whose files come with the project.
const SHIPPED: [&str; 3] = ["demo/", "configs/", "models/"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// README.md, the pages below `docs`, and the README of every folder beside it.
fn pages() -> Vec<PathBuf> {
    let folders =
        ["", "docs", "docs/results", "demo", "models", "golden", "fuzz"].map(|folder| root().join(folder));
    let crates = fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().path());
    let files = folders.into_iter().chain(crates).flat_map(|folder| fs::read_dir(folder).unwrap());
    let pages = files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.collect()
}

/// The lines of a page's shell blocks, and those after a prompt `$`, each with the lines that it goes on over.
fn shell_lines(page: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut fence = None;
    let mut whole = String::new();
    for line in page.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            fence = if fence.is_some() { None } else { Some(language) };
            continue;
        }
        let typed = match fence {
            Some("sh") => line,
            Some(_) => line.strip_prefix("$ ").unwrap_or_default(),
            None => "",
        };
        whole.push_str(typed.strip_suffix('\\').unwrap_or(typed));
        if !typed.ends_with('\\') {
            lines.push(std::mem::take(&mut whole));
        }
    }
    lines
}

/// The commands of `vqtoken` in a line, word for word.
fn commands(line: &str) -> Vec<Vec<String>> {
    let line = line.replace("cargo run --release -- ", "vqtoken ");
    let Some(words) = shlex::split(&line) else { return Vec::new() };
    let simple = words.split(|word| ["|", "&&", "&", ";"].contains(&word.as_str()));
    simple.filter(|words| words.first().is_some_and(|word| word == "vqtoken")).map(<[_]>::to_vec).collect()
}

#[test]
fn every_command_in_the_docs_can_be_typed() {
    let mut typed = 0;
    for path in pages() {
        for command in shell_lines(&fs::read_to_string(&path).unwrap()).iter().flat_map(|line| commands(line))
        {
            let parsed = Options::try_parse_from(&command).map(drop).map_err(|error| error.to_string());
            assert_eq!(parsed, Ok(()), "{}: {command:?}", path.display());
            let files = command.iter().filter(|word| SHIPPED.iter().any(|folder| word.starts_with(folder)));
            for file in files {
                assert!(root().join(file).exists(), "{}: {file} does not exist", path.display());
            }
            typed += 1;
        }
    }
    assert!(typed > 50, "{typed} commands were found");
}

#[test]
fn commands_are_found_where_a_reader_sees_them() {
    let page = "vqtoken not this\n```sh\na | vqtoken ask \"x y\" \\\n    --json  # says\n```\n```console\n$ vqtoken demo\nvqtoken printed\n```\n";
    let found: Vec<_> = shell_lines(page).iter().flat_map(|line| commands(line)).collect();
    assert_eq!(found, [vec!["vqtoken", "ask", "x y", "--json"], vec!["vqtoken", "demo"]]);
}
