//! What a request may hold. These types describe it in `/openapi.json`; [`super::parameters`] reads it field by field, so that an error
//! names the field.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A request for the next message of a conversation about a video, or about text alone.
///
/// Parameters of OpenAI's API that are not listed here are refused by name if they ask for something, such as `n` above 1 or `tools`;
/// others are ignored.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChatRequest {
    /// The id of the model, its name before the `@`, or `vqtoken`; may be left out.
    model: Option<String>,
    /// The conversation, which ends with a message of the user. One of its messages may hold a video.
    messages: Vec<MessageObject>,
    /// Whether the answer comes piece by piece, as server-sent events.
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    /// Tokens of the answer, at most.
    max_completion_tokens: Option<usize>,
    /// The old name of `max_completion_tokens`.
    max_tokens: Option<usize>,
    /// 0 (the default) takes the most likely token, up to 2.
    temperature: Option<f32>,
    /// Tokens are drawn from the most likely ones that reach this probability together.
    top_p: Option<f32>,
    /// Tokens are drawn from so many most likely ones; 0 for all.
    top_k: Option<usize>,
    /// The same seed draws the same tokens.
    seed: Option<i64>,
    /// Up to 16 texts that end the answer: one, or an array.
    #[schema(value_type = Object)]
    stop: Option<Value>,
    /// Whether each token comes with its log-probability.
    logprobs: Option<bool>,
    /// And with those of so many alternatives, 0 to 20.
    top_logprobs: Option<usize>,
    /// Whether an answer goes on past the model's own end.
    ignore_eos: Option<bool>,
    /// Frames sampled evenly from the video; 32 if nothing is given.
    num_frames: Option<usize>,
    /// Frames sampled a second instead. For pictures: how many were taken a second.
    fps: Option<f64>,
    /// Where the part of the video that is looked at begins, in seconds.
    start_time: Option<f64>,
    /// Where it ends, in seconds.
    end_time: Option<f64>,
    /// The budget of codes: a number, or a text such as `adaptive:elbow:8-32`.
    #[schema(value_type = Object)]
    tokens: Option<Value>,
    /// What stands for the video: `vqtoken` (its codes), `pooled`, or another reducer with its budget, such as `tome:32`.
    reducer: Option<String>,
}

/// A message.
#[derive(Serialize, ToSchema)]
pub(crate) struct MessageObject {
    /// `system`, `developer`, `user` or `assistant`.
    role: String,
    /// A text, or an array of parts: `text`, `video_url`, `input_video`, `video_tokens`, `frames`, `image_url`.
    #[schema(value_type = Object)]
    content: Value,
}

/// How a stream is sent.
#[derive(Serialize, ToSchema)]
pub(crate) struct StreamOptions {
    /// Whether a last chunk tells how many tokens there were.
    include_usage: Option<bool>,
}
