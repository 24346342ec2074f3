//! What is sent in answer to a request.

use serde::Serialize;
use utoipa::ToSchema;
use vqtoken_engine::{FinishReason, Finished, Started, TokenScore};

/// An answer in one piece.
#[derive(Serialize, ToSchema)]
pub(crate) struct Completion {
    pub(crate) id: String,
    pub(crate) object: &'static str,
    /// Seconds since 1970.
    pub(crate) created: u64,
    pub(crate) model: String,
    pub(crate) choices: Vec<Choice>,
    pub(crate) usage: Usage,
    pub(crate) vqtoken: Details,
}

/// The one answer.
#[derive(Serialize, ToSchema)]
pub(crate) struct Choice {
    pub(crate) index: usize,
    pub(crate) message: AnswerMessage,
    pub(crate) logprobs: Option<LogProbs>,
    /// `stop` or `length`.
    pub(crate) finish_reason: &'static str,
}

/// What the model says.
#[derive(Serialize, ToSchema)]
pub(crate) struct AnswerMessage {
    pub(crate) role: &'static str,
    pub(crate) content: String,
    pub(crate) refusal: Option<String>,
}

/// A piece of an answer.
#[derive(Serialize, ToSchema)]
pub(crate) struct Chunk<'a> {
    pub(crate) id: &'a str,
    pub(crate) object: &'static str,
    /// Seconds since 1970.
    pub(crate) created: u64,
    pub(crate) model: &'a str,
    /// One, or none in the chunk of the usage.
    pub(crate) choices: Vec<ChunkChoice>,
    /// In the last chunk, if it was asked for; until then null.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Usage>)]
    pub(crate) usage: Option<Option<Usage>>,
    /// In the last chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) vqtoken: Option<Details>,
}

/// What is new of the one answer.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChunkChoice {
    pub(crate) index: usize,
    pub(crate) delta: Delta,
    pub(crate) logprobs: Option<LogProbs>,
    /// `stop` or `length` in the last chunk of the answer.
    pub(crate) finish_reason: Option<&'static str>,
}

/// What is new.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct Delta {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<String>,
}

/// Log-probabilities of the tokens of an answer.
#[derive(Serialize, ToSchema)]
pub(crate) struct LogProbs {
    pub(crate) content: Vec<ScoredToken>,
    pub(crate) refusal: Option<Vec<ScoredToken>>,
}

/// A token and its log-probability.
#[derive(Serialize, ToSchema)]
pub(crate) struct ScoredToken {
    pub(crate) token: String,
    pub(crate) logprob: f32,
    pub(crate) bytes: Vec<u8>,
    /// The most likely tokens at its place.
    pub(crate) top_logprobs: Vec<Alternative>,
}

/// A token that might have been.
#[derive(Serialize, ToSchema)]
pub(crate) struct Alternative {
    pub(crate) token: String,
    pub(crate) logprob: f32,
    pub(crate) bytes: Vec<u8>,
}

/// How many tokens there were.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct Usage {
    pub(crate) prompt_tokens: usize,
    pub(crate) completion_tokens: usize,
    pub(crate) total_tokens: usize,
    pub(crate) prompt_tokens_details: PromptTokens,
}

/// What the prompt was made of.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct PromptTokens {
    /// Tokens that stand for the video.
    pub(crate) video_tokens: usize,
    /// Tokens that had been read for an earlier question.
    pub(crate) cached_tokens: usize,
}

/// What only this server tells.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Details {
    /// The stored video: ask again with `vqt:ID`.
    pub(crate) video: Option<String>,
    pub(crate) seconds: AnswerSeconds,
    /// What the user should know.
    pub(crate) warnings: Vec<String>,
}

/// Seconds by stage.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub(crate) struct AnswerSeconds {
    pub(crate) queue: f64,
    /// 0 where the video was stored.
    pub(crate) decode_and_vision: f64,
    pub(crate) prefill: f64,
    pub(crate) generation: f64,
}

impl Usage {
    pub(crate) fn of(started: &Started, finished: &Finished) -> Self {
        Self {
            prompt_tokens: started.prompt_tokens,
            completion_tokens: finished.generated_tokens,
            total_tokens: started.prompt_tokens + finished.generated_tokens,
            prompt_tokens_details: PromptTokens {
                video_tokens: started.video_tokens,
                cached_tokens: started.cached_tokens,
            },
        }
    }
}

/// The name of a reason.
pub(crate) fn finish_reason(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Length => "length",
        _ => "stop",
    }
}

impl LogProbs {
    pub(crate) fn of(tokens: Vec<TokenScore>) -> Self {
        // JSON has no infinity; OpenAI's clients know this number for "as good as never".
        let finite = |logprob: f32| if logprob.is_finite() { logprob } else { -9999.0 };
        let content = tokens.into_iter().map(|score| ScoredToken {
            token: score.text,
            logprob: finite(score.logprob),
            bytes: score.bytes,
            top_logprobs: score
                .top
                .into_iter()
                .map(|(token, bytes, logprob)| Alternative { token, logprob: finite(logprob), bytes })
                .collect(),
        });
        Self { content: content.collect(), refusal: None }
    }
}
