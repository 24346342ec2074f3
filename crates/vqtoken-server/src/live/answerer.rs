//! Standing questions go through the engine, as a client of its own that takes turns with the others.

use std::sync::Arc;

use vqtoken_core::VideoTokens;
use vqtoken_engine::{AnswerEvent, Engine, Question, Subject, SubjectContent};
use vqtoken_live::{AnswerError, Answerer};
use vqtoken_model::{Chat, GenerationOptions};

/// Tokens of an answer to a standing question, at most.
const MOST_TOKENS: usize = 128;

/// Answers through the engine.
pub(crate) struct EngineAnswerer {
    pub(crate) engine: Engine,
    /// The stream's id.
    pub(crate) client: Arc<str>,
}

impl Answerer for EngineAnswerer {
    fn answer(&self, tokens: &Arc<VideoTokens>, question: &str) -> Result<String, AnswerError> {
        // All questions of a round are about the same tokens.
        let key = format!("{}/{:p}/{:?}", self.client, Arc::as_ptr(tokens), tokens.timestamps.last());
        let subject = Subject { key, content: SubjectContent::Tokens(tokens.clone()) };
        let asked = Question::new(self.client.clone(), Some(subject), Chat::new(question))
            .with_options(GenerationOptions::default().with_max_tokens(MOST_TOKENS));
        let mut answering = self.engine.ask(asked)?;
        let mut text = String::new();
        loop {
            match answering.blocking_next() {
                Some(AnswerEvent::Piece(piece)) => text.push_str(&piece.text),
                Some(AnswerEvent::Finished(_)) => return Ok(text),
                Some(AnswerEvent::Failed(error)) => return Err(error.into()),
                Some(_) => {}
                None => return Err("the server is shutting down".into()),
            }
        }
    }
}
