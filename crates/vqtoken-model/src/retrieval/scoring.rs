//! From two vectors to the probability that they belong together.

use burn::tensor::Tensor;

use super::vectors::cosine;
use crate::error::ModelError;
use crate::tensors::to_vec;

/// How a retriever compares its vectors: the cosine's scale and bias in a logit, as the sigmoid loss learns them (Zhai et al., 2023,
/// equation 1).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Scoring {
    /// The factor of a cosine; checkpoints store its logarithm.
    pub scale: f32,
    /// What is added to it.
    pub bias: f32,
}

impl Scoring {
    /// Of a checkpoint's two parameters, `[1]` each.
    ///
    /// # Errors
    ///
    /// If they cannot be read back from the device.
    pub(super) fn of_parameters(log_scale: Tensor<1>, bias: Tensor<1>) -> Result<Self, ModelError> {
        let scalar = |value| Ok::<_, ModelError>(to_vec(value)?.first().copied().unwrap_or_default());
        Ok(Self { scale: scalar(log_scale)?.exp(), bias: scalar(bias)? })
    }

    /// The logit of two vectors `[E]` of any length.
    pub fn logit(&self, a: &[f32], b: &[f32]) -> f32 {
        self.logit_of_cosine(cosine(a, b))
    }

    /// The probability that two vectors `[E]` belong together.
    pub fn score(&self, a: &[f32], b: &[f32]) -> f32 {
        self.score_of_cosine(cosine(a, b))
    }

    /// The same from the cosine of their angle.
    pub fn score_of_cosine(&self, cosine: f32) -> f32 {
        Self::probability(self.logit_of_cosine(cosine))
    }

    /// The probability that a logit stands for.
    pub fn probability(logit: f32) -> f32 {
        1.0 / (1.0 + (-logit).exp())
    }

    /// The logit of two vectors from the cosine of their angle.
    pub fn logit_of_cosine(&self, cosine: f32) -> f32 {
        self.scale * cosine + self.bias
    }
}
