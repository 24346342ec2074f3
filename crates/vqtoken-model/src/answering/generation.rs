//! Answers as iterators: tokens, and the text they make.

use std::collections::BTreeSet;

use vqtoken_core::VideoTokens;

use super::language_side::LanguageSide;
use super::prompt::PromptEmbeddings;
use super::sampler::{Sampler, SamplingOptions};
use super::visual_tokens::VisualTokens;
use crate::error::ModelError;
use crate::language::LanguageCache;
use crate::text::{Chat, TextStream, VideoInPrompt};

/// How an answer is generated.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GenerationOptions {
    /// Tokens at most.
    pub max_tokens: usize,
    /// How each is drawn.
    pub sampling: SamplingOptions,
    /// Tokens that end the answer; `None` takes the checkpoint's.
    pub end_tokens: Option<Vec<u32>>,
}

impl Default for GenerationOptions {
    /// Greedy, up to 128 tokens, ended by the checkpoint's own end tokens.
    fn default() -> Self {
        Self { max_tokens: 128, sampling: SamplingOptions::default(), end_tokens: None }
    }
}

impl GenerationOptions {
    /// The same with another limit of tokens.
    pub fn with_max_tokens(self, max_tokens: usize) -> Self {
        Self { max_tokens, ..self }
    }

    /// The same with tokens drawn in another way.
    pub fn with_sampling(self, sampling: SamplingOptions) -> Self {
        Self { sampling, ..self }
    }

    /// The same with other tokens that end the answer.
    pub fn with_end_tokens(self, end_tokens: Vec<u32>) -> Self {
        Self { end_tokens: Some(end_tokens), ..self }
    }

    /// Refuses options out of range.
    ///
    /// # Errors
    ///
    /// If the temperature or top-p is.
    pub fn check(&self) -> Result<(), ModelError> {
        Sampler::new(self.sampling).map(drop)
    }
}

impl LanguageSide {
    /// The answer to a question about video tokens, greedy. The video is not needed.
    ///
    /// # Errors
    ///
    /// If another model made the video tokens, or the question cannot be asked.
    pub fn ask(&self, tokens: &VideoTokens, question: &str) -> Result<Answer, ModelError> {
        let visual = self.visual_tokens(tokens)?;
        self.chat(Some(&visual), &Chat::new(question), &GenerationOptions::default())
    }

    /// The next answer of a conversation, about visual tokens or about text alone.
    ///
    /// # Errors
    ///
    /// If the conversation cannot be rendered or does not fit, or options are out of range.
    pub fn chat(
        &self,
        visual: Option<&VisualTokens>,
        chat: &Chat,
        options: &GenerationOptions,
    ) -> Result<Answer, ModelError> {
        let (before, after) = self.chat_ids(chat, VideoInPrompt::of(visual))?;
        Ok(self.generate(&before, visual, &after, options)?.text())
    }

    /// The tokens that follow a prompt of token ids, with visual tokens and one `image_newline` between them.
    ///
    /// # Errors
    ///
    /// If the prompt is empty or does not fit, or options are out of range.
    pub fn generate(
        &self,
        before: &[u32],
        visual: Option<&VisualTokens>,
        after: &[u32],
        options: &GenerationOptions,
    ) -> Result<Tokens, ModelError> {
        Tokens::new(self, self.prompt(before, visual, after)?, options)
    }
}

/// The tokens of an answer, each computed when it is asked for.
///
/// The prompt has been read when this value exists; the end token is not returned.
#[derive(Debug)]
pub struct Tokens {
    language: LanguageSide,
    cache: LanguageCache,
    sampler: Sampler,
    end_tokens: BTreeSet<u32>,
    left: usize,
    next: Next,
    prompt_tokens: usize,
}

/// What the next token is drawn from.
#[derive(Debug)]
enum Next {
    /// Logits that have not been drawn from.
    Logits(Vec<f32>),
    /// A token that was returned and has not been read yet.
    Token(u32),
    End,
}

impl Tokens {
    fn new(
        language: &LanguageSide,
        prompt: PromptEmbeddings,
        options: &GenerationOptions,
    ) -> Result<Self, ModelError> {
        let sampler = Sampler::new(options.sampling)?;
        let limit = language.config().max_positions;
        let (prompt_tokens, end) = (prompt.count(), prompt.end());
        if end >= limit {
            return Err(ModelError::PromptTooLong { tokens: end, limit });
        }
        let end_tokens = options.end_tokens.as_deref().unwrap_or(language.end_tokens());
        let mut cache = language.new_cache();
        let logits = language.logits_after(prompt, &mut cache)?;
        Ok(Self {
            language: language.clone(),
            cache,
            sampler,
            end_tokens: end_tokens.iter().copied().collect(),
            left: options.max_tokens.min(limit - end),
            next: Next::Logits(logits),
            prompt_tokens,
        })
    }

    /// Tokens of the prompt, the visual ones included.
    pub fn prompt_tokens(&self) -> usize {
        self.prompt_tokens
    }

    /// The same answer as text.
    pub fn text(self) -> Answer {
        let stream = TextStream::new(self.language.tokenizer());
        Answer { tokens: self, stream, count: 0, done: false }
    }
}

impl Iterator for Tokens {
    type Item = Result<u32, ModelError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let logits = match std::mem::replace(&mut self.next, Next::End) {
            Next::End => return None,
            Next::Logits(logits) => logits,
            Next::Token(token) => match self.language.logits_after_tokens(&[token], &mut self.cache) {
                Ok(logits) => logits,
                Err(error) => return Some(Err(error)),
            },
        };
        let token = self.sampler.pick(&logits);
        if self.end_tokens.contains(&token) {
            return None;
        }
        self.left -= 1;
        self.next = Next::Token(token);
        Some(Ok(token))
    }
}

/// The text of an answer, piece by piece.
#[derive(Debug)]
pub struct Answer {
    tokens: Tokens,
    stream: TextStream,
    count: usize,
    done: bool,
}

impl Answer {
    /// Tokens of the prompt, the visual ones included.
    pub fn prompt_tokens(&self) -> usize {
        self.tokens.prompt_tokens
    }

    /// Tokens generated so far.
    pub fn generated_tokens(&self) -> usize {
        self.count
    }
}

impl Iterator for Answer {
    type Item = Result<String, ModelError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.done {
            let piece = match self.tokens.next() {
                Some(Ok(token)) => {
                    self.count += 1;
                    self.stream.push(token)
                }
                Some(Err(error)) => {
                    self.done = true;
                    Err(error)
                }
                None => {
                    self.done = true;
                    self.stream.finish()
                }
            };
            if let Some(piece) = piece.transpose() {
                return Some(piece);
            }
        }
        None
    }
}
