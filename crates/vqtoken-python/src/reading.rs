//! `Reading`: what stands for a video in a prompt, as `reducer=` names it.
//!
//! | written | what the language model reads |
//! | --- | --- |
//! | `vqtoken` | the codes of the budget `tokens=` |
//! | `pooled` | every frame's grid pooled to half its sides, as LLaVA-OneVision reads it |
//! | `tome:32`, `evs:q=0.9`, .. | what a reducer leaves of the token grid, each token at its own position in it |
//! | `pooled+tome:32`, .. | what it leaves of the pooled grid, each token at its own position in that |
//! | `tome:32@renumbered`, `pooled+tome:32@renumbered`, .. | the same tokens at positions 0, 1, 2, .. |
//!
//! `vqtoken eval` has the same names.

use std::sync::Arc;

use pyo3::PyResult;
use vqtoken::{LanguageSide, Reducer, TokenGrid, TrainedInput, VideoInput, VisualTokens, pool_bilinear};

use crate::errors::{Exception, OrRaise};

const RENUMBERED: &str = "@renumbered";
const POOLED: &str = "pooled";

/// What stands for a video in a prompt.
pub(crate) enum Reading {
    /// Its codes, through the VQ-attention.
    Codes,
    /// Its token grid by a reducer.
    Reduced(ReducedGrid),
}

/// What a reducer leaves of a grid.
pub(crate) struct ReducedGrid {
    grid: Grid,
    reducer: Arc<dyn Reducer>,
    positions: Positions,
}

/// The grid that is reduced.
#[derive(Clone, Copy)]
enum Grid {
    /// All tokens that the vision tower gives.
    Whole,
    /// Every frame pooled to half its sides.
    Pooled,
}

/// The positions at which the language model reads what is left.
#[derive(Clone, Copy)]
enum Positions {
    /// Their own in the grid.
    Own,
    /// 0, 1, 2, ..
    Renumbered,
}

impl Reading {
    /// What a language model was trained to read.
    pub(crate) fn trained(input: TrainedInput) -> PyResult<Self> {
        VideoInput::trained(input).or_raise().and_then(|input| Self::of(input, Positions::Own))
    }

    /// Reads what the table above lists.
    pub(crate) fn parse(text: &str) -> PyResult<Self> {
        let (name, positions) = match text.strip_suffix(RENUMBERED) {
            Some(name) => (name, Positions::Renumbered),
            None => (text, Positions::Own),
        };
        let is_codes = |name: &str| name.split(':').next() == Some("vqtoken");
        if matches!(positions, Positions::Renumbered) && (is_codes(name) || name == POOLED) {
            let message = format!("{text}: its tokens are numbered 0, 1, 2, .. already: write {name}");
            return Err(Exception::Reduce.error(message));
        }
        let Some(reducer) = name.strip_prefix(POOLED).and_then(|rest| rest.strip_prefix('+')) else {
            return Self::of(name.parse().or_raise()?, positions);
        };
        if is_codes(reducer) {
            let message = format!("{text}: VQToken quantizes the whole grid: write {reducer}");
            return Err(Exception::Reduce.error(message));
        }
        let reducer = vqtoken::reducer(reducer).or_raise()?.into();
        Ok(Self::Reduced(ReducedGrid { grid: Grid::Pooled, reducer, positions }))
    }

    fn of(input: VideoInput, positions: Positions) -> PyResult<Self> {
        match input {
            VideoInput::Codes => Ok(Self::Codes),
            VideoInput::Reduced(reducer) => {
                Ok(Self::Reduced(ReducedGrid { grid: Grid::Whole, reducer, positions }))
            }
            other => Err(Exception::Reduce.error(format!("{other:?} is not known to this package"))),
        }
    }
}

impl ReducedGrid {
    /// Visual tokens of a whole token grid `[T, H, W, D]`.
    pub(crate) fn visual_tokens(
        &self,
        language: &LanguageSide,
        tokens: &TokenGrid,
    ) -> PyResult<VisualTokens> {
        let pooled = match self.grid {
            Grid::Pooled => Some(pool_bilinear(tokens).or_raise()?),
            Grid::Whole => None,
        };
        let grid = pooled.as_ref().unwrap_or(tokens);
        match self.positions {
            Positions::Own => language.reduce(grid, self.reducer.as_ref()).or_raise(),
            Positions::Renumbered => {
                let left = self.reducer.reduce(grid).or_raise()?.tokens;
                language.tokens_of(left.data(), left.dim()).or_raise()
            }
        }
    }
}
