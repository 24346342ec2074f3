//! The course of two videos in time: the line through their frames along which they agree.

use vqtoken_core::VideoTokens;

use crate::frames::{FrameSimilarity, Side, code_products, frame_codes, frame_lengths, relative_frames};
use crate::line::{Line, best_line};
use crate::mean::ArchiveMean;
use crate::prepare::relative_codes;

/// Frames of either video that are compared; of longer ones every second, third and so on is taken.
const MOST_FRAMES: usize = 4096;

/// Where two videos show the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alignment {
    /// How sure it is that they do, in `[0, 1]`: how alike the frames are along the line, and for how much of the shorter video.
    pub score: f32,
    /// Seconds of the second video that pass in one of the first.
    pub speed: f64,
    /// The stretch of the first video.
    pub a: Stretch,
    /// The stretch of the second video.
    pub b: Stretch,
    /// Whether left and right are exchanged.
    pub mirrored: bool,
}

/// A stretch of a video, in seconds of its timestamps.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stretch {
    /// When its first frame is shown.
    pub from: f64,
    /// When its last frame is shown.
    pub to: f64,
}

/// [`Alignment`] of two videos that can be compared.
pub(crate) fn align_prepared(a: &VideoTokens, b: &VideoTokens, mean: &ArchiveMean) -> Alignment {
    let (a, b) = (Frames::new(a, mean), Frames::new(b, mean));
    let products = code_products(&a.codes, &b.codes, mean.dim());
    let line = |side: Side| {
        let similarity = FrameSimilarity::new(
            (&a.frames, &a.lengths),
            (&b.frames, &b.lengths),
            &products,
            b.codes.len() / mean.dim(),
            side,
        );
        best_line(&similarity, &a.times, &b.times)
    };
    let (as_is, mirrored) = (line(Side::AsIs), line(Side::Mirrored));
    match mirrored.score > as_is.score {
        true => alignment(mirrored, true),
        false => alignment(as_is, false),
    }
}

fn alignment(line: Line, mirrored: bool) -> Alignment {
    let Line { score, speed, a, b } = line;
    Alignment { score, speed, a, b, mirrored }
}

struct Frames {
    /// `[K, D]`, relative to the mean.
    codes: Vec<f32>,
    frames: Vec<crate::frames::FrameCodes>,
    lengths: Vec<crate::frames::Lengths>,
    times: Vec<f64>,
}

impl Frames {
    fn new(video: &VideoTokens, mean: &ArchiveMean) -> Self {
        let dim = mean.dim();
        let mut codes = relative_codes(video, mean);
        let step = video.timestamps.len().div_ceil(MOST_FRAMES);
        let frames = relative_frames(frame_codes(video, step), video.codebook.codes());
        codes.extend_from_slice(mean.places());
        let lengths = frame_lengths(&frames, &code_products(&codes, &codes, dim), codes.len() / dim);
        let times = video.timestamps.iter().copied().step_by(step).collect();
        Self { codes, frames, lengths, times }
    }
}
