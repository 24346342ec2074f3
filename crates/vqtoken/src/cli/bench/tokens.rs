//! The tokens that are quantized, in blocks.

use std::ops::Range;

use crate::{GridShape, TokenGrid};
use vqtoken_files::quoted;

use super::made_up::MadeUp;
use crate::cli::token_file::TokenFile;

/// Tokens read or made at a time.
pub(super) const BLOCK: usize = 4 * 729;

/// Where tokens come from. Blocks can be had as often as needed.
#[derive(Debug)]
pub(super) enum Tokens {
    File(TokenFile),
    MadeUp(MadeUp),
}

impl Tokens {
    /// N.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::File(file) => file.count(),
            Self::MadeUp(made_up) => made_up.size().count,
        }
    }

    /// D.
    pub(super) fn dim(&self) -> usize {
        match self {
            Self::File(file) => file.dim(),
            Self::MadeUp(made_up) => made_up.size().dim,
        }
    }

    /// What errors about the tokens begin with.
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(file) => quoted(file.path()).to_string(),
            Self::MadeUp(made_up) => format!("made-up tokens {}", made_up.size()),
        }
    }

    /// The places of all blocks.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let count = self.count();
        (0..count).step_by(BLOCK).map(move |first| first..(first + BLOCK).min(count))
    }

    /// Some of the tokens, `[_, D]`.
    pub(super) fn rows(&self, rows: Range<usize>) -> anyhow::Result<Vec<f32>> {
        match self {
            Self::File(file) => file.rows(rows),
            Self::MadeUp(made_up) => Ok(made_up.rows(rows)),
        }
    }

    /// Frames of 27 x 27 if that comes out even, else one row.
    pub(super) fn shape(&self) -> GridShape {
        match self.count() {
            count if count.is_multiple_of(729) => GridShape { frames: count / 729, height: 27, width: 27 },
            count => GridShape { frames: 1, height: 1, width: count },
        }
    }

    /// All tokens.
    pub(super) fn grid(&self) -> anyhow::Result<TokenGrid> {
        let mut values = Vec::with_capacity(self.count() * self.dim());
        for block in self.blocks() {
            values.extend(self.rows(block)?);
        }
        Ok(TokenGrid::new(self.shape(), self.dim(), values)?)
    }
}
