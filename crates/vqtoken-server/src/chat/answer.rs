//! The answer in one piece.

use axum::Json;
use axum::response::{IntoResponse, Response};
use vqtoken_engine::AnswerEvent;

use crate::chat::handler::{Work, next, ready};
use crate::chat::response::{AnswerMessage, Choice, Completion, LogProbs, finish_reason};
use crate::error::ApiError;
use crate::metrics;
use crate::options::LogQuestions;
use crate::videos::prepare::Preparing;

/// Waits for the whole answer. If the client goes, this is dropped, and the work with it.
pub(crate) async fn whole(work: Work, preparing: Option<Preparing>) -> Result<Response, ApiError> {
    let (mut answering, about) = work.ask(ready(preparing).await?)?;
    let mut started = None;
    let mut text = String::new();
    let mut tokens = Vec::new();
    let finished = loop {
        match next(&mut answering).await? {
            AnswerEvent::Started(event) => {
                work.started(&event);
                started = Some(event);
            }
            AnswerEvent::Piece(piece) => {
                if text.is_empty() && !piece.text.is_empty() {
                    metrics::first_token(work.arrived.elapsed().as_secs_f64());
                }
                text.push_str(&piece.text);
                tokens.extend(piece.tokens);
            }
            AnswerEvent::Finished(event) => break event,
            _ => {}
        }
    };
    let Some(started) = started else { return Err(ApiError::Internal) };
    if work.app.options.log_questions == LogQuestions::Always {
        tracing::info!(text, "answered");
    }
    let (usage, details) = work.finished(&started, &finished, about);
    let choice = Choice {
        index: 0,
        message: AnswerMessage { role: "assistant", content: text, refusal: None },
        logprobs: work.asked.logprobs.map(|_| LogProbs::of(tokens)),
        finish_reason: finish_reason(finished.reason),
    };
    let completion = Completion {
        id: work.id,
        object: "chat.completion",
        created: work.created,
        model: work.app.model().to_owned(),
        choices: vec![choice],
        usage,
        vqtoken: details,
    };
    Ok(Json(completion).into_response())
}
