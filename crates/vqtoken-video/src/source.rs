//! What all ways to frames have in common: one pass through the stream, in display order.

use crate::damage::Damage;
use crate::error::VideoError;
use crate::frame::Frame;
use crate::info::VideoInfo;
use crate::warning::Warning;

/// Which frames a pass hands out; the others are counted only.
pub(crate) enum Wanted {
    All,
    /// Ascending display indices, each once.
    These(Vec<usize>),
}

impl Wanted {
    pub(crate) fn contains(&self, index: usize) -> bool {
        match self {
            Wanted::All => true,
            Wanted::These(indices) => indices.binary_search(&index).is_ok(),
        }
    }
}

/// What one pass through a stream saw.
#[derive(Default)]
pub(crate) struct Pass {
    /// Seconds, one for every frame that decoded, in display order.
    pub(crate) timestamps: Vec<f64>,
    pub(crate) damage: Vec<Damage>,
    pub(crate) warnings: Vec<Warning>,
}

/// Takes a wanted frame with its display index. An error ends the pass.
pub(crate) type Keep<'a> = &'a mut dyn FnMut(usize, Frame) -> Result<(), VideoError>;

/// A stream of frames that can be gone through more than once.
pub(crate) trait Source: Send + Sync {
    /// The timestamps that a sound stream will turn out to have, when the headers tell.
    fn expected_timestamps(&self) -> Option<Vec<f64>>;

    /// Goes through the whole stream and hands the wanted frames to `keep`.
    fn pass(&self, wanted: &Wanted, keep: Keep<'_>) -> Result<Pass, VideoError>;
}

/// What opening gives: what the headers say, and the stream.
pub(crate) type Opened = (VideoInfo, Box<dyn Source>);
