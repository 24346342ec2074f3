//! The course of two videos in time: the line through their frames along which they agree.

use vqtoken_core::VideoTokens;

use crate::close_look::CloseLook;
use crate::frames::{FrameSimilarity, Products, Side, code_products};
use crate::line::{Stretch, alike_along, best_line};
use crate::mean::ArchiveMean;
use crate::picture::{Frames, Picture};
use crate::picture_area::PictureArea;

/// Where two videos show the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alignment {
    /// How sure it is that they do, in `[0, 1]`: how alike the frames are along the line, at coarse places and again at fine ones, for how
    /// much of the shorter video, and a little less for mirrored pictures and other speeds.
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

/// What a mirrored line's score is multiplied by, and what half or double speed takes off: of other videos some line or other always fits
/// by chance, and the more kinds of lines there are, the more often.
const MIRRORED_SCORE: f32 = 0.97;
const SPEED_SCORE: f32 = 0.08;
/// The part of the rows and columns that a crop takes away, when it is looked whether one video is a crop of the other.
const CROP: f32 = 0.12;

/// [`Alignment`] of two videos that can be compared. A score below `least` may be too high: those are not looked at closely.
pub(crate) fn align_prepared(a: &VideoTokens, b: &VideoTokens, mean: &ArchiveMean, least: f32) -> Alignment {
    let (a, b) = (Picture::new(a, mean), Picture::new(b, mean));
    let (a_frames, b_frames) = (a.frames(&a.area, None), b.frames(&b.area, None));
    let products = code_products(&a.codes, &b.codes, mean.dim());
    let products = Products { values: &products, columns: b.code_count() };
    let similarity =
        |a: &Frames, b: &Frames, side| FrameSimilarity::new(&a.frames, &b.frames, products, side);
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
    let of_a = a.area.corner_crops(CROP).into_iter().map(|area| cropped(&area, &b.area));
    let of_b = b.area.corner_crops(CROP).into_iter().map(|area| cropped(&a.area, &area));
    line.alike = of_a.chain(of_b).fold(line.alike, f32::max);
    let speed_factor = 1.0 - SPEED_SCORE * line.speed.log2().abs() as f32;
    let mut score = (line.score() * factor * speed_factor).clamp(0.0, 1.0);
    if score >= least {
        score *= CloseLook { a: &a, b: &b, products, side, line }.alike(CROP);
    }
    Alignment { score, speed: line.speed, a: line.a, b: line.b, mirrored: side == Side::Mirrored }
}
