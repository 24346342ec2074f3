//! Vectors of texts, a batch at a time.

use super::text_ids::TextIds;
use crate::error::ModelError;

/// Texts that go through the tower together; more would only take more memory.
const TEXTS_AT_ONCE: usize = 16;

/// Vectors of texts.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EmbeddedTexts {
    /// `[n, E]`
    pub vectors: Vec<f32>,
    /// For each text how many tokens at its end did not fit into the text tower, `[n]`.
    pub tokens_cut: Vec<usize>,
}

impl EmbeddedTexts {
    /// The vectors that `tower` gives, `[n, E]` of the ids of `n` texts one after the other.
    ///
    /// # Errors
    ///
    /// Those of `encode` and `tower`.
    pub(super) fn of(
        texts: &[&str],
        encode: impl Fn(&str) -> Result<TextIds, ModelError>,
        tower: impl Fn(&[u32]) -> Result<Vec<f32>, ModelError>,
    ) -> Result<Self, ModelError> {
        let mut embedded = Self { vectors: Vec::new(), tokens_cut: Vec::with_capacity(texts.len()) };
        for texts in texts.chunks(TEXTS_AT_ONCE) {
            let mut ids = Vec::new();
            for text in texts {
                let text = encode(text)?;
                ids.extend(text.ids);
                embedded.tokens_cut.push(text.tokens_cut);
            }
            embedded.vectors.extend(tower(&ids)?);
        }
        Ok(embedded)
    }
}
