//! A prompt as the language model reads it: embeddings and the position of each.

use burn::tensor::Tensor;

use super::visual_tokens::VisualTokens;
use crate::language::LanguageModules;

/// Embeddings `[n, D]` and their positions `[n]`, ascending.
#[derive(Clone, Debug)]
pub(super) struct PromptEmbeddings {
    pub(super) embeddings: Tensor<2>,
    pub(super) positions: Vec<usize>,
}

impl PromptEmbeddings {
    /// A prompt of token ids, visual tokens with the `image_newline` after them, and token ids, whose first position is `start`.
    /// None if there is nothing in it.
    pub(super) fn new(
        modules: &LanguageModules,
        before: &[u32],
        visual: Option<&VisualTokens>,
        after: &[u32],
        start: usize,
    ) -> Option<Self> {
        let (mut parts, mut positions) = (Vec::new(), Vec::new());
        if !before.is_empty() {
            parts.push(modules.embed(before));
            positions.extend(start..start + before.len());
        }
        if let Some(visual) = visual {
            parts.push(visual.tensor());
            parts.push(modules.image_newline().unsqueeze());
            positions.extend(visual.positions_from(start + before.len()));
        }
        if !after.is_empty() {
            parts.push(modules.embed(after));
            let next = positions.last().map_or(start, |last| last + 1);
            positions.extend(next..next + after.len());
        }
        (!parts.is_empty()).then(|| Self { embeddings: Tensor::cat(parts, 0), positions })
    }

    /// The first `count` of it, and the rest if there is one.
    pub(super) fn split(mut self, count: usize) -> (Self, Option<Self>) {
        if self.count() <= count {
            return (self, None);
        }
        let [length, _] = self.embeddings.dims();
        let positions = self.positions.split_off(count);
        let rest = Self { embeddings: self.embeddings.clone().narrow(0, count, length - count), positions };
        (Self { embeddings: self.embeddings.narrow(0, 0, count), positions: self.positions }, Some(rest))
    }

    /// Embeddings in it.
    pub(super) fn count(&self) -> usize {
        self.positions.len()
    }

    /// The first position after it.
    pub(super) fn end(&self) -> usize {
        self.positions.last().map_or(0, |last| last + 1)
    }
}
