//! Conditions on facts: `recorded > 2024 and width >= 1280`.

use std::cmp::Ordering;
use std::str::FromStr;

/// All of some comparisons, joined by `and`.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    comparisons: Vec<Comparison>,
}

#[derive(Clone, Debug, PartialEq)]
struct Comparison {
    name: String,
    operator: Operator,
    value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Contains,
}

/// The longest first, so that `<=` is not read as `<`.
const OPERATORS: [(&str, Operator); 7] = [
    ("!=", Operator::NotEqual),
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("=", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("~", Operator::Contains),
];

/// A text is not a condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid condition {part:?}: expected NAME OPERATOR VALUE with =, !=, <, <=, >, >= or ~ (contains), joined by `and`, such as \"recorded > 2024 and width >= 1280\""
)]
#[non_exhaustive]
pub struct ConditionError {
    /// The part that could not be read.
    pub part: String,
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        let comparisons = split(text).into_iter().map(comparison).collect::<Result<_, _>>()?;
        Ok(Self { comparisons })
    }
}

impl Condition {
    /// Whether facts, names with values, meet it. Numbers are compared as numbers. Of two dates the longer is cut to the length of the one in the
    /// condition: `recorded > 2024` begins with 2025. A fact that is missing meets `!=` alone.
    pub fn is_met(&self, facts: &[(String, String)]) -> bool {
        self.comparisons.iter().all(|comparison| comparison.is_met(facts))
    }
}

impl Comparison {
    fn is_met(&self, facts: &[(String, String)]) -> bool {
        let Some((_, found)) = facts.iter().find(|(name, _)| *name == self.name) else {
            return self.operator == Operator::NotEqual;
        };
        let order = compare(found, &self.value);
        match self.operator {
            Operator::Equal => order == Ordering::Equal,
            Operator::NotEqual => order != Ordering::Equal,
            Operator::Less => order == Ordering::Less,
            Operator::AtMost => order != Ordering::Greater,
            Operator::Greater => order == Ordering::Greater,
            Operator::AtLeast => order != Ordering::Less,
            Operator::Contains => found.to_lowercase().contains(&self.value.to_lowercase()),
        }
    }
}

fn compare(found: &str, value: &str) -> Ordering {
    if let (Ok(a), Ok(b)) = (found.parse::<f64>(), value.parse::<f64>()) {
        return a.total_cmp(&b);
    }
    match (crate::Time::parse(found), crate::Time::parse(value)) {
        (Ok(a), Ok(b)) => a.as_str()[..a.as_str().len().min(b.as_str().len())].cmp(b.as_str()),
        _ => found.cmp(value),
    }
}

/// The parts between the words `and`, outside quotes.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (at, byte) in text.bytes().enumerate() {
        quoted ^= byte == b'"';
        let after_space = text.as_bytes()[..at].last().is_some_and(u8::is_ascii_whitespace);
        let is_and = !quoted && after_space && {
            let rest = &text.as_bytes()[at..];
            let is_word = rest.get(3).is_none_or(u8::is_ascii_whitespace);
            is_word && rest.len() >= 3 && rest[..3].eq_ignore_ascii_case(b"and")
        };
        if is_and && at >= start {
            parts.push(&text[start..at]);
            start = (at + 4).min(text.len());
        }
    }
    parts.push(&text[start..]);
    parts
}

fn comparison(part: &str) -> Result<Comparison, ConditionError> {
    let error = || ConditionError { part: part.trim().to_owned() };
    let first = part.find(['!', '<', '>', '=', '~']).ok_or_else(error)?;
    let (name, rest) = part.split_at(first);
    let found = OPERATORS.iter().find_map(|(sign, operator)| Some((rest.strip_prefix(sign)?, *operator)));
    let (value, operator) = found.ok_or_else(error)?;
    let (name, mut value) = (name.trim(), value.trim());
    if let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        value = inner;
    }
    let is_name =
        !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || "_-.".contains(letter));
    match is_name && !value.is_empty() {
        true => Ok(Comparison { name: name.to_owned(), operator, value: value.to_owned() }),
        false => Err(error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Vec<(String, String)> {
        [("recorded", "2024-05-01T12:00:00Z"), ("width", "1280"), ("path", "/videos/Band and Brand.mp4")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }

    #[test]
    fn conditions_compare_numbers_dates_and_texts() {
        for (text, met) in [
            ("width > 999", true),
            ("width >= 1280 and width<=1280", true),
            ("width != 1280", false),
            ("recorded > 2024", false),
            ("recorded >= 2024", true),
            ("recorded = 2024-05", true),
            ("recorded > 2023 AND recorded < 2024-05-02", true),
            ("recorded < 2024-05-01T12:00", false),
            ("path ~ brand", true),
            ("path ~ \"band and brand\"", true),
            ("path = \"/videos/Band and Brand.mp4\"", true),
            ("camera = door", false),
            ("camera != door", true),
        ] {
            assert_eq!(text.parse::<Condition>().unwrap().is_met(&facts()), met, "{text}");
        }
    }

    #[test]
    fn what_is_no_condition_is_named() {
        for text in
            ["", "width", "> 3", "width >", "width > 3 and", "width > 3 and é", "two words > 3", "a ! b"]
        {
            let error = text.parse::<Condition>().unwrap_err();
            assert!(error.to_string().contains("invalid condition"), "{text}");
        }
    }
}
