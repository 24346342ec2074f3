//! A video read once for many questions.

use vqtoken_nn::in_thread_pool;

use super::language_side::LanguageSide;
use super::visual_tokens::VisualTokens;
use crate::error::ModelError;
use crate::language::LanguageCache;
use crate::text::{Chat, VideoInPrompt};

/// A prefilled video prompt. Any number of independent questions can be appended to it.
#[derive(Clone, Debug)]
pub struct PrefilledVideo {
    pub(super) cache: LanguageCache,
    pub(super) video: VideoInPrompt,
    /// Tokens read, the visual ones included.
    pub(super) tokens: usize,
}

impl LanguageSide {
    /// Reads visual tokens, and the text before them, once for many questions; nothing is read where there is no video.
    ///
    /// # Errors
    ///
    /// If the chat template cannot be rendered.
    pub fn prefill(&self, visual: Option<&VisualTokens>) -> Result<PrefilledVideo, ModelError> {
        let mut prefilled =
            PrefilledVideo { cache: self.new_cache(), video: VideoInPrompt::of(visual), tokens: 0 };
        if visual.is_some() {
            // The text before the video is the same for every question.
            let (before, _) = self.chat_ids(&Chat::new("?"), prefilled.video)?;
            let prompt = self.prompt(&before, visual, &[])?;
            prefilled.tokens = prompt.count();
            in_thread_pool(|| self.read(prompt, &mut prefilled.cache));
        }
        Ok(prefilled)
    }
}
