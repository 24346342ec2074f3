//! The model in the box: what it answers about the clips in `demo/`, and how often it is right on clips made on the spot.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;

use common::{json_lines, path, stdout};
use vqtoken_shapes::{Settings, write_data_set};

/// `demo/README.md` has a table of clips, questions and what is answered; it is true.
#[test]
fn the_demonstration_is_answered_as_its_page_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo");
    let page = fs::read_to_string(folder.join("README.md")).unwrap();
    let mut asked = 0;
    for row in page.lines().filter(|row| row.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, clip, question, answer, _] = cells[..] else { panic!("{row}") };
        let clip = folder.join(clip.trim_matches('`'));
        assert_eq!(stdout(&["ask", path(&clip), question]).trim(), answer, "{row}");
        asked += 1;
    }
    assert!(asked >= 8, "{asked} questions");
}

/// An interval of four standard deviations about what the model reaches on thousands of questions (`docs/results`).
#[test]
fn accuracy_on_a_fixed_set_is_what_it_was_measured_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("shapes");
    let settings = Settings { clips: 30, seed: 99, validation: 0.0, test: 1.0, ..Settings::default() };
    let written = write_data_set(&settings, &data, |_, _| {}).unwrap();
    assert!(written.questions[2] > 80, "{written:?}");
    let start = ["--json", "eval", "shapes", "--data", path(&data), "--frames", "8"];
    let readings = ["--reducer", "vqtoken:32", "--reducer", "vqtoken:adaptive"];
    for report in json_lines(&[&start[..], &readings].concat()) {
        let accuracy = report["accuracy"].as_f64().unwrap();
        assert!((LEAST..=MOST).contains(&accuracy), "{}: {accuracy}", report["reading"]);
    }
    let blind = json_lines(&[&start[..], &["--blind"]].concat());
    let accuracy = blind[0]["accuracy"].as_f64().unwrap();
    assert!(accuracy < 40.0, "{accuracy} without the video");
}

/// In percent.
const LEAST: f64 = 84.0;
const MOST: f64 = 100.0;
