//! Streams under way: listed, shown, fed with frames, listened to, ended.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;
use tokio::time::{Instant, interval_at};
use utoipa::{IntoParams, ToSchema};
use vqtoken_core::VideoTokens;
use vqtoken_live::Offered;
use vqtoken_video::Frame;

use crate::app::App;
use crate::error::{ApiError, ErrorBody};
use crate::http::body::Pieces;
use crate::http::events::events as new_events;
use crate::http::query::Query;
use crate::live::streams::Stream;
use crate::videos::views::{MapObject, map_of};

/// Bytes of a frame's picture, at most.
const FRAME_BYTES: u64 = 16 << 20;

/// How often it is looked whether the server ends, and a listener told that the stream is alive.
const TICK: Duration = Duration::from_secs(1);

/// Ticks between two signs of life.
const SIGN_OF_LIFE: u32 = 15;

/// A stream.
#[derive(Serialize, ToSchema)]
pub(crate) struct StreamObject {
    id: String,
    object: &'static str,
    name: String,
    questions: Vec<String>,
    /// The operator's name of its source; none where frames are posted.
    source: Option<String>,
    /// When it began, in seconds since 1970.
    started: f64,
    /// Seconds of the last frame, since the start.
    seconds: f64,
    /// Frames encoded.
    frames: usize,
    /// Frames left out.
    left_out: usize,
    /// Windows that are kept.
    windows: usize,
    ended: bool,
}

impl StreamObject {
    pub(crate) fn of(stream: &Stream) -> Self {
        let status = stream.live.status();
        Self {
            id: stream.id.clone(),
            object: "live",
            name: stream.name.clone(),
            questions: stream.questions.clone(),
            source: stream.source.clone(),
            started: status.started,
            seconds: status.seconds,
            frames: status.frames,
            left_out: status.left_out,
            windows: status.windows,
            ended: status.has_ended,
        }
    }
}

/// Streams under way, and the sources that the operator named.
#[derive(Serialize, ToSchema)]
pub(crate) struct StreamList {
    object: &'static str,
    data: Vec<StreamObject>,
    sources: Vec<String>,
}

/// Streams under way.
#[utoipa::path(get, path = "/v1/live", responses((status = 200, body = StreamList)), tag = "live")]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Json<StreamList> {
    let data = app.streams.all().iter().map(|stream| StreamObject::of(stream)).collect();
    let sources = app.options.live_sources.iter().map(|(name, _)| name.clone()).collect();
    Json(StreamList { object: "list", data, sources })
}

/// A stream.
#[utoipa::path(get, path = "/v1/live/{id}", params(("id" = String, Path)), responses((status = 200, body = StreamObject), (status = 404, body = ErrorBody)), tag = "live")]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<StreamObject>, ApiError> {
    Ok(Json(StreamObject::of(&*app.streams.get(&id)?)))
}

/// What was ended.
#[derive(Serialize, ToSchema)]
pub(crate) struct StreamDeleted {
    id: String,
    object: &'static str,
    deleted: bool,
}

/// Ends a stream.
#[utoipa::path(delete, path = "/v1/live/{id}", params(("id" = String, Path)), responses((status = 200, body = StreamDeleted), (status = 404, body = ErrorBody)), tag = "live")]
pub(crate) async fn end(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<StreamDeleted>, ApiError> {
    let stream = app.streams.remove(&id)?;
    stream.cancellation.cancel();
    stream.live.stop();
    Ok(Json(StreamDeleted { id, object: "live.deleted", deleted: true }))
}

/// When a frame is shown.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FrameQuery {
    /// Seconds since the start of the stream.
    time: f64,
}

/// What became of a frame.
#[derive(Serialize, ToSchema)]
pub(crate) struct FrameTaken {
    /// `taken`, `left_out` (encoding is slower than the stream) or `early` (before the rate asks for one).
    frame: &'static str,
    /// Frames that wait to be encoded.
    waiting: usize,
}

