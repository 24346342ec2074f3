//! A video made ready to be compared with others, and its frames at coarse places.

use vqtoken_core::VideoTokens;

use crate::frames::{FrameCodes, Lengths, Products, code_products, frame_codes, relative_frames};
use crate::line::Stretch;
use crate::mean::ArchiveMean;
use crate::picture_area::PictureArea;
use crate::prepare::relative_codes;

/// Frames of either video that are compared; of longer ones every second, third and so on is taken.
const MOST_FRAMES: usize = 4096;

/// A video whose frames can be cut out and compared.
pub(crate) struct Picture<'a> {
    pub(crate) video: &'a VideoTokens,
    pub(crate) area: PictureArea,
    /// Relative to the mean, and after them the mean's places, `[K + places, D]`.
    pub(crate) codes: Vec<f32>,
    /// `[K + places, K + places]`.
    products: Vec<f32>,
}

/// Frames at coarse places, and when they are shown.
pub(crate) struct Frames {
    pub(crate) frames: Vec<(FrameCodes, Lengths)>,
    pub(crate) times: Vec<f64>,
}

impl<'a> Picture<'a> {
    pub(crate) fn new(video: &'a VideoTokens, mean: &ArchiveMean) -> Self {
        let mut codes = relative_codes(video, mean);
        codes.extend_from_slice(mean.places());
        let products = code_products(&codes, &codes, mean.dim());
        Self { video, area: PictureArea::of(video), codes, products }
    }

    /// K and the mean's places.
    pub(crate) fn code_count(&self) -> usize {
        self.products.len().isqrt()
    }

    /// The products of its codes with each other.
    pub(crate) fn products(&self) -> Products<'_> {
        Products { values: &self.products, columns: self.code_count() }
    }

    /// The frames of a stretch, or all, at most [`MOST_FRAMES`], of an area of the picture.
    pub(crate) fn frames(&self, area: &PictureArea, stretch: Option<Stretch>) -> Frames {
        let times = &self.video.timestamps;
        let step = times.len().div_ceil(MOST_FRAMES);
        let shown = |&frame: &usize| {
            stretch.is_none_or(|stretch| (stretch.from..=stretch.to).contains(&times[frame]))
        };
        let indices: Vec<usize> = (0..times.len()).step_by(step).filter(shown).collect();
        let frames = frame_codes(&self.video.index_map, area, &indices);
        let codes = self.code_count();
        let frames = relative_frames(frames, self.video.codebook.codes()).into_iter().map(|frame| {
            let lengths = Lengths::of(&frame, &self.products, codes);
            (frame, lengths)
        });
        Frames { frames: frames.collect(), times: indices.iter().map(|&frame| times[frame]).collect() }
    }
}
