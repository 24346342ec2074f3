//! A close look at two videos along the line that was found: at places fine enough to tell scenes that look alike, and at what moves there.

use crate::fine_frames::{FineFrame, FineGrid};
use crate::frames::{Products, Side};
use crate::line::Line;
use crate::picture::Picture;
use crate::picture_area::PictureArea;

/// Places along each side of the picture.
const SIDE: usize = 13;
/// Instants that are compared.
const INSTANTS: usize = 32;
/// The same while it is looked how the picture was cropped.
const CROP_SIDE: usize = 9;
const CROP_INSTANTS: usize = 4;
/// Mean squares of a place that are as good as nothing: two such pictures are alike, and two videos where no more than that moves.
const EVEN: f32 = 1e-4;
const STILL: f32 = 0.005;
/// How much it takes off that nothing of what moves in one moves in the other.
const MOTION_WEIGHT: f32 = 0.2;

/// Two videos, and where they seem to show the same.
pub(crate) struct CloseLook<'a> {
    pub(crate) a: &'a Picture<'a>,
    pub(crate) b: &'a Picture<'a>,
    /// Of the codes of `a` with those of `b`.
    pub(crate) products: Products<'a>,
    pub(crate) side: Side,
    pub(crate) line: Line,
}

impl CloseLook<'_> {
    /// How alike they are, in `[0, 1]`, both whole or one cropped by a share of its rows and columns.
    pub(crate) fn alike(&self, crop: f32) -> f32 {
        let areas = self.best_areas(crop);
        let side = areas.iter().flat_map(PictureArea::size).fold(SIDE, usize::min);
        let [a, b] = [0, 1].map(|video| self.frames(video, &areas[video], side, INSTANTS));
        let all = self.agreement(&a, &b);
        let [still_a, still_b] = [&a, &b].map(|frames| {
            let share = 1.0 / frames.len() as f32;
            FineFrame::sum_of(&frames.iter().map(|frame| (frame, share)).collect::<Vec<_>>())
        });
        let moving = all.without(self.agreement(&[still_a], &[still_b]));
        (all.cosine() * (1.0 - MOTION_WEIGHT * moving.difference())).clamp(0.0, 1.0)
    }

    /// Both pictures whole, or one of them cropped, whichever is most alike.
    fn best_areas(&self, crop: f32) -> [PictureArea; 2] {
        let areas = [self.a, self.b].map(|picture| picture.area.clone());
        let crops = [0, 1].map(|video: usize| areas[video].crops(crop));
        let side =
            crops.iter().flatten().chain(&areas).flat_map(PictureArea::size).fold(CROP_SIDE, usize::min);
        let frames = |video: usize, area: &PictureArea| self.frames(video, area, side, CROP_INSTANTS);
        let whole = [0, 1].map(|video| frames(video, &areas[video]));
        let mut best = (self.agreement(&whole[0], &whole[1]).cosine(), areas.clone());
        for (video, crops) in crops.into_iter().enumerate() {
            for crop in crops {
                let cropped = frames(video, &crop);
                let (a, b) = if video == 0 { (&cropped, &whole[1]) } else { (&whole[0], &cropped) };
                let cosine = self.agreement(a, b).cosine();
                if cosine > best.0 {
                    best = (cosine, areas.clone());
                    best.1[video] = crop;
                }
            }
        }
        best.1
    }

    /// Frames of the first video (0) at even distances along the line, at most so many, or what the second one (1) shows at the same
    /// instants: between two of its frames both, the more the nearer.
    fn frames(&self, video: usize, area: &PictureArea, side: usize, most: usize) -> Vec<FineFrame> {
        let (a, b) = (self.a.video, self.b.video);
        let (of, seen) = if video == 0 { (a, self.side) } else { (b, Side::AsIs) };
        let grid = FineGrid::new(side, area.clone(), seen, of.codebook.codes());
        let frame = |frame: usize| match video {
            0 => grid.frame(&a.index_map, frame),
            _ => {
                let (before, share) = between(&b.timestamps, self.line.in_b(a.timestamps[frame]));
                let [first, second] = [before, before + 1].map(|frame| grid.frame(&b.index_map, frame));
                FineFrame::sum_of(&[(&first, 1.0 - share), (&second, share)])
            }
        };
        self.instants(most).into_iter().map(frame).collect()
    }

    /// Frames of the first video.
    fn instants(&self, most: usize) -> Vec<usize> {
        let times = &self.a.video.timestamps;
        let shown = |frame: &usize| (self.line.a.from..=self.line.a.to).contains(&times[*frame]);
        let all: Vec<usize> = (0..times.len()).filter(shown).collect();
        let count = most.min(all.len());
        (0..count).map(|index| all[index * (all.len() - 1) / (count - 1).max(1)]).collect()
    }

    fn agreement(&self, a: &[FineFrame], b: &[FineFrame]) -> Agreement {
        let mean = |a: &[FineFrame], b: &[FineFrame], products| {
            a.iter().zip(b).map(|(a, b)| a.product(b, products)).sum::<f32>() / a.len() as f32
        };
        Agreement {
            ab: mean(a, b, self.products),
            aa: mean(a, a, self.a.products()),
            bb: mean(b, b, self.b.products()),
        }
    }
}

/// Products of the frames of two videos with each other and with themselves, on average over places and instants.
#[derive(Clone, Copy)]
struct Agreement {
    ab: f32,
    aa: f32,
    bb: f32,
}

impl Agreement {
    fn without(self, other: Self) -> Self {
        Self { ab: self.ab - other.ab, aa: self.aa - other.aa, bb: self.bb - other.bb }
    }

    fn cosine(self) -> f32 {
        (self.ab + EVEN) / ((self.aa.max(0.0) + EVEN) * (self.bb.max(0.0) + EVEN)).sqrt()
    }

    /// 0 if they are equal, 1 if they have nothing in common.
    fn difference(self) -> f32 {
        let squares = self.aa + self.bb;
        ((squares - 2.0 * self.ab) / (squares + STILL)).clamp(0.0, 1.0)
    }
}

/// The frame at or before an instant, of at least two, and how far it is to the next one.
fn between(times: &[f64], instant: f64) -> (usize, f32) {
    let before = times.partition_point(|time| *time <= instant).saturating_sub(1).min(times.len() - 2);
    let seconds = times[before + 1] - times[before];
    let share = if seconds > 0.0 { (instant - times[before]) / seconds } else { 0.0 };
    (before, share.clamp(0.0, 1.0) as f32)
}
