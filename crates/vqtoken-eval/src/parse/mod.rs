//! Which option a written answer means.
//!
//! In this order: the answer is nothing but a letter; it begins with a delimited letter ("B. ", "(b)") and no other line begins
//! with another; it states one ("the answer is B"; of several statements the last); it is the text of one option; it holds
//! letters that stand alone; it declines; it contains the text of exactly one option. Letters that are ruled out ("not A", "option B is
//! wrong") and everything that is thought aloud do not count. Anything else is unreadable. Nothing is guessed: an
//! answer that names several options or none counts as wrong and is reported as a separate class.

mod clean;
mod denial;
mod letters;
mod texts;
mod words;

use serde::{Deserialize, Serialize};

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parsed {
    /// One option, by its index.
    Option(usize),
    /// Several options.
    Several,
    /// That the model cannot or will not say.
    Declined,
    /// Nothing.
    Empty,
    /// Something that is not one of the options.
    Unreadable,
}

/// Reads an answer to a question with these options.
pub fn parse_choice(answer: &str, options: &[String]) -> Parsed {
    let answer = clean::plain_forms(answer);
    let text = clean::bare(clean::after_thinking(&answer));
    if text.is_empty() {
        return Parsed::Empty;
    }
    let leading = letters::leading(text, options);
    let decided = letters::whole(text, options.len()).or(leading.filter(|parsed| *parsed != Parsed::Several));
    decided
        .or_else(|| letters::stated(text, options.len()))
        .or(leading)
        .or_else(|| texts::whole(text, options))
        .or_else(|| letters::standing_alone(text, options.len()))
        .or_else(|| texts::declined(text, options).then_some(Parsed::Declined))
        .or_else(|| texts::contained(text, options))
        .unwrap_or(Parsed::Unreadable)
}

#[cfg(test)]
mod tests;
