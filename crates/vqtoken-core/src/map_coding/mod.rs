//! Index maps as few bytes: each label coded with the probability that its neighbours in time and space give it.
//!
//! A label is a row of yes-or-no decisions: is it the label of the same cell one frame before? If not, which one is it,
//! bit by bit from the highest? The probability of each decision is mixed from those that eight [contexts](neighbours)
//! have seen so far ([`prediction`]), and a [range coder](range_coder) writes the decision in as many bits as it was
//! unlikely. Only integers are used, so every machine computes the same probabilities.
//!
//! Each map has exactly one code, and bytes that are not the code of a map are refused. A decision costs at least
//! 0.0014 bits, so `B` bytes hold fewer than [`MAX_LABELS_PER_BYTE`]` * B` labels: what decoding may allocate is bounded
//! by the bytes that are there (and 40 MiB of shares), not only by the shape that somebody claims, and by
//! [`Limits::labels`]: 49 kB can hold 2.7 * 10^8 labels.

mod labels;
mod neighbours;
mod prediction;
mod range_coder;

use crate::grid::{GridError, GridShape};
use crate::index_map::{IndexMap, IndexMapError};
use vqtoken_files::{Limit, LimitError, Limits};

use range_coder::{Decoder, Encoder, Fault};

/// No coded map has more labels than this for each of its bytes.
pub(crate) const MAX_LABELS_PER_BYTE: usize = 1 << 13;

impl IndexMap {
    /// The map as few bytes; [`IndexMap::decode`] gives it back. Shape and K are not among them. A map without any
    /// pattern takes hardly more than the entropy of its labels.
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        let Ok(_) = labels::code(&mut encoder, self.shape(), self.codes(), self.labels());
        encoder.finish()
    }

    /// The map of `shape` over `codes` = K codes that was coded as `bytes`.
    ///
    /// # Errors
    /// If the shape cannot be that of a map, or `bytes` are not the code of a map of that shape and K: whatever they are,
    /// memory and time are bounded by their number and by the shape.
    pub fn decode(shape: GridShape, codes: usize, bytes: &[u8]) -> Result<Self, MapCodingError> {
        Self::decode_within(shape, codes, bytes, &Limits::default())
    }

    /// [`IndexMap::decode`] with other limits on the number of labels.
    ///
    /// # Errors
    /// As [`IndexMap::decode`].
    pub fn decode_within(
        shape: GridShape,
        codes: usize,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Self, MapCodingError> {
        let labels = shape.checked()?;
        limits.check(Limit::Labels, labels as u64)?;
        if codes == 0 {
            return Err(MapCodingError::NoCodes);
        }
        if labels / MAX_LABELS_PER_BYTE > bytes.len() {
            return Err(MapCodingError::Short { shape, bytes: bytes.len() });
        }
        let mut decoder = Decoder::new(bytes);
        let labels = labels::code(&mut decoder, shape, codes, &[]).map_err(|fault| match fault {
            Fault::Short => MapCodingError::Short { shape, bytes: bytes.len() },
            Fault::Impossible => MapCodingError::Damaged,
        })?;
        match decoder.finish() {
            Some(0) => Ok(Self::new(shape, codes, labels)?),
            Some(extra) => Err(MapCodingError::Long { shape, extra }),
            None => Err(MapCodingError::Damaged),
        }
    }
}

/// Why bytes are not a coded index map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapCodingError {
    /// The shape cannot be one of a grid.
    #[error(transparent)]
    Shape(#[from] GridError),
    /// K is 0.
    #[error("an index map over 0 codes has no labels: give the number of codes it was coded with")]
    NoCodes,
    /// There would be more labels than the limits allow.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// There are not enough bytes for such a map.
    #[error(
        "{bytes} bytes are too few for a coded index map of shape [T, H, W] = {shape}: copy or encode it again"
    )]
    Short {
        /// What was asked for.
        shape: GridShape,
        /// The number of bytes.
        bytes: usize,
    },
    /// Bytes are left after the last label.
    #[error(
        "{extra} bytes follow the last label of a coded index map of shape [T, H, W] = {shape}: decode it with the shape it was coded with"
    )]
    Long {
        /// What was asked for.
        shape: GridShape,
        /// How many bytes are left.
        extra: usize,
    },
    /// The bytes are not what any map is coded as.
    #[error(
        "the coded index map is damaged, or was coded with another shape or number of codes: copy or encode it again"
    )]
    Damaged,
    /// The labels are no index map.
    #[error(transparent)]
    Labels(#[from] IndexMapError),
}

#[cfg(test)]
mod tests;
