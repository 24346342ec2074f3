//! Texts that end an answer: what may become one is held back until it is known.

/// Looks for stop texts in an answer that comes piece by piece.
#[derive(Debug)]
pub(crate) struct StopTexts {
    texts: Vec<String>,
    held: String,
}

impl StopTexts {
    /// Empty texts end nothing.
    pub(crate) fn new(texts: &[String]) -> Self {
        Self { texts: texts.iter().filter(|text| !text.is_empty()).cloned().collect(), held: String::new() }
    }

    /// Takes a piece. Returns what can be given out, and whether a stop text came after it.
    pub(crate) fn push(&mut self, piece: &str) -> (String, bool) {
        self.held.push_str(piece);
        let found = self.texts.iter().filter_map(|text| self.held.find(text.as_str())).min();
        if let Some(start) = found {
            self.held.truncate(start);
            return (std::mem::take(&mut self.held), true);
        }
        let kept = self.texts.iter().map(|text| self.overlap(text)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - kept);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// What was held back and is no stop text.
    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Bytes at the end that could be the start of a stop text.
    fn overlap(&self, text: &str) -> usize {
        let longest = self.held.len().min(text.len() - 1);
        let fits = |&length: &usize| text.is_char_boundary(length) && self.held.ends_with(&text[..length]);
        (1..=longest).rev().find(fits).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let stops: Vec<String> = stops.iter().map(ToString::to_string).collect();
        let mut stop = StopTexts::new(&stops);
        let mut text = String::new();
        for piece in pieces {
            let (given, stopped) = stop.push(piece);
            text.push_str(&given);
            if stopped {
                return (text, true);
            }
        }
        text.push_str(&stop.finish());
        (text, false)
    }

    #[test]
    fn a_stop_text_across_pieces_ends_the_answer_before_it() {
        assert_eq!(run(&["END"], &["one E", "N", "D two"]), ("one ".into(), true));
        assert_eq!(run(&["b", "ab"], &["xa", "b"]), ("x".into(), true));
        assert_eq!(run(&["é!"], &["caf", "é", "!"]), ("caf".into(), true));
    }

    #[test]
    fn what_only_looked_like_one_is_given_out() {
        assert_eq!(run(&["END"], &["E", "N", "E", "N", "C"]), ("ENENC".into(), false));
        assert_eq!(run(&["END"], &["the EN"]), ("the EN".into(), false));
        assert_eq!(run(&[""], &["text"]), ("text".into(), false));
    }
}
