//! The model in the box: what it answers about the clips in `demo/`, and how often it is right on clips made on the spot.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;

use common::{json_lines, path, stdout};
use vqtoken::builtin;
use vqtoken_model::{Chat, ChatTemplate, Precision, VideoInPrompt};
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

/// Scores of given answers are what the logits behind the whole text say.
#[test]
fn ranked_answers_have_the_probabilities_of_their_tokens() {
    let model = builtin::load(Precision::F32).unwrap();
    let question = "Which way does the red circle move?";
    let chat = Chat::new(question);
    let answers = ["left".to_owned(), "it does not move".to_owned()];
    let values: Vec<f32> =
        (0..5 * model.config().text.hidden_size).map(|i| ((i * 7) % 13) as f32 / 10.0).collect();
    let tokens = model.language().tokens_of(&values, model.config().text.hidden_size).unwrap();
    let sparse = tokens.clone().at_positions(vec![0, 2, 3, 7, 11], 20).unwrap();
    for visual in [None, Some(&tokens), Some(&sparse)] {
        let ranking =
            model.language().rank(&model.language().prefill(visual).unwrap(), question, &answers).unwrap();
        let prompt = ChatTemplate::ChatMl.render(&chat, VideoInPrompt::of(visual)).unwrap();
        let before = model.language().tokenizer().encode(&prompt.before).unwrap();
        let after = model.language().tokenizer().encode(prompt.after.as_deref().unwrap_or_default()).unwrap();
        // The mark behind visual tokens counts.
        let read = before.len() + visual.map_or(0, |visual| visual.count() + 1) + after.len();
        assert_eq!(ranking.prompt_tokens, read);
        for (answer, score) in answers.iter().zip(&ranking.scores) {
            let mut said = model.language().tokenizer().encode(answer).unwrap();
            said.push(model.language().end_tokens()[0]);
            let behind = [&after[..], &said[..said.len() - 1]].concat();
            let whole = if visual.is_some() { before.clone() } else { [&before[..], &behind].concat() };
            let behind = if visual.is_some() { &behind[..] } else { &[] };
            let logits = model.language().logits(&whole, visual, behind).unwrap();
            let rows = logits.chunks(model.config().text.vocabulary).skip(read - 1);
            let expected: f64 = rows
                .zip(&said)
                .map(|(row, &id)| {
                    let sum: f64 = row.iter().map(|&logit| f64::from(logit).exp()).sum();
                    f64::from(row[id as usize]) - sum.ln()
                })
                .sum();
            assert!((score - expected).abs() < 1e-3, "{answer}: {score} is not {expected}");
        }
    }
}

/// The model, the clips and the questions are fixed, so the answers are, too. Instruction sets differ in the last bits, which
/// may turn a question whose options are about as likely: one of 146 is 0.7 points.
#[test]
fn accuracy_on_a_fixed_set_is_what_it_was_measured_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("shapes");
    let settings = Settings { clips: 30, seed: 99, validation: 0.0, test: 1.0, ..Settings::default() };
    let written = write_data_set(&settings, &data, |_, _| {}).unwrap();
    assert_eq!(written.questions[2], 146);
    let start = ["--json", "eval", "shapes", "--data", path(&data), "--frames", "8"];
    let readings = ["--reducer", "vqtoken:32", "--reducer", "vqtoken:adaptive"];
    let reports = json_lines(&[&start[..], &readings].concat());
    for (report, expected) in reports.iter().zip(EXPECTED) {
        let accuracy = report["accuracy"].as_f64().unwrap();
        assert!((accuracy - expected).abs() < 1.0, "{}: {accuracy}, not {expected}", report["reading"]);
    }
    let blind = json_lines(&[&start[..5], &["--blind"]].concat());
    let accuracy = blind[0]["accuracy"].as_f64().unwrap();
    assert!((accuracy - CHANCE).abs() < 5.0, "{accuracy} without the video");
}

/// Percent of the questions that are answered right, in each reading.
const EXPECTED: [f64; 2] = [91.10, 92.47];

/// Percent: every question has five options.
const CHANCE: f64 = 20.0;
