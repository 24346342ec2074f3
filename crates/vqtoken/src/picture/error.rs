//! What keeps video tokens from being drawn, or a picture from being saved.

use vqtoken_core::VideoTokens;
use vqtoken_files::WriteError;
use vqtoken_video::Frame;

/// Why there is no picture. Every message is one line: what, where, remedy.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// Not one frame for each step of the index map.
    #[error(
        "{found} frames were given for video tokens of {expected} frames: sample the video as it was encoded, with --frames {expected}"
    )]
    FrameCount {
        /// How many frames were given.
        found: usize,
        /// T.
        expected: usize,
    },
    /// The frames differ in size.
    #[error(
        "frame {frame} is {} x {}, but frame 0 is {} x {}: give frames of one size",
        found.0, found.1, expected.0, expected.1
    )]
    FrameSize {
        /// The first frame that differs.
        frame: usize,
        /// Its width and height.
        found: (usize, usize),
        /// Width and height of frame 0.
        expected: (usize, usize),
    },
    /// Not one timestamp for each step of the index map.
    #[error("video tokens of {expected} frames have {found} timestamps: encode the video again")]
    Timestamps {
        /// How many there are.
        found: usize,
        /// T.
        expected: usize,
    },
    /// Codebook and index map differ in K.
    #[error("the codebook has {codebook} codes but the index map {index_map}: encode the video again")]
    Codes {
        /// K of the codebook.
        codebook: usize,
        /// K of the index map.
        index_map: usize,
    },
    /// Nothing was chosen.
    #[error(
        "a fixed budget has no curve to draw: quantize with an adaptive one, such as adaptive:elbow:12-32"
    )]
    NoCurve,
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Whether video tokens and frames belong together.
pub(super) fn check(tokens: &VideoTokens, frames: Option<&[Frame]>) -> Result<(), PictureError> {
    let expected = tokens.index_map.shape().frames;
    let (codebook, index_map) = (tokens.codebook.codes(), tokens.index_map.codes());
    if codebook != index_map {
        return Err(PictureError::Codes { codebook, index_map });
    }
    if tokens.timestamps.len() != expected {
        return Err(PictureError::Timestamps { found: tokens.timestamps.len(), expected });
    }
    let Some(frames) = frames else { return Ok(()) };
    if frames.len() != expected {
        return Err(PictureError::FrameCount { found: frames.len(), expected });
    }
    let size = |frame: &Frame| (frame.width(), frame.height());
    match frames.iter().position(|frame| size(frame) != size(&frames[0])) {
        Some(frame) => {
            Err(PictureError::FrameSize { frame, found: size(&frames[frame]), expected: size(&frames[0]) })
        }
        None => Ok(()),
    }
}
