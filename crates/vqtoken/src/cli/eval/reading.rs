//! A reading: one way in which a video becomes visual tokens for one model.
//!
//! | written | what the language model reads |
//! | --- | --- |
//! | `vqtoken:32`, `vqtoken:adaptive` | the codes of the clip, through the VQ-attention |
//! | `codebook:32` | the bare codes: no token hash, no VQ-attention |
//! | `random-attention:32` | the codes through a VQ-attention that was never trained |
//! | `random-map:32` | the codes through the VQ-attention, over an index map whose labels are shuffled |
//! | `random-codebook:32` | random vectors in place of the codes, with the true index map |
//! | `pooled` | every frame's grid pooled to half its sides, as LLaVA-OneVision reads it: nothing is reduced |
//! | `tome:32`, `evs:q=0.9`, .. | what a training-free reducer leaves of the token grid, each token at its own position in it |
//! | `pooled+tome:32`, .. | what it leaves of the pooled grid, each token at its own position in that |
//! | `pooled+tome:32@renumbered`, .. | the same tokens at positions 0, 1, 2, .. |
//!
//! Own positions are the default, because they are right for the model. A language model trained on the unreduced sequence knows when and
//! where a token was seen by its position alone (rotary embeddings); renumbering moves every token to the beginning of the first frame.
//! Much published code renumbers, because it hands embeddings without positions to the language model, so both can be measured.

use std::fmt;
use std::sync::Arc;

use crate::{Budget, Reducer};
use vqtoken_core::{BudgetError, ReduceError};

/// What follows the name of a reading whose tokens are renumbered.
const RENUMBERED: &str = "@renumbered";

/// A reading.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) source: Source,
    /// Frames, sampled evenly.
    pub(super) frames: usize,
    pub(super) condition: Condition,
}

/// What stands for the video.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Codes(Codes, Budget),
    /// All tokens of the pooled grid.
    Pooled,
    /// What a reducer leaves.
    Reduced(Reduced),
}

impl Reading {
    /// Whether the model sees codes.
    pub(super) fn shows_codes(&self) -> bool {
        self.condition != Condition::Blind && self.source.has_codes()
    }
}

impl Source {
    /// Whether these are codes, whose number `--tokens` says.
    pub(super) fn has_codes(&self) -> bool {
        matches!(self, Self::Codes(..))
    }
}

/// What a training-free reducer leaves of a grid.
#[derive(Clone, Debug)]
pub(super) struct Reduced {
    pub(super) grid: Grid,
    pub(super) reducer: Arc<dyn Reducer>,
    pub(super) positions: Positions,
}

/// The grid that a reducer reduces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grid {
    /// All tokens that the vision tower gives.
    Whole,
    /// Every frame pooled to half its sides.
    Pooled,
}

/// The positions at which the language model reads reduced tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Positions {
    /// Their own in the grid.
    Own,
    /// 0, 1, 2, ..
    Renumbered,
}

/// How codes go on to the language model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codes {
    Attended,
    Bare,
    RandomAttention,
    RandomMap,
    RandomCodebook,
}

/// What the model sees of the video.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Condition {
    /// Its sampled frames in order.
    #[default]
    Whole,
    /// Nothing: the question alone is asked.
    Blind,
    /// The frame in the middle.
    SingleFrame,
    /// Its sampled frames in a random order.
    Shuffled,
}

/// Why a text is not a reading.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum ReadingError {
    #[error("{name}: {source}")]
    Budget { name: &'static str, source: BudgetError },
    #[error("pooled+{reducer}: VQToken quantizes the whole grid: write {reducer}")]
    PooledCodes { reducer: String },
    #[error("{text}{RENUMBERED}: its tokens are numbered 0, 1, 2, .. already: write {text}")]
    Renumbered { text: String },
    #[error("{0}, or pooled, pooled+REDUCER, codebook:32")]
    Unknown(ReduceError),
    #[error(transparent)]
    Reducer(ReduceError),
}

impl Codes {
    const ALL: [Self; 5] =
        [Self::Attended, Self::Bare, Self::RandomAttention, Self::RandomMap, Self::RandomCodebook];

    fn name(self) -> &'static str {
        match self {
            Self::Attended => "vqtoken",
            Self::Bare => "codebook",
            Self::RandomAttention => "random-attention",
            Self::RandomMap => "random-map",
            Self::RandomCodebook => "random-codebook",
        }
    }
}

impl Reduced {
    /// At their own positions.
    ///
    /// # Errors
    ///
    /// If `reducer` is not a reducer.
    pub(super) fn new(grid: Grid, reducer: &str) -> Result<Self, ReduceError> {
        Ok(Self { grid, reducer: crate::reducer(reducer)?.into(), positions: Positions::Own })
    }

    /// As it is written, without what is said about positions.
    pub(super) fn tokens(&self) -> String {
        let grid = if self.grid == Grid::Pooled { "pooled+" } else { "" };
        format!("{grid}{}", self.reducer.name())
    }
}

