//! How many tokens a reducer is to leave, and how that is written: tokens, a share, or a method's own parameter.

use std::fmt;
use std::str::FromStr;

use super::ReduceError;
use crate::grid::TokenGrid;

/// How many tokens a clip may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// A number for the whole clip, written `32`.
    Tokens(usize),
    /// This share of the grid's tokens, rounded down but at least one token, written `10%`.
    Percent(f64),
}

impl Amount {
    /// M, the tokens for a grid: from 1 to N.
    ///
    /// # Errors
    /// If that is 0 or more than N, or the share is not above 0 and at most 100 percent.
    pub fn tokens(&self, grid: &TokenGrid) -> Result<usize, ReduceError> {
        let tokens = grid.shape().len();
        match *self {
            Self::Tokens(0) => Err(ReduceError::NoTokens),
            Self::Tokens(budget) if budget > tokens => Err(ReduceError::BudgetTooLarge { budget, tokens }),
            Self::Tokens(budget) => Ok(budget),
            Self::Percent(percent) if percent > 0.0 && percent <= 100.0 => {
                Ok(((tokens as f64 * percent / 100.0) as usize).clamp(1, tokens))
            }
            Self::Percent(percent) => Err(ReduceError::Share { percent }),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tokens(tokens) => write!(f, "{tokens}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl FromStr for Amount {
    type Err = ReduceError;

    fn from_str(text: &str) -> Result<Self, ReduceError> {
        let unreadable = || ReduceError::Amount {
            text: text.to_owned(),
            expected: "a number of tokens such as 32 or a share such as 10%".to_owned(),
        };
        match text.strip_suffix('%') {
            None => match text.parse().map_err(|_| unreadable())? {
                0 => Err(ReduceError::NoTokens),
                tokens => Ok(Self::Tokens(tokens)),
            },
            Some(digits) => match digits.parse::<f64>().map_err(|_| unreadable())? {
                percent if percent > 0.0 && percent <= 100.0 => Ok(Self::Percent(percent)),
                percent => Err(ReduceError::Share { percent }),
            },
        }
    }
}

/// The target of a method that has a parameter of its own: an amount, or that parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// An amount of tokens.
    Amount(Amount),
    /// The method's own parameter, written `q=0.9`.
    Parameter(f64),
}

/// A method's own parameter.
pub(crate) struct Parameter {
    /// Its letter or name.
    pub(crate) key: &'static str,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Parameter {
    pub(crate) fn check(&self, value: f64) -> Result<f64, ReduceError> {
        let Self { key, least, most } = *self;
        let inside = value >= least && value <= most;
        if inside { Ok(value) } else { Err(ReduceError::Parameter { key, value, least, most }) }
    }

    pub(crate) fn parse(&self, text: &str) -> Result<Target, ReduceError> {
        match text.strip_prefix(self.key).and_then(|rest| rest.strip_prefix('=')) {
            Some(digits) => {
                Ok(Target::Parameter(self.check(digits.parse().map_err(|_| self.unreadable(text))?)?))
            }
            None => text.parse().map(Target::Amount).map_err(|error| match error {
                ReduceError::Amount { .. } => self.unreadable(text),
                other => other,
            }),
        }
    }

    pub(crate) fn text(&self, target: &Target) -> String {
        match target {
            Target::Amount(amount) => amount.to_string(),
            Target::Parameter(value) => format!("{}={value}", self.key),
        }
    }

    fn unreadable(&self, text: &str) -> ReduceError {
        let Self { key, least, most } = self;
        let expected =
            format!("tokens such as 32, a share such as 10%, or {key}= with a number from {least} to {most}");
        ReduceError::Amount { text: text.to_owned(), expected }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::GridShape;

    #[test]
    fn amounts_of_a_grid() {
        let shape = GridShape { frames: 1, height: 1, width: 25 };
        let grid = TokenGrid::new(shape, 1, vec![0.0; 25]).unwrap();
        assert_eq!(Amount::Tokens(25).tokens(&grid), Ok(25));
        assert_eq!(
            Amount::Tokens(26).tokens(&grid),
            Err(ReduceError::BudgetTooLarge { budget: 26, tokens: 25 })
        );
        assert_eq!(Amount::Tokens(0).tokens(&grid), Err(ReduceError::NoTokens));
        assert_eq!(Amount::Percent(10.0).tokens(&grid), Ok(2));
        assert_eq!(Amount::Percent(1.0).tokens(&grid), Ok(1));
        assert_eq!(Amount::Percent(100.0).tokens(&grid), Ok(25));
        assert!(Amount::Percent(f64::NAN).tokens(&grid).is_err());
    }

    #[test]
    fn texts() {
        const Q: Parameter = Parameter { key: "q", least: 0.0, most: 1.0 };
        for (text, target) in [
            ("32", Target::Amount(Amount::Tokens(32))),
            ("12.5%", Target::Amount(Amount::Percent(12.5))),
            ("q=0.9", Target::Parameter(0.9)),
        ] {
            assert_eq!(Q.parse(text), Ok(target));
            assert_eq!(Q.text(&target), text);
        }
        assert!(matches!(Q.parse("q=1.5"), Err(ReduceError::Parameter { key: "q", .. })));
        assert!(matches!(Q.parse("q=NaN"), Err(ReduceError::Parameter { .. })));
        assert!(matches!(Q.parse("0%"), Err(ReduceError::Share { .. })));
        assert_eq!(Q.parse("0"), Err(ReduceError::NoTokens));
        for text in ["", "p=0.5", "q=", "-3", "3.5", "%"] {
            assert!(matches!(Q.parse(text), Err(ReduceError::Amount { .. })), "{text}");
        }
    }
}