/// Brings a frame, as JPEG or PNG.
#[utoipa::path(post, path = "/v1/live/{id}/frames", params(("id" = String, Path), FrameQuery), request_body(content = Vec<u8>, content_type = "image/jpeg"), responses((status = 200, body = FrameTaken), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)), tag = "live")]
pub(crate) async fn frame(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(query): Query<FrameQuery>,
    request: Request,
) -> Result<Json<FrameTaken>, ApiError> {
    let stream = app.streams.get(&id)?;
    if stream.source.is_some() {
        return Err(ApiError::parameter(
            "id",
            "is a stream with a source of its own: frames cannot be posted to it",
        ));
    }
    let (parts, body) = request.into_parts();
    let limit = (FRAME_BYTES, "the picture", "send smaller pictures");
    let bytes = Pieces::new(&parts.headers, body, limit, app.options.body_patience)?.whole().await?;
    let most_pixels = app.options.limits.frame_pixels;
    let taken = crate::blocking(move || -> Result<FrameTaken, ApiError> {
        let offered = stream.live.offer(decode(&bytes, most_pixels)?, query.time)?;
        stream.touch();
        let frame = match offered {
            Offered::LeftOut => "left_out",
            Offered::Early => "early",
            _ => "taken",
        };
        Ok(FrameTaken { frame, waiting: stream.live.status().waiting })
    });
    taken.await?.map(Json)
}

/// A picture of a bounded size.
fn decode(bytes: &[u8], most_pixels: u64) -> Result<Frame, ApiError> {
    let refused =
        |problem: String| ApiError::parameter("body", format!("is no picture that can be read: {problem}"));
    let reader = || image::ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format();
    let (width, height) = reader()
        .map_err(|error| refused(error.to_string()))?
        .into_dimensions()
        .map_err(|error| refused(error.to_string()))?;
    if u64::from(width) * u64::from(height) > most_pixels {
        return Err(refused(format!("{width} x {height} pixels are more than {most_pixels}")));
    }
    let image = reader()
        .map_err(|error| refused(error.to_string()))?
        .decode()
        .map_err(|error| refused(error.to_string()))?
        .into_rgb8();
    Frame::new(width as usize, height as usize, image.into_raw()).map_err(|error| refused(error.to_string()))
}

/// Events of a stream, as they happen.
#[utoipa::path(get, path = "/v1/live/{id}/events", params(("id" = String, Path)), responses((status = 200, content_type = "text/event-stream", body = String), (status = 404, body = ErrorBody)), tag = "live")]
pub(crate) async fn events(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let stream = app.streams.get(&id)?;
    let mut told = stream.events.subscribe();
    let ended = stream.live.status().has_ended;
    // Whoever listens does not keep the stream.
    drop(stream);
    let (events, response) = new_events();
    if ended {
        return Ok(response);
    }
    tokio::spawn(async move {
        let mut tick = interval_at(Instant::now() + TICK, TICK);
        let mut ticks = 0;
        loop {
            tokio::select! {
                event = told.recv() => match event {
                    Ok(event) => events.json(&*event).await,
                    Err(RecvError::Lagged(missed)) => {
                        let message = format!("{missed} events were missed, because they were not read in time");
                        events.json(&serde_json::json!({ "type": "warning", "message": message })).await;
                    }
                    Err(RecvError::Closed) => return,
                },
                _ = tick.tick() => {
                    ticks += 1;
                    if app.under_way.is_draining() {
                        return;
                    }
                    if ticks % SIGN_OF_LIFE == 0 {
                        events.comment("alive").await;
                    }
                }
                () = events.gone() => return,
            }
        }
    });
    Ok(response)
}

/// Which part of a stream.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LastQuery {
    /// The last so many seconds; all that is kept if not given.
    last: Option<f64>,
}

/// The index map of the last seconds.
#[utoipa::path(get, path = "/v1/live/{id}/map", params(("id" = String, Path), LastQuery), responses((status = 200, body = MapObject), (status = 404, body = ErrorBody)), tag = "live")]
pub(crate) async fn map(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(query): Query<LastQuery>,
) -> Result<Json<MapObject>, ApiError> {
    let tokens = tokens(&app, &id, query.last).await?;
    let artist = app.artist;
    crate::blocking(move || map_of(&id, &tokens, artist.colours(tokens.codebook.codes()))).await?.map(Json)
}

/// Video tokens of the last seconds of a stream.
pub(crate) async fn tokens(app: &App, id: &str, last: Option<f64>) -> Result<VideoTokens, ApiError> {
    if last.is_some_and(|last| !(last.is_finite() && last > 0.0)) {
        return Err(ApiError::parameter("last", "is not a number of seconds above 0"));
    }
    let stream = app.streams.get(id)?;
    let (sender, receiver) = oneshot::channel();
    stream.live.with_tokens_of_last(last, move |tokens| drop(sender.send(tokens)))?;
    match receiver.await {
        Ok(tokens) => Ok(tokens?),
        Err(_) => Err(vqtoken_live::LiveError::Ended.into()),
    }
}
