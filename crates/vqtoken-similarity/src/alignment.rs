//! The course of two videos in time: the line through their frames along which they agree.

use vqtoken_core::VideoTokens;

use crate::frames::{
    FrameCodes, FrameSimilarity, Lengths, Side, code_products, frame_codes, relative_frames,
};
use crate::line::{alike_along, best_line};
use crate::mean::ArchiveMean;
use crate::picture_area::PictureArea;
use crate::prepare::relative_codes;

/// Frames of either video that are compared; of longer ones every second, third and so on is taken.
const MOST_FRAMES: usize = 4096;

/// Where two videos show the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alignment {
    /// How sure it is that they do, in `[0, 1]`: how alike the frames are along the line, for how much of the shorter video, and a little
    /// less for mirrored pictures and other speeds.
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

/// What a mirrored line's score is multiplied by, and what half or double speed takes off: of other videos some line or other always fits
/// by chance, and the more kinds of lines there are, the more often.
const MIRRORED_SCORE: f32 = 0.97;
const SPEED_SCORE: f32 = 0.08;
/// The part of the rows and columns that a crop takes away, when it is looked whether one video is a crop of the other.
const CROP: f32 = 0.12;

/// [`Alignment`] of two videos that can be compared.
pub(crate) fn align_prepared(a: &VideoTokens, b: &VideoTokens, mean: &ArchiveMean) -> Alignment {
    let (a, b) = (Picture::new(a, mean), Picture::new(b, mean));
    let (a_frames, b_frames) = (a.frames(&a.area, None), b.frames(&b.area, None));
    let products = code_products(&a.codes, &b.codes, mean.dim());
    let codes_of_b = b.codes.len() / mean.dim();
    let similarity = |a: &Frames, b: &Frames, side| {
        FrameSimilarity::new(&a.frames, &b.frames, &products, codes_of_b, side)
    };
    let line = |side| best_line(&similarity(&a_frames, &b_frames, side), &a_frames.times, &b_frames.times);
    let (as_is, mirrored) = (line(Side::AsIs), line(Side::Mirrored));
    let (side, mut line, factor) = match MIRRORED_SCORE * mirrored.score() > as_is.score() {
        true => (Side::Mirrored, mirrored, MIRRORED_SCORE),
        false => (Side::AsIs, as_is, 1.0),
    };
    let cropped = |a_area: &PictureArea, b_area: &PictureArea| {
        let (a, b) = (a.frames(a_area, Some(line.a)), b.frames(b_area, Some(line.b)));
        let enough = a.times.first() < a.times.last() && b.times.first() < b.times.last();
        if enough { alike_along(&line, &similarity(&a, &b, side), &a.times, &b.times) } else { 0.0 }
    };
    let of_a = a.area.crops(CROP).into_iter().map(|area| cropped(&area, &b.area));
    let of_b = b.area.crops(CROP).into_iter().map(|area| cropped(&a.area, &area));
    line.alike = of_a.chain(of_b).fold(line.alike, f32::max);
    let speed_factor = 1.0 - SPEED_SCORE * line.speed.log2().abs() as f32;
    let score = (line.score() * factor * speed_factor).clamp(0.0, 1.0);
    Alignment { score, speed: line.speed, a: line.a, b: line.b, mirrored: side == Side::Mirrored }
}

/// A video whose frames can be cut out and compared.
struct Picture<'a> {
    video: &'a VideoTokens,
    area: PictureArea,
    /// Relative to the mean, and after them the mean's places, `[K + places, D]`.
    codes: Vec<f32>,
    /// `[K + places, K + places]`.
    products: Vec<f32>,
}

struct Frames {
    frames: Vec<(FrameCodes, Lengths)>,
    times: Vec<f64>,
}

impl<'a> Picture<'a> {
    fn new(video: &'a VideoTokens, mean: &ArchiveMean) -> Self {
        let mut codes = relative_codes(video, mean);
        codes.extend_from_slice(mean.places());
        let products = code_products(&codes, &codes, mean.dim());
        Self { video, area: PictureArea::of(video), codes, products }
    }

    /// The frames of a stretch, or all, at most [`MOST_FRAMES`], of an area of the picture.
    fn frames(&self, area: &PictureArea, stretch: Option<Stretch>) -> Frames {
        let times = &self.video.timestamps;
        let step = times.len().div_ceil(MOST_FRAMES);
        let shown = |&frame: &usize| {
            stretch.is_none_or(|stretch| (stretch.from..=stretch.to).contains(&times[frame]))
        };
        let indices: Vec<usize> = (0..times.len()).step_by(step).filter(shown).collect();
        let frames = frame_codes(&self.video.index_map, area, &indices);
        let codes = self.products.len().isqrt();
        let frames = relative_frames(frames, self.video.codebook.codes()).into_iter().map(|frame| {
            let lengths = Lengths::of(&frame, &self.products, codes);
            (frame, lengths)
        });
        Frames { frames: frames.collect(), times: indices.iter().map(|&frame| times[frame]).collect() }
    }
}
