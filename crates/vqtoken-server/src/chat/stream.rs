//! The answer piece by piece, as server-sent events.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use tokio::time::{MissedTickBehavior, interval};
use vqtoken_engine::{AnswerEvent, Answering, Piece, Started};

use crate::chat::handler::{About, Work, next, ready};
use crate::chat::response::{Chunk, ChunkChoice, Delta, LogProbs, finish_reason};
use crate::error::ApiError;
use crate::http::events::{Events, events};
use crate::metrics;
use crate::videos::jobs::{Job, JobState};
use crate::videos::prepare::{Prepared, Preparing};

/// How often a stream that has nothing to tell says that it is alive.
const ALIVE: Duration = Duration::from_secs(5);

/// Begins a stream. What is refused before the answer begins has a status of its own; only an encoding is waited for in the stream.
pub(crate) async fn stream(
    work: Work,
    preparing: Option<Preparing>,
    usage: bool,
) -> Result<Response, ApiError> {
    let stage = match preparing {
        Some(Preparing::Running(job)) => Stage::Encoding(job),
        preparing => {
            let (mut answering, about) = work.ask(ready(preparing).await?)?;
            match next(&mut answering).await? {
                AnswerEvent::Started(started) => Stage::Answering(answering, about, started),
                _ => return Err(ApiError::Internal),
            }
        }
    };
    let (events, response) = events();
    tokio::spawn(async move {
        let sender = Sender { work, usage, events: events.clone() };
        // When the client has gone, what is under way is dropped, which stops it.
        tokio::select! {
            result = sender.run(stage) => {
                if let Err(error) = result {
                    events.error("", &error).await;
                }
            }
            () = events.gone() => {}
        }
    });
    Ok(response)
}

/// How far a request is when its stream begins.
enum Stage {
    Encoding(Arc<Job>),
    Answering(Answering, About, Started),
}

struct Sender {
    work: Work,
    usage: bool,
    events: Events,
}

impl Sender {
    async fn run(&self, stage: Stage) -> Result<(), ApiError> {
        let (mut answering, about, started) = match stage {
            Stage::Answering(answering, about, started) => (answering, about, started),
            Stage::Encoding(job) => {
                let prepared = self.encoded(job).await?;
                let (mut answering, about) = self.work.ask(Some(prepared))?;
                match next(&mut answering).await? {
                    AnswerEvent::Started(started) => (answering, about, started),
                    _ => return Err(ApiError::Internal),
                }
            }
        };
        self.work.started(&started);
        let role = Delta { role: Some("assistant"), content: Some(String::new()) };
        self.choice(role, None, None).await;
        let mut first = true;
        let finished = loop {
            match next(&mut answering).await? {
                AnswerEvent::Piece(piece) => {
                    if first {
                        metrics::first_token(self.work.arrived.elapsed().as_secs_f64());
                        first = false;
                    }
                    self.piece(piece).await;
                }
                AnswerEvent::Finished(finished) => break finished,
                _ => {}
            }
        };
        let (usage, details) = self.work.finished(&started, &finished, about);
        let last = ChunkChoice {
            index: 0,
            delta: Delta::default(),
            logprobs: None,
            finish_reason: Some(finish_reason(finished.reason)),
        };
        if self.usage {
            self.events.json(&self.chunk(vec![last])).await;
            let chunk = Chunk { usage: Some(Some(usage)), vqtoken: Some(details), ..self.chunk(Vec::new()) };
            self.events.json(&chunk).await;
        } else {
            self.events.json(&Chunk { vqtoken: Some(details), ..self.chunk(vec![last]) }).await;
        }
        self.events.done().await;
        Ok(())
    }

    /// Waits for an encoding; comments tell how far it is and keep the connection alive.
    async fn encoded(&self, job: Arc<Job>) -> Result<Prepared, ApiError> {
        let mut followed = job.follow();
        let mut alive = interval(ALIVE);
        alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let state = tokio::select! {
                state = followed.next() => state,
                _ = alive.tick() => {
                    self.events.comment("waiting").await;
                    continue;
                }
            };
            match state {
                JobState::Waiting => {}
                JobState::Encoding { frames, expected: Some(expected) } => {
                    self.events.comment(&format!("encoding {frames}/{expected}")).await;
                }
                JobState::Encoding { frames, expected: None } => {
                    self.events.comment(&format!("encoding {frames}")).await;
                }
                JobState::Done(prepared) => return Ok(*prepared),
                JobState::Failed(error) => return Err(error.again()),
            }
        }
    }

    async fn piece(&self, piece: Piece) {
        let logprobs = self.work.asked.logprobs.map(|_| LogProbs::of(piece.tokens));
        self.choice(Delta { role: None, content: Some(piece.text) }, logprobs, None).await;
    }

    async fn choice(&self, delta: Delta, logprobs: Option<LogProbs>, finish_reason: Option<&'static str>) {
        let choice = ChunkChoice { index: 0, delta, logprobs, finish_reason };
        self.events.json(&self.chunk(vec![choice])).await;
    }

    fn chunk(&self, choices: Vec<ChunkChoice>) -> Chunk<'_> {
        Chunk {
            id: &self.work.id,
            object: "chat.completion.chunk",
            created: self.work.created,
            model: self.work.app.model(),
            choices,
            usage: self.usage.then_some(None),
            vqtoken: None,
        }
    }
}
