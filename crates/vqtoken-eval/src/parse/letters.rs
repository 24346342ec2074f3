//! Letters that stand for options.

use std::collections::BTreeSet;

use super::Parsed;
use super::denial::{is_denial, is_denied};
use super::words::{Word, plain, words};
use crate::item::option_of_letter;

/// Words after which a letter is the answer.
const HEADS: [&str; 24] = [
    "answer",
    "choose",
    "chose",
    "choosing",
    "select",
    "selected",
    "pick",
    "picked",
    "answered",
    "response",
    "boxed",
    "antwort",
    "antwoord",
    "respuesta",
    "réponse",
    "reponse",
    "risposta",
    "resposta",
    "odpowiedź",
    "jawaban",
    "cevap",
    "svar",
    "ответ",
    "assistant",
];
/// The same in scripts without blanks, where they are part of a longer run.
const UNSPACED_HEADS: [&str; 11] =
    ["答案", "答え", "回答", "正解", "选择", "選擇", "选", "選", "而是", "应该是", "정답"];
/// Words after which a letter is an option, though not yet the answer.
const MENTIONS: [&str; 3] = ["option", "choice", "letter"];
/// Words that may stand between such a word and the letter.
const FILLERS: [&str; 34] = [
    "is",
    "the",
    "would",
    "be",
    "should",
    "must",
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
    "clearly",
    "to",
    "question",
    "ist",
    "es",
    "est",
    "è",
    "é",
    "je",
    "la",
    "die",
    "richtige",
    "correcta",
    "for",
    "this",
];
/// Words that may follow a letter that stands for an option.
const FOLLOWERS: [&str; 8] = ["because", "since", "as", "and", "or", "which", "based", "from"];
/// Words with which an answer says that an option is the one.
const RIGHT: [&str; 6] = ["correct", "right", "best", "true", "answer", "accurate"];

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
    let letter = first.letter().filter(|_| !is_denied(&words, 0))?;
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

/// The letter that the text declares: of "the answer is (B)", "B is correct" and a line "Answer: B" the last. Without any, the one
/// letter that it calls an option; several if it calls different ones so.
pub(super) fn stated(text: &str, options: usize) -> Option<Parsed> {
    let words = words(text);
    let letter_at = |at: usize| {
        let letter = words.get(at)?.letter().filter(|letter| stands_apart(&words, at, *letter))?;
        let several = names_several(&words, at, options);
        let parsed = if several { Parsed::Several } else { of_letter(letter, options) };
        (!is_denied(&words, at)).then_some(parsed)
    };
    let declared = (0..words.len()).rev().find_map(|at| {
        let word = &words[at];
        if is_head(word) && !is_denied_head(&words, at) {
            return letter_at(after_fillers(&words, at));
        }
        (declares_right(&words, at) || is_labelled(&words, at)).then(|| letter_at(at)).flatten()
    });
    declared.or_else(|| {
        let is_mention = |at: &usize| MENTIONS.iter().any(|mention| words[*at].is(mention));
        let mentioned =
            (0..words.len()).filter(is_mention).filter_map(|at| letter_at(after_fillers(&words, at)));
        let found: BTreeSet<Parsed> = mentioned.collect();
        match found.len() {
            0 | 1 => found.first().copied(),
            _ => Some(Parsed::Several),
        }
    })
}

fn is_head(word: &Word<'_>) -> bool {
    HEADS.iter().any(|head| word.text.to_lowercase() == *head)
        || UNSPACED_HEADS.iter().any(|head| word.text.contains(head) && !is_denial(word))
}

/// "do not choose B", "would not pick C".
fn is_denied_head(words: &[Word<'_>], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| words.get(before));
    before.is_some_and(|before| is_denial(before) && !before.is("wrong") && !before.ends_line)
}

/// The index of the first word after this one that says something; of "not A but C" that is the second letter.
fn after_fillers(words: &[Word<'_>], head: usize) -> usize {
    let mut at = head + 1;
    while words.get(at).is_some_and(|word| FILLERS.iter().any(|filler| word.is(filler))) {
        at += 1;
    }
    let denied = words.get(at).is_some_and(|word| word.is("not"));
    let other = words.get(at + 2).is_some_and(|word| word.is("but"));
    if denied && other { after_fillers(words, at + 2) } else { at }
}

/// "B is correct", "B is the best answer", "not A, but C".
fn declares_right(words: &[Word<'_>], at: usize) -> bool {
    let is = |index: Option<usize>, list: &[&str]| {
        let word = index.and_then(|index| words.get(index));
        word.is_some_and(|word| list.iter().any(|entry| word.text.eq_ignore_ascii_case(entry)))
    };
    if words[at].letter().is_none() {
        return false;
    }
    let mut next = at + 2;
    while is(Some(next), &["the", "most", "clearly", "indeed"]) {
        next += 1;
    }
    let right =
        !words[at].after.contains('.') && is(Some(at + 1), &["is", "seems"]) && is(Some(next), &RIGHT);
    let before = at.checked_sub(2).filter(|_| is(at.checked_sub(1), &["but", "rather"]));
    let instead = before.is_some_and(|before| words[before].letter().is_some() && is_denied(words, before));
    right || instead
}

/// A line of a word or two, a colon and a letter, whatever the language: "Antwort: B".
fn is_labelled(words: &[Word<'_>], at: usize) -> bool {
    let Some(label) = at.checked_sub(1).and_then(|before| words.get(before)) else {
        return false;
    };
    let first_of_line = at.checked_sub(2).is_none_or(|before| words[before].ends_line);
    let second_of_line = at.checked_sub(3).is_none_or(|before| words[before].ends_line);
    let is_label =
        label.after.trim_start_matches(['*', '_', ' ']).starts_with(':') && label.letter().is_none();
    words[at].letter().is_some_and(char_is_upper)
        && words[at].ends_line
        && is_label
        && (first_of_line || second_of_line)
}

/// Delimited letters anywhere that are not ruled out; or an answer of nothing but letters and conjunctions.
pub(super) fn standing_alone(text: &str, options: usize) -> Option<Parsed> {
    let words = words(text);
    if words.iter().any(is_denial)
        && !words.iter().enumerate().any(|(at, word)| word.letter().is_some() && is_denied(&words, at))
    {
        return None;
    }
    let only_letters = words.iter().all(|word| {
        word.letter().is_some_and(char_is_upper)
            || word.is("and")
            || word.is("or")
            || word.is("either")
            || word.is("both")
    });
    let stands = |(at, word): &(usize, &Word<'_>)| {
        let bracketed = word.before.ends_with(['(', '[']) && word.after.starts_with([')', ']']);
        let upper = word.letter().is_some_and(char_is_upper);
        let closed =
            upper && (only_letters || word.after.starts_with(['.', ')', ':']) && is_not_pronoun(word));
        (bracketed || closed) && !is_denied(&words, *at)
    };
    let found: BTreeSet<usize> = words
        .iter()
        .enumerate()
        .filter(stands)
        .filter_map(|(_, word)| option_of_letter(word.letter()?, options))
        .collect();
    match (found.len(), found.first()) {
        (1, Some(index)) => Some(Parsed::Option(*index)),
        (0, _) => None,
        _ => Some(Parsed::Several),
    }
}

/// Whether a delimiter follows that makes a letter the name of an option.
fn is_closed(word: &Word<'_>) -> bool {
    word.after.trim_start_matches(['*', '_', '`', '"']).starts_with(['.', ')', ']', '}', ':'])
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
