//! Visual tokens keep the positions of the sequence that they were reduced from.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod common;
#[path = "../../../golden/locate.rs"]
mod locate;

use common::{Cases, assert_close};
use locate::golden_sets;
use vqtoken_core::{GridShape, TokenGrid, reducer};
use vqtoken_model::{Chat, GenerationOptions, ModelError, Precision, TextPart, VideoLlm, VisualTokens};

fn model() -> (VideoLlm, Vec<f32>, usize) {
    let set = golden_sets().remove(0);
    let model = VideoLlm::load_as(set.join("onevision-hf"), Precision::F32).unwrap();
    let cases = Cases::open(&set, "vision");
    let d = cases.shape("projected")[2];
    (model, cases.floats("projected"), d)
}

/// Logits after visual tokens and the ids 5 and 6, with nothing before them.
fn logits(model: &VideoLlm, visual: &VisualTokens) -> Vec<f32> {
    model.language().logits(&[], Some(visual), &[5, 6]).unwrap()
}

#[test]
fn consecutive_positions_change_no_bit() {
    let (model, values, d) = model();
    let visual = model.language().tokens_of(&values[..4 * d], d).unwrap();
    let placed = visual.clone().at_positions(vec![0, 1, 2, 3], 4).unwrap();
    assert_eq!(logits(&model, &visual), logits(&model, &placed));
}

#[test]
fn visual_tokens_of_another_model_are_refused() {
    let (model, values, d) = model();
    let mini = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/mini");
    let mini = VideoLlm::load_as(mini, Precision::F32).unwrap();
    let foreign = model.language().tokens_of(&values[..d], d).unwrap();
    let is_refused = |error| matches!(error, ModelError::VisualTokens { d: found, .. } if found == d);
    assert!(is_refused(mini.language().logits(&[], Some(&foreign), &[5]).unwrap_err()));
    let sequence = mini.language().sequence();
    assert!(is_refused(
        mini.language().unread(&sequence, &[TextPart { ids: &[], visual: Some(&foreign) }]).unwrap_err()
    ));
}

#[test]
fn distances_between_tokens_and_to_the_text_count() {
    let (model, values, d) = model();
    let at = |positions: [usize; 3], length: usize| {
        let visual = model.language().tokens_of(&values[..3 * d], d).unwrap();
        logits(&model, &visual.at_positions(positions.to_vec(), length).unwrap())
    };
    let reference = at([0, 2, 5], 9);
    assert_close("all moved by 40", &at([40, 42, 45], 49), &reference, 1e-4);
    for (what, other) in [("tokens", at([0, 3, 5], 9)), ("text", at([0, 2, 5], 6))] {
        let apart = reference.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(apart > 1e-3, "{what}: {apart}");
    }
}

#[test]
fn a_reducer_s_tokens_stand_where_they_were_in_the_grid() {
    let (model, values, d) = model();
    let shape = GridShape { frames: 1, height: 1, width: 8 };
    let grid = TokenGrid::new(shape, d, values[..8 * d].to_vec()).unwrap();
    let reduced = model.language().reduce(&grid, reducer("uniform:3").unwrap().as_ref()).unwrap();
    let kept = [0, 3, 7].map(|token| grid.token(token)).concat();
    let renumbered = model.language().tokens_of(&kept, d).unwrap();
    let placed = renumbered.clone().at_positions(vec![0, 3, 7], 8).unwrap();
    assert_eq!(logits(&model, &reduced), logits(&model, &placed));
    assert_ne!(logits(&model, &reduced), logits(&model, &renumbered));
}

#[test]
fn skipped_positions_count_towards_the_model_s_limit() {
    let (model, values, d) = model();
    let visual = model.language().tokens_of(&values[..2 * d], d).unwrap();
    let far = visual.at_positions(vec![0, 1], model.config().text.max_positions).unwrap();
    let chat = Chat::new("What happens?");
    let error = model.language().chat(Some(&far), &chat, &GenerationOptions::default()).unwrap_err();
    assert!(matches!(error, ModelError::PromptTooLong { .. }), "{error}");
    let video = model.language().prefill(Some(&far)).unwrap();
    let error = model.language().rank(&video, "What happens?", &["nothing".to_owned()]).unwrap_err();
    assert!(matches!(error, ModelError::PromptTooLong { .. }), "{error}");
}

#[test]
fn positions_that_do_not_fit_are_refused() {
    let (model, values, d) = model();
    for (positions, length) in [(vec![0], 9), (vec![1, 1], 9), (vec![2, 1], 9), (vec![1, 9], 9)] {
        let visual = model.language().tokens_of(&values[..2 * d], d).unwrap();
        let error = visual.at_positions(positions.clone(), length).unwrap_err();
        assert!(matches!(error, ModelError::VisualPositions { tokens: 2, .. }), "{positions:?}: {error}");
    }
}