impl Source {
    /// Reads what the table above lists; codes without a number have `budget`.
    pub(super) fn parse(text: &str, budget: Budget) -> Result<Self, ReadingError> {
        let (tokens, positions) = match text.strip_suffix(RENUMBERED) {
            Some(tokens) => (tokens, Positions::Renumbered),
            None => (text, Positions::Own),
        };
        let (name, rest) = tokens.split_once(':').map_or((tokens, None), |(name, rest)| (name, Some(rest)));
        let codes = Codes::ALL.into_iter().find(|codes| codes.name() == name);
        if positions == Positions::Renumbered && (codes.is_some() || tokens == "pooled") {
            return Err(ReadingError::Renumbered { text: tokens.to_owned() });
        }
        if let Some(codes) = codes {
            let parsed = rest.map_or(Ok(budget), str::parse::<Budget>);
            let budget = parsed.map_err(|source| ReadingError::Budget { name: codes.name(), source })?;
            return Ok(Self::Codes(codes, budget));
        }
        if tokens == "pooled" {
            return Ok(Self::Pooled);
        }
        let (grid, reducer) = match tokens.strip_prefix("pooled+") {
            Some(reducer) if reducer.starts_with("vqtoken") => {
                return Err(ReadingError::PooledCodes { reducer: reducer.to_owned() });
            }
            Some(reducer) => (Grid::Pooled, reducer),
            None => (Grid::Whole, tokens),
        };
        match Reduced::new(grid, reducer) {
            Ok(reduced) => Ok(Self::Reduced(Reduced { positions, ..reduced })),
            Err(error @ ReduceError::Unknown { .. }) => Err(ReadingError::Unknown(error)),
            Err(error) => Err(ReadingError::Reducer(error)),
        }
    }
}

impl Source {
    /// The number of tokens asked for; none where the method chooses it.
    pub(super) fn budget(&self) -> Option<usize> {
        match self {
            Self::Codes(_, Budget::Fixed(codes)) => Some(*codes),
            Self::Reduced(reduced) => reduced.reducer.name().split_once(':')?.1.parse().ok(),
            Self::Codes(..) | Self::Pooled => None,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codes(codes, budget) => write!(f, "{}:{budget}", codes.name()),
            Self::Pooled => f.write_str("pooled"),
            Self::Reduced(reduced) => {
                f.write_str(&reduced.tokens())?;
                f.write_str(if reduced.positions == Positions::Renumbered { RENUMBERED } else { "" })
            }
        }
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.condition {
            Condition::Whole => write!(f, "{} of {} frames", self.source, self.frames),
            Condition::Blind => f.write_str("blind"),
            Condition::SingleFrame => {
                write!(f, "{} of the middle one of {} frames", self.source, self.frames)
            }
            Condition::Shuffled => write!(f, "{} of {} frames, shuffled", self.source, self.frames),
        }
    }
}

impl Reading {
    /// Of the whole video.
    pub(super) fn new(source: Source, frames: usize) -> Self {
        Self { source, frames, condition: Condition::Whole }
    }

    /// Its name as part of a file's.
    pub(super) fn slug(&self) -> String {
        let text = self.to_string();
        let kept: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        kept.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_read_back() {
        let name = |text: &str| Source::parse(text, Budget::Fixed(8)).map(|source| source.to_string());
        for text in [
            "vqtoken:32",
            "vqtoken:adaptive:elbow:12-32",
            "codebook:12",
            "random-attention:32",
            "random-map:32",
            "random-codebook:32",
            "pooled",
            "tome:32",
            "tome:32@renumbered",
            "pooled+norm:10%",
            "pooled+random:25%@renumbered",
            "evs:q=0.9",
        ] {
            assert_eq!(name(text).as_deref(), Ok(text));
        }
        assert_eq!(name("vqtoken").as_deref(), Ok("vqtoken:8"));
        assert_eq!(name("codebook").as_deref(), Ok("codebook:8"));
        for (text, needle) in [
            ("magic:3", "\"magic:3\" is not a reducer"),
            ("pooled+magic", "\"magic\" is not a reducer"),
            ("pooled+vqtoken:3", "write vqtoken:3"),
            ("vqtoken:3@renumbered", "write vqtoken:3"),
            ("pooled@renumbered", "write pooled"),
            ("vqtoken:0", "budget of 0 codes"),
            ("tome:x", "\"x\""),
        ] {
            let message = name(text).unwrap_err().to_string();
            assert!(message.contains(needle), "{text}: {message}");
        }
    }

    #[test]
    fn a_reading_says_all_that_decides_it() {
        let source = |text| Source::parse(text, Budget::Fixed(8)).unwrap();
        let mut reading = Reading::new(source("pooled+evs:q=0.9"), 8);
        assert_eq!(reading.to_string(), "pooled+evs:q=0.9 of 8 frames");
        assert_eq!(reading.slug(), "pooled-evs-q-0-9-of-8-frames");
        reading.condition = Condition::Shuffled;
        assert_eq!(reading.to_string(), "pooled+evs:q=0.9 of 8 frames, shuffled");
        let renumbered = Reading::new(source("pooled+evs:q=0.9@renumbered"), 8);
        assert_eq!(renumbered.to_string(), "pooled+evs:q=0.9@renumbered of 8 frames");
    }
}
