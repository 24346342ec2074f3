//! Two videos compared: by the codes they have in common, and by their course in time.

use vqtoken_core::VideoTokens;

use crate::alignment::{Alignment, align_prepared};
use crate::error::SimilarityError;
use crate::mean::ArchiveMean;
use crate::prepare::{check_mean, check_pair, relative_codes, scale_to_unit, shares, unit_codes};

/// Codes closer than this (squared distance of unit vectors) are the same code, rounded.
const SAME_CODE: f32 = 1e-6;

/// How videos are compared. All codes of a model point in similar directions, so they are compared relative to a mean: that of an
/// archive if one is given, else that of the two videos.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    pub(crate) mean: Option<ArchiveMean>,
}

impl Comparison {
    /// Relative to the mean of an archive.
    #[must_use]
    pub fn with_mean(mean: ArchiveMean) -> Self {
        Self { mean: Some(mean) }
    }

    /// How much of each video the other shows, too, whenever and wherever: each code finds its best partner in the other video, the
    /// cosines (those below 0 count 0) are averaged over the cells of each video, and the two averages over both. In `[0, 1]`,
    /// symmetric, 1 for equal sets of codes.
    ///
    /// # Errors
    /// If the videos are of different models, or one cannot be compared at all.
    pub fn similarity(&self, a: &VideoTokens, b: &VideoTokens) -> Result<f32, SimilarityError> {
        let mean = self.mean_for(a, b)?;
        let dim = mean.dim();
        let (a_codes, b_codes) = (Directions::new(a, &mean), Directions::new(b, &mean));
        let (mut best_of_a, mut best_of_b) =
            (vec![0.0_f32; a_codes.count(dim)], vec![0.0_f32; b_codes.count(dim)]);
        for (i, best_of_a) in best_of_a.iter_mut().enumerate() {
            for (j, best_of_b) in best_of_b.iter_mut().enumerate() {
                let cosine = a_codes.cosine(i, &b_codes, j, dim);
                *best_of_a = best_of_a.max(cosine);
                *best_of_b = best_of_b.max(cosine);
            }
        }
        let average =
            |best: &[f32], shares: &[f32]| best.iter().zip(shares).map(|(best, share)| best * share).sum();
        let (of_a, of_b): (f32, f32) = (average(&best_of_a, &shares(a)), average(&best_of_b, &shares(b)));
        Ok((0.5 * (of_a + of_b)).clamp(0.0, 1.0))
    }

    /// Where the two videos show the same in the same course of time.
    ///
    /// # Errors
    /// As [`Self::similarity`], and if a video has only one instant.
    pub fn align(&self, a: &VideoTokens, b: &VideoTokens) -> Result<Alignment, SimilarityError> {
        self.align_at_least(a, b, 0.0)
    }

    /// The same, faster for videos that do not reach a score: a score below `least` may be too high.
    ///
    /// # Errors
    /// As [`Self::align`].
    pub fn align_at_least(
        &self,
        a: &VideoTokens,
        b: &VideoTokens,
        least: f32,
    ) -> Result<Alignment, SimilarityError> {
        let mean = self.mean_for(a, b)?;
        for video in [a, b] {
            if video.timestamps.first() == video.timestamps.last() {
                return Err(SimilarityError::OneFrame { frames: video.timestamps.len() });
            }
        }
        Ok(align_prepared(a, b, &mean, least))
    }

    /// The mean to compare two videos relative to, `[D]`, once they are known to be comparable.
    fn mean_for(&self, a: &VideoTokens, b: &VideoTokens) -> Result<ArchiveMean, SimilarityError> {
        check_pair(a, b)?;
        match &self.mean {
            Some(mean) => check_mean(a, mean).map(|()| mean.clone()),
            None => Ok(ArchiveMean::of_two(a, b)),
        }
    }
}

/// [`Comparison::similarity`] relative to the mean of the two videos.
///
/// # Errors
/// As there.
pub fn similarity(a: &VideoTokens, b: &VideoTokens) -> Result<f32, SimilarityError> {
    Comparison::default().similarity(a, b)
}

/// [`Comparison::align`] relative to the mean of the two videos.
///
/// # Errors
/// As there.
pub fn align(a: &VideoTokens, b: &VideoTokens) -> Result<Alignment, SimilarityError> {
    Comparison::default().align(a, b)
}

/// Codes as directions from the mean, and as they are.
struct Directions {
    units: Vec<f32>,
    relative: Vec<f32>,
}

impl Directions {
    fn new(video: &VideoTokens, mean: &ArchiveMean) -> Self {
        let mut relative = relative_codes(video, mean);
        relative.chunks_exact_mut(mean.dim()).for_each(scale_to_unit);
        Self { units: unit_codes(&video.codebook), relative }
    }

    fn count(&self, dim: usize) -> usize {
        self.units.len() / dim
    }

    /// The cosine of two codes. Equal codes have 1 also where the mean is equal to them, so that no direction is left.
    fn cosine(&self, i: usize, other: &Self, j: usize, dim: usize) -> f32 {
        let of = |values: &[f32], index: usize| index * dim..index * dim + dim.min(values.len());
        let (a, b) = (&self.units[of(&self.units, i)], &other.units[of(&other.units, j)]);
        let distance: f32 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
        match distance < SAME_CODE {
            true => 1.0,
            false => crate::prepare::dot(
                &self.relative[of(&self.relative, i)],
                &other.relative[of(&other.relative, j)],
            ),
        }
    }
}
