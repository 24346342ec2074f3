//! Windows that were quantized one by one, put together: any of them, and any frames of each.

use std::ops::Range;

use crate::budget::Budget;
use crate::codebook::Codebook;
use crate::grid::GridShape;
use crate::index_map::IndexMap;
use crate::quantize::{Quantization, QuantizeError, QuantizerConfig};
use crate::stream::windows::Done;

/// Some frames of a window: its codes, and which of them each cell was assigned to.
#[derive(Clone, Debug)]
pub struct WindowPart<'a> {
    /// `[K, D]`.
    pub codebook: &'a Codebook,
    /// `[T, H, W]` over these codes.
    pub index_map: &'a IndexMap,
    /// Which frames of the index map are taken.
    pub frames: Range<usize>,
}

/// One codebook and index map of windows in the order of time, as a [`crate::WindowedQuantizer`] gives them for a whole video, from
/// their codes alone: the tokens are not needed again.
///
/// Without a total the codebook has the codes of all parts one after the other. With one these are quantized once more, each
/// counting as often as it occurs, to as many codes as `total` says or as there are, whichever is fewer. Codes that occur in no frame
/// that is taken are left out. `config` gives seed, iterations and order of the second quantization.
///
/// # Errors
/// If there are no frames, the parts have other channels or frame sizes, or a range reaches behind its index map.
pub fn join_windows<'a>(
    parts: impl IntoIterator<Item = WindowPart<'a>>,
    total: Option<Budget>,
    config: &QuantizerConfig,
) -> Result<Quantization, QuantizeError> {
    let mut done = Done::default();
    for WindowPart { codebook, index_map, frames } in parts.into_iter().filter(|part| !part.frames.is_empty())
    {
        let GridShape { frames: all, height, width } = index_map.shape();
        let ((expected, dim), before) =
            (done.form().unwrap_or(((height, width), codebook.dim())), done.frames());
        if (height, width) != expected {
            return Err(QuantizeError::ChunkSize { frames: before, expected, found: (height, width) });
        }
        if codebook.dim() != dim || index_map.codes() > codebook.codes() {
            let found = codebook.dim();
            return Err(QuantizeError::ChunkDimension { frames: before, expected: dim, found });
        }
        if frames.end > all {
            return Err(QuantizeError::Timestamps { frames: all, times: frames.end });
        }
        let cells = height * width;
        let labels = &index_map.labels()[frames.start * cells..frames.end * cells];
        done.add_part(codebook, GridShape { frames: frames.len(), height, width }, labels);
    }
    match total {
        None => done.side_by_side(),
        Some(total) => {
            total.check()?;
            let budget = total.within(done.codes().max(1));
            done.quantized_again(&QuantizerConfig { budget, ..*config })
        }
    }
}
