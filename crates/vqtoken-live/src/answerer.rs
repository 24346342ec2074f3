//! Who answers questions: handed in, so that a stream knows no engine and no language model.

use std::sync::Arc;

use vqtoken_core::VideoTokens;
use vqtoken_model::{Chat, GenerationOptions, LanguageSide};

/// Why there is no answer.
pub type AnswerError = Box<dyn std::error::Error + Send + Sync>;

/// Answers questions about video tokens.
pub trait Answerer: Send + Sync {
    /// The answer to a question. It may take its time: it is called on a thread of its own.
    ///
    /// # Errors
    /// If there is none; the stream goes on.
    fn answer(&self, tokens: &Arc<VideoTokens>, question: &str) -> Result<String, AnswerError>;
}

impl<F> Answerer for F
where
    F: Fn(&Arc<VideoTokens>, &str) -> Result<String, AnswerError> + Send + Sync,
{
    fn answer(&self, tokens: &Arc<VideoTokens>, question: &str) -> Result<String, AnswerError> {
        self(tokens, question)
    }
}

/// A language side, called directly.
#[derive(Clone, Debug)]
pub struct LanguageAnswerer {
    language: LanguageSide,
    options: GenerationOptions,
}

impl LanguageAnswerer {
    /// Answers as these options say.
    pub fn new(language: LanguageSide, options: GenerationOptions) -> Self {
        Self { language, options }
    }
}

impl Answerer for LanguageAnswerer {
    fn answer(&self, tokens: &Arc<VideoTokens>, question: &str) -> Result<String, AnswerError> {
        let visual = self.language.visual_tokens(tokens)?;
        let answer = self.language.chat(Some(&visual), &Chat::new(question), &self.options)?;
        Ok(answer.collect::<Result<String, _>>()?)
    }
}
