//! Windows of video tokens: the codes that occur in a range of frames, as if these were a video of their own.

use std::ops::Range;

use vqtoken_core::{Codebook, GridShape, IndexMap, VideoTokens};

use super::error::RetrievalError;
use crate::error::ModelError;

/// The codes of a window.
#[derive(Clone, Debug, PartialEq)]
pub struct CodeWindow {
    /// The codes that occur, `[K', D]`, in the order of the whole codebook.
    pub codebook: Codebook,
    /// Where they occur, `[T', H, W]` over K' codes.
    pub index_map: IndexMap,
    /// The index of each in the whole codebook, `[K']`, ascending.
    pub codes: Vec<usize>,
}

impl CodeWindow {
    /// The window `frames` of a codebook `[K, D]` and an index map `[T, H, W]`.
    ///
    /// # Errors
    ///
    /// If the range is empty or goes beyond the index map, or codebook and index map do not belong together.
    pub fn cut(codebook: &Codebook, index_map: &IndexMap, frames: Range<usize>) -> Result<Self, ModelError> {
        let GridShape { frames: all, height, width } = index_map.shape();
        if frames.is_empty() || frames.end > all {
            return Err(RetrievalError::Window { start: frames.start, end: frames.end, frames: all }.into());
        }
        if codebook.codes() != index_map.codes() {
            let (codebook, index_map) = (codebook.codes(), index_map.codes());
            return Err(crate::vq_attention::AttentionError::Codes { codebook, index_map }.into());
        }
        let plane = height * width;
        let labels = &index_map.labels()[frames.start * plane..frames.end * plane];
        let mut occurs = vec![false; index_map.codes()];
        labels.iter().for_each(|&label| occurs[label as usize] = true);
        let codes: Vec<usize> = (0..occurs.len()).filter(|&code| occurs[code]).collect();
        let mut new = vec![0_u32; occurs.len()];
        codes.iter().zip(0..).for_each(|(&code, index)| new[code] = index);
        let labels = labels.iter().map(|&label| new[label as usize]).collect();
        let rows = codes.iter().flat_map(|&code| codebook.code(code)).copied().collect();
        let shape = GridShape { frames: frames.len(), height, width };
        let bad = |error: String| RetrievalError::Codes { problem: error };
        Ok(Self {
            codebook: Codebook::new(codes.len(), codebook.dim(), rows).map_err(|e| bad(e.to_string()))?,
            index_map: IndexMap::new(shape, codes.len(), labels).map_err(|e| bad(e.to_string()))?,
            codes,
        })
    }
}

/// From when to when a window of sampled frames shows a video, in seconds: each frame stands for the time from halfway after the frame
/// before it to halfway to the next one, and the first and the last for no time outside of the sampled frames. A window of a single
/// frame of a video of a single frame has no length.
///
/// Frames beyond the last are taken as the last.
pub fn window_seconds(tokens: &VideoTokens, frames: &Range<usize>) -> (f64, f64) {
    let times = &tokens.timestamps;
    let at = |frame: usize| times.get(frame.min(times.len().saturating_sub(1))).copied().unwrap_or_default();
    let between = |frame: usize| 0.5 * (at(frame.saturating_sub(1)) + at(frame));
    let start = if frames.start == 0 { at(0) } else { between(frames.start) };
    let end = if frames.end >= times.len() { at(times.len()) } else { between(frames.end) };
    (start, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes() -> (Codebook, IndexMap) {
        let codebook = Codebook::new(3, 2, vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        let shape = GridShape { frames: 3, height: 1, width: 2 };
        (codebook, IndexMap::new(shape, 3, vec![0, 0, 2, 0, 2, 1]).unwrap())
    }

    #[test]
    fn a_window_has_the_codes_that_occur_in_it() {
        let (codebook, map) = codes();
        let window = CodeWindow::cut(&codebook, &map, 1..2).unwrap();
        assert_eq!(window.codes, [0, 2]);
        assert_eq!(window.codebook.data(), [0.0, 1.0, 4.0, 5.0]);
        assert_eq!(window.index_map.labels(), [1, 0]);
        let whole = CodeWindow::cut(&codebook, &map, 0..3).unwrap();
        assert_eq!((&whole.codebook, &whole.index_map), (&codebook, &map));
    }

    #[test]
    fn a_window_outside_of_the_video_is_refused() {
        let (codebook, map) = codes();
        for frames in [1..1, 2..4, 5..6] {
            let error = CodeWindow::cut(&codebook, &map, frames).unwrap_err().to_string();
            assert!(error.contains("3 sampled frames"), "{error}");
        }
    }
}
