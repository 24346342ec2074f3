//! What all videos of a model have in common, which says nothing about one of them.

use vqtoken_core::VideoTokens;

use crate::error::SimilarityError;
use crate::frames::{PARTS, PLACES, frame_codes};
use crate::picture_area::PictureArea;
use crate::prepare::{check, unit_codes};

/// Codes of one model all point in similar directions, and those at one place of the picture in still more similar ones. This is the
/// mean over many videos: of their unit codes, and of their frames by coarse places. Videos compared relative to it differ more.
#[derive(Clone, Debug, PartialEq)]
pub struct ArchiveMean {
    model: String,
    dim: usize,
    /// `[places + 1, D]`: how the mean frame differs at each place from the frame as a whole, then the mean code.
    values: Vec<f32>,
}

impl ArchiveMean {
    /// The mean over some videos, each of the same weight. A few hundred are enough.
    ///
    /// # Errors
    /// If there is no video, or one is of another model than the first or cannot be compared at all.
    pub fn of<'a>(videos: impl IntoIterator<Item = &'a VideoTokens>) -> Result<Self, SimilarityError> {
        let (mut model, mut dim, mut count) = (None, 0, 0.0);
        let mut sums = Vec::new();
        for video in videos {
            check(video)?;
            let model = model.get_or_insert_with(|| video.model.clone());
            if *model != video.model {
                return Err(SimilarityError::Models { a: model.clone(), b: video.model.clone() });
            }
            if count == 0.0 {
                dim = video.codebook.dim();
                sums = vec![0.0_f64; PARTS * dim];
            } else if dim != video.codebook.dim() {
                return Err(SimilarityError::Dimensions { a: dim, b: video.codebook.dim() });
            }
            count += 1.0;
            sums.iter_mut().zip(video_mean(video)).for_each(|(sum, value)| *sum += f64::from(value));
        }
        let values = sums.iter().map(|sum| (sum / count) as f32).collect();
        Self::new(model.unwrap_or_default(), dim, values)
    }

    /// A mean that was kept: what [`Self::values`] gave, of codes of `dim` channels.
    ///
    /// # Errors
    /// If it has another length than `10 * dim`, or is not finite.
    pub fn new(model: String, dim: usize, values: Vec<f32>) -> Result<Self, SimilarityError> {
        let fits = dim > 0 && dim.checked_mul(PARTS) == Some(values.len());
        match fits && values.iter().all(|value| value.is_finite()) {
            true => Ok(Self { model, dim, values }),
            false => Err(SimilarityError::Mean),
        }
    }

    /// The model whose codes it is the mean of.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// D.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// All values, `[10, D]`: nine places, row by row, and the mean code.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The mean of two videos for a comparison where there is no archive.
    pub(crate) fn of_two(a: &VideoTokens, b: &VideoTokens) -> Self {
        let dim = a.codebook.dim();
        let codes = (a.codebook.codes() + b.codebook.codes()) as f32;
        let mut values: Vec<f32> =
            video_mean(a).iter().zip(video_mean(b)).map(|(a, b)| 0.5 * (a + b)).collect();
        let (places, code) = values.split_at_mut(PLACES * dim);
        // Two frames of a pair are too few for a mean: what they share may be what they show.
        places.iter_mut().for_each(|value| *value *= PAIR_PLACES);
        code.iter_mut().for_each(|value| *value *= codes / (codes + PRIOR_CODES));
        Self { model: a.model.clone(), dim, values }
    }

    /// The mean code, `[D]`.
    pub(crate) fn code(&self) -> &[f32] {
        &self.values[PLACES * self.dim..]
    }

    /// `[places, D]`.
    pub(crate) fn places(&self) -> &[f32] {
        &self.values[..PLACES * self.dim]
    }
}

/// How much of what two videos have in common at a place is taken for the model's.
const PAIR_PLACES: f32 = 0.75;
/// As many codes the mean of two videos counts as if they had been zero: two videos of one code each would be opposite to each other
/// otherwise.
const PRIOR_CODES: f32 = 8.0;

/// The means of one video, `[places + 1, D]`.
fn video_mean(video: &VideoTokens) -> Vec<f32> {
    let dim = video.codebook.dim();
    let codes = unit_codes(&video.codebook);
    let mut amounts = vec![[0.0_f32; PLACES]; video.codebook.codes()];
    let indices: Vec<usize> = (0..video.timestamps.len()).collect();
    let frames = frame_codes(&video.index_map, &PictureArea::of(video), &indices);
    for frame in &frames {
        for (code, of_frame) in &frame.0 {
            amounts[*code as usize].iter_mut().zip(of_frame).for_each(|(sum, amount)| *sum += amount);
        }
    }
    let mut sums = vec![0.0_f32; PARTS * dim];
    for (code, amounts) in codes.chunks_exact(dim).zip(&amounts) {
        let (places, whole) = sums.split_at_mut(PLACES * dim);
        for (place, amount) in places.chunks_exact_mut(dim).zip(amounts) {
            place.iter_mut().zip(code).for_each(|(sum, value)| *sum += amount / frames.len() as f32 * value);
        }
        whole.iter_mut().zip(code).for_each(|(sum, value)| *sum += value / video.codebook.codes() as f32);
    }
    sums
}
