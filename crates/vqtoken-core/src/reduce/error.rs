//! Why a token grid could not be reduced, or a text is not a reducer.

use crate::budget::BudgetError;
use crate::grid::GridError;
use crate::quantize::QuantizeError;

/// Why a token grid could not be reduced, or a text is not a reducer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReduceError {
    /// A budget of no tokens.
    #[error("a budget of 0 visual tokens leaves nothing of the video: ask for at least 1")]
    NoTokens,
    /// The budget is larger than the tokens.
    #[error(
        "a budget of {budget} visual tokens is larger than the {tokens} tokens of the clip: ask for at most {tokens}, or a share such as 10%"
    )]
    BudgetTooLarge {
        /// What was asked for.
        budget: usize,
        /// N.
        tokens: usize,
    },
    /// The method cannot leave so few.
    #[error(
        "{reducer} cannot leave fewer than {least} visual tokens of this clip, but {budget} were asked for: raise the budget, sample fewer frames or use another reducer"
    )]
    BudgetTooSmall {
        /// Its name, without the amount.
        reducer: &'static str,
        /// What was asked for.
        budget: usize,
        /// The fewest it leaves.
        least: usize,
    },
    /// A share outside of 0 to 100 percent.
    #[error("{percent}% is not a share of the tokens: choose more than 0% and at most 100%")]
    Share {
        /// What was asked for.
        percent: f64,
    },
    /// A method's own parameter is outside of its range.
    #[error("{key}={value} is out of range: choose {key} from {least} to {most}")]
    Parameter {
        /// The letter or name of the parameter.
        key: &'static str,
        /// What was asked for.
        value: f64,
        /// The smallest.
        least: f64,
        /// The largest.
        most: f64,
    },
    /// No reducer has this name.
    #[error("{text:?} is not a reducer: choose one of {names}")]
    Unknown {
        /// What was written.
        text: String,
        /// Those that exist.
        names: String,
    },
    /// What follows a reducer's name cannot be read.
    #[error("{text:?} is not an amount: write {expected}")]
    Amount {
        /// What was written.
        text: String,
        /// What is accepted.
        expected: String,
    },
    /// VQToken's budget cannot be read.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// A token holds NaN or an infinity, or VQToken's quantizer refused.
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    /// The pooled grid is malformed.
    #[error(transparent)]
    Grid(#[from] GridError),
}
