//! A stored video as clients see it.

use serde::Serialize;
use utoipa::ToSchema;
use vqtoken_archive::VideoRecord;

/// A stored video.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct VideoObject {
    /// Name it `vqt:ID` to ask about it.
    pub(crate) id: String,
    pub(crate) object: &'static str,
    pub(crate) name: String,
    /// When it was stored, in seconds since 1970.
    pub(crate) created: u64,
    /// Bytes of the video itself, which is not kept.
    pub(crate) bytes: u64,
    /// Seconds.
    pub(crate) duration: f64,
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) model: String,
    /// The budget of its tokens.
    pub(crate) budget: String,
    /// How many codes it has.
    pub(crate) codes: usize,
    /// Frames, rows and columns of the index map.
    pub(crate) grid: [usize; 3],
    /// Tokens before reduction.
    pub(crate) grid_tokens: usize,
    /// Bytes of the .vqt file.
    pub(crate) token_bytes: u64,
    /// How many sampled frames are kept as JPEG.
    pub(crate) frames_stored: usize,
    /// Codes of the set from which smaller ones are made; 0 without it.
    pub(crate) fine_codes: usize,
    pub(crate) warnings: Vec<String>,
    /// Whether it was stored before this request.
    pub(crate) seen_before: bool,
    /// What this request took.
    pub(crate) seconds: Option<EncodeSeconds>,
}

/// Seconds of work.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct EncodeSeconds {
    /// Decoding, vision and quantization.
    pub(crate) decode_and_vision: f64,
}

impl VideoObject {
    /// A video that was there.
    pub(crate) fn of(record: &VideoRecord) -> Self {
        let set = record.main_set();
        let source = record.source.as_ref();
        let grid = record.grid;
        Self {
            id: record.id.clone(),
            object: "video",
            name: record.name.clone(),
            created: record.created / 1_000_000,
            bytes: source.map_or(0, |source| source.bytes),
            duration: source.map_or(0.0, |source| source.duration),
            width: source.map_or(0, |source| source.width),
            height: source.map_or(0, |source| source.height),
            model: record.key.model.clone(),
            budget: record.budget.clone(),
            codes: set.map_or(0, |set| set.codes),
            grid: [grid.frames, grid.height, grid.width],
            grid_tokens: grid.len(),
            token_bytes: set.map_or(0, |set| set.bytes),
            frames_stored: record.frames_stored,
            fine_codes: record.fine_codes(),
            warnings: record.warnings.clone(),
            seen_before: true,
            seconds: None,
        }
    }
}
