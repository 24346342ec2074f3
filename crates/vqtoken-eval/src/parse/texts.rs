//! Options by their text, and answers that decline.

use super::Parsed;
use super::words::plain;

/// What answers that decline say.
const DECLINES: [&str; 17] = [
    "cannot",
    "can't",
    "can not",
    "could not",
    "couldn't",
    "unable to",
    "not able to",
    "sorry",
    "don't know",
    "do not know",
    "not sure",
    "impossible to",
    "not possible to",
    "not enough information",
    "no information",
    "none of the",
    "unclear",
];

/// The answer is the text of one option, but for case and marks; several if two options read the same.
pub(super) fn whole(text: &str, options: &[String]) -> Option<Parsed> {
    let answer = plain(text);
    one(options.iter().enumerate().filter(|(_, option)| plain(option) == answer).map(|(index, _)| index))
}

/// The answer declines, in words that none of the options has.
pub(super) fn declined(text: &str, options: &[String]) -> bool {
    let answer = plain(text);
    let options: Vec<_> = options.iter().map(|option| plain(option)).collect();
    DECLINES.iter().map(|words| plain(words)).any(|words| {
        holds(&answer, &words).is_some() && !options.iter().any(|option| holds(option, &words).is_some())
    })
}

/// The answer contains the words of one option in a row; words of an option inside those of a longer one do not count.
pub(super) fn contained(text: &str, options: &[String]) -> Option<Parsed> {
    let answer = plain(text);
    let options: Vec<_> = options.iter().map(|option| plain(option)).collect();
    let is_there = |option: &Vec<String>| !option.is_empty() && holds(&answer, option).is_some();
    let inside_another = |option: &Vec<String>| {
        options
            .iter()
            .any(|other| other.len() > option.len() && is_there(other) && holds(other, option).is_some())
    };
    let found = options.iter().enumerate().filter(|(_, option)| is_there(option) && !inside_another(option));
    one(found.map(|(index, _)| index))
}

fn one(mut indices: impl Iterator<Item = usize>) -> Option<Parsed> {
    let first = indices.next()?;
    Some(if indices.next().is_some() { Parsed::Several } else { Parsed::Option(first) })
}

/// Where a row of words starts in another.
fn holds(text: &[String], words: &[String]) -> Option<usize> {
    text.windows(words.len().max(1)).position(|window| window == words)
}
