//! Letters that stand for options.

use std::collections::BTreeSet;

use super::Parsed;
use super::words::{Word, plain, words};
use crate::item::option_of_letter;

/// Words after which a letter is the answer.
const HEADS: [&str; 11] = [
    "answer", "option", "choice", "choose", "chose", "select", "pick", "answered", "response", "boxed",
    "letter",
];
/// Words that may stand between such a word and the letter.
const FILLERS: [&str; 18] = [
    "is",
    "the",
    "would",
    "be",
    "should",
    "correct",
    "right",
    "best",
    "most",
    "likely",
    "option",
    "choice",
    "letter",
    "answer",
    "final",
    "probably",
    "therefore",
    "text",
];
/// Words that may follow a letter that stands for an option.
const FOLLOWERS: [&str; 8] = ["because", "since", "as", "and", "or", "which", "based", "from"];
/// Words with which an answer says what is not right.
const DENIALS: [&str; 9] =
    ["not", "neither", "nor", "isn't", "wrong", "incorrect", "except", "can't", "cannot"];

/// The whole answer is a letter, whatever stands around it.
pub(super) fn whole(text: &str, options: usize) -> Option<Parsed> {
    match words(text)[..] {
        [word] => word.letter().map(|letter| of_letter(letter, options)),
        _ => None,
    }
}

/// The answer begins with a delimited letter, or with a letter and the text of its option or a reason. Several if other letters
/// follow, or the list of options is repeated.
pub(super) fn leading(text: &str, options: &[String]) -> Option<Parsed> {
    let words = words(text);
    let first = words.first()?;
    let letter = first.letter()?;
    let starts_line = |line: &str| {
        let words = self::words(line);
        words.first().filter(|word| is_closed(word)).and_then(Word::letter)
    };
    let other_line =
        text.lines().skip(1).filter_map(starts_line).any(|other| !other.eq_ignore_ascii_case(&letter));
    if names_several(&words, 0, options.len()) || (is_closed(first) && other_line) {
        return Some(Parsed::Several);
    }
    let reason = words.get(1).is_some_and(|word| word.is("because") || word.is("since"));
    let upper = letter.is_uppercase() && (first.ends_line || first.after.starts_with([',', ';']) || reason);
    let closed = is_closed(first) || upper;
    let repeats = || {
        let option = option_of_letter(letter, options.len()).and_then(|index| options.get(index));
        option.is_some_and(|option| plain(text).get(1..) == Some(&plain(option)[..]))
    };
    (closed || repeats()).then(|| of_letter(letter, options.len()))
}

/// The letter of the last statement like "the answer is (B)" or "option B".
pub(super) fn stated(text: &str, options: usize) -> Option<Parsed> {
    let words = words(text);
    let stated_by = |head: usize| {
        let mut at = head + 1;
        while words.get(at).is_some_and(|word| FILLERS.iter().any(|filler| word.is(filler))) {
            at += 1;
        }
        let word = words.get(at)?;
        let letter = word.letter().filter(|letter| stands_apart(&words, at, *letter))?;
        let denied = words.get(at + 1).is_some_and(|word| word.is("isn't"))
            || words.get(at + 2).is_some_and(|word| words[at + 1].is("is") && is_denial(word));
        if denied {
            return None;
        }
        let several = names_several(&words, at, options);
        Some(if several { Parsed::Several } else { of_letter(letter, options) })
    };
    let is_head = |word: &Word<'_>| HEADS.iter().any(|head| word.is(head));
    (0..words.len()).rev().filter(|at| is_head(&words[*at])).find_map(stated_by)
}

/// Delimited letters anywhere; or an answer of nothing but letters and conjunctions.
pub(super) fn standing_alone(text: &str, options: usize) -> Option<Parsed> {
    let words = words(text);
    if words.iter().any(is_denial) {
        return None;
    }
    let only_letters = words.iter().all(|word| {
        word.letter().is_some_and(char_is_upper)
            || word.is("and")
            || word.is("or")
            || word.is("either")
            || word.is("both")
    });
    let found: BTreeSet<usize> = words
        .iter()
        .filter(|word| {
            let bracketed = word.before.ends_with(['(', '[']) && word.after.starts_with([')', ']']);
            let upper = word.letter().is_some_and(char_is_upper);
            bracketed
                || (upper
                    && (only_letters || word.after.starts_with(['.', ')', ':']) && is_not_pronoun(word)))
        })
        .filter_map(|word| option_of_letter(word.letter()?, options))
        .collect();
    match (found.len(), found.first()) {
        (1, Some(index)) => Some(Parsed::Option(*index)),
        (0, _) => None,
        _ => Some(Parsed::Several),
    }
}

/// Whether a delimiter follows that makes a letter the name of an option.
fn is_closed(word: &Word<'_>) -> bool {
    word.after.starts_with(['.', ')', ']', '}', ':'])
}

fn is_denial(word: &Word<'_>) -> bool {
    DENIALS.iter().any(|denial| word.is(denial))
}

fn char_is_upper(letter: char) -> bool {
    letter.is_uppercase()
}

/// "I." at the end of a sentence is a word, not an option.
fn is_not_pronoun(word: &Word<'_>) -> bool {
    word.text != "I"
}

/// Whether a letter is not a word: "A" and "I" may be words, and a small letter mostly is.
fn stands_apart(words: &[Word<'_>], at: usize, letter: char) -> bool {
    let word = &words[at];
    let is_followed =
        words.get(at + 1).is_some_and(|next| FOLLOWERS.iter().any(|follower| next.is(follower)));
    let is_word = matches!(letter, 'A' | 'I') || letter.is_lowercase();
    word.is_delimited() || word.ends_line || !is_word || (letter.is_uppercase() && is_followed)
}

/// Whether another option follows the letter directly: "A or B", "A, B", "A/C".
fn names_several(words: &[Word<'_>], at: usize, options: usize) -> bool {
    let option = |word: &Word<'_>| option_of_letter(word.letter()?, options);
    let Some(first) = words.get(at).and_then(option) else {
        return false;
    };
    let other = |index: usize| {
        words.get(index).filter(|word| word.letter().is_some_and(char_is_upper)).and_then(option)
    };
    let joined = words.get(at + 1).is_some_and(|word| word.is("or") || word.is("and"));
    let listed = words[at].after.starts_with([',', '/', '&'])
        || words.get(at + 1).is_some_and(|next| next.before.ends_with(['&', '/']) && !next.before.is_empty());
    let second = if joined {
        other(at + 2)
    } else if listed {
        other(at + 1)
    } else {
        None
    };
    second.is_some_and(|second| second != first)
}

fn of_letter(letter: char, options: usize) -> Parsed {
    option_of_letter(letter, options).map_or(Parsed::Unreadable, Parsed::Option)
}
