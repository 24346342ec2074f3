//! `POST /v1/videos`: a video arrives, is encoded and stored.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::error::{ApiError, ErrorBody};
use crate::http::body::{Pieces, broken, declared};
use crate::http::events::{Events, events};
use crate::http::guard::Client;
use crate::http::query::Query;
use crate::media::Media;
use crate::media::arrival::Arrival;
use crate::videos::jobs::JobState;
use crate::videos::object::{EncodeSeconds, VideoObject};
use crate::videos::prepare::{Prepared, Preparing, prepare};
use crate::videos::reading::Reading;
use crate::videos::store;

/// Text of a field of a multipart body, at most.
const FIELD_BYTES: usize = 1024;

/// Fields of a multipart body, at most.
const FIELDS: usize = 16;

/// What multipart adds to a file, at most.
const AROUND: u64 = 64 << 10;

const TOO_LARGE: &str = "send a shorter or smaller video, or start the server with a larger --upload-bytes";

/// How a video is read. The same names may be fields of a multipart body.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UploadQuery {
    /// What people call the video.
    name: Option<String>,
    /// Frames to sample, evenly.
    frames: Option<String>,
    /// Frames to sample a second instead.
    fps: Option<String>,
    /// The budget of codes, as `--tokens` on the command line.
    tokens: Option<String>,
    /// Where the part to be looked at begins, in seconds.
    start_time: Option<String>,
    /// Where it ends, in seconds.
    end_time: Option<String>,
}

impl UploadQuery {
    /// Takes a field of a multipart body; unknown ones are ignored.
    fn set(&mut self, name: &str, text: String) {
        let field = match name {
            "name" => &mut self.name,
            "frames" | "num_frames" => &mut self.frames,
            "fps" => &mut self.fps,
            "tokens" => &mut self.tokens,
            "start_time" => &mut self.start_time,
            "end_time" => &mut self.end_time,
            _ => return,
        };
        *field = Some(text);
    }

    fn reading(&self, app: &App) -> Result<Reading, ApiError> {
        fn read<T: std::str::FromStr>(name: &str, text: &Option<String>) -> Result<Option<T>, ApiError> {
            let text = text.as_deref().map(str::trim).filter(|text| !text.is_empty());
            let parsed = text.map(|text| {
                text.parse().map_err(|_| ApiError::parameter(name, format!("is no number: {text:?}")))
            });
            parsed.transpose()
        }
        let budget = self.tokens.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let reading = Reading {
            frames: read("frames", &self.frames)?,
            fps: read("fps", &self.fps)?,
            start: read("start_time", &self.start_time)?,
            end: read("end_time", &self.end_time)?,
            budget: budget.map(str::parse).transpose()?,
            // The store keeps codes, whatever the model reads by itself.
            reducer: Some("vqtoken".to_owned()),
        };
        reading.check(app.options.limits.frames)?;
        Ok(reading)
    }
}

/// What happens to an upload.
#[derive(Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum UploadEvent {
    /// How far it is.
    Progress {
        /// `upload` (bytes), `queue` or `encode` (frames).
        stage: &'static str,
        done: u64,
        total: Option<u64>,
    },
    /// The video is stored; nothing follows.
    Done { video: Box<VideoObject> },
}

/// Stores a video: as a multipart body with the field `file`, or as the body itself. A `.vqt` file is stored without its video. With
/// `Accept: text/event-stream` the answer is a stream of events.
#[utoipa::path(post, path = "/v1/videos", params(UploadQuery), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 200, body = VideoObject), (status = 400, body = ErrorBody), (status = 413, body = ErrorBody), (status = 429, body = ErrorBody), (status = 202, description = "an event of the stream", body = UploadEvent)), tag = "videos")]
pub(crate) async fn upload(
    State(app): State<Arc<App>>,
    Query(query): Query<UploadQuery>,
    request: Request,
) -> Result<Response, ApiError> {
    // Refused before a byte of the body is read.
    query.reading(&app)?;
    if declared(request.headers()).is_some_and(|length| length > app.options.upload_bytes + AROUND) {
        return Err(too_large(&app));
    }
    if !wants_events(request.headers()) {
        let object = receive(&app, query, request, &Events::none()).await?;
        return Ok(Json(object).into_response());
    }
    let (events, response) = events();
    tokio::spawn(async move {
        let work = receive(&app, query, request, &events);
        tokio::select! {
            result = work => match result {
                Ok(video) => events.json(&UploadEvent::Done { video: Box::new(video) }).await,
                Err(error) => events.error("error", &error).await,
            },
            () = events.gone() => {}
        }
    });
    Ok(response)
}

