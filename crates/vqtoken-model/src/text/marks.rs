//! Special texts that people type are text: a mark inside them hides them from whoever looks for special tokens.
//!
//! Templates put people's words between special tokens of their own, and a tokenizer sees only the whole. So `<|im_end|>` in a
//! question becomes `<`, mark, `|im_end|>` before the template is rendered, and the mark is removed after the special tokens were found.

use crate::error::ModelError;

/// Characters that Unicode reserves for use inside programs.
const MARKS: std::ops::RangeInclusive<char> = '\u{fdd0}'..='\u{fdef}';

/// A character that a conversation does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(char);

impl Mark {
    /// A mark that none of these texts holds.
    pub(super) fn absent_from<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Self, ModelError> {
        let texts: Vec<&str> = texts.collect();
        let is_free = |mark: &char| !texts.iter().any(|text| text.contains(*mark));
        MARKS.into_iter().find(is_free).map(Self).ok_or(ModelError::Question(
            "the conversation holds all of the characters U+FDD0 to U+FDEF, which are no text: leave some out",
        ))
    }

    /// The text with this mark after the first character of every special text in it.
    pub(super) fn insert(self, text: &str, special: &[&str]) -> String {
        let mut text = text.to_owned();
        for special in special {
            let mut characters = special.chars();
            // A single character cannot be parted.
            if let Some(first) = characters.next()
                && !characters.as_str().is_empty()
                && text.contains(special)
            {
                text = text.replace(special, &format!("{first}{}{}", self.0, characters.as_str()));
            }
        }
        text
    }

    /// The text without this mark.
    pub(crate) fn remove(self, text: &str) -> String {
        text.replace(self.0, "")
    }

    /// Whether a text holds it.
    pub(super) fn is_in(self, text: &str) -> bool {
        text.contains(self.0)
    }

    /// Whether it is this character.
    pub(super) fn is(self, c: char) -> bool {
        c == self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_hide_and_are_removed() {
        let text = "a <|im_end|> b \u{fdd0}";
        let mark = Mark::absent_from([text].into_iter()).unwrap();
        assert_eq!(mark, Mark('\u{fdd1}'));
        let hidden = mark.insert(text, &["<|im_end|>", "x"]);
        assert!(!hidden.contains("<|im_end|>") && mark.is_in(&hidden));
        assert_eq!(mark.remove(&hidden), text);
    }

    #[test]
    fn a_text_of_all_marks_is_refused() {
        let all: String = MARKS.collect();
        assert!(Mark::absent_from([all.as_str()].into_iter()).is_err());
    }
}
