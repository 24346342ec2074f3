//! `POST /v1/live`: a stream begins.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Json;
use axum::extract::{Request, State};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast;
use utoipa::ToSchema;
use vqtoken_core::Budget;
use vqtoken_live::{Live, LiveEvent, LiveOptions, LiveSource, SourceOptions, StandingQuestions, feed};
use vqtoken_video::Cancellation;

use crate::app::App;
use crate::error::{ApiError, ErrorBody};
use crate::http::body::Pieces;
use crate::http::json::{self, Fields};
use crate::live::answerer::EngineAnswerer;
use crate::live::routes::StreamObject;
use crate::live::streams::{EVENTS, Stream, Streams};
use crate::media::display_name;

/// Bytes of a request, at most.
const MOST_BYTES: u64 = 64 << 10;

/// Standing questions, at most.
const MOST_QUESTIONS: usize = 16;

/// Frames a second, at most.
const MOST_FPS: f64 = 30.0;

/// A stream to be begun.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewStream {
    /// What people call it.
    name: Option<String>,
    /// Frames a second that are looked at, at most 30; 2 if not given.
    fps: Option<f64>,
    /// Seconds of a window; 10 if not given.
    window: Option<f64>,
    /// How long windows are kept, in seconds; 600 if not given.
    keep: Option<f64>,
    /// The budget of all windows together.
    #[schema(value_type = Object)]
    total: Option<Value>,
    /// The budget of a window.
    #[schema(value_type = Object)]
    tokens: Option<Value>,
    /// Questions that are answered again and again.
    questions: Option<Vec<String>>,
    /// Seconds from one answer to the next; 10 if not given.
    every: Option<f64>,
    /// How many of the last seconds standing questions are about; 300 if not given.
    last: Option<f64>,
    /// A source that the operator named with --live; without one, frames are posted.
    source: Option<String>,
}

fn budget(fields: &mut Fields, name: &str) -> Result<Option<Budget>, ApiError> {
    let text = match fields.value(name) {
        None => return Ok(None),
        Some(Value::String(text)) => text,
        Some(value) => value.to_string(),
    };
    text.parse().map(Some).map_err(|error| ApiError::refused(name, error))
}

/// What was asked for.
struct Asked {
    name: String,
    options: LiveOptions,
    questions: StandingQuestions,
    source: Option<(String, LiveSource)>,
}

fn read(app: &App, mut fields: Fields) -> Result<Asked, ApiError> {
    let source: Option<String> = fields.take("source")?;
    let source = match source {
        None => None,
        Some(name) => {
            let found = app.options.live_sources.iter().find(|(known, _)| *known == name);
            let (_, source) = found.ok_or_else(|| {
                let problem =
                    "names no source of this server: GET /v1/live lists them, --live NAME=SOURCE adds one";
                ApiError::parameter("source", problem)
            })?;
            let parsed = LiveSource::parse(source).map_err(|error| ApiError::refused("source", error))?;
            Some((name, parsed))
        }
    };
    let name: Option<String> = fields.take("name")?;
    let name = display_name(name.as_deref().unwrap_or("live"));
    let mut options = LiveOptions::new(&*name).with_limits(app.options.limits);
    let fps = fields.take("fps")?.unwrap_or(2.0);
    if !(fps > 0.0 && fps <= MOST_FPS) {
        return Err(ApiError::parameter("fps", format!("is not a number above 0 and up to {MOST_FPS}")));
    }
    let (window, keep) =
        (fields.take("window")?.unwrap_or(options.window), fields.take("keep")?.unwrap_or(options.keep));
    let codes = (budget(&mut fields, "tokens")?, budget(&mut fields, "total")?);
    options = options
        .with_fps(fps)
        .with_windows(window, keep)
        .with_codes(codes.0.unwrap_or(Budget::PAPER_FIXED), codes.1.unwrap_or(Budget::PAPER_FIXED));
    let questions: Vec<String> = fields.take("questions")?.unwrap_or_default();
    if questions.len() > MOST_QUESTIONS || questions.iter().any(|question| question.trim().is_empty()) {
        return Err(ApiError::parameter(
            "questions",
            format!("are more than {MOST_QUESTIONS}, or one is empty"),
        ));
    }
    let standing = StandingQuestions::new(questions);
    let (every, last) =
        (fields.take("every")?.unwrap_or(standing.every), fields.take("last")?.or(standing.last));
    if let (Some(folder), Some((name, _))) = (&app.options.live_folder, &source) {
        options = options.with_folder(folder.join(name));
    }
    Ok(Asked { name, options, questions: standing.with_times(every, last), source })
}

/// Begins a stream.
#[utoipa::path(post, path = "/v1/live", request_body = NewStream, responses((status = 200, body = StreamObject), (status = 400, body = ErrorBody), (status = 429, body = ErrorBody)), tag = "live")]
pub(crate) async fn begin(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<StreamObject>, ApiError> {
    let (parts, body) = request.into_parts();
    let limit = (MOST_BYTES, "the body", "ask fewer or shorter questions");
    let pieces = Pieces::new(&parts.headers, body, limit, app.options.body_patience)?;
    let fields = Fields::of_body(json::object(pieces.whole().await?).await?);
    let asked = read(&app, fields)?;
    app.streams.check_room()?;
    // The vision side may have to be loaded.
    let stream = crate::blocking(move || start(&app, asked)).await??;
    Ok(Json(StreamObject::of(&stream)))
}

fn start(app: &App, asked: Asked) -> Result<Arc<Stream>, ApiError> {
    let id = Streams::new_id();
    let (events, _) = broadcast::channel(EVENTS);
    let answerer = EngineAnswerer { engine: app.engine.clone(), client: id.as_str().into() };
    let standing = asked.questions.questions.clone();
    let told = events.clone();
    let on_event = move |event: LiveEvent| drop(told.send(Arc::new(event)));
    let vision = app.engine.model().vision()?;
    let fps = asked.options.fps.unwrap_or(2.0);
    let live = Live::start(vision, asked.options, asked.questions, Arc::new(answerer), on_event)?;
    let cancellation = Cancellation::new();
    let source = asked.source.map(|(name, source)| {
        let open = app.open_options().with_cancellation(cancellation.clone());
        let options = SourceOptions::new(fps).with_reconnect(source.is_live()).with_open(open);
        let live = live.clone();
        std::thread::spawn(move || {
            if let Err(error) = feed(&live, &source, &options) {
                live.tell(LiveEvent::Error { message: error.to_string() });
            }
            live.finish();
        });
        name
    });
    Ok(app.streams.add(Stream {
        id,
        name: asked.name,
        questions: standing,
        source,
        live,
        events,
        cancellation,
        last_frame: Mutex::new(Instant::now()),
    }))
}
