//! From a request to its answer.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use vqtoken_engine::{AnswerEvent, Answering, Finished, Question, Started};

use crate::app::App;
use crate::chat::parameters::{self, Asked, Defaults, Delivery};
use crate::chat::request::ChatRequest;
use crate::chat::response::{AnswerSeconds, Chunk, Completion, Details, Usage};
use crate::chat::{answer, stream};
use crate::error::{ApiError, ErrorBody};
use crate::http::body::Pieces;
use crate::http::guard::Client;
use crate::http::json;
use crate::media::resolve::resolve;
use crate::metrics;
use crate::options::LogQuestions;
use crate::videos::prepare::{Prepared, Preparing, prepare};

const TOO_LARGE: &str = "upload the video with POST /v1/videos and ask about vqt:ID, or start the server with a larger --body-bytes";

/// The next message of a conversation, about a video or about text alone.
#[utoipa::path(post, path = "/v1/chat/completions", request_body = ChatRequest, responses((status = 200, body = Completion), (status = 200, content_type = "text/event-stream", body = Chunk), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)), tag = "chat")]
pub(crate) async fn completions(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Result<Response, ApiError> {
    let arrived = Instant::now();
    let (parts, body) = request.into_parts();
    let limit = (app.options.body_bytes as u64, "the body", TOO_LARGE);
    let pieces = Pieces::new(&parts.headers, body, limit, app.options.body_patience)?;
    let object = json::object(pieces.whole().await?).await?;
    let defaults = Defaults { max_tokens: app.options.max_tokens, most_frames: app.options.limits.frames };
    let mut asked = parameters::read(object, &defaults)?;
    check_model(&app, asked.model.as_deref())?;
    if app.options.log_questions == LogQuestions::Always {
        tracing::info!(chat = ?asked.conversation.chat, "asked");
    }
    let preparing = match asked.conversation.video.take() {
        None => None,
        Some(given) => {
            // For pictures the rate says when each was taken.
            let per_second = asked.reading.fps.unwrap_or(1.0);
            let media = resolve(&app, given, per_second).await?;
            Some(prepare(&app, &client.0, media, &asked.reading).await?)
        }
    };
    let work = Work::new(app, client, asked, arrived);
    match work.asked.delivery {
        Delivery::Stream { usage } => stream::stream(work, preparing, usage).await,
        Delivery::Whole => answer::whole(work, preparing).await,
    }
}

/// Refuses another model's name.
fn check_model(app: &App, asked: Option<&str>) -> Result<(), ApiError> {
    let served = app.model();
    let name = served.split('@').next().unwrap_or(served);
    match asked {
        None | Some("" | "vqtoken" | "default") => Ok(()),
        Some(asked) if asked == served || asked == name => Ok(()),
        Some(asked) => Err(ApiError::OtherModel { asked: asked.to_owned(), served: served.to_owned() }),
    }
}

/// A request under way.
pub(crate) struct Work {
    pub(crate) app: Arc<App>,
    pub(crate) client: Client,
    pub(crate) asked: Asked,
    pub(crate) arrived: Instant,
    /// The id of the answer.
    pub(crate) id: String,
    /// Seconds since 1970.
    pub(crate) created: u64,
}

/// What is known of a question's video when the question is asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    video: Option<String>,
    warnings: Vec<String>,
    seconds: f64,
}

impl Work {
    fn new(app: Arc<App>, client: Client, asked: Asked, arrived: Instant) -> Self {
        let created = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let random = RandomState::new();
        let id = format!("chatcmpl-{:016x}{:016x}", random.hash_one(0), random.hash_one(1));
        Self { app, client, asked, arrived, id, created }
    }

    /// Hands the question to the engine.
    pub(crate) fn ask(&self, prepared: Option<Prepared>) -> Result<(Answering, About), ApiError> {
        let (subject, about) = match prepared {
            None => (None, About::default()),
            Some(Prepared { record, subject, warnings, seconds, .. }) => {
                (Some(subject), About { video: record.map(|record| record.id), warnings, seconds })
            }
        };
        let question = Question::new(self.client.0.clone(), subject, self.asked.conversation.chat.clone())
            .with_options(self.asked.options.clone())
            .with_stop(self.asked.stop.clone())
            .with_logprobs(self.asked.logprobs);
        Ok((self.app.engine.ask(question)?, about))
    }

    /// Notes that the prompt has been read.
    pub(crate) fn started(&self, started: &Started) {
        metrics::stage("queue", started.queue_seconds);
        metrics::stage("prefill", started.prefill_seconds);
        metrics::tokens("prompt", started.prompt_tokens);
        metrics::tokens("cached", started.cached_tokens);
        metrics::tokens("video", started.video_tokens);
    }

    /// Notes that the answer is complete, and tells what it took.
    pub(crate) fn finished(&self, started: &Started, finished: &Finished, about: About) -> (Usage, Details) {
        metrics::stage("generation", finished.seconds);
        metrics::tokens("generated", finished.generated_tokens);
        let seconds = AnswerSeconds {
            queue: started.queue_seconds,
            decode_and_vision: about.seconds,
            prefill: started.prefill_seconds,
            generation: finished.seconds,
        };
        let details = Details { video: about.video, seconds, warnings: about.warnings };
        (Usage::of(started, finished), details)
    }
}

/// Waits for a video.
pub(crate) async fn ready(preparing: Option<Preparing>) -> Result<Option<Prepared>, ApiError> {
    match preparing {
        None => Ok(None),
        Some(Preparing::Ready(prepared)) => Ok(Some(*prepared)),
        Some(Preparing::Running(job)) => job.follow().done().await.map(Some),
    }
}

/// The next event of an answer; that it breaks off without one is an error.
pub(crate) async fn next(answering: &mut Answering) -> Result<AnswerEvent, ApiError> {
    match answering.next().await {
        Some(AnswerEvent::Failed(error)) => Err(error.into()),
        Some(event) => Ok(event),
        None => Err(ApiError::Draining),
    }
}
