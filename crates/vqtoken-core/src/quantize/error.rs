//! The errors of quantizing a grid or a stream.

use crate::budget::BudgetError;
use crate::codebook::CodebookError;
use crate::grid::GridError;
use crate::index_map::IndexMapError;

/// Why a token grid could not be quantized.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QuantizeError {
    /// The budget allows no code.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// The budget asks for more codes than there are tokens.
    #[error("a budget of {codes} codes is larger than the {tokens} tokens: ask for at most {tokens}")]
    TooFewTokens {
        /// The fewest codes that the budget allows.
        codes: usize,
        /// N.
        tokens: usize,
    },
    /// A chunk of a stream has tokens of other channels than those before.
    #[error(
        "the chunk behind frame {frames} has tokens of {found} channels, those before have {expected}: take all from the same model"
    )]
    ChunkDimension {
        /// Frames before the chunk.
        frames: usize,
        /// D of those.
        expected: usize,
        /// D of the chunk.
        found: usize,
    },
    /// A chunk of a stream has frames of another size than those before.
    #[error(
        "the chunk behind frame {frames} has frames of {} x {} tokens, those before have {} x {}: take all from the same model", found.0, found.1, expected.0, expected.1
    )]
    ChunkSize {
        /// Frames before the chunk.
        frames: usize,
        /// H and W of those.
        expected: (usize, usize),
        /// H and W of the chunk.
        found: (usize, usize),
    },
    /// A stream ended before the first frame.
    #[error("the stream of tokens ended before the first frame: give at least one chunk")]
    EmptyStream,
    /// A stream cannot be quantized as published, which needs all tokens at once.
    #[error(
        "the published procedure needs all tokens at once: quantize the whole grid, or stream with the shared procedure"
    )]
    PublishedStream,
    /// A chunk comes with more or fewer times than frames.
    #[error("a chunk of {frames} frames came with {times} timestamps: give one for each frame")]
    Timestamps {
        /// Frames of the chunk.
        frames: usize,
        /// Timestamps given.
        times: usize,
    },
    /// The budget of the whole video asks for more codes than its windows have.
    #[error(
        "a total of {total} codes is larger than the {of_windows} codes of all windows: ask for at most {of_windows}, or for more codes a window"
    )]
    TotalTooLarge {
        /// The fewest codes that the total budget allows.
        total: usize,
        /// The codes of all windows.
        of_windows: usize,
    },
    /// Windows of no length.
    #[error("windows of {seconds} s hold no frames: give a number of seconds above 0")]
    Window {
        /// What was asked.
        seconds: f64,
    },
    /// The stream is longer than an index map can be.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// A token holds NaN or an infinity.
    #[error(
        "the token at frame {frame}, row {row}, column {column} holds {value} in channel {channel}: look for overflow in the vision tower or the projector"
    )]
    NotFinite {
        /// f of the first such token.
        frame: usize,
        /// h.
        row: usize,
        /// w.
        column: usize,
        /// Its first channel that is not finite.
        channel: usize,
        /// NaN, inf or -inf.
        value: f32,
    },
    /// The fit does not form a codebook.
    #[error(transparent)]
    Codebook(#[from] CodebookError),
    /// The labels do not form an index map.
    #[error(transparent)]
    IndexMap(#[from] IndexMapError),
}

impl QuantizeError {
    /// The same error in a stream that began behind so many frames.
    pub(crate) fn behind(mut self, before: usize) -> Self {
        match &mut self {
            Self::NotFinite { frame: frames, .. }
            | Self::ChunkDimension { frames, .. }
            | Self::ChunkSize { frames, .. } => *frames += before,
            _ => {}
        }
        self
    }
}
