//! `vqtoken eval paper` as a user meets it, with the built-in model in two roles.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;

use common::{json, path, refused, shapes};
use serde_json::Value;

#[test]
fn tables_plot_and_json_are_written_and_a_second_run_asks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("results");
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/mini");
    let all = [
        "--json",
        "eval",
        "paper",
        "--data",
        path(shapes()),
        "--unreduced",
        path(&model),
        "--out",
        path(&out),
        "--frames",
        "3",
        "--unreduced-frames",
        "2",
        "--limit",
        "2",
    ];
    let line = json(&all);
    let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    let page = read("README.md");
    for needle in [
        "# Results on `shapes`, split `test`",
        "2 questions about",
        "--unreduced-frames 2 --limit 2` |",
        " cores, ",
        "Table 1)",
        "Table 2)",
        "Table 3)",
        "Table 6)",
        "Table 7)",
        "question alone",
        "frames shuffled",
        "| video-tome | ",
        "By type of question",
        "no codebook model was given (--codebook)",
        "no blind model was given (--blind)",
        "| VQToken, fixed, frames matched | 2 | 32.00 | ",
        "| tome, renumbered | ",
        "| scissor, renumbered | ",
        "| random, renumbered | 2 | 98.00 | ",
        "| pruning, 10% | 3 | 218.00 | ",
    ] {
        assert!(page.contains(needle), "{needle}: {page}");
    }
    // Only releases record the commit that they are built from.
    assert_eq!(page.contains("| commit | unknown |"), cfg!(debug_assertions), "{page}");
    let plot = read("accuracy_over_tokens.svg");
    assert!(plot.starts_with("<svg") && plot.contains("VQToken") && plot.contains("question alone"));
    assert_eq!(read("samples/.gitignore"), "*\n");

    let results: Value = serde_json::from_str(&read("results.json")).unwrap();
    let rows = results["rows"].as_array().unwrap();
    assert_eq!(line["rows"], rows.len());
    let row = |model: &str, reading: &str| {
        rows.iter().find(|row| row["model"] == model && row["reading"] == reading).unwrap()
    };
    let tokens = |model, reading| row(model, reading)["report"]["tokens_mean"].as_f64().unwrap();
    assert_eq!(tokens("vqtoken", "vqtoken:12 of 3 frames"), 12.0);
    assert_eq!(tokens("unreduced", "pooled of 2 frames"), 392.0);
    assert_eq!(tokens("unreduced", "pooled+tome:32 of 2 frames"), 32.0);
    assert_eq!(tokens("unreduced", "pooled+tome:32@renumbered of 2 frames"), 32.0);
    assert_eq!(tokens("vqtoken", "vqtoken:32 of 2 frames"), 32.0);
    assert_eq!(tokens("vqtoken", "blind"), 0.0);
    assert!(row("unreduced", "pooled of 2 frames")["difference_to_unreduced"].is_null());
    assert_eq!(row("vqtoken", "random-attention:32 of 3 frames")["difference_to_unreduced"]["questions"], 2);
    for row in rows {
        assert_eq!(row["report"]["questions"], 2);
        assert_eq!(
            row["report"]["classes"]["failed"], 0,
            "{}: {}",
            row["reading"], row["report"]["failures"]
        );
    }

    let files = || {
        let entries = fs::read_dir(out.join("samples")).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = entries.map(|file| (file.clone(), fs::read(file).unwrap())).collect();
        files.sort();
        files
    };
    let before = files();
    assert_eq!(before.len(), rows.len() + 1);
    json(&all);
    assert_eq!(files(), before);
    assert_eq!(read("accuracy_over_tokens.svg"), plot);
}

#[test]
fn what_is_wrong_is_named() {
    refused(&["eval", "paper"], 2, &["--data"]);
    refused(&["eval", "paper", "--data", path(shapes()), "--split", "none"], 1, &["none.csv"]);
    refused(&["eval", "paper", "--data", path(shapes()), "--codebook", "no/such"], 1, &["no/such"]);
}
