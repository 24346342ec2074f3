//! What stands for a video in a prompt: its codes, or its token grid by another reducer.

use std::str::FromStr;
use std::sync::Arc;

use vqtoken_core::{ReduceError, Reducer, reducer};

use crate::config::TrainedInput;

/// What stands for a video in a prompt.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum VideoInput {
    /// Its codes, through the VQ-attention.
    Codes,
    /// Its token grid by a reducer.
    Reduced(Arc<dyn Reducer>),
}

/// The reducer that pools every frame's grid to half its sides, as LLaVA-OneVision does.
const POOLED: &str = "bilinear";

impl VideoInput {
    /// What a language model was trained to read.
    ///
    /// # Errors
    ///
    /// None: the reducer exists.
    pub fn trained(input: TrainedInput) -> Result<Self, ReduceError> {
        match input {
            TrainedInput::Pooled => "pooled".parse(),
            _ => Ok(Self::Codes),
        }
    }
}

/// `vqtoken` are the codes of a budget given elsewhere, `pooled` is LLaVA-OneVision's pooling; all else is parsed by [`reducer()`].
impl FromStr for VideoInput {
    type Err = ReduceError;

    fn from_str(text: &str) -> Result<Self, ReduceError> {
        let name = match text {
            "vqtoken" => return Ok(Self::Codes),
            "pooled" => POOLED,
            name => name,
        };
        Ok(Self::Reduced(Arc::from(reducer(name)?)))
    }
}
