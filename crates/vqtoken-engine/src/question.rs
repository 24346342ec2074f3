//! Questions, and the answers that come piece by piece.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;
use vqtoken_core::VideoTokens;
use vqtoken_model::{Chat, GenerationOptions, ModelError, VisualTokens};
use vqtoken_video::Cancellation;

/// A conversation that ends with a question, and what it is about.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Question {
    /// Who asks: clients take turns.
    pub client: Arc<str>,
    /// The video, if there is one.
    pub subject: Option<Subject>,
    /// What is said.
    pub chat: Chat,
    /// How the answer is generated.
    pub options: GenerationOptions,
    /// Texts that end the answer; they are not part of it.
    pub stop: Vec<String>,
    /// Whether each token comes with its log-probability, and with those of how many alternatives.
    pub logprobs: Option<usize>,
}

impl Question {
    /// A question about a video, or about text alone, answered greedily.
    pub fn new(client: impl Into<Arc<str>>, subject: Option<Subject>, chat: Chat) -> Self {
        Self {
            client: client.into(),
            subject,
            chat,
            options: GenerationOptions::default(),
            stop: Vec::new(),
            logprobs: None,
        }
    }

    /// The same, generated in another way.
    #[must_use]
    pub fn with_options(self, options: GenerationOptions) -> Self {
        Self { options, ..self }
    }

    /// The same, ended by these texts, too.
    #[must_use]
    pub fn with_stop(self, stop: Vec<String>) -> Self {
        Self { stop, ..self }
    }

    /// The same with log-probabilities of its tokens and of so many alternatives to each.
    #[must_use]
    pub fn with_logprobs(self, alternatives: impl Into<Option<usize>>) -> Self {
        Self { logprobs: alternatives.into(), ..self }
    }
}

/// What a question is about.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Names the visual tokens: the same key is the same tokens, so that they are read once for many questions.
    pub key: String,
    /// The visual tokens, or what they are made from.
    pub content: SubjectContent,
}

/// Where visual tokens come from.
#[derive(Clone, Debug)]
pub enum SubjectContent {
    /// Video tokens, through the VQ-attention.
    Tokens(Arc<VideoTokens>),
    /// Visual tokens of another reducer.
    Visual(Arc<VisualTokens>),
}

/// What happens to a question.
#[derive(Debug)]
#[non_exhaustive]
pub enum AnswerEvent {
    /// The prompt has been read.
    Started(Started),
    /// A piece of the answer.
    Piece(Piece),
    /// The answer is complete; nothing follows.
    Finished(Finished),
    /// There is no answer; nothing follows.
    Failed(ModelError),
}

/// How the prompt was read.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Started {
    /// Tokens of the prompt, the visual ones included.
    pub prompt_tokens: usize,
    /// The visual tokens among them.
    pub video_tokens: usize,
    /// Tokens of the prompt that had been read for an earlier question.
    pub cached_tokens: usize,
    /// Seconds that the question waited.
    pub queue_seconds: f64,
    /// Seconds from then until the first token could be drawn.
    pub prefill_seconds: f64,
}

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Piece {
    /// Whole characters; may be empty where only token scores are due.
    pub text: String,
    /// The tokens since the last piece; empty unless they were asked for.
    pub tokens: Vec<TokenScore>,
}

/// A token of an answer and its log-probability before sampling options are applied.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TokenScore {
    /// Its text; bytes that are not a whole character show as replacement characters.
    pub text: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The natural logarithm of its probability.
    pub logprob: f32,
    /// The most likely tokens at its place, most likely first: text, bytes and log-probability.
    pub top: Vec<(String, Vec<u8>, f32)>,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Finished {
    /// Why.
    pub reason: FinishReason,
    /// Tokens generated, the one that ended the answer not counted.
    pub generated_tokens: usize,
    /// Seconds since the first token could be drawn.
    pub seconds: f64,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FinishReason {
    /// The model ended it, or a stop text came.
    Stop,
    /// It has as many tokens as it may, or the model can read no more.
    Length,
}

/// An answer under way. Dropping it stops the work.
#[derive(Debug)]
pub struct Answering {
    pub(crate) events: UnboundedReceiver<AnswerEvent>,
    pub(crate) cancellation: Cancellation,
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.cancellation.cancel();
    }
}

impl Answering {
    /// The next event; none after the last. Where none comes before [`AnswerEvent::Finished`] or [`AnswerEvent::Failed`], the engine hit
    /// a bug.
    pub async fn next(&mut self) -> Option<AnswerEvent> {
        self.events.recv().await
    }

    /// [`Self::next`] for threads that may block.
    pub fn blocking_next(&mut self) -> Option<AnswerEvent> {
        self.events.blocking_recv()
    }
}
