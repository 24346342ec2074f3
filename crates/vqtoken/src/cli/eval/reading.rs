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
//! | `tome:32`, `evs:q=0.9`, .. | what a training-free reducer leaves of the token grid |
//! | `pooled+tome:32`, .. | what it leaves of the pooled grid |

use std::fmt;
use std::sync::Arc;

use vqtoken::{Budget, Reducer};
use vqtoken_core::ReduceError;

/// A reading.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) what: What,
    /// Frames, sampled evenly.
    pub(super) frames: usize,
    pub(super) condition: Condition,
}

/// What stands for the video.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// Codes.
    Codes(Codes, Budget),
    /// All tokens of the pooled grid.
    Pooled,
    /// What a reducer leaves.
    Reduced {
        reducer: Arc<dyn Reducer>,
        /// Of the pooled grid instead of the whole one.
        of_pooled: bool,
    },
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

impl What {
    /// Reads what the table above lists; codes without a number have `budget`.
    pub(super) fn parse(text: &str, budget: Budget) -> Result<Self, String> {
        let (name, rest) = text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
        if let Some(codes) = Codes::ALL.into_iter().find(|codes| codes.name() == name) {
            let budget = match rest {
                Some(rest) => rest.parse::<Budget>().map_err(|error| format!("{name}: {error}"))?,
                None => budget,
            };
            return Ok(Self::Codes(codes, budget));
        }
        if text == "pooled" {
            return Ok(Self::Pooled);
        }
        let (reducer, of_pooled) = match text.strip_prefix("pooled+") {
            Some(rest) if rest.starts_with("vqtoken") => {
                return Err(format!("{text:?}: VQToken quantizes the whole grid: write {rest}"));
            }
            Some(rest) => (rest, true),
            None => (text, false),
        };
        match vqtoken::reducer(reducer) {
            Ok(reducer) => Ok(Self::Reduced { reducer: reducer.into(), of_pooled }),
            Err(error @ ReduceError::Unknown { .. }) => {
                Err(format!("{error}, or pooled, pooled+REDUCER, codebook:32"))
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codes(codes, budget) => write!(f, "{}:{budget}", codes.name()),
            Self::Pooled => f.write_str("pooled"),
            Self::Reduced { reducer, of_pooled } => {
                write!(f, "{}{}", if *of_pooled { "pooled+" } else { "" }, reducer.name())
            }
        }
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.condition {
            Condition::Whole => write!(f, "{} of {} frames", self.what, self.frames),
            Condition::Blind => f.write_str("blind"),
            Condition::SingleFrame => {
                write!(f, "{} of the middle one of {} frames", self.what, self.frames)
            }
            Condition::Shuffled => write!(f, "{} of {} frames, shuffled", self.what, self.frames),
        }
    }
}

impl Reading {
    /// Of the whole video.
    pub(super) fn new(what: What, frames: usize) -> Self {
        Self { what, frames, condition: Condition::Whole }
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
        let name = |text: &str| What::parse(text, Budget::Fixed(8)).map(|what| what.to_string());
        for text in [
            "vqtoken:32",
            "vqtoken:adaptive:elbow:12-32",
            "codebook:12",
            "random-attention:32",
            "random-map:32",
            "random-codebook:32",
            "pooled",
            "tome:32",
            "pooled+norm:10%",
            "evs:q=0.9",
        ] {
            assert_eq!(name(text).as_deref(), Ok(text));
        }
        assert_eq!(name("vqtoken").as_deref(), Ok("vqtoken:8"));
        assert_eq!(name("codebook").as_deref(), Ok("codebook:8"));
        for (text, needle) in [
            ("magic:3", "\"magic:3\" names no reducer"),
            ("pooled+magic", "\"magic\" names no reducer"),
            ("pooled+vqtoken:3", "write vqtoken:3"),
            ("vqtoken:0", "budget of 0 codes"),
            ("tome:x", "\"x\" is no amount"),
        ] {
            let message = name(text).unwrap_err();
            assert!(message.contains(needle), "{text}: {message}");
        }
    }

    #[test]
    fn a_reading_says_all_that_decides_it() {
        let what = |text| What::parse(text, Budget::Fixed(8)).unwrap();
        let mut reading = Reading::new(what("pooled+evs:q=0.9"), 8);
        assert_eq!(reading.to_string(), "pooled+evs:q=0.9 of 8 frames");
        assert_eq!(reading.slug(), "pooled-evs-q-0-9-of-8-frames");
        reading.condition = Condition::Shuffled;
        assert_eq!(reading.to_string(), "pooled+evs:q=0.9 of 8 frames, shuffled");
    }
}