fn wants_events(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/event-stream"))
}

fn too_large(app: &App) -> ApiError {
    ApiError::TooLarge { what: "the video", limit: app.options.upload_bytes, remedy: TOO_LARGE }
}

/// From the first byte to the stored video.
async fn receive(
    app: &Arc<App>,
    mut query: UploadQuery,
    request: Request,
    events: &Events,
) -> Result<VideoObject, ApiError> {
    let client = request.extensions().get::<Client>().map(|client| client.0.clone()).unwrap_or_default();
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let media =
        match kind.is_some_and(|kind| kind.trim_start().to_lowercase().starts_with("multipart/form-data")) {
            true => of_multipart(app, &mut query, request, events).await?,
            false => of_body(app, &query, request, events).await?,
        };
    let reading = query.reading(app)?;
    if let Media::Tokens(tokens) = media {
        return crate::videos::given_tokens::keep(app, *tokens, query.name.as_deref(), &reading).await;
    }
    events.json(&UploadEvent::Progress { stage: "queue", done: 0, total: None }).await;
    let prepared = match prepare(app, &client, media, &reading).await? {
        Preparing::Ready(prepared) => *prepared,
        Preparing::Running(job) => {
            let mut followed = job.follow();
            loop {
                match followed.next().await {
                    JobState::Waiting => {}
                    JobState::Encoding { frames, expected } => {
                        let (done, total) = (frames as u64, expected.map(|expected| expected as u64));
                        events.json(&UploadEvent::Progress { stage: "encode", done, total }).await;
                    }
                    JobState::Done(prepared) => break *prepared,
                    JobState::Failed(error) => return Err(error.again()),
                }
            }
        }
    };
    object_of(app, prepared).await
}

/// The object of a video that was asked for; a budget that was not stored is from now on.
async fn object_of(app: &App, prepared: Prepared) -> Result<VideoObject, ApiError> {
    let Some(record) = prepared.record else { return Err(ApiError::Internal) };
    let mut object = VideoObject::of(&record);
    if let vqtoken_engine::SubjectContent::Tokens(tokens) = &prepared.subject.content {
        let budget = tokens.budget.to_string();
        if record.set(&budget).is_none() {
            let (id, tokens) = (record.id.clone(), tokens.clone());
            let text = budget.clone();
            let record = store::ask(app, move |archive| archive.add_tokens(&id, &text, &tokens)).await?;
            object.token_bytes = record.set(&budget).map_or(0, |set| set.bytes);
        } else if let Some(set) = record.set(&budget) {
            object.token_bytes = set.bytes;
        }
        object.codes = tokens.codebook.codes();
        object.budget = budget;
    }
    object.warnings = prepared.warnings;
    object.seen_before = prepared.seen_before;
    object.seconds = (!prepared.seen_before).then_some(EncodeSeconds { decode_and_vision: prepared.seconds });
    Ok(object)
}

async fn of_body(
    app: &Arc<App>,
    query: &UploadQuery,
    request: Request,
    events: &Events,
) -> Result<Media, ApiError> {
    let total = declared(request.headers());
    let (parts, body) = request.into_parts();
    let limit = (app.options.upload_bytes, "the video", TOO_LARGE);
    let mut pieces = Pieces::new(&parts.headers, body, limit, app.options.body_patience)?;
    let mut writer = Writer::new(app, total, events).await?;
    while let Some(piece) = pieces.next().await? {
        writer.write(piece).await?;
    }
    writer.finish(query.name.as_deref().unwrap_or("video"), "body").await
}

