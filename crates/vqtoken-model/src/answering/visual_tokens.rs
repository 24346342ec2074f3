//! What the language model reads in place of a video.

use burn::tensor::Tensor;

use crate::error::ModelError;
use crate::tensors::to_vec;

/// Visual tokens `[M, D]` and the positions at which the language model reads them.
#[derive(Clone, Debug)]
pub struct VisualTokens {
    tensor: Tensor<2>,
    positions: TokenPositions,
}

/// Where visual tokens stand in the sequence that they come from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenPositions {
    /// One after the other.
    Consecutive,
    /// At these positions, ascending, of a sequence of `length`; the others are skipped.
    Of {
        /// `[M]`
        positions: Vec<usize>,
        /// Positions of the whole sequence.
        length: usize,
    },
}

impl VisualTokens {
    pub(super) fn new(tensor: Tensor<2>, positions: TokenPositions) -> Result<Self, ModelError> {
        if let TokenPositions::Of { positions, length } = &positions {
            let count = tensor.dims()[0];
            let is_ascending = positions.is_sorted_by(|a, b| a < b);
            if positions.len() != count
                || !is_ascending
                || positions.last().is_some_and(|last| last >= length)
            {
                return Err(ModelError::TokenPositions {
                    tokens: count,
                    positions: positions.len(),
                    length: *length,
                });
            }
        }
        Ok(Self { tensor, positions })
    }

    pub(super) fn consecutive(tensor: Tensor<2>) -> Self {
        Self { tensor, positions: TokenPositions::Consecutive }
    }

    /// How many (M), without the `image_newline` that follows them.
    pub fn count(&self) -> usize {
        self.tensor.dims()[0]
    }

    /// Their values, `[M, D]`.
    ///
    /// # Errors
    ///
    /// If they cannot be read back from the device.
    pub fn to_vec(&self) -> Result<Vec<f32>, ModelError> {
        to_vec(self.tensor.clone())
    }

    pub(super) fn tensor(&self) -> Tensor<2> {
        self.tensor.clone()
    }

    /// Their positions, and that of the `image_newline` that follows them, counted from `start`.
    pub(super) fn positions_from(&self, start: usize) -> Vec<usize> {
        let (mut positions, length) = match &self.positions {
            TokenPositions::Consecutive => ((0..self.count()).collect(), self.count()),
            TokenPositions::Of { positions, length } => (positions.clone(), *length),
        };
        positions.push(length);
        positions.iter_mut().for_each(|position| *position += start);
        positions
    }
}
