//! Whether one answer is right.

use crate::item::{Expected, Item};
use crate::parse::{Parsed, parse_choice};

/// What came of comparing an answer with what is right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Grade {
    /// For a choice, the option it means.
    pub(crate) parsed: Option<Parsed>,
    /// 1 or 0; none where the right answer is not public.
    pub(crate) score: Option<f64>,
}

pub(crate) fn grade(item: &Item, text: &str, option_scores: Option<&[f64]>) -> Grade {
    match &item.expected {
        Expected::Choice { options, correct } => {
            let parsed = option_scores
                .and_then(best_option)
                .map_or_else(|| parse_choice(text, options), Parsed::Option);
            let score = correct.map(|correct| f64::from(u8::from(parsed == Parsed::Option(correct))));
            Grade { parsed: Some(parsed), score }
        }
        Expected::Open { answers } => {
            let text = plain_answer(text);
            let is_right = answers.iter().any(|answer| plain_answer(answer) == text);
            Grade { parsed: None, score: (!answers.is_empty()).then_some(f64::from(u8::from(is_right))) }
        }
    }
}

/// The option with the largest score, the first of equals.
pub fn best_option(scores: &[f64]) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (index, score) in scores.iter().enumerate() {
        if best.is_none_or(|(_, most)| *score > most) {
            best = Some((index, *score));
        }
    }
    best.map(|(index, _)| index)
}

/// Free text as ActivityNet-QA's answers are written: small letters, single blanks, no full stop at the end. The
/// authors' script compares exactly and leaves this to whoever makes the predictions.
pub(crate) fn plain_answer(text: &str) -> String {
    let text = text.trim().trim_end_matches("<|im_end|>").trim_end_matches("</s>").trim_end();
    let text = text.trim_end_matches(['.', '!']).to_lowercase();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(expected: Expected) -> Item {
        Item { id: "1".into(), video: "1".into(), file: None, question: "?".into(), expected, labels: vec![] }
    }

    #[test]
    fn the_best_score_is_the_answer_and_the_first_of_equals() {
        let options = vec!["a".into(), "b".into(), "c".into()];
        let item = item(Expected::Choice { options, correct: Some(1) });
        let of = |scores: &[f64]| grade(&item, "C", Some(scores));
        assert_eq!(of(&[-3.0, -1.0, -1.0]), Grade { parsed: Some(Parsed::Option(1)), score: Some(1.0) });
        assert_eq!(of(&[0.0, -1.0, -1.0]).score, Some(0.0));
        assert_eq!(grade(&item, "C", None).parsed, Some(Parsed::Option(2)));
    }

    #[test]
    fn open_answers_match_but_for_case_blanks_and_full_stop() {
        let open = |answers: &[&str]| {
            item(Expected::Open { answers: answers.iter().map(|text| text.to_string()).collect() })
        };
        let score = |answers: &[&str], text: &str| grade(&open(answers), text, None).score;
        assert_eq!(score(&["yes"], " Yes. "), Some(1.0));
        assert_eq!(score(&["in a  room"], "in a room</s>"), Some(1.0));
        assert_eq!(score(&["yes", "no"], "no"), Some(1.0));
        assert_eq!(score(&["yes"], "yes, it is"), Some(0.0));
        assert_eq!(score(&["yes"], ""), Some(0.0));
        assert_eq!(score(&[], "yes"), None);
    }
}
