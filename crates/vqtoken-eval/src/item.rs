//! One question about one video, whichever benchmark it comes from.

use serde::Serialize;
use sha2::{Digest, Sha256};

/// A question, what would be a right answer, and what it is counted under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The key of the question, unique in its benchmark.
    pub id: String,
    /// The id of the video, without folder and extension where the benchmark gives none. Intervals are clustered by it.
    pub video: String,
    /// The name of the video's file, where the annotations give one with its extension.
    pub file: Option<String>,
    /// The question alone, without options or instructions.
    pub question: String,
    /// What would be right.
    pub expected: Expected,
    /// What its score is counted under, besides the whole.
    pub labels: Vec<Label>,
}

/// What an answer is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// One of several options.
    Choice {
        /// Their texts in order, without letters; at least two.
        options: Vec<String>,
        /// The index of the right one; none where the authors keep the answers to themselves.
        correct: Option<usize>,
    },
    /// Free text.
    Open {
        /// Every text that counts as right; empty where the authors keep the answers to themselves.
        answers: Vec<String>,
    },
}

/// One heading of a table of scores, and this item's row under it: ("type", "CW"), ("duration", "short").
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Label {
    /// The heading.
    pub facet: &'static str,
    /// The row.
    pub value: String,
}

impl Label {
    /// A label.
    pub fn new(facet: &'static str, value: impl Into<String>) -> Self {
        Self { facet, value: value.into() }
    }
}

impl Item {
    /// The options; none for an open question.
    pub fn options(&self) -> &[String] {
        match &self.expected {
            Expected::Choice { options, .. } => options,
            Expected::Open { .. } => &[],
        }
    }

    /// Whether the right answer is known.
    pub fn has_answer(&self) -> bool {
        match &self.expected {
            Expected::Choice { correct, .. } => correct.is_some(),
            Expected::Open { answers } => !answers.is_empty(),
        }
    }

    /// The right answer as samples files write it: the letter of an option, or the text; empty where it is not known.
    pub fn target(&self) -> String {
        match &self.expected {
            Expected::Choice { correct, .. } => {
                correct.and_then(letter).map(String::from).unwrap_or_default()
            }
            Expected::Open { answers } => answers.first().cloned().unwrap_or_default(),
        }
    }

    /// The same question without its options: the text of the right one is the answer.
    pub fn opened(mut self) -> Self {
        if let Expected::Choice { options, correct } = &self.expected {
            let answers = correct.and_then(|index| options.get(index)).cloned().into_iter().collect();
            self.expected = Expected::Open { answers };
        }
        self
    }

    /// SHA-256 over id, video, question, options and answer, in hex: whether a line of a samples file is about this item.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        for text in [&self.id, &self.video, &self.question] {
            add(text);
        }
        match &self.expected {
            Expected::Choice { options, correct } => {
                add(&format!("choice {correct:?}"));
                options.iter().for_each(|option| add(option));
            }
            Expected::Open { answers } => {
                add("open");
                answers.iter().for_each(|answer| add(answer));
            }
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The letter of an option, `0` is `A`; none beyond `Z`.
pub fn letter(index: usize) -> Option<char> {
    u8::try_from(index).ok().filter(|index| *index < 26).map(|index| char::from(b'A' + index))
}

/// The option that a letter of either case stands for, if there are that many.
pub fn option_of_letter(letter: char, options: usize) -> Option<usize> {
    let letter = letter.to_ascii_uppercase();
    let index = letter.is_ascii_uppercase().then(|| letter as usize - 'A' as usize)?;
    (index < options).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice() -> Item {
        Item {
            id: "7_1".into(),
            video: "7".into(),
            file: None,
            question: "what".into(),
            expected: Expected::Choice { options: vec!["red".into(), "blue".into()], correct: Some(1) },
            labels: vec![],
        }
    }

    #[test]
    fn a_target_is_a_letter_or_a_text() {
        assert_eq!(choice().target(), "B");
        assert_eq!(choice().opened().target(), "blue");
        let expected = Expected::Choice { options: vec![], correct: None };
        let hidden = Item { expected, ..choice() };
        assert!(!hidden.has_answer() && hidden.target().is_empty() && !hidden.opened().has_answer());
    }

    #[test]
    fn every_part_changes_the_hash() {
        let whole = choice().hash();
        assert_eq!(whole.len(), 64);
        assert_ne!(whole, Item { id: "7_".into(), video: "17".into(), ..choice() }.hash());
        assert_ne!(whole, Item { question: "who".into(), ..choice() }.hash());
        assert_ne!(whole, choice().opened().hash());
        assert_eq!(whole, Item { labels: vec![Label::new("type", "CW")], ..choice() }.hash());
    }

    #[test]
    fn letters_and_indices_are_inverse() {
        assert_eq!((letter(0), letter(25), letter(26)), (Some('A'), Some('Z'), None));
        assert_eq!(
            (option_of_letter('b', 2), option_of_letter('C', 2), option_of_letter('é', 9)),
            (Some(1), None, None)
        );
    }
}
