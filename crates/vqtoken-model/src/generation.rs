//! Answers as iterators: tokens, and the text they make.

use std::collections::BTreeSet;

use burn::tensor::Tensor;

use crate::error::ModelError;
use crate::language::LanguageCache;
use crate::sampler::{Sampler, Sampling};
use crate::tokenizer::TextStream;
use crate::video_llm::VideoLlm;

/// How an answer is generated.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerationOptions {
    /// Tokens at most.
    pub max_tokens: usize,
    /// How each is drawn.
    pub sampling: Sampling,
    /// Tokens that end the answer; `None` takes the checkpoint's.
    pub end_tokens: Option<Vec<u32>>,
}

impl Default for GenerationOptions {
    /// Greedy, up to 128 tokens, ended by the checkpoint's own end tokens.
    fn default() -> Self {
        Self { max_tokens: 128, sampling: Sampling::default(), end_tokens: None }
    }
}

impl GenerationOptions {
    /// Refuses options that make no sense.
    pub fn check(&self) -> Result<(), ModelError> {
        Sampler::new(self.sampling).map(drop)
    }
}

/// The tokens of an answer, each computed when it is asked for.
///
/// The prompt has been read when this value exists; ending tokens are not given out.
#[derive(Debug)]
pub struct Tokens<'a> {
    model: &'a VideoLlm,
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
    /// Logits that wait to be drawn from.
    Logits(Vec<f32>),
    /// A token that was given out and has not been read back yet.
    Token(u32),
    End,
}

impl<'a> Tokens<'a> {
    /// Reads a prompt of embeddings `[n, D]`.
    pub(crate) fn new(
        model: &'a VideoLlm,
        embeddings: Tensor<2>,
        options: &GenerationOptions,
    ) -> Result<Self, ModelError> {
        let sampler = Sampler::new(options.sampling)?;
        let [prompt_tokens, _] = embeddings.dims();
        let limit = model.config().text.max_positions;
        if prompt_tokens >= limit {
            return Err(ModelError::PromptTooLong { tokens: prompt_tokens, limit });
        }
        let end_tokens = match &options.end_tokens {
            Some(tokens) => tokens.iter().copied().collect(),
            None => model.end_tokens().iter().copied().collect(),
        };
        let mut cache = model.new_cache();
        let logits = model.last_logits(embeddings, &mut cache)?;
        let left = options.max_tokens.min(limit - prompt_tokens);
        Ok(Self { model, cache, sampler, end_tokens, left, next: Next::Logits(logits), prompt_tokens })
    }

    /// Tokens of the prompt, the visual ones included.
    pub fn prompt_tokens(&self) -> usize {
        self.prompt_tokens
    }

    /// The same answer as text.
    pub fn text(self) -> Answer<'a> {
        let stream = TextStream::new(self.model.tokenizer());
        Answer { tokens: self, stream, count: 0, done: false }
    }
}

impl Iterator for Tokens<'_> {
    type Item = Result<u32, ModelError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let logits = match std::mem::replace(&mut self.next, Next::End) {
            Next::End => return None,
            Next::Logits(logits) => logits,
            Next::Token(token) => match self.model.logits_behind_token(token, &mut self.cache) {
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
pub struct Answer<'a> {
    tokens: Tokens<'a>,
    stream: TextStream<'a>,
    count: usize,
    done: bool,
}

impl Answer<'_> {
    /// Tokens of the prompt, the visual ones included.
    pub fn prompt_tokens(&self) -> usize {
        self.tokens.prompt_tokens
    }

    /// Tokens generated so far.
    pub fn generated_tokens(&self) -> usize {
        self.count
    }
}

impl Iterator for Answer<'_> {
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