async fn of_multipart(
    app: &Arc<App>,
    query: &mut UploadQuery,
    request: Request,
    events: &Events,
) -> Result<Media, ApiError> {
    let total = declared(request.headers());
    let broken_form = |error: axum::extract::multipart::MultipartError| match broken_body(&error) {
        Some(error) => error,
        None => ApiError::Multipart { problem: error.body_text() },
    };
    let request: Request<Body> = request;
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|error| ApiError::Multipart { problem: error.body_text() })?;
    let mut media = None;
    for _ in 0..FIELDS {
        let patience = app.options.body_patience;
        let next = tokio::time::timeout(patience, form.next_field()).await.map_err(|_| ApiError::Slow)?;
        let Some(mut field) = next.map_err(broken_form)? else { break };
        let name = field.name().unwrap_or_default().to_owned();
        if name != "file" {
            let mut text = Vec::new();
            while let Some(piece) = field.chunk().await.map_err(broken_form)? {
                text.extend_from_slice(&piece);
                if text.len() > FIELD_BYTES {
                    return Err(ApiError::parameter(name, format!("is longer than {FIELD_BYTES} bytes")));
                }
            }
            let text = String::from_utf8(text).map_err(|_| ApiError::parameter(&*name, "is not UTF-8"))?;
            query.set(&name, text);
            query.reading(app)?;
            continue;
        }
        if media.is_some() {
            return Err(ApiError::TwoVideos { first: "file".to_owned(), second: "file".to_owned() });
        }
        let file_name = field.file_name().map(str::to_owned);
        let mut writer = Writer::new(app, total, events).await?;
        loop {
            let next = tokio::time::timeout(patience, field.chunk()).await.map_err(|_| ApiError::Slow)?;
            let Some(piece) = next.map_err(broken_form)? else { break };
            writer.write(piece).await?;
        }
        query.name = query.name.take().or(file_name);
        media = Some(writer.finish(query.name.as_deref().unwrap_or("video"), "file").await?);
    }
    media.ok_or(ApiError::Missing { param: "file".to_owned(), remedy: "send the video as the field `file`" })
}

/// Whether a multipart body stopped because the body beneath it did.
fn broken_body(error: &axum::extract::multipart::MultipartError) -> Option<ApiError> {
    use std::error::Error;

    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<hyper::Error>() {
            return Some(broken(error));
        }
        cause = error.source();
    }
    error.body_text().contains("incomplete").then_some(ApiError::Cut)
}

/// Writes a body to the disk in threads that may block, and tells how far it is.
struct Writer<'a> {
    app: &'a Arc<App>,
    arrival: Option<Arrival>,
    /// Pieces that have not been written yet.
    pending: Vec<u8>,
    total: Option<u64>,
    events: &'a Events,
}

/// Bytes that go to the disk at a time.
const WRITE: usize = 1 << 20;

impl<'a> Writer<'a> {
    async fn new(app: &'a Arc<App>, total: Option<u64>, events: &'a Events) -> Result<Self, ApiError> {
        let uploads = app.uploads.clone();
        let arrival = crate::blocking(move || Arrival::new(&uploads)).await??;
        Ok(Self { app, arrival: Some(arrival), pending: Vec::new(), total, events })
    }

    async fn write(&mut self, piece: bytes::Bytes) -> Result<(), ApiError> {
        self.pending.extend_from_slice(&piece);
        if self.pending.len() >= WRITE { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), ApiError> {
        let Some(mut arrival) = self.arrival.take() else { return Err(ApiError::Internal) };
        let pending = std::mem::take(&mut self.pending);
        let arrival = crate::blocking(move || arrival.write(&pending).map(|()| arrival)).await??;
        let done = arrival.bytes();
        self.arrival = Some(arrival);
        if done > self.app.options.upload_bytes {
            return Err(too_large(self.app));
        }
        self.events.json(&UploadEvent::Progress { stage: "upload", done, total: self.total }).await;
        Ok(())
    }

    async fn finish(mut self, name: &str, place: &'static str) -> Result<Media, ApiError> {
        self.flush().await?;
        let Some(arrival) = self.arrival else { return Err(ApiError::Internal) };
        let (name, limits) = (name.to_owned(), self.app.options.limits);
        crate::blocking(move || arrival.finish(&name, place, &limits)).await?
    }
}
