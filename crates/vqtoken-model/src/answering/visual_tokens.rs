//! What the language model reads in place of a video.

use burn::tensor::Tensor;

use crate::error::ModelError;
use crate::tensors::to_vec;

/// Visual tokens `[M, D]` and the positions at which the language model reads them.
#[derive(Clone, Debug)]
pub struct VisualTokens {
    tensor: Tensor<2>,
    /// Where each token stands, `[M]`, strictly ascending and below `sequence_length`.
    positions: Vec<usize>,
    sequence_length: usize,
}

impl VisualTokens {
    /// Tokens that follow each other.
    pub(super) fn new(tensor: Tensor<2>) -> Self {
        let sequence_length = tensor.dims()[0];
        Self { tensor, positions: (0..sequence_length).collect(), sequence_length }
    }

    /// The same tokens at positions `[M]` of an unreduced sequence. The positions between them stay empty, and the
    /// `image_newline` follows the whole sequence.
    ///
    /// # Errors
    ///
    /// If there is not one position a token, strictly ascending and below `sequence_length`.
    pub fn at_positions(self, positions: Vec<usize>, sequence_length: usize) -> Result<Self, ModelError> {
        let is_ascending = positions.is_sorted_by(|a, b| a < b);
        let is_within = positions.last().is_none_or(|&last| last < sequence_length);
        match positions.len() == self.count() && is_ascending && is_within {
            true => Ok(Self { positions, sequence_length, ..self }),
            false => Err(ModelError::VisualPositions {
                tokens: self.count(),
                positions: positions.len(),
                sequence_length,
            }),
        }
    }

    /// How many (M), without the `image_newline` that follows them.
    pub fn count(&self) -> usize {
        self.tensor.dims()[0]
    }

    /// Features of each (D).
    pub(super) fn width(&self) -> usize {
        self.tensor.dims()[1]
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

    /// Their positions, and that of the `image_newline`, counted from `start`.
    pub(super) fn positions_from(&self, start: usize) -> impl Iterator<Item = usize> {
        self.positions.iter().copied().chain([self.sequence_length]).map(move |position| start + position)
    }
}
