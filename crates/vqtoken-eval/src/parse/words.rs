//! An answer as words with the punctuation around them.

/// A run of letters and digits of one script, and the punctuation around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) before: &'a str,
    pub(super) after: &'a str,
    /// Whether only blanks and punctuation follow on its line.
    pub(super) ends_line: bool,
}

impl Word<'_> {
    /// Its only letter, if it is one of A to Z in either case.
    pub(super) fn letter(&self) -> Option<char> {
        let mut chars = self.text.chars();
        chars.next().filter(|first| first.is_ascii_alphabetic() && chars.next().is_none())
    }

    /// Whether punctuation delimits it.
    pub(super) fn is_delimited(&self) -> bool {
        self.after.starts_with(['.', ')', ']', '}', ':', ',', ';', '!', '?', '*', '/', '<'])
            || self.before.ends_with(['(', '[', '{', '*', '/'])
    }

    pub(super) fn is(&self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }
}

/// Whether a script writes without blanks between words. A Latin letter beside one of its characters is a word of its own: "选B".
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}')
}

/// The words of a text; an apostrophe or hyphen inside one belongs to it.
pub(super) fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut rest = text;
    let inside = |c: char| c.is_alphanumeric();
    let mut before_from = text;
    while let Some(start) = rest.find(inside) {
        let from_start = &rest[start..];
        let end = word_end(from_start);
        let before = &before_from[..before_from.len() - from_start.len()];
        let before = before.rsplit(char::is_whitespace).next().unwrap_or_default();
        rest = &from_start[end..];
        let after_end = rest.find(|c: char| c.is_whitespace() || inside(c)).unwrap_or(rest.len());
        let line_end = rest.find('\n').unwrap_or(rest.len());
        let ends_line = !rest[..line_end].contains(inside);
        words.push(Word { text: &from_start[..end], before, after: &rest[..after_end], ends_line });
        before_from = rest;
    }
    words
}

fn word_end(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((index, c)) = chars.next() {
        let next_is_inside = chars.peek().is_some_and(|(_, next)| next.is_alphanumeric());
        let script_changes = chars.peek().is_some_and(|(_, next)| is_unspaced(c) != is_unspaced(*next));
        if !(c.is_alphanumeric() || (matches!(c, '\'' | '’' | '-') && next_is_inside)) {
            return index;
        }
        if script_changes && next_is_inside {
            return index + c.len_utf8();
        }
    }
    text.len()
}

/// The words in lower case alone, for comparing texts.
pub(super) fn plain(text: &str) -> Vec<String> {
    words(text).iter().map(|word| word.text.to_lowercase().replace('’', "'")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_the_punctuation_around_them() {
        let found = words("(b) It's A. red-hot,\nend");
        let parts: Vec<_> =
            found.iter().map(|word| (word.before, word.text, word.after, word.ends_line)).collect();
        let expected = [
            ("(", "b", ")", false),
            ("", "It's", "", false),
            ("", "A", ".", false),
            ("", "red-hot", ",", true),
            ("", "end", "", true),
        ];
        assert_eq!(parts, expected);
        assert!(words(" ... ").is_empty());
        assert_eq!(plain("The  Cat’s É-1"), ["the", "cat's", "é-1"]);
    }
}
