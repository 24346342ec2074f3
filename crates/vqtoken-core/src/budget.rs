//! The budget: how many codes a clip may have, and how it is written on a command line or in a file.

use std::fmt;
use std::str::FromStr;

use crate::quantize::rule::{Rule, RuleError};

/// How many codes: K given, or chosen for each clip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// Exactly this many codes (fewer if the clip has fewer distinct tokens).
    Fixed(usize),
    /// The best K of `min..=max` by `rule`.
    Adaptive {
        /// The smallest K tried.
        min: usize,
        /// The largest K tried.
        max: usize,
        /// How K is chosen.
        rule: Rule,
    },
}

const PAPER_MIN: usize = 12;
const PAPER_MAX: usize = 32;

impl Budget {
    /// The paper's fixed budget: 32 codes.
    pub const PAPER_FIXED: Self = Self::Fixed(32);
    /// The paper's adaptive budget: the elbow over 12 to 32 codes.
    pub const PAPER_ADAPTIVE: Self = Self::Adaptive { min: PAPER_MIN, max: PAPER_MAX, rule: Rule::Elbow };

    /// Whether any clip can be given this budget.
    ///
    /// # Errors
    /// If it allows no code at all, `min > max`, or the rule's number makes no sense.
    pub fn check(&self) -> Result<(), BudgetError> {
        match *self {
            Self::Fixed(0) | Self::Adaptive { min: 0, .. } => Err(BudgetError::NoCodes),
            Self::Adaptive { min, max, .. } if min > max => Err(BudgetError::Reversed { min, max }),
            Self::Adaptive { rule, .. } => Ok(rule.check()?),
            Self::Fixed(_) => Ok(()),
        }
    }

    /// The same budget cut to what so many tokens can fill.
    pub fn within(self, tokens: usize) -> Self {
        match self {
            Self::Fixed(codes) => Self::Fixed(codes.min(tokens)),
            Self::Adaptive { min, max, rule } => {
                Self::Adaptive { min: min.min(tokens), max: max.min(tokens), rule }
            }
        }
    }

    /// The smallest number of codes it can give to tokens of enough directions.
    pub fn min_codes(&self) -> usize {
        match *self {
            Self::Fixed(codes) => codes,
            Self::Adaptive { min, .. } => min,
        }
    }

    /// The largest number of codes it can give.
    pub fn max_codes(&self) -> usize {
        match *self {
            Self::Fixed(codes) => codes,
            Self::Adaptive { max, .. } => max,
        }
    }
}

/// Why a budget cannot be used, or a text is none.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BudgetError {
    /// K of 0.
    #[error("a budget of 0 codes leaves nothing of the video: ask for at least 1")]
    NoCodes,
    /// `min > max`.
    #[error("an adaptive budget of {min} to {max} codes is empty: give the smaller number first")]
    Reversed {
        /// The smallest K.
        min: usize,
        /// The largest K.
        max: usize,
    },
    /// No budget can be read from the text.
    #[error(
        "{text:?} is no token budget: write a number such as 32, or adaptive, adaptive:RULE or adaptive:RULE:MIN-MAX with a rule of elbow, silhouette, distortion=0.9 or bits=0.02"
    )]
    Text {
        /// What was written.
        text: String,
    },
    /// The rule of an adaptive budget is invalid.
    #[error(transparent)]
    Rule(#[from] RuleError),
}

/// `32`, or in full `adaptive:elbow:12-32`, so that a written budget means the same when the defaults change.
impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(codes) => write!(f, "{codes}"),
            Self::Adaptive { min, max, rule } => write!(f, "adaptive:{rule}:{min}-{max}"),
        }
    }
}

/// `32`, `adaptive` (the paper's: elbow, 12 to 32), `adaptive:RULE` or `adaptive:RULE:MIN-MAX`.
impl FromStr for Budget {
    type Err = BudgetError;

    fn from_str(text: &str) -> Result<Self, BudgetError> {
        let unreadable = || BudgetError::Text { text: text.to_owned() };
        let number = |digits: &str| digits.parse::<usize>().map_err(|_| unreadable());
        let parts: Vec<&str> = text.split(':').collect();
        let budget = match parts.as_slice() {
            ["adaptive"] => Self::PAPER_ADAPTIVE,
            ["adaptive", rule] => Self::Adaptive { min: PAPER_MIN, max: PAPER_MAX, rule: rule.parse()? },
            ["adaptive", rule, range] => {
                let (min, max) = range.split_once('-').ok_or_else(unreadable)?;
                Self::Adaptive { min: number(min)?, max: number(max)?, rule: rule.parse()? }
            }
            [codes] => Self::Fixed(number(codes)?),
            _ => return Err(unreadable()),
        };
        budget.check().map(|()| budget)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_budgets() {
        let adaptive = |min, max, rule| Budget::Adaptive { min, max, rule };
        for (text, budget) in [
            ("32", Budget::Fixed(32)),
            ("adaptive", adaptive(12, 32, Rule::Elbow)),
            ("adaptive:silhouette", adaptive(12, 32, Rule::Silhouette)),
            ("adaptive:elbow:2-40", adaptive(2, 40, Rule::Elbow)),
            ("adaptive:distortion=0.9", adaptive(12, 32, Rule::Distortion(0.9))),
            ("adaptive:bits=0.015:1-300", adaptive(1, 300, Rule::Bits(0.015))),
        ] {
            assert_eq!(text.parse(), Ok(budget));
            assert_eq!(budget.to_string().parse(), Ok(budget));
        }
        assert_eq!("0".parse::<Budget>(), Err(BudgetError::NoCodes));
        assert_eq!("adaptive:elbow:9-2".parse::<Budget>(), Err(BudgetError::Reversed { min: 9, max: 2 }));
        assert_eq!(
            "adaptive:knee".parse::<Budget>(),
            Err(BudgetError::Rule(RuleError::Unknown { text: "knee".into() }))
        );
        let share = "adaptive:distortion=1.5".parse::<Budget>();
        assert_eq!(share, Err(BudgetError::Rule(RuleError::Share { share: 1.5 })));
        assert_eq!(
            "adaptive:bits=0".parse::<Budget>(),
            Err(BudgetError::Rule(RuleError::Price { price: 0.0 }))
        );
        assert!(matches!(
            "adaptive:bits=NaN".parse::<Budget>(),
            Err(BudgetError::Rule(RuleError::Price { .. }))
        ));
        assert_eq!(
            "adaptive:bits".parse::<Budget>(),
            Err(BudgetError::Rule(RuleError::Unknown { text: "bits".into() }))
        );
        for text in ["", "-1", "many", "adaptive:elbow:2", "adaptive:elbow:2-", "adaptive:elbow:2-3:4", "3.5"]
        {
            assert!(matches!(text.parse::<Budget>(), Err(BudgetError::Text { .. })), "{text}");
        }
    }
}
