//! A stretch of the stream with a codebook of its own.

use std::ops::Range;

use vqtoken_core::{Codebook, IndexMap, WindowPart};

/// A window: its codes, and which of them each cell of each of its frames was assigned to.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Counts the windows of the stream, also over restarts.
    pub sequence: u64,
    /// `[K, D]`.
    pub codebook: Codebook,
    /// `[T, H, W]`.
    pub index_map: IndexMap,
    /// When each frame is shown, in seconds since the start of the stream, `[T]`; never empty.
    pub timestamps: Vec<f64>,
}

impl Window {
    /// Seconds of the first frame.
    pub fn start(&self) -> f64 {
        self.timestamps.first().copied().unwrap_or_default()
    }

    /// Seconds of the last frame.
    pub fn end(&self) -> f64 {
        self.timestamps.last().copied().unwrap_or_default()
    }

    /// The frames that are shown at `from` or later.
    pub(crate) fn frames_since(&self, from: f64) -> Range<usize> {
        self.timestamps.partition_point(|&seconds| seconds < from)..self.timestamps.len()
    }

    /// These frames, to be joined with those of other windows.
    pub(crate) fn part(&self, frames: Range<usize>) -> WindowPart<'_> {
        WindowPart { codebook: &self.codebook, index_map: &self.index_map, frames }
    }
}
