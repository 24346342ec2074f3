//! What must hold for video tokens before they are written and after they are read.

use super::error::VqtFormatError;
use crate::budget::Budget;
use crate::video_tokens::{VideoTokens, Windows};

/// What holds for any video tokens, written or read.
pub(super) fn check(tokens: &VideoTokens) -> Result<(), VqtFormatError> {
    let (codes, labelled) = (tokens.codebook.codes(), tokens.index_map.codes());
    if codes != labelled {
        return Err(VqtFormatError::Codes { codes, labelled });
    }
    let (frames, timestamps) = (tokens.index_map.shape().frames, tokens.timestamps.len());
    if frames != timestamps {
        return Err(VqtFormatError::Timestamps { frames, timestamps });
    }
    let not_finite = |tensor, index: Option<usize>| match index {
        Some(index) => Err(VqtFormatError::NotFinite { tensor, index }),
        None => Ok(()),
    };
    not_finite("codebook", tokens.codebook.data().iter().position(|value| !value.is_finite()))?;
    not_finite("timestamps", tokens.timestamps.iter().position(|seconds| !seconds.is_finite()))?;
    if let Some(source) = tokens.source.as_ref().filter(|source| !source.duration.is_finite()) {
        let value = source.duration.to_string();
        return Err(VqtFormatError::Metadata { key: "source.duration", value, expected: "seconds" });
    }
    if let Some(Windows { seconds, total }) = &tokens.windows {
        if !(seconds.is_finite() && *seconds > 0.0) {
            let (key, expected) = ("window.seconds", "seconds above 0");
            return Err(VqtFormatError::Metadata { key, value: seconds.to_string(), expected });
        }
        total.iter().try_for_each(Budget::check)?;
    }
    tokens.budget.check().map_err(VqtFormatError::from)
}
