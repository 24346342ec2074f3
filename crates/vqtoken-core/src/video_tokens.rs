//! Video tokens: a codebook, an index map, and what is needed to read them again without the video.

use crate::budget::Budget;
use crate::codebook::Codebook;
use crate::index_map::IndexMap;
use crate::quality::Quality;

/// A clip as the language model needs it, and as a `.vqt` file keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoTokens {
    /// `[K, D]`.
    pub codebook: Codebook,
    /// `[T, H, W]`.
    pub index_map: IndexMap,
    /// When each sampled frame is shown, in seconds from the start of the video, `[T]`.
    pub timestamps: Vec<f64>,
    /// The model whose vision tower and projector made the tokens; only its language model can read them.
    pub model: String,
    /// The video they were made from, if known.
    pub source: Option<Source>,
    /// The budget they were made with: of the whole clip, or of each window.
    pub budget: Budget,
    /// How the clip was cut into windows, if it was.
    pub windows: Option<Windows>,
    /// How precisely a file keeps the codebook. After loading: how it was kept, and `codebook` holds what was kept.
    pub quality: Quality,
}

/// A clip that was quantized in windows of time, each with a codebook of its own; the codebook has the codes of all
/// windows, one window after the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Windows {
    /// The length of each window (the last may be shorter), in seconds above 0.
    pub seconds: f64,
    /// The budget of a second quantization over the codes of all windows, if there was one; then the codebook is its.
    pub total: Option<Budget>,
}

/// The video that video tokens were made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Its file name.
    pub name: String,
    /// Pixels in a row, as displayed.
    pub width: usize,
    /// Rows of pixels, as displayed.
    pub height: usize,
    /// Seconds.
    pub duration: f64,
    /// The size of the file.
    pub bytes: u64,
    /// Frames in the whole video.
    pub frames: usize,
}
