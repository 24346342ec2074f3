//! Options that an answer rules out.

use super::words::Word;

/// Words with which an answer says what is not right.
const DENIALS: [&str; 20] = [
    "not",
    "neither",
    "nor",
    "never",
    "isn't",
    "wasn't",
    "aren't",
    "doesn't",
    "don't",
    "can't",
    "cannot",
    "won't",
    "wouldn't",
    "shouldn't",
    "wrong",
    "incorrect",
    "except",
    "without",
    "nicht",
    "pas",
];
/// Words that may stand between a denial and the letter it rules out.
const BETWEEN: [&str; 12] =
    ["the", "option", "options", "choice", "answer", "letter", "be", "is", "it", "it's", "say", "choose"];
/// Verbs that may stand between a letter and the denial that follows it.
const VERBS: [&str; 8] = ["is", "are", "was", "were", "can", "could", "would", "seems"];
/// Words after a letter that rule it out at once.
const RULED_OUT: [&str; 8] =
    ["isn't", "wasn't", "aren't", "doesn't", "wrong", "incorrect", "cannot", "can't"];
/// The same after a verb ("is ruled out").
const RULED_OUT_AFTER_VERB: [&str; 8] =
    ["not", "wrong", "incorrect", "ruled", "excluded", "eliminated", "impossible", "false"];

pub(super) fn is_denial(word: &Word<'_>) -> bool {
    DENIALS.iter().any(|denial| word.is(denial)) || denies_in_chinese(word)
}

/// Chinese words are runs of characters here: "不是", "答案不是".
fn denies_in_chinese(word: &Word<'_>) -> bool {
    let positive = ["而是", "应该是", "應該是"].iter().any(|words| word.text.ends_with(words));
    !positive && word.text.contains(['不', '非', '没', '沒'])
}

/// Whether the letter at this index is ruled out by the words before or after it.
pub(super) fn is_denied(words: &[Word<'_>], at: usize) -> bool {
    denied_before(words, at) || denied_after(words, at)
}

/// "not A", "neither A nor B", "rather than option A", "instead of A".
fn denied_before(words: &[Word<'_>], at: usize) -> bool {
    let mut before = words[..at].iter().rev().peekable();
    // A mark that ends a sentence cuts the letter off from what was said before.
    let cuts = |word: &Word<'_>| word.after.contains(['.', ';', '?', '!', ':']) || word.ends_line;
    while let Some(word) = before.next() {
        if cuts(word) {
            return false;
        }
        if is_denial(word) {
            return true;
        }
        let previous = before.peek();
        if (word.is("than") && previous.is_some_and(|word| word.is("rather")))
            || (word.is("of") && previous.is_some_and(|word| word.is("instead")))
        {
            return true;
        }
        if !BETWEEN.iter().any(|between| word.is(between)) {
            return false;
        }
    }
    false
}

/// "A is wrong", "A isn't", "A and C are not right", "option B does not fit", "B不对".
fn denied_after(words: &[Word<'_>], at: usize) -> bool {
    if words[at].after.contains(['.', ';', '?', '!', ':', ')', ',']) && !words[at].after.starts_with(")") {
        return false;
    }
    let is = |index: usize, list: &[&str]| {
        words.get(index).is_some_and(|word| list.iter().any(|entry| word.is(entry)))
    };
    let mut next = at + 1;
    while is(next, &["and", "or"]) && words.get(next + 1).is_some_and(|word| word.letter().is_some()) {
        next += 2;
    }
    is(next, &RULED_OUT)
        || words.get(next).is_some_and(denies_in_chinese)
        || (is(next, &VERBS) && is(next + 1, &RULED_OUT_AFTER_VERB))
        || (is(next, &["does", "do", "did"]) && is(next + 1, &["not"]))
}
