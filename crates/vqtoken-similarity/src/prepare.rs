//! What every comparison begins with: video tokens checked, codes of length 1 relative to a mean, and how much of the video each covers.

use vqtoken_core::{Codebook, VideoTokens};

use crate::error::SimilarityError;
use crate::mean::ArchiveMean;
use crate::picture_area::PictureArea;

/// Whether video tokens can be compared with others.
pub(crate) fn check(tokens: &VideoTokens) -> Result<(), SimilarityError> {
    let (codebook, map) = (&tokens.codebook, &tokens.index_map);
    if map.codes() != codebook.codes() {
        return Err(SimilarityError::Codes { map: map.codes(), codebook: codebook.codes() });
    }
    if tokens.timestamps.len() != map.shape().frames {
        let (timestamps, frames) = (tokens.timestamps.len(), map.shape().frames);
        return Err(SimilarityError::Timestamps { timestamps, frames });
    }
    if let Some(value) = codebook.data().iter().position(|value| !value.is_finite()) {
        return Err(SimilarityError::NotFinite { code: value / codebook.dim() });
    }
    if codebook.data().iter().all(|&value| value == 0.0) {
        return Err(SimilarityError::NoCodes);
    }
    let mut before = f64::NEG_INFINITY;
    for (frame, &seconds) in tokens.timestamps.iter().enumerate() {
        if !seconds.is_finite() || seconds < before {
            return Err(SimilarityError::Time { frame, seconds });
        }
        before = seconds;
    }
    Ok(())
}

/// Whether two checked videos can be compared with each other.
pub(crate) fn check_pair(a: &VideoTokens, b: &VideoTokens) -> Result<(), SimilarityError> {
    check(a)?;
    check(b)?;
    if a.model != b.model {
        return Err(SimilarityError::Models { a: a.model.clone(), b: b.model.clone() });
    }
    match (a.codebook.dim(), b.codebook.dim()) {
        (a, b) if a != b => Err(SimilarityError::Dimensions { a, b }),
        _ => Ok(()),
    }
}

/// Whether codes of a video can be compared relative to a mean.
pub(crate) fn check_mean(tokens: &VideoTokens, mean: &ArchiveMean) -> Result<(), SimilarityError> {
    if mean.model() != tokens.model {
        return Err(SimilarityError::Models { a: mean.model().to_owned(), b: tokens.model.clone() });
    }
    match (mean.dim(), tokens.codebook.dim()) {
        (a, b) if a != b => Err(SimilarityError::Dimensions { a, b }),
        _ => Ok(()),
    }
}

/// The codes at length 1, `[K, D]`; a zero vector stays one.
pub(crate) fn unit_codes(codebook: &Codebook) -> Vec<f32> {
    let mut units = codebook.data().to_vec();
    units.chunks_exact_mut(codebook.dim()).for_each(scale_to_unit);
    units
}

/// Scales a vector to length 1, however large or small its values are.
pub(crate) fn scale_to_unit(vector: &mut [f32]) {
    let largest = vector.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    if largest == 0.0 {
        return;
    }
    // Dividing by the largest first keeps squares of tiny values from vanishing.
    vector.iter_mut().for_each(|value| *value /= largest);
    let length = dot(vector, vector).sqrt();
    vector.iter_mut().for_each(|value| *value /= length);
}

/// Unit codes relative to a mean, `[K, D]`.
pub(crate) fn relative_codes(tokens: &VideoTokens, mean: &ArchiveMean) -> Vec<f32> {
    let mut codes = unit_codes(&tokens.codebook);
    for code in codes.chunks_exact_mut(mean.dim()) {
        code.iter_mut().zip(mean.code()).for_each(|(value, mean)| *value -= mean);
    }
    codes
}

/// The share of the picture's cells that each code holds, `[K]`.
pub(crate) fn shares(tokens: &VideoTokens) -> Vec<f32> {
    let (map, area) = (&tokens.index_map, PictureArea::of(tokens));
    let (mut counts, mut all) = (vec![0_u32; map.codes()], 0.0);
    for frame in 0..map.shape().frames {
        for labels in area.rows_of(map.frame(frame), map.shape().width) {
            labels.iter().for_each(|&label| counts[label as usize] += 1);
            all += labels.len() as f64;
        }
    }
    counts.iter().map(|&count| (f64::from(count) / all) as f32).collect()
}

/// The product of two vectors, summed in eight lanes of a fixed order.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    let (a_blocks, a_rest) = a.as_chunks::<8>();
    let (b_blocks, b_rest) = b.as_chunks::<8>();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..8 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}
