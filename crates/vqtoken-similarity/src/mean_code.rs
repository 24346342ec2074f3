//! The mean code of an archive: the direction that all codes of one model share, which says nothing about a video.

use vqtoken_core::VideoTokens;

use crate::error::SimilarityError;
use crate::prepare::{check, unit_codes};

/// The mean of the unit codes of many videos, `[D]`, with the model that made them.
#[derive(Clone, Debug, PartialEq)]
pub struct MeanCode {
    model: String,
    values: Vec<f32>,
}

impl MeanCode {
    /// The mean over all codes of some videos, each code of length 1 and of the same weight. A few hundred videos are enough.
    ///
    /// # Errors
    /// If there is no video, or one is of another model than the first or cannot be compared at all.
    pub fn of<'a>(videos: impl IntoIterator<Item = &'a VideoTokens>) -> Result<Self, SimilarityError> {
        let mut model = None;
        let (mut sums, mut codes) = (Vec::new(), 0_usize);
        for video in videos {
            check(video)?;
            let model = model.get_or_insert_with(|| video.model.clone());
            if *model != video.model {
                return Err(SimilarityError::Models { a: model.clone(), b: video.model.clone() });
            }
            let dim = video.codebook.dim();
            if sums.is_empty() {
                sums = vec![0.0_f64; dim];
            } else if sums.len() != dim {
                return Err(SimilarityError::Dimensions { a: sums.len(), b: dim });
            }
            for code in unit_codes(&video.codebook).chunks_exact(dim) {
                codes += 1;
                sums.iter_mut().zip(code).for_each(|(sum, &value)| *sum += f64::from(value));
            }
        }
        let values = sums.iter().map(|sum| (sum / codes as f64) as f32).collect();
        Self::new(model.unwrap_or_default(), values)
    }

    /// A mean that was kept, `[D]`.
    ///
    /// # Errors
    /// If it is empty or not finite.
    pub fn new(model: String, values: Vec<f32>) -> Result<Self, SimilarityError> {
        match !values.is_empty() && values.iter().all(|value| value.is_finite()) {
            true => Ok(Self { model, values }),
            false => Err(SimilarityError::Mean),
        }
    }

    /// The model whose codes it is the mean of.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// `[D]`.
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}
